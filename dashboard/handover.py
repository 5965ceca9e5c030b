"""The lists handed to patrol, cell by cell, as their page, their files and the API read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.translation import gettext as _
from pyproj import Transformer

from dashboard.filters import category_names
from dashboard.words import TACTICS, said
from geography.models import Zone
from incidents.models import Handover
from incidents.services.trust.tactics import tactics_for

DECIMALS = 6


@dataclass(frozen=True)
class Box:
    """One cell of a list."""

    number: int
    area: str
    longitude: float
    latitude: float
    corners: tuple[tuple[float, float], ...]
    is_explored: bool
    probability: float
    category: str
    category_name: str
    tactics: tuple[str, ...]
    tactic_codes: tuple[str, ...]

    @property
    def why(self) -> str:
        return _("Drawn by chance") if self.is_explored else _("High risk")


def boxes_of(handover: Handover) -> list[Box]:
    """The cells of a list in its order. ``handover.surface`` needs its grid, not its cells."""
    surface, given = handover.surface, handover.parameters
    backward = Transformer.from_crs(surface.srid, 4326, always_xy=True)
    names = category_names()
    areas = {zone.pk: zone.name for zone in Zone.objects.filter(pk__in=set(given.get("areas", [])) - {0}).defer("boundary")}
    boxes = []
    for index, (column, row) in enumerate(zip(handover.columns, handover.rows, strict=True)):
        west, south = surface.origin_x_m + column * surface.cell_m, surface.origin_y_m + row * surface.cell_m
        east, north, half = west + surface.cell_m, south + surface.cell_m, surface.cell_m / 2
        corners = [backward.transform(x, y) for x, y in ((west, south), (east, south), (east, north), (west, north), (west, south))]
        lon, lat = backward.transform(west + half, south + half)
        category = _at(given, "leading", index, "")
        codes = tactics_for(category)
        boxes.append(
            Box(
                number=index + 1,
                area=areas.get(_at(given, "areas", index, 0), ""),
                longitude=round(lon, DECIMALS),
                latitude=round(lat, DECIMALS),
                corners=tuple((round(x, DECIMALS), round(y, DECIMALS)) for x, y in corners),
                is_explored=handover.reasons[index] == "explore",
                probability=_at(given, "probabilities", index, 1.0),
                category=category,
                category_name=names.get(category, category),
                tactics=tuple(said(TACTICS, code) for code in codes),
                tactic_codes=codes,
            )
        )
    return boxes


def _at(given: dict[str, Any], name: str, index: int, otherwise: Any) -> Any:
    values = given.get(name) or []
    return values[index] if index < len(values) else otherwise


def geojson_of(handover: Handover) -> bytes:
    features = [
        {
            "type": "Feature",
            "id": box.number,
            "geometry": {"type": "Polygon", "coordinates": [box.corners]},
            "properties": {
                "number": box.number,
                "area": box.area,
                "reason": "explore" if box.is_explored else "risk",
                "category": box.category,
                "tactics": box.tactic_codes,
            },
        }
        for box in boxes_of(handover)
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": features})


CSV_HEADER = ("number", "area", "longitude", "latitude", "reason", "probability", "category", "tactics")


def csv_rows(handover: Handover) -> list[list[Any]]:
    return [
        [
            box.number,
            box.area,
            box.longitude,
            box.latitude,
            "explore" if box.is_explored else "risk",
            box.probability,
            box.category,
            "; ".join(box.tactics),
        ]
        for box in boxes_of(handover)
    ]
