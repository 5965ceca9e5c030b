"""Numbers, instants and JSON as devices write them: read strictly, refused by one error that repeats nothing of what was sent."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from iot.decoders.errors import Undecodable

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
TIME_FORMATS = ("epoch_s", "epoch_ms", "iso")
_NUMBER = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?\Z", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")  # network servers write nanoseconds
_LAST_S = 253_402_300_799.0  # the end of the year 9999


def json_of(payload: bytes) -> Any:
    """The JSON in ``payload``: no NaN, no infinity, not too large, not too deep.

    The error is raised outside of the ``except``: the parser's own error carries the whole document with it.
    """
    checked_size(payload)
    body: Any = None
    try:
        body = orjson.loads(payload)
        is_json = True
    except orjson.JSONDecodeError:
        is_json = False
    if not is_json:
        raise Undecodable("not JSON")
    if _depth(body) > MAX_DEPTH:
        raise Undecodable("JSON nested too deeply")
    return body


def object_of(payload: object) -> dict[str, Any]:
    """A JSON object, from bytes or read already."""
    body = json_of(bytes(payload)) if isinstance(payload, bytes | bytearray | memoryview) else payload
    if not isinstance(body, dict):
        raise Undecodable("not a JSON object")
    return body


def checked_size(payload: bytes) -> bytes:
    if len(payload) > MAX_BYTES:
        raise Undecodable(f"larger than {MAX_BYTES:,} bytes")
    return payload


def number_of(value: object, name: str) -> float:
    """A finite number: JSON's own, true and false as 1 and 0, or a number written as text."""
    if isinstance(value, str) and len(value) <= 40 and _NUMBER.match(value.strip()):
        value = float(value)
    if not isinstance(value, int | float):
        raise Undecodable(f"{name}: not a number")
    return finite(value, name)


def finite(value: float, name: str) -> float:
    if abs(value) > 1e300 or not math.isfinite(value):  # a huge int would break float()
        raise Undecodable(f"{name}: not a finite number")
    return float(value)


def instant_of(value: object, how: str, name: str = "time", *, utc_offset_minutes: int | None = None) -> datetime:
    """An instant written as ``epoch_s``, ``epoch_ms`` or ``iso``; whether it is plausible is the writer's to judge."""
    if how == "iso":
        return _iso(value, name, utc_offset_minutes)
    seconds = number_of(value, name) / (1000 if how == "epoch_ms" else 1)
    if not 0 <= seconds <= _LAST_S:
        raise Undecodable(f"{name}: out of range")
    return datetime.fromtimestamp(seconds, UTC)


def _iso(value: object, name: str, utc_offset_minutes: int | None) -> datetime:
    found: datetime | None = None
    if isinstance(value, str) and len(value) <= 40:
        try:
            found = datetime.fromisoformat(_FRACTION.sub(r"\1", value))
        except ValueError:
            found = None
    if found is None:
        raise Undecodable(f"{name}: not an ISO 8601 time")
    out_of_range = Undecodable(f"{name}: out of range")
    try:
        if found.tzinfo is not None:
            return found.astimezone(UTC)
        if utc_offset_minutes is None:
            out_of_range = Undecodable(f"{name}: without a time zone")
        else:
            return datetime.fromtimestamp(found.replace(tzinfo=UTC).timestamp() - utc_offset_minutes * 60, UTC)
    except (OverflowError, ValueError):
        pass
    raise out_of_range


def base64_of(value: object, name: str) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(checked_size(value.encode("ascii")), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            pass
    raise Undecodable(f"{name}: not base64")


def hex_of(value: object, name: str) -> bytes:
    if isinstance(value, str):
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise Undecodable(f"{name}: not hexadecimal")


def text_of(value: object, name: str, *, longest: int = 200) -> str:
    if not isinstance(value, str) or not value or len(value) > longest or "\0" in value:
        raise Undecodable(f"{name}: not a text")
    return value


def _depth(body: Any) -> int:
    """How deep ``body`` is nested; stops counting one above the limit."""
    level, depth = [body], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [child for one in level if isinstance(one, dict | list) for child in (one.values() if isinstance(one, dict) else one)]
    return depth
