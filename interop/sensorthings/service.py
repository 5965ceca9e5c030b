"""An address of the service, followed to what it names, and told: entities, collections, pages, expansions. Bounded at each step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.db.models import Q, QuerySet

from core.errors import NotFound
from interop.sensorthings.entities import SETS, EntitySet, Relation
from interop.sensorthings.grammar import BadQuery, Expand
from interop.sensorthings.options import MOST_SKIP, Options, options_of
from iot.models import Reading
from iot.stream import EPOCH, microseconds

MOST_SEGMENTS = 6
MOST_QUESTIONS = 400  # asked of the database for what is expanded
_SEGMENT = re.compile(r"(?P<name>[A-Za-z]{1,32})(?:\((?P<id>'[^']{1,64}'|[0-9]{1,18})\))?")


@dataclass
class Service:
    """One request's. ``base`` is the address of the service's root."""

    viewer: Any
    base: str
    questions: int = 0

    def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """What the address names. Raises ``NotFound`` and ``BadQuery``."""
        of, rows, row, rest, stream_id = self._follow(path)
        if rest:
            return self._property(of, row, rest)
        if row is not None:
            options = options_of({name: value for name, value in given.items() if name in ("$select", "$expand")}, of)
            return self.tell(of, row, options)
        return self.collection(of, rows, options_of(given, of), link=f"{self.base}/{path}", given=given, stream_id=stream_id)

    # --- where an address leads ----------------------------------------------------------------------------------------------------------

    def _follow(self, path: str) -> tuple[EntitySet, QuerySet[Any], Any, str, int | None]:
        segments = path.split("/")
        if len(segments) > MOST_SEGMENTS:
            raise NotFound("There is no such address.")
        of: EntitySet | None = None
        rows: Any = None
        row: Any = None
        stream_id: int | None = None
        for place, segment in enumerate(segments):
            match = _SEGMENT.fullmatch(segment)
            if match is None:
                raise NotFound("There is no such address.")
            name, id = match["name"], match["id"]
            if of is None:
                of = SETS.get(name)
                if of is None:
                    raise NotFound(f"There is no {name}; there are {', '.join(SETS)}.")
                rows = of.rows(self.viewer)
            elif row is None:
                raise NotFound("Name one of them first, as in Things(1)/Datastreams.")
            elif (relation := of.relations.get(name)) is not None:
                stream_id = row.pk if of.name == "Datastreams" and relation.target == "Observations" else None
                of, rows, row = self._related(row, relation)
            elif place == len(segments) - 1 and id is None:
                return of, rows, row, name, None
            else:
                raise NotFound(f"{of.name} have no {name}.")
            if id is not None and row is None:
                row = of.by_id(rows, id.strip("'")).first()
                if row is None:
                    raise NotFound(f"There is no {segment}.")
        assert of is not None
        return of, rows, row, "", stream_id

    def _related(self, row: Any, relation: Relation) -> tuple[EntitySet, QuerySet[Any], Any]:
        target = SETS[relation.target]
        rows = target.rows(self.viewer)
        if relation.one is None:
            return target, rows.filter(**{relation.by: row.pk}), None
        found = relation.one(row)
        # Read anew by its own set: with all it tells of, and only if it is the viewer's.
        found = rows.filter(pk=found.pk).first() if found is not None else None
        if found is None:
            raise NotFound("There is none.")
        return target, rows, found

    def _property(self, of: EntitySet, row: Any, name: str) -> dict[str, Any]:
        told = of.told(row)
        if name not in told:
            raise NotFound(f"{of.name} have no {name}.")
        return {name: told[name]}

    # --- collections ---------------------------------------------------------------------------------------------------------------------

    def collection(
        self, of: EntitySet, rows: QuerySet[Any], options: Options, *, link: str, given: Mapping[str, str], stream_id: int | None
    ) -> dict[str, Any]:
        if options.where:
            rows = rows.filter(options.where)
        order, is_keyed = _order(of, options, stream_id)
        told: dict[str, Any] = {}
        if options.is_counted:
            told["@iot.count"] = rows.count()
        if options.token and is_keyed:
            rows = rows.filter(_behind(of, order, options.token))
        rows = rows.order_by(*order)
        if of.name == "Observations" and options.expand:
            rows = rows.select_related("datastream__metric", "datastream__device__profile", "datastream__device__agency")
        first = options.skip
        found = list(rows[first : first + options.top + 1])
        if len(found) > options.top:
            told["@iot.nextLink"] = _next(link, given, of, found[options.top - 1] if found[: options.top] else None, options, is_keyed)
        return told | {"value": [self.tell(of, row, options) for row in found[: options.top]]}

    # --- one entity ----------------------------------------------------------------------------------------------------------------------

    def tell(self, of: EntitySet, row: Any, options: Options, *, depth: int = 0) -> dict[str, Any]:
        id = of.id_of(row)
        link = f"{self.base}/{of.name}({quote(repr(id)) if isinstance(id, str) else id})"
        told: dict[str, Any] = {"@iot.id": id, "@iot.selfLink": link} | of.told(row)
        expanded = {expand.relation: expand for expand in options.expand}
        for name in expanded.keys() - of.relations.keys():
            raise BadQuery(f"{of.name} have no {name}; they have {', '.join(of.relations)}", option="$expand")
        if options.select is not None:
            told = _selected(of, told, options.select)
        for name, relation in of.relations.items():
            if name in expanded:
                told |= self._expanded(row, name, relation, expanded[name], link, depth)
            elif options.select is None:
                told[f"{name}@iot.navigationLink"] = f"{link}/{name}"
        return told

    def _expanded(self, row: Any, name: str, relation: Relation, expand: Expand, link: str, depth: int) -> dict[str, Any]:
        target = SETS[relation.target]
        options = options_of(expand.options, target, depth=depth + 1)
        if relation.one is not None:
            found = relation.one(row)
            return {name: self.tell(target, found, options, depth=depth + 1)} if found is not None else {}
        self.questions += 1
        if self.questions > MOST_QUESTIONS:
            raise BadQuery("that is too much to expand at once: lower $top", option="$expand")
        rows = target.rows(self.viewer).filter(**{relation.by: row.pk})
        if options.where:
            rows = rows.filter(options.where)
        stream_id = row.pk if relation.by == "datastream_id" else None
        told: dict[str, Any] = {f"{name}@iot.count": rows.count()} if options.is_counted else {}
        order, _is_keyed = _order(target, options, stream_id)
        if options.skip:
            raise BadQuery("what is expanded begins at its beginning; follow its nextLink", option="$skip")
        found = list(rows.order_by(*order)[: options.top + 1])
        if len(found) > options.top:
            inner = {option: value for option, value in expand.options.items() if option in ("$filter", "$orderby", "$select", "$top")}
            told[f"{name}@iot.nextLink"] = f"{link}/{name}?{urlencode({**inner, '$top': str(options.top), '$skip': str(options.top)})}"
        told[name] = [self.tell(target, each, replace(options, token=""), depth=depth + 1) for each in found[: options.top]]
        return told


def _selected(of: EntitySet, told: dict[str, Any], select: frozenset[str]) -> dict[str, Any]:
    known = {name: name for name in told} | {"id": "@iot.id"} | dict.fromkeys(of.relations, "")
    # What may be missing from one row is a field all the same.
    known |= {name.split("/")[0]: name.split("/")[0] for name in of.fields} | {"id": "@iot.id", "resultQuality": "resultQuality"}
    for name in select:
        if name.split("/")[0] not in known:
            raise BadQuery(f"there is no field {name[:48]}", option="$select")
    wanted = {known[name.split("/")[0]] for name in select}
    return {name: value for name, value in told.items() if name in wanted}


def _order(of: EntitySet, options: Options, stream_id: int | None) -> tuple[tuple[str, ...], bool]:
    """The order, total; and whether a page can begin behind the last row of the one before, however far in."""
    if of.name == "Observations" and stream_id is not None:
        # Within one stream its instants are a key.
        if not options.order or options.order in (("at",), ("-at",)):
            return options.order or ("at",), True
        return (*options.order, "at"), False
    if not options.order:
        return of.order, True
    return (*options.order, *(name for name in of.order if name not in {path.lstrip("-") for path in options.order})), False


def _behind(of: EntitySet, order: tuple[str, ...], token: str) -> Q:
    numbers = [int(part) for part in token.split("-") if part.isascii() and part.isdigit() and len(part) < 19]
    if of.name != "Observations":
        if len(numbers) != 1:
            raise BadQuery("no token of ours", option="$skiptoken")
        return Q(pk__gt=numbers[0])
    if len(numbers) != 2 or numbers[1] >= 10**17 or numbers[0] >= 2**31:
        raise BadQuery("no token of ours", option="$skiptoken")
    at = EPOCH + timedelta(microseconds=numbers[1])
    if order[0] in ("at", "-at"):
        return Q(at__gt=at) if order[0] == "at" else Q(at__lt=at)
    return Q(datastream_id__gt=numbers[0]) | Q(datastream_id=numbers[0], at__gt=at)


def _next(link: str, given: Mapping[str, str], of: EntitySet, last: Any, options: Options, is_keyed: bool) -> str | None:
    if last is None:
        return None
    kept = {name: value for name, value in given.items() if name not in ("$skip", "$skiptoken")}
    if is_keyed:
        token = f"{last.datastream_id}-{microseconds(last.at)}" if isinstance(last, Reading) else str(last.pk)
        return f"{link}?{urlencode({**kept, '$skiptoken': token}, quote_via=quote)}"
    behind = options.skip + options.top
    if behind > MOST_SKIP:
        return None
    return f"{link}?{urlencode({**kept, '$skip': str(behind)}, quote_via=quote)}"
