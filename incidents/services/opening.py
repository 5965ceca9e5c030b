"""An incident begins with a report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.contrib.gis.geos import Point
from django.contrib.postgres.search import SearchVector
from django.db import connection, models, transaction
from django.db.models import Value
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Invalid
from core.events import wake_relay
from core.text import searchable
from geography.models import Region
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


# One statement for what is one fact: the report as it came, its incident, the log's first entry, the audit row, the event. The
# report comes first and alone may refuse (its id was said before); then nothing else is written either.
_OPEN = """
WITH report AS (
    INSERT INTO incidents_report (source_id, external_id, incident_id, kind, raw, received_at)
    VALUES (%(source_id)s, %(external_id)s, %(id)s, %(kind)s, %(raw)s::jsonb, %(received_at)s)
    ON CONFLICT (source_id, external_id) DO NOTHING
    RETURNING id
), incident AS (
    INSERT INTO incidents_incident (
        id, region_id, source_id, agency_id, type_id, priority, severity, state, disposition, origin, is_synthetic, description,
        location, governorate_id, area_id, block_id, sector_id,
        address, address_block, address_street, address_jadda, address_building, paci_number,
        occurred_at, reported_at, received_at, changed_at, search
    )
    SELECT %(id)s, %(region_id)s, %(source_id)s, %(agency_id)s, %(type_id)s, %(priority)s, %(severity)s, %(state)s, '', %(origin)s,
        %(is_synthetic)s, %(description)s, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4326),
        %(governorate_id)s, %(area_id)s, %(block_id)s, %(sector_id)s,
        %(address)s, %(address_block)s, %(address_street)s, %(address_jadda)s, %(address_building)s, %(paci_number)s,
        %(occurred_at)s, %(reported_at)s, %(received_at)s, %(received_at)s, to_tsvector('simple', %(words)s)
    FROM report
), entry AS (
    INSERT INTO incidents_incidentlog (incident_id, kind, from_state, to_state, author_kind, author_id, author_name, reason)
    SELECT %(id)s, %(log_kind)s, '', %(state)s, %(author_kind)s, %(author_id)s, %(author_name)s, '' FROM report
), audited AS (
    INSERT INTO core_auditentry
        (door, actor_kind, actor_id, actor_name, verb, object_type, object_id, object_name, after, reason, request_id, address)
    SELECT %(a_door)s, %(a_actor_kind)s, %(a_actor_id)s, %(a_actor_name)s, %(a_verb)s, %(a_object_type)s, %(a_object_id)s,
        %(a_object_name)s, %(a_after)s::jsonb, %(a_reason)s, %(a_request_id)s, %(a_address)s::inet
    FROM report
), announced AS (
    INSERT INTO core_event (type, subject_type, subject_id, agency_id, governorate_id, data)
    SELECT %(e_type)s, %(e_subject_type)s, %(id)s, %(agency_id)s, %(governorate_id)s, %(e_data)s::jsonb FROM report
)
SELECT id FROM report
"""
# A number for the incident, unless its report is there already: a repeat should not use one up.
_NUMBER = """
SELECT nextval('incidents_incident_id_seq')
WHERE NOT EXISTS (SELECT FROM incidents_report WHERE source_id = %s AND external_id = %s)
"""


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
    place = place_of(location) if location is not None else None
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
    incident = Incident(
        region=source.region if place is None or place.region_id == source.region_id else Region.objects.get(pk=place.region_id),
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
        changed_at=now,
        **dict(address_parts or {}),
    )
    report = Report(source=source, external_id=external_id, kind=kind, raw=dict(raw), received_at=now)
    words = " ".join((type.name_en, type.name_ar, description, address, external_id))
    if _write(incident, report, by=by, words=words):
        return Opened(incident, report, is_new=True)
    known = Report.objects.select_related("incident__region").get(source=source, external_id=external_id)
    if known.incident is None:
        raise Invalid(_("This report is being taken already."), fields={"external_id": _("Taken already.")})
    return Opened(known.incident, known, is_new=False)


@transaction.atomic(savepoint=False)
def _write(incident: Incident, report: Report, *, by: Actor | None, words: str) -> bool:
    """Store both with all that follows from them; false, and nothing, where the report's id was said before."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER, [incident.source_id, report.external_id])
        number = cursor.fetchone()
        if number is None:
            return False
        incident.pk = number[0]
        said = {"type": incident.type.code, "source": incident.source.slug, "external_id": report.external_id}
        audited = audit.draft("incident.open", obj=incident, by=by, after=said)
        announced = {
            "type": incident.type.code,
            "priority": incident.priority,
            "severity": incident.severity,
            "source": incident.source.slug,
        }
        facts: dict[str, Any] = {str(field.column): getattr(incident, field.attname) for field in _INCIDENT_FIELDS}
        cursor.execute(
            _OPEN,
            {
                **facts,
                "lon": incident.location.x if incident.location else None,
                "lat": incident.location.y if incident.location else None,
                "words": folded(words),
                "external_id": report.external_id,
                "kind": report.kind,
                "raw": json.dumps(report.raw, ensure_ascii=False),
                "log_kind": IncidentLog.Kind.RECEIVED.value,
                "author_kind": getattr(by, "audit_kind", "system"),
                "author_id": getattr(by, "pk", None),
                "author_name": str(getattr(by, "audit_name", ""))[:150],
                **{f"a_{name}": getattr(audited, name) for name in _AUDIT_FIELDS},
                "a_after": json.dumps(said, ensure_ascii=False),
                "e_type": events.INCIDENT_OPENED,
                "e_subject_type": Incident._meta.model_name,
                "e_data": json.dumps(announced),
            },
        )
        stored = cursor.fetchone()
    if stored is None:
        return False
    wake_relay()
    report.pk, report.incident = stored[0], incident
    report._state.adding = incident._state.adding = False
    return True


_INCIDENT_FIELDS = [field for field in Incident._meta.concrete_fields if field.name not in {"location", "search"}]
_AUDIT_FIELDS = (
    "door", "actor_kind", "actor_id", "actor_name", "verb", "object_type", "object_id", "object_name", "reason", "request_id", "address",
)  # fmt: skip


def folded(text: str) -> str:
    """``text`` as the search column holds it; a reader does not search a novel."""
    return searchable(text)[:50_000]


def index_text(rows: models.QuerySet[Incident], text: str) -> None:
    """Fill the search column of ``rows`` from ``text``, folded (``simple`` configuration: Arabic and English alike)."""
    rows.update(search=SearchVector(Value(folded(text)), config="simple"))


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
