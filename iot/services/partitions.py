"""The days of the readings and of their minutes: see ``core.partitions``. How long each is kept."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Max

from core.partitions import Days
from iot.models import DeviceProfile, RollupHour

READINGS = Days(table="iot_reading", lock=0x4B48_494F_5452)
MINUTES = Days(table="iot_rollup_1m", lock=0x4B48_494F_544D)
KEEP_WITHOUT_PROFILES = 14

_SHORTER = """
DELETE FROM iot_reading r USING iot_datastream s JOIN iot_device d ON d.id = s.device_id
WHERE r.datastream_id = s.id AND d.profile_id = %s AND r.at >= %s AND r.at < %s
"""


def keep_days_ready(*, now: datetime) -> list[date]:
    return READINGS.keep_ready(now=now) + MINUTES.keep_ready(now=now)


def strays() -> int:
    return READINGS.strays() + MINUTES.strays()


def drop_old(*, now: datetime) -> list[date]:
    """Drop whole days that no profile keeps, and of the days that are left what its own profile does not keep; answer the days dropped."""
    longest = DeviceProfile.objects.aggregate(longest=Max("keep_raw_days"))["longest"] or KEEP_WITHOUT_PROFILES
    dropped = READINGS.drop_older(now=now, keep_days=longest)
    for pk, keep_days in DeviceProfile.objects.filter(keep_raw_days__lt=longest).values_list("pk", "keep_raw_days"):
        with connection.cursor() as cursor:
            cursor.execute(_SHORTER, [pk, now - timedelta(days=longest + 1), now - timedelta(days=keep_days)])
    MINUTES.drop_older(now=now, keep_days=settings.IOT_MINUTES_KEEP_DAYS)
    RollupHour.objects.filter(at__lt=now - timedelta(days=settings.IOT_HOURS_KEEP_DAYS))._raw_delete("default")
    return dropped
