"""Runs: claimed once, resumed when cut off, each step recorded, the outcome announced."""

from __future__ import annotations

import logging
import time as clock
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.background import wake
from core.errors import Conflict, Invalid
from core.events import publish
from core.version import code_version
from geography.models import Region
from incidents import events
from incidents.models import PipelineRun, PipelineStep
from incidents.permissions import Actor, require
from incidents.services.pipeline.kinds import KINDS
from incidents.services.pipeline.lease import STALE_AFTER, UNFINISHED, Lease, LeaseLost
from incidents.services.pipeline.planning import plan, task_of
from incidents.services.pipeline.settings import Parameters
from incidents.services.pipeline.steps import Kind, Outcome, Task, publish_results

logger = logging.getLogger(__name__)
Status = PipelineRun.Status
TASK = "incidents.run_pipeline"
NIGHTLY_AT = time(2, 0)
MAX_ATTEMPTS = 3
_REQUEST_LOCK = 0x6B68_0001  # pg advisory: one request at a time


@dataclass(frozen=True)
class Progress:
    """Said to ``on_progress`` when a step begins and when it ends."""

    step: str
    number: int
    of: int
    status: str
    counts: dict[str, Any]


def run_pipeline(
    *,
    trigger: str,
    requested_by: Actor | None = None,
    as_of: datetime | date | None = None,
    regions: Iterable[str] | None = None,
    only: Iterable[str] | None = None,
    parameters: Parameters | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> PipelineRun:
    """Run the analytics over ``regions`` (codes; all when not given) and return the run's row, whatever became of it.

    ``trigger="nightly"`` runs once a local day however many call it: the others get the row as it stands. Any other trigger is a
    run of its own. ``as_of`` looks from an instant, or from the start of a day on each region's clock, instead of from now; nothing
    at or after it is read. ``only`` names kinds of steps. Raises ``Invalid`` for an unknown region or kind, ``NotAllowed`` where
    ``requested_by`` may not run it.
    """
    run = _create(trigger=trigger, by=requested_by, as_of=as_of, regions=regions, only=only, parameters=parameters)
    return execute_run(run=run, on_progress=on_progress)


def request_pipeline_run(*, by: Actor | None) -> PipelineRun:
    """Ask for a run now. A worker takes it up at once; raises ``Conflict`` while another run waits or goes on."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_REQUEST_LOCK])
        require(by, "run_pipeline")
        if PipelineRun.objects.filter(status__in=UNFINISHED).exists():
            raise Conflict(_("The analytics are running already."))
        run = _create(trigger="manual", by=by)
        wake(TASK, run.pk)
    return run


def run_due_pipelines(*, now: datetime | None = None) -> list[PipelineRun]:
    """What the clock owes: runs nobody took up or whose runner died, and this night's run unless one has covered it.

    Called at 02:00 and by a sweep every few minutes, so a night missed because beat or the workers were down is made up for
    when they are back, once.
    """
    now = now or timezone.now()
    done = [execute_run(run=run) for run in PipelineRun.objects.filter(_takeable(now)).order_by("pk")]
    local = now.astimezone(_civil())
    if local.time() >= NIGHTLY_AT and not _covered(since=datetime.combine(local.date(), NIGHTLY_AT, _civil())):
        done.append(run_pipeline(trigger="nightly", as_of=now))
    return done


def nightly_key(now: datetime) -> str:
    return f"nightly:{now.astimezone(_civil()).date().isoformat()}"


def execute_run(*, run: PipelineRun, on_progress: Callable[[Progress], None] | None = None) -> PipelineRun:
    """Take ``run`` and bring it to its end, or return it as it stands when it is finished or in other hands."""
    lease = Lease.take(run)
    if lease is not None:
        try:
            _work_through(lease, on_progress)
        except LeaseLost:
            logger.warning("run %s went on elsewhere", run.key)
        except KeyboardInterrupt:
            _finish(lease, error=_("Interrupted."))
            raise
    run.refresh_from_db()
    return run


def _civil() -> Any:
    """The clock of the nation the product serves."""
    return timezone.get_default_timezone()


def _takeable(now: datetime) -> Q:
    """Waiting for a while (its wake-up was lost), or silent for too long."""
    lost = Q(heartbeat_at__isnull=True, started_at__lt=now - timedelta(seconds=30))
    return Q(status__in=UNFINISHED) & (lost | Q(heartbeat_at__lt=now - STALE_AFTER))


def _covered(*, since: datetime) -> bool:
    """Whether a run of everything, begun since ``since``, has finished well or is under way; or the night's own run exists."""
    whole = Q(parameters__regions=None, parameters__as_of_day=None, parameters__only=None)
    return PipelineRun.objects.filter(
        Q(key=nightly_key(since)) | (whole & Q(started_at__gte=since, status__in=(Status.DONE, *UNFINISHED)))
    ).exists()


@transaction.atomic
def _create(
    *,
    trigger: str,
    by: Actor | None = None,
    as_of: datetime | date | None = None,
    regions: Iterable[str] | None = None,
    only: Iterable[str] | None = None,
    parameters: Parameters | None = None,
) -> PipelineRun:
    require(by, "run_pipeline")
    now = timezone.now()
    chosen = _known_regions(regions)
    kinds = sorted(set(only)) if only is not None else None
    if kinds is not None and (not kinds or set(kinds) - set(KINDS)):
        raise Invalid(
            _("There is no such step of the analytics."), fields={"only": _("Known: %(names)s.") % {"names": ", ".join(sorted(KINDS))}}
        )
    day = as_of if isinstance(as_of, date) and not isinstance(as_of, datetime) else None
    instant = datetime.combine(day, time.min, _civil()) if day else (as_of if isinstance(as_of, datetime) else now)
    if instant > now + timedelta(days=1):
        raise Invalid(_("The analytics cannot look from the future."), fields={"as_of": _("This time lies in the future.")})
    key = nightly_key(instant) if trigger == "nightly" else f"{trigger[:24]}:{now.astimezone(_civil()):%Y-%m-%dT%H:%M:%S.%f}"
    run, is_new = PipelineRun.objects.get_or_create(
        key=key,
        defaults={
            "as_of": instant,
            "code_version": code_version(),
            "requested_by_id": getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None,
            "parameters": {
                "trigger": trigger,
                "regions": chosen,
                "only": kinds,
                "as_of_day": day.isoformat() if day else None,
                **(parameters or Parameters()).as_dict(),
            },
        },
    )
    if is_new and trigger != "nightly":
        audit.record("pipeline.run", obj=run, by=by, after={"key": run.key, "parameters": run.parameters})
    return run


def _known_regions(codes: Iterable[str] | None) -> list[str] | None:
    if codes is None:
        return None
    wanted = sorted(set(codes))
    known = set(Region.objects.filter(code__in=wanted).values_list("code", flat=True))
    missing = [code for code in wanted if code not in known]
    if missing or not wanted:
        raise Invalid(
            _("There is no such region: %(codes)s.") % {"codes": ", ".join(missing) or "–"},
            fields={"regions": _("Choose one of the list.")},
        )
    return wanted


def _work_through(lease: Lease, on_progress: Callable[[Progress], None] | None) -> None:
    """Do each step that is not done; a step that fails is recorded, and the others go on."""
    run = PipelineRun.objects.get(pk=lease.run.pk)
    planned = plan(run, KINDS)
    for number, todo in enumerate(planned, start=1):
        name = todo.name
        say = on_progress or (lambda progress: None)
        step, is_new = PipelineStep.objects.get_or_create(run=run, name=name)
        if step.status == Status.DONE:
            continue
        say(Progress(name, number, len(planned), Status.RUNNING, {}))
        attempts = 1 if is_new else int(step.counts.get("attempts", 1)) + 1
        if attempts > MAX_ATTEMPTS:
            # It took its process down each time; do not let it take the night's other steps with it for ever.
            PipelineStep.objects.filter(pk=step.pk).update(status=Status.FAILED, error=f"Cut off {MAX_ATTEMPTS} times; given up.")
        else:
            PipelineStep.objects.filter(pk=step.pk).update(counts={"attempts": attempts}, status=Status.RUNNING, error="")
            task = replace(task_of(run, todo.region, todo.part), beat=lease.beat)
            _do_step(lease, step, KINDS[todo.kind], task, is_retiring=todo.is_retiring)
        step.refresh_from_db()
        say(Progress(name, number, len(planned), step.status, step.counts))
    _finish(lease)


def _do_step(lease: Lease, step: PipelineStep, kind: Kind, task: Task, *, is_retiring: bool) -> None:
    began = clock.monotonic()
    try:
        outcome = Outcome([], {"empty_because": "no longer a part"}) if is_retiring else kind.step(task)
        with transaction.atomic():
            run = lease.hold()
            is_current = publish_results(kind, outcome.rows, run=run, region=task.region, part=task.part)
            PipelineStep.objects.filter(pk=step.pk).update(
                status=Status.DONE, seconds=clock.monotonic() - began, counts={**outcome.counts, "current": is_current}
            )
    except LeaseLost:
        raise
    except Exception as error:
        logger.exception("step %s of run %s failed", step.name, lease.run.key)
        PipelineStep.objects.filter(pk=step.pk).update(
            status=Status.FAILED, seconds=clock.monotonic() - began, error=f"{type(error).__name__}: {error}"[:2000]
        )


@transaction.atomic
def _finish(lease: Lease, error: str = "") -> None:
    run = lease.hold()
    steps = list(run.steps.all())
    failed = [step for step in steps if step.status != Status.DONE]
    counts = _totals(steps)
    run.status = Status.FAILED if failed or error else Status.DONE
    run.finished_at = timezone.now()
    run.seconds = round(sum(step.seconds or 0 for step in steps), 3)
    run.counts = counts
    run.error = error or "\n".join(f"{step.name}: {step.error}" for step in failed)
    run.save(update_fields=["status", "finished_at", "seconds", "counts", "error"])
    publish(
        events.PIPELINE_FINISHED,
        subject=run,
        data={"run": run.pk, "status": run.status, "hot_spots": counts.get("hot_spots", 0), "forecasts": counts.get("forecasts", 0)},
    )


def _totals(steps: Sequence[PipelineStep]) -> dict[str, int]:
    totals = {kind.counted_as: 0 for kind in KINDS.values()}
    totals |= {"steps": len(steps), "failed": sum(step.status == Status.FAILED for step in steps)}
    for step in steps:
        kind = KINDS.get(step.name.partition(":")[0])
        if kind is not None and step.status == Status.DONE:
            totals[kind.counted_as] += int(step.counts.get(kind.counted_as, 0))
    return totals
