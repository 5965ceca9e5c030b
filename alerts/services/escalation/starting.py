"""The life of a run: begin, stop, pause, go on, the next step at once. What a step does is in ``running``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from alerts.models import Alert, EscalationPolicy, EscalationRun
from alerts.services.escalation.snapshot import snapshot_of

State = EscalationRun.State
LIVE = (State.RUNNING, State.PAUSED)


@transaction.atomic
def start_run(*, alert: Alert, policy: EscalationPolicy | None, now: datetime | None = None, hurry_percent: int = 0) -> EscalationRun:
    """Begin to escalate; the first step is due at once. The policy is kept as it is now.

    Without a policy (or with one out of use) those who may see the alert are told on the screen. A run of this alert that is still
    going is stopped: there is one at a time.
    """
    now = now or timezone.now()
    EscalationRun.objects.filter(alert=alert, state__in=LIVE).update(state=State.STOPPED, ended_at=now, next_at=None)
    last = EscalationRun.objects.filter(alert=alert).aggregate(last=Max("number"))["last"] or 0
    snapshot = snapshot_of(policy, hurry_percent=hurry_percent)
    return EscalationRun.objects.create(
        alert=alert,
        number=last + 1,
        policy_id=snapshot["policy"],
        policy_version=snapshot["version"],
        snapshot=snapshot,
        next_at=now,
    )


def start_first_runs(*, alerts: Sequence[Alert], policy: EscalationPolicy | None, now: datetime, hurry_percent: int = 0) -> None:
    """As ``start_run``, for alerts that were opened in this very transaction and never had a run: the policy is read once for them all."""
    snapshot = snapshot_of(policy, hurry_percent=hurry_percent)
    EscalationRun.objects.bulk_create(
        EscalationRun(
            alert=alert,
            number=1,
            policy_id=snapshot["policy"],
            policy_version=snapshot["version"],
            snapshot=snapshot,
            next_at=now,
        )
        for alert in alerts
    )


def stop_run(*, alert: Alert, because: str = "", now: datetime | None = None) -> bool:
    """No further step. Whoever acknowledges calls this BEFORE cancelling the pages: it waits for a step that is being run, so that
    the pages that step makes are there to be cancelled. Says whether there was a run to stop."""
    changes = {"state": State.STOPPED, "next_at": None, "ended_at": now or timezone.now(), "last_error": because[:400]}
    return bool(EscalationRun.objects.filter(alert=alert, state__in=LIVE).update(**changes))


def pause(*, alert: Alert) -> bool:
    """No step until ``resume``; the place is kept."""
    return bool(EscalationRun.objects.filter(alert=alert, state=State.RUNNING).update(state=State.PAUSED))


def resume(*, alert: Alert, now: datetime | None = None) -> bool:
    """Go on where it stood; what came due meanwhile is due now."""
    now = now or timezone.now()
    paused = EscalationRun.objects.filter(alert=alert, state=State.PAUSED)
    late = paused.filter(next_at__lt=now).update(state=State.RUNNING, next_at=now)
    return bool(late + paused.update(state=State.RUNNING))


def next_at_once(*, alert: Alert, now: datetime | None = None) -> bool:
    """The next step now, whatever is still waited for; a paused run goes on with it. ``False``: there is no run with a next step."""
    return bool(
        EscalationRun.objects.filter(alert=alert, state__in=LIVE).update(state=State.RUNNING, next_at=now or timezone.now(), failures=0)
    )
