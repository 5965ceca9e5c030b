from __future__ import annotations

import logging

import redis
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from iot.services.anomalies import fit_profiles, look_at_hours
from iot.services.batteries import forget_old_levels, keep_levels
from iot.services.certificates import tell_of_ending
from iot.services.crowds import correlate_crowds
from iot.services.dying import forget_old_dead
from iot.services.insights import forget_old_insights, look_for_insights
from iot.services.listening import listening_since
from iot.services.outages import sweep
from iot.services.partitions import drop_old, keep_days_ready, strays
from iot.services.plates import forget_old_plates, write_down_plates
from iot.services.risk import forget_old_scores, score_zones
from iot.services.speaking import write_down_limited
from iot.services.texts import forget_old_texts

logger = logging.getLogger(__name__)


@shared_task(name="iot.look_after_devices")
def look_after_devices() -> None:
    """Who is away and who is back; what was refused as too many."""
    now = timezone.now()
    swept = sweep(now=now, listening_since=listening_since(now=now))
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
    forget_old_plates(now=now)
    forget_old_texts(now=now)
    forget_old_scores(now=now, keep_days=settings.IOT_RISK_KEEP_DAYS)
    forget_old_insights(now=now)
    forget_old_levels(now=now)


@shared_task(name="iot.score_zones")
def score_the_zones() -> None:
    """What sensors say of places now, and what a person should know of."""
    now = timezone.now()
    if written := score_zones(now=now):
        logger.info("%d scores of zones were written", written)
    new, over = look_for_insights(now=now)
    if new or over:
        logger.info("%d insights are new, %d are over", new, over)


@shared_task(name="iot.look_ahead")
def look_ahead() -> None:
    """Batteries and certificates: what changes by the day."""
    now = timezone.now()
    keep_levels(now=now)
    look_for_insights(now=now, also_of_the_day=True)


@shared_task(name="iot.count_plates")
def count_plates() -> None:
    """How many different vehicles each zone has had this hour; the salts of hours that are over are forgotten."""
    try:
        write_down_plates(now=timezone.now())
    except redis.RedisError as error:
        logger.warning("vehicles of the hour are written down later: %s", error)


@shared_task(name="iot.look_after_certificates")
def look_after_certificates() -> None:
    """Those about to end are announced."""
    if told := tell_of_ending(now=timezone.now()):
        logger.info("announced the end of %d certificates", told)


@shared_task(name="iot.correlate_crowds")
def look_at_crowds() -> None:
    """Whether incidents follow crowds."""
    run = correlate_crowds(now=timezone.now())
    logger.info("%d pairs of zone and type were looked at, %d judged, %d with evidence", run.looked_at, run.judged, run.found)


@shared_task(name="iot.fit_profiles")
def fit_the_profiles() -> None:
    """What is usual of each profile's devices, hour by hour; what cannot be learnt is kept with its reason."""
    rows = fit_profiles(now=timezone.now())
    logger.info("%d of %d profiles were learnt", sum(row.is_current for row in rows), len(rows))


@shared_task(name="iot.look_at_hours")
def look_at_the_hours() -> None:
    """The hours just over, against what the night learnt and against the neighbours."""
    done = look_at_hours(now=timezone.now())
    if done.raised or done.resolved:
        logger.info("%s", done)
