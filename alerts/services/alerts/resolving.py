"""An alert is over: by a person, by recovery, by time."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts import events
from alerts.models import Alert, AlertLog, AlertState
from alerts.permissions import require
from alerts.services.alerts import paging
from alerts.services.alerts.acknowledging import held
from alerts.services.alerts.recording import MOST_NOTE, announce, trail, write
from core.errors import Conflict, Invalid


@transaction.atomic
def resolve(
    *,
    alert: Alert,
    by: User | None = None,
    because: str = Alert.Because.HAND,
    outcome: str = "",
    was_needed: bool | None = None,
    now: datetime | None = None,
) -> Alert:
    """It is over, and nobody is paged any more. ``was_needed``: whoever resolves it says whether anybody needed it."""
    if because not in Alert.Because.values or (by is None) == (because == Alert.Because.HAND):
        raise Invalid(_("A person resolves by hand, the system by recovery or by time."))
    outcome = outcome.strip()
    if len(outcome) > MOST_NOTE:
        problem = _("At most %(limit)d characters.") % {"limit": MOST_NOTE}
        raise Invalid(problem, fields={"outcome": problem})
    require(by, "override_alert", alert)
    alert = held(alert)
    if not alert.is_open:
        raise Conflict(_already(alert))
    close(alert, because=because, outcome=outcome, by=by, was_needed=was_needed, now=now or timezone.now())
    if by is not None:
        trail("resolve", alert, by=by, reason=outcome, after={"was_needed": was_needed})
    return alert


def close(
    alert: Alert, *, because: str, outcome: str = "", by: User | None = None, was_needed: bool | None = None, now: datetime
) -> None:  # fmt: skip
    """Of an alert whose row the caller holds and that is open."""
    Alert.objects.filter(pk=alert.pk).update(
        state=AlertState.RESOLVED, resolved_at=now, resolved_by=by, resolved_because=because, outcome=outcome, was_needed=was_needed
    )
    alert.refresh_from_db()
    paging.stop(alert=alert, because="resolved")
    write(alert, AlertLog.Kind.RESOLVED, by=by, note=outcome, facts={"because": because})
    announce(events.ALERT_RESOLVED, alert, because=because)


def _already(alert: Alert) -> str:
    if alert.resolved_by is not None:
        return _("%(name)s has resolved it already.") % {"name": alert.resolved_by}
    return _("This alert is resolved already.")
