"""Values out of a binary frame by offset and type.

Settings::

    {"encoding": "raw" | "hex" | "base64", "order": "big" | "little", "length": 11,
     "fields": [{"metric": "battery_v", "at": 0, "type": "u16", "order": "little", "mask": 16383,
                 "factor": 0.001, "offset": 0, "absent": 16383}],
     "time": {"at": 4, "type": "u32", "format": "epoch_s"}}

A mask's lowest bit is the value's lowest bit. ``absent`` is the raw value (after the mask) that means "not measured". ``length`` is the
exact number of bytes; without it a frame must be long enough for its fields.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from iot.decoders.errors import InvalidSettings, Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.settings import Settings, distinct
from iot.decoders.values import base64_of, checked_size, finite, hex_of, instant_of

WHOLE = {f"{sign}{8 * size}": (size, sign == "i") for size in (1, 2, 3, 4, 8) for sign in ("u", "i")}
REAL = {"f32": ("f", 4), "f64": ("d", 8)}
TYPES = (*WHOLE, *REAL)
ORDERS = ("big", "little")
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class _Raw:
    """Where a number lies in the frame, and how it is written."""

    at: int
    type: str
    order: str
    mask: int | None

    @property
    def end(self) -> int:
        return self.at + (WHOLE[self.type][0] if self.type in WHOLE else REAL[self.type][1])

    def of(self, frame: bytes, name: str) -> float:
        part = frame[self.at : self.end]
        if len(part) < self.end - self.at:
            raise Undecodable(f"{name}: the frame ends before it")
        if self.type in REAL:
            return finite(struct.unpack((">" if self.order == "big" else "<") + REAL[self.type][0], part)[0], name)
        is_signed = WHOLE[self.type][1] and self.mask is None
        value = int.from_bytes(part, "big" if self.order == "big" else "little", signed=is_signed)
        if self.mask is None:
            return value
        return (value & self.mask) >> ((self.mask & -self.mask).bit_length() - 1)


@dataclass(frozen=True, slots=True)
class _Field:
    metric: str
    raw: _Raw
    factor: float
    offset: float
    absent: float | None


class BinaryFields:
    """See the module."""

    def __init__(self, settings: object) -> None:
        given = Settings(settings)
        self._encoding = given.text("encoding", "raw", among=("raw", "hex", "base64"))
        order = given.text("order", "big", among=ORDERS)
        self._length = given.whole("length", least=1, most=LONGEST) if given.has("length") else None
        self._fields = tuple(_field(one, order) for one in given.parts("fields"))
        distinct([field.metric for field in self._fields])
        self._time: tuple[_Raw, str] | None = None
        if given.has("time"):
            time = given.part("time")
            self._time = _raw(time, order), time.text("format", "epoch_s", among=("epoch_s", "epoch_ms"))
            time.done()
        given.done()
        ends = [field.raw.end for field in self._fields] + ([self._time[0].end] if self._time else [])
        if self._length is not None and max(ends) > self._length:
            raise InvalidSettings("length", "is shorter than the fields reach")

    def __call__(self, payload: object) -> list[Measurement]:
        frame = self._frame(payload)
        if self._length is not None and len(frame) != self._length:
            raise Undecodable(f"{len(frame)} bytes instead of {self._length}")
        at = instant_of(self._time[0].of(frame, "time"), self._time[1]) if self._time else None
        found = []
        for field in self._fields:
            raw = field.raw.of(frame, field.metric)
            if raw != field.absent:
                found.append(Measurement(field.metric, finite(raw * field.factor + field.offset, field.metric), at))
        if not found:
            raise Undecodable("none of the fields was measured")
        return found

    def _frame(self, payload: object) -> bytes:
        if not isinstance(payload, bytes | bytearray | memoryview):
            raise Undecodable("not a binary frame")
        frame = checked_size(bytes(payload))
        if self._encoding == "raw":
            return frame
        text = frame.decode("ascii", "replace").strip()
        return hex_of(text, "payload") if self._encoding == "hex" else base64_of(text, "payload")


def _raw(given: Settings, order: str) -> _Raw:
    kind = given.text("type", among=TYPES)
    mask = given.whole("mask", least=1, most=2**64 - 1) if given.has("mask") else None
    if mask is not None and (kind in REAL or mask >= 2 ** (8 * WHOLE[kind][0])):
        raise given.wrong("mask", "does not fit the type")
    return _Raw(given.whole("at", least=0, most=LONGEST), kind, given.text("order", order, among=ORDERS), mask)


def _field(given: Settings, order: str) -> _Field:
    absent = given.number("absent") if given.has("absent") else None
    field = _Field(given.metric(), _raw(given, order), given.factor(), given.number("offset", 0.0), absent)
    given.done()
    return field
