"""What the OpenAPI document says of these addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from core.api.errors import CONTENT_TYPE, ProblemSerializer
from interop.api.external.asked import MOST, MOST_CSV, PAGE, Filter, sort_names

TAG = "external"
HOW = """
Formats: JSON (default), GeoJSON (`application/geo+json` in `Accept`, or `.geojson` after the address) and CSV (`text/csv`, or `.csv`),
which is streamed whole and not paged unless `limit` says where to stop. Pages: go on with `next` (also in the `Link` header) until it
is null; rows written meanwhile neither shift nor repeat a page. Ask again with the `ETag` in `If-None-Match`: 304 says that nothing has
changed. What your key may not see does not exist here and is not counted. A key of less than exact precision is told places to
100 metres or to the area, in every format, and filters by what it is told.
""".strip()
NEXT = "The next page; null: the last."


def parameter(name: str, rule: Filter) -> OpenApiParameter:
    is_list = rule.schema.get("type") == "array"
    return OpenApiParameter(
        name, dict(rule.schema), description=rule.description, required=rule.required, style="form" if is_list else None,
        explode=False if is_list else None,
        examples=[OpenApiExample(name, value=rule.example)] if rule.example is not None else None,
    )  # fmt: skip


def choice_of_fields(columns: Sequence[str]) -> OpenApiParameter:
    return OpenApiParameter(
        "fields", {"type": "array", "items": {"type": "string", "enum": list(columns)}, "minItems": 1},
        description="Only these fields, by commas.", style="form", explode=False,
    )  # fmt: skip


TOKEN = {"type": "string", "maxLength": 600}
NOT_CHANGED = {304: OpenApiResponse(description="What you hold (`If-None-Match`) still holds.")}


def problems(*statuses: int) -> dict[Any, Any]:
    said = {
        400: "A cursor that we did not give, or of another question.",
        404: "There is nothing here, or nothing you may see.",
        406: "None of the formats we can tell it in.",
        409: "Too little is known to say it; the detail says what is missing.",
        422: "Something asked that cannot be asked, each thing named.",
    }
    return {(status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description=said[status]) for status in statuses}


def lists(view: Any, *, operation: str, summary: str, row: Any, more: Mapping[str, Any] | None = None) -> Any:
    """The document of a list: ``view`` is a ``Table`` class."""
    page = inline_serializer(
        f"External{row.__name__.removesuffix('Serializer').removeprefix('External')}Page",
        {
            **(more or {}),
            "results": row(many=True),
            "next": serializers.URLField(allow_null=True, help_text=NEXT),
        },
    )
    return extend_schema(
        operation_id=operation,
        tags=[TAG],
        summary=summary,
        description=HOW,
        parameters=[
            *(parameter(name, rule) for name, rule in view.filters.items()),
            choice_of_fields(view.columns),
            OpenApiParameter(
                "sort",
                {"type": "string", "enum": sort_names(view.sorts), "default": next(iter(view.sorts))},
                description="A minus turns it round.",
            ),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST, "default": PAGE},
                description=f"Rows a page; of CSV up to {MOST_CSV:,}.",
            ),
            OpenApiParameter("cursor", TOKEN, description="Where to go on: taken from `next`."),
        ],
        responses={
            (200, "application/json"): page,
            (200, "application/geo+json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
            **NOT_CHANGED,
            **problems(400, 406, 422),
        },
    )


def details(view: Any, *, operation: str, summary: str, row: Any, id_parameter: OpenApiParameter | None = None) -> Any:
    return extend_schema(
        operation_id=operation,
        tags=[TAG],
        summary=summary,
        parameters=[*([id_parameter] if id_parameter else []), choice_of_fields(view.columns)],
        responses={
            (200, "application/json"): row,
            (200, "application/geo+json"): OpenApiTypes.OBJECT,
            **NOT_CHANGED,
            **problems(404, 406, 422),
        },
    )
