"""Our own form of readings, written as CBOR (RFC 8949): half the bytes of JSON, which counts where each is paid for by a battery.

Numbers, texts, lists and maps as in JSON. Of tags there are times (0 and 1) and the one that says "this is CBOR"; all others are refused
unread: behind them stand regular expressions, e-mails and numbers without end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

import cbor2

from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.values import checked_size, finite, instant_of, text_of

MAX_DEPTH = 8
MOST_VALUES = 20_000
_MILLISECONDS = 1e11
_LARGEST = 2**63
_TIMES = (0, 1)
FACTS = ("battery_pct", "signal_dbm")


def body_of(payload: bytes) -> Any:
    """What JSON would have said: maps by text, lists, texts, numbers, true, false and null. Times are ISO 8601."""
    found: Any = None
    why = ""
    try:
        found = cbor2.loads(checked_size(payload), tag_hook=_refuse, semantic_decoders=_REFUSED, max_depth=MAX_DEPTH)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError):
        why = "not CBOR"
    if why:
        raise Undecodable(why)  # outside: the parser's error may carry what was sent
    return _plain(found, [MOST_VALUES])


class CborForm:
    """The decoder ``cbor``; it has no settings. A door that knows the device reads ``body`` as it reads JSON; others call it."""

    def __init__(self, settings: object) -> None:
        if settings:
            raise InvalidSettings("cbor", "has no settings")

    def body(self, payload: object) -> Any:
        if not isinstance(payload, bytes | bytearray | memoryview):
            raise Undecodable("not bytes")
        return body_of(bytes(payload))

    def __call__(self, payload: object) -> list[Measurement]:
        found: list[Measurement] = []
        body = self.body(payload)
        if isinstance(body, dict):
            found += [Measurement(name, finite(body[name], name)) for name in FACTS if isinstance(body.get(name), int | float)]
            if "readings" in body:
                body = body["readings"]
            elif found and not body.keys() & {"metric", "values"}:
                return found
        for row in body if isinstance(body, list) else [body]:
            found += _row(row)
        if not found:
            raise Undecodable("no readings")
        return found


def _row(row: Any) -> list[Measurement]:
    if not isinstance(row, dict):
        raise Undecodable("a reading is a map")
    at = row.get("at")
    when = None
    if at is not None:
        when = instant_of(
            at, "iso" if isinstance(at, str) else "epoch_ms" if isinstance(at, float | int) and at > _MILLISECONDS else "epoch_s"
        )
    values = row["values"] if "values" in row else {row.get("metric"): row.get("value")}
    if not isinstance(values, dict) or not values:
        raise Undecodable("no metric")
    return [Measurement(text_of(name, "metric", longest=48), _number(value), when) for name, value in values.items()]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Undecodable("value: not a number")
    return finite(value, "value")


def _plain(value: Any, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise Undecodable("more values than are read")
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else float("inf")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(one, left) for one in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise Undecodable("a key that is no text")
        return {key: _plain(one, left) for key, one in value.items()}
    raise Undecodable("bytes or a kind of value that no reading has")


def _refuse(*_anything: Any) -> NoReturn:
    raise ValueError("a tag that no reading has")


# Whatever the library knows to build, now or later: numbers of tags up to here are each refused.
_REFUSED = {tag: _refuse for tag in (*range(1_100), 43_000) if tag not in _TIMES}
