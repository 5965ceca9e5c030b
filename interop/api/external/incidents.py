"""Incidents for partners: read as plain columns, named from the book, never a row more than one query a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from rest_framework import serializers

from geography.models import Zone
from incidents.lifecycle import OPEN, Disposition, State
from incidents.models import Incident, IncidentType
from incidents.models.incident import make_ref
from interop.api.authentication import request_id_of
from interop.api.external import answers
from interop.api.external.asked import BBOX, ZONE, before, choices, numbers, since, words
from interop.api.external.book import Book, book
from interop.api.external.views import Table, span
from interop.api.serializers import IncidentTimesSerializer, PointSerializer
from interop.models import Precision, Scope
from interop.precision import inside, is_exact, told
from interop.services.sharing.reads import note_own

Read = Callable[..., Any]
_ZONES = {"governorate": "governorate_id", "area": "area_id", "block": "block_id", "sector": "sector_id"}
_TIMES = (*IncidentTimesSerializer().fields, "changed_at")
ADDRESS = ("address", "address_block", "address_street", "address_jadda", "address_building", "paci_number")
WITHHELD = frozenset({*ADDRESS, "description", "block", "sector"})  # from keys of less than exact precision
OF_AN_AGREEMENT = frozenset({"agreement"})
PLACE = ("lon", "lat", "region_id", "area_id")
_AXES = {"lon": "ST_X", "lat": "ST_Y"}


class ExternalFactsSerializer(serializers.Serializer[Incident]):
    """What an incident is and where, as partners read it."""

    ref = serializers.CharField(help_text="The reference people read out.")
    state = serializers.ChoiceField(choices=State.choices)
    is_open = serializers.BooleanField()
    disposition = serializers.ChoiceField(choices=Disposition.choices, allow_blank=True, help_text="How it ended; empty while it is open.")
    priority = serializers.IntegerField(min_value=1, max_value=5, help_text="How fast: 1 is the most urgent.")
    severity = serializers.IntegerField(min_value=1, max_value=4, help_text="How bad: 4 is the worst.")
    origin = serializers.ChoiceField(choices=Incident.Origin.choices)
    type = serializers.CharField(help_text="Its code.")
    category = serializers.CharField()
    agency = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    region = serializers.CharField()
    governorate = serializers.CharField(allow_null=True, help_text="Its code; null: in none.")
    area = serializers.CharField(allow_null=True)
    block = serializers.CharField(allow_null=True, help_text="Null for keys of less than exact precision.")
    sector = serializers.CharField(allow_null=True, help_text="Null for keys of less than exact precision.")
    location = PointSerializer(allow_null=True, help_text="As exactly as your key is told.")
    address = serializers.CharField(allow_null=True, help_text="It and its parts: null for keys of less than exact precision.")
    address_block = serializers.CharField(allow_null=True)
    address_street = serializers.CharField(allow_null=True)
    address_jadda = serializers.CharField(allow_null=True)
    address_building = serializers.CharField(allow_null=True)
    paci_number = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_null=True, help_text="Null for keys of less than exact precision.")


class ExternalIncidentSerializer(ExternalFactsSerializer, IncidentTimesSerializer):
    """An incident as partners read it. `fields=` leaves out the others."""

    changed_at = serializers.DateTimeField()
    is_synthetic = serializers.BooleanField(help_text="Made up, for demonstration.")
    agreement = serializers.CharField(
        allow_null=True,
        help_text="The sharing agreement, and its version, by which you are told this; null: it is your own agency's. What an agreement"
        " does not tell is null.",
    )


def _ref(book: Book, region: int, received_at: str, pk: int) -> str:
    return make_ref(book.regions[region].code, datetime.fromisoformat(received_at), pk)


# What each field needs of a row, and how it is read from it; the first argument is the book.
_READ: dict[str, tuple[tuple[str, ...], Read | None]] = {
    "ref": (("region_id", "received_at", "id"), _ref),
    "is_open": (("state",), lambda book, state: state in OPEN),
    "type": (("type_id",), lambda book, pk: book.types[pk].code),
    "category": (("type_id",), lambda book, pk: book.types[pk].category),
    "agency": (("agency_id",), lambda book, pk: book.agencies[pk]),
    "source": (("source_id",), lambda book, pk: book.sources[pk]),
    "region": (("region_id",), lambda book, pk: book.regions[pk].code),
    "location": (PLACE, None),
    **{name: ((column,), lambda book, pk: None if pk is None else book.zones[pk].code) for name, column in _ZONES.items()},
}  # fmt: skip


class Columns(RawSQL):
    """Columns of an incident, all of them as one thing to select: naming each to the ORM costs more than reading a page of them.

    Times come as the text they are told in, written by the database: to make objects of them was a third of a file's work.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(map(self.column, names)), ())

    @staticmethod
    def column(name: str) -> str:
        table = f'"{Incident._meta.db_table}"'
        if name in _AXES:
            return f'{_AXES[name]}({table}."location")'
        if name in _TIMES:
            return f"""replace(to_char({table}."{name}" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', '')"""
        return f'{table}."{name}"'

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return self.sql, self.params


class Incidents(Table):
    name = "incidents"
    scope = Scope.INCIDENTS_READ
    serializer_class = ExternalIncidentSerializer
    queryset = Incident.objects.none()
    columns = tuple(ExternalIncidentSerializer().fields)
    sorts = {"-occurred_at": "occurred_at", "-changed_at": "changed_at", "id": "id"}
    filters = {
        "occurred_since": since("that occurred"),
        "occurred_before": before("that occurred"),
        "reported_since": since("that were reported"),
        "reported_before": before("that were reported"),
        "changed_since": since("that changed, or came in,"),
        "changed_before": before("that changed"),
        "bbox": BBOX,
        "zone": ZONE,
        "type": words("types", "burglary"),
        "category": words("categories", "property"),
        "severity": numbers(1, 4, "Only of these severities; 4 is the worst."),
        "priority": numbers(1, 5, "Only of these priorities; 1 is the most urgent."),
        "state": choices(State.values, "Only in these states."),
        "agency": words("agencies", "police"),
    }

    def visible(self) -> QuerySet[Incident]:
        return Incident.objects.visible_to(self.key)

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        rows = span(rows, given, {name: f"{name}_at" for name in ("occurred", "reported", "changed")})
        if "zone" in given:
            within = Q()
            for zone in self.zones(given["zone"]):
                within |= self.within(zone)
            rows = rows.filter(within)
        if "type" in given:
            kinds = list(IncidentType.objects.filter(code__in=given["type"]))
            rows = rows.filter(type_id__in=[kind.pk for kind in self.all_known("type", kinds, given["type"], lambda kind: kind.code)])
        if "category" in given:
            rows = rows.filter(type_id__in=list(IncidentType.objects.filter(category__in=given["category"]).values_list("pk", flat=True)))
        if "agency" in given:
            rows = rows.filter(agency_id__in=self.agency_ids(given["agency"]))
        for name in ("severity", "priority", "state"):
            if name in given:
                rows = rows.filter(**{f"{name}__in": given[name]})
        return inside(rows, given["bbox"], self.precision) if "bbox" in given else rows

    @staticmethod
    def within(zone: Zone) -> Q:
        """As ``IncidentQuerySet.within`` has it; a block says its area too, whose past an index holds."""
        column = _ZONES.get(zone.level)
        if column is None:
            return Q(region_id=zone.region_id)
        found = Q(**{column: zone.pk})
        return found & Q(area_id=zone.parent_id) if zone.level == Zone.Level.BLOCK and zone.parent_id else found

    def needs(self, names: Sequence[str]) -> list[str]:
        wanted: dict[str, None] = {}
        withheld = self.withheld
        for name in names:
            if name not in withheld:
                wanted.update(dict.fromkeys(_READ[name][0] if name in _READ else (name,)))
        return list(wanted)

    @property
    def withheld(self) -> frozenset[str]:
        """Told as null. An own row is of no agreement."""
        return OF_AN_AGREEMENT if is_exact(self.key) else OF_AN_AGREEMENT | WITHHELD

    def fetch(self, rows: QuerySet[Any], names: Sequence[str], order: str | None) -> Any:
        needs = list(dict.fromkeys([*self.needs(names), *([order] if order else []), "id"]))
        self.at = {name: index for index, name in enumerate(needs)}
        return list(rows.values_list(Columns(needs)))

    def position(self, row: Any, column: str) -> list[Any]:
        value = row[self.at[column]]
        return [datetime.fromisoformat(value) if column in _TIMES else value, row[self.at["id"]]]

    def shape(self, rows: Any, names: Sequence[str]) -> list[answers.Row]:
        self.put_on_record(rows)
        try:
            return self.named(rows, names, book())
        except KeyError:  # a code that is younger than the book
            return self.named(rows, names, book(anew=True))

    def put_on_record(self, rows: Any) -> None:
        """Who was told what can be looked up afterwards."""
        ids = [row[self.at["id"]] for row in rows]
        note_own(self.key, ids, door=f"external/incidents.{self.wanted}", request_id=request_id_of(self.request))

    def named(self, rows: Any, names: Sequence[str], codes: Book) -> list[answers.Row]:
        columns: list[Sequence[Any]] = []
        withheld = self.withheld
        for name in names:
            if name in withheld:
                columns.append([None] * len(rows))
            elif name == "location":
                columns.append(self.places(rows, codes))
            elif name in _READ:
                needs, read = _READ[name]
                picked = [[row[self.at[need]] for row in rows] for need in needs]
                columns.append([read(codes, *values) for values in zip(*picked, strict=True)])  # type: ignore[misc]
            else:
                columns.append(list(map(itemgetter(self.at[name]), rows)))
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def places(self, rows: Any, codes: Book) -> list[Any]:
        lon, lat, region, area = (self.at[name] for name in PLACE)
        points = [(row[lon], row[lat]) if row[lon] is not None else None for row in rows]
        srids = [codes.regions[row[region]].srid for row in rows] if self.precision == Precision.GRID else []
        by_area = self.precision == Precision.AREA
        labels = [codes.zones[row[area]].label if row[area] is not None else None for row in rows] if by_area else []
        return [{"longitude": place[0], "latitude": place[1]} if place else None for place in told(points, srids, labels, self.precision)]
