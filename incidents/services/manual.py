"""An incident taken down by hand, at a desk and not from a feed."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Agency
from core.errors import Invalid
from geography.models import Region
from geography.services import place_of
from incidents.models import Incident, IncidentType, Source
from incidents.permissions import Actor, require
from incidents.services.opening import open_incident


@transaction.atomic
def open_by_hand(
    *,
    agency: Agency,
    type: IncidentType,
    occurred_at: datetime,
    by: Actor | None,
    location: Point | None = None,
    priority: int | None = None,
    severity: int | None = None,
    description: str = "",
    address: str = "",
    origin: str = Incident.Origin.UNKNOWN,
) -> Incident:
    """Open an incident that somebody typed in. Its source is the agency's own desk, its report what was typed."""
    require(by, "open")
    if by is not None and by.jurisdiction.agency_ids is not None and agency.pk not in by.jurisdiction.agency_ids:
        raise Invalid(_("The report cannot be taken as it is."), fields={"agency": _("This agency lies outside your jurisdiction.")})
    place = place_of(location) if location is not None else None
    region = Region.objects.get(pk=place.region_id) if place else Region.objects.order_by("-is_default", "pk").first()
    if region is None:
        raise Invalid(_("There is no region yet: load the geography first."))
    raw: dict[str, Any] = {
        "agency": agency.slug,
        "type": type.code,
        "occurred_at": occurred_at.isoformat(),
        "location": [location.x, location.y] if location is not None else None,
        "priority": priority,
        "severity": severity,
        "description": description,
        "address": address,
        "origin": origin,
        "by": str(getattr(by, "audit_name", "")),
    }
    return open_incident(
        source=_desk_of(agency, region),
        type=type,
        occurred_at=occurred_at,
        kind="by-hand",
        raw=raw,
        by=by,
        external_id=f"hand-{uuid.uuid4().hex}",
        location=location,
        priority=priority,
        severity=severity,
        description=description,
        address=address,
        origin=origin,
    ).incident


def _desk_of(agency: Agency, region: Region) -> Source:
    """The source of what this agency's people type in, one a region."""
    slug = f"desk-{agency.slug}-{region.code}"[:48]
    return Source.objects.get_or_create(
        slug=slug, defaults={"name": f"Command centre, {agency.name_en}"[:120], "agency": agency, "region": region}
    )[0]
