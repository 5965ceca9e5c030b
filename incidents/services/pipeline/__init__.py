"""The analytics pipeline: a run is planned into steps, any number of processes do them, each result stands beside the run that made it."""

from incidents.services.pipeline.lease import STALE_AFTER
from incidents.services.pipeline.night import is_late, nightly_key
from incidents.services.pipeline.runs import (
    create_run,
    execute_run,
    help_run,
    request_cancel,
    request_pipeline_run,
    run_due_pipelines,
    run_pipeline,
)
from incidents.services.pipeline.settings import Parameters
from incidents.services.pipeline.work import MAX_ATTEMPTS, Progress

__all__ = [
    "MAX_ATTEMPTS",
    "STALE_AFTER",
    "Parameters",
    "Progress",
    "create_run",
    "execute_run",
    "help_run",
    "is_late",
    "nightly_key",
    "request_cancel",
    "request_pipeline_run",
    "run_due_pipelines",
    "run_pipeline",
]
