"""Nothing here retries: a run that was cut off is a row, and the sweep goes on with it."""

from __future__ import annotations

from celery import shared_task

from incidents.models import PipelineRun
from incidents.services import pipeline


@shared_task(name="incidents.run_pipeline")
def run_pipeline(run_id: int) -> None:
    """Take up a run somebody asked for."""
    run = PipelineRun.objects.filter(pk=run_id).first()
    if run is not None:
        pipeline.execute_run(run=run)


@shared_task(name="incidents.run_due_pipelines")
def run_due_pipelines() -> None:
    """The night's run, a night that was missed, a wake-up that was lost, a run whose worker died."""
    pipeline.run_due_pipelines()
