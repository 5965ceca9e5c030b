"""Plate readers' messages, as counts and keyed hashes. A plate never leaves this module: not in a result, a name, or an error's text.

The hash is an HMAC under a salt that its holder makes at random, keeps in memory, and throws away when it is due (an hour or a day): within
that time a vehicle seen twice has one hash, afterwards nobody can tell, not even by trying all plates there are. There are so few of them
that a hash without a secret, or with one that is kept, would be a plate.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iot.decoders.errors import Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.values import instant_of, number_of, object_of, text_of

LEAST_SALT_BYTES = 32
MAX_PLATES = 200
_NOT_PART = re.compile(r"[\W_]+")
_VEHICLES = frozenset({"big truck", "bus", "car", "motorcycle", "pickup truck", "sedan", "suv", "truck", "van"})
_DIGITS = {ord(digit): str(value) for digits in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹") for value, digit in enumerate(digits)}


@dataclass(frozen=True, slots=True)
class Sighting:
    """One vehicle read. ``token`` is the same for one plate under one salt, 128 bits in hexadecimal; ``confidence`` from 0 to 1."""

    camera: str
    at: datetime | None
    token: str
    confidence: float
    vehicle: str = ""


def sightings(body: object, *, salt: bytes) -> list[Sighting]:
    """The vehicles in a message of Plate Recognizer Stream, OpenALPR/Rekor Scout, Verkada, or our own form; which it is shows by its keys.

    Our own: ``{"plate", "at"?, "confidence"? (0 to 1), "vehicle"?}``, or ``{"hits": [...]}`` of these; ``at`` as ISO 8601 or in seconds.

    Raises
    ------
    Undecodable
        For anything else; the text names fields, never values. The error has no cause that would carry the message with it.
    ValueError
        For a salt of fewer than 32 bytes.
    """
    if len(salt) < LEAST_SALT_BYTES:
        raise ValueError(f"The salt must have {LEAST_SALT_BYTES} bytes at least.")
    given = object_of(body)
    if given.get("data_type") == "alpr_results":
        return _openalpr(given, salt)
    if given.get("webhook_type") == "lpr":
        return [_verkada(given, salt)]
    if isinstance(given.get("hook"), dict) and isinstance(given.get("data"), dict):
        return _plate_recognizer(given["data"], salt)
    if "hits" in given:
        return [_own(row, salt) for row in _rows(given["hits"])]
    if "plate" in given:
        return [_own(given, salt)]
    raise Undecodable("no message of a plate reader")


def counted(found: list[Sighting], *, least_confidence: float = 0.0) -> dict[str, list[Measurement]]:
    """Per camera: how many vehicles a message reads, and how many distinct ones; what is kept for good is this."""
    answer: dict[str, list[Measurement]] = {}
    for camera in sorted({one.camera for one in found}):
        here = [one for one in found if one.camera == camera and one.confidence >= least_confidence]
        at = max((one.at for one in here if one.at is not None), default=None)
        answer[camera] = [
            Measurement("vehicles_read", float(len(here)), at),
            Measurement("vehicles_distinct", float(len({one.token for one in here})), at),
        ]
    return answer


def token_of(plate: object, salt: bytes) -> str:
    """The hash of a plate: written large, Arabic digits as digits, without spaces and signs; refuses what is none without repeating it."""
    text = unicodedata.normalize("NFKC", plate).translate(_DIGITS) if isinstance(plate, str) and len(plate) <= 32 else ""
    text = _NOT_PART.sub("", text).upper()
    if not text or len(text) > 16:
        raise Undecodable("plate: unreadable")
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()[:32]


def _own(row: dict[str, Any], salt: bytes) -> Sighting:
    at = row.get("at")
    found = None if at is None else instant_of(at, "iso" if isinstance(at, str) else "epoch_s", "at")
    kind = {"type": row.get("vehicle")}
    return Sighting("", found, token_of(row.get("plate"), salt), _share(row.get("confidence", 1.0), 1.0), _vehicle(kind))


def _plate_recognizer(data: dict[str, Any], salt: bytes) -> list[Sighting]:
    camera = text_of(data.get("camera_id"), "camera_id", longest=64)
    at = instant_of(data["timestamp"], "iso", "timestamp") if data.get("timestamp") is not None else None
    return [
        Sighting(camera, at, token_of(row.get("plate"), salt), _share(row.get("score"), 1.0), _vehicle(row.get("vehicle")))
        for row in _rows(data.get("results"))
    ]


def _openalpr(given: dict[str, Any], salt: bytes) -> list[Sighting]:
    camera = given.get("camera_id")
    if isinstance(camera, bool) or not isinstance(camera, int | str):
        raise Undecodable("camera_id: missing")
    at = instant_of(given["epoch_time"], "epoch_ms", "epoch_time") if given.get("epoch_time") is not None else None
    name = text_of(str(camera) if isinstance(camera, str) or abs(camera) < 10**18 else "", "camera_id", longest=64)
    return [
        Sighting(name, at, token_of(row.get("plate"), salt), _share(row.get("confidence"), 100.0)) for row in _rows(given.get("results"))
    ]


def _verkada(given: dict[str, Any], salt: bytes) -> Sighting:
    data = given.get("data")
    if not isinstance(data, dict):
        raise Undecodable("data: missing")
    at = instant_of(data["detected"], "epoch_ms", "detected") if data.get("detected") is not None else None
    plate, confidence = token_of(data.get("license_plate_number"), salt), _share(data.get("confidence"), 1.0)
    return Sighting(text_of(data.get("camera_id"), "camera_id", longest=64), at, plate, confidence)


def _rows(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MAX_PLATES or not all(isinstance(row, dict) for row in value):
        raise Undecodable("results: not a list of vehicles")
    return value


def _share(value: object, whole: float) -> float:
    share = number_of(value, "confidence") / whole
    if not 0 <= share <= 1:
        raise Undecodable("confidence: out of range")
    return share


def _vehicle(value: object) -> str:
    """The reader's word for the kind of vehicle, where it is one we know: any other text might be anything."""
    kind = value.get("type") if isinstance(value, dict) else None
    return kind.lower() if isinstance(kind, str) and kind.lower() in _VEHICLES else ""
