from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class FastJSONRenderer(BaseRenderer):
    """JSON by orjson: half the work of a small answer is writing it."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class ProblemRenderer(FastJSONRenderer):
    """So that a caller may ask for nothing but problem details; errors are sent as such whatever was asked."""

    media_type = "application/problem+json"
    format = "problem"
