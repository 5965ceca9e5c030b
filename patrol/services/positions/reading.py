"""One reported position, and what makes us refuse it whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

NULL_ISLAND_DEG = 0.01


class Refused(TextChoices):
    """Why a reading was not taken. The value is the word a program reads."""

    NOT_A_NUMBER = "not_a_number", _("Not a number.")
    OUTSIDE = "outside_the_world", _("Outside the world, or at 0, 0.")
    FUTURE = "in_the_future", _("Its time has not come yet.")
    TOO_OLD = "too_old", _("Too old to be kept.")
    UNKNOWN = "unknown_tracker", _("No unit of yours reports under this name.")
    NO_FIX = "no_fix", _("The receiver had no fix.")
    TIME = "bad_time", _("No time that can be read, with its offset from UTC.")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a receiver said: degrees in WGS 84, metres, km/h, degrees from north. ``None``: not said."""

    unit_id: int
    at: datetime
    lon: float
    lat: float
    accuracy_m: float | None = None
    speed_kmh: float | None = None
    heading_deg: float | None = None
    source: str = "http"


def fault_of(reading: Reading, *, now: datetime) -> Refused | None:
    numbers = (reading.lon, reading.lat, reading.accuracy_m, reading.speed_kmh, reading.heading_deg)
    if not all(math.isfinite(number) for number in numbers if number is not None):
        return Refused.NOT_A_NUMBER
    if not (-180 <= reading.lon <= 180 and -90 <= reading.lat <= 90):
        return Refused.OUTSIDE
    if abs(reading.lon) < NULL_ISLAND_DEG and abs(reading.lat) < NULL_ISLAND_DEG:
        return Refused.OUTSIDE
    if reading.at > now + timedelta(seconds=settings.POSITION_FUTURE_S):
        return Refused.FUTURE
    if reading.at < now - timedelta(hours=settings.POSITION_OLDEST_H):
        return Refused.TOO_OLD
    return None


def tidied(number: float | None, *, most: float) -> float | None:
    """An optional measure, or ``None`` where a receiver says by zero, minus one or a fancy that it does not know."""
    return number if number is not None and 0 <= number <= most else None
