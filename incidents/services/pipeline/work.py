"""Doing a run's steps: any number of processes take them one by one, and whoever ends the last one ends the run."""

from __future__ import annotations

import logging
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from core.events import publish
from geography.models import Region
from incidents import events
from incidents.models import PipelineRun, PipelineStep
from incidents.services.pipeline import kinds
from incidents.services.pipeline.lease import DATABASE_AWAY, STALE_AFTER, Cancelled, Lease, LeaseLost, patiently, worker_name
from incidents.services.pipeline.loading import shared_loads
from incidents.services.pipeline.planning import task_of
from incidents.services.pipeline.steps import Kind, Outcome, Task, publish_results

logger = logging.getLogger(__name__)
Status = PipelineRun.Status
OVER = (Status.DONE, Status.FAILED, Status.CANCELLED)
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Progress:
    """Said to ``on_progress`` when a step begins and when it ends."""

    step: str
    number: int
    of: int
    status: str
    counts: dict[str, Any]


Listener = Callable[[Progress], None]


def work_through(run: PipelineRun, on_progress: Listener | None = None) -> None:
    """Do steps of ``run`` until there is none left to take."""
    try:
        with shared_loads():
            while do_one_step(run, on_progress):
                pass
    except KeyboardInterrupt:
        # It may have come between a claim and the work: whatever this process still holds goes back.
        run.steps.filter(status=Status.RUNNING, worker=worker_name()).update(status=Status.WAITING)
        raise
    patiently(lambda: finish_if_over(run))


def do_one_step(run: PipelineRun, on_progress: Listener | None = None) -> bool:
    """Take one step of ``run``, do it, and end the run if it was the last. Whether there was one to take."""
    lease = patiently(lambda: Lease.claim(run))
    if lease is None:
        return False
    if on_progress is not None:
        on_progress(_progress(lease.step))
    try:
        _do(lease)
    except LeaseLost:
        logger.warning("step %s of run %d went on elsewhere", lease.step.name, run.pk)
    patiently(lambda: finish_if_over(run))
    if on_progress is not None:
        on_progress(_progress(PipelineStep.objects.get(pk=lease.step.pk)))
    return True


def _progress(step: PipelineStep) -> Progress:
    told = PipelineStep.objects.filter(run=step.run_id).aggregate(of=Count("id"), over=Count("id", filter=Q(status__in=OVER)))
    return Progress(step.name, told["over"] + (step.status not in OVER), told["of"], step.status, step.counts)


def _do(lease: Lease) -> None:
    """One step: its results are stored in the transaction that says it is done, or not at all."""
    step = lease.step
    if step.attempts > MAX_ATTEMPTS:
        # It took its process down each time; do not let it take the night's other steps with it for ever.
        patiently(lambda: _fail(lease, f"Cut off {MAX_ATTEMPTS} times; given up."))
        return
    began = clock.monotonic()
    try:
        _compute_and_store(lease, began)
    except LeaseLost:
        raise
    except Cancelled:
        patiently(lambda: _end(lease, status=Status.CANCELLED, seconds=clock.monotonic() - began))
    except KeyboardInterrupt:
        connection.close()  # it may have been in the middle of a question, and takes no other until that is answered
        _end(lease, status=Status.WAITING)
        raise
    except DATABASE_AWAY as error:
        # Nothing of it was stored. It goes back, and is taken again when the database answers: at most MAX_ATTEMPTS times.
        words = _words(error)
        logger.warning("step %s lost the database: %s", step.name, words)
        if step.attempts < MAX_ATTEMPTS:
            patiently(lambda: _end(lease, status=Status.WAITING, error=words))
        else:
            patiently(lambda: _fail(lease, words, clock.monotonic() - began))
    except Exception as error:
        logger.exception("step %s of run %d failed", step.name, step.run_id)
        words, seconds = _words(error), clock.monotonic() - began
        patiently(lambda: _fail(lease, words, seconds))


def _compute_and_store(lease: Lease, began: float) -> None:
    step = lease.step
    kind = kinds.KINDS.get(step.kind)
    if kind is None:
        raise LookupError(f"this version knows no step {step.kind}")
    run = PipelineRun.objects.get(pk=step.run_id)
    task = replace(task_of(run, Region.objects.get(code=step.region_code), step.part), beat=lease.beat)
    outcome = _outcome(kind, task, is_retiring=step.is_retiring)
    with transaction.atomic():
        run = lease.hold()
        is_current = publish_results(kind, outcome.rows, run=run, region=task.region, part=task.part)
        counts = {**outcome.counts, "current": is_current}
        _end(lease, status=Status.DONE, seconds=round(clock.monotonic() - began, 3), counts=counts)


def _outcome(kind: Kind, task: Task, *, is_retiring: bool) -> Outcome:
    return Outcome([], {"empty_because": "no longer a part"}) if is_retiring else kind.step(task)


def _end(lease: Lease, *, status: str, **fields: Any) -> None:
    if lease.mine().update(status=status, finished_at=timezone.now(), **fields) != 1:
        raise LeaseLost


@transaction.atomic
def _fail(lease: Lease, error: str, seconds: float | None = None) -> None:
    _end(lease, status=Status.FAILED, seconds=seconds, error=error)
    publish(events.PIPELINE_FAILED, subject=lease.step.run, data={"run": lease.step.run_id, "step": lease.step.name})


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


# --- the end of a run ------------------------------------------------------------------------------------------------
@transaction.atomic
def finish_if_over(run: PipelineRun) -> bool:
    """End ``run`` if none of its steps waits or goes on. Of many that try, one does it, and announces it once."""
    locked = PipelineRun.objects.select_for_update(no_key=True).filter(pk=run.pk, status=Status.RUNNING).first()
    if locked is None:
        return False
    if locked.cancel_requested_at is not None:
        _give_up_silent(locked)
    steps = list(locked.steps.all())
    if any(step.status not in OVER for step in steps):
        return False
    end_run(locked, steps)
    return True


def _give_up_silent(run: PipelineRun) -> None:
    """A cancelled run does not wait for a process that died."""
    now = timezone.now()
    silent = Q(heartbeat_at__lt=now - STALE_AFTER) | Q(heartbeat_at__isnull=True)
    run.steps.filter(silent, status=Status.RUNNING).update(status=Status.CANCELLED, finished_at=now)


def end_run(run: PipelineRun, steps: Sequence[PipelineStep]) -> None:
    """Write the end of ``run`` and announce it. The caller holds its row."""
    failed = [step for step in steps if step.status == Status.FAILED]
    cut_short = any(step.status == Status.CANCELLED for step in steps) or not run.began_at
    is_cancelled = run.cancel_requested_at is not None and cut_short
    run.status = Status.CANCELLED if is_cancelled else Status.FAILED if failed else Status.DONE
    run.finished_at = timezone.now()
    run.seconds = round((run.finished_at - run.began_at).total_seconds(), 3) if run.began_at else None
    run.counts = totals(steps)
    run.error = "\n".join(f"{step.name}: {step.error}" for step in failed)
    run.save(update_fields=["status", "finished_at", "seconds", "counts", "error"])
    publish(
        events.PIPELINE_FINISHED,
        subject=run,
        data={
            "run": run.pk,
            "status": run.status,
            "hot_spots": run.counts.get("hot_spots", 0),
            "forecasts": run.counts.get("forecasts", 0),
        },
    )
    if run.status == Status.FAILED:
        publish(events.PIPELINE_FAILED, subject=run, data={"run": run.pk, "step": "", "failed": len(failed)})


def totals(steps: Sequence[PipelineStep]) -> dict[str, int]:
    """What a run made, by each kind's own figure."""
    summed = {kind.counted_as: 0 for kind in kinds.KINDS.values()}
    summed |= {"steps": len(steps), "failed": sum(step.status == Status.FAILED for step in steps)}
    for step in steps:
        kind = kinds.KINDS.get(step.kind)
        if kind is not None and step.status == Status.DONE:
            summed[kind.counted_as] += int(step.counts.get(kind.counted_as, 0))
    return summed
