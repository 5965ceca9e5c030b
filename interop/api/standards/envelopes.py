"""Parsers for intakes that take CloudEvents beside plain JSON: structured, batch and binary mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError

from core.api.parsers import StrictJSONParser
from interop.messages import MESSAGES
from interop.services.letters import canonical_of
from interop.standards import cloudevents


class BinaryEventParser(StrictJSONParser):
    """Plain JSON, or the data of an event whose attributes stand in ``ce-…`` headers."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        value = super().parse(stream, media_type, parser_context)
        request = (parser_context or {}).get("request")
        attributes = cloudevents.attributes_in(request.META) if request is not None else None
        if attributes is None or request is None:
            return value
        return _kept(cloudevents.with_origin(value, attributes, id_field=_id_field(parser_context)), request)


class StructuredEventParser(StrictJSONParser):
    media_type = cloudevents.STRUCTURED

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        envelope = super().parse(stream, media_type, parser_context)
        return _kept(cloudevents.unwrapped(envelope, id_field=_id_field(parser_context)), (parser_context or {}).get("request"))


class EventBatchParser(StrictJSONParser):
    media_type = cloudevents.BATCH

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        envelopes = super().parse(stream, media_type, parser_context)
        if not isinstance(envelopes, list):
            raise ParseError(_("A batch of CloudEvents is a JSON list."))
        id_field = _id_field(parser_context)
        return _kept([cloudevents.unwrapped(one, id_field=id_field) for one in envelopes], (parser_context or {}).get("request"))


ENVELOPES = [BinaryEventParser, StructuredEventParser, EventBatchParser]


def _id_field(context: Mapping[str, Any] | None) -> str:
    kind = getattr((context or {}).get("view"), "kind", None)
    return MESSAGES[kind].id_field if kind in MESSAGES else ""


def _kept(value: Any, request: Any) -> Any:
    """The body's identity is that of the message, not of its envelope."""
    if request is not None:
        request.canonical_body = canonical_of(value)
    return value
