"""Runs: asked for, made once a night, brought to their end, cancelled, found again when they were left lying."""

from __future__ import annotations

import logging
import time as clock
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
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
from incidents.services.pipeline import kinds
from incidents.services.pipeline.lease import STALE_AFTER, patiently
from incidents.services.pipeline.night import announce_if_late, is_owed, nation_clock, nightly_key
from incidents.services.pipeline.planning import plan_run
from incidents.services.pipeline.settings import Moment, Parameters
from incidents.services.pipeline.work import Listener, do_one_step, end_run, finish_if_over, work_through

logger = logging.getLogger(__name__)
Status = PipelineRun.Status
RUN_TASK, STEP_TASK = "incidents.run_pipeline", "incidents.help_pipeline"
QUEUE = "bulk"
MAX_REASON = 400
_LOST_AFTER = timedelta(seconds=30)
_CLOCKS_DIFFER = timedelta(minutes=5)
_REQUEST_LOCK = 0x6B68_0001  # pg advisory: one request at a time
_LOOK_EVERY_S = 0.5


def run_pipeline(
    *,
    trigger: str,
    requested_by: Actor | None = None,
    as_of: datetime | date | None = None,
    regions: Iterable[str] | None = None,
    only: Iterable[str] | None = None,
    parameters: Parameters | None = None,
    on_progress: Listener | None = None,
) -> PipelineRun:
    """Run the analytics over ``regions`` (codes; all when not given) and return the run's row, whatever became of it.

    ``trigger="nightly"`` runs once a local day however many call it: the others help with the steps nobody has taken. Any other
    trigger is a run of its own. ``as_of`` looks from an instant, or from the start of a day on each region's clock, instead of from
    now; nothing at or after it is read. ``only`` names kinds of steps. Raises ``Invalid`` for an unknown region or kind,
    ``NotAllowed`` where ``requested_by`` may not run it.
    """
    run = create_run(trigger=trigger, by=requested_by, as_of=as_of, regions=regions, only=only, parameters=parameters)
    return execute_run(run=run, on_progress=on_progress)


def request_pipeline_run(
    *,
    by: Actor | None,
    as_of: datetime | date | None = None,
    regions: Iterable[str] | None = None,
    only: Iterable[str] | None = None,
    parameters: Parameters | None = None,
) -> PipelineRun:
    """Ask for a run. A worker takes it up at once; raises ``Conflict`` while another run waits or goes on."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_REQUEST_LOCK])
        require(by, "run_pipeline")
        if PipelineRun.objects.unfinished().exists():
            raise Conflict(_("The analytics are running already."))
        run = create_run(trigger="manual", by=by, as_of=as_of, regions=regions, only=only, parameters=parameters)
        wake(RUN_TASK, run.pk, queue=QUEUE)
    return run


@transaction.atomic
def request_cancel(*, run: PipelineRun, by: Actor | None, reason: str = "") -> PipelineRun:
    """Stop ``run``: what waits is not begun, what goes on stops at its next beat. Steps that are done stay as they are.

    Raises ``Conflict`` when it is over or being cancelled already.
    """
    require(by, "run_pipeline")
    reason = reason.strip()
    if len(reason) > MAX_REASON:
        raise Invalid(_("The reason is too long."), fields={"reason": _("At most %(limit)d characters.") % {"limit": MAX_REASON}})
    now = timezone.now()
    person = getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None
    stopped = PipelineRun.objects.unfinished().filter(pk=run.pk, cancel_requested_at__isnull=True)
    if stopped.update(cancel_requested_at=now, cancelled_by=person, cancel_reason=reason) != 1:
        is_over = not PipelineRun.objects.unfinished().filter(pk=run.pk).exists()
        raise Conflict(_("This run is over.") if is_over else _("This run is being cancelled already."))
    run.refresh_from_db()
    run.steps.filter(status=Status.WAITING).update(status=Status.CANCELLED, finished_at=now)
    audit.record("pipeline.cancel", obj=run, by=by, after={"key": run.key, "reason": reason})
    publish(events.PIPELINE_CANCEL_REQUESTED, subject=run, data={"run": run.pk})
    if run.status == Status.WAITING:
        end_run(run, [])
    else:
        finish_if_over(run)
    run.refresh_from_db()
    return run


def run_due_pipelines(*, now: datetime | None = None) -> list[PipelineRun]:
    """What the clock owes: runs nobody took up or whose workers died, and this night's run unless one has covered it.

    Called at 02:00 and by a sweep every few minutes, so a night missed because beat or the workers were down is made up for
    when they are back, once. Says so when the night is late.
    """
    now = now or timezone.now()
    if is_owed(now):
        create_run(trigger="nightly", as_of=now)
    announce_if_late(now)
    return [execute_run(run=run, with_helpers=True) for run in _left_lying(now)]


def execute_run(*, run: PipelineRun, on_progress: Listener | None = None, with_helpers: bool = False, wait: bool = False) -> PipelineRun:
    """Plan ``run`` if nobody has, do what steps of it can be taken, and return it as it stands then.

    ``with_helpers`` wakes a background worker for each step, to share them. ``wait`` stays until steps in other hands have ended too.
    """
    planned = patiently(lambda: _plan_and_wake(run, with_helpers=with_helpers))
    if not planned and with_helpers:
        logger.info("run %s: helping", run.key)
    while True:
        work_through(run, on_progress)
        run.refresh_from_db()
        if not wait or run.status not in (Status.WAITING, Status.RUNNING):
            return run
        clock.sleep(_LOOK_EVERY_S)


def help_run(*, run: PipelineRun) -> bool:
    """Do one step of ``run``, if there is one to take. Whether there was."""
    return do_one_step(run)


@transaction.atomic
def _plan_and_wake(run: PipelineRun, *, with_helpers: bool) -> int:
    steps = plan_run(run)
    if with_helpers and steps > 1:
        wake(STEP_TASK, run.pk, queue=QUEUE, times=steps - 1)
    return steps


def _left_lying(now: datetime) -> list[PipelineRun]:
    """Unfinished runs nobody works on: never planned, or without a step in living hands; and those with a step in dead ones."""
    living = PipelineStep.objects.filter(run=OuterRef("pk"), status=Status.RUNNING, heartbeat_at__gte=timezone.now() - STALE_AFTER)
    dead = PipelineStep.objects.filter(run=OuterRef("pk"), status=Status.RUNNING).exclude(heartbeat_at__gte=timezone.now() - STALE_AFTER)
    just_ended = PipelineStep.objects.filter(run=OuterRef("pk"), finished_at__gte=timezone.now() - _LOST_AFTER)
    runs = PipelineRun.objects.unfinished().annotate(living=Exists(living), dead=Exists(dead), just_ended=Exists(just_ended)).order_by("pk")
    return [run for run in runs if _is_left_lying(run, now)]


def _is_left_lying(run: PipelineRun, now: datetime) -> bool:
    if run.status == Status.WAITING:
        return run.started_at < now - _LOST_AFTER or run.key == nightly_key(now)
    return run.dead or not (run.living or run.just_ended)  # type: ignore[attr-defined]


@transaction.atomic
def create_run(
    *,
    trigger: str,
    by: Actor | None = None,
    as_of: datetime | date | None = None,
    regions: Iterable[str] | None = None,
    only: Iterable[str] | None = None,
    parameters: Parameters | None = None,
) -> PipelineRun:
    """The row of a run, waiting; the row that is there already for a night that has one."""
    require(by, "run_pipeline")
    now = timezone.now()
    chosen = _known_regions(regions)
    wanted = sorted(set(only)) if only is not None else None
    if wanted is not None and (not wanted or set(wanted) - set(kinds.KINDS)):
        known = ", ".join(sorted(kinds.KINDS))
        raise Invalid(_("There is no such step of the analytics."), fields={"only": _("Known: %(names)s.") % {"names": known}})
    day = as_of if isinstance(as_of, date) and not isinstance(as_of, datetime) else None
    instant = datetime.combine(day, time.min, nation_clock()) if day else (as_of if isinstance(as_of, datetime) else now)
    _refuse_the_future(instant, day, chosen, now)
    key = nightly_key(instant) if trigger == "nightly" else f"{trigger[:24]}:{now.astimezone(nation_clock()):%Y-%m-%dT%H:%M:%S.%f}"
    run, is_new = PipelineRun.objects.get_or_create(
        key=key,
        defaults={
            "as_of": instant,
            "code_version": code_version(),
            "requested_by_id": getattr(by, "pk", None) if getattr(by, "audit_kind", "") == "user" else None,
            "parameters": {
                "trigger": trigger,
                "regions": chosen,
                "only": wanted,
                "as_of_day": day.isoformat() if day else None,
                **(parameters or Parameters()).as_dict(),
            },
        },
    )
    if is_new and trigger != "nightly":
        audit.record("pipeline.run", obj=run, by=by, after={"key": run.key, "parameters": run.parameters})
    return run


def _refuse_the_future(instant: datetime, day: date | None, chosen: list[str] | None, now: datetime) -> None:
    """A day must have begun in every region that is looked at."""
    problem = _("This time lies in the future.") if instant > now + _CLOCKS_DIFFER else ""
    if day is not None:
        regions = Region.objects.all() if chosen is None else Region.objects.filter(code__in=chosen)
        ahead = [region.name for region in regions if Moment(instant, day).instant_in(region) > now]
        problem = _("This day has not begun in: %(regions)s.") % {"regions": ", ".join(ahead)} if ahead else ""
    if problem:
        raise Invalid(_("The analytics cannot look from the future."), fields={"as_of": problem})


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
