"""The inner loop of the hour-of-week detector, compiled; see ``loops``."""

from __future__ import annotations

import numba
import numpy as np

from iot.analytics.batch import FloatArray, IntArray, SignArray


@numba.njit(nogil=True)
def seasonal(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    floor: FloatArray,
    offset_s: float,
    limit: float,
    least_weeks: int,
    memory: float,
    last: FloatArray,
    weeks: IntArray,
    mean: FloatArray,
    spread: FloatArray,
    hour: IntArray,
    total: FloatArray,
    away: FloatArray,
    counts: IntArray,
    is_active: SignArray,
    score: FloatArray,
    active: SignArray,
    expected: FloatArray,
) -> None:
    for i in range(len(series)):
        s, v = series[i], value[i]
        if at[i] > last[s] and np.isfinite(v):
            last[s] = at[i]
            now = int(np.floor((at[i] + offset_s) / 3600.0))
            if now != hour[s]:
                if counts[s]:  # the hour that is over becomes part of its slot's memory
                    k = hour[s] % 168
                    seen = weeks[s, k]
                    weight = max(1.0 / (seen + 1.0), memory)
                    level, around = total[s] / counts[s], away[s] / counts[s]
                    if seen >= least_weeks:  # an hour out of all measure moves the slot only as far as the limit
                        far = limit * max(1.2533 * spread[s, k], floor[s])
                        level = min(max(level, mean[s, k] - far), mean[s, k] + far)
                        around = min(around, far)
                    mean[s, k] += weight * (level - mean[s, k])
                    if seen > 0:  # in the first week there was nothing yet to be away from
                        spread[s, k] += max(1.0 / seen, memory) * (around - spread[s, k])
                    weeks[s, k] = seen + 1
                hour[s], total[s], away[s], counts[s] = now, 0.0, 0.0, 0
            k = now % 168
            total[s] += v
            counts[s] += 1
            is_active[s] = 0
            if weeks[s, k] > 0:
                away[s] += abs(v - mean[s, k])
            if weeks[s, k] >= least_weeks:
                expected[i] = mean[s, k]
                sigma = max(1.2533 * spread[s, k], floor[s])  # a normal's deviation is 1.2533 times its mean distance
                if sigma > 0:
                    score[i] = abs(v - mean[s, k]) / sigma / limit
                    if score[i] >= 1.0:
                        is_active[s] = 1 if v > mean[s, k] else -1
        active[i] = is_active[s]
