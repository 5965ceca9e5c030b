from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """Pages by key, newest first: no page shifts when rows are added, none costs more than the first."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 500

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                _as_key(str(cursor.position))
        except (NotFound, ValueError) as error:
            raise ValidationError({"cursor": _("This cursor is not one we gave.")}, code="invalid_cursor") from error
        return cursor

    def get_page_size(self, request: Request) -> int | None:
        given = request.query_params.get("limit")
        if given is None:
            return self.page_size
        if not given.isascii() or not given.isdigit() or not 1 <= int(given[:6]) <= self.max_page_size:
            raise ValidationError({"limit": _("1 to %(limit)d.") % {"limit": self.max_page_size}}, code="invalid")
        return int(given)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where to go on: taken from `next` or `previous` of the last page.",
                "schema": {"type": "string", "maxLength": 200},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size},
            },
        ]


def _as_key(position: str) -> int:
    value = int(position) if position.isascii() and position.isdigit() and len(position) <= 18 else -1
    if value < 0:
        raise ValueError(position)
    return value
