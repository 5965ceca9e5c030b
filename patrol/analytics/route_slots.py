"""When each stop may be visited: time slots about two hours apart, drawn by the seed so that nobody can tell the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from patrol.analytics.routes import EXPLORE, RouteRule, StopDemand, UnitDay


class Slot(NamedTuple):
    """One wanted visit: arrival from ``early`` to ``late``; ``worth`` is weight × minutes."""

    stop: int
    number: int
    early: int
    late: int
    worth: float


def draw_slots(
    units: Sequence[UnitDay],
    stops: Sequence[StopDemand],
    spans: Sequence[tuple[int, int]],
    rule: RouteRule,
    rng: np.random.Generator,
) -> list[Slot]:
    """Slots of all stops, each within its span: the first and last second somebody can arrive.

    The first slot's middle is drawn evenly over one interval, the others follow an interval apart, each as wide as the tolerance: two
    visits of a stop are never closer than ``interval_s - tolerance_s``. Around visits that are kept or were made, slots are cut back.
    A stop to explore is wanted once, and worth as much as the riskiest, or it would never win against known risk.
    """
    kept: dict[object, list[int]] = {}
    for unit in units:
        for visit in unit.fixed:
            kept.setdefault(visit.stop, []).append(visit.arrive_s)
    half = rule.tolerance_s // 2
    risks = [stop.weight for stop in stops if stop.reason != EXPLORE]
    explored = max(risks, default=0.0)
    slots: list[Slot] = []
    for index, stop in enumerate(stops):
        first, last = spans[index]
        if stop.window is not None:
            first, last = max(first, stop.window[0]), min(last, stop.window[1] - stop.dosage_s)
        offset = int(rng.integers(rule.interval_s))
        taken = [*kept.get(stop.key, ()), *stop.visited_s]
        weight = max(stop.weight, explored) if stop.reason == EXPLORE else stop.weight
        own: list[Slot] = []
        for number, middle in enumerate(range(first - rule.interval_s + offset, last + half + 1, rule.interval_s)):
            piece = _free(max(middle - half, first), min(middle + half, last), taken, rule.least_gap_s)
            if piece is not None:
                own.append(Slot(index, number, *piece, weight * stop.dosage_s / 60))
        most = 1 if stop.visits is None and stop.reason == EXPLORE else stop.visits
        wanted = len(own) if most is None else max(0, most - len(kept.get(stop.key, ())))
        if wanted < len(own):
            own = [own[place] for place in sorted(rng.choice(len(own), wanted, replace=False))]
        slots += own
    return slots


def _free(early: int, late: int, taken: Sequence[int], gap: int) -> tuple[int, int] | None:
    """The longest piece of the window at least a gap from every visit in ``taken``."""
    pieces = [(early, late)] if early <= late else []
    for at in taken:
        cut: list[tuple[int, int]] = []
        for begin, end in pieces:
            if begin <= min(end, at - gap):
                cut.append((begin, min(end, at - gap)))
            if max(begin, at + gap) <= end:
                cut.append((max(begin, at + gap), end))
        pieces = cut
    return max(pieces, key=lambda piece: piece[1] - piece[0]) if pieces else None
