"""Nothing here retries: what was not measured is found by the next round."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from patrol.services.dosage import measure_stops


@shared_task(name="patrol.measure_stops")
def measure_stops_task() -> None:
    """Every few minutes: the stops that have ended."""
    measure_stops(now=timezone.now())
