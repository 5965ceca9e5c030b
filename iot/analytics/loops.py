"""The inner loops of the streaming detectors, compiled: one pass over the readings in the order they came.

A reading counts when its value is a finite number and it is later than the last of its series that counted; late ones are passed over, so
that where a batch was cut makes no difference. Imported only where a detector runs: numba takes a second to come up, and each loop one
more the first time it is called.
"""

from __future__ import annotations

import numba
import numpy as np

from iot.analytics.batch import FloatArray, IntArray, SignArray


@numba.njit(nogil=True)
def threshold(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    limits: FloatArray,
    last: FloatArray,
    is_active: SignArray,
    score: FloatArray,
    active: SignArray,
    expected: FloatArray,
) -> None:
    for i in range(len(series)):
        s, v = series[i], value[i]
        if at[i] > last[s] and np.isfinite(v):
            last[s] = at[i]
            high_set, high_clear, low_set, low_clear = limits[s]
            far, limit, now = np.nan, np.nan, is_active[s]
            if not np.isnan(high_set):
                far = (v - high_clear) / (high_set - high_clear) if high_set > high_clear else (1.0 if v >= high_set else 0.0)
                limit = high_set
            if not np.isnan(low_set):
                below = (low_clear - v) / (low_clear - low_set) if low_clear > low_set else (1.0 if v <= low_set else 0.0)
                if np.isnan(far) or below > far:
                    far, limit = below, low_set
            if (now == 1 and not v >= high_clear) or (now == -1 and not v <= low_clear):
                now = 0
            if now == 0 and v >= high_set:
                now = 1
            elif now == 0 and v <= low_set:
                now = -1
            is_active[s] = now
            score[i], expected[i] = max(far, 0.0) if not np.isnan(far) else np.nan, limit
        active[i] = is_active[s]


@numba.njit(nogil=True)
def rate(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    most: FloatArray,
    least_s: float,
    last: FloatArray,
    last_value: FloatArray,
    is_active: SignArray,
    score: FloatArray,
    active: SignArray,
    expected: FloatArray,
) -> None:
    for i in range(len(series)):
        s, v = series[i], value[i]
        if at[i] > last[s] and np.isfinite(v):
            if last[s] > -np.inf and most[s] > 0:
                change = v - last_value[s]
                score[i] = abs(change) / (max(at[i] - last[s], least_s) / 60.0) / most[s]
                expected[i] = last_value[s]
                is_active[s] = 0 if score[i] < 1.0 else (1 if change > 0 else -1)
            last[s], last_value[s] = at[i], v
        active[i] = is_active[s]


@numba.njit(nogil=True)
def _median(row: FloatArray, n: int) -> float:
    return row[n // 2] if n % 2 else (row[n // 2 - 1] + row[n // 2]) / 2.0


@numba.njit(nogil=True)
def _place(row: FloatArray, n: int, v: float) -> int:
    """Where ``v`` belongs in a sorted row: before the first that is not smaller."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if row[middle] < v:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(nogil=True)
def _mad(row: FloatArray, n: int, middle: float) -> float:
    """The median distance from ``middle``, their median, in a sorted row: the nearest first, to either side."""
    right = _place(row, n, middle)
    left = right - 1
    before = now = 0.0
    for _step in range(n // 2 + 1):
        before = now
        if left < 0 or (right < n and row[right] - middle <= middle - row[left]):
            now = row[right] - middle
            right += 1
        else:
            now = middle - row[left]
            left -= 1
    return now if n % 2 else (before + now) / 2.0


@numba.njit(nogil=True)
def robust(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    floor: FloatArray,
    limit: float,
    least: int,
    forget_s: float,
    of_change: bool,
    last: FloatArray,
    last_value: FloatArray,
    base: FloatArray,
    window: FloatArray,
    ordered: FloatArray,
    counts: IntArray,
    place: IntArray,
    is_active: SignArray,
    score: FloatArray,
    active: SignArray,
    expected: FloatArray,
) -> None:
    width = window.shape[1]
    for i in range(len(series)):
        s, v = series[i], value[i]
        if at[i] > last[s] and np.isfinite(v):
            is_new = at[i] - last[s] > forget_s
            if is_new:
                counts[s] = place[s] = 0
            last[s] = at[i]
            is_active[s] = 0
            if of_change:
                # The smaller of the change since the last reading and since the last that was believed: the way back from a spike is no
                # spike, nor is the second reading of a new level.
                x = v - last_value[s]
                if abs(v - base[s]) < abs(x):
                    x = v - base[s]
                last_value[s] = v
                if is_new:
                    base[s] = v
                    active[i] = 0
                    continue
            else:
                x = v
            n, row = counts[s], ordered[s]
            if n >= least:
                middle = _median(row, n)
                spread = max(1.4826 * _mad(row, n, middle), floor[s])
                expected[i] = middle + (v - x)
                if spread > 0:
                    score[i] = abs(x - middle) / spread / limit
                    if score[i] >= 1.0:
                        is_active[s] = 1 if x > middle else -1
            if not is_active[s]:
                base[s] = v
            if n == width:  # the oldest goes
                k = _place(row, n, window[s, place[s]])
                for j in range(k, n - 1):
                    row[j] = row[j + 1]
                n -= 1
            k = _place(row, n, x)
            for j in range(n, k, -1):
                row[j] = row[j - 1]
            row[k] = x
            window[s, place[s]] = x
            place[s] = (place[s] + 1) % width
            counts[s] = n + 1
        active[i] = is_active[s]


@numba.njit(nogil=True)
def stuck(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    after_s: FloatArray,
    tolerance: FloatArray,
    least: int,
    last: FloatArray,
    held: FloatArray,
    since: FloatArray,
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
            if counts[s] and abs(v - held[s]) <= tolerance[s]:
                counts[s] += 1
            else:
                held[s], since[s], counts[s] = v, at[i], 1
            if after_s[s] > 0:
                score[i] = (at[i] - since[s]) / after_s[s]
                expected[i] = held[s]
                is_active[s] = 1 if score[i] >= 1.0 and counts[s] >= least else 0
        active[i] = is_active[s]


@numba.njit(nogil=True)
def gap(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    most_s: FloatArray,
    last: FloatArray,
    score: FloatArray,
    active: SignArray,
    expected: FloatArray,
) -> None:
    for i in range(len(series)):
        s = series[i]
        if at[i] > last[s] and np.isfinite(value[i]):
            if last[s] > -np.inf and most_s[s] > 0:
                score[i] = (at[i] - last[s]) / most_s[s]
                active[i] = 1 if score[i] > 1.0 else 0
            last[s] = at[i]


@numba.njit(nogil=True)
def depths(
    rows: FloatArray, feature: IntArray, split: FloatArray, left: IntArray, right: IntArray, depth: FloatArray, roots: IntArray
) -> FloatArray:
    """For each row, the sum over all trees of how deep it falls; a leaf is a node whose feature is below 0."""
    total = np.zeros(len(rows))
    for i in range(len(rows)):
        for root in roots:
            node = root
            while feature[node] >= 0:
                node = left[node] if rows[i, feature[node]] <= split[node] else right[node]
            total[i] += depth[node]
    return total
