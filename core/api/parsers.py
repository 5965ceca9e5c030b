"""JSON as we take it: UTF-8, finite numbers, no name twice, no bottomless nesting, no more than the view allows."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import orjson
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from core.api.errors import PayloadTooLarge

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)


class UnsupportedEncoding(UnsupportedMediaType):
    """The answer names what is taken (RFC 9110, section 12.5.3)."""

    accept_encoding = "gzip, identity"


class StrictJSONParser(BaseParser):
    """What the standard library would let pass and the database or the next reader would choke on is refused here, in words.

    A view may name ``max_body_bytes``: the most it reads, and the most that a body compressed with gzip becomes. What comes over the
    wire is never more than ``API_MAX_BYTES``, compressed or not. The parsed body's canonical bytes (names sorted) are left on the
    view's request as ``canonical_body``: its digest is the body's identity.
    """

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        context = parser_context or {}
        request = context.get("request")
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "") if request is not None else ""
        encoding = encoding.strip().lower() or "identity"
        if encoding not in ("identity", "gzip"):
            raise UnsupportedEncoding(media_type or "", detail=_("A body comes as it is or compressed with gzip, in no other way."))
        charset = _CHARSET.search(media_type or "")
        if charset and charset.group(1).lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(media_type or "", detail=_("JSON is written in UTF-8."))
        limit = getattr(context.get("view"), "max_body_bytes", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        on_the_wire = min(limit, settings.API_MAX_BYTES)
        raw = stream.read(on_the_wire + 1)
        if len(raw) > on_the_wire:
            raise PayloadTooLarge(on_the_wire)
        if encoding == "gzip":
            raw = inflate(raw, limit)
        value, canonical = parse_json(raw)
        if request is not None:
            request.canonical_body = canonical
        return value


def inflate(packed: bytes, limit: int) -> bytes:
    """What ``packed`` (one gzip member) holds, read no further than ``limit``: a bomb costs its limit and no more.

    A file of several members is refused: nobody sends one, and a million empty ones would cost more than they hold.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        raw = stream.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ParseError(_("The body says it is compressed with gzip, and is not.")) from error
    if len(raw) > limit:
        raise PayloadTooLarge(limit)
    if not stream.eof:
        raise ParseError(_("The compressed body breaks off before its end."))
    if stream.unused_data:
        raise ParseError(_("Something stands behind the end of the compressed body."))
    return raw


def parse_json(raw: bytes) -> tuple[Any, bytes]:
    """The value and its canonical bytes; ``ParseError`` says what is wrong and where."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(_("The body is not UTF-8: byte %(at)d cannot be read.") % {"at": error.start}) from error
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno, "what": error.msg}
        raise ParseError(_("The body is not JSON: line %(line)d, column %(column)d: %(what)s.") % where) from error
    except (RecursionError, orjson.JSONEncodeError) as error:
        said = str(error)
        if "surrogate" in said or "UTF-8" in said:
            raise ParseError(_("The text holds half a character (an unpaired surrogate).")) from error
        if "64-bit" in said:
            raise ParseError(_("A number has more than 64 bits.")) from error
        raise ParseError(_("The body is nested too deeply.")) from error
    except ValueError as error:
        # The interpreter's own limit on the digits of a number.
        raise ParseError(_("A number is too long.")) from error
    if b"\\u0000" in canonical and _NUL.search(canonical):
        raise ParseError(_("The text holds the character NUL, which nothing here can keep."))
    return value, canonical


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _value in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ParseError(_("The name “%(name)s” stands twice in one object.") % {"name": twice[:80]})
    return found


def _no_constant(word: str) -> NoReturn:
    raise ParseError(_("%(word)s is not a JSON number.") % {"word": word})


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ParseError(_("The number %(digits)s is too large.") % {"digits": digits[:40]})
    return value
