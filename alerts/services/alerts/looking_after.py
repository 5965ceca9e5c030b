"""The round that ends what has an end: quiet times, second looks, alerts resolved by time or by recovery, reminders.

Safe to run twice and by several at once: each alert is taken with ``SKIP LOCKED``, one transaction an alert, and looked at as it is then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import events
from alerts.models import Alert, AlertLog, AlertState, EscalationRun, Heartbeat, Silence
from alerts.services.alerts import paging
from alerts.services.alerts.acknowledging import is_quiet
from alerts.services.alerts.opening import inhibit
from alerts.services.alerts.quiets import QUIETABLE, Quiets
from alerts.services.alerts.recording import announce, write
from alerts.services.alerts.refiring import fire_again
from alerts.services.alerts.resolving import close
from alerts.services.alerts.silences import hush

AT_ONCE = 200
RECOVERY_EVERY = timedelta(seconds=55)
NOT_SO_LATE = timedelta(hours=12)  # a reminder that is older reminds nobody: the alert is resolved by time


def look_after(now: datetime | None = None) -> dict[str, int]:
    """One round over all that is due. Returns what was done, by name."""
    now = now or timezone.now()
    done: Counter[str] = Counter()
    open_ones = Alert.objects.open()
    # Time first: what is over by time is neither asked about nor fired again months later.
    _each(open_ones.filter(resolve_due_at__lte=now), lambda alert: _by_time(alert, now, done))
    for silence in Silence.objects.in_force(at=now).filter(starts_at__gt=now - timedelta(minutes=10)):
        with transaction.atomic():
            done["hushed"] += hush(silence)
    _each(open_ones.filter(_quiet_is_over(now)), lambda alert: _second_look(alert, now, done))
    Silence.objects.filter(looked_after_at=None, ends_at__lte=now).exclude(
        Exists(Alert.objects.open().filter(silenced_by=OuterRef("pk")))
    ).update(looked_after_at=now)
    _each(_unattended(), lambda alert: _second_look(alert, now, done))
    _remind(now, done)
    done["released"] = engine().release_held(now=now)
    if _is_turn_of("alerts: recovery", now):
        done["recovered"] += engine().look_for_recovery(now=now)
    return {name: count for name, count in done.items() if count}


def _is_turn_of(name: str, now: datetime) -> bool:
    """Once a minute, whoever asks first."""
    if Heartbeat.objects.filter(name=name, beat_at__lte=now - RECOVERY_EVERY).update(beat_at=now):
        return True
    return Heartbeat.objects.get_or_create(name=name, defaults={"beat_at": now})[1]


def engine() -> Any:
    """The engine opens alerts by this package, and is met when called and not when loaded."""
    return import_module("alerts.services.engine")


def _each(due: object, act: Callable[[Alert], None]) -> None:
    """Every due alert in a transaction of its own; one that somebody else holds is theirs, or comes the next time."""
    for pk in list(due.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):  # type: ignore[attr-defined]
        with transaction.atomic():
            alert = (
                due.select_for_update(no_key=True, skip_locked=True, of=("self",))  # type: ignore[attr-defined]
                .filter(pk=pk)
                .first()
            )
            if alert is not None:
                act(alert)


def _quiet_is_over(now: datetime) -> Q:
    return (
        Q(snoozed_until__lte=now)
        | Q(muted_until__lte=now)
        | Q(silenced_by__ends_at__lte=now)
        | Q(inhibited_by__state=AlertState.RESOLVED)
        | Q(inhibited_by__isnull=False, inhibition=None)
        | Q(inhibition__is_active=False)
    )


def _unattended() -> object:
    """Firing, kept quiet by nothing, and no run of it goes on or has gone through: its silence was deleted, or a process died."""
    live = EscalationRun.objects.filter(alert=OuterRef("pk")).exclude(state=EscalationRun.State.STOPPED)
    was_quiet = AlertLog.objects.filter(alert=OuterRef("pk"), kind__in=[AlertLog.Kind.SILENCED, AlertLog.Kind.INHIBITED])
    return Alert.objects.firing().filter(
        Exists(was_quiet), ~Exists(live), silenced_by=None, inhibited_by=None, snoozed_until=None, muted_until=None, kind__in=QUIETABLE
    )


def _second_look(alert: Alert, now: datetime, done: Counter[str]) -> None:
    """A quiet time has ended. Where another still holds the alert stays quiet; else what still holds fires, and what does not is over."""
    was_snoozed = alert.snoozed_until is not None and alert.snoozed_until <= now
    changes: dict[str, object] = {}
    if was_snoozed:
        changes |= {"snoozed_until": None, "snoozed_by": None}
    if alert.muted_until is not None and alert.muted_until <= now:
        changes["muted_until"] = None
    if alert.silenced_by is not None and alert.silenced_by.ends_at <= now:
        changes["silenced_by"] = None
    source = alert.inhibited_by
    if source is not None and (not source.is_open or alert.inhibition is None or not alert.inhibition.is_active):
        changes |= {"inhibited_by": None, "inhibition": None}
    if changes:
        Alert.objects.filter(pk=alert.pk).update(**changes)
        alert.refresh_from_db()
    if is_quiet(alert, now) or _is_quiet_anew(alert, now):
        done["still quiet"] += 1
        return
    if alert.state == AlertState.ACKNOWLEDGED and not was_snoozed:
        return  # somebody has it in hand
    if holds(alert, now):
        fire_again(alert, because=_("Still so after the quiet time."), now=now)
        done["refired"] += 1
    else:
        close(alert, because=Alert.Because.RECOVERY, outcome=_("It was over when the quiet time ended."), now=now)
        done["recovered"] += 1


def _is_quiet_anew(alert: Alert, now: datetime) -> bool:
    """Whether another silence or alert keeps it quiet now."""
    if alert.kind not in QUIETABLE:
        return False
    quiets = Quiets.at(now)
    silence = quiets.silence_of(alert)
    if silence is not None:
        Alert.objects.filter(pk=alert.pk).update(silenced_by=silence)
        write(alert, AlertLog.Kind.SILENCED, note=silence.reason, facts={"silence": silence.pk, "until": silence.ends_at.isoformat()})
        announce(events.ALERT_QUIETED, alert, how="silenced", until=silence.ends_at.isoformat())
        return True
    found = quiets.inhibitor_of(alert) if quiets.inhibitions else None
    if found is not None:
        inhibit(alert, *found)
    return found is not None


def holds(alert: Alert, now: datetime) -> bool:
    """Whether what fired it is still so: asked of its rule's source. What a person raised holds until a person ends it."""
    if alert.kind not in QUIETABLE:
        return True
    return bool(engine().still_holds(alert, now=now))


def _by_time(alert: Alert, now: datetime, done: Counter[str]) -> None:
    if alert.kind == Alert.Kind.OUTSIDE:  # it said itself when it ends
        close(alert, because=Alert.Because.TIME, outcome=_("The time its sender named has passed."), now=now)
        done["by time"] += 1
        return
    close(alert, because=Alert.Because.TIME, outcome=_("Nobody resolved it in time."), now=now)
    paging.tell_resolved_by_time(alert=alert, now=now)
    done["by time"] += 1


def _remind(now: datetime, done: Counter[str]) -> None:
    """What was acknowledged and not resolved is asked about again, where its policy says so. Nobody is woken for what is long past."""
    newest = EscalationRun.objects.filter(alert=OuterRef("pk")).order_by("-number")
    waiting = Alert.objects.filter(state=AlertState.ACKNOWLEDGED, silenced_by=None, inhibited_by=None).filter(
        Q(snoozed_until=None) | Q(snoozed_until__lte=now),
        Q(muted_until=None) | Q(muted_until__lte=now),
        acknowledged_at__gt=now - timedelta(days=8),
        runs__snapshot__remind_after_min__gt=0,
    )
    for alert in waiting.annotate(remind=newest.values("snapshot__remind_after_min")[:1]).distinct().order_by("pk")[:AT_ONCE]:
        minutes = int(alert.remind or 0)
        if minutes <= 0 or alert.acknowledged_at is None:
            continue
        due = alert.acknowledged_at + timedelta(minutes=minutes)
        if not due <= now <= due + NOT_SO_LATE:
            continue
        with transaction.atomic():
            mine = Alert.objects.select_for_update(no_key=True, skip_locked=True).filter(
                pk=alert.pk, state=AlertState.ACKNOWLEDGED, acknowledged_at=alert.acknowledged_at
            )
            found = mine.first()
            if found is None:
                continue
            write(found, AlertLog.Kind.UNACKNOWLEDGED, note=_("Acknowledged, and still open."), facts={"minutes": minutes})
            announce(events.ALERT_UNACKNOWLEDGED, found, because="reminder")
            fire_again(found, because=_("Acknowledged %(minutes)d minutes ago, and still open.") % {"minutes": minutes}, now=now)
            done["reminded"] += 1
