"""The plain steps of a batch, run together: people are looked up once, and every table is written in one statement.

Plain is a step of an alert that fires, which reaches somebody, waits, or does not apply now. Whatever else there is (nobody reached, a
task, a webhook, the end) is left to ``running``, step by step.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from alerts.analytics.escalating import Place, after, applies
from alerts.models import AlertLog, AlertState, EscalationRun, PolicyStep, StepRun
from alerts.services.delivery.kept import Kept
from alerts.services.delivery.paging import Asked, page_people
from alerts.services.escalation import coverage
from alerts.services.escalation.keeping import came_of, line_of, next_place, paged_event
from alerts.services.escalation.targets import TO_PEOPLE, Target, resolve
from core.events import publish_many

Outcome = StepRun.Outcome
BY_THEMSELVES = frozenset({PolicyStep.Kind.TASK, PolicyStep.Kind.WEBHOOK})


@dataclass
class Plain:
    run: EscalationRun
    row: StepRun
    step: Mapping[str, Any]
    targets: list[Target]
    then: dict[str, Any]  # where the run goes on


def run_plain(runs: list[EscalationRun], *, now: datetime, owner: str) -> list[EscalationRun]:
    """Run what is plain among these runs, whose rows are held; returns the others. All or nothing, in the caller's transaction."""
    kept = Kept()
    plain: list[Plain] = []
    left: list[EscalationRun] = []
    for run in runs:
        found = _plain(run, now, owner, kept)
        if found is not None:
            plain.append(found)
        else:
            left.append(run)
    if not plain:
        return left
    StepRun.objects.bulk_create([one.row for one in plain])
    asked = [
        Asked(
            alert=one.run.alert, step_run=one.row, user=target.user, contact=target.contact, why=target.why,
            importance=str(one.step.get("importance") or "default"), channels=one.step.get("channels") or (),
        )
        for one in plain for target in one.targets
    ]  # fmt: skip
    if asked:
        page_people(asked, now=now, kept=kept)
    AlertLog.objects.bulk_create([line_of(one.run.alert, one.row, {}) for one in plain if one.row.outcome == Outcome.DONE])
    publish_many(paged_event(one.run.alert, one.row) for one in plain if one.targets)
    _go_on(plain)
    return left


def _plain(run: EscalationRun, now: datetime, owner: str, kept: Kept) -> Plain | None:
    alert, steps = run.alert, run.snapshot.get("steps") or []
    if alert.state != AlertState.FIRING or coverage.is_quiet(alert, now) or run.step_no >= len(steps):
        return None
    step, place = steps[run.step_no], Place(run.loop, run.step_no, run.repeat_no)
    kind = step["kind"]
    if kind in BY_THEMSELVES:
        return None
    targets: list[Target] = []
    outcome = Outcome.DONE if applies(step, local=timezone.localtime(now), level=alert.level) else Outcome.SKIPPED
    if outcome == Outcome.DONE and kind in TO_PEOPLE:
        question = ("targets", json.dumps(step, sort_keys=True), alert.agency_id, alert.governorate_id)
        targets = kept.once(question, lambda: resolve(step, alert, now))
        if not any(target.is_reachable for target in targets):
            return None
    row = StepRun(
        run=run, loop=place.loop, step_no=place.step_no, repeat_no=place.repeat_no, kind=kind, due_at=run.next_at or now, ran_at=now
    )
    came_of(row, outcome=outcome, paged=targets, facts={}, owner=owner)
    then = next_place(run, after(run.snapshot, place, moves_on=outcome != Outcome.DONE), now)
    return Plain(run, row, step, targets, then)


def _go_on(plain: list[Plain]) -> None:
    """Those that go on at the same place and time in one statement: alerts that opened together do."""
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for one in plain:
        alike[tuple(sorted(one.then.items()))].append(one.run.pk)
    for then, ids in alike.items():
        EscalationRun.objects.filter(pk__in=ids).update(**dict(then))
