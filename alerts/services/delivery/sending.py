"""Handing messages over, in four short steps, so that what a crash leaves behind can be told from its row alone.

1. **Claim** what is due (``SKIP LOCKED``, a lease), looking once more whether the alert still fires and its page still goes.
2. **Hand**: one conditional update just before the call, with the attempt's row. An acknowledgement calls back whatever has not passed
   this update, in its own transaction, by the same row: one of the two wins, and a message called back is never sent.
3. **Call** the provider, outside any transaction.
4. **Mark** what came of it.

A process that dies between 1 and 2 has sent nothing: the row is taken up when its lease is over. Between 2 and 4 nobody can know: see
```settle`` (docs/decisions/0186).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.channels import registry
from alerts.channels.base import Handed, Message, PermanentFailure, Sender, TemporaryFailure
from alerts.models import Alert, AlertLog, AlertState, Channel, Delivery, DeliveryAttempt, DeliveryState, Page, Receipt
from alerts.services.delivery.climbing import climb_at_once
from alerts.services.delivery.limits import Meter, Over
from alerts.services.delivery.messages import message_of
from alerts.services.delivery.notices import held_notice, rings_in_quiet_hours
from alerts.services.delivery.paging import GOING
from alerts.services.delivery.pool import POOL
from alerts.services.delivery.receipts import apply_waiting, note_failure, note_reached, one_at_a_time
from alerts.services.delivery.states import lift
from alerts.services.escalation.heart import database_clock

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=max(60.0, 3 * settings.ALERT_SEND_TIMEOUT_S))  # well beyond what a provider's call may last
HAND_WITHIN_S = 20.0  # a claim not handed over by then is left to its lease: this process was stopped for a while
MOST_RETRY_AFTER_S = 900.0
# No honest row is due later, or leased longer: such a one was written by a clock that has been put back since.
LATEST = timedelta(seconds=2 * MOST_RETRY_AFTER_S)
RECEIPT_WITHIN_S = {Channel.VOICE: 90}
RECEIPT_WITHIN_S_ELSE = 60

SenderOf = Callable[[str], Sender | None]


@dataclass(frozen=True)
class Claim:
    delivery: Delivery  # as it was when claimed, with what its message is made of
    channel: str
    owner: str
    at: float  # of the monotonic clock
    note: str = ""  # kept with the attempt


def send_due(*, limit: int = 50, owner: str = "", workers: int = 0, now: datetime | None = None, sender_of: SenderOf | None = None) -> int:
    """Hand over what is due; returns how many were taken up. ``workers``: threads a channel, so that a slow provider delays no other
    channel; calls still under way when this returns keep their lease. Without any the calls are made here, one after the other."""
    given, owner = now, owner or "sender"
    now = now or database_clock()
    sender_of = sender_of or registry.sender_of
    room = POOL.room(workers) if workers else {}
    claims, refused = _claim(limit=limit, owner=owner, now=now, sender_of=sender_of, room=room)
    climb_at_once(refused, now=now)
    for claim in claims:
        if workers:
            POOL.submit(claim.channel, workers, deliver, claim, sender_of)
        else:
            deliver(claim, sender_of, now=given)
    return len(claims)


def _due(now: datetime) -> Q:
    is_time = Q(next_at__lte=now) | Q(next_at__gt=now + LATEST)
    is_free = Q(lease_until=None) | Q(lease_until__lt=now) | Q(lease_until__gt=now + 2 * LEASE)
    return Q(state__in=[DeliveryState.PENDING, DeliveryState.SENDING]) & is_time & is_free


@transaction.atomic
def _claim(*, limit: int, owner: str, now: datetime, sender_of: SenderOf, room: dict[str, int]) -> tuple[list[Claim], list[int | None]]:
    """What is to be handed over, and the pages of what was refused before anybody was called."""
    full = [channel for channel, free in room.items() if free <= 0]
    rows = (
        Delivery.objects.filter(_due(now))
        .exclude(channel__in=[Channel.IN_APP, *full])
        .select_related("alert", "page__user", "page__contact", "method", "subscription")
        .defer("alert__location", "page__rungs")
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .order_by("-is_critical", "next_at", "id")[:limit]
    )
    deliveries = list(rows)
    meter = Meter.of(deliveries, now=now)
    claims: list[Claim] = []
    refused: list[int | None] = []
    for delivery in deliveries:
        if room.get(delivery.channel, 1) <= 0:
            continue
        if not _still_wanted(delivery):
            lift(delivery, DeliveryState.CANCELLED, at=now, error_code="called_back", error=_("It was no longer wanted."))
            continue
        quiet_end = rings_in_quiet_hours(delivery, now)
        if quiet_end is not None:
            Delivery.objects.filter(pk=delivery.pk).update(next_at=held_notice(quiet_end, now))
            continue
        sender = sender_of(delivery.channel)
        why_not = _why_not(delivery, sender, meter)
        if why_not[0] or sender is None:
            _refuse(delivery, why_not[0], why_not[1], now=now)
            refused.append(delivery.page_id)
            continue
        if delivery.handed_at is not None and not settle(delivery, sender, now=now):
            refused.append(delivery.page_id)  # a process died in the middle of it, and it may not be repeated
            continue
        over = meter.check(delivery)
        if over is not None and not delivery.is_critical and not delivery.is_test:
            _hold(delivery, over)
            continue
        meter.count(delivery)
        note = _say_over(delivery, over) if over is not None else ""
        if delivery.channel in room:
            room[delivery.channel] -= 1
        claims.append(Claim(delivery, delivery.channel, owner, time.monotonic(), note))
    Delivery.objects.filter(pk__in=[claim.delivery.pk for claim in claims]).update(
        lease_until=now + LEASE, lease_owner=owner, next_at=now, held_by_limit=False, handed_at=None
    )
    return claims, refused


def _still_wanted(delivery: Delivery) -> bool:
    """A test or a notice always; else while the alert fires, the page goes and the person is there."""
    page = delivery.page
    if page is not None:
        who = page.user if page.user is not None else page.contact
        if page.state not in {*GOING, Page.State.EXHAUSTED} or who is None or not who.is_active:
            return False
    elif delivery.step_run_id is None:
        return True
    return delivery.alert is not None and delivery.alert.state == AlertState.FIRING


def _why_not(delivery: Delivery, sender: Sender | None, meter: Meter) -> tuple[str, str]:
    health = meter.health.get(delivery.channel)
    if health is not None and health.is_off and not delivery.is_test:
        return "switched_off", _("The channel is switched off: %(why)s") % {"why": health.off_because or "–"}
    if sender is None:
        return "not_configured", _("This channel is not set up here.")
    method = delivery.method
    if method is not None and not method.is_active and not delivery.is_test:
        return "address_off", _("The address is switched off: %(why)s") % {"why": method.disabled_because or "–"}
    return "", ""


def _refuse(delivery: Delivery, code: str, why: str, *, now: datetime) -> None:
    """Nothing more will be handed over. Its page, whose row is not held here, becomes due once this has committed."""
    lift(delivery, DeliveryState.FAILED, at=now, error_code=code, error=why[:400])


def _hold(delivery: Delivery, over: Over) -> None:
    look_at = min(over.free_at, timezone.now() + timedelta(seconds=MOST_RETRY_AFTER_S))
    Delivery.objects.filter(pk=delivery.pk).update(held_by_limit=True, next_at=look_at, lease_until=None, lease_owner="")
    if not delivery.held_by_limit:
        log.warning("delivery %s is held back by a limit: %s a %s on %s", delivery.pk, over.most, over.per, delivery.channel)
        _write(delivery, _("Held back by the limit of %(most)d on %(channel)s.") % _over_words(delivery, over))


def _say_over(delivery: Delivery, over: Over) -> str:
    note = _("Over the limit of %(most)d on %(channel)s; what is critical goes all the same.") % _over_words(delivery, over)
    log.warning("delivery %s goes over a limit, being critical: %s a %s on %s", delivery.pk, over.most, over.per, delivery.channel)
    _write(delivery, note)
    return note


def _over_words(delivery: Delivery, over: Over) -> dict[str, object]:
    return {"most": over.most, "channel": delivery.get_channel_display()}


def _write(delivery: Delivery, note: str) -> None:
    if delivery.alert_id is not None:
        AlertLog.objects.create(alert_id=delivery.alert_id, kind=AlertLog.Kind.DELIVERY, note=note[:400], facts={"delivery": delivery.pk})


def deliver(claim: Claim, sender_of: SenderOf, *, now: datetime | None = None) -> None:
    """Steps 2 to 4 of one message. ``now`` stands still in tests; else each step looks at the clock."""
    sender = sender_of(claim.channel)
    if sender is None or time.monotonic() - claim.at > HAND_WITHIN_S:
        return
    try:
        handed = _hand(claim, now or timezone.now())
    except Exception:  # one row that cannot be made into a message must not stop the others
        log.exception("delivery %s could not be made into a message", claim.delivery.pk)
        with transaction.atomic():
            _refuse(Delivery.objects.get(pk=claim.delivery.pk), "bug", _("It could not be made into a message."), now=now or timezone.now())
        return
    if handed is None:
        return
    delivery, message = handed
    try:
        answer = sender.send(message)
    except PermanentFailure as failure:
        _mark_refused(claim, delivery, failure, now=now or timezone.now())
    except TemporaryFailure as failure:
        _mark_healing(claim, delivery, failure, sender, now=now or timezone.now())
    except Exception as error:  # a sender's bug is that message's failure, and no other's; whether it left nobody knows
        log.exception("the sender of %s failed on delivery %s", claim.channel, delivery.pk)
        unknown = TemporaryFailure(f"{type(error).__name__}: {error}", code="bug", may_have_been_taken=True)
        _mark_healing(claim, delivery, unknown, sender, now=now or timezone.now())
    else:
        _mark_taken(claim, delivery, answer, sender, now=now or timezone.now())


@transaction.atomic
def _hand(claim: Claim, now: datetime) -> tuple[Delivery, Message] | None:
    delivery = claim.delivery
    message = message_of(delivery)
    ours = Delivery.objects.filter(
        pk=delivery.pk, state__in=[DeliveryState.PENDING, DeliveryState.SENDING], lease_owner=claim.owner, handed_at=None,
        attempts=delivery.attempts,
    )  # fmt: skip
    number = delivery.attempts + 1
    if not ours.filter(*_wanted(delivery)).update(state=DeliveryState.SENDING, attempts=number, handed_at=now):
        unwanted = ours.select_for_update(of=("self",), no_key=True).select_related("alert", "page__user", "page__contact").first()
        if unwanted is not None and not _still_wanted(unwanted):  # else called back, or another took it up
            lift(unwanted, DeliveryState.CANCELLED, at=now, error_code="called_back", error=_("It was no longer wanted."))
        return None
    delivery.state, delivery.attempts, delivery.handed_at = DeliveryState.SENDING, number, now
    DeliveryAttempt.objects.create(delivery=delivery, number=number, started_at=now, detail=claim.note[:400])
    return delivery, message


def _wanted(delivery: Delivery) -> list[Exists]:
    """``_still_wanted``, for the statement that hands over. Each is a query of its own: a join would make the delivery's conditions a
    query too, and those must be looked at once more when the statement has waited for whoever calls back (docs/decisions/0186)."""
    if delivery.page_id is None and delivery.step_run_id is None:
        return []
    wanted = [Exists(Alert.objects.filter(pk=delivery.alert_id or 0, state=AlertState.FIRING))]
    if delivery.page_id is not None:
        is_there = Q(user__is_active=True) | Q(contact__is_active=True)
        wanted.append(Exists(Page.objects.filter(is_there, pk=delivery.page_id, state__in=[*GOING, Page.State.EXHAUSTED])))
    return wanted


def _locked(delivery: Delivery) -> Delivery:
    """The page's row, then the delivery's: the order in which everybody takes them."""
    if delivery.page_id is not None:
        Page.objects.select_for_update(no_key=True).filter(pk=delivery.page_id).first()
    rows = Delivery.objects.select_for_update(of=("self",), no_key=True).select_related("alert")
    return rows.get(pk=delivery.pk)


def _end_attempt(claim: Claim, delivery: Delivery, outcome: str, now: datetime, **more: str) -> None:
    DeliveryAttempt.objects.filter(delivery=delivery, number=delivery.attempts).update(
        outcome=outcome, ended_at=now, code=more.get("code", "")[:32], provider_id=more.get("provider_id", "")[:128],
        detail=" ".join(part for part in (claim.note, more.get("detail", "")) if part)[:400],
    )  # fmt: skip


def _is_ours(claim: Claim, delivery: Delivery, attempt: Delivery) -> bool:
    """Whether nobody took the row up since: our lease ran out while the provider thought, and another's attempt goes on."""
    return delivery.lease_owner == claim.owner and delivery.attempts == attempt.attempts and delivery.state == DeliveryState.SENDING


@transaction.atomic
def _mark_taken(claim: Claim, attempt: Delivery, answer: Handed, sender: Sender, *, now: datetime) -> None:
    one_at_a_time(answer.provider, answer.provider_id)  # before the rows: a receipt takes them in this order
    waits = sender.has_receipts and not answer.is_delivered
    within = RECEIPT_WITHIN_S.get(Channel(attempt.channel), RECEIPT_WITHIN_S_ELSE)
    due_at = now + timedelta(seconds=within) if waits else None
    if _was_taken_plainly(claim, attempt, answer, due_at, now=now):
        return
    delivery = _locked(attempt)
    _end_attempt(claim, attempt, DeliveryAttempt.Outcome.ACCEPTED, now, provider_id=answer.provider_id, detail=answer.detail)
    taken: dict[str, Any] = {}
    if not delivery.provider_id or _is_ours(claim, delivery, attempt):
        delivery.provider, delivery.provider_id = answer.provider[:32], answer.provider_id[:128]
        taken = {"provider": delivery.provider, "provider_id": delivery.provider_id}
    lifted = lift(delivery, DeliveryState.SENT, at=now, receipt_due_at=due_at, error="", error_code="", **taken)
    if taken and not lifted:  # it stands higher already: its receipt was quicker, or it was given up
        Delivery.objects.filter(pk=delivery.pk).update(**taken)
    if answer.is_delivered:
        lift(delivery, DeliveryState.DELIVERED, at=now)
    if lifted and not waits:
        note_reached(delivery, now=now)
    if delivery.provider_id:
        apply_waiting(delivery, now=now)


def _was_taken_plainly(claim: Claim, attempt: Delivery, answer: Handed, due_at: datetime | None, *, now: datetime) -> bool:
    """The usual case, in which nobody touched the row meanwhile and no receipt is there yet: one update, and no need of the page's row."""
    provider, provider_id = answer.provider[:32], answer.provider_id[:128]
    if provider_id and Receipt.objects.filter(provider=provider, provider_id=provider_id, applied_at=None).exists():
        return False
    is_ours = Q(lease_owner=claim.owner, attempts=attempt.attempts, state=DeliveryState.SENDING)
    taken: dict[str, Any] = {"receipt_due_at": due_at, "error": "", "error_code": "", "provider": provider, "provider_id": provider_id}
    if not lift(attempt, DeliveryState.SENT, at=now, where=is_ours, **taken):
        return False
    _end_attempt(claim, attempt, DeliveryAttempt.Outcome.ACCEPTED, now, provider_id=provider_id, detail=answer.detail)
    if answer.is_delivered:
        lift(attempt, DeliveryState.DELIVERED, at=now)
    if due_at is None:
        note_reached(attempt, now=now)
    return True


@transaction.atomic
def _mark_refused(claim: Claim, attempt: Delivery, failure: PermanentFailure, *, now: datetime) -> None:
    delivery = _locked(attempt)
    _end_attempt(claim, attempt, DeliveryAttempt.Outcome.REFUSED, now, code=failure.code, detail=failure.message)
    if _is_ours(claim, delivery, attempt) and lift(
        delivery, DeliveryState.FAILED, at=now, error_code=failure.code or "refused", error=failure.message
    ):
        note_failure(delivery, now=now, is_address_bad=failure.is_address_bad)
        climb_at_once([delivery.page_id], now=now)


@transaction.atomic
def _mark_healing(claim: Claim, attempt: Delivery, failure: TemporaryFailure, sender: Sender, *, now: datetime) -> None:
    delivery = _locked(attempt)
    known = DeliveryAttempt.Outcome.UNKNOWN if failure.may_have_been_taken else DeliveryAttempt.Outcome.HEALS
    _end_attempt(claim, attempt, known, now, code=failure.code, detail=failure.message)
    if not _is_ours(claim, delivery, attempt):
        return
    if failure.may_have_been_taken and not may_repeat(delivery, sender):
        _give_up(
            delivery, "unknown", _("Whether it was taken is not known, so it is not repeated: %(why)s") % {"why": failure.message}, now
        )
    elif attempt.attempts > settings.ALERT_RETRIES:
        _give_up(delivery, failure.code or "gave_up", failure.message, now)
    elif not _still_wanted_now(delivery):
        lift(delivery, DeliveryState.CANCELLED, at=now, error_code="called_back", error=_("It was no longer wanted."))
    else:
        wait_s = wait_before_retry(failure.retry_after_s)
        Delivery.objects.filter(pk=delivery.pk).update(
            next_at=now + timedelta(seconds=wait_s), lease_until=None, lease_owner="", handed_at=None,
            error_code=(failure.code or "heals")[:32], error=failure.message[:400],
        )  # fmt: skip


def _still_wanted_now(delivery: Delivery) -> bool:
    fresh = Delivery.objects.select_related("alert", "page", "page__user", "page__contact").get(pk=delivery.pk)
    return _still_wanted(fresh)


def _give_up(delivery: Delivery, code: str, why: str, now: datetime) -> None:
    if lift(delivery, DeliveryState.FAILED, at=now, error_code=code[:32], error=why[:400]):
        note_failure(delivery, now=now)
        climb_at_once([delivery.page_id], now=now)


def wait_before_retry(retry_after_s: float | None) -> float:
    """What the provider asked for, if it did, else the usual time; spread, so that those who failed together do not come together."""
    base = settings.ALERT_RETRY_S if retry_after_s is None else min(max(retry_after_s, 1.0), MOST_RETRY_AFTER_S)
    spread = random.uniform(0.0, 0.1) if retry_after_s is not None else random.uniform(-0.2, 0.2)
    return float(base * (1 + spread))


def may_repeat(delivery: Delivery, sender: Sender) -> bool:
    """Where it may already have been taken: if the provider knows our key, or if it is critical and twice is better than not at all."""
    return bool(getattr(sender, "takes_key", False)) or delivery.is_critical


def settle(delivery: Delivery, sender: Sender, *, now: datetime) -> bool:
    """A process died between handing this over and marking it; its row is locked. Whether it is to be handed over again.

    The attempt stays open for good: nobody knows how it ended. A receipt that came meanwhile has lifted the row, so it is not here.
    """
    if may_repeat(delivery, sender):
        _write(delivery, _("The sending process died in the middle; it is sent again and may arrive twice."))
        return True
    why = _("The sending process died in the middle. Whether it was taken is not known, so it is not repeated.")
    _write(delivery, why)
    _refuse(delivery, "unknown", why, now=now)
    return False
