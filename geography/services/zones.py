"""Writing zones: one place that decides what is new, what changed and what stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.gis.geos import GeometryCollection, GEOSGeometry, MultiPolygon, Point
from django.db import connection

from core import audit
from core.events import publish
from geography import events
from geography.models import Region, Zone
from geography.services.pieces import rebuild_pieces

# The largest circle inside a zone is where its name reads best, and its centre always lies inside.
_LABEL = "SELECT ST_AsEWKB((ST_MaximumInscribedCircle(%s::geometry)).center)"
_COVERED_AREA = """
SELECT z.id, ST_Area(ST_Intersection(z.boundary, f.shape)) / nullif(ST_Area(z.boundary), 0)
FROM geography_zone z, (SELECT ST_SetSRID(%s::geometry, 4326) AS shape) f
WHERE z.id = ANY(%s) AND z.boundary && f.shape
"""


@dataclass(frozen=True)
class ZoneFacts:
    """What a zone should be."""

    code: str
    name_en: str
    name_ar: str
    boundary: MultiPolygon
    parent_id: int | None = None
    population: int | None = None
    is_approximate: bool = False


@dataclass
class Changes:
    """What became of zones, by id."""

    added: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    retired: list[int] = field(default_factory=list)

    @property
    def touched(self) -> list[int]:
        return [*self.added, *self.changed, *self.retired]

    def counts(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in ("added", "changed", "unchanged", "retired")}


def put_zone(*, region: Region, level: str, facts: ZoneFacts, known: Zone | None, changes: Changes) -> Zone:
    """Make ``known`` (or a new zone) what ``facts`` say, touch it only where it differs, and note in ``changes`` what was done."""
    wanted = {
        "code": facts.code,
        "name_en": facts.name_en,
        "name_ar": facts.name_ar,
        "parent_id": facts.parent_id,
        "population": facts.population,
        "is_approximate": facts.is_approximate,
        "is_active": True,
    }
    if known is None:
        zone = Zone.objects.create(region=region, level=level, boundary=facts.boundary, label_point=label_point(facts.boundary), **wanted)
        changes.added.append(zone.pk)
        return zone
    differing = [name for name, value in wanted.items() if getattr(known, name) != value]
    if not same_shape(known.boundary, facts.boundary):
        known.boundary, known.label_point = facts.boundary, label_point(facts.boundary)
        differing += ["boundary", "label_point"]
    if not differing:
        changes.unchanged.append(known.pk)
        return known
    for name in differing:
        if name in wanted:
            setattr(known, name, wanted[name])
    known.save(update_fields=[*differing, "updated_at"])
    changes.changed.append(known.pk)
    return known


def retire(*, zones: Iterable[Zone], changes: Changes) -> None:
    """Put zones out of use. Their rows stay: incidents and people's jurisdictions still name them."""
    for zone in zones:
        zone.is_active = False
        zone.save(update_fields=["is_active", "updated_at"])
        changes.retired.append(zone.pk)


def announce(*, region: Region, levels: Iterable[str], changes: Changes, verb: str, by: object | None, reason: str) -> None:
    """Cut the touched zones' pieces anew, leave an audit record and an event. Nothing touched: nothing said."""
    touched = list(dict.fromkeys(changes.touched))
    if not touched:
        return
    rebuild_pieces(zone_ids=touched)
    data = {"region": region.code, "levels": sorted(set(levels)), **changes.counts()}
    audit.record(verb, obj=region, by=by, after=data, reason=reason)
    publish(events.ZONES_CHANGED, subject=region, data=data)


def label_point(boundary: MultiPolygon) -> Point:
    with connection.cursor() as cursor:
        cursor.execute(_LABEL, [boundary.ewkt])
        point = GEOSGeometry(memoryview(cursor.fetchone()[0]))
    assert isinstance(point, Point)
    return point


def covered_shares(*, zones: Iterable[Zone], by: MultiPolygon) -> dict[int, float]:
    """What share of each zone's area ``by`` covers; zones apart from it are absent."""
    with connection.cursor() as cursor:
        cursor.execute(_COVERED_AREA, [by.ewkt, [zone.pk for zone in zones]])
        return dict(cursor.fetchall())


def union_of(shapes: Iterable[MultiPolygon]) -> MultiPolygon:
    union = GeometryCollection([polygon for shape in shapes for polygon in shape], srid=4326).unary_union
    return union if isinstance(union, MultiPolygon) else MultiPolygon(union, srid=4326)


def same_shape(one: MultiPolygon, other: MultiPolygon) -> bool:
    return bytes(one.wkb) == bytes(other.wkb)
