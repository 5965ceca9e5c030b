"""Celery's shells around the verbs of dispatch."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from patrol.services.assignments import close_by_time


@shared_task(name="patrol.close_by_time")
def close_assignments_by_time() -> None:
    """What is not closed in this round is still due in the next."""
    close_by_time(now=timezone.now())
