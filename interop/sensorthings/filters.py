"""A tree of ``$filter`` as a condition of the ORM: what a field is decides what it may be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.gis.gdal import GDALException
from django.contrib.gis.geos import GEOSException, GEOSGeometry
from django.db.models import F, Q
from django.utils import timezone

from interop.sensorthings.grammar import BadQuery, Both, Call, Compare, Literal, Name, Not, parse_filter

Fields = Mapping[str, tuple[str, str]]
MOST_CORNERS = 2_000
_LOOKUPS = {"eq": "exact", "ne": "exact", "gt": "gt", "ge": "gte", "lt": "lt", "le": "lte"}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
_TEXTUAL = {"startswith": "startswith", "endswith": "endswith", "contains": "contains"}
_FITS = {"text": {"text"}, "number": {"number"}, "key": {"number", "text"}, "time": {"time"}, "bool": {"bool"}, "geo": {"geo"}}


def condition(text: str, fields: Fields) -> Q:
    return _of(parse_filter(text), fields)


def path_of(name: Name, fields: Fields) -> tuple[str, str]:
    found = fields.get(name.path)
    if found is None:
        raise BadQuery(f"there is no field {name.path[:48]}; there are {', '.join(sorted(fields)[:24])}", at=name.at)
    return found


def _of(node: Any, fields: Fields) -> Q:
    if isinstance(node, Both):
        left, right = _of(node.left, fields), _of(node.right, fields)
        return left & right if node.is_and else left | right
    if isinstance(node, Not):
        return ~_of(node.of, fields)
    if isinstance(node, Compare):
        return _compared(node, fields)
    assert isinstance(node, Call)
    return _within(node, fields) if node.name == "st_within" else _textual(node, fields)


def _compared(node: Compare, fields: Fields) -> Q:
    left, right, operator = node.left, node.right, node.operator
    if not isinstance(left, Name):
        left, right, operator = right, left, _TURNED[operator]
    if not isinstance(left, Name):
        raise BadQuery("one side has to be a field", at=node.at)
    path, kind = path_of(left, fields)
    if kind == "geo":
        raise BadQuery("a place is asked for with st_within", at=node.at)
    if isinstance(right, Name):
        other, its_kind = path_of(right, fields)
        if its_kind != kind:
            raise BadQuery("these two cannot be compared", at=node.at)
        found = Q(**{f"{path}__{_LOOKUPS[operator]}": F(other)})
    elif isinstance(right, Literal) and right.kind == "null":
        if operator not in ("eq", "ne"):
            raise BadQuery("null is equal or not equal, nothing else", at=node.at)
        found = Q(**{f"{path}__isnull": True})
    else:
        found = Q(**{f"{path}__{_LOOKUPS[operator]}": _value(right, kind)})
    return ~found if operator == "ne" else found


def _value(given: Any, kind: str) -> Any:
    if isinstance(given, Call):  # now()
        if kind != "time":
            raise BadQuery("now() is a time", at=given.at)
        return timezone.now()
    assert isinstance(given, Literal)
    if given.kind not in _FITS[kind]:
        raise BadQuery(f"expected a {'number' if kind == 'key' else kind}", at=given.at)
    if kind == "key":
        text = str(given.value).removesuffix(".0")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise BadQuery("expected a whole number", at=given.at)
        return int(text)
    if kind == "text" and "\0" in given.value:
        raise BadQuery("this cannot be read", at=given.at)
    return given.value


def _textual(node: Call, fields: Fields) -> Q:
    if node.name == "substringof":  # the older order of the two
        part, name = node.arguments
        lookup = "contains"
    else:
        name, part = node.arguments
        lookup = _TEXTUAL[node.name]
    if not isinstance(name, Name) or not isinstance(part, Literal):
        raise BadQuery(f"{node.name} takes a field and a text", at=node.at)
    path, kind = path_of(name, fields)
    if kind != "text" or part.kind != "text" or "\0" in part.value:
        raise BadQuery(f"{node.name} takes a field and a text", at=node.at)
    return Q(**{f"{path}__{lookup}": part.value})


def _within(node: Call, fields: Fields) -> Q:
    name, shape = node.arguments
    if not isinstance(name, Name) or not isinstance(shape, Literal) or shape.kind != "geo":
        raise BadQuery("st_within takes a place and geography'POLYGON((…))'", at=node.at)
    path, kind = path_of(name, fields)
    if kind != "geo":
        raise BadQuery("st_within takes a place and geography'POLYGON((…))'", at=node.at)
    try:
        polygon = GEOSGeometry(shape.value, srid=4326)
    except (ValueError, GEOSException, GDALException) as error:
        raise BadQuery("this is no well-known text", at=shape.at) from error
    if polygon.geom_type not in ("Polygon", "MultiPolygon") or not polygon.valid or polygon.num_coords > MOST_CORNERS:
        raise BadQuery(f"a polygon that is valid and has at most {MOST_CORNERS} corners", at=shape.at)
    return Q(**{f"{path}__coveredby": polygon})
