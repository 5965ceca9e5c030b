"""What did not arrive is sent again: one delivery, all that failed, or everything since a sequence or a time.

A replay is made of the same rows and the same bodies, signed with the secrets that live when it goes; it is asked anew whether the key
may see the event. It is spread out (``PER_S``), and its failures switch nobody off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from core.models import Event
from incidents.permissions import Actor
from interop.models import WebhookDelivery, WebhookSubscription
from interop.services.webhooks.catalogue import CATALOGUE, matching
from interop.services.webhooks.fanning import queue_for
from interop.services.webhooks.payload import digest_of, payload, references
from interop.services.webhooks.permissions import require_owner
from interop.services.webhooks.rights import with_rights

State = WebhookDelivery.State
PER_S = 50.0
MOST_A_CALL = 5_000
OLDEST = timedelta(days=30)


@dataclass(frozen=True)
class Replayed:
    """How many were queued; ``more``: the call's limit was reached, and calling again goes on from there."""

    queued: int
    more: bool
    last_sequence: int | None = None


@transaction.atomic
def replay_delivery(*, delivery: WebhookDelivery, by: Actor | None) -> WebhookDelivery:
    """One again, whatever became of it."""
    webhook = delivery.subscription
    require_owner(by, webhook)
    _must_send(webhook)
    if delivery.state == State.PENDING:
        raise Conflict(_("This delivery is under way already."))
    if not delivery.body and not _restore([delivery]):
        raise Conflict(_("Its body is no longer kept, and the event is no longer in the log."))
    if not _again([delivery.pk]):
        raise Conflict(_("This delivery is under way already."))
    audit.record("webhook.replay", obj=webhook, by=by, after={"delivery": delivery.pk})
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def replay_failed(*, webhook: WebhookSubscription, by: Actor | None) -> Replayed:
    """All that failed, oldest first, as far as bodies are kept."""
    require_owner(by, webhook)
    _must_send(webhook)
    failed = WebhookDelivery.objects.filter(subscription=webhook, state=State.FAILED).exclude(body="").order_by("id")
    ids = list(failed.values_list("pk", flat=True)[: MOST_A_CALL + 1])
    queued = _again(ids[:MOST_A_CALL])
    audit.record("webhook.replay_failed", obj=webhook, by=by, after={"queued": queued})
    return Replayed(queued, more=len(ids) > MOST_A_CALL)


@transaction.atomic
def replay_since(
    *, webhook: WebhookSubscription, by: Actor | None, sequence: int | None = None, at: datetime | None = None, also_delivered: bool = False
) -> Replayed:
    """Everything behind ``sequence``, or since ``at``, that was not delivered: what failed, and what was never queued because the webhook
    was paused, switched off or not made yet. ``also_delivered``: what was delivered too."""
    require_owner(by, webhook)
    _must_send(webhook)
    if (sequence is None) == (at is None):
        raise Invalid(_("Say from where."), fields={"from_sequence": _("Give a sequence or a time, one of the two.")})
    oldest = timezone.now() - OLDEST
    if at is not None and at < oldest:
        raise Invalid(_("Say from where."), fields={"from_time": _("At most %(limit)d days back.") % {"limit": OLDEST.days}})
    _row, rights = with_rights([webhook.pk])[0]
    events = Event.objects.filter(seq__isnull=False, occurred_at__gte=at or oldest, type__in=[one.name for one in matching(webhook.types)])
    if sequence is not None:
        events = events.filter(seq__gt=sequence)
    found = list(events.order_by("seq")[: MOST_A_CALL + 1])
    chosen, more = found[:MOST_A_CALL], len(found) > MOST_A_CALL
    known = dict(
        WebhookDelivery.objects.filter(subscription=webhook, event_id__in=[one.pk for one in chosen]).values_list("event_id", "pk")
    )
    states = {State.FAILED, State.CANCELLED} | ({State.DELIVERED} if also_delivered else set())
    there = WebhookDelivery.objects.filter(pk__in=known.values(), state__in=states)
    _restore(list(there.filter(body="")))
    queued = _again(list(there.exclude(body="").order_by("event_id").values_list("pk", flat=True)))
    fresh = [one for one in chosen if one.pk not in known]
    made = queue_for(
        fresh, [(webhook, rights)], now=timezone.now(), trigger=WebhookDelivery.Trigger.REPLAY, spread_s=1 / PER_S
    )  # fmt: skip
    last = chosen[-1].seq if chosen else None
    audit.record(
        "webhook.replay_since", obj=webhook, by=by,
        after={"sequence": sequence, "at": at.isoformat() if at else None, "queued": queued + len(made), "also_delivered": also_delivered},
    )  # fmt: skip
    return Replayed(queued + len(made), more=more, last_sequence=last)


_AGAIN = """
UPDATE interop_webhookdelivery d
SET state = 'pending', trigger = 'replay', round_tries = 0, queued_at = %(now)s, done_at = NULL, lease_owner = '',
    next_at = %(now)s + make_interval(secs => (o.place - 1) * %(apart)s)
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS o(id, place)
WHERE d.id = o.id AND d.state <> 'pending'
"""


def _again(ids: list[int]) -> int:
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_AGAIN, {"now": timezone.now(), "apart": 1 / PER_S, "ids": ids})
        return int(cursor.rowcount)


def _restore(deliveries: list[WebhookDelivery]) -> int:
    """Make the bodies again that retention has emptied, from the log. Returns how many could be."""
    events = {one.pk: one for one in Event.objects.filter(pk__in=[row.event_id for row in deliveries], type__in=CATALOGUE)}
    refs = references(list(events.values()))
    for row in deliveries:
        event = events.get(row.event_id)
        if event is not None:
            row.body = payload(event, CATALOGUE[event.type], refs=refs)
            WebhookDelivery.objects.filter(pk=row.pk).update(body=row.body, digest=digest_of(row.body))
    return len(events)


def _must_send(webhook: WebhookSubscription) -> None:
    held = WebhookSubscription.objects.select_for_update(of=("self",), no_key=True).get(pk=webhook.pk)
    if not held.is_active:
        raise Conflict(_("This webhook is in the state “%(state)s”: resume it first.") % {"state": held.get_state_display()})
