"""The ``webhooks`` of our OpenAPI document, made from the catalogue: what a receiver is sent, of each type, and how it is signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import translation

from interop.services.webhooks.catalogue import CATALOGUE, TEST_TYPE, EventType
from interop.services.webhooks.payload import CONTENT_TYPE, example

BASE = "https://khareetaty.example"  # the document is the same wherever it is made
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_HEADERS = {
    "WebhookId": ("webhook-id", "The same on every attempt, a replay too: keep those you have taken.", {"type": "string"}),
    "WebhookTimestamp": (
        "webhook-timestamp",
        "Seconds since 1970, of this attempt. Refuse what is more than five minutes away.",
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    "WebhookSignature": (
        "webhook-signature",
        "Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, with the bytes behind "
        "`whsec_` as the key. Two, with a space between them, while a secret is replaced: one that fits is enough.",
        {"type": "string", "pattern": r"^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$"},
    ),
}
_ANSWERS = {
    "2XX": {"description": "Taken. Answer within 15 s; the body is not needed."},
    "410": {"description": "Nothing more is wanted: the webhook ends."},
    "default": {"description": "Not taken (a redirect too): tried again for about 28 hours, `Retry-After` is heeded up to an hour."},
}


def webhooks_of_the_catalogue(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """A hook of drf-spectacular."""
    parameters = result.setdefault("components", {}).setdefault("parameters", {})
    for name, (header, about, shape) in _HEADERS.items():
        parameters[name] = {"name": header, "in": "header", "required": True, "description": about, "schema": shape}
    with translation.override("en"):
        result["webhooks"] = {kind.name: {"post": _operation(kind)} for kind in (*CATALOGUE.values(), TEST_TYPE)}
    return result


def _operation(kind: EventType) -> dict[str, Any]:
    shown = shown_example(kind)
    needs = f"Needs the scope `{kind.scope}`." if kind is not TEST_TYPE else "Sent to one webhook when its owner asks for it."
    return {
        "operationId": f"on_{kind.name.replace('.', '_')}",
        "tags": ["webhooks"],
        "summary": str(kind.about),
        "description": f"{needs} A thin CloudEvent 1.0: read what it is about at `data.url`.",
        "security": [],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _HEADERS],
        "requestBody": {"required": True, "content": {CONTENT_TYPE: {"schema": shape_of(kind, shown), "example": shown}}},
        "responses": _ANSWERS,
    }


def shown_example(kind: EventType) -> dict[str, Any]:
    body = example(kind)
    body["source"] = BASE
    if "url" in body["data"]:
        body["data"]["url"] = BASE + body["data"]["url"].removeprefix(settings.PUBLIC_URL)
    return body


def shape_of(kind: EventType, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What is always there is required; the event's own values may be absent, and may be null."""
    envelope = {name: {"type": "string"} for name in shown if name != "data"}
    envelope |= {"specversion": {"const": "1.0"}, "type": {"const": kind.name}, "time": {"type": "string", "format": "date-time"}}
    data = {name: _value(value) for name, value in shown["data"].items()}
    if kind.subject:
        data["subject"] = {
            "type": "object",
            "required": ["kind", "id"],
            "properties": {"kind": {"const": kind.subject}, "id": {"type": "string"}},
        }
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {**envelope, "data": {"type": "object", "properties": data}},
    }


def _value(value: Any) -> dict[str, Any]:
    return {} if value is None else {"type": [_TYPES[type(value)], "null"]}
