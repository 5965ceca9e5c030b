"""Nothing here retries: a run that was cut off is a row, and the sweep goes on with it."""

from __future__ import annotations

from celery import shared_task

from incidents.models import ImportRun
from incidents.services import importing


@shared_task(name="incidents.execute_import")
def execute_import(run_id: int) -> None:
    """Bring in a file that waits, or go on where a dead worker stopped. Safe to call twice: a run is claimed by one."""
    run = ImportRun.objects.filter(pk=run_id).first()
    if run is not None:
        importing.execute_import(run=run)


@shared_task(name="incidents.sweep_imports")
def sweep_imports() -> None:
    """Hand out what nobody works on."""
    for run_id in importing.waiting_imports():
        execute_import.apply_async(args=[run_id], queue="bulk", expires=600)
