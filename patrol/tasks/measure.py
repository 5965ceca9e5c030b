"""Nothing here retries: what was not measured is found by the next round."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from patrol.services.dosage import measure_days, measure_stops
from patrol.services.trials import report_due_trials


@shared_task(name="patrol.measure_stops")
def measure_stops_task() -> None:
    """Every few minutes: the stops that have ended."""
    measure_stops(now=timezone.now())


@shared_task(name="patrol.measure_days")
def measure_days_task() -> None:
    """Every few hours: days of units, and presence in trials' cells; then the trials whose time has come."""
    measure_days(now=timezone.now())
    report_due_trials(now=timezone.now())
