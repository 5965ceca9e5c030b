"""Messages that ask nothing of anybody: one each, by the first channel that carries words, with no ladder behind it."""

from __future__ import annotations

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from accounts.models import User
from alerts.models import Alert, Channel, Contact, Delivery, DeliveryState, Importance, MessageTemplate, Page
from alerts.services.delivery.words import words_for
from alerts.services.people.rungs import rungs_for

MOST_TOLD = 50


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
