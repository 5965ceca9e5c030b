"""The one way every resource is asked for: judged, narrowed to what the key may see, paged by key, told in the format wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.http import Http404, HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from accounts.models import Agency
from core import audit
from core.api.renderers import FastJSONRenderer, ProblemRenderer
from geography.models import Zone
from interop.api.authentication import CALLERS, HasScope
from interop.api.external import answers
from interop.api.external.asked import MOST, MOST_CSV, PAGE, Asked, Filter, read_asked
from interop.models import PartnerKey
from interop.precision import is_exact, precision_of

CHUNK = 2_000
FINER_THAN_AREA = (Zone.Level.BLOCK, Zone.Level.SECTOR)


class GeoJSON(FastJSONRenderer):
    media_type = "application/geo+json"
    format = "geojson"


class CSV(FastJSONRenderer):
    media_type = "text/csv"
    format = "csv"


class External(GenericAPIView[Any]):
    """For keys alone: what a person reads, they read in the product."""

    authentication_classes = CALLERS
    permission_classes: Any = [HasScope]
    renderer_classes = [FastJSONRenderer, GeoJSON, CSV, ProblemRenderer]
    pagination_class = None
    serializer_class: Any = serializers.Serializer
    scope: str

    @property
    def key(self) -> PartnerKey:
        assert isinstance(self.request.auth, PartnerKey)
        return self.request.auth

    @property
    def precision(self) -> str:
        return precision_of(self.key)

    @property
    def wanted(self) -> str:
        """json, geojson or csv."""
        return str(getattr(self.request.accepted_renderer, "format", "json"))

    def whole(self, body: bytes, *, following: str | None = None) -> HttpResponseBase:
        kind = answers.GEOJSON if self.wanted == "geojson" else answers.JSON
        return answers.answer(self.request, body, kind, following=following)

    def following(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

    # --- codes that filters name -------------------------------------------------------------------------------------------------------

    def zones(self, codes: Sequence[str]) -> list[Zone]:
        """The zones of these codes that the key may know of; a key of less than exact precision knows none finer than areas."""
        known = Zone.objects.in_use().among(self.key.jurisdiction.governorate_ids).filter(code__in=codes).defer("boundary", "label_point")
        if not is_exact(self.key):
            known = known.exclude(level__in=FINER_THAN_AREA)
        return self.all_known("zone", list(known), codes, lambda zone: zone.code)

    def zone_ids(self, codes: Sequence[str]) -> list[int]:
        """These zones and all that lies in them."""
        ids = reached = {zone.pk for zone in self.zones(codes)}
        while reached:
            reached = set(Zone.objects.in_use().filter(parent__in=reached).values_list("pk", flat=True)) - ids
            ids = ids | reached
        return sorted(ids)

    def agency_ids(self, codes: Sequence[str]) -> list[int]:
        mine = self.key.jurisdiction.agency_ids
        rows = Agency.objects.filter(slug__in=codes)
        known = list(rows if mine is None else rows.filter(pk__in=sorted(mine)))
        return [agency.pk for agency in self.all_known("agency", known, codes, lambda agency: agency.slug)]

    def all_known(self, name: str, rows: list[Any], codes: Sequence[str], code_of: Any) -> list[Any]:
        """What is foreign is refused in the very words of what is unknown."""
        missing = set(codes) - {code_of(row) for row in rows}
        if missing:
            raise ValidationError({name: [_("There is no %(code)s.") % {"code": code} for code in sorted(missing)]})
        return rows


class Table(External):
    """Rows of a table. A resource names its columns, filters and orders, and says how rows are read and shaped."""

    name: ClassVar[str]
    columns: ClassVar[Sequence[str]]
    not_by_default: ClassVar[frozenset[str]] = frozenset()
    filters: ClassVar[Mapping[str, Filter]]
    sorts: ClassVar[Mapping[str, str]]
    geometry: ClassVar[str] = "location"

    # What a resource adds.

    def visible(self) -> QuerySet[Any]:
        raise NotImplementedError

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def fetch(self, rows: QuerySet[Any], names: Sequence[str], order: str | None) -> Any:
        """The rows, and for the last of them nothing lost that ``position`` and ``shape`` need."""
        return list(rows)

    def position(self, row: Any, column: str) -> list[Any]:
        return [getattr(row, column), row.pk]

    def shape(self, rows: Any, names: Sequence[str]) -> list[answers.Row]:
        raise NotImplementedError

    # What all do.

    def asked(self) -> Asked:
        is_file = self.wanted == "csv"
        default = [name for name in self.columns if name not in self.not_by_default]
        return read_asked(
            self.request.query_params, name=self.name, filters=self.filters, columns=self.columns, default=default, sorts=self.sorts,
            most=MOST_CSV if is_file else MOST,
        )  # fmt: skip

    def read_names(self, asked: Asked) -> tuple[str, ...]:
        needs_place = self.wanted == "geojson" and self.geometry not in asked.fields
        return (*asked.fields, self.geometry) if needs_place else asked.fields

    def answer(self, request: Request) -> HttpResponseBase:
        asked = self.asked()
        rows = self.narrowed(self.visible(), asked.given).order_by(*asked.order.columns)
        names = self.read_names(asked)
        if self.wanted == "csv":
            return self.file(rows, asked, names)
        limit = asked.limit or PAGE
        found = self.fetch(self.after(rows, asked, asked.after)[: limit + 1], names, asked.order.column)
        following = None
        if len(found) > limit:
            found = found[:limit]
            following = self.following(asked.cursor(self.position(found[-1], asked.order.column)))
        shaped = self.shape(found, names)
        if self.wanted == "geojson":
            return self.whole(answers.as_geojson(shaped, asked.fields, self.geometry, following, {}), following=following)
        return self.whole(answers.as_json(shaped, following, {}), following=following)

    def file(self, rows: QuerySet[Any], asked: Asked, names: Sequence[str]) -> HttpResponseBase:
        def pages() -> Iterator[list[answers.Row]]:
            after, left = asked.after, asked.limit or MOST_CSV
            while left > 0:
                size = min(CHUNK, left)
                found = self.fetch(self.after(rows, asked, after)[:size], names, asked.order.column)
                if len(found):
                    yield self.shape(found, names)
                if len(found) < size:
                    return
                after, left = self.position(found[-1], asked.order.column), left - size

        return self.streamed(pages, names)

    def streamed(self, pages: Callable[[], Iterator[list[answers.Row]]], names: Sequence[str]) -> HttpResponseBase:
        """A file, its making on record."""
        if self.request.method != "HEAD":
            query = {key: values for key, values in self.request.query_params.lists() if key != "cursor"}
            audit.record("external.export", by=self.key, after={"resource": self.name, "query": query})
        return answers.stream(self.request, pages, names, f"{self.name}.csv")

    def after(self, rows: QuerySet[Any], asked: Asked, position: Sequence[Any] | None) -> QuerySet[Any]:
        """What comes after this position, by one comparison that an index answers."""
        if position is None:
            return rows
        field = rows.model._meta.get_field(asked.order.column)
        try:
            value, pk = position
            value = field.to_python(value)
            beyond = TupleLessThan if asked.order.is_down else TupleGreaterThan
            return rows.filter(beyond((F(asked.order.column), F("id")), (value, int(pk))))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ParseError(_("This cursor is not one we gave."), code="invalid_cursor") from error

    def one(self, rows: QuerySet[Any]) -> HttpResponseBase:
        """One row by its id; what is foreign is as if it were not there."""
        if self.wanted == "csv":
            raise Http404
        asked = read_asked(
            self.request.query_params, name=self.name, filters={}, columns=self.columns, default=self.columns, sorts={"id": "id"}, most=1
        )
        names = self.read_names(asked)
        found = self.fetch(rows[:1], names, None)
        if not len(found):
            raise Http404
        row = self.shape(found, names)[0]
        body = answers.feature(row, asked.fields, self.geometry) if self.wanted == "geojson" else row
        return self.whole(answers.orjson.dumps(body, option=answers.orjson.OPT_UTC_Z))


def span(rows: QuerySet[Any], given: dict[str, Any], columns: Mapping[str, str]) -> QuerySet[Any]:
    """``{"occurred": "occurred_at"}``: from ``occurred_since`` (with) to ``occurred_before`` (without)."""
    for name, column in columns.items():
        since: datetime | None = given.get(f"{name}_since")
        before: datetime | None = given.get(f"{name}_before")
        if since is not None:
            rows = rows.filter(**{f"{column}__gte": since})
        if before is not None:
            rows = rows.filter(**{f"{column}__lt": before})
    return rows
