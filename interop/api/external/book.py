"""The codes behind the numbers: a page of incidents names zones, types and agencies without a join.

Kept for a few seconds in the process: codes hardly ever change, and joining eight tables cost more than reading the page.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import FloatField, Func

from accounts.models import Agency
from geography.models import Region, Zone
from incidents.models import IncidentType, Source

KEPT_S = 10.0


class RegionFacts(NamedTuple):
    code: str
    srid: int


class TypeFacts(NamedTuple):
    code: str
    category: str


class ZoneFacts(NamedTuple):
    code: str
    level: str
    label: tuple[float, float]


@dataclass(frozen=True)
class Book:
    regions: dict[int, RegionFacts] = field(default_factory=dict)
    agencies: dict[int, str] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)
    types: dict[int, TypeFacts] = field(default_factory=dict)
    zones: dict[int, ZoneFacts] = field(default_factory=dict)


_kept: list[tuple[float, Book]] = [(float("-inf"), Book())]


def book(*, anew: bool = False) -> Book:
    """The codes as they were at most ``KEPT_S`` ago; ``anew`` when a number was met that is not in it."""
    read_at, known = _kept[0]
    if anew or time.monotonic() - read_at > KEPT_S:
        known = _read()
        _kept[0] = (time.monotonic(), known)
    return known


def _read() -> Book:
    def axis(name: str) -> Func:
        return Func("label_point", function=name, output_field=FloatField())

    zones: Any = Zone.objects.annotate(lon=axis("ST_X"), lat=axis("ST_Y"))
    return Book(
        {pk: RegionFacts(code, srid) for pk, code, srid in Region.objects.values_list("pk", "code", "metric_srid")},
        dict(Agency.objects.values_list("pk", "slug")),
        dict(Source.objects.values_list("pk", "slug")),
        {pk: TypeFacts(code, category) for pk, code, category in IncidentType.objects.values_list("pk", "code", "category")},
        {
            pk: ZoneFacts(code, level, (round(lon, 6), round(lat, 6)))
            for pk, code, level, lon, lat in zones.values_list("pk", "code", "level", "lon", "lat")
        },
    )
