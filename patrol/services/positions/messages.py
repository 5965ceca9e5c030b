"""A position on the wire: our own form, and the one that Traccar forwards. Plain values in; ``Named`` or ``Refused`` out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from patrol.services.positions.reading import Refused

KMH_A_KNOT = 1.852
LONGEST_NAME = 64
MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Named:
    """A position under the name it was sent for: a tracker's, a unit's call sign or a unit's id; none where the sender is the unit."""

    at: datetime
    lon: float
    lat: float
    accuracy_m: float | None = None
    speed_kmh: float | None = None
    heading_deg: float | None = None
    tracker: str | None = None
    call_sign: str | None = None
    unit_id: int | None = None


def own_form(body: Any) -> Named | Refused:
    """``{"unit": "P1" | 12, "tracker": "356307…", "at": "2026-03-02T09:00:00Z", "lon": 47.9, "lat": 29.3, "accuracy_m": 6,
    "speed_kmh": 40, "heading_deg": 90}``; other names are passed over. ``at`` may also be seconds since 1970."""
    if not isinstance(body, Mapping):
        return Refused.NOT_A_NUMBER
    at = _time(body.get("at"))
    if at is None:
        return Refused.TIME
    unit, tracker = body.get("unit"), body.get("tracker")
    if unit is not None and (
        isinstance(unit, bool) or not isinstance(unit, str | int) or (isinstance(unit, int) and not 0 < unit <= MAX_ID)
    ):
        return Refused.UNKNOWN
    if tracker is not None and not isinstance(tracker, str):
        return Refused.UNKNOWN
    numbers = _numbers(body, ("lon", "lat", "accuracy_m", "speed_kmh", "heading_deg"))
    if numbers is None:
        return Refused.NOT_A_NUMBER
    lon, lat, accuracy, speed, heading = numbers
    if lon is None or lat is None:
        return Refused.NOT_A_NUMBER
    call_sign = unit if isinstance(unit, str) else None
    return Named(at, lon, lat, accuracy, speed, heading, tracker, call_sign, unit if isinstance(unit, int) else None)


def traccar_form(body: Any) -> Named | Refused:
    """What Traccar posts with ``forward.type = json``: ``{"position": {…}, "device": {"uniqueId": …}}``. Its speeds are in knots, its
    accuracy of 0 means unknown; the tracker is the device's ``uniqueId``. A position without a fix is refused."""
    position, device = (body.get("position"), body.get("device")) if isinstance(body, Mapping) else (None, None)
    if not isinstance(position, Mapping) or not isinstance(device, Mapping):
        return Refused.NOT_A_NUMBER
    tracker = device.get("uniqueId")
    if not isinstance(tracker, str) or not tracker:
        return Refused.UNKNOWN
    at = _time(position.get("fixTime")) or _time(position.get("deviceTime"))
    if at is None:
        return Refused.TIME
    if position.get("valid") is False:
        return Refused.NO_FIX
    numbers = _numbers(position, ("longitude", "latitude", "accuracy", "speed", "course"))
    if numbers is None or numbers[0] is None or numbers[1] is None:
        return Refused.NOT_A_NUMBER
    lon, lat, accuracy, knots, course = numbers
    assert lon is not None and lat is not None
    return Named(at, lon, lat, accuracy, None if knots is None else knots * KMH_A_KNOT, course, tracker)


def _numbers(body: Mapping[str, Any], names: tuple[str, ...]) -> list[float | None] | None:
    """The values under ``names``, or ``None`` where one is something else than a finite number."""
    found: list[float | None] = []
    for name in names:
        value = body.get(name)
        if value is None:
            found.append(None)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        else:
            found.append(float(value))
    return found


def _time(value: Any) -> datetime | None:
    """An ISO 8601 instant with its offset, or seconds since 1970 (a program's milliseconds are told by their size)."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        if not isinstance(value, str) or len(value) > 40:
            return None
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError, OSError):
        return None
