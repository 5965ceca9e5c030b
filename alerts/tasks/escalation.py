"""Celery's shells of escalation: the rows are the queue, and each of these may be run twice."""

from __future__ import annotations

from celery import shared_task

from alerts.services.escalation import auditor, heart
from alerts.services.escalation.running import run_due


@shared_task(name="alerts.run_escalations")
def run_escalations() -> int:
    """The second path: the pager does the same, many times a second."""
    heart.free_leases_of_the_dead()
    return run_due(limit=500, owner=heart.owner_here())


@shared_task(name="alerts.audit")
def audit_alerts() -> None:
    """Whether anything is late. The pager and every open page ask the same."""
    heart.beat(heart.BEAT)
    auditor.look()
