"""Nothing here retries: a step that was cut off is a row, and the sweep hands it on."""

from __future__ import annotations

from celery import shared_task

from incidents.models import PipelineRun
from incidents.services import pipeline


@shared_task(name="incidents.run_pipeline")
def run_pipeline(run_id: int) -> None:
    """Take up a run somebody asked for: plan it, call helpers, and share its steps with them."""
    run = PipelineRun.objects.filter(pk=run_id).first()
    if run is not None:
        pipeline.execute_run(run=run, with_helpers=True)


@shared_task(name="incidents.help_pipeline")
def help_pipeline(run_id: int) -> None:
    """Do one step of a run. Sent once a step: each takes the longest that is left, whoever comes too late finds none."""
    run = PipelineRun.objects.filter(pk=run_id).first()
    if run is not None:
        pipeline.help_run(run=run)


@shared_task(name="incidents.run_due_pipelines")
def run_due_pipelines() -> None:
    """The night's run, a night that was missed, a wake-up that was lost, a step whose worker died."""
    pipeline.run_due_pipelines()
