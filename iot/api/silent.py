"""For doors at which a body may hold what must be told to nobody: a plate, a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError

from core.api.parsers import StrictJSONParser
from iot.services.speaking import note_unreadable


class SilentJSONParser(StrictJSONParser):
    """What is wrong with a body is not told with the words of it."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        is_read = False
        try:
            body = super().parse(stream, media_type, parser_context)
            is_read = True
        except ParseError:
            pass  # raised anew outside: the parser's own error carries the document with it
        request = (parser_context or {}).get("request")
        if not is_read:
            device_id = getattr(getattr(request, "auth", None), "device_id", None)
            note_unreadable(b"", device_id=device_id, door="http", now=timezone.now(), detail="not JSON")
            raise ParseError(_("The body cannot be read."))
        if request is not None:
            request.canonical_body = b""
        return body
