"""Somebody has it: acknowledging, withdrawing that, handing over, pushing on, saying something."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts import events
from alerts.choices import Through
from alerts.models import Alert, AlertLog, AlertState, Contact, Page
from alerts.permissions import require
from alerts.services import whys
from alerts.services.alerts import paging
from alerts.services.alerts.recording import MOST_NOTE, announce, trail, write
from core.errors import Conflict, Invalid, NotAllowed

__all__ = ["acknowledge", "escalate_now", "note", "reassign", "unacknowledge"]


@transaction.atomic
def acknowledge(
    *,
    alert: Alert,
    by: User | None = None,
    contact: Contact | None = None,
    through: str,
    page: Page | None = None,
    at: datetime | None = None,
) -> Alert:
    """Somebody has it in hand: in this one transaction its escalation stops and every page still under way is cancelled.

    ``contact`` is somebody who does not sign in, who was paged and answered. The second to acknowledge is told who was first.
    """
    if (by is None) == (contact is None):
        raise Invalid(_("A person or a contact acknowledges."))
    if through not in Through.values:
        raise Invalid(_("Unknown way of acknowledging."))
    if by is not None:
        require(by, "ack_alert", alert)
    elif not Page.objects.filter(alert=alert, contact=contact).exists():
        raise NotAllowed(_("This contact was not paged for this alert."))
    at = at or timezone.now()
    changed = Alert.objects.filter(pk=alert.pk, state=AlertState.FIRING).update(
        state=AlertState.ACKNOWLEDGED,
        acknowledged_by=by,
        acknowledged_by_contact=contact,
        acknowledged_at=at,
        acknowledged_through=through,
        snoozed_until=None,
        snoozed_by=None,
    )
    alert.refresh_from_db()
    if not changed:
        raise Conflict(_already(alert))
    Alert.objects.filter(pk=alert.pk, first_acknowledged_at=None).update(first_acknowledged_at=at)
    alert.refresh_from_db(fields=["first_acknowledged_at"])
    paging.stop(alert=alert, because="acknowledged")
    facts = {"contact": contact.pk} if contact else {}
    if page is not None:
        facts["page"] = page.pk
    write(alert, AlertLog.Kind.ACKNOWLEDGED, by=by, through=through, note=str(contact) if contact else "", facts=facts)
    announce(
        events.ALERT_ACKNOWLEDGED, alert, through=through, **({"by": by.pk} if by else {"contact": contact.pk if contact else None})
    )  # fmt: skip
    trail("acknowledge", alert, by=by, after={"through": through, **({"contact": str(contact)} if contact else {})})
    return alert


def _already(alert: Alert) -> str:
    if alert.state == AlertState.RESOLVED:
        return _("This alert is resolved already.")
    return _("%(name)s has acknowledged it already.") % {"name": alert.acknowledged_by or alert.acknowledged_by_contact}


@transaction.atomic
def unacknowledge(*, alert: Alert, because: str, by: User | None = None, now: datetime | None = None) -> Alert:
    """It is in nobody's hand any more, and fires again: a person lets go of it, a reminder was not answered, it got worse."""
    from alerts.services.alerts.refiring import fire_again

    require(by, "ack_alert", alert)
    alert = held(alert)
    if alert.state != AlertState.ACKNOWLEDGED:
        raise Conflict(_("Nobody has acknowledged this alert.") if alert.is_open else _("This alert is resolved already."))
    write(alert, AlertLog.Kind.UNACKNOWLEDGED, by=by, note=because)
    announce(events.ALERT_UNACKNOWLEDGED, alert, because=because[:MOST_NOTE])
    if by is not None:
        trail("unacknowledge", alert, by=by, reason=because)
    return fire_again(alert, because=because, now=now or timezone.now())


@transaction.atomic
def reassign(*, alert: Alert, by: User, to_user: User, reason: str) -> Alert:
    """Hand it to somebody else, who is paged for it now. Whoever had acknowledged it has it no more."""
    from alerts.services.alerts.refiring import fire_again

    require(by, "override_alert", alert)
    if not to_user.is_active:
        raise Invalid(_("This account is out of use."), fields={"to_user": _("This account is out of use.")})
    reason = said(reason)
    alert = held(alert)
    must_be_open(alert)
    now = timezone.now()
    if alert.state == AlertState.ACKNOWLEDGED:
        fire_again(alert, because="reassigned", now=now)
    write(alert, AlertLog.Kind.REASSIGNED, by=by, note=reason, facts={"to": to_user.pk, "name": str(to_user)})
    announce(events.ALERT_NOTED, alert, reassigned_to=to_user.pk)
    trail("reassign", alert, by=by, reason=reason, after={"to": str(to_user)})
    paging.page(alert=alert, user=to_user, why=whys.handed_over(by), now=now)
    return alert


@transaction.atomic
def escalate_now(*, alert: Alert, by: User, reason: str) -> Alert:
    """The next step of the policy at once; where the policy has been through, it begins again. What kept it quiet keeps it no more."""
    from alerts.services.alerts.refiring import fire_again

    require(by, "override_alert", alert)
    reason = said(reason)
    alert = held(alert)
    must_be_open(alert)
    now = timezone.now()
    if alert.state == AlertState.ACKNOWLEDGED or is_quiet(alert, now) or not paging.hasten(alert=alert, now=now):
        fire_again(alert, because="escalated", now=now)
    write(alert, AlertLog.Kind.ESCALATED, by=by, note=reason)
    announce(events.ALERT_ESCALATED, alert, step="", by=by.pk)
    trail("escalate", alert, by=by, reason=reason)
    return alert


@transaction.atomic
def note(*, alert: Alert, by: User, text: str) -> AlertLog:
    """Something said about it, for whoever has it next."""
    require(by, "ack_alert", alert)
    line = AlertLog.objects.create(alert=alert, kind=AlertLog.Kind.NOTED, by=by, through=Through.SCREEN, note=said(text, field="text"))
    announce(events.ALERT_NOTED, alert)
    trail("note", alert, by=by)
    return line


def held(alert: Alert) -> Alert:
    """The alert as it is, its row held until the transaction ends."""
    return Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)


def must_be_open(alert: Alert) -> None:
    if not alert.is_open:
        raise Conflict(_("This alert is resolved already."))


def is_quiet(alert: Alert, now: datetime) -> bool:
    return bool(
        (alert.snoozed_until and alert.snoozed_until > now)
        or (alert.muted_until and alert.muted_until > now)
        or alert.silenced_by_id
        or alert.inhibited_by_id
    )


def said(text: str, *, field: str = "reason") -> str:
    text = text.strip()
    if not text:
        raise Invalid(_("Say why."), fields={field: _("Say why.")})
    if len(text) > MOST_NOTE:
        problem = _("At most %(limit)d characters.") % {"limit": MOST_NOTE}
        raise Invalid(problem, fields={field: problem})
    return text
