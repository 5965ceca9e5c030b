"""How quickly alerts were acknowledged, and how many nobody needed.

The two targets are those of emergency call centres: nine in ten calls answered within 15 seconds, nineteen in twenty within 20
(NFPA 1225, NENA-STA-020). Percentiles are by the nearest rank, so that each is a time that really occurred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TARGETS_S = (15.0, 20.0)
TARGET_SHARES = (0.90, 0.95)
LEAST = 10  # fewer tell nothing about the next


@dataclass(frozen=True)
class Response:
    """Of one group of alerts. ``p50_s``, ``p90_s`` and ``within`` are ``None`` where there are too few to say."""

    count: int
    unanswered: int
    p50_s: float | None
    p90_s: float | None
    within: tuple[float | None, ...]

    @property
    def is_too_few(self) -> bool:
        return self.p50_s is None

    @property
    def meets(self) -> tuple[bool | None, ...]:
        return tuple(None if share is None else share >= target for share, target in zip(self.within, TARGET_SHARES, strict=True))


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all do not exceed.

    >>> nearest_rank([4.0, 1.0, 9.0, 2.0], 50)
    2.0
    >>> nearest_rank([7.0], 90)
    7.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def response_of(seconds: Sequence[float], unanswered: int = 0, *, least: int = LEAST) -> Response:
    """``seconds``: from firing to the first acknowledgement, of those that got one; ``unanswered``: how many never did.

    One that nobody ever acknowledged was not answered within any time: it counts against the targets.

    >>> response_of([5.0] * 9 + [18.0]).within
    (0.9, 1.0)
    >>> response_of([5.0] * 9, unanswered=1).within[1]
    0.9
    >>> response_of([5.0] * 3).is_too_few
    True
    """
    total = len(seconds) + unanswered
    if len(seconds) < least:
        return Response(len(seconds), unanswered, None, None, (None,) * len(TARGETS_S))
    within = tuple(sum(value <= target for value in seconds) / total for target in TARGETS_S)
    return Response(len(seconds), unanswered, nearest_rank(seconds, 50), nearest_rank(seconds, 90), within)


@dataclass(frozen=True)
class Noise:
    """Of one rule: how many alerts, of how many somebody said whether they were needed, and the share that was not."""

    count: int
    needed: int
    not_needed: int

    @property
    def said(self) -> int:
        return self.needed + self.not_needed

    @property
    def share(self) -> float | None:
        return self.not_needed / self.said if self.said >= LEAST else None
