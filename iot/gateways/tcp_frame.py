"""The small binary frame: for devices to which JSON is too long. Pure. All numbers most significant byte first.

    offset  bytes  what
    0       2      magic A7 4B
    2       1      version, 1
    3       1      flags, 0
    4       2      length of the values in bytes, a multiple of 5
    6       4      sequence number, repeated in the answer
    10      8      milliseconds since 1970; 0: the moment of receipt
    18      5 n    n values: a metric's number (its place in the list that AUTH was answered with, from 0), a 32-bit float
    18+5n   4      CRC-32 (that of zlib) of all before it

The answer: magic, version, status (0 taken, 1 CRC, 2 unreadable, 3 too many, 4 later, 5 refused), sequence number (4), readings taken (2),
CRC-32.
"""

from __future__ import annotations

import math
import struct
import zlib
from datetime import UTC, datetime, timedelta

from iot.decoders.errors import Undecodable
from iot.decoders.measurement import Measurement

MAGIC = b"\xa7\x4b"
VERSION = 1
_HEAD = struct.Struct(">2sBBHIQ")
_VALUE = struct.Struct(">Bf")
_ANSWER = struct.Struct(">2sBBIH")
_CRC = struct.Struct(">I")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_000  # the end of the year 9999
STATUS = {"": 0, "crc": 1, "unreadable": 2, "too_many": 3, "later": 4}


class BadCrc(Undecodable):
    pass


def end_of(buffer: bytes | bytearray, start: int = 0) -> int | None:
    """Where the frame that begins at ``start`` ends; ``None`` while it is not whole, below 0 where it is none."""
    if len(buffer) - start >= 2 and buffer[start : start + 2] != MAGIC:
        return -1
    if len(buffer) - start < _HEAD.size:
        return None
    end = start + _HEAD.size + int.from_bytes(buffer[start + 4 : start + 6]) + _CRC.size
    return end if end <= len(buffer) else None


def seq_of(frame: bytes) -> int:
    return int.from_bytes(frame[6:10])


def read(frame: bytes, metrics: tuple[str, ...]) -> list[Measurement]:
    """Raises ``Undecodable``.

    >>> frame = bytes.fromhex("a74b0100000a0000002a0000019cadc784e0" "00422000000141ac0000" "1163acf9")
    >>> [(one.metric, one.value, one.at.isoformat()) for one in read(frame, ("humidity", "temperature"))]
    [('humidity', 40.0, '2026-03-02T09:01:00+00:00'), ('temperature', 21.5, '2026-03-02T09:01:00+00:00')]
    """
    magic, version, flags, length, _seq, at_ms = _HEAD.unpack_from(frame)
    if _CRC.unpack_from(frame, len(frame) - _CRC.size)[0] != zlib.crc32(frame[: -_CRC.size]):
        raise BadCrc("the CRC is wrong")
    if magic != MAGIC or version != VERSION or flags != 0:
        raise Undecodable("a version or flags we do not know")
    if not length or length % _VALUE.size:
        raise Undecodable("values of 5 bytes each, at least one")
    if at_ms > LAST_MS:
        raise Undecodable("time: out of range")
    at = EPOCH + timedelta(milliseconds=at_ms) if at_ms else None
    found = []
    for number, value in _VALUE.iter_unpack(frame[_HEAD.size : -_CRC.size]):
        if number >= len(metrics):
            raise Undecodable(f"there is no metric number {number}")
        if not math.isfinite(value):
            raise Undecodable(f"{metrics[number]}: not a finite number")
        found.append(Measurement(metrics[number], value, at))
    return found


def write(seq: int, at_ms: int, values: list[tuple[int, float]]) -> bytes:
    """What a device sends: for tests, benches and simulators."""
    body = b"".join(_VALUE.pack(number, value) for number, value in values)
    frame = _HEAD.pack(MAGIC, VERSION, 0, len(body), seq, at_ms) + body
    return frame + _CRC.pack(zlib.crc32(frame))


def answer(seq: int, code: str, taken: int) -> bytes:
    frame = _ANSWER.pack(MAGIC, VERSION, STATUS.get(code, 5), seq, min(taken, 65_535))
    return frame + _CRC.pack(zlib.crc32(frame))


ANSWER_BYTES = _ANSWER.size + _CRC.size


def read_answer(frame: bytes) -> tuple[int, int, int]:
    """Status, sequence number, readings taken."""
    _magic, _version, status, seq, taken = _ANSWER.unpack_from(frame)
    if _CRC.unpack_from(frame, _ANSWER.size)[0] != zlib.crc32(frame[: _ANSWER.size]):
        raise BadCrc("the CRC is wrong")
    return status, seq, taken
