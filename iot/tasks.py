from __future__ import annotations

import logging

import redis
from celery import shared_task
from django.utils import timezone

from iot.services.dying import forget_old_dead
from iot.services.outages import sweep
from iot.services.partitions import drop_old, keep_days_ready, strays
from iot.services.speaking import write_down_limited

logger = logging.getLogger(__name__)


@shared_task(name="iot.look_after_devices")
def look_after_devices() -> None:
    """Who is away and who is back; what was refused as too many."""
    now = timezone.now()
    swept = sweep(now=now)
    if swept.went or swept.came_back:
        logger.info("%d devices went, %d came back", swept.went, swept.came_back)
    try:
        write_down_limited(now=now)
    except redis.RedisError as error:
        logger.warning("what was over the limits is written down later: %s", error)


@shared_task(name="iot.keep_readings")
def keep_readings() -> None:
    """The days ahead are there, strays come home, old days go."""
    now = timezone.now()
    if waiting := strays():
        logger.info("%d late readings waited in the rest for their day", waiting)
    keep_days_ready(now=now)
    if dropped := drop_old(now=now):
        logger.info("dropped the readings of %s", ", ".join(map(str, dropped)))
    forget_old_dead(now=now)
