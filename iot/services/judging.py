"""What is wrong with a reading, judged by the thousand. Numpy in, numpy out: no clock, no database.

Times are whole microseconds since 1970 (``int64``), values ``float64``. A *fault* refuses a reading; a *flag* (``quality``) stays on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iot.quality import Quality

SECOND = 1_000_000
CLOCK_SKEW_S = 5  # a clock ahead by more is marked
LATE_S = 300  # on its way for longer, or for three cadences, a reading is late

# Faults. The numbers are ours alone.
FINE, NOT_FINITE, FUTURE, TOO_OLD = 0, 1, 2, 3


@dataclass(frozen=True)
class Limits:
    """Per reading. ``nan``: no limit."""

    least: NDArray[np.float64]
    most: NDArray[np.float64]
    per_min: NDArray[np.float64]
    every_s: NDArray[np.float64]
    keep_us: NDArray[np.int64]


def faults_of(
    at: NDArray[np.int64], value: NDArray[np.float64], received: NDArray[np.int64], keep_us: NDArray[np.int64], *, future_s: float
) -> NDArray[np.int8]:
    """Why each reading is refused; ``FINE`` where it is not."""
    fault = np.zeros(len(at), np.int8)
    fault[at < received - keep_us] = TOO_OLD
    fault[at > received + int(future_s * SECOND)] = FUTURE
    fault[~np.isfinite(value)] = NOT_FINITE
    return fault


def flags_of(
    stream: NDArray[np.int64],
    at: NDArray[np.int64],
    value: NDArray[np.float64],
    received: NDArray[np.int64],
    limits: Limits,
    last_at: NDArray[np.int64],
    last_value: NDArray[np.float64],
) -> NDArray[np.int16]:
    """The quality of each reading. They come sorted by stream and time; ``last_at`` and ``last_value`` are the stream's last as it was
    before (``last_value`` is ``nan`` where there is none, or where it is not believed)."""
    flags = np.zeros(len(at), np.int16)
    if not len(at):
        return flags
    out = (value < limits.least) | (value > limits.most)
    flags[out] |= Quality.OUT_OF_RANGE
    flags[at > received + CLOCK_SKEW_S * SECOND] |= Quality.CLOCK_SKEW
    on_its_way = received - at
    late = (on_its_way > np.maximum(LATE_S, 3 * limits.every_s) * SECOND) | (~np.isnan(last_value) & (at < last_at))
    flags[late] |= Quality.LATE

    # What stood before each: the reading before it here, else the stream's last, where that is older.
    first = np.ones(len(at), bool)
    first[1:] = stream[1:] != stream[:-1]
    before_at, before = np.roll(at, 1), np.roll(np.where(out, np.nan, value), 1)
    known_last = first & (last_at < at)
    before_at = np.where(first, last_at, before_at)
    before = np.where(first, np.where(known_last, last_value, np.nan), before)
    # In a minute at the least: two readings a second apart are no slope.
    minutes = np.maximum((at - before_at) / (60 * SECOND), 1.0)
    with np.errstate(invalid="ignore"):
        fast = np.abs(value - before) > limits.per_min * minutes
    flags[fast & ~out] |= Quality.ROC
    return flags
