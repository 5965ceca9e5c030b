"""The system query options of one collection, read and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Q

from interop.sensorthings.entities import EntitySet
from interop.sensorthings.filters import condition, path_of
from interop.sensorthings.grammar import BadQuery, Expand, Name, parse_expand

KNOWN = ("$filter", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$skiptoken")
TOP = 100
MOST_TOP = 1_000
EXPANDED_TOP = 25
MOST_SKIP = 10_000
MOST_ORDERS = 4


@dataclass(frozen=True)
class Options:
    top: int
    skip: int = 0
    is_counted: bool = False
    where: Q = field(default_factory=Q)
    order: tuple[str, ...] = ()
    select: frozenset[str] | None = None
    expand: tuple[Expand, ...] = ()
    token: str = ""


def options_of(given: Mapping[str, str], of: EntitySet, *, depth: int = 0) -> Options:
    for name in given:
        if name.startswith("$") and name not in KNOWN:
            raise BadQuery(f"there is no such option; there are {', '.join(KNOWN[:-1])}", option=name[:24])
    select = frozenset(part.strip() for part in given["$select"].split(",") if part.strip()) if given.get("$select") else None
    return Options(
        top=_number(given, "$top", TOP if depth == 0 else EXPANDED_TOP, MOST_TOP, is_cut=True),
        skip=_number(given, "$skip", 0, MOST_SKIP),
        is_counted=_truth(given),
        where=condition(given["$filter"], of.fields) if given.get("$filter") else Q(),
        order=_order(given.get("$orderby", ""), of),
        select=select,
        expand=tuple(parse_expand(given["$expand"], depth=depth)) if given.get("$expand") else (),
        token=given.get("$skiptoken", "")[:64],
    )


def _number(given: Mapping[str, str], name: str, otherwise: int, most: int, *, is_cut: bool = False) -> int:
    text = given.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadQuery("a whole number", option=name)
    if int(text) > most and not is_cut:
        raise BadQuery(f"at most {most}; follow @iot.nextLink, or narrow it with $filter", option=name)
    return min(int(text), most)


def _truth(given: Mapping[str, str]) -> bool:
    text = given.get("$count", "false")
    if text not in ("true", "false"):
        raise BadQuery("true or false", option="$count")
    return text == "true"


def _order(text: str, of: EntitySet) -> tuple[str, ...]:
    found = []
    for part in [one.strip() for one in text.split(",") if one.strip()]:
        name, *way = part.split()
        if len(way) > 1 or (way and way[0].lower() not in ("asc", "desc")):
            raise BadQuery("a field, and asc or desc", option="$orderby")
        try:
            path, kind = path_of(Name(name, 0), of.fields)
        except BadQuery as refusal:
            raise BadQuery(refusal.message.removeprefix("$filter: "), option="$orderby") from refusal
        if kind == "geo":
            raise BadQuery("places have no order", option="$orderby")
        found.append(f"-{path}" if way and way[0].lower() == "desc" else path)
    if len(found) > MOST_ORDERS:
        raise BadQuery(f"at most {MOST_ORDERS} fields", option="$orderby")
    return tuple(found)
