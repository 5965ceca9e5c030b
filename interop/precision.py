"""How exactly a viewer is told where something happened.

One rule for every door: what is told and what may be filtered by are the same place, so that no filter tells more than the answer.
A person is told exactly; a partner's key as it was made. Less than exact: to the middle of a 100 m square of the region's metric
projection, or to the label point of the area (nowhere, where it lies in none). Addresses, descriptions, blocks and police sectors, which
would say more, are then withheld.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.contrib.gis.db.models.functions import SnapToGrid, Transform
from django.contrib.gis.geos import Polygon
from django.db.models import Case, F, FloatField, Func, Q, QuerySet, When
from pyproj import Transformer

from geography.models import Region, Zone
from interop.models import Precision

SQUARE_M = 100
DECIMALS = 6
_MARGIN_DEGREES = 0.003  # a snapped point lies within 71 m of where it was, at any latitude people live at
_ours = threading.local()  # a transformer serves one thread

Place = tuple[float, float]


def precision_of(viewer: object) -> str:
    return str(getattr(viewer, "precision", Precision.EXACT))


def is_exact(viewer: object) -> bool:
    return precision_of(viewer) == Precision.EXACT


def inside(
    rows: QuerySet[Any], box: Polygon, precision: str, *, point: str = "location", region: str | None = "region_id", area: str = "area_id"
) -> QuerySet[Any]:
    """The rows whose place, as it is told, lies in ``box``. ``region`` is ``None`` for rows that know none: the default one."""
    west, south, east, north = box.extent
    if precision == Precision.EXACT and not box.equals(box.envelope):  # drawn in another projection, or on both sides of 180 degrees
        return rows.filter(**{f"{point}__intersects": box})
    if precision == Precision.EXACT:
        # The index knows single precision: it finds, and two plain comparisons make sure. ST_Intersects says the same, but is reckoned so
        # dear that the planner then reads whole indexes, or asks for a second processor, to spare a hundred calls of it. The CASE keeps
        # it from believing that a comparison it knows nothing of leaves one row in two hundred.
        sure = Q(**{f"{point}_x__range": (west, east), f"{point}_y__range": (south, north)})
        rows = rows.alias(**{f"{point}_x": _axis("ST_X", point), f"{point}_y": _axis("ST_Y", point)})
        return rows.filter(**{f"{point}__bboverlaps": box}).filter(Case(When(sure, then=True), default=False))
    if precision == Precision.AREA:
        areas = Zone.objects.filter(level=Zone.Level.AREA, label_point__intersects=box).values_list("pk", flat=True)
        return rows.filter(**{f"{area}__in": list(areas)})
    wide = Polygon.from_bbox((west - _MARGIN_DEGREES, south - _MARGIN_DEGREES, east + _MARGIN_DEGREES, north + _MARGIN_DEGREES))
    wide.srid = 4326
    return rows.filter(**{f"{point}__bboverlaps": wide}).alias(told_place=_snapped(point, region)).filter(told_place__intersects=box)


def _axis(function: str, point: str) -> Func:
    return Func(F(point), function=function, output_field=FloatField())


def _snapped(point: str, region: str | None) -> Any:
    def by(srid: int) -> Any:
        return Transform(SnapToGrid(Transform(F(point), srid), SQUARE_M, SQUARE_M, SQUARE_M / 2, SQUARE_M / 2), 4326)

    if region is None:
        return by(_default_srid())
    return Case(*(When(**{region: pk}, then=by(srid)) for pk, srid in Region.objects.values_list("pk", "metric_srid")))


def _default_srid() -> int:
    return Region.objects.order_by("-is_default", "pk").values_list("metric_srid", flat=True)[0]


def told(points: Sequence[Place | None], srids: Sequence[int], labels: Sequence[Place | None], precision: str) -> list[Place | None]:
    """Each point as it is told: as it is, snapped in its projection (``srids``), or its area's label point (``labels``)."""
    if precision == Precision.EXACT:
        return [(round(point[0], DECIMALS), round(point[1], DECIMALS)) if point else None for point in points]
    if precision == Precision.AREA:
        return [label if point else None for point, label in zip(points, labels, strict=True)]
    places: list[Place | None] = [None] * len(points)
    for srid in set(srids):
        chosen = [index for index, point in enumerate(points) if point and srids[index] == srid]
        if chosen:
            lon, lat = zip(*(points[index] for index in chosen), strict=True)
            for index, place in zip(chosen, snap(lon, lat, srid), strict=True):
                places[index] = place
    return places


def snap(lon: Sequence[float], lat: Sequence[float], srid: int) -> list[Place]:
    """The middles of the 100 m squares these points lie in."""
    there, back = _transformers(srid)
    x, y = there.transform(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    x, y = (np.floor(axis / SQUARE_M) * SQUARE_M + SQUARE_M / 2 for axis in (x, y))
    lon_told, lat_told = back.transform(x, y)
    return list(zip(np.round(lon_told, DECIMALS).tolist(), np.round(lat_told, DECIMALS).tolist(), strict=True))


def _transformers(srid: int) -> tuple[Transformer, Transformer]:
    known: dict[int, tuple[Transformer, Transformer]] = _ours.__dict__.setdefault("known", {})
    if srid not in known:
        known[srid] = (Transformer.from_crs(4326, srid, always_xy=True), Transformer.from_crs(srid, 4326, always_xy=True))
    return known[srid]
