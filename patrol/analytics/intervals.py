"""How long each part of an answer took: exact, with every hole counted and none filled.

Of each sending: turnout (assigned to en route), travel (en route to on scene), on scene (on scene to its end). Of each incident: queue
(reported to first sent), response (reported to first on scene), consumed (the time of all its units together).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

OF_SENDING = ("turnout", "travel", "on_scene")
OF_INCIDENT = ("queue", "response", "consumed")
INTERVALS = ("queue", "turnout", "travel", "response", "on_scene", "consumed")
FEW = 10  # a ninth decile of fewer says little


@dataclass(frozen=True)
class Sending:
    """One unit sent to one incident; times in seconds on one clock, ``None`` where nobody knows."""

    incident: int
    reported: float
    assigned: float
    en_route: float | None = None
    on_scene: float | None = None
    ended: float | None = None
    is_done: bool = False


@dataclass
class Measured:
    """The known lengths in seconds, and how many are missing: a time nobody gave, or times that contradict each other."""

    seconds: list[float] = field(default_factory=list)
    missing: int = 0
    contradictory: int = 0

    def take(self, start: float | None, end: float | None) -> None:
        if start is None or end is None:
            self.missing += 1
        elif end < start:
            self.contradictory += 1
        else:
            self.seconds.append(end - start)


@dataclass(frozen=True)
class Summary:
    """``share`` is that of the known ones within the target; ``None`` where nothing is known or no target is set."""

    n: int
    missing: int
    contradictory: int
    p50_s: float | None
    p90_s: float | None
    total_s: float
    target_s: float | None
    within: int | None
    share: float | None
    is_few: bool

    @property
    def unknown(self) -> int:
        return self.missing + self.contradictory


def measure(sendings: Iterable[Sending]) -> dict[str, Measured]:
    """Every interval of these sendings.

    A unit taken back on its way has no arrival, and that is no hole: an interval counts as missing only where the step must have been
    made (the unit got further, or its work was done). What is still under way is not counted yet.

    Examples
    --------
    >>> found = measure([Sending(1, 0, 60, 100, 400, 1000, True), Sending(1, 0, 90, None, 500, 900, True)])
    >>> found["turnout"].seconds, found["turnout"].missing, found["response"].seconds, found["consumed"].seconds
    ([40], 1, [400], [1750])
    """
    found = {name: Measured() for name in INTERVALS}
    by_incident: dict[int, list[Sending]] = defaultdict(list)
    for it in sendings:
        by_incident[it.incident].append(it)
        arrived = it.on_scene is not None or it.is_done
        if it.en_route is not None or arrived:
            found["turnout"].take(it.assigned, it.en_route)
        if arrived:
            found["travel"].take(it.en_route, it.on_scene)
        if arrived and it.ended is not None:
            found["on_scene"].take(it.on_scene, it.ended)
    for group in by_incident.values():
        reported = group[0].reported
        found["queue"].take(reported, min(it.assigned for it in group))
        times = [it.on_scene for it in group if it.on_scene is not None]
        if times or any(it.is_done for it in group):
            found["response"].take(reported, min(times) if times else None)
        if all(it.ended is not None for it in group):
            spent = [it.ended - it.assigned for it in group if it.ended is not None]
            found["consumed"].take(0.0, sum(spent) if min(spent) >= 0 else -1.0)
    return found


def summarise(measured: Measured, *, target_s: float | None = None) -> Summary:
    """Median and ninth decile (linear between neighbours, as ``numpy.percentile``), and the share within the target."""
    n = len(measured.seconds)
    within = int(np.sum(np.asarray(measured.seconds) <= target_s)) if target_s is not None and n else None
    p50, p90 = (float(value) for value in np.percentile(measured.seconds, [50, 90])) if n else (None, None)
    return Summary(
        n,
        measured.missing,
        measured.contradictory,
        p50,
        p90,
        float(sum(measured.seconds)),
        target_s,
        within,
        within / n if within is not None else None,
        n < FEW,
    )


def pooled(groups: Sequence[Measured]) -> Measured:
    """Several groups as one."""
    return Measured(
        [value for group in groups for value in group.seconds],
        sum(group.missing for group in groups),
        sum(group.contradictory for group in groups),
    )
