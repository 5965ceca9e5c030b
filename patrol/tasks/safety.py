"""Nothing here retries: what was not said is still due ten seconds later."""

from __future__ import annotations

from celery import shared_task

from patrol.services import alarms, packs


@shared_task(name="patrol.look_after_alarms")
def look_after_alarms() -> None:
    """Repeat calls nobody has answered; warn of welfare checks and escalate the missed."""
    alarms.look_after()


@shared_task(name="patrol.look_after_packs")
def look_after_packs() -> None:
    """Draw up the handover packs of shifts that end, and say which are not signed in time."""
    packs.make_due_packs()
    packs.announce_unsigned()
