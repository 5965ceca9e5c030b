"""The risk score of a zone from what its sensors say: 0 to 100, a sum of named parts, each fading with its own half-life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from iot.analytics.severity import Severity

ANOMALIES, CROWD, NIGHT_MOTION, CAMERAS, GAPS = "anomalies", "crowd", "night_motion", "cameras_offline", "sensor_gaps"
PARTS = (ANOMALIES, CROWD, NIGHT_MOTION, CAMERAS, GAPS)
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
                ANOMALIES: Part(40.0, 5.0, 6 * 3600.0),
                CROWD: Part(20.0, 2.0, 2 * 3600.0),
                NIGHT_MOTION: Part(15.0, 4.0, 12 * 3600.0),
                CAMERAS: Part(15.0, 2.0, 6 * 3600.0),
                GAPS: Part(10.0, 5.0, 3 * 3600.0),
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
    """A part of the score: its points, and by key how many of them each thing gave, the most first."""

    kind: str
    points: float
    of: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Score:
    score: float
    parts: tuple[Contribution, ...]
    at_s: float


def of_anomaly(severity: int) -> float:
    """What an anomaly counts by its severity."""
    return OF_SEVERITY[Severity(severity)]


def of_crowd(ratio: float) -> float:
    """What a crowd counts: nothing up to what is usual for the hour (1), one for each time more, at most five."""
    return float(min(max(ratio - 1.0, 0.0), 5.0)) if np.isfinite(ratio) else 0.0


def of_camera(incident_rank: float) -> float:
    """What an offline camera counts: a quarter where nothing happens (rank 0), one where most incidents are (rank 1)."""
    return 0.25 + 0.75 * float(np.clip(np.nan_to_num(incident_rank), 0.0, 1.0))


def risk(evidence: Sequence[Evidence], *, now_s: float, making: Making | None = None) -> Score:
    """Sum up what is known at ``now_s``. The same evidence at the same moment gives the same score, in whatever order it comes.

    Each part is its most points times 1 - exp(-sum / scale): one thing more always adds, and less the more there is. Motion counts only
    when it began in the night hours of the local clock.

    Parameters
    ----------
    evidence : sequence of Evidence
        Of one zone; may go on after ``now_s``: a replay gives all there ever was.
    now_s : float
    making : Making

    Examples
    --------
    >>> offline = Evidence(CAMERAS, "camera:7", at_s=0.0, amount=of_camera(0.9))
    >>> fight = Evidence(ANOMALIES, "anomaly:1", at_s=0.0, amount=of_anomaly(Severity.CRITICAL), until_s=3600.0)
    >>> now = risk([offline, fight], now_s=3600.0)
    >>> round(now.score, 1), [(part.kind, round(part.points, 1)) for part in now.parts if part.points]
    (33.5, [('anomalies', 28.0), ('cameras_offline', 5.6)])
    >>> round(risk([offline, fight], now_s=3600.0 + 6 * 3600).score, 1)
    23.6
    """
    making = making or Making()
    parts = []
    for kind in PARTS:
        amounts: dict[str, float] = {}
        for one in evidence:
            if one.kind == kind and one.at_s <= now_s and (kind != NIGHT_MOTION or _is_night(one.at_s, making)):
                ended_s = one.until_s if one.until_s is not None and one.until_s <= now_s else now_s
                rest = one.amount * 0.5 ** ((now_s - max(ended_s, one.at_s)) / making.parts[kind].half_life_s)
                amounts[one.key] = max(amounts.get(one.key, 0.0), rest)
        ordered = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
        total = float(sum(amount for _key, amount in ordered))
        part = making.parts[kind]
        points = part.most * -float(np.expm1(-total / part.scale))
        shares = tuple((key, points * amount / total) for key, amount in ordered) if total > 0 else ()
        parts.append(Contribution(kind, points, shares))
    return Score(min(sum(part.points for part in parts), 100.0), tuple(parts), now_s)


def _is_night(at_s: float, making: Making) -> bool:
    hour = ((at_s + making.offset_s) / 3600.0) % 24.0
    return making.night_from_h <= hour < making.night_to_h
