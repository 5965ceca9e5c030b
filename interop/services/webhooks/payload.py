"""What is sent: a thin CloudEvent (structured JSON). It says that something happened and where to read it; the API says what.

So nothing goes out that the key could not read, also if the body is kept somewhere for years; and a body is the same on every attempt,
which its digest shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from core.models import Event
from incidents.models import Incident
from interop.services.webhooks.catalogue import CATALOGUE, EventType

CONTENT_TYPE = "application/cloudevents+json"
MOST_BYTES = 20_000


def payload(event: Event, kind: EventType, *, refs: Mapping[int, str], values: Mapping[str, Any] | None = None) -> str:
    """The body for ``event``. ``refs``: the references of incidents among the subjects."""
    subject, path = _subject(event, kind, refs)
    data: dict[str, Any] = {}
    if subject:
        data["subject"] = {"kind": kind.subject, "id": subject}
    if path:
        data["url"] = f"{settings.PUBLIC_URL}{path}"
    if event.governorate_id is not None:
        data["governorate"] = event.governorate_id
    data |= {name: event.data[name] for name in kind.values if name in event.data} if values is None else dict(values)
    body: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"evt_{event.pk}",
        "source": source(),
        "type": kind.name,
        "time": event.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }
    if subject:
        body["subject"] = f"{kind.subject}/{subject}"
    if event.seq is not None:
        body["sequence"] = str(event.seq).zfill(16)  # the CloudEvents extension: strings that sort
    return json.dumps({**body, "data": data}, ensure_ascii=False, separators=(",", ":"))


def source() -> str:
    return settings.PUBLIC_URL or "urn:khareetaty"


def digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _subject(event: Event, kind: EventType, refs: Mapping[int, str]) -> tuple[str, str]:
    if event.subject_id is None or not kind.subject:
        return "", ""
    if kind.subject == "incident":
        ref = refs.get(event.subject_id, "")
        return ref, reverse(kind.link, kwargs={"ref": ref}) if ref else ""
    return str(event.subject_id), reverse(kind.link, kwargs={"pk": event.subject_id}) if kind.link else ""


def references(events: Sequence[Event]) -> dict[int, str]:
    """The references of the incidents among the subjects, in one query."""
    ids = {one.subject_id for one in events if one.subject_id is not None and CATALOGUE[one.type].subject == "incident"}
    found = Incident.objects.filter(pk__in=ids).select_related("region").only("received_at", "region__code") if ids else ()
    return {one.pk: one.ref for one in found}


def example(kind: EventType) -> dict[str, Any]:
    """What a body of this kind looks like, for the document: made by the very code that makes the real one."""
    given = {name: _EXAMPLES.get(name, "…") for name in kind.values}
    event = Event(pk=48213, seq=48201, type=kind.name, subject_type=kind.subject, subject_id=1234 if kind.subject else None,
                  governorate_id=3, data=given, occurred_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC))  # fmt: skip
    return dict(json.loads(payload(event, kind, refs={1234: "KW-26-001234"})))


_EXAMPLES: dict[str, Any] = {
    "type": "burglary", "priority": 2, "severity": 3, "source": "police-cad", "from": "queued", "to": "dispatched", "fields": ["priority"],
    "count": 3, "within_m": 200, "within_days": 7, "ratio": 2.1, "until": "2026-11-28T09:30:00+00:00", "is_synthetic": False,
    "change": "born", "category": "property", "merged": [17], "split_from": None, "status": "done", "hot_spots": 12, "forecasts": 84,
    "scores": 9, "predictions": 4, "model": "hotspots", "is_on": True, "kind": "rule", "level": "high", "through": "web",
    "because": "hand", "how": "snoozed", "step": 2, "unit": 5, "shift": 9, "version": 2, "supersedes": 1, "feed": "police-cad-moi-incident",
    "message_id": "KFF-2026-01882", "is_kept": True,
    "name_en": "Police CAD", "name_ar": "نظام الشرطة", "minutes": 30, "since": "2026-11-21T09:00:00+00:00",
    "giver": "police", "receiver": "municipality", "system": "Fire CAD", "error": "timeout", "code": 503,
    "last_seen_at": "2026-11-21T09:15:00+00:00", "was_offline_s": 900, "outages": 4, "within_min": 60, "of": 12, "gateway": "LORA-GW-3",
    "codes": ["AIR-17", "AIR-18"], "device": "AIR-17", "property": "temperature", "detector": "threshold", "score": 2.4, "value": 72.5,
}  # fmt: skip
