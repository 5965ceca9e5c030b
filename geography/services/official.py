"""A file of official zones, taken without being told which field is what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django.contrib.gis.geos import GeometryCollection, GEOSGeometry, MultiPolygon, Polygon
from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Invalid
from geography.gazetteer import GOVERNORATES
from geography.models import Zone
from geography.services.importing import NewRegion, ZoneImport, plain_name, put_features
from geography.services.zones import union_of
from geography.zonefiles import ZoneFeature, ZoneFields, field_names, find_field, read_zones

_AREA = {
    "code": ("code", "area_code", "nhood_no", "area_no", "neighborhood_no", "neighbourhood_no", "area_id"),
    "name_en": ("name_en", "area_en", "neighbourhood_en", "neighborhood_en", "english_name"),
    "name_ar": ("name_ar", "area_ar", "neighbourhood_ar", "neighborhood_ar", "arabic_name"),
}
_GOVERNORATE = {
    "code": ("iso_3166_2", "governorate_code", "gov_code", "gov_no", "governorate_no"),
    "name_en": ("governorate_en", "gov_en", "gov_name_en"),
    "name_ar": ("governorate_ar", "gov_ar", "gov_name_ar"),
}
_POPULATION = ("population", "pop")


@transaction.atomic
def import_official(*, path: Path, by: object | None = None) -> list[ZoneImport]:
    """Take a national file into the default region, its fields guessed from their usual names.

    A file of areas that also names their governorates makes both levels, governorates as the union of their areas; one that
    only names governorates makes those. Where the names are not guessed, ``import_zones`` takes them.
    """
    names = field_names(path)
    area = {role: find_field(names, wanted) for role, wanted in _AREA.items()}
    governorate = {role: find_field(names, wanted) for role, wanted in _GOVERNORATE.items()}
    population = find_field(names, _POPULATION)
    file = Path(path).name
    if all(area.values()):
        fields = ZoneFields(**area, population=population)
        done = []
        features = read_zones(path, fields)
        if all(governorate.values()):
            groups = read_zones(path, ZoneFields(area["code"], governorate["name_en"], governorate["name_ar"], governorate["code"]))
            done.append(_put(_dissolve(groups), Zone.Level.GOVERNORATE, replace(fields, population=""), file, by))
            parents = {group.number: _iso_code(group) for group in groups}
            features = [replace(feature, parent=parents[feature.number]) for feature in features]
            fields = replace(fields, parent=governorate["code"])
        done.append(_put(features, Zone.Level.AREA, fields, file, by))
        return done
    if all(governorate.values()):
        fields = ZoneFields(**governorate, population=population)
        named = [_with_our_name(replace(feature, parent=feature.code)) for feature in read_zones(path, fields)]
        return [_put([replace(feature, parent="") for feature in named], Zone.Level.GOVERNORATE, fields, file, by)]
    raise Invalid(
        _("Which fields of %(file)s hold code and names cannot be told from: %(fields)s. Use import_zones.")
        % {"file": file, "fields": ", ".join(names) or "–"}
    )


def _put(features: list[ZoneFeature], level: str, fields: ZoneFields, file: str, by: object | None) -> ZoneImport:
    return put_features(features=features, level=level, fields=fields, region="", new_region=NewRegion(), file=file, by=by)


def _dissolve(areas: list[ZoneFeature]) -> list[ZoneFeature]:
    """One feature for each governorate that the areas name: their union. The area's ``parent`` holds the governorate's code."""
    shapes: dict[str, list[MultiPolygon]] = {}
    first: dict[str, ZoneFeature] = {}
    for area in areas:
        shape = GEOSGeometry(memoryview(area.shape), srid=4326).make_valid()
        shapes.setdefault(area.parent, []).append(_as_multi(shape))
        first.setdefault(area.parent, area)
    return [
        _with_our_name(replace(first[code], number=number, shape=bytes(union_of(shapes[code]).wkb)))
        for number, code in enumerate(sorted(shapes), 1)
    ]


def _iso_code(named: ZoneFeature) -> str:
    """The governorate's ISO 3166-2 code, known by its name in either language; else the file's own code."""
    words = {plain_name(named.name_en), plain_name(named.name_ar)}
    found = [g.code for g in GOVERNORATES if g.code == named.parent or words & {plain_name(g.name_en), plain_name(g.name_ar)}]
    return found[0] if len(found) == 1 else named.parent


def _with_our_name(named: ZoneFeature) -> ZoneFeature:
    code = _iso_code(named)
    ours = next((governorate for governorate in GOVERNORATES if governorate.code == code), None)
    if ours is None:
        return replace(named, code=code, parent="")
    return replace(named, code=code, name_en=ours.name_en, name_ar=ours.name_ar, parent="")


def _as_multi(shape: GEOSGeometry) -> MultiPolygon:
    """The polygons of a repaired shape, without the lines and points a repair may leave."""
    if isinstance(shape, Polygon):
        return MultiPolygon(shape, srid=4326)
    parts = list(shape) if isinstance(shape, GeometryCollection) else []
    return MultiPolygon([polygon for part in parts for polygon in _as_multi(part)], srid=4326)
