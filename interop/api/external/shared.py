"""Own incidents and those that other agencies share, in one answer: each told as its own right has it.

The rows of the key's own agency and those of each agreement in force are asked apart, each by the indexes it has, each from the same
position; what comes first of them is the page. An agency's rows are told by its agreements alone, so nothing is met twice. Which agreements
hold is asked anew for every page, of a file too: none is read through a moment longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from accounts.models import Agency
from incidents.models import Incident
from incidents.querysets import IncidentQuerySet
from interop.api.authentication import request_id_of
from interop.api.external import answers
from interop.api.external.asked import MOST_CSV, PAGE, Asked
from interop.api.external.book import Book
from interop.api.external.documents import details, lists
from interop.api.external.incidents import ADDRESS, OF_AN_AGREEMENT, WITHHELD, ExternalIncidentSerializer, Incidents
from interop.api.external.views import CHUNK, FINER_THAN_AREA
from interop.models import Part, Precision
from interop.services.sharing import Grant, grants_for
from interop.services.sharing.reads import record_shared

# Which fields each part of an agreement tells; what is named in none of them is told always.
TELLS: dict[str, tuple[str, ...]] = {
    Part.GRADE: ("priority", "severity", "disposition", "origin", "source"),
    Part.PLACE: ("governorate", "area", "block", "sector", "location"),
    Part.COURSE: (
        "classified_at", "queued_at", "dispatched_at", "en_route_at", "on_scene_at", "cleared_at", "closed_at", "reopened_at",
    ),
    Part.ADDRESS: ADDRESS,
    Part.DESCRIPTION: ("description",),
}  # fmt: skip
# What each filter would tell of a row.
ASKS = {"bbox": "location", "zone": "area", "severity": "severity", "priority": "priority"}


def withheld_by(grant: Grant) -> frozenset[str]:
    hidden = OF_AN_AGREEMENT.union(*(names for part, names in TELLS.items() if part not in grant.parts))
    return hidden if grant.precision == Precision.EXACT else hidden | WITHHELD


class OwnAndShared(Incidents):
    """The key's own rows; with agreements in force, the others' among them."""

    grants: Sequence[Grant] = ()

    def answer(self, request: Request) -> HttpResponseBase:
        self.grants = grants_for(self.key)
        if not self.grants:
            return super().answer(request)
        asked = self.asked()
        names = self.read_names(asked)
        parts = self.parts(asked)
        if self.wanted == "csv":
            return self.file_of_all(asked, names)
        found, position = self.page(parts, asked, names, asked.after, asked.limit or PAGE)
        following = self.following(None if position is None else asked.cursor(position))
        if self.wanted == "geojson":
            return self.whole(answers.as_geojson(found, asked.fields, self.geometry, following, {}), following=following)
        return self.whole(answers.as_json(found, following, {}), following=following)

    def agency_ids(self, codes: Sequence[str]) -> list[int]:
        """Of its own agency and of those that share with it, all of them known."""
        mine = {self.key.partner.agency_id, *(grant.giver_id for grant in self.grants)}
        known = list(Agency.objects.filter(slug__in=codes, pk__in=sorted(mine)))
        return [agency.pk for agency in self.all_known("agency", known, codes, lambda agency: agency.slug)]

    def parts(self, asked: Asked) -> list[tuple[Incidents, QuerySet[Any]]]:
        """Each right with its rows in the order asked for; the own first, so that what is not understood is refused by it."""
        rights: list[Incidents] = [self, *(Through(self, grant) for grant in self.grants)]
        return [(part, part.narrowed(part.visible(), asked.given).order_by(*asked.order.columns)) for part in rights]

    def page(
        self, parts: Sequence[tuple[Incidents, QuerySet[Any]]], asked: Asked, names: Sequence[str], after: Sequence[Any] | None, size: int
    ) -> tuple[list[answers.Row], list[Any] | None]:
        """The first ``size`` rows of all ``parts`` beyond ``after``, and from where to go on."""
        met: list[tuple[list[Any], int, Any]] = []
        for index, (part, rows) in enumerate(parts):
            some = part.fetch(part.after(rows, asked, after)[: size + 1], names, asked.order.column)
            met += [(part.position(row, asked.order.column), index, row) for row in some]
        met.sort(key=lambda one: one[0], reverse=asked.order.is_down)
        chosen, is_last = met[:size], len(met) <= size
        told: list[Iterator[answers.Row]] = []
        for index, (part, _rows) in enumerate(parts):
            told.append(iter(part.shape([row for _at, of, row in chosen if of == index], names)))
        shaped = [next(told[index]) for _at, index, _row in chosen]
        return shaped, None if is_last else chosen[-1][0]

    def file_of_all(self, asked: Asked, names: Sequence[str]) -> HttpResponseBase:
        def pages() -> Iterator[list[answers.Row]]:
            after, left = asked.after, asked.limit or MOST_CSV
            while left > 0:
                self.grants = grants_for(self.key)
                shaped, position = self.page(self.parts(asked), asked, names, after, min(CHUNK, left))
                if shaped:
                    yield shaped
                if position is None:
                    return
                after, left = position, left - len(shaped)

        return self.streamed(pages, names)


class Through(OwnAndShared):
    """The incidents of another agency as one agreement tells them to the key of ``door``."""

    def __init__(self, door: OwnAndShared, grant: Grant) -> None:
        super().__init__()
        self.request, self.args, self.kwargs = door.request, door.args, door.kwargs
        self.grant, self.grants = grant, door.grants
        self._withheld = withheld_by(grant)

    @property
    def precision(self) -> str:
        return self.grant.precision

    @property
    def withheld(self) -> frozenset[str]:
        return self._withheld

    def visible(self) -> IncidentQuerySet:
        """What the agreement gives, but for what another one of the same agency, before it in the list, tells."""
        rows = Incident.objects.filter(self.grant.condition())
        for other in self.grants:
            if other is self.grant:
                break
            if other.giver_id == self.grant.giver_id:
                rows = rows.exclude(other.condition())
        return rows

    def narrowed(self, rows: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
        """A filter on what is not told finds nothing: it would tell it."""
        if any(ASKS.get(name) in self.withheld for name in given):
            return rows.none()
        if "zone" in given and self.precision != Precision.EXACT:
            told = [zone.code for zone in self.zones(given["zone"]) if zone.level not in FINER_THAN_AREA]
            if not told:
                return rows.none()
            given = {**given, "zone": told}
        return super().narrowed(rows, given)

    def put_on_record(self, rows: Any) -> None:
        ids = [row[self.at["id"]] for row in rows]
        record_shared(self.key, self.grant, ids, door=f"external/incidents.{self.wanted}", request_id=request_id_of(self.request))

    def named(self, rows: Any, names: Sequence[str], codes: Book) -> list[answers.Row]:
        found = super().named(rows, names, codes)
        if "agreement" in names:
            for row in found:
                row["agreement"] = self.grant.code
        return found


class IncidentList(OwnAndShared):
    @lists(OwnAndShared, operation="pull_incidents", summary="Incidents, the newest first", row=ExternalIncidentSerializer)
    def get(self, request: Request, format: str | None = None) -> HttpResponseBase:
        return self.answer(request)


class IncidentDetail(OwnAndShared):
    @details(
        OwnAndShared, operation="pull_incident", summary="One incident by its reference", row=ExternalIncidentSerializer,
        id_parameter=OpenApiParameter("ref", str, OpenApiParameter.PATH, description="The reference people read out."),
    )  # fmt: skip
    def get(self, request: Request, ref: str, format: str | None = None) -> HttpResponseBase:
        try:
            return self.one(Incident.objects.visible_to(self.key).by_ref(ref))
        except Http404:
            self.grants = grants_for(self.key)
            for part in (Through(self, grant) for grant in self.grants):
                rows = part.visible().by_ref(ref)
                if rows.exists():
                    return part.one(rows)
            raise
