"""Open311 GeoReport v2: its documents, as JSON and as XML, and a resident's report as our municipal complaint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import orjson
from django.utils import timezone

from incidents.models import Incident, IncidentType
from interop.standards.xml import add, written

JURISDICTION = "kw"
LONGEST = {"description": 20_000, "address_string": 300, "address_id": 120, "media_url": 500}
# Who reported it is not for us to keep: these are read only to tell one report from another.
PERSONAL = ("email", "device_id", "account_id", "first_name", "last_name", "phone")
_LISTS = {"services": "service", "service_requests": "request", "errors": "error", "attributes": "attribute", "endpoints": "endpoint"}

Row = dict[str, Any]


def as_json(rows: Any) -> bytes:
    return orjson.dumps(rows)


def as_xml(name: str, rows: Any) -> bytes:
    """``<name>`` with one element a row, named as the standard names them; a mapping is told as itself."""
    root = ElementTree.Element(name)
    _put(root, name, rows)
    return written(root)


def _put(parent: ElementTree.Element, name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            if isinstance(part, Mapping | list):
                _put(add(parent, key), key, part)
            else:
                add(parent, key, str(part).lower() if isinstance(part, bool) else part)
    else:
        for row in value:
            child = add(parent, _LISTS.get(name, "item"), None if isinstance(row, Mapping) else row)
            if isinstance(row, Mapping):
                _put(child, name, row)


def discovery(root: str, changed_at: datetime, contact: str) -> Row:
    formats = ["text/xml", "application/json"]
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": root,
        "changeset": told_time(changed_at),
        "type": "production",
        "formats": formats,
    }
    return {"changeset": told_time(changed_at), "contact": contact, "key_service": contact, "endpoints": [endpoint]}


def service(type: IncidentType) -> Row:
    return {
        "service_code": type.code,
        "service_name": type.name,
        "description": " · ".join(dict.fromkeys(filter(None, (type.name_en, type.name_ar)))),
        "metadata": False,
        "type": "realtime",
        "keywords": ", ".join(dict.fromkeys(filter(None, (type.category, type.name_en, type.name_ar)))),
        "group": type.category,
    }


def definition(type: IncidentType) -> Row:
    """Our services ask for nothing beyond the standard's own fields."""
    return {"service_code": type.code, "attributes": []}


def request(incident: Incident, place: tuple[float, float] | None, *, exact: bool) -> Row:
    """One request. Address and words are withheld where the key is told places less than exactly."""
    return {
        "service_request_id": incident.ref,
        "status": "open" if incident.is_open else "closed",
        "status_notes": incident.get_disposition_display() or None,
        "service_name": incident.type.name,
        "service_code": incident.type.code,
        "description": (incident.description or None) if exact else None,
        "agency_responsible": incident.agency.name,
        "service_notice": None,
        "requested_datetime": told_time(incident.reported_at),
        "updated_datetime": told_time(incident.changed_at),
        "expected_datetime": None,
        "address": (incident.address or None) if exact else None,
        "address_id": (incident.paci_number or None) if exact else None,
        "zipcode": None,
        "lat": place[1] if place else None,
        "long": place[0] if place else None,
        "media_url": None,
    }


def errors(status: int, sentences: Sequence[str]) -> list[Row]:
    return [{"code": status, "description": sentence} for sentence in sentences]


def told_time(at: datetime) -> str:
    return timezone.localtime(at).replace(microsecond=0).isoformat()


def fingerprint_of(given: Mapping[str, str]) -> str:
    """Tells a report from another: of all that was sent but the key."""
    kept = {name: value.strip() for name, value in given.items() if name not in ("api_key", "jurisdiction_id") and value.strip()}
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


def complaint_of(given: Mapping[str, str], *, number: str, at: datetime) -> Row:
    """The municipal complaint a report becomes. ``lat`` and ``long`` are numbers already judged by the caller."""
    details = [given.get("description", "").strip()]
    details += [f"{name}: {value.strip()}" for name, value in sorted(given.items()) if name.startswith("attribute[") and value.strip()]
    if given.get("media_url", "").strip():
        details.append(given["media_url"].strip())
    message: Row = {
        "complaint_number": number,
        "category": given["service_code"].strip(),
        "submitted_at": at.isoformat(),
        "channel": "open311",
        "details": "\n".join(filter(None, details))[: LONGEST["description"]],
    }
    if given.get("lat"):
        message["location"] = {"longitude": float(given["long"]), "latitude": float(given["lat"])}
    if given.get("address_string", "").strip():
        message["address"] = given["address_string"].strip()
    if given.get("address_id", "").strip():
        message["address_parts"] = {"paci_number": given["address_id"].strip()}
    return message
