"""Which agency and governorate a page of patrol is about: chosen in the address, inside the viewer's jurisdiction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count
from django.http import Http404, HttpRequest

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from geography.models import Zone
from patrol.models import Unit


@dataclass(frozen=True)
class Scope:
    """What was chosen, and what there is to choose from."""

    agency: Agency
    governorate: Zone
    agencies: tuple[Agency, ...]
    governorates: tuple[Zone, ...]

    @property
    def query(self) -> str:
        return f"agency={self.agency.slug}&governorate={self.governorate.code}"


def scope_of(request: HttpRequest) -> Scope:
    """``?agency=<slug>&governorate=<code>``, else the viewer's own agency (else the police, the first with units) and the
    governorate with most of its units.

    Raises ``Http404`` for one outside the viewer's jurisdiction, and where there is nothing to choose from.
    """
    mine = jurisdiction_of(request.user)
    agencies = Agency.objects.filter(units__is_active=True).distinct() if mine.agency_ids is None else Agency.objects.all()
    if mine.agency_ids is not None:
        agencies = agencies.filter(pk__in=sorted(mine.agency_ids))
    zones = Zone.objects.level(Zone.Level.GOVERNORATE).filter(is_active=True).defer("boundary").select_related("region").order_by("code")
    zones = zones.filter(region__is_default=True) if mine.governorate_ids is None else zones.filter(pk__in=sorted(mine.governorate_ids))
    all_agencies, all_zones = tuple(agencies.order_by("slug")), tuple(zones)
    agency = _chosen(all_agencies, "slug", request.GET.get("agency", ""), getattr(request.user, "agency_id", None))
    wanted = request.GET.get("governorate", "")
    governorate = _chosen(all_zones, "code", wanted, None if wanted else _busiest(agency, all_zones))
    return Scope(agency, governorate, all_agencies, all_zones)


Row = TypeVar("Row", Agency, Zone)


def _busiest(agency: Agency, zones: tuple[Zone, ...]) -> int | None:
    """The governorate with most of the agency's units: what somebody who did not choose most likely looks for."""
    counted = Unit.objects.active().filter(agency=agency, governorate__in=zones).values_list("governorate").annotate(n=Count("pk"))
    first = counted.order_by("-n", "governorate__code").first()
    return first[0] if first is not None else None


def _chosen(rows: tuple[Row, ...], key: str, wanted: str, own: int | None) -> Row:
    if wanted:
        found = next((row for row in rows if getattr(row, key) == wanted), None)
    else:
        police = next((row for row in rows if getattr(row, key) == "police"), None)
        found = next((row for row in rows if row.pk == own), None) or police or next(iter(rows), None)
    if found is None:
        raise Http404
    return found
