"""Values out of a JSON payload by the paths a device profile names.

Settings::

    {"fields": [{"metric": "temperature_c", "path": "data.temp", "factor": 0.1, "offset": 0, "required": false, "values": {"ON": 1}}],
     "time": {"path": "ts", "format": "epoch_s" | "epoch_ms" | "iso", "utc_offset_minutes": 180},
     "each": "readings"}

A path is keys and indexes: ``a.b[0].c``, ``["key.with.dots"]``, ``[-1]``.
``each`` is the path to a list whose elements are read one by one; ``values`` turns words into numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.settings import Settings, distinct
from iot.decoders.values import TIME_FORMATS, finite, instant_of, json_of, number_of

MAX_ELEMENTS = 10_000
_STEP = re.compile(r"""\.?([A-Za-z0-9_\-/ ]+)|\[(-?\d{1,6})\]|\["([^"]{1,100})"\]""")
Step = str | int
_MISSING = object()


def path_of(text: str, where: str) -> tuple[Step, ...]:
    """The steps of a path.

    >>> path_of('a.b[0]["c.d"]', "path")
    ('a', 'b', 0, 'c.d')
    """
    steps: list[Step] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None or (not steps and found.group(0).startswith(".")) or (steps and found.group(1) and text[position] != "."):
            raise InvalidSettings(where, f"cannot be read from character {position + 1} on")
        key, index, quoted = found.groups()
        steps.append(int(index) if index is not None else (key or quoted))
        position = found.end()
    if not 0 < len(steps) <= 16:
        raise InvalidSettings(where, "must have 1 to 16 steps")
    return tuple(steps)


def found_at(body: Any, path: tuple[Step, ...]) -> Any:
    """What lies at the path; ``_MISSING`` where a step leads nowhere, and for null."""
    for step in path:
        if isinstance(step, str):
            body = body.get(step) if isinstance(body, dict) else None
        else:
            body = body[step] if isinstance(body, list) and -len(body) <= step < len(body) else None
        if body is None:
            return _MISSING
    return body


@dataclass(frozen=True, slots=True)
class _Field:
    metric: str
    path: tuple[Step, ...]
    factor: float
    offset: float
    is_required: bool
    values: Mapping[str, float]

    def of(self, body: Any) -> float | None:
        value = found_at(body, self.path)
        if value is _MISSING:
            if self.is_required:
                raise Undecodable(f"{self.metric}: missing")
            return None
        if self.values and isinstance(value, str) and value in self.values:
            value = self.values[value]
        return finite(number_of(value, self.metric) * self.factor + self.offset, self.metric)


@dataclass(frozen=True, slots=True)
class _Time:
    path: tuple[Step, ...]
    how: str
    utc_offset_minutes: int | None

    def of(self, body: Any) -> datetime | None:
        value = found_at(body, self.path)
        return None if value is _MISSING else instant_of(value, self.how, utc_offset_minutes=self.utc_offset_minutes)


class JsonPath:
    """See the module; takes bytes, or what was read from them already (a network server's decoded object)."""

    def __init__(self, settings: object) -> None:
        given = Settings(settings)
        self._fields = tuple(_field(one) for one in given.parts("fields"))
        distinct([field.metric for field in self._fields])
        self._time = _time(given.part("time")) if given.has("time") else None
        self._each = path_of(given.text("each"), "each") if given.has("each") else None
        given.done()

    def __call__(self, payload: object) -> list[Measurement]:
        body = json_of(bytes(payload)) if isinstance(payload, bytes | bytearray | memoryview) else payload
        elements = [body]
        if self._each is not None:
            elements = found_at(body, self._each)
            if not isinstance(elements, list):
                raise Undecodable("no list of readings where one should be")
            if len(elements) > MAX_ELEMENTS:
                raise Undecodable(f"more than {MAX_ELEMENTS:,} readings")
        found = []
        for element in elements:
            at = self._time.of(element) if self._time else None
            found += [Measurement(field.metric, value, at) for field in self._fields if (value := field.of(element)) is not None]
        if not found:
            raise Undecodable("none of the fields is there")
        return found


def _field(given: Settings) -> _Field:
    values = given.raw("values", {})
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise given.wrong("values", "must be an object of words and numbers")
    named = given.part("values") if values else None
    field = _Field(
        metric=given.metric(),
        path=path_of(given.text("path"), given.at("path")),
        factor=given.factor(),
        offset=given.number("offset", 0.0),
        is_required=given.flag("required", False),
        values={word: named.number(word) for word in values} if named else {},
    )
    given.done()
    return field


def _time(given: Settings) -> _Time:
    offset = given.whole("utc_offset_minutes", 0, least=-840, most=840) if given.has("utc_offset_minutes") else None
    time = _Time(path_of(given.text("path"), given.at("path")), given.text("format", among=TIME_FORMATS), offset)
    given.done()
    return time
