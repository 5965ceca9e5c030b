"""What the pages of runs say: how far a run is, what it was told, what each step found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from dashboard.filters import category_names
from geography.models import Region
from incidents.models import PipelineRun, PipelineStep
from incidents.services import pipeline
from incidents.services.pipeline import words

PAGE = 30
STATUS_KIND = {"waiting": "quiet", "running": "busy", "done": "ok", "failed": "bad", "cancelled": "warn"}
OVER = frozenset({PipelineRun.Status.DONE, PipelineRun.Status.FAILED, PipelineRun.Status.CANCELLED})


@dataclass(frozen=True)
class RunLine:
    """One run in a list."""

    run: PipelineRun

    @property
    def kind(self) -> str:
        return STATUS_KIND[self.run.status]

    @property
    def trigger(self) -> str:
        return words.trigger_in_words(self.run)

    @property
    def is_over(self) -> bool:
        return self.run.status in OVER

    @property
    def counts(self) -> list[str]:
        return words.counts_in_words({name: count for name, count in self.run.counts.items() if count})

    @property
    def failures(self) -> str:
        failed = int(self.run.counts.get("failed", 0))
        return words.failures_in_words(failed) if failed else ""

    @property
    def as_of_day(self) -> date | None:
        return parse_date(self.run.parameters.get("as_of_day") or "")


@dataclass(frozen=True)
class StepLine:
    """One step of a run's page."""

    step: PipelineStep
    region: Region | None
    categories: Mapping[str, str]
    now: datetime

    @property
    def what(self) -> str:
        return words.kind_in_words(self.step.kind)

    @property
    def part(self) -> str:
        return words.part_in_words(self.step.part, self.categories)

    @property
    def kind(self) -> str:
        return STATUS_KIND[self.step.status]

    @property
    def counts(self) -> list[str]:
        return words.counts_in_words(self.step.counts)

    @property
    def seconds(self) -> float | None:
        """What it took, or takes so far."""
        if self.step.status == PipelineRun.Status.RUNNING and self.step.started_at:
            return (self.now - self.step.started_at).total_seconds()
        return self.step.seconds

    @property
    def window(self) -> tuple[date, date] | None:
        ends = [_day(self.step.counts.get(name)) for name in ("from", "to")]
        return (ends[0], ends[1]) if ends[0] and ends[1] else None

    @property
    def is_silent(self) -> bool:
        beaten = self.step.heartbeat_at
        return self.step.status == PipelineRun.Status.RUNNING and beaten is not None and self.now - beaten > pipeline.STALE_AFTER / 2


@dataclass(frozen=True)
class RunPage:
    """A run, its steps in the viewer's regions, and what this viewer may do."""

    run: PipelineRun
    steps: list[StepLine]
    done: int
    of: int
    may_cancel: bool
    sees_errors: bool

    @property
    def line(self) -> RunLine:
        return RunLine(self.run)

    @property
    def is_over(self) -> bool:
        return self.run.status in OVER

    @property
    def is_stopping(self) -> bool:
        return not self.is_over and self.run.cancel_requested_at is not None

    @property
    def seconds(self) -> float | None:
        if not self.is_over and self.run.began_at:
            return (timezone.now() - self.run.began_at).total_seconds()
        return self.run.seconds

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return words.parameters_in_words(self.run)


@dataclass(frozen=True)
class Night:
    """How this night stands."""

    run: PipelineRun | None
    is_late: bool


def run_page(run: PipelineRun, viewer: Any) -> RunPage:
    steps = list(run.steps.visible_to(viewer))
    regions = {region.code: region for region in Region.objects.all()}
    names, now = category_names(), timezone.now()
    lines = [StepLine(step, regions.get(step.region_code), names, now) for step in steps]
    may_run = viewer.can("run_pipeline")
    return RunPage(
        run=run,
        steps=lines,
        done=sum(step.status in OVER for step in steps),
        of=len(steps),
        may_cancel=may_run and run.status not in OVER and run.cancel_requested_at is None,
        sees_errors=may_run or viewer.can("read_audit"),
    )


def night_of(now: datetime | None = None) -> Night:
    """The night's own run of today, and whether it is late."""
    now = now or timezone.now()
    run = PipelineRun.objects.filter(key=pipeline.nightly_key(now)).first()
    return Night(run, pipeline.is_late(now))


def runs_before(viewer: Any, before: int | None) -> tuple[list[RunLine], int | None]:
    """A page of runs, newest first, and where the next one begins."""
    rows = PipelineRun.objects.visible_to(viewer).select_related("requested_by", "cancelled_by").order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE + 1])
    following = found[PAGE - 1].pk if len(found) > PAGE else None
    return [RunLine(run) for run in found[:PAGE]], following


def _day(text: object) -> date | None:
    if not isinstance(text, str):
        return None
    try:
        instant = parse_datetime(text)
        return instant.date() if instant else parse_date(text[:10])
    except ValueError:
        return None
