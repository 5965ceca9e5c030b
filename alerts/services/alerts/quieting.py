"""A quiet time of one alert: snoozed by whoever has it, muted by whoever may override."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts import events
from alerts.models import Alert, AlertLog
from alerts.permissions import require
from alerts.services.alerts import paging
from alerts.services.alerts.acknowledging import held, must_be_open, said
from alerts.services.alerts.recording import MOST_NOTE, announce, trail, write
from core.errors import Invalid

LONGEST_SNOOZE = timedelta(hours=24)
LONGEST_MUTE = timedelta(days=7)
SECOND_LOOK = timedelta(hours=1)  # an alert is not resolved by time before the look that ends its quiet


@transaction.atomic
def snooze(*, alert: Alert, by: User, until: datetime, reason: str = "") -> Alert:
    """Quiet until then, a day at most; what is still wrong then fires again, whoever had acknowledged it."""
    require(by, "ack_alert", alert)
    _checked(until, LONGEST_SNOOZE)
    if len(reason) > MOST_NOTE:
        raise Invalid(_("At most %(limit)d characters.") % {"limit": MOST_NOTE})
    alert = held(alert)
    must_be_open(alert)
    Alert.objects.filter(pk=alert.pk).update(
        snoozed_until=until, snoozed_by=by, resolve_due_at=Greatest(F("resolve_due_at"), until + SECOND_LOOK)
    )
    return _quieted(alert, AlertLog.Kind.SNOOZED, by=by, until=until, reason=reason.strip())


@transaction.atomic
def mute(*, alert: Alert, by: User, until: datetime, reason: str) -> Alert:
    """Quiet until then by order, a week at most. It takes effect at once: what is under way is cancelled."""
    require(by, "override_alert", alert)
    _checked(until, LONGEST_MUTE)
    reason = said(reason)
    alert = held(alert)
    must_be_open(alert)
    Alert.objects.filter(pk=alert.pk).update(muted_until=until, resolve_due_at=Greatest(F("resolve_due_at"), until + SECOND_LOOK))
    return _quieted(alert, AlertLog.Kind.MUTED, by=by, until=until, reason=reason)


def _quieted(alert: Alert, kind: str, *, by: User, until: datetime, reason: str) -> Alert:
    alert.refresh_from_db()
    paging.stop(alert=alert, because=kind)
    write(alert, kind, by=by, note=reason, facts={"until": until.isoformat()})
    announce(events.ALERT_QUIETED, alert, how=str(kind), until=until.isoformat())
    trail("snooze" if kind == AlertLog.Kind.SNOOZED else "mute", alert, by=by, reason=reason, after={"until": until.isoformat()})
    return alert


def _checked(until: datetime, longest: timedelta) -> None:
    now = timezone.now()
    problem = ""
    if until <= now:
        problem = _("This time is over already.")
    elif until > now + longest:
        problem = _("At most %(hours)d hours.") % {"hours": longest / timedelta(hours=1)}
    if problem:
        raise Invalid(problem, fields={"until": problem})
