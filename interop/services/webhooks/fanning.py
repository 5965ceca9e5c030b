"""A row for each subscription that an event goes to, written in the transaction that moves the reader's cursor: none lost, none twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from core.models import Event
from interop.models import WebhookDelivery, WebhookSubscription
from interop.services.webhooks.catalogue import CATALOGUE, TEST_TYPE, EventType
from interop.services.webhooks.payload import digest_of, payload, references
from interop.services.webhooks.rights import Rights, with_rights

Trigger = WebhookDelivery.Trigger


def fan_out(events: Sequence[Event]) -> int:
    """Queue each event for whoever may and wants to hear it. Returns how many rows were made."""
    heard = [event for event in events if event.type in CATALOGUE]
    subscriptions = with_rights() if heard else []
    return len(queue_for(heard, subscriptions, now=timezone.now()))


def queue_for(
    events: Sequence[Event],
    subscriptions: Sequence[tuple[WebhookSubscription, Rights]],
    *,
    now: datetime,
    trigger: str = Trigger.EVENT,
    spread_s: float = 0.0,
) -> list[WebhookDelivery]:
    """Rows for ``events``, in their order; a row that is there is left as it is. ``spread_s``: so far apart, for a replay."""
    wanted = [
        (event, subscription)
        for event in events
        for subscription, rights in subscriptions
        if rights.wants(event.type, governorate_id=event.governorate_id)
        and rights.may_hear(event.type, agency_id=event.agency_id, governorate_id=event.governorate_id, subject_id=event.subject_id)
    ]
    if not wanted:
        return []
    refs = references([event for event, _one in wanted])
    bodies = {event.pk: payload(event, CATALOGUE[event.type], refs=refs) for event, _one in wanted}
    rows = [
        _row(subscription, event, bodies[event.pk], trigger, now, now + timedelta(seconds=place * spread_s))
        for place, (event, subscription) in enumerate(wanted)
    ]
    return WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def test_delivery(webhook: WebhookSubscription, event: Event) -> WebhookDelivery:
    """The row of a ``webhook.test``, due at once."""
    kind: EventType = TEST_TYPE
    event.refresh_from_db(fields=["occurred_at"])
    body = payload(event, kind, refs={}, values={"webhook": str(webhook.uid), "note": "A test. Nothing happened."})
    now = timezone.now()
    row = _row(webhook, event, body, Trigger.TEST, now, now)
    row.type, row.subject_type, row.subject_id = kind.name, "", None
    row.save(force_insert=True)
    return row


def _row(
    subscription: WebhookSubscription, event: Event, body: str, trigger: str, now: datetime, next_at: datetime
) -> WebhookDelivery:  # fmt: skip
    return WebhookDelivery(
        subscription=subscription,
        event_id=event.pk,
        seq=event.seq,
        type=event.type,
        subject_type=event.subject_type,
        subject_id=event.subject_id,
        agency_id=event.agency_id,
        governorate_id=event.governorate_id,
        occurred_at=event.occurred_at,
        body=body,
        digest=digest_of(body),
        trigger=trigger,
        queued_at=now,
        next_at=next_at,
    )
