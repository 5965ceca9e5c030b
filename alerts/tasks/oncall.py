"""Celery's shells of oncall: the rows are the queue, and each of these may be run twice."""

from __future__ import annotations

from celery import shared_task

from alerts.services.oncall import look_for_holes


@shared_task(name="alerts.look_for_holes")
def look_for_oncall_holes() -> int:
    return look_for_holes()
