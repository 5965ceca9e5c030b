"""The OpenAPI document: each operation says which problems it may answer with."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularSchema

from core.api.errors import CONTENT_TYPE, ProblemSerializer

_MEANING = {
    "400": "The body or the address cannot be read.",
    "401": "No key, or one that is unknown, expired or revoked.",
    "403": "The key is not meant for this.",
    "404": "There is nothing here, or nothing you may see.",
    "409": "This id was sent before with another content.",
    "413": "The body is too large.",
    "415": "Not JSON in UTF-8, or compressed.",
    "422": "Fields that are not right, each named.",
    "default": "Any other problem.",
}


class AutoSchema(SpectacularSchema):
    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction=direction)
        if direction != "response":
            return responses
        own_form = getattr(self.view, "problem_content", None)
        for code in self._problem_codes():
            if code not in responses and own_form is not None:
                responses[code] = {"content": own_form, "description": _MEANING[code]}
            elif code not in responses:
                answer = self._get_response_for_code(ProblemSerializer, code, media_types=[CONTENT_TYPE])
                responses[code] = {**answer, "description": _MEANING[code]}
        return responses

    def _get_request_body(self, direction: Any = "request") -> dict[str, Any] | None:
        body: dict[str, Any] | None = super()._get_request_body(direction)
        return {**body, "required": True} if body else body

    def _get_paginator(self) -> Any:
        """Only reading is paged: a list that a POST answers with is the list itself."""
        return super()._get_paginator() if self.method == "GET" else None

    def _problem_codes(self) -> list[str]:
        codes = ["401", "403"] if any(self.get_auth()) else []
        if "{" in self.path:
            codes.append("404")
        if self.method in ("POST", "PUT", "PATCH"):
            codes += ["400", "409", "413", "415"]
        if self.method in ("POST", "PUT", "PATCH") or self._get_paginator() is not None:
            codes.append("422")
        return [*sorted(codes), "default"]


def nothing_is_required_of_chosen_fields(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """Where the caller chooses the fields (``fields=``), any may be absent: the shapes of ``/external``, but not their pages."""
    for name, shape in result.get("components", {}).get("schemas", {}).items():
        if name.startswith("External") and not name.endswith("Page"):
            shape.pop("required", None)
    return result


_TIME = r"^\d\d:\d\d(:\d\d(\.\d{1,6})?)?$"


def shapes_are_what_is_sent(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """A clock's time has no offset, so it is not JSON Schema's `time`; a text that may be empty matches both of its shapes, not one."""

    def mend(shape: Any) -> None:
        if isinstance(shape, dict):
            if shape.get("format") == "time":
                del shape["format"]
                shape["pattern"] = _TIME
            if {"type": "string", "maxLength": 0} in shape.get("oneOf", []):
                shape["anyOf"] = shape.pop("oneOf")
            for part in shape.values():
                mend(part)
        elif isinstance(shape, list):
            for part in shape:
                mend(part)

    mend(result)
    return result
