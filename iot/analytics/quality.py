"""How far a reading may be believed: flags set beside it, and one score made of them."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from iot.analytics.batch import FloatArray, IntArray


class Flag(IntFlag):
    """What is wrong with a reading; several may be. The numbers are stored: never give one another meaning."""

    LATE = 1
    OUT_OF_RANGE = 2
    RATE = 4
    STUCK = 8
    CLOCK = 16
    CONFLICT = 32
    DRIFT = 64
    SPIKE = 128
    AFTER_GAP = 256


# What is left of a reading's credit after each: a late reading is as true as any, one out of its sensor's range is none at all.
LEFT = {
    Flag.LATE: 1.0,
    Flag.OUT_OF_RANGE: 0.0,
    Flag.RATE: 0.5,
    Flag.STUCK: 0.3,
    Flag.CLOCK: 0.7,
    Flag.CONFLICT: 0.5,
    Flag.DRIFT: 0.6,
    Flag.SPIKE: 0.4,
    Flag.AFTER_GAP: 0.9,
}
BAD_BELOW = 50


def quality(flags: IntArray) -> FloatArray:
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
    >>> quality(np.array([0, Flag.LATE, Flag.STUCK | Flag.AFTER_GAP, Flag.OUT_OF_RANGE])).tolist()
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
    >>> flagged(2, stuck=np.array([True, False]), rate=np.array([True, True])).tolist()
    [12, 4]
    """
    flags = np.zeros(n, dtype=np.int64)
    for name, is_so in standing.items():
        flags |= np.where(is_so, int(Flag[name.upper()]), 0)
    return flags
