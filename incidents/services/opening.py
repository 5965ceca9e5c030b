"""An incident begins with a report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.contrib.gis.geos import Point
from django.contrib.postgres.search import SearchVector
from django.db import models, transaction
from django.db.models import Value
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Invalid
from core.events import publish
from core.text import searchable
from geography.services import place_of
from incidents import events
from incidents.lifecycle import Priority, Severity
from incidents.models import Incident, IncidentLog, IncidentType, Report, Source
from incidents.permissions import Actor, require

MAX_DESCRIPTION = 20_000
CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class Opened:
    """``is_new`` is false when the source had reported this id before: the incident is then the one it fed."""

    incident: Incident
    report: Report
    is_new: bool


def digest_of(raw: Mapping[str, Any]) -> str:
    """The identity of a report whose source gave none: the same words are the same report."""
    return "sha256:" + hashlib.sha256(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()[:40]


@transaction.atomic
def open_incident(
    *,
    source: Source,
    type: IncidentType,
    occurred_at: datetime,
    kind: str,
    raw: Mapping[str, Any],
    by: Actor | None,
    external_id: str = "",
    reported_at: datetime | None = None,
    location: Point | None = None,
    priority: int | None = None,
    severity: int | None = None,
    description: str = "",
    address: str = "",
    address_parts: Mapping[str, str] | None = None,
    origin: str = Incident.Origin.UNKNOWN,
    is_synthetic: bool = False,
) -> Opened:
    """Keep the report as it came and open its incident, or find the one this (source, external_id) opened before.

    ``location`` is longitude, latitude in 4326, or ``None`` where the source has no place. Raises ``Invalid`` with the
    names of the fields for a point in no region, a time in the future, a priority or severity out of range, or text too long;
    ``NotAllowed`` where ``by`` may not open incidents for the source's agency.
    """
    require(by, "open")
    external_id = external_id or digest_of(raw)
    now = timezone.now()
    problems: dict[str, str] = {}
    codes: dict[str, str] = {}
    if len(external_id) > 128:
        problems["external_id"] = _("At most 128 characters.")
    if occurred_at > now + CLOCK_SKEW:
        problems["occurred_at"] = _("This time lies in the future.")
        codes["occurred_at"] = "in_the_future"
    if reported_at is not None and reported_at > now + CLOCK_SKEW:
        problems["reported_at"] = _("This time lies in the future.")
        codes["reported_at"] = "in_the_future"
    if len(description) > MAX_DESCRIPTION:
        problems["description"] = _("At most %(limit)d characters.") % {"limit": MAX_DESCRIPTION}
    if len(address) > 300:
        problems["address"] = _("At most %(limit)d characters.") % {"limit": 300}
    if priority is not None and priority not in Priority.values:
        problems["priority"] = _("Priority is 1 to 5.")
    if severity is not None and severity not in Severity.values:
        problems["severity"] = _("Severity is 1 to 4.")
    place = place_of(location) if location is not None else None
    if location is not None and place is None:
        problems["location"] = _("This point lies in no region we serve: at sea or abroad.")
        codes["location"] = "out_of_area"
    if problems:
        raise Invalid(_("The report cannot be taken as it is."), fields=problems, codes=codes)
    if by is not None and not by.jurisdiction.admits(agency_id=source.agency_id, governorate_id=place.governorate_id if place else None):
        raise Invalid(
            _("The report cannot be taken as it is."),
            fields={"location": _("This place lies outside your jurisdiction.")},
            codes={"location": "outside_jurisdiction"},
        )

    report, is_new = Report.objects.get_or_create(source=source, external_id=external_id, defaults={"kind": kind, "raw": dict(raw)})
    if not is_new:
        known = Report.objects.select_related("incident__region").get(pk=report.pk)
        if known.incident is None:
            raise Invalid(_("This report is being taken already."), fields={"external_id": _("Taken already.")})
        return Opened(known.incident, known, is_new=False)
    incident = Incident.objects.create(
        region_id=place.region_id if place else source.region_id,
        source=source,
        agency_id=source.agency_id,
        type=type,
        priority=priority or type.default_priority,
        severity=severity or type.default_severity,
        origin=origin,
        is_synthetic=is_synthetic,
        description=description,
        location=location,
        governorate_id=place.governorate_id if place else None,
        area_id=place.area_id if place else None,
        block_id=place.block_id if place else None,
        sector_id=place.sector_id if place else None,
        address=address,
        occurred_at=occurred_at,
        reported_at=reported_at or now,
        received_at=now,
        **dict(address_parts or {}),
    )
    index_text(Incident.objects.filter(pk=incident.pk), " ".join((type.name_en, type.name_ar, description, address, external_id)))
    report.incident = incident
    report.save(update_fields=["incident"])
    log(incident, IncidentLog.Kind.RECEIVED, by=by, to_state=incident.state)
    audit.record("incident.open", obj=incident, by=by, after={"type": type.code, "source": source.slug, "external_id": external_id})
    publish(
        events.INCIDENT_OPENED,
        subject=incident,
        agency_id=incident.agency_id,
        governorate_id=incident.governorate_id,
        data={"type": type.code, "priority": incident.priority, "severity": incident.severity, "source": source.slug},
    )
    return Opened(incident, report, is_new=True)


def index_text(rows: models.QuerySet[Incident], text: str) -> None:
    """Fill the search column of ``rows`` from ``text``, folded (``simple`` configuration: Arabic and English alike)."""
    rows.update(search=SearchVector(Value(searchable(text)[:50_000]), config="simple"))


def log(
    incident: Incident,
    kind: str,
    *,
    by: object | None,
    from_state: str = "",
    to_state: str = "",
    changes: dict[str, Any] | None = None,
    reason: str = "",
) -> IncidentLog:
    """Append to the incident's log, signed by ``by`` (``None`` is the system)."""
    return IncidentLog.objects.create(
        incident=incident,
        kind=kind,
        from_state=from_state,
        to_state=to_state,
        changes=changes,
        author_kind=getattr(by, "audit_kind", "system"),
        author_id=getattr(by, "pk", None),
        author_name=str(getattr(by, "audit_name", ""))[:150],
        reason=reason,
    )
