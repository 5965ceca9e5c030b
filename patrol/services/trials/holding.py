"""Which cells planning leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from accounts.models import Agency
from geography.models import Zone
from patrol.models import Trial, TrialCell


@dataclass(frozen=True)
class HeldOut:
    """The control cells of one trial that runs, in its grid: cell ``(c, r)`` covers ``[origin_x_m + c * cell_m, + cell_m)`` in x."""

    trial_id: int
    trial_name: str
    srid: int
    origin_x_m: float
    origin_y_m: float
    cell_m: float
    cells: frozenset[tuple[int, int]]

    def covers(self, lonlat: Sequence[tuple[float, float]] | NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each of these places (degrees) lies in a cell held out."""
        points = np.asarray(lonlat, np.float64).reshape(-1, 2)
        x, y = Transformer.from_crs(4326, self.srid, always_xy=True).transform(points[:, 0], points[:, 1])
        columns = np.floor((np.asarray(x) - self.origin_x_m) / self.cell_m).astype(np.int64)
        rows = np.floor((np.asarray(y) - self.origin_y_m) / self.cell_m).astype(np.int64)
        return np.array([pair in self.cells for pair in zip(columns.tolist(), rows.tolist(), strict=True)], dtype=bool)


def held_out(*, governorate: Zone, agency: Agency, at: datetime, until: datetime | None = None) -> list[HeldOut]:
    """Of each sealed trial that runs at ``at`` (or at any time from then to ``until``) the cells that get no patrol of plan."""
    running = Trial.objects.filter(
        governorate=governorate,
        agency=agency,
        sealed_at__isnull=False,
        stopped_at=None,
        starts_at__lte=until or at,
        ends_at__gt=at,
    ).order_by("pk")
    found = []
    for trial in running:
        cells = trial.cells.filter(arm=TrialCell.Arm.CONTROL).values_list("column", "row")
        found.append(HeldOut(trial.pk, trial.name, trial.srid, trial.origin_x_m, trial.origin_y_m, trial.cell_m, frozenset(cells)))
    return found


def held_out_cells(*, governorate: Zone, agency: Agency, at: datetime) -> set[tuple[int, int]]:
    """The same as columns and rows alone: for those who plan on the surfaces' own grid, which trials are drawn on."""
    return {cell for one in held_out(governorate=governorate, agency=agency, at=at) for cell in one.cells}
