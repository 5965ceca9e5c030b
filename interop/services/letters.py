"""A message on its way in, read: its identity, its faults, and what it asks to be opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from core.api.handler import field_errors
from core.errors import DomainError, Invalid
from geography.services import place_of
from incidents.models import Incident, IncidentType
from incidents.permissions import Actor
from incidents.services import Opened, open_incident
from interop.messages import MESSAGES, Message, Notice, Particulars
from interop.models import Feed, InboxMessage, PartnerKey
from interop.services.feeds import words_of
from interop.services.warnings import Taken

Fault = dict[str, str]


class Outcome(StrEnum):
    OPENED = "opened"
    REPEATED = "repeated"
    REJECTED = "rejected"
    KEPT = "kept"


@dataclass(frozen=True)
class Receipt:
    """What became of a message. ``errors`` is ``[{field, code, detail}]`` where it was rejected."""

    outcome: Outcome
    message: InboxMessage | None
    incident: Incident | None = None
    errors: list[Fault] = field(default_factory=list)
    taken: Taken | None = None  # of a warning


@dataclass(frozen=True)
class Letter:
    """A message on its way in."""

    feed: Feed
    kind: str
    body: dict[str, Any]
    size_bytes: int
    digest: str
    message_id: str
    idempotency_key: str | None
    key: PartnerKey | None
    faults: list[Fault]
    particulars: Particulars | Notice | None


# A serializer keeps nothing of what it reads, so one of each kind serves every thread: building one costs as much as using it.
_READERS: dict[str, Message] = {}


def reader_of(kind: str) -> Message:
    reader = _READERS.get(kind)
    if reader is None:
        reader = MESSAGES[kind]()
        assert reader.fields
        _READERS[kind] = reader
    return reader


def digest_of_body(canonical: bytes) -> str:
    return hashlib.sha256(canonical).hexdigest()


def canonical_of(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def read_letter(
    *, feed: Feed, kind: str, body: Any, idempotency_key: str, key: PartnerKey | None, canonical: bytes | None = None
) -> Letter | Receipt:
    """The letter, or the receipt of what is no message at all."""
    if not isinstance(body, dict):
        return Receipt(Outcome.REJECTED, None, errors=[{"field": "", "code": "not_an_object", "detail": _("A message is a JSON object.")}])
    canonical = canonical if canonical is not None else canonical_of(body)
    reader = reader_of(kind)
    faults: list[Fault] = []
    particulars = None
    digest = digest_of_body(canonical)
    try:
        given = reader.run_validation(body)
        particulars = reader.particulars(given)
        own_id = reader.id_of(given)
    except ValidationError as refusal:
        faults = field_errors(refusal)
        own_id = reader.raw_id_of(body)
    message_id = own_id or (f"key:{idempotency_key}" if idempotency_key else f"sha256:{digest}")
    return Letter(feed, kind, body, len(canonical), digest, message_id, idempotency_key or None, key, faults, particulars)


def type_of(letter: Letter) -> IncidentType | None:
    """Our type for the letter's word, added where nobody knows it: apart from the incident, so that it outlives a refusal of it.
    A warning has none."""
    given = letter.particulars
    if given is None:
        raise Invalid(
            _("Some fields are not right."),
            fields={fault["field"]: fault["detail"] for fault in letter.faults},
            codes={fault["field"]: fault["code"] for fault in letter.faults},
        )
    if isinstance(given, Notice):
        return None
    try:
        return words_of(letter.feed.source).type_of(given.type_word)
    except ValueError as error:
        raise Invalid(_("Some fields are not right."), fields={reader_of(letter.kind).type_field: _("This says nothing.")}) from error


def open_letter(letter: Letter, type: IncidentType | None, *, by: Actor | None) -> Opened:
    """Open the letter's incident, or raise ``Invalid`` in the sender's words."""
    reader = reader_of(letter.kind)
    given = letter.particulars
    assert isinstance(given, Particulars) and type is not None
    severity = words_of(letter.feed.source).severity_of(given.severity) if isinstance(given.severity, str) else given.severity
    try:
        return open_incident(
            source=letter.feed.source,
            type=type,
            occurred_at=given.occurred_at,
            reported_at=given.reported_at,
            kind=letter.kind,
            raw=letter.body,
            by=by,
            external_id=letter.message_id,
            location=given.location,
            priority=given.priority,
            severity=severity,
            description=given.description,
            address=given.address,
            address_parts=given.address_parts,
            origin=given.origin,
            is_synthetic=letter.feed.partner.is_synthetic,
        )
    except Invalid as refusal:
        renamed: dict[str, str] = {}
        codes: dict[str, str] = {}
        for name, text in refusal.fields.items():
            theirs = reader.id_field if name == "external_id" else _sent_as(reader, name, letter.body)
            renamed[theirs] = text
            codes[theirs] = refusal.codes.get(name, "invalid")
        if "location" in refusal.fields and given.location is not None and _is_swapped(given.location):
            renamed["location"] += " " + _("Longitude and latitude look swapped.")
        raise Invalid(refusal.message, fields=renamed, codes=codes) from refusal


def _sent_as(reader: Message, particular: str, body: Mapping[str, Any]) -> str:
    """The field of the sender that our ``particular`` was read from."""
    theirs = reader.name_of(particular)
    if particular == "occurred_at" and body.get(theirs) is None:
        return reader.name_of("reported_at")
    return theirs


def _is_swapped(location: Any) -> bool:
    swapped = location.clone()
    swapped.x, swapped.y = location.y, location.x
    return place_of(swapped) is not None


def faults_of(refusal: DomainError) -> list[Fault]:
    if not refusal.fields:
        return [{"field": "", "code": refusal.code, "detail": refusal.message}]
    return [{"field": name, "code": refusal.codes.get(name, refusal.code), "detail": text} for name, text in refusal.fields.items()]
