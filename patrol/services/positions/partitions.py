"""The days of the table of positions: see ``core.partitions``."""

from __future__ import annotations

from datetime import date, datetime

from django.conf import settings

from core.partitions import Days

_DAYS = Days(table="patrol_position", lock=0x4B48_504F_5344)

days_there = _DAYS.there
strays = _DAYS.strays


def keep_days_ready(*, now: datetime) -> list[date]:
    return _DAYS.keep_ready(now=now)


def drop_old_days(*, now: datetime) -> list[date]:
    """Drop the days older than ``POSITION_KEEP_DAYS``; answer those dropped."""
    return _DAYS.drop_older(now=now, keep_days=settings.POSITION_KEEP_DAYS)
