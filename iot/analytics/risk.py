"""The risk score of a zone from what its sensors say: 0 to 100, a sum of named parts, each fading with its own half-life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from iot.analytics.severity import Severity

ANOMALIES, FIRE, CROWD, NIGHT_MOTION, CAMERAS, GAPS = "anomalies", "smoke_heat", "crowd", "night_motion", "cameras_offline", "sensor_gaps"
PARTS = (ANOMALIES, FIRE, CROWD, NIGHT_MOTION, CAMERAS, GAPS)
UNUSUAL_CROWD = 1.5  # times the usual: below it hours differ by chance
MOST_TIMES = 5.0
OF_SEVERITY = MappingProxyType({Severity.INFO: 0.1, Severity.LOW: 0.5, Severity.MEDIUM: 1.0, Severity.HIGH: 2.5, Severity.CRITICAL: 6.0})


@dataclass(frozen=True)
class Part:
    """``most`` points the part can give, ``scale`` the sum of amounts that gives 63 % of them, ``half_life_s`` how fast an amount fades."""

    most: float
    scale: float
    half_life_s: float


@dataclass(frozen=True)
class Making:
    """What a score is made by; stored with it. The points add up to 100: a judgement, not a fit, for there is nothing yet to fit to."""

    parts: Mapping[str, Part] = field(
        default_factory=lambda: MappingProxyType(
            {
                ANOMALIES: Part(30.0, 5.0, 6 * 3600.0),
                FIRE: Part(20.0, 2.0, 3 * 3600.0),
                CROWD: Part(15.0, 2.0, 2 * 3600.0),
                NIGHT_MOTION: Part(13.0, 4.0, 12 * 3600.0),
                CAMERAS: Part(13.0, 2.0, 6 * 3600.0),
                GAPS: Part(9.0, 5.0, 3 * 3600.0),
            }
        )
    )
    night_from_h: float = 2.0
    night_to_h: float = 5.0
    offset_s: float = 3 * 3600.0

    def __post_init__(self) -> None:
        if set(self.parts) != set(PARTS) or abs(sum(part.most for part in self.parts.values()) - 100) > 1e-9:
            raise ValueError(f"The parts are {', '.join(PARTS)}, and their points add up to 100.")
        if any(part.most < 0 or part.scale <= 0 or part.half_life_s <= 0 for part in self.parts.values()):
            raise ValueError("Points are not below 0, scales and half-lives above.")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, to be stored; ``from_dict`` makes the same of them."""
        return {
            "parts": {name: asdict(self.parts[name]) for name in PARTS},
            "night": [self.night_from_h, self.night_to_h],
            "offset_s": self.offset_s,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Making:
        parts = MappingProxyType({name: Part(**part) for name, part in stored["parts"].items()})
        night_from, night_to = map(float, stored["night"])
        return cls(parts, night_from, night_to, float(stored["offset_s"]))


@dataclass(frozen=True)
class Evidence:
    """One thing that counts.

    Attributes
    ----------
    kind : str
        One of ``PARTS``.
    key : str
        What it is ("anomaly:812"): the same key twice counts once, at its larger amount.
    at_s : float
        When it began. What is later than the moment of the score is not known yet, and does not count.
    amount : float
        How much, by ``of_anomaly``, ``of_crowd`` …; not below 0.
    until_s : float or None
        When it ended; ``None`` while it goes on. It fades from its end; what goes on does not fade.
    """

    kind: str
    key: str
    at_s: float
    amount: float
    until_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in PARTS:
            raise ValueError(f"There is no part {self.kind!r}.")
        if not (np.isfinite(self.amount) and self.amount >= 0 and np.isfinite(self.at_s)):
            raise ValueError("An amount is finite and not below 0, an instant finite.")


@dataclass(frozen=True)
class Contribution:
    """A part of the score: its points, and by key how many of them each thing gave, the most first.

    ``value`` is the sum of what is left of the amounts, ``evidence`` the one that counts for each key, in the order of ``of``.
    """

    kind: str
    points: float
    of: tuple[tuple[str, float], ...]
    value: float = 0.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Score:
    score: float
    parts: tuple[Contribution, ...]
    at_s: float


def of_anomaly(severity: int) -> float:
    """What an anomaly counts by its severity."""
    return OF_SEVERITY[Severity(severity)]


def of_crowd(ratio: float) -> float:
    """What a crowd counts: nothing below one and a half times the hour's usual, from there one for each time more, at most five."""
    return float(min(ratio - 1.0, MOST_TIMES)) if np.isfinite(ratio) and ratio >= UNUSUAL_CROWD else 0.0


def of_motion(level: float, usual: float, *, floor: float) -> float:
    """What motion in the night counts: nothing below twice what is usual there at that hour (``floor`` where that is less), from there one
    for each time more, at most five.

    >>> of_motion(6.0, 0.0, floor=3.0), of_motion(5.0, 0.0, floor=3.0), of_motion(40.0, 20.0, floor=3.0)
    (1.0, 0.0, 1.0)
    """
    ratio = level / max(usual, floor)
    return float(min(ratio - 1.0, MOST_TIMES)) if np.isfinite(ratio) and ratio >= 2.0 else 0.0


def of_camera(incident_rank: float) -> float:
    """What an offline camera counts: a quarter where nothing happens (rank 0), one where most incidents are (rank 1)."""
    return 0.25 + 0.75 * float(np.clip(np.nan_to_num(incident_rank), 0.0, 1.0))


def risk(
    evidence: Sequence[Evidence],
    *,
    now_s: float,
    making: Making | None = None,
    spread: float = 1.0,
    beside: Mapping[str, float] | None = None,
) -> Score:
    """Sum up what is known at ``now_s``. The same evidence at the same moment gives the same score, in whatever order it comes.

    Each part is its most points times 1 - exp(-sum / scale): one thing more always adds, and less the more there is. Motion counts only
    when it began in the night hours of the local clock.

    Parameters
    ----------
    evidence : sequence of Evidence
        Of one zone; may go on after ``now_s``: a replay gives all there ever was.
    now_s : float
    making : Making
    spread : float
        How many times the scales: a zone of many areas needs more for the same points.
    beside : mapping of str to float
        By part, amounts left at ``now_s`` that are not named one by one.

    Examples
    --------
    >>> offline = Evidence(CAMERAS, "camera:7", at_s=0.0, amount=of_camera(0.9))
    >>> fight = Evidence(ANOMALIES, "anomaly:1", at_s=0.0, amount=of_anomaly(Severity.CRITICAL), until_s=3600.0)
    >>> now = risk([offline, fight], now_s=3600.0)
    >>> round(now.score, 1), [(part.kind, round(part.points, 1)) for part in now.parts if part.points]
    (25.8, [('anomalies', 21.0), ('cameras_offline', 4.8)])
    >>> round(risk([offline, fight], now_s=3600.0 + 6 * 3600).score, 1)
    18.3
    """
    making = making or Making()
    if not spread >= 1:
        raise ValueError("A spread is 1 at least.")
    parts = []
    for kind in PARTS:
        part = making.parts[kind]
        rests: dict[str, tuple[float, Evidence]] = {}
        for one in evidence:
            if one.kind == kind and one.at_s <= now_s and (kind != NIGHT_MOTION or _is_night(one.at_s, making)):
                rest = left_of(one, now_s, part.half_life_s)
                if one.key not in rests or _order(rest, one) > _order(*rests[one.key]):
                    rests[one.key] = (rest, one)
        ordered = sorted(rests.items(), key=lambda item: (-item[1][0], item[0]))
        total = float(sum(rest for _key, (rest, _one) in ordered)) + float((beside or {}).get(kind, 0.0))
        points = part.most * -float(np.expm1(-total / (part.scale * spread)))
        shares = tuple((key, points * rest / total) for key, (rest, _one) in ordered) if total > 0 else ()
        parts.append(Contribution(kind, points, shares, total, tuple(one for _key, (_rest, one) in ordered)))
    return Score(min(sum(part.points for part in parts), 100.0), tuple(parts), now_s)


def _order(rest: float, one: Evidence) -> tuple[float, ...]:
    return rest, one.at_s, one.amount, float("inf") if one.until_s is None else one.until_s


def left_of(one: Evidence, now_s: float, half_life_s: float) -> float:
    """What is left of an amount at ``now_s``: all of it while it goes on, half after each half-life since its end."""
    ended_s = one.until_s if one.until_s is not None and one.until_s <= now_s else now_s
    return float(one.amount * 0.5 ** ((now_s - max(ended_s, one.at_s)) / half_life_s))


def _is_night(at_s: float, making: Making) -> bool:
    hour = ((at_s + making.offset_s) / 3600.0) % 24.0
    return making.night_from_h <= hour < making.night_to_h
