"""What a provider says afterwards. Twice, late, in any order, or before our own commit: it lifts a delivery, and never lowers it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from alerts.models import Channel, ContactMethod, Delivery, DeliveryState, Page, PushSubscription, Receipt
from alerts.services.delivery.climbing import ON_THE_LINE, climb_at_once
from alerts.services.delivery.states import lift

# A provider's word -> what it means for the delivery. Words that say only "under way", and unknown ones, mean nothing.
MEANS = {
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "key": DeliveryState.DELIVERED,
    "shown": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "failed": DeliveryState.FAILED,
    "undelivered": DeliveryState.FAILED,
    "busy": DeliveryState.FAILED,
    "no-answer": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
    "expired": DeliveryState.FAILED,
    "rejected": DeliveryState.FAILED,
    # Of a call, that it was answered says nothing: machines answer too. Only a key that was pressed proves that a person heard it, so a
    # call that ends without one has not arrived, and the ladder goes on (docs/decisions/0200).
    "completed": DeliveryState.FAILED,
    "machine": DeliveryState.FAILED,
}
LONGEST_CALL = timedelta(seconds=120)  # the call is told to end by then (``TwilioVoice``), and its end is a receipt
CALL_ENDED = {"completed": "no_key", "machine": "machine"}
_OF_CALLS = frozenset({"key", *CALL_ENDED, *ON_THE_LINE})  # of a message such a word means nothing


@transaction.atomic
def apply_receipt(
    *, provider: str, provider_id: str, status: str, code: str = "", key: UUID | None = None, now: datetime | None = None
) -> Delivery | None:
    """Keep it, and apply it if its delivery is known: by the provider's id, or by our own ``key`` where the callback carries it.

    The caller has verified who says this. An id we do not know yet is applied when the delivery is marked with it. Safe to repeat.
    """
    now = now or timezone.now()
    one_at_a_time(provider, provider_id)
    receipt, is_new = Receipt.objects.get_or_create(
        provider=provider[:32], provider_id=provider_id[:128], status=status[:32].lower(), defaults={"code": code[:32], "received_at": now}
    )
    if not is_new and receipt.applied_at is not None:
        return receipt.delivery
    found = Delivery.objects.filter(provider=receipt.provider, provider_id=receipt.provider_id).first()
    if found is None and key is not None:
        found = Delivery.objects.filter(key=key).first()
        if found is not None and not found.provider_id:
            # The answer that would have told us the id is lost or still on its way: the callback tells it.
            Delivery.objects.filter(pk=found.pk, provider_id="").update(provider=receipt.provider, provider_id=receipt.provider_id)
    if found is None:
        return None
    _apply(receipt, found, now)
    return found


def apply_waiting(delivery: Delivery, *, now: datetime) -> None:
    """The receipts that came before the delivery had its id. In the transaction that gives it the id, and holds ``one_at_a_time``."""
    waiting = Receipt.objects.filter(provider=delivery.provider, provider_id=delivery.provider_id, applied_at=None)
    for receipt in waiting.order_by("id"):
        _apply(receipt, delivery, now)


def _apply(receipt: Receipt, found: Delivery, now: datetime) -> None:
    if found.page_id is not None:
        # The order in which everybody locks: the page, then its delivery.
        Page.objects.select_for_update(no_key=True).get(pk=found.page_id)
    delivery = Delivery.objects.select_related("alert").get(pk=found.pk)
    state = MEANS.get(receipt.status)
    if delivery.channel != Channel.VOICE and receipt.status in _OF_CALLS:
        state = None
    elif receipt.status in ON_THE_LINE:
        on_the_line(delivery, now=now)
    if state is not None:
        failed = state == DeliveryState.FAILED
        code = receipt.code or CALL_ENDED.get(receipt.status, receipt.status)
        more: dict[str, Any] = {"error_code": code if failed else "", "error": ""}
        if state == DeliveryState.SENT:
            more["receipt_due_at"] = delivery.receipt_due_at
        if lift(delivery, state, at=now, **more):
            if failed:
                note_failure(delivery, now=now)
                climb_at_once([delivery.page_id], now=now)
            elif state != DeliveryState.SENT:
                note_reached(delivery, now=now)
    Receipt.objects.filter(pk=receipt.pk).update(applied_at=now, delivery=delivery)
    receipt.delivery = delivery


def on_the_line(delivery: Delivery, *, now: datetime) -> None:
    """Somebody, or a machine, has lifted the phone: what it comes to is known when the call ends. Nobody is told beside it meanwhile."""
    lift(delivery, DeliveryState.SENT, at=now, error="", error_code="")
    Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.SENT).update(receipt_due_at=now + LONGEST_CALL)


def note_reached(delivery: Delivery, *, now: datetime) -> None:
    """This address works."""
    if delivery.method_id is not None:
        ContactMethod.objects.filter(pk=delivery.method_id).update(last_ok_at=now, fail_streak=0)
    if delivery.subscription_id is not None:
        PushSubscription.objects.filter(pk=delivery.subscription_id).update(last_ok_at=now)


def note_failure(delivery: Delivery, *, now: datetime, is_address_bad: bool = False) -> None:
    """It did not arrive; where nothing ever will, the address is switched off, with the reason."""
    if delivery.method_id is not None:
        method = ContactMethod.objects.select_for_update(no_key=True).filter(pk=delivery.method_id).first()
        if method is not None:
            method.fail_streak = min(method.fail_streak + 1, 32_000)
            if is_address_bad:
                method.is_active, method.disabled_because = False, (delivery.error or delivery.error_code)[:200]
            method.save(update_fields=["fail_streak", "is_active", "disabled_because"])
    if delivery.subscription_id is not None and is_address_bad:
        PushSubscription.objects.filter(pk=delivery.subscription_id, gone_at=None).update(gone_at=now)


def seen(*, user: User, ids: list[int], now: datetime | None = None) -> int:
    """The person's own page has shown these alerts (by their numbers): what waited there for them is delivered."""
    now = now or timezone.now()
    waiting = Delivery.objects.filter(channel=Channel.IN_APP, state=DeliveryState.SENT, page__user_id=user.pk, alert_id__in=ids[:500])
    shown = 0
    for delivery in waiting.select_related("alert"):
        with transaction.atomic():
            shown += lift(delivery, DeliveryState.DELIVERED, at=now)
    return shown


def one_at_a_time(provider: str, provider_id: str) -> None:
    """A receipt and the marking of its delivery would otherwise each look before the other has committed, and both find nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 525))", [f"{provider[:32]}:{provider_id[:128]}"])
