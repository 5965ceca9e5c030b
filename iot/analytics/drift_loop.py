"""The inner loop of the two charts for slow drift, compiled; see ``loops``."""

from __future__ import annotations

import numba
import numpy as np

from iot.analytics.batch import FloatArray, IntArray, SignArray

# Columns of ``kept``: the block's sum and count; blocks learnt from, their mean and squared distances; the two sums of the CUSUM, the EWMA;
# blocks the finding has stood for, and the last score.
SUM, COUNT, LEARNT, MEAN, SQUARES, HIGH, LOW, LEVEL, HELD, SCORE = range(10)
COLUMNS = 10


@numba.njit(nogil=True)
def drift(
    series: IntArray,
    at: FloatArray,
    value: FloatArray,
    floor: FloatArray,
    is_ewma: bool,
    block_s: float,
    offset_s: float,
    from_s: float,
    to_s: float,
    least: int,
    learn: int,
    slack: float,
    limit: float,
    clip: float,
    accept: int,
    last: FloatArray,
    block: IntArray,
    kept: FloatArray,
    is_active: SignArray,
    score: FloatArray,
    active: SignArray,
    expected: FloatArray,
) -> None:
    for i in range(len(series)):
        s, v = series[i], value[i]
        if at[i] > last[s] and np.isfinite(v):
            last[s] = at[i]
            local = at[i] + offset_s
            now = int(np.floor(local / block_s))
            row = kept[s]
            if now != block[s]:
                if row[COUNT] >= least:
                    is_active[s] = _chart(row, row[SUM] / row[COUNT], is_active[s], floor[s], is_ewma, learn, slack, limit, clip, accept)
                block[s], row[SUM], row[COUNT] = now, 0.0, 0.0
            of_day = local % 86_400.0
            if from_s <= of_day < to_s:
                row[SUM] += v
                row[COUNT] += 1.0
            if row[LEARNT] >= learn:
                score[i], expected[i] = row[SCORE], row[MEAN]
        active[i] = is_active[s]


@numba.njit(nogil=True)
def _chart(
    row: FloatArray,
    x: float,
    before: int,
    floor: float,
    is_ewma: bool,
    learn: int,
    slack: float,
    limit: float,
    clip: float,
    accept: int,
) -> int:
    """One block more on the chart; answers whether the finding stands: 0, 1 (high) or -1 (low)."""
    if row[LEARNT] < learn:
        row[LEARNT] += 1.0
        off = x - row[MEAN]
        row[MEAN] += off / row[LEARNT]
        row[SQUARES] += off * (x - row[MEAN])
        row[SCORE] = 0.0
        return 0
    sigma = max(np.sqrt(row[SQUARES] / (row[LEARNT] - 1.0)), floor)
    z = (x - row[MEAN]) / sigma if sigma > 0 else 0.0
    z = min(max(z, -clip), clip)  # one wild block alone is no drift
    if is_ewma:
        row[LEVEL] += slack * (z - row[LEVEL])
        far, sign = abs(row[LEVEL]) / (limit * np.sqrt(slack / (2.0 - slack))), 1 if row[LEVEL] > 0 else -1
    else:
        row[HIGH] = min(max(0.0, row[HIGH] + z - slack), 2.0 * limit)  # kept within reach, so that the finding can end again
        row[LOW] = min(max(0.0, row[LOW] - z - slack), 2.0 * limit)
        far, sign = max(row[HIGH], row[LOW]) / limit, 1 if row[HIGH] >= row[LOW] else -1
    row[SCORE] = far
    if far < 1.0:
        row[HELD] = 0.0
        return 0
    row[HELD] += 1.0
    if accept and row[HELD] > accept:  # this is how it is now: learn anew
        for column in range(LEARNT, COLUMNS):
            row[column] = 0.0
        return 0
    return sign
