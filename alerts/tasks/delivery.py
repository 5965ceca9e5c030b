"""Celery's shells of delivery: the rows are the queue, and each of these may be run twice."""

from __future__ import annotations

from celery import shared_task

from alerts.services.delivery import climb_due, send_due
from alerts.services.escalation.heart import owner_here


@shared_task(name="alerts.climb_pages")
def climb_pages() -> int:
    """The second path: the pager does the same, many times a second."""
    return climb_due(limit=500, owner=owner_here())


@shared_task(name="alerts.send_messages")
def send_messages() -> int:
    """The calls are made here, one after the other: a worker that waits for a slow provider holds up only itself."""
    return send_due(limit=20, owner=owner_here())
