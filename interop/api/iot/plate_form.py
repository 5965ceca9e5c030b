"""A plate reader's form: the part `json` is its message, every other part is a picture and is let go as it is read.

Nothing of a form is written anywhere: pictures get no file, no buffer and no line in a log, and what is wrong with a form is not told with
the words of it. The web process holds a form in memory (``core.web``), so that it touches no disk on its way here.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core.api.errors import PayloadTooLarge
from iot.api.silent import SilentJSONParser
from iot.services.speaking import note_unreadable

PART = "json"


class PlateFormParser(BaseParser):
    """The message in the form's part ``json``, whether it came as a field or as a file; it is read as strictly as any other body."""

    media_type = "multipart/form-data"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        context = parser_context or {}
        request, view = context.get("request"), context.get("view")
        meta = request.META if request is not None else {}
        most = settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        length = str(meta.get("CONTENT_LENGTH") or "0")
        if length.isdigit() and int(length[:20]) > most:
            raise PayloadTooLarge(most)
        raw = _part(stream, meta, most=getattr(view, "max_body_bytes", most))
        if raw is None:
            device_id = getattr(getattr(request, "auth", None), "device_id", None)
            note_unreadable(b"", device_id=device_id, door="http", now=timezone.now(), detail="no form with a part json")
            raise ParseError(_("The body cannot be read."))
        return SilentJSONParser().parse(BytesIO(raw), "application/json", context)


class _MessageAlone(FileUploadHandler):
    """Keeps the part ``json`` where it comes as a file, at most one byte more than ``most``; of other files nothing."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.found: bytes | None = None

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        super().new_file(field_name, *args, **kwargs)
        if field_name != PART or self.found is not None:
            raise SkipFile
        self.found = b""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.found = (self.found or b"") + raw_data[: self.most + 1 - start]
        if start + len(raw_data) > self.most:
            raise StopUpload(connection_reset=True)

    def file_complete(self, file_size: int) -> None:
        return None


def _part(stream: Any, meta: Mapping[str, Any], *, most: int) -> bytes | None:
    """The bytes of the message, cut one behind ``most``; ``None`` where it is no form, or has no such part. The parser's errors are not
    passed on: they may carry a piece of the form."""
    handler = _MessageAlone(most)
    try:
        fields, _files = MultiPartParser(dict(meta), stream, [handler], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation, ValueError):
        return None
    if handler.found is not None:
        return handler.found
    values = fields.getlist(PART)
    return str(values[0]).encode("utf-8", "surrogatepass")[: most + 1] if values else None
