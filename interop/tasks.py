from __future__ import annotations

from celery import shared_task

from interop.services import sweep_inbox


@shared_task(name="interop.sweep_inbox", queue="critical")
def sweep_inbox_task() -> None:
    """Once a minute: messages that were accepted and not processed. Each row is claimed, so two sweeps do not meet."""
    sweep_inbox()
