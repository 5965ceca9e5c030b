"""What a risk surface has to beat: counting, and a kernel density."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.grid import Cells
from incidents.analytics.risk_components import Happened, spread_over

_FloatArray = NDArray[np.float64]
KERNEL_M = 250.0


def counted_weeks(happened: Happened, cells: Cells, *, as_of: float, weeks: int) -> _FloatArray:
    """Own incidents of the last ``weeks`` weeks in each cell."""
    recent = happened.own & (happened.day < as_of) & (happened.day >= as_of - 7 * weeks)
    cell = cells.of_points(happened.xy_m[recent])
    return np.bincount(cell[cell >= 0], minlength=len(cells)).astype(np.float64)


def kernel_weeks(happened: Happened, cells: Cells, *, as_of: float, weeks: int, sigma_m: float = KERNEL_M) -> _FloatArray:
    """The last ``weeks`` weeks smeared by a Gaussian of ``sigma_m``: what a kernel density map shows of each cell."""
    recent = happened.own & (happened.day < as_of) & (happened.day >= as_of - 7 * weeks)
    return spread_over(happened.xy_m[recent], cells, sigma_m)


BASELINES: dict[str, Callable[[Happened, Cells, float], _FloatArray]] = {
    "last_4_weeks": lambda happened, cells, as_of: counted_weeks(happened, cells, as_of=as_of, weeks=4),
    "last_52_weeks": lambda happened, cells, as_of: counted_weeks(happened, cells, as_of=as_of, weeks=52),
    "last_208_weeks": lambda happened, cells, as_of: counted_weeks(happened, cells, as_of=as_of, weeks=208),
    "kernel_52_weeks": lambda happened, cells, as_of: kernel_weeks(happened, cells, as_of=as_of, weeks=52),
}
