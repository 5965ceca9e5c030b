"""Celery's shells of alerts: the rows are the queue, and each of these may be run twice."""

from __future__ import annotations

from celery import shared_task

from alerts.services.alerts import look_after


@shared_task(name="alerts.look_after")
def look_after_alerts() -> dict[str, int]:
    """The second path: the pager does the same every few seconds."""
    return look_after()
