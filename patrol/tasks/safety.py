"""Nothing here retries: what was not said is still due ten seconds later."""

from __future__ import annotations

from celery import shared_task

from patrol.services import alarms


@shared_task(name="patrol.look_after_alarms")
def look_after_alarms() -> None:
    """Repeat calls nobody has answered; warn of welfare checks and escalate the missed."""
    alarms.look_after()
