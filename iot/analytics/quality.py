"""How far a reading may be believed: flags set beside it, and one score made of them."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from iot.analytics.batch import FloatArray, IntArray


class Quality(IntFlag):
    """What is wrong with a reading; several may be. The numbers are stored: never give one another meaning."""

    LATE = 1
    OUT_OF_RANGE = 2
    ROC = 4
    STUCK = 8
    CLOCK_SKEW = 16
    DUPLICATE_CONFLICT = 32
    DRIFT = 64
    SPIKE = 128
    GAP = 256


# What is left of a reading's credit after each: a late reading is as true as any, one out of its sensor's range is none at all.
LEFT = {
    Quality.LATE: 1.0,
    Quality.OUT_OF_RANGE: 0.0,
    Quality.ROC: 0.5,
    Quality.STUCK: 0.3,
    Quality.CLOCK_SKEW: 0.7,
    Quality.DUPLICATE_CONFLICT: 0.5,
    Quality.DRIFT: 0.6,
    Quality.SPIKE: 0.4,
    Quality.GAP: 0.9,
}
BAD_BELOW = 50


def score_of(flags: IntArray) -> FloatArray:
    """A score from 0 to 100 for each reading: 100 without a flag, and each flag takes its share of what is left.

    A product, so that the order of the flags does not matter and another one never raises it. The shares are a judgement, not a
    measurement: they say which of two readings to believe, and no more.

    Raises
    ------
    ValueError
        For a number that holds a bit no flag has.

    Examples
    --------
    >>> import numpy as np
    >>> score_of(np.array([0, Quality.LATE, Quality.STUCK | Quality.GAP, Quality.OUT_OF_RANGE])).tolist()
    [100.0, 100.0, 27.0, 0.0]
    """
    given = np.asarray(flags, dtype=np.int64)
    known = int(sum(LEFT))
    if (given & ~known).any() or (given < 0).any():
        raise ValueError("A flag nobody knows.")
    answer = np.full(given.shape, 100.0)
    for flag, left in LEFT.items():
        answer = np.where(given & flag, answer * left, answer)
    return np.round(answer, 6)


def flagged(n: int, **standing: NDArray[np.bool_]) -> IntArray:
    """Flags from what stands at each of ``n`` readings, by the flags' names in lower case.

    >>> import numpy as np
    >>> flagged(2, stuck=np.array([True, False]), roc=np.array([True, True])).tolist()
    [12, 4]
    """
    flags = np.zeros(n, dtype=np.int64)
    for name, is_so in standing.items():
        flags |= np.where(is_so, int(Quality[name.upper()]), 0)
    return flags
