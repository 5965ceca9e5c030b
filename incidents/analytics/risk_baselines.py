"""What a risk surface has to beat: counting, and a kernel density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.grid import Cells
from incidents.analytics.risk_components import Happened, Smear

_FloatArray = NDArray[np.float64]
KERNEL_M = 250.0


WEEKS = {"last_4_weeks": 4, "last_52_weeks": 52, "last_208_weeks": 208}
KERNEL = "kernel_52_weeks"
BASELINES = {**WEEKS, KERNEL: 52}
"""Each baseline by name, with the weeks it looks back on."""


class Baselines:
    """All baselines of one kind of incident over the same cells, asked from many moments: the geometry is worked out once."""

    def __init__(self, happened: Happened, cells: Cells) -> None:
        order = np.argsort(happened.day[happened.own], kind="stable")
        xy = happened.xy_m[happened.own][order]
        self._day = happened.day[happened.own][order]
        self._cell = cells.of_points(xy)
        self._smear = Smear(xy, cells, KERNEL_M)
        self._cells = len(cells)

    def at(self, as_of: float) -> dict[str, _FloatArray]:
        """The score of every cell by each baseline, from incidents before ``as_of``."""
        end = int(np.searchsorted(self._day, as_of))
        begins = {name: int(np.searchsorted(self._day, as_of - 7 * weeks)) for name, weeks in BASELINES.items()}
        found = {name: self._count(begins[name], end) for name in WEEKS}
        return {**found, KERNEL: self._smear.over(slice(begins[KERNEL], end))}

    def _count(self, begin: int, end: int) -> _FloatArray:
        cell = self._cell[begin:end]
        return np.bincount(cell[cell >= 0], minlength=self._cells).astype(np.float64)
