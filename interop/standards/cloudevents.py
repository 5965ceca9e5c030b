"""CloudEvents 1.0: an envelope round one message. What is inside is the message; who sent it and under which id is kept with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError

SPECVERSION = "1.0"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
KEPT_AS = "cloudevent"
MAX_ATTRIBUTE = 128
_REQUIRED = ("id", "source", "specversion", "type")


def unwrapped(envelope: Any, *, id_field: str = "") -> Any:
    """The message inside a structured event. ``ParseError`` says what an envelope lacks."""
    if not isinstance(envelope, dict):
        raise ParseError(_("A CloudEvent is a JSON object."))
    if "data_base64" in envelope:
        raise ParseError(_("Send the event's data as JSON in “data”; “data_base64” is not read."))
    content_type = str(envelope.get("datacontenttype") or "application/json").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise ParseError(_("The event's data must be JSON (datacontenttype application/json)."))
    return with_origin(envelope.get("data"), attributes_of(envelope), id_field=id_field)


def attributes_of(given: Mapping[str, Any]) -> dict[str, str]:
    """The four that every event has, judged."""
    attributes: dict[str, str] = {}
    for name in _REQUIRED:
        value = given.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_ATTRIBUTE:
            where = {"name": name, "limit": MAX_ATTRIBUTE}
            raise ParseError(_("A CloudEvent needs the attribute “%(name)s”: text of 1 to %(limit)d characters.") % where)
        attributes[name] = value
    if attributes["specversion"] != SPECVERSION:
        raise ParseError(_("We read CloudEvents of version %(version)s.") % {"version": SPECVERSION})
    return attributes


def with_origin(data: Any, attributes: Mapping[str, str], *, id_field: str = "") -> Any:
    """The message with the event's id and source kept beside its fields. A message without an id of its own takes the event's."""
    if not isinstance(data, dict):
        return data
    message = {**data, KEPT_AS: {name: attributes[name] for name in ("id", "source", "type")}}
    if id_field and not data.get(id_field):
        message[id_field] = attributes["id"]
    return message


def attributes_in(meta: Mapping[str, Any]) -> dict[str, str] | None:
    """The attributes of an event in binary mode: ``ce-…`` headers as WSGI names them; ``None`` where there are none."""
    given = {name: str(meta[f"HTTP_CE_{name.upper()}"]) for name in _REQUIRED if f"HTTP_CE_{name.upper()}" in meta}
    return attributes_of({name: _unescaped(value) for name, value in given.items()}) if given else None


def _unescaped(value: str) -> str:
    """Header values are percent-encoded UTF-8."""
    return unquote(value, errors="replace")
