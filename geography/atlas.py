"""Country outlines from the world atlas we serve (TopoJSON made from Natural Earth 1:10m, public domain)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.contrib.gis.geos import LineString, Polygon

Spot = tuple[float, float]


@dataclass(frozen=True)
class Landmass:
    """One piece of a country: its outline, and the stretches of it that no other country shares (the coast)."""

    outline: Polygon
    coast: list[LineString]


class Atlas:
    """Reads shapes out of a TopoJSON file: borders are stored once, as arcs that neighbours share."""

    def __init__(self, path: Path | None = None) -> None:
        topology = orjson.loads((path or self.default_path()).read_bytes())
        (self._scale_x, self._scale_y), (self._x, self._y) = topology["transform"]["scale"], topology["transform"]["translate"]
        self._arcs: list[list[list[int]]] = topology["arcs"]
        self._countries: list[dict[str, Any]] = topology["objects"]["countries"]["geometries"]

    @staticmethod
    def default_path() -> Path:
        return Path(settings.BASE_DIR) / "static/vendor/atlas/countries-10m.json"

    def country(self, number: str) -> list[Landmass]:
        """The landmasses of the country with this ISO 3166-1 number, largest first."""
        found = next(country for country in self._countries if country.get("id") == number)
        foreign = {_plain(arc) for country in self._countries if country is not found for ring in _rings(country) for arc in ring}
        pieces = [
            Landmass(
                Polygon(*[self._ring(ring) for ring in polygon], srid=4326),
                [LineString(self._arc(arc), srid=4326) for ring in polygon for arc in ring if _plain(arc) not in foreign],
            )
            for polygon in _polygons(found)
        ]
        return sorted(pieces, key=lambda piece: -piece.outline.area)

    def _ring(self, arcs: list[int]) -> list[Spot]:
        spots: list[Spot] = []
        for arc in arcs:
            spots += self._arc(arc)[1 if spots else 0 :]
        return spots

    def _arc(self, arc: int) -> list[Spot]:
        """Positions are stored as steps from the one before; a negative number is an arc walked backwards."""
        x = y = 0
        spots = []
        for step_x, step_y in self._arcs[_plain(arc)]:
            x, y = x + step_x, y + step_y
            spots.append((x * self._scale_x + self._x, y * self._scale_y + self._y))
        return spots[::-1] if arc < 0 else spots


def _plain(arc: int) -> int:
    return ~arc if arc < 0 else arc


def _polygons(country: dict[str, Any]) -> list[list[list[int]]]:
    kind = country["type"]
    return country["arcs"] if kind == "MultiPolygon" else [country["arcs"]] if kind == "Polygon" else []


def _rings(country: dict[str, Any]) -> Iterator[list[int]]:
    for polygon in _polygons(country):
        yield from polygon
