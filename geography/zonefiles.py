"""Files of polygons, read through GDAL: GeoJSON, GeoPackage, shapefile; any projection to longitude and latitude."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.gis.gdal import CoordTransform, DataSource, GDALException, SpatialReference
from django.contrib.gis.gdal.feature import Feature
from django.contrib.gis.gdal.layer import Layer
from django.utils.translation import gettext as _

from core.errors import Invalid

ENDINGS = {".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GeoPackage", ".shp": "shapefile"}
MAX_PROBLEMS = 20
_ARABIC = re.compile("[\u0600-\u06ff]")
# Arabic in UTF-8 that somebody read as Windows-1252 or Latin-1, and characters no decoder could read.
_GARBLED = re.compile(r"[ØÙ][\u0080-\u00bf\u0152-\u2122]|\ufffd|^[? ]*\?\?[? ]*$")


@dataclass(frozen=True)
class ZoneFields:
    """Which field of the file holds what. ``time_zone`` is read only where a region is made."""

    code: str
    name_en: str
    name_ar: str
    parent: str = ""
    population: str = ""
    time_zone: str = ""

    def named(self) -> dict[str, str]:
        return {role: name for role, name in vars(self).items() if name}


@dataclass
class ZoneFeature:
    """One polygon of a file with the values asked for. ``number`` counts from 1, as people count."""

    number: int
    code: str
    name_en: str
    name_ar: str
    shape: bytes  # WKB, longitude and latitude
    parent: str = ""
    population: int | None = None
    time_zone: str = ""


@dataclass
class Problems:
    """What is wrong, by feature and field; raised together so that a file is mended once."""

    found: dict[str, str] = field(default_factory=dict)
    more: int = 0

    def add(self, number: int, name: str, message: str) -> None:
        where = _("feature %(number)d, %(field)s") % {"number": number, "field": name}
        if len(self.found) >= MAX_PROBLEMS:
            self.more += 1
        else:
            self.found.setdefault(where, message)

    def raise_if_any(self) -> None:
        if not self.found:
            return
        lines = [f"{where}: {message}" for where, message in self.found.items()]
        if self.more:
            lines.append(_("and %(count)d more") % {"count": self.more})
        raise Invalid(_("Nothing was imported.") + "\n" + "\n".join(lines), fields=self.found)


def field_names(path: Path, *, encoding: str = "") -> list[str]:
    with _layer(path, encoding) as layer:
        return list(layer.fields)


def read_values(path: Path, *, encoding: str = "") -> list[dict[str, Any]]:
    """Every feature's values, without its shape."""
    with _layer(path, encoding) as layer:
        return [{name: _value(feature, name) for name in layer.fields} for feature in layer]


def read_zones(path: Path, fields: ZoneFields, *, encoding: str = "", srid: int | None = None) -> list[ZoneFeature]:
    """All features of the file's only layer. ``srid`` says the projection where the file does not.

    Raises ``Invalid`` with every feature and field that cannot be used.
    """
    with _layer(path, encoding) as layer:
        if layer.num_feat == 0:
            raise Invalid(_("The file holds no features."))
        missing = {role: name for role, name in fields.named().items() if name not in layer.fields}
        if missing:
            raise Invalid(
                _("The file has no field %(missing)s. It has: %(fields)s.")
                % {"missing": ", ".join(missing.values()), "fields": ", ".join(layer.fields) or "–"},
                fields={role: _("There is no such field.") for role in missing},
            )
        to_degrees = _to_degrees(layer, srid)
        problems = Problems()
        features = [_read(feature, number, fields, to_degrees, problems) for number, feature in enumerate(layer, 1)]
        _refuse_repeated_codes(features, fields, problems)
        problems.raise_if_any()
        return [feature for feature in features if feature is not None]


@contextlib.contextmanager
def _layer(path: Path, encoding: str) -> Iterator[Layer]:
    path = Path(path)
    if not path.is_file():
        raise Invalid(_("There is no file %(name)s.") % {"name": path})
    if path.suffix.lower() not in ENDINGS:
        raise Invalid(_("%(name)s: zones come as .geojson, .gpkg or .shp.") % {"name": path.name})
    if path.stat().st_size == 0:
        raise Invalid(_("%(name)s is empty.") % {"name": path.name})
    # A shapefile without a .cpg is read as Latin-1 by GDAL; told its encoding, we take the bytes as they are and decode them.
    raw = bool(encoding) and path.suffix.lower() == ".shp"
    before = os.environ.get("SHAPE_ENCODING")
    if raw:
        os.environ["SHAPE_ENCODING"] = ""
    try:
        source = DataSource(str(path.resolve()), encoding=encoding or "utf-8")
        if source.layer_count != 1:
            raise Invalid(_("%(name)s holds %(count)d layers; one is needed.") % {"name": path.name, "count": source.layer_count})
        yield source[0]
    except GDALException as error:
        about = {"name": path.name, "kind": ENDINGS[path.suffix.lower()]}
        raise Invalid(_("%(name)s cannot be read as %(kind)s: it is damaged or something else.") % about) from error
    except (UnicodeDecodeError, LookupError) as error:
        about = {"name": path.name, "encoding": encoding or "utf-8"}
        raise Invalid(_("%(name)s: its texts are not in this encoding (%(encoding)s).") % about) from error
    finally:
        if raw:
            if before is None:
                os.environ.pop("SHAPE_ENCODING", None)
            else:
                os.environ["SHAPE_ENCODING"] = before


def _to_degrees(layer: Layer, srid: int | None) -> CoordTransform | None:
    own = SpatialReference(srid) if srid else layer.srs
    if own is None:
        west, south, east, north = layer.extent.tuple
        if -180 <= west <= east <= 180 and -90 <= south <= north <= 90:
            return None
        raise Invalid(_("The file does not say its projection, and its coordinates are no degrees: give its EPSG number."))
    return CoordTransform(own, SpatialReference(4326))


def _read(feature: Feature, number: int, fields: ZoneFields, to_degrees: CoordTransform | None, problems: Problems) -> ZoneFeature | None:
    texts = {role: _text(feature, number, name, problems) for role, name in fields.named().items()}
    limits = {"code": 32, "name_en": 120, "name_ar": 120}
    for role, limit in limits.items():
        name = getattr(fields, role)
        if not texts[role]:
            problems.add(number, name, _("is empty."))
        elif len(texts[role]) > limit:
            problems.add(number, name, _("is longer than %(limit)d characters.") % {"limit": limit})
    population = None
    if texts.get("population"):
        try:
            population = int(float(texts["population"].replace(",", "")))
            if not 0 <= population < 2**31:
                raise ValueError
        except (ValueError, OverflowError):
            problems.add(number, fields.population, _("is no number of people: %(value)s.") % {"value": texts["population"][:40]})
    shape = _shape(feature, number, to_degrees, problems)
    if shape is None:
        return None
    return ZoneFeature(
        number,
        texts["code"],
        texts["name_en"],
        texts["name_ar"],
        shape,
        parent=texts.get("parent", ""),
        population=population,
        time_zone=texts.get("time_zone", ""),
    )


def _shape(feature: Feature, number: int, to_degrees: CoordTransform | None, problems: Problems) -> bytes | None:
    where = _("geometry")
    try:
        geometry = feature.geom
    except GDALException:
        problems.add(number, where, _("is missing."))
        return None
    kind = str(geometry.geom_type)
    if not kind.startswith(("Polygon", "MultiPolygon", "CurvePolygon", "MultiSurface")):
        problems.add(number, where, _("is a %(kind)s; zones are polygons.") % {"kind": kind})
        return None
    if geometry.empty:
        problems.add(number, where, _("is empty."))
        return None
    try:
        if to_degrees is not None:
            geometry.transform(to_degrees)
        west, south, east, north = geometry.extent
    except GDALException:
        problems.add(number, where, _("cannot be brought to longitude and latitude."))
        return None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        problems.add(number, where, _("lies outside longitude and latitude; is the file's projection right?"))
        return None
    return bytes(geometry.wkb)


def _text(feature: Feature, number: int, name: str, problems: Problems) -> str:
    try:
        value = _value(feature, name)
    except UnicodeDecodeError:
        problems.add(number, name, _("cannot be decoded; say the file's encoding."))
        return ""
    if value is None:
        return ""
    text = re.sub(r"[\x00-\x1f\x7f]+", " ", str(value)).strip()
    if _GARBLED.search(text) and not _ARABIC.search(text):
        problems.add(number, name, _("is garbled (%(value)s); say the file's encoding.") % {"value": text[:40]})
    return text


def _value(feature: Feature, name: str) -> Any:
    value = feature.get(name)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refuse_repeated_codes(features: list[ZoneFeature | None], fields: ZoneFields, problems: Problems) -> None:
    first: dict[str, int] = {}
    for feature in features:
        if feature is None or not feature.code:
            continue
        if feature.code in first:
            problems.add(
                feature.number,
                fields.code,
                _("repeats the code %(code)s of feature %(first)d.") % {"code": feature.code, "first": first[feature.code]},
            )
        first.setdefault(feature.code, feature.number)


def find_field(names: list[str], wanted: tuple[str, ...]) -> str:
    """The first of ``wanted`` that the file has, whatever its case; empty where it has none."""
    by_fold = {name.casefold(): name for name in names}
    return next((by_fold[name] for name in wanted if name in by_fold), "")
