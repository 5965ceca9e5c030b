"""Official polygons into zones: repaired, measured, put in the place of approximate ones. All of a file or nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.text import slugify
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.text import fold
from geography.models import Region, Zone, validate_time_zone
from geography.services.topology import Topology, measure_topology
from geography.services.zones import Changes, ZoneFacts, announce, covered_shares, put_zone, retire, union_of
from geography.zonefiles import Problems, ZoneFeature, ZoneFields, field_names, find_field, read_zones

Level = Zone.Level
# Where a zone's parent is looked for, nearest level first.
PARENTS: Mapping[str, tuple[str, ...]] = {
    Level.COUNTRY: (),
    Level.GOVERNORATE: (Level.COUNTRY,),
    Level.AREA: (Level.GOVERNORATE, Level.COUNTRY),
    Level.BLOCK: (Level.AREA, Level.GOVERNORATE, Level.COUNTRY),
    Level.SECTOR: (Level.GOVERNORATE, Level.COUNTRY),
}
TIME_ZONE_FIELDS = ("tz", "time_zone", "timezone")
MOSTLY = 0.5  # a zone not in the file is retired where the file covers more of it than this
ALMOST_ALL = 0.9  # an approximate zone is redrawn as the union of its parts where they cover this much of it
# Words that are part of a name in one list and not in another.
_PREFIXES = ("محافظه ", "ضاحيه ", "منطقه ", "مدينه ", "al ", "al-")
_SUFFIXES = (" governorate", " area")

_STAGE = "CREATE TEMP TABLE zi_zone (number int PRIMARY KEY, code text, shape geometry, reason text) ON COMMIT DROP"
_ADD = "INSERT INTO zi_zone SELECT %s, %s, ST_Force2D(ST_CurveToLine(ST_GeomFromWKB(%s, 4326))), NULL"
_REPAIR = """
UPDATE zi_zone SET reason = (ST_IsValidDetail(shape)).reason,
                   shape = ST_CollectionExtract(ST_MakeValid(shape, 'method=structure'), 3)
WHERE NOT ST_IsValid(shape);
UPDATE zi_zone SET shape = ST_Multi(shape)
"""
_STAGED = "SELECT number, code, reason, ST_AsEWKB(shape), ST_Area(shape) > 0 FROM zi_zone ORDER BY number"
_PARENT = """
SELECT p.id FROM geography_zone p, (SELECT %s::geometry AS shape) f
WHERE p.region_id = %s AND p.level = %s AND p.is_active AND p.boundary && f.shape AND ST_Intersects(p.boundary, f.shape)
ORDER BY ST_Area(ST_Intersection(p.boundary, f.shape)) DESC, p.id LIMIT 1
"""


@dataclass
class ZoneImport:
    """What an import did (or, dry, would do). Numbers, and the names behind them where a person has to look."""

    file: str
    level: str
    region: str = ""
    is_dry_run: bool = False
    is_new_region: bool = False
    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    retired: int = 0
    retired_zones: list[str] = field(default_factory=list)
    redrawn_zones: list[str] = field(default_factory=list)
    repaired: list[dict[str, Any]] = field(default_factory=list)
    without_parent: int = 0
    topology: Topology = field(default_factory=Topology)
    seconds: float = 0

    @property
    def changed_anything(self) -> bool:
        return bool(self.added or self.changed or self.retired)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class NewRegion:
    """What is needed to make a region that is not known yet; the file may say the names and the clock."""

    time_zone: str = ""
    metric_srid: int | None = None


@transaction.atomic
def import_zones(
    *,
    path: Path,
    level: str,
    fields: ZoneFields,
    region: str = "",
    new_region: NewRegion | None = None,
    encoding: str = "",
    srid: int | None = None,
    dry_run: bool = False,
    by: object | None = None,
) -> ZoneImport:
    """Put a file's polygons in the place of a region's zones of ``level``. A second run of the same file changes nothing.

    Zones are matched by code; an approximate one also by its name, or because it and the official one hold each other's label
    point: it keeps its row, and with it the incidents and people that name it. Zones of this level that the file mostly covers
    and does not name are put out of use. Approximate zones above are redrawn as the union of their parts.
    """
    if level not in Level.values:
        raise Invalid(
            _("Unknown level; there are %(levels)s.") % {"levels": ", ".join(Level.values)}, fields={"level": _("Unknown level.")}
        )
    started = time.monotonic()
    if level == Level.COUNTRY and not fields.time_zone:
        fields = replace(fields, time_zone=find_field(field_names(Path(path)), TIME_ZONE_FIELDS))
    features = read_zones(Path(path), fields, encoding=encoding, srid=srid)
    done = put_features(
        features=features, level=level, fields=fields, region=region, new_region=new_region or NewRegion(), file=Path(path).name, by=by
    )
    done.is_dry_run, done.seconds = dry_run, round(time.monotonic() - started, 2)
    if dry_run:
        transaction.set_rollback(True)
    return done


@transaction.atomic
def put_features(
    *, features: Sequence[ZoneFeature], level: str, fields: ZoneFields, region: str, new_region: NewRegion, file: str, by: object | None
) -> ZoneImport:
    """``import_zones`` for features read already."""
    started = time.monotonic()
    done = ZoneImport(file, level, read=len(features))
    problems = Problems()
    boundaries = _stage(features, done, problems)
    problems.raise_if_any()
    where, done.is_new_region = _region(features, boundaries, level, region, new_region)
    done.region = where.code
    done.topology = measure_topology(metric_srid=where.metric_srid)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE zi_zone")

    parents = _parents(features, boundaries, where, level, fields, problems)
    problems.raise_if_any()
    changes = Changes()
    known = list(Zone.objects.select_for_update().filter(region=where, level=level))
    matched = _match(features, boundaries, known)
    _free_codes(matched, features)
    for feature in features:
        facts = ZoneFacts(
            feature.code,
            feature.name_en,
            feature.name_ar,
            boundaries[feature.number],
            parents.get(feature.number),
            feature.population,
        )
        put_zone(region=where, level=level, facts=facts, known=matched.get(feature.number), changes=changes)
    done.without_parent = sum(1 for feature in features if parents.get(feature.number) is None) if PARENTS[level] else 0
    done.added, done.changed, done.unchanged = len(changes.added), len(changes.changed), len(changes.unchanged)
    if changes.touched:
        _settle(where, level, known, matched, boundaries, changes, done)
    announce(region=where, levels=[level], changes=changes, verb="zones.import", by=by, reason=file)
    done.seconds = round(time.monotonic() - started, 2)
    return done


def _settle(
    where: Region,
    level: str,
    known: Sequence[Zone],
    matched: Mapping[int, Zone],
    boundaries: Mapping[int, MultiPolygon],
    changes: Changes,
    done: ZoneImport,
) -> None:
    """After the file's own zones: what they replace goes out of use, children find a parent, approximate zones above follow."""
    kept = {zone.pk for zone in matched.values()}
    others = [zone for zone in known if zone.is_active and zone.pk not in kept]
    if others:
        shares = covered_shares(zones=others, by=union_of(boundaries.values()))
        gone = [zone for zone in others if shares.get(zone.pk, 0) > MOSTLY]
        retire(zones=gone, changes=changes)
        done.retired, done.retired_zones = len(gone), [zone.code for zone in gone]
    for orphan in Zone.objects.filter(region=where, is_active=True, parent__is_active=False).exclude(level=level):
        parent_id = _parent_of(orphan.boundary, where, orphan.level)
        Zone.objects.filter(pk=orphan.pk).update(parent_id=parent_id, updated_at=Now())
        changes.changed.append(orphan.pk)
    _redraw(where, level, changes, done)


def _redraw(where: Region, level: str, changes: Changes, done: ZoneImport) -> None:
    """Approximate zones above ``level`` become the union of their parts; a region with no country gets one."""
    for upper in PARENTS[level]:
        for zone in Zone.objects.filter(region=where, level=upper, is_approximate=True).in_use().order_by("pk"):
            lower = level if upper == PARENTS[level][0] else PARENTS[level][PARENTS[level].index(upper) - 1]
            parts = list(zone.children.filter(level=lower, is_active=True).order_by("pk"))
            if not parts:
                continue
            whole = union_of(part.boundary for part in parts)
            if covered_shares(zones=[zone], by=whole).get(zone.pk, 0) < ALMOST_ALL:
                whole = union_of([zone.boundary, whole])
            facts = ZoneFacts(zone.code, zone.name_en, zone.name_ar, whole, zone.parent_id, zone.population, is_approximate=True)
            put_zone(region=where, level=upper, facts=facts, known=zone, changes=changes)
            done.redrawn_zones.append(zone.code)
    if level != Level.COUNTRY and not Zone.objects.filter(region=where, level=Level.COUNTRY).in_use().exists():
        parts = list(Zone.objects.filter(region=where, level=level, is_active=True).order_by("pk"))
        facts = ZoneFacts(where.code.upper(), where.name_en, where.name_ar, union_of(part.boundary for part in parts), is_approximate=True)
        country = put_zone(region=where, level=Level.COUNTRY, facts=facts, known=None, changes=changes)
        Zone.objects.filter(pk__in=[part.pk for part in parts], parent=None).update(parent=country, updated_at=Now())
        done.without_parent = 0
        done.redrawn_zones.append(country.code)


def _stage(features: Sequence[ZoneFeature], done: ZoneImport, problems: Problems) -> dict[int, MultiPolygon]:
    """Repair each shape in PostGIS; the staged table stays for measuring."""
    boundaries: dict[int, MultiPolygon] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.executemany(_ADD, [(feature.number, feature.code, feature.shape) for feature in features])
        for statement in _REPAIR.split(";\n"):
            cursor.execute(statement)
        cursor.execute(_STAGED)
        for number, code, reason, shape, has_area in cursor.fetchall():
            if not has_area:
                problems.add(number, _("geometry"), _("encloses no area."))
                continue
            if reason:
                done.repaired.append({"feature": number, "code": code, "reason": reason})
            boundary = GEOSGeometry(memoryview(shape))
            assert isinstance(boundary, MultiPolygon)
            boundaries[number] = boundary
    return boundaries


def _region(
    features: Sequence[ZoneFeature], boundaries: Mapping[int, MultiPolygon], level: str, code: str, new: NewRegion
) -> tuple[Region, bool]:
    """The region to write to, locked; made where the file or the caller says what it needs."""
    if not code and level != Level.COUNTRY:
        default = Region.objects.select_for_update().filter(is_default=True).first()
        if default is None:
            raise Invalid(_("There is no default region; name one."), fields={"region": _("Needed here.")})
        return default, False
    code = (code or slugify(features[0].code)).lower()
    region = Region.objects.select_for_update().filter(code=code).first()
    if region is not None:
        return region, False
    if level == Level.COUNTRY and len(features) > 1:
        raise Invalid(_("A file that makes a region holds one country; this one holds %(count)d.") % {"count": len(features)})
    time_zone = new.time_zone or (features[0].time_zone if level == Level.COUNTRY else "")
    if not time_zone:
        raise Invalid(
            _("There is no region %(code)s. To make it, say its time zone.") % {"code": code}, fields={"time_zone": _("Needed here.")}
        )
    try:
        validate_time_zone(time_zone)
    except ValidationError as error:
        raise Invalid(error.messages[0], fields={"time_zone": error.messages[0]}) from error
    named = features[0] if level == Level.COUNTRY else None
    west, south, east, north = MultiPolygon([polygon for shape in boundaries.values() for polygon in shape]).extent
    srid = new.metric_srid or utm_srid((west + east) / 2, (south + north) / 2)
    _require_metres(srid)
    region = Region(
        code=code,
        name_en=named.name_en if named else code.replace("-", " ").title(),
        name_ar=named.name_ar if named else code.replace("-", " ").title(),
        time_zone=time_zone,
        metric_srid=srid,
    )
    try:
        region.full_clean()
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), fields={name: " ".join(found) for name, found in error.message_dict.items()}) from error
    region.save()
    return region, True


def utm_srid(longitude: float, latitude: float) -> int:
    """The EPSG number of the UTM zone of a place: good metres for anything the size of a city or a small country."""
    return (32600 if latitude >= 0 else 32700) + min(60, int((longitude + 180) // 6) + 1)


def _require_metres(srid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT proj4text FROM spatial_ref_sys WHERE srid = %s", [srid])
        row = cursor.fetchone()
    if row is None or "+units=m" not in row[0]:
        message = _("EPSG:%(srid)d is no projection in metres.") % {"srid": srid}
        raise Invalid(message, fields={"metric_srid": message})


def _parents(
    features: Sequence[ZoneFeature],
    boundaries: Mapping[int, MultiPolygon],
    where: Region,
    level: str,
    fields: ZoneFields,
    problems: Problems,
) -> dict[int, int | None]:
    uppers = PARENTS[level]
    if not fields.parent or not uppers:
        return {feature.number: _parent_of(boundaries[feature.number], where, level) for feature in features}
    rows = Zone.objects.filter(region=where, level__in=uppers, is_active=True).values_list("level", "code", "pk")
    by_code = {code: pk for upper in reversed(uppers) for found, code, pk in rows if found == upper}
    found: dict[int, int | None] = {}
    for feature in features:
        found[feature.number] = by_code.get(feature.parent)
        if feature.parent and found[feature.number] is None:
            problems.add(feature.number, fields.parent, _("there is no zone %(code)s above this level.") % {"code": feature.parent})
        elif not feature.parent:
            found[feature.number] = _parent_of(boundaries[feature.number], where, level)
    return found


def _parent_of(boundary: MultiPolygon, where: Region, level: str) -> int | None:
    """The zone of the nearest level above that shares the most ground."""
    with connection.cursor() as cursor:
        for upper in PARENTS[level]:
            cursor.execute(_PARENT, [boundary.ewkt, where.pk, upper])
            row = cursor.fetchone()
            if row is not None:
                parent_id: int = row[0]
                return parent_id
    return None


def _match(features: Sequence[ZoneFeature], boundaries: Mapping[int, MultiPolygon], known: Iterable[Zone]) -> dict[int, Zone]:
    """Which zone each feature is: by code; else an approximate one in use of the same name, or each holding the other's label."""
    by_code = {zone.code: zone for zone in known}
    matched = {feature.number: by_code[feature.code] for feature in features if feature.code in by_code}
    taken = {zone.pk for zone in matched.values()}
    free = [zone for zone in known if zone.is_approximate and zone.is_active and zone.pk not in taken]
    for language in ("name_ar", "name_en"):
        ours = _unique({zone.pk: plain_name(getattr(zone, language)) for zone in free if zone.pk not in taken})
        theirs = _unique({f.number: plain_name(getattr(f, language)) for f in features if f.number not in matched})
        by_pk = {zone.pk: zone for zone in free}
        for name, number in theirs.items():
            if name in ours:
                matched[number] = by_pk[ours[name]]
                taken.add(ours[name])
    rest = [feature for feature in features if feature.number not in matched]
    for zone in (zone for zone in free if zone.pk not in taken):
        for feature in rest:
            boundary = boundaries[feature.number]
            if feature.number in matched or not boundary.intersects(zone.label_point):
                continue
            if zone.boundary.intersects(boundary.point_on_surface):
                matched[feature.number] = zone
                taken.add(zone.pk)
                break
    return matched


def _unique(names: Mapping[int, str]) -> dict[str, int]:
    count = Counter(names.values())
    return {name: number for number, name in names.items() if count[name] == 1}


def plain_name(name: str) -> str:
    """A place's name without the words that lists add or leave out."""
    name = fold(name)
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _free_codes(matched: Mapping[int, Zone], features: Sequence[ZoneFeature]) -> None:
    """Codes may change hands among matched zones; while they do, none may stand in another's way."""
    wanted = {feature.number: feature.code for feature in features}
    held = {zone.code for zone in matched.values()}
    for number, zone in matched.items():
        if zone.code != wanted[number] and wanted[number] in held:
            zone.code = f"~{zone.pk}"
            zone.save(update_fields=["code"])
