from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from patrol.services.positions import drop_old_days, keep_days_ready
from patrol.services.positions.partitions import strays

logger = logging.getLogger(__name__)


@shared_task(name="patrol.keep_positions")
def keep_positions() -> None:
    """The days ahead are there, strays come home, old days go."""
    now = timezone.now()
    if waiting := strays():
        logger.warning("%d positions waited in the rest: their day had not been made", waiting)
    keep_days_ready(now=now)
    if dropped := drop_old_days(now=now):
        logger.info("dropped the positions of %s", ", ".join(map(str, dropped)))
