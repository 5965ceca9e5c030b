from __future__ import annotations

from celery import shared_task

from interop.services import look_for_silence, sweep_inbox


@shared_task(name="interop.sweep_inbox", queue="critical")
def sweep_inbox_task() -> None:
    """Once a minute: messages that were accepted and not processed. Each row is claimed, so two sweeps do not meet."""
    sweep_inbox()


@shared_task(name="interop.look_for_silence", queue="critical")
def look_for_silence_task() -> None:
    """Twice a minute: feeds that have gone silent, and those that are back."""
    look_for_silence()
