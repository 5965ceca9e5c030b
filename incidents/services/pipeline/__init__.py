"""The analytics pipeline: one run at a time over every region, each step a row, each result beside the run that made it."""

from incidents.services.pipeline.lease import STALE_AFTER
from incidents.services.pipeline.runs import execute_run, nightly_key, request_pipeline_run, run_due_pipelines, run_pipeline
from incidents.services.pipeline.settings import Parameters

__all__ = ["STALE_AFTER", "Parameters", "execute_run", "nightly_key", "request_pipeline_run", "run_due_pipelines", "run_pipeline"]
