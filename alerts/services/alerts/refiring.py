"""Firing again: after a quiet time that ended with the thing still wrong, when an acknowledgement is withdrawn, when it got worse."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from alerts import events
from alerts.models import Alert, AlertLog, AlertState, Contact, EscalationPolicy, EscalationRun
from alerts.services import whys
from alerts.services.alerts import paging
from alerts.services.alerts.acknowledging import held, is_quiet, must_be_open
from alerts.services.alerts.quiets import Quiets
from alerts.services.alerts.recording import announce, write

_LOUD: dict[str, Any] = {
    "state": AlertState.FIRING,
    "acknowledged_by": None,
    "acknowledged_by_contact": None,
    "acknowledged_at": None,
    "acknowledged_through": "",
    "snoozed_until": None,
    "snoozed_by": None,
    "muted_until": None,
    "silenced_by": None,
    "inhibited_by": None,
    "inhibition": None,
}


@transaction.atomic
def refire(*, alert: Alert, because: str, now: datetime | None = None) -> Alert:
    """It pages anew from the first step of its policy. The old run and its pages are over."""
    alert = held(alert)
    must_be_open(alert)
    return fire_again(alert, because=because, now=now or timezone.now())


def fire_again(alert: Alert, *, because: str, now: datetime, hurry_percent: int = 0) -> Alert:
    """As ``refire``, of an alert whose row the caller holds and that is open."""
    policy = policy_of(alert)
    paging.stop(alert=alert, because=because)
    Alert.objects.filter(pk=alert.pk).update(**_LOUD)
    alert.refresh_from_db()
    write(alert, AlertLog.Kind.REFIRED, note=because)
    announce(events.ALERT_REFIRED, alert, because=because[:200])
    if alert.kind == Alert.Kind.MANUAL and policy is None:
        _page_the_named(alert, now)
    else:
        paging.start(alert=alert, policy=policy, now=now, hurry_percent=hurry_percent)
    return alert


def policy_of(alert: Alert) -> EscalationPolicy | None:
    """The rule's as it is today; else that of the last run."""
    if alert.rule_id is not None:
        found = EscalationPolicy.objects.filter(rules=alert.rule_id).first()
        if found is not None:
            return found
    last = EscalationRun.objects.filter(alert=alert).select_related("policy").order_by("-number").first()
    return last.policy if last is not None else None


def _page_the_named(alert: Alert, now: datetime) -> None:
    """A manual alert without a policy: those it named."""
    channels = [str(channel) for channel in alert.facts.get("channels", [])]
    for user in User.objects.filter(pk__in=alert.facts.get("users", []), is_active=True):
        paging.page(alert=alert, user=user, channels=channels, why=whys.IN_THE_ALERT, now=now)
    for contact in Contact.objects.filter(pk__in=alert.facts.get("contacts", []), is_active=True):
        paging.page(alert=alert, contact=contact, channels=channels, why=whys.IN_THE_ALERT, now=now)


def worsen(*, alert: Alert, hurry_percent: int, now: datetime) -> None:
    """Its level has risen: whoever acknowledged or snoozed the lesser thing is asked again. A mute and an inhibition hold; a silence holds
    where it still matches."""
    if alert.muted_until and alert.muted_until > now:
        return
    if alert.silenced_by_id and Quiets.at(now).silence_of(alert) is not None:
        return
    if alert.inhibited_by_id:
        return
    is_snoozed = bool(alert.snoozed_until and alert.snoozed_until > now)
    is_paging = EscalationRun.objects.filter(alert=alert, state__in=[EscalationRun.State.RUNNING, EscalationRun.State.PAUSED]).exists()
    if alert.state == AlertState.FIRING and is_paging and not is_snoozed and not is_quiet(alert, now):
        return  # its run goes on, and its next steps know the new level
    fire_again(alert, because="worse", now=now, hurry_percent=hurry_percent)
