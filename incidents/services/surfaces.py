"""What a viewer may see of a surface: the cells of their governorates, summed by zone, and for each the reasons of its colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from pyproj import Transformer

from accounts.jurisdiction import jurisdiction_of
from core.errors import NotFound
from geography.models import Zone
from incidents.analytics.grid import Cells
from incidents.analytics.risk_classes import risk_classes
from incidents.models import ModelChoice, Surface
from incidents.models.trust import Predicts
from incidents.querysets import SurfaceQuerySet

NONE = 0
LATTICE_CELLS = 16  # between two known points: within 4 km a projection is bent by less than half a metre
_DECIMALS = 6


@dataclass(frozen=True)
class Sight:
    """The cells of one surface that one viewer may see, as columns of equal length; ``parts`` has one column a part."""

    surface: Surface
    cells: Cells
    values: NDArray[np.float64]
    classes: NDArray[np.int64]
    governorate_ids: NDArray[np.int64]
    area_ids: NDArray[np.int64]
    parts: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, name: str) -> NDArray[np.float64] | None:
        names = self.surface.part_names
        return self.parts[:, names.index(name)] if name in names else None

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The cells from the highest value to the lowest; equals in their own order."""
        return np.argsort(-self.values, kind="stable")

    def rank_of(self, number: int) -> int:
        """1 is the highest value, of a change the largest either way; equals share the better rank."""
        by = np.abs(self.values) if self.surface.kind == Surface.Kind.CHANGE else self.values
        return int((by > by[number]).sum()) + 1

    def rings(self) -> Iterator[list[list[float]]]:
        """Each cell's outline in degrees, anticlockwise and closed, as GeoJSON has it."""
        side, surface = self.cells.cell_m, self.surface
        west = surface.origin_x_m + self.cells.columns.astype(np.float64) * side
        south = surface.origin_y_m + self.cells.rows.astype(np.float64) * side
        x = np.stack([west, west + side, west + side, west, west], axis=1)
        y = np.stack([south, south, south + side, south + side, south], axis=1)
        lon, lat = _to_degrees(surface, x.ravel(), y.ravel())
        for ring in np.round(np.stack([lon, lat], axis=1), _DECIMALS).reshape(-1, 5, 2):
            yield ring.tolist()

    def centres(self, chosen: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Longitude and latitude of the cells' middles, shape (n, 2)."""
        middles = self.cells.centres_m if chosen is None else self.cells.centres_m[chosen]
        lon, lat = _to_degrees(self.surface, middles[:, 0] + self.surface.origin_x_m, middles[:, 1] + self.surface.origin_y_m)
        return np.stack([lon, lat], axis=1).round(_DECIMALS)


@dataclass(frozen=True)
class Part:
    name: str
    value: float | None


@dataclass(frozen=True)
class Reasons:
    """Why one cell has its colour: everything its surface knows of it, and what the baseline says of the same ground."""

    surface: Surface
    column: int
    row: int
    value: float
    class_: int
    rank: int
    of: int
    longitude: float
    latitude: float
    governorate: Zone | None
    area: Zone | None
    parts: tuple[Part, ...]
    baselines: tuple[tuple[str, float | None], ...]
    choice: ModelChoice | None

    def part(self, name: str) -> float | None:
        return next((part.value for part in self.parts if part.name == name), None)


@dataclass(frozen=True)
class ZoneSum:
    zone: Zone
    cells: int
    total: float
    high: int
    low: int


def surfaces_for(viewer: object) -> SurfaceQuerySet:
    """The surfaces that stand now and are shown, without their cells: those of the regions this viewer has governorates in."""
    return Surface.objects.current().published().visible_to(viewer).without_cells().select_related("region", "run")


def sight_of(viewer: object, pk: int) -> Sight:
    """One standing surface as this viewer may see it. ``NotFound`` where it does not stand, is not shown, or lies in no region of
    theirs."""
    surface = Surface.objects.current().published().visible_to(viewer).select_related("region", "run").filter(pk=pk).first()
    if surface is None:
        raise NotFound(_("There is no such surface, or it stands no more."))
    return sight(viewer, surface)


def sight(viewer: object, surface: Surface) -> Sight:
    """The cells of ``surface`` this viewer may see. A cell in no governorate is seen by those who see them all, and only by them."""
    governorates = np.array(surface.governorate_ids, dtype=np.int64)
    places = jurisdiction_of(viewer).governorate_ids
    seen = np.ones(len(surface.columns), dtype=bool)
    if places is not None:
        seen = np.isin(governorates, sorted(places)) if len(governorates) else ~seen
    chosen = np.flatnonzero(seen)

    def column(values: list[Any], kind: type, missing: float = 0) -> NDArray[Any]:
        return np.array(values, dtype=kind)[chosen] if values else np.full(len(chosen), missing, dtype=kind)

    return Sight(
        surface=surface,
        cells=Cells(column(surface.columns, np.int64), column(surface.rows, np.int64), surface.cell_m),
        values=column(surface.values, np.float64),
        classes=_classes(surface)[chosen],
        governorate_ids=column(surface.governorate_ids, np.int64),
        area_ids=column(surface.area_ids or _areas_beside(surface), np.int64),
        parts=np.array(surface.parts, dtype=np.float64).reshape(len(surface.columns), len(surface.part_names))[chosen],
    )


def _classes(surface: Surface) -> NDArray[np.int64]:
    """As stored; a baseline that stands in for a model switched off was stored without, and is classed as any risk surface is."""
    if surface.classes or surface.kind != Surface.Kind.RISK:
        return np.array(surface.classes or np.zeros(len(surface.columns)), dtype=np.int64)
    return risk_classes(np.array(surface.values, dtype=np.float64)) if surface.values else np.empty(0, dtype=np.int64)


def _areas_beside(surface: Surface) -> list[int]:
    """The areas of a baseline's cells, which only the surface it was issued beside was stored with."""
    beside = _issued_together(surface).exclude(area_ids=[]).values_list("area_ids", flat=True).first()
    return beside if beside is not None and len(beside) == len(surface.columns) else []


def _issued_together(surface: Surface) -> SurfaceQuerySet:
    return Surface.objects.filter(
        run=surface.run_id, region=surface.region_id, kind=surface.kind, category=surface.category, horizon=surface.horizon
    )


def why(viewer: object, pk: int, *, column: int, row: int) -> Reasons:
    """Why the cell in this column and row of a standing surface has its colour. ``NotFound`` where the viewer may not see it, or where
    there is none."""
    seen = sight_of(viewer, pk)
    found = np.flatnonzero((seen.cells.columns == column) & (seen.cells.rows == row))
    if not len(found):
        raise NotFound(_("There is nothing to say of this place."))
    number = int(found[0])
    surface = seen.surface
    zones = Zone.objects.defer("boundary").in_bulk([int(seen.governorate_ids[number]), int(seen.area_ids[number])])
    longitude, latitude = seen.centres(np.array([number]))[0].tolist()
    return Reasons(
        surface=surface,
        column=column,
        row=row,
        value=float(seen.values[number]),
        class_=int(seen.classes[number]),
        rank=seen.rank_of(number),
        of=len(seen),
        longitude=longitude,
        latitude=latitude,
        governorate=zones.get(int(seen.governorate_ids[number])),
        area=zones.get(int(seen.area_ids[number])),
        parts=tuple(Part(name, _number(value)) for name, value in zip(surface.part_names, seen.parts[number].tolist(), strict=True)),
        baselines=tuple(_baselines(surface, column, row)),
        choice=choice_of(surface),
    )


def choice_of(surface: Surface) -> ModelChoice | None:
    """The gate's decision a risk surface was published by."""
    if surface.kind != Surface.Kind.RISK:
        return None
    return ModelChoice.objects.filter(
        run=surface.run_id, region=surface.region_id, predicts=Predicts.RISK, level=surface.horizon, category=surface.category
    ).first()


def zone_sums(seen: Sight, level: str = Zone.Level.AREA) -> list[ZoneSum]:
    """The viewer's cells summed by area or by governorate, the largest first, in incidents. ``high`` and ``low`` count cells in the upper
    classes (risk and density 4 and 5, else what is significant) and in those below 0."""
    ids = seen.area_ids if level == Zone.Level.AREA else seen.governorate_ids
    known, back = np.unique(ids, return_inverse=True)
    zones = Zone.objects.defer("boundary").in_bulk([int(pk) for pk in known if pk != NONE])
    is_high = seen.classes >= (4 if seen.surface.kind in (Surface.Kind.RISK, Surface.Kind.DENSITY) else 1)
    what = _incidents(seen)
    totals, cells = np.bincount(back, weights=what, minlength=len(known)), np.bincount(back, minlength=len(known))
    high, low = (np.bincount(back, weights=chosen, minlength=len(known)) for chosen in (is_high, seen.classes < 0))
    sums = [
        ZoneSum(zones[int(pk)], int(cells[k]), float(totals[k]), int(high[k]), int(low[k]))
        for k, pk in enumerate(known)
        if int(pk) in zones
    ]
    return sorted(sums, key=lambda one: (-one.total, one.zone.code))


def _incidents(seen: Sight) -> NDArray[np.float64]:
    """Each cell's value as incidents, which can be summed: expected (risk), smoothed (density), more or fewer (change), counted (Gi*)."""
    kind = seen.surface.kind
    if kind == Surface.Kind.GI_STAR:
        counted = seen.part("incidents")
        return counted if counted is not None else np.zeros(len(seen))
    return seen.values if kind == Surface.Kind.RISK else seen.values * seen.cells.cell_m**2 / 1e6


def lattice(seen: Sight) -> dict[str, Any]:
    """Known points of the grid in degrees, every ``LATTICE_CELLS`` cells: a browser finds every corner between them by weighing the four
    around it. A nation's cells are then two whole numbers each, not ten."""
    columns, rows = seen.cells.columns, seen.cells.rows
    if not len(columns):
        return {"step": LATTICE_CELLS, "column": 0, "row": 0, "across": 0, "up": 0, "lon": [], "lat": []}
    first_column, first_row = int(columns.min()), int(rows.min())
    across = -(-(int(columns.max()) + 1 - first_column) // LATTICE_CELLS) + 1
    up = -(-(int(rows.max()) + 1 - first_row) // LATTICE_CELLS) + 1
    i, j = (grid.ravel() for grid in np.meshgrid(np.arange(across), np.arange(up)))
    surface, side = seen.surface, seen.cells.cell_m
    x = surface.origin_x_m + (first_column + i * LATTICE_CELLS) * side
    y = surface.origin_y_m + (first_row + j * LATTICE_CELLS) * side
    lon, lat = _to_degrees(surface, x, y)
    return {
        "step": LATTICE_CELLS,
        "column": first_column,
        "row": first_row,
        "across": across,
        "up": up,
        "lon": np.round(lon, _DECIMALS).tolist(),
        "lat": np.round(lat, _DECIMALS).tolist(),
    }


def _to_degrees(surface: Surface, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return Transformer.from_crs(surface.srid, 4326, always_xy=True).transform(x, y)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _baselines(surface: Surface, column: int, row: int) -> Iterator[tuple[str, float | None]]:
    """What each baseline issued beside a risk surface says of the same cell; 0 where it names no such cell."""
    if surface.kind != Surface.Kind.RISK:
        return
    beside = _issued_together(surface).filter(role=Surface.Role.BASELINE).exclude(model=surface.model)
    for other in beside.only("model", "columns", "rows", "values").order_by("model"):
        at = np.flatnonzero((np.array(other.columns) == column) & (np.array(other.rows) == row))
        yield other.model, float(other.values[int(at[0])]) if len(at) else 0.0
