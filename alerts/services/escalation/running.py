"""Steps that are due. The run's row is the queue: it is claimed with ``SKIP LOCKED`` and held while its step is run, so that what a step
leaves behind (its row, its pages, the time of the next) is there as a whole or not at all, whoever is killed when."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from alerts import events
from alerts.analytics.escalating import Place, Then, after, applies
from alerts.models import Alert, AlertLog, AlertState, EscalationRun, PolicyStep, StepRun
from alerts.services.delivery import page_person
from alerts.services.escalation import coverage, doing, together
from alerts.services.escalation.keeping import came_of, line_of, next_place, paged_event
from alerts.services.escalation.starting import State
from alerts.services.escalation.targets import TO_PEOPLE, Target, fallback_of, resolve
from core.events import publish, publish_many

logger = logging.getLogger("alerts.escalation")

BATCH = 10  # runs in one transaction: few enough that an acknowledgement never waits long for a step, many enough to share a commit
MOST_FAILURES = 3  # then the step counts as failed and the next one is taken: one bad step keeps nobody from being told
RETRY_S = (2, 5, 15)
Outcome = StepRun.Outcome
Kind = PolicyStep.Kind


@dataclass
class Done:
    """What came of a step."""

    outcome: str
    targets: list[Target] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def run_due(*, limit: int = 200, owner: str = "", now: datetime | None = None) -> int:
    """Run what is due, the most urgent first, at most ``limit`` steps. Any number of processes may call it at once.

    A run that is far behind its time (everything was away) takes one step and then waits as its policy says: no burst of pages.
    """
    total = 0
    while total < limit:
        count = _batch(min(BATCH, limit - total), owner=owner, now=now)
        total += count
        if not count:
            break
    return total


@transaction.atomic
def _batch(count: int, *, owner: str, now: datetime | None) -> int:
    at = now or timezone.now()
    due = EscalationRun.objects.due(at=at).select_related(
        "alert__agency", "alert__governorate", "alert__zone", "alert__rule", "alert__incident__type"
    )
    due = due.defer("alert__governorate__boundary", "alert__zone__boundary").order_by("alert__priority", "next_at", "pk")
    runs = list(due.select_for_update(of=("self",), skip_locked=True)[:count])
    for run in _left_by(runs, now or timezone.now(), owner):
        try:
            with transaction.atomic():
                _take(run, now or timezone.now(), owner)
        except Exception as error:
            if _is_away(error):
                raise  # the database went away: nothing was done, and the row is found again
            logger.exception("step %d of escalation %d failed", run.step_no, run.pk)
            _failed(run, error, now or timezone.now())
    return len(runs)


def _is_away(error: Exception) -> bool:
    return isinstance(error, DatabaseError | InterfaceError) and (connection.connection is None or connection.connection.closed)


def _left_by(runs: list[EscalationRun], now: datetime, owner: str) -> list[EscalationRun]:
    """The plain steps of a batch are run together. What is left is taken one by one: steps that are not plain, and, where one of
    them fails, all: so that it is the only one that does."""
    try:
        with transaction.atomic():
            return together.run_plain(runs, now=now, owner=owner)
    except Exception as error:
        if _is_away(error):
            raise
        logger.warning("a batch of %d steps is taken one by one: %s", len(runs), error)
        return runs


def _take(run: EscalationRun, now: datetime, owner: str) -> None:
    """One step of a run whose row is held."""
    alert = run.alert
    if alert.state != AlertState.FIRING:
        _end(run, State.STOPPED, now)
        return
    if coverage.is_quiet(alert, now):
        _move(run, state=State.PAUSED)
        return
    steps = run.snapshot.get("steps") or []
    if run.step_no >= len(steps):
        _finish(run, now, owner)
        return
    step, place = steps[run.step_no], Place(run.loop, run.step_no, run.repeat_no)
    row = StepRun.objects.create(
        run=run, loop=place.loop, step_no=place.step_no, repeat_no=place.repeat_no, kind=step["kind"],
        due_at=run.next_at or now, ran_at=now, outcome=Outcome.DONE,
    )  # fmt: skip
    done = _do(step, run, row, now) if applies(step, local=timezone.localtime(now), level=alert.level) else Done(Outcome.SKIPPED)
    _conclude(run, row, done, owner, now)
    _go_on(run, after(run.snapshot, place, moves_on=done.outcome != Outcome.DONE), now)


def _do(step: Mapping[str, Any], run: EscalationRun, row: StepRun, now: datetime) -> Done:
    if step["kind"] in TO_PEOPLE:
        targets = resolve(step, run.alert, now)
        _page(run.alert, row, targets, step, now)
        reached = any(target.is_reachable for target in targets)
        return Done(Outcome.DONE if reached else Outcome.NOBODY, targets)
    if step["kind"] == Kind.TASK:
        facts, is_done = doing.give_task(run.alert, step)
        return Done(Outcome.DONE if is_done else Outcome.NOBODY, facts=facts)
    if step["kind"] == Kind.WEBHOOK:
        return Done(Outcome.DONE, facts=doing.call_webhook(run.alert, row, step, now))
    return Done(Outcome.DONE)


def _page(alert: Alert, row: StepRun, targets: list[Target], step: Mapping[str, Any], now: datetime) -> None:
    for target in targets:
        page_person(
            alert=alert, step_run=row, user=target.user, contact=target.contact, importance=str(step.get("importance") or "default"),
            channels=step.get("channels") or (), why=target.why, now=now,
        )  # fmt: skip


def _conclude(run: EscalationRun, row: StepRun, done: Done, owner: str, now: datetime) -> None:
    """Keep what came of it; where nobody was reached, the fallback is paged and somebody hears of the hole."""
    alert = run.alert
    paged = list(done.targets)
    if done.outcome == Outcome.NOBODY:
        if done.targets:
            done.facts["unreachable"] = [target.name for target in done.targets]
        known = {target.key for target in done.targets}
        if not StepRun.objects.filter(run=run, facts__has_key="fallback").exists():
            spare = [target for target in fallback_of(run.snapshot) if target.key not in known]
            if spare:
                done.facts["fallback"] = [target.name for target in spare]
                _page(alert, row, spare, {"importance": "important"}, now)
                paged += spare
    came_of(row, outcome=done.outcome, paged=paged, facts=done.facts, owner=owner)
    row.save(update_fields=["outcome", "reached", "facts"])
    if done.outcome == Outcome.SKIPPED:
        return
    line_of(alert, row, done.facts).save(force_insert=True)
    if paged:
        publish_many([paged_event(alert, row)])
    if done.outcome in (Outcome.NOBODY, Outcome.FAILED):
        publish(
            events.ALERT_UNREACHED, subject=alert, data={"step": row.step_no + 1}, agency_id=alert.agency_id,
            governorate_id=alert.governorate_id,
        )  # fmt: skip
        coverage.raise_coverage(alert, run=run, row=row, now=now)


def _go_on(run: EscalationRun, then: Then, now: datetime) -> None:
    _move(run, **next_place(run, then, now))


def _finish(run: EscalationRun, now: datetime, owner: str) -> None:
    """Every step was run and nobody has acknowledged: the fallback hears of it, if it was not told before, and it is said."""
    alert = run.alert
    told = StepRun.objects.filter(run=run, facts__has_key="fallback").exists()
    spare = [] if told else fallback_of(run.snapshot)
    if spare:
        kind = Kind.PERSON if spare[0].user is not None else Kind.CONTACT
        row = StepRun.objects.create(
            run=run, loop=run.loop, step_no=run.step_no, repeat_no=0, kind=kind, due_at=run.next_at or now, ran_at=now, outcome=Outcome.DONE
        )
        _page(alert, row, spare, {"importance": "important"}, now)
        _conclude(run, row, Done(Outcome.DONE, spare, {"fallback": [target.name for target in spare], "is_last": True}), owner, now)
    AlertLog.objects.create(alert=alert, kind=AlertLog.Kind.NOBODY, facts={"is_end": True, "loops": run.loop + 1})
    publish(
        events.ALERT_UNREACHED, subject=alert, data={"step": run.step_no + 1, "is_end": True}, agency_id=alert.agency_id,
        governorate_id=alert.governorate_id,
    )  # fmt: skip
    _end(run, State.DONE, now)


def _end(run: EscalationRun, state: str, now: datetime) -> None:
    _move(run, state=state, next_at=None, ended_at=now)


def _move(run: EscalationRun, **changes: Any) -> None:
    EscalationRun.objects.filter(pk=run.pk).update(**changes)


def _failed(run: EscalationRun, error: Exception, now: datetime) -> None:
    """Try the step again soon; when it keeps failing, say so, tell the fallback and take the next."""
    message = f"{type(error).__name__}: {error}"[:400]
    if run.failures + 1 < MOST_FAILURES:
        wait_s = RETRY_S[min(run.failures, len(RETRY_S) - 1)]
        _move(run, failures=run.failures + 1, last_error=message, next_at=now + timedelta(seconds=wait_s))
        return
    place = Place(run.loop, run.step_no, run.repeat_no)
    try:
        kind = Kind(run.snapshot["steps"][run.step_no]["kind"])
    except (LookupError, TypeError, ValueError):
        kind = Kind.WAIT  # the snapshot itself is broken
    row, _made = StepRun.objects.get_or_create(
        run=run, loop=place.loop, step_no=place.step_no, repeat_no=place.repeat_no,
        defaults={"kind": kind, "due_at": run.next_at or now, "ran_at": now, "outcome": Outcome.FAILED},
    )  # fmt: skip
    try:
        with transaction.atomic():
            _conclude(run, row, Done(Outcome.NOBODY, facts={"error": message}), "", now)
    except Exception:
        logger.exception("nobody could be told that step %d of escalation %d failed", run.step_no, run.pk)
    StepRun.objects.filter(pk=row.pk).update(outcome=Outcome.FAILED)
    _move(run, last_error=message)
    _go_on(run, after(run.snapshot, place, moves_on=True), now)
