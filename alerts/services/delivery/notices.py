"""Messages that ask nothing of anybody: one each, by the first channel that carries words, with no ladder behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from accounts.models import User
from alerts.analytics import wording
from alerts.models import Alert, Channel, Contact, ContactMethod, Delivery, DeliveryState, Importance, MessageTemplate, Page
from alerts.services.delivery.messages import WHATSAPP_WINDOW
from alerts.services.delivery.states import RECALLABLE
from alerts.services.delivery.words import MOST_VALUE, rendered, words_for
from alerts.services.people.rungs import SILENT, Rung, quiet_until, rungs_for

MOST_TOLD = 50
LOOK_AGAIN = timedelta(minutes=20)
NO_NOTICE = frozenset({Channel.IN_APP, Channel.VOICE})
_NOTICE = {Channel.PUSH: "{text}"}  # the title stands above it, and pressing it leads here
_NOTICE_ELSE = "{title}\n{text}\n{link}"


def tell_resolved_by_time(*, alert: Alert, now: datetime) -> int:
    """One message to whoever acknowledged it, else to those it paged: it is over, and nobody ended it. Returns how many are told."""
    told: list[User | Contact] = []
    if alert.acknowledged_by is not None:
        told = [alert.acknowledged_by]
    elif alert.acknowledged_by_contact is not None:
        told = [alert.acknowledged_by_contact]
    else:
        for page in Page.objects.filter(alert=alert).select_related("user", "contact").order_by("id")[: 4 * MOST_TOLD]:
            who = page.user or page.contact
            if who is not None and who not in told:
                told.append(who)
    return sum(tell(alert=alert, to=who, event=MessageTemplate.Event.RESOLVED, now=now) is not None for who in told[:MOST_TOLD])


def notify(*, to: User, key: UUID, title: str, text: str, link: str, now: datetime) -> Delivery | None:
    """Something that is no alert, said once (by ``key``) by the first of the person's own channels that can carry it, after their
    quiet hours where it would ring. ``None`` for somebody with the screen alone: there it stands too."""
    if not to.is_active:
        return None
    rungs = rungs_for(user=to, importance=Importance.DEFAULT, critical=False, at=now)
    rung = next((one for one in rungs if one.channel not in NO_NOTICE and _may_write(one, now)), None)
    if rung is None:
        return None
    most = MOST_VALUE.get(Channel(rung.channel), 400)
    values = {"title": wording.clean(title), "text": wording.clean(text, most=most), "link": link}
    words = rendered("{title}", _NOTICE.get(Channel(rung.channel), _NOTICE_ELSE), values, channel=rung.channel)
    quiet_end = quiet_until(user=to, critical=False, at=now) if rung.channel not in SILENT else None
    made, _is_new = Delivery.objects.get_or_create(
        key=key,
        defaults={
            "channel": rung.channel,
            "method_id": rung.method_id,
            "subscription_id": rung.subscription_id,
            "address": rung.address,
            "language": to.language,
            "subject": words.subject,
            "body": words.body,
            "parts": words.parts,
            "state": DeliveryState.PENDING,
            "next_at": held_notice(quiet_end, now),
            "created_at": now,
        },
    )
    return made


def recall(*, keys: Sequence[UUID], now: datetime) -> int:
    """Notices that have not left yet and would only mislead now."""
    waiting = Delivery.objects.filter(RECALLABLE, key__in=keys)
    return waiting.update(state=DeliveryState.CANCELLED, next_at=None, ended_at=now, error_code="called_back")


def held_notice(quiet_end: datetime | None, now: datetime) -> datetime:
    """A row is never due much later than now (``sending.LATEST``): one that waits for the end of quiet hours is looked at meanwhile."""
    return now if quiet_end is None else min(quiet_end, now + LOOK_AGAIN)


def rings_in_quiet_hours(delivery: Delivery, now: datetime) -> datetime | None:
    """Until when a notice waits: it is no alert, and wakes nobody. ``None`` for all else."""
    if delivery.alert_id is not None or delivery.page_id is not None or delivery.is_test or delivery.channel in SILENT:
        return None
    way = delivery.method or delivery.subscription
    user = way.user if way is not None else None
    return quiet_until(user=user, critical=False, at=now) if user is not None else None


def _may_write(rung: Rung, now: datetime) -> bool:
    """WhatsApp carries free words only within a day of the person's own, and no approved template tells of a rota."""
    if rung.channel != Channel.WHATSAPP:
        return True
    wrote_at = ContactMethod.objects.filter(pk=rung.method_id or 0).values_list("last_inbound_at", flat=True).first()
    return wrote_at is not None and now - wrote_at < WHATSAPP_WINDOW


def tell(*, alert: Alert, to: User | Contact, event: str, now: datetime) -> Delivery | None:
    """The notice's delivery; the one there is if it was told already; ``None`` for somebody with the screen alone, who sees it there."""
    if not to.is_active:
        return None
    user, contact = (to, None) if isinstance(to, User) else (None, to)
    rungs = rungs_for(user=user, contact=contact, importance=Importance.DEFAULT, critical=False, at=now)
    rung = next((one for one in rungs if one.channel not in {Channel.IN_APP, Channel.VOICE}), None)
    if rung is None:
        return None
    words = words_for(alert, channel=rung.channel, language=to.language, event=event)
    made, _is_new = Delivery.objects.get_or_create(
        key=uuid5(NAMESPACE_URL, f"khareetaty:alert:{alert.key}:{event}:{'user' if user is not None else 'contact'}:{to.pk}"),
        defaults={
            "alert": alert,
            "channel": rung.channel,
            "method_id": rung.method_id,
            "subscription_id": rung.subscription_id,
            "address": rung.address,
            "language": to.language,
            "subject": words.subject,
            "body": words.body,
            "parts": words.parts,
            "state": DeliveryState.PENDING,
            "next_at": now,
            "created_at": now,
        },
    )
    return made
