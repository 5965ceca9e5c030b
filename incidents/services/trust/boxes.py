"""The cells of a list for patrol as places on the ground, in its order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyproj import Transformer

from geography.models import Zone
from incidents.models import Handover
from incidents.services.trust.tactics import tactics_for

DECIMALS = 6


@dataclass(frozen=True)
class Box:
    """One cell: degrees in WGS 84, ``corners`` closed."""

    number: int
    area: Zone | None
    longitude: float
    latitude: float
    corners: tuple[tuple[float, float], ...]
    is_explored: bool
    probability: float
    category: str
    tactics: tuple[str, ...]

    @property
    def reason(self) -> str:
        return "explore" if self.is_explored else "risk"


def boxes_of(handover: Handover) -> list[Box]:
    """``handover.surface`` needs its grid, not its cells."""
    surface, given = handover.surface, handover.parameters
    backward = Transformer.from_crs(surface.srid, 4326, always_xy=True)
    areas = {zone.pk: zone for zone in Zone.objects.filter(pk__in=set(given.get("areas", [])) - {0}).defer("boundary")}
    side = surface.cell_m
    boxes = []
    for index, (column, row) in enumerate(zip(handover.columns, handover.rows, strict=True)):
        west, south = surface.origin_x_m + column * side, surface.origin_y_m + row * side
        corners = [(west, south), (west + side, south), (west + side, south + side), (west, south + side), (west, south)]
        lon, lat = backward.transform(west + side / 2, south + side / 2)
        category = _at(given, "leading", index, "")
        boxes.append(
            Box(
                number=index + 1,
                area=areas.get(_at(given, "areas", index, 0)),
                longitude=round(lon, DECIMALS),
                latitude=round(lat, DECIMALS),
                corners=tuple((round(x, DECIMALS), round(y, DECIMALS)) for x, y in (backward.transform(*corner) for corner in corners)),
                is_explored=handover.reasons[index] == "explore",
                probability=_at(given, "probabilities", index, 1.0),
                category=category,
                tactics=tactics_for(category),
            )
        )
    return boxes


def _at(given: dict[str, Any], name: str, index: int, otherwise: Any) -> Any:
    values = given.get(name) or []
    return values[index] if index < len(values) else otherwise
