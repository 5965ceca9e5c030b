"""How good what a feed sends is: counts in, shares and a score out. The score is a weighted mean of the shares that can be said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

# What each part weighs. A part that cannot be said leaves the sum; the others then weigh more.
WEIGHTS = {"validity": 25, "completeness": 20, "freshness": 20, "known_types": 15, "in_area": 10, "uniqueness": 10}
LEAST = 20  # of what a part is a share of: below it, nothing is said
LEAST_WEIGHT = 40  # of 100: with less to go by there is no score
TIMELY_MIN = 15
STEADY = 2.0  # points: a smaller change is none


@dataclass(frozen=True)
class Counts:
    """What came in some stretch of time. ``refused`` holds ``outside``; what was repeated word for word is in ``repeats`` alone."""

    accepted: int = 0
    located: int = 0
    worded: int = 0  # with a description or an address
    unknown_type: int = 0  # of a type nobody has looked at yet
    alike: int = 0  # that look like another incident of the same feed
    live: int = 0  # not out of a file, and with a time it was reported at
    timely: int = 0  # of those, heard within TIMELY_MIN of being reported
    refused: int = 0
    outside: int = 0
    repeats: int = 0
    notices: int = 0  # warnings taken: no incidents, and of no type, place or time of report that we count

    @property
    def came(self) -> int:
        return self.taken + self.refused

    @property
    def taken(self) -> int:
        return self.accepted + self.notices

    @classmethod
    def total(cls, many: Iterable[Counts]) -> Counts:
        rows = list(many)
        return cls(**{each.name: sum(getattr(row, each.name) for row in rows) for each in fields(cls)})


@dataclass(frozen=True)
class Part:
    """``good`` of ``of``; ``share`` is ``None`` where ``of`` is too little to say."""

    name: str
    good: int
    of: int
    weight: int

    @property
    def share(self) -> float | None:
        return self.good / self.of if self.of >= LEAST else None

    @property
    def lost(self) -> float:
        """How many points of 100 this part costs, were every part known."""
        return 0.0 if self.share is None else self.weight * (1 - self.share)


@dataclass(frozen=True)
class Quality:
    """``score`` is 0 to 100, ``None`` where there is too little to go by."""

    counts: Counts
    parts: tuple[Part, ...]
    score: float | None

    @property
    def worst(self) -> Part | None:
        """What costs the score most; ``None`` where nothing costs it a point."""
        costly = max(self.parts, key=lambda part: part.lost)
        return costly if costly.lost >= 1 else None


def quality(counts: Counts) -> Quality:
    """The shares and the score of some counts.

    >>> round(quality(Counts(accepted=90, located=90, worded=45, live=90, timely=90, refused=10, outside=0)).score, 1)
    92.5
    >>> quality(Counts(accepted=5, located=5)).score is None
    True
    """
    told = {
        "validity": (counts.taken + counts.outside, counts.came),
        "completeness": (counts.located + counts.worded, 2 * counts.accepted),
        "freshness": (counts.timely, counts.live),
        "known_types": (counts.accepted - counts.unknown_type, counts.accepted),
        "in_area": (counts.taken, counts.taken + counts.outside),
        "uniqueness": (counts.taken - counts.alike, counts.taken + counts.repeats),
    }
    parts = tuple(Part(name, *told[name], weight) for name, weight in WEIGHTS.items())
    said = [part for part in parts if part.share is not None]
    weight = sum(part.weight for part in said)
    if counts.came < LEAST or weight < LEAST_WEIGHT:
        return Quality(counts, parts, None)
    return Quality(counts, parts, 100 * sum(part.weight * (part.share or 0) for part in said) / weight)


def change(now: Quality, before: Quality) -> float | None:
    """By how many points the score has risen; ``None`` where one of the two cannot be said."""
    return None if now.score is None or before.score is None else now.score - before.score
