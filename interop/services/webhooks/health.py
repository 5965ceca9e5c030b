"""Whether an address takes what it is sent. After five days of nothing but failures it is switched off, and its owner is told.

The clock begins only when failures span half a day without a success and without a quiet day between them: one bad night, or an event a
week that happens to fail, switches nobody off.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from django.db import transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from alerts.channels import registry
from alerts.channels.base import Message as Words
from alerts.channels.base import PermanentFailure, TemporaryFailure
from alerts.models import Alert, Level
from alerts.services.alerts import open_alert
from core import audit
from core.events import publish
from interop import events
from interop.models import WebhookSubscription

State = WebhookSubscription.State
CLOCK_STARTS = timedelta(hours=12)
QUIET_DAY = timedelta(hours=24)
OFF_AFTER = timedelta(days=5)
NOTED_EVERY = timedelta(seconds=10)


def note_successes(ids: Collection[int], *, now: datetime) -> None:
    """The streak is over. Written at most every ten seconds where there is none, so that a quick receiver's row is not fought over."""
    stale = Q(last_success_at=None) | Q(last_success_at__lt=now - NOTED_EVERY) | Q(first_failure_at__isnull=False)
    WebhookSubscription.objects.filter(stale, pk__in=sorted(ids)).update(
        last_success_at=now, first_failure_at=None, last_failure_at=None, failing_since=None, last_error=""
    )


def note_failures(subscription_id: int, *, error: str, now: datetime) -> bool:
    """Write that it failed again; ``True`` where that switched it off. In the caller's transaction."""
    rows = WebhookSubscription.objects.select_for_update(of=("self",), no_key=True).select_related("partner")
    held = rows.filter(pk=subscription_id).first()
    if held is None or held.state != State.ACTIVE:
        return False
    first, last, since = held.first_failure_at, held.last_failure_at, held.failing_since
    if first is None or last is None or (since is None and now - last > QUIET_DAY):
        first = now
    if since is None and now - first >= CLOCK_STARTS:
        since = first
    WebhookSubscription.objects.filter(pk=held.pk).update(
        first_failure_at=first, last_failure_at=now, failing_since=since, last_error=error[:200]
    )
    if since is None or now - since < OFF_AFTER:
        return False
    _switch_off(held, error=error, since=since, now=now)
    return True


def _switch_off(held: WebhookSubscription, *, error: str, since: datetime, now: datetime) -> None:
    WebhookSubscription.objects.filter(pk=held.pk).update(
        state=State.DISABLED, state_because=error[:300], state_since=now, notice_due=bool(held.contact_email)
    )
    audit.record("webhook.disable", obj=held, before={"state": held.state}, after={"state": str(State.DISABLED)}, reason=error)
    data = {"webhook": str(held.uid), "name": str(held), "because": error[:200], "since": since.isoformat()}
    publish(events.WEBHOOK_DISABLED, subject=held, agency_id=held.partner.agency_id, data=data)
    open_alert(
        kind=Alert.Kind.AUDIT,
        fingerprint=f"audit:webhook:{held.pk}",
        level=Level.MEDIUM,
        title_en=f"A webhook was switched off after failing for days: {held}"[:200],
        title_ar=f"أُوقف إشعار آلي بعد تعثره أياماً: {held}"[:200],
        caused_at=now,
        agency_id=held.partner.agency_id,
        subject=("webhooksubscription", held.pk),
        facts={"webhook": str(held.uid), "because": error[:200], "since": since.isoformat()},
        is_synthetic=held.partner.is_synthetic,
        now=now,
    )


def note_gone(subscription_id: int, *, now: datetime) -> bool:
    """The receiver said 410: it wants nothing more."""
    rows = WebhookSubscription.objects.select_for_update(of=("self",), no_key=True).select_related("partner")
    held = rows.filter(pk=subscription_id).exclude(state__in=[State.ENDED, State.REMOVED]).first()
    if held is None:
        return False
    WebhookSubscription.objects.filter(pk=held.pk).update(state=State.ENDED, state_because="HTTP 410", state_since=now)
    audit.record("webhook.end", obj=held, before={"state": held.state}, after={"state": str(State.ENDED)}, reason="HTTP 410")
    data = {"webhook": str(held.uid), "name": str(held)}
    publish(events.WEBHOOK_ENDED, subject=held, agency_id=held.partner.agency_id, data=data)
    return True


def send_notices() -> int:
    """E-mails to owners whose webhook was switched off. Each is claimed first: at most one, and none if the mail server refuses it."""
    sent = 0
    for held in WebhookSubscription.objects.filter(notice_due=True)[:20]:
        sender = registry.sender_of("email")
        if sender is None or not WebhookSubscription.objects.filter(pk=held.pk, notice_due=True).update(notice_due=False):
            continue
        try:
            sender.send(_notice(held))
            sent += 1
        except TemporaryFailure:
            WebhookSubscription.objects.filter(pk=held.pk).update(notice_due=True)
        except PermanentFailure as refusal:
            with transaction.atomic():
                audit.record("webhook.notice_refused", obj=held, after={"because": refusal.message})
    return sent


def _notice(held: WebhookSubscription) -> Words:
    both = []
    for language in ("en", "ar"):
        with translation.override(language):
            both.append(
                _(
                    "The webhook %(name)s (%(url)s) was switched off: every delivery has failed for days. Last: %(error)s.\n"
                    "Mend the receiver, resume the webhook, and replay what it missed."
                )
                % {"name": held.name or held.uid, "url": held.url, "error": held.state_because}
            )
    subject = "Khareetaty: a webhook was switched off / أُوقف إشعار آلي"
    key = uuid5(NAMESPACE_URL, f"khareetaty:webhook:{held.uid}:{held.state_since.isoformat()}")
    return Words(key=key, to=held.contact_email, language="en", subject=subject, text="\n\n".join(both))
