"""A delivery's state only moves up, in whatever order attempts and receipts come.

``failed`` stands above ``sent`` and below ``delivered``: a provider that says "delivered" after "failed" is believed, the other way round
not. ``sending`` lasts from the first attempt until the provider took it or the last attempt failed; between attempts nothing is handed
over (``handed_at`` is empty) and it may still be cancelled.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from alerts.events import DELIVERY_CHANGED
from alerts.models import Channel, Delivery, DeliveryState
from core.events import publish_many, unpublished

RANK = {
    DeliveryState.PENDING: 0,
    DeliveryState.SENDING: 1,
    DeliveryState.SENT: 2,
    DeliveryState.FAILED: 3,
    DeliveryState.CANCELLED: 4,
    DeliveryState.DELIVERED: 5,
    DeliveryState.READ: 6,
}
_TIME = {
    DeliveryState.SENT: "sent_at",
    DeliveryState.DELIVERED: "delivered_at",
    DeliveryState.READ: "read_at",
    DeliveryState.FAILED: "ended_at",
    DeliveryState.CANCELLED: "ended_at",
}
# What no provider can have in its hands: not tried yet, or between two attempts; on the screen, not looked at yet.
RECALLABLE = Q(state=DeliveryState.PENDING) | Q(state=DeliveryState.SENDING, handed_at=None) | Q(state="sent", channel=Channel.IN_APP)
REACHED = frozenset({DeliveryState.DELIVERED, DeliveryState.READ})


def below(state: DeliveryState) -> list[str]:
    return [known.value for known, rank in RANK.items() if rank < RANK[state]]


def lift(delivery: Delivery, to: DeliveryState, *, at: datetime, where: Q | None = None, **more: Any) -> bool:
    """Move it up to ``to`` and announce that, or do nothing where it stands as high already. Inside the caller's transaction.
    ``where``: what must hold of the row besides."""
    changes: dict[str, Any] = {"state": to, "next_at": None, "lease_until": None, "lease_owner": "", **more}
    if to in _TIME:
        changes[_TIME[to]] = at
    if to != DeliveryState.SENT:
        changes["receipt_due_at"] = None
    if not Delivery.objects.filter(where or Q(), pk=delivery.pk, state__in=below(to)).update(**changes):
        return False
    for name, value in changes.items():
        setattr(delivery, name, value)
    announce(delivery)
    return True


def announce(*deliveries: Delivery) -> None:
    """Say where these stand now."""
    publish_many(
        unpublished(
            DELIVERY_CHANGED,
            subject=delivery.alert,
            data={"delivery": delivery.pk, "state": str(delivery.state), "channel": delivery.channel},
            agency_id=delivery.alert.agency_id,
            governorate_id=delivery.alert.governorate_id,
        )
        for delivery in deliveries
        if delivery.alert is not None
    )


def has_reached(delivery: Delivery) -> bool:
    """Whether it is known to have arrived, or the channel can say no more than that it was taken."""
    if delivery.state in REACHED:
        return True
    return delivery.state == DeliveryState.SENT and delivery.receipt_due_at is None and delivery.channel != Channel.IN_APP
