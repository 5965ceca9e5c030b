"""Which zones the cells of a grid belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from pyproj import Transformer

from geography.models import Region
from geography.services import resolve_points_sql
from incidents.analytics.grid import Cells
from incidents.services.pipeline.loading import NONE, Points

_ZONES = f"""
WITH centres AS MATERIALIZED (SELECT * FROM unnest(%s::int[], %s::float8[], %s::float8[]) AS given (id, lon, lat))
SELECT place.id, coalesce(place.governorate_id, {NONE}), coalesce(place.area_id, {NONE})
FROM ({resolve_points_sql("centres")}) place WHERE place.region_id = %s
"""  # noqa: S608 a constant and a checked name


@dataclass(frozen=True)
class CellZones:
    """Columns of equal length, one row a cell. ``is_ground``: its centre lies in the region; the ids are 0 where it lies in none."""

    is_ground: NDArray[np.bool_]
    governorate_id: NDArray[np.int64]
    area_id: NDArray[np.int64]

    def where(self, chosen: NDArray[np.int64]) -> CellZones:
        return CellZones(self.is_ground[chosen], self.governorate_id[chosen], self.area_id[chosen])


def zones_of_centres(region: Region, cells: Cells) -> CellZones:
    """The zones the cells' centres lie in, by one statement."""
    lon, lat = Transformer.from_crs(region.metric_srid, 4326, always_xy=True).transform(*cells.centres_m.T)
    found = CellZones(np.zeros(len(cells), dtype=bool), np.full(len(cells), NONE), np.full(len(cells), NONE))
    with connection.cursor() as cursor:
        cursor.execute(_ZONES, [list(range(len(cells))), np.asarray(lon).tolist(), np.asarray(lat).tolist(), region.pk])
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 3)
    found.is_ground[rows[:, 0]] = True
    found.governorate_id[rows[:, 0]], found.area_id[rows[:, 0]] = rows[:, 1], rows[:, 2]
    return found


def zones_of_cells(cells: Cells, centres: CellZones, points: Points) -> CellZones:
    """The zones most of each cell's incidents lie in, the lowest id of equals; where none lies in any, those of its centre."""
    at = cells.of_points(points.xy_m)
    return CellZones(
        centres.is_ground,
        _commonest(at, points.governorate_id, centres.governorate_id),
        _commonest(at, points.area_id, centres.area_id),
    )


def _commonest(at: NDArray[np.int64], zone_ids: NDArray[np.int64], otherwise: NDArray[np.int64]) -> NDArray[np.int64]:
    told = (at >= 0) & (zone_ids != NONE)
    pairs, counts = np.unique(np.stack([at[told], zone_ids[told]], axis=1), axis=0, return_counts=True)
    order = np.lexsort((-pairs[:, 1], counts))  # the last of a cell is the one that stays
    zones = otherwise.copy()
    zones[pairs[order, 0]] = pairs[order, 1]
    return zones
