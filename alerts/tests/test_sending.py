"""Handing messages over: attempts, back-off, receipts in any order, crashes and races (ALR-5, FIELD-alerts-iot 1.4)."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.channels.base import Handed, PermanentFailure, TemporaryFailure
from alerts.models import ChannelHealth, Delivery, DeliveryAttempt, DeliveryState, Receipt
from alerts.services.delivery import apply_receipt, cancel_pages, climb_due, page_person, send_due
from alerts.services.delivery.pool import POOL
from alerts.services.delivery.sending import LEASE
from alerts.services.delivery.states import RANK
from alerts.tests.senders import Scripted

pytestmark = pytest.mark.django_db


class Died(BaseException):
    """The process is killed: nothing that follows is run, nothing is caught."""


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def sms(alerting, fire, cast, now):
    """``sms()``: a page of the dispatcher, and its one SMS that waits to be sent."""

    def make(**given):
        return page_person(alert=fire(**given), user=cast.dispatcher, now=now).deliveries.get(channel="sms")

    return make


def test_the_attempt_is_written_before_the_call(sms, now):
    delivery = sms()

    def look(message):
        attempt = DeliveryAttempt.objects.get(delivery=delivery)
        assert (attempt.number, attempt.outcome, attempt.ended_at) == (1, "unknown", None)
        assert Delivery.objects.get(pk=delivery.pk).state == "sending"

    sender = Scripted(before=look)
    send_due(now=now, sender_of=sender)
    delivery.refresh_from_db()
    assert delivery.state == "sent" and delivery.provider_id and delivery.receipt_due_at == now + timedelta(seconds=60)
    assert delivery.tries.get().outcome == "accepted"
    assert sender.taken[0].key == delivery.key and sender.taken[0].to == "+96550000002"


def test_a_channel_without_receipts_can_say_no_more_than_sent(sms, now):
    delivery = sms()
    send_due(now=now, sender_of=Scripted(has_receipts=False))
    delivery.refresh_from_db()
    assert delivery.state == "sent" and delivery.receipt_due_at is None


def test_what_can_heal_is_tried_three_times_more_a_minute_apart(sms, now):
    delivery = sms()
    sender = Scripted(script=[TemporaryFailure("Busy.", code="503")] * 9)
    at = now
    for attempt in (1, 2, 3):
        send_due(now=at, sender_of=sender)
        delivery.refresh_from_db()
        assert delivery.state == "sending" and delivery.attempts == attempt and delivery.handed_at is None
        assert 48 <= (delivery.next_at - at).total_seconds() <= 72
        assert send_due(now=at + timedelta(seconds=40), sender_of=sender) == 0
        at = delivery.next_at
    send_due(now=at, sender_of=sender)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.error_code) == ("failed", 4, "503")
    assert len(sender.script) == 5


def test_a_provider_that_asks_for_time_is_given_it(sms, now):
    delivery = sms()
    send_due(now=now, sender_of=Scripted(script=[TemporaryFailure("Slow down.", code="429", retry_after_s=300)]))
    delivery.refresh_from_db()
    assert 300 <= (delivery.next_at - now).total_seconds() <= 330


def test_a_refusal_is_never_repeated(sms, now):
    delivery = sms()
    sender = Scripted(script=[PermanentFailure("Not a number.", code="21211")])
    for minutes in range(4):
        send_due(now=now + timedelta(minutes=minutes), sender_of=sender)
    delivery.refresh_from_db()
    assert delivery.state == "failed" and delivery.tries.count() == 1 and not sender.taken


def test_a_provider_that_is_down_for_ten_minutes_is_left_for_the_next_channel_after_one(alerting, fire, cast, now):
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    mail, text = Scripted("email", script=[TemporaryFailure("Down.")] * 99), Scripted("sms")
    for seconds in range(0, 600, 20):
        at = now + timedelta(seconds=seconds)
        climb_due(now=at)
        send_due(now=at, sender_of=lambda channel: mail if channel == "email" else text)
    assert [message.to for message in text.taken] == ["+96550000001"]
    assert page.deliveries.get(channel="sms").sent_at <= now + timedelta(seconds=80)
    assert page.deliveries.get(channel="email").state == "failed"


def test_acknowledged_between_claim_and_call_nothing_leaves(alerting, fire, cast, now):
    """The first message's call is the moment at which somebody acknowledges; the second was claimed with it."""
    alert = fire()
    page_person(alert=alert, user=cast.dispatcher, now=now)
    page_person(alert=alert, contact=alerting.room, now=now)

    def acknowledge(message):
        type(alert).objects.filter(pk=alert.pk).update(
            state="acknowledged", acknowledged_by=cast.officer, acknowledged_at=now, acknowledged_through="screen"
        )
        cancel_pages(alert=alert, because="acknowledged")

    sender = Scripted(before=acknowledge)
    assert send_due(now=now, sender_of=sender) == 2
    assert len(sender.taken) == 1
    assert sorted(Delivery.objects.filter(channel="sms").values_list("state", flat=True)) == ["cancelled", "sent"]


def test_a_failure_after_the_alert_was_acknowledged_is_not_tried_again(alerting, fire, cast, now):
    alert = fire()
    page = page_person(alert=alert, user=cast.dispatcher, now=now)

    def acknowledge(message):
        type(alert).objects.filter(pk=alert.pk).update(
            state="acknowledged", acknowledged_by=cast.officer, acknowledged_at=now, acknowledged_through="screen"
        )
        cancel_pages(alert=alert, because="acknowledged")

    send_due(now=now, sender_of=Scripted(before=acknowledge, script=[TemporaryFailure("Busy.")]))
    assert page.deliveries.get(channel="sms").state == "cancelled"


def test_dead_before_handing_over_is_sent_once_when_the_lease_is_over(sms, now):
    delivery = sms()
    sender = Scripted()

    def dies(channel):
        if delivery.pk and Delivery.objects.get(pk=delivery.pk).lease_owner:
            raise Died
        return sender

    with pytest.raises(Died):
        send_due(now=now, sender_of=dies, owner="a")
    assert send_due(now=now + timedelta(seconds=30), sender_of=sender, owner="b") == 0
    assert send_due(now=now + LEASE + timedelta(seconds=1), sender_of=sender, owner="b") == 1
    assert len(sender.taken) == 1 and delivery.tries.count() == 1


def die_between_send_and_mark(sender, now):
    """The provider has it; our process is gone before it could write that down."""
    taken = Scripted(sender.channel)

    def take_and_die(message):
        sender.taken.append(message)
        raise Died

    taken.before = take_and_die
    with pytest.raises(Died):
        send_due(now=now, sender_of=taken, owner="dead")
    return now + LEASE + timedelta(seconds=1)


def test_dead_between_send_and_mark_a_critical_one_is_sent_again_and_says_so(sms, now):
    delivery = sms(level="critical")
    sender = Scripted()
    later = die_between_send_and_mark(sender, now)
    send_due(now=later, sender_of=sender)
    assert [message.key for message in sender.taken] == [delivery.key] * 2
    assert list(delivery.tries.values_list("number", "outcome")) == [(1, "unknown"), (2, "accepted")]
    assert "may arrive twice" in delivery.alert.log.get().note


def test_dead_between_send_and_mark_another_is_not_repeated_and_its_ladder_goes_on(sms, now):
    delivery = sms()
    sender = Scripted()
    later = die_between_send_and_mark(sender, now)
    send_due(now=later, sender_of=sender)
    delivery.refresh_from_db()
    assert len(sender.taken) == 1 and (delivery.state, delivery.error_code) == ("failed", "unknown")
    delivery.page.refresh_from_db()
    assert delivery.page.next_at <= later


def test_dead_between_send_and_mark_a_provider_that_knows_our_key_is_given_it_again(sms, now):
    delivery = sms()
    sender = Scripted(takes_key=True)
    later = die_between_send_and_mark(sender, now)
    send_due(now=later, sender_of=sender)
    assert [message.key for message in sender.taken] == [delivery.key] * 2


def test_the_receipt_of_a_message_whose_sender_died_tells_what_became_of_it(sms, now):
    delivery = sms(level="critical")
    sender = Scripted()
    later = die_between_send_and_mark(sender, now)
    apply_receipt(provider="scripted", provider_id="SM1", status="delivered", key=delivery.key)
    send_due(now=later, sender_of=sender)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.provider_id, len(sender.taken)) == ("delivered", "SM1", 1)


def test_a_time_out_is_not_repeated_where_twice_would_be_worse_than_once(sms, now):
    lost = TemporaryFailure("No answer in time.", code="timeout", may_have_been_taken=True)
    usual, critical = sms(), sms(level="critical")
    send_due(now=now, sender_of=Scripted(script=[lost, lost]))
    usual.refresh_from_db()
    critical.refresh_from_db()
    assert (usual.state, usual.error_code) == ("failed", "unknown")
    assert critical.state == "sending" and critical.next_at > now


def test_a_sender_with_a_bug_fails_its_own_message_alone(sms, now):
    first, second = sms(), sms()
    send_due(now=now, sender_of=Scripted(script=[ValueError("oops")]))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.error_code, second.state) == ("failed", "unknown", "sent")


def test_a_receipt_before_our_commit_is_kept_and_applied(sms, now):
    delivery = sms()
    sender = Scripted(before=lambda message: apply_receipt(provider="scripted", provider_id="SM7", status="delivered"))
    sender.script = [Handed("scripted", "SM7")]
    send_due(now=now, sender_of=sender)
    delivery.refresh_from_db()
    assert delivery.state == "delivered" and Receipt.objects.get().delivery_id == delivery.pk


def test_a_receipt_of_nothing_we_know_changes_nothing(sms, now):
    delivery = sms()
    assert apply_receipt(provider="scripted", provider_id="SM-foreign", status="failed") is None
    delivery.refresh_from_db()
    assert delivery.state == "pending" and Receipt.objects.get().applied_at is None


def test_the_same_receipt_twice_is_one(sms, now):
    delivery = sms()
    send_due(now=now, sender_of=Scripted(script=[Handed("scripted", "SM7")]))
    for _ in range(2):
        apply_receipt(provider="scripted", provider_id="SM7", status="delivered")
    assert Receipt.objects.count() == 1
    delivery.refresh_from_db()
    first = delivery.delivered_at
    apply_receipt(provider="scripted", provider_id="SM7", status="failed", code="30003")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.delivered_at, delivery.error_code) == ("delivered", first, "")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    told=st.lists(st.sampled_from(["queued", "sent", "delivered", "read", "failed", "undelivered", "gibberish"]), max_size=6),
    sent_after=st.integers(0, 6),
    heals=st.integers(0, 2),
)
def test_no_order_of_receipts_and_attempts_lowers_a_state_or_sends_a_rung_twice(sms, now, told, sent_after, heals):
    ChannelHealth.objects.update_or_create(channel="sms", defaults={"per_recipient_hour": 10_000})  # one dispatcher, many examples
    delivery = sms()
    sender = Scripted(script=[TemporaryFailure("Busy.")] * heals + [Handed("scripted", f"SM{delivery.pk}")])
    ranks, at = [], now

    def look():
        nonlocal at
        delivery.refresh_from_db()
        ranks.append(RANK[delivery.state])
        at += timedelta(seconds=80)

    for position in range(7):
        if position >= sent_after:
            send_due(now=at, sender_of=sender)
            look()
        if position < len(told):
            apply_receipt(provider="scripted", provider_id=f"SM{delivery.pk}", status=told[position], now=at)
            look()
    for _ in range(4):
        send_due(now=at, sender_of=sender)
        look()
    assert ranks == sorted(ranks)
    assert len(sender.taken) == 1
    meant = [RANK[DeliveryState(word)] for word in ("delivered", "read") if word in told]
    failed = [RANK[DeliveryState.FAILED]] if {"failed", "undelivered"} & set(told) else []
    assert ranks[-1] == max([RANK[DeliveryState.SENT], *meant, *failed])
    page = delivery.page
    assert page.deliveries.values("rung_no", "channel").distinct().count() == page.deliveries.count()


def test_a_switched_off_channel_and_a_switched_off_address_are_passed_by(sms, now):
    ChannelHealth.objects.create(channel="sms", is_off=True, off_because="bill unpaid")
    first = sms()
    sender = Scripted()
    send_due(now=now, sender_of=sender)
    first.refresh_from_db()
    assert (first.state, first.error_code) == ("failed", "switched_off") and "bill unpaid" in first.error
    ChannelHealth.objects.all().delete()
    second = sms()
    second.method.is_active = False
    second.method.save()
    send_due(now=now, sender_of=sender)
    second.refresh_from_db()
    assert (second.state, second.error_code) == ("failed", "address_off") and not sender.taken


def test_over_a_limit_the_usual_waits_and_says_so_and_the_critical_goes_and_says_so(sms, now):
    ChannelHealth.objects.create(channel="sms", per_recipient_hour=1)
    first, second, critical = sms(), sms(), sms(level="critical")
    sender = Scripted()
    send_due(now=now, sender_of=sender)
    send_due(now=now, sender_of=sender)
    for one in (first, second, critical):
        one.refresh_from_db()
    assert critical.state == "sent" and [one.state for one in (first, second)] == ["pending", "pending"]
    assert first.held_by_limit and second.held_by_limit and first.next_at > now
    assert "Held back" in second.alert.log.get().note
    another = sms(level="critical")
    send_due(now=now, sender_of=sender)
    another.refresh_from_db()
    assert another.state == "sent" and "critical goes" in another.alert.log.get().note and "Over the limit" in another.tries.get().detail
    Delivery.objects.filter(pk=first.pk).update(next_at=now)
    send_due(now=now + timedelta(hours=1, seconds=1), sender_of=sender)
    first.refresh_from_db()
    assert first.state == "sent" and not first.held_by_limit


def test_a_channel_sends_no_more_a_minute_than_it_may(sms, now):
    ChannelHealth.objects.create(channel="sms", per_minute=2)
    for _ in range(4):
        sms()
    sender = Scripted()
    send_due(now=now, sender_of=sender)
    assert len(sender.taken) == 2 and Delivery.objects.filter(held_by_limit=True).count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_senders_race_for_one_delivery_and_one_sends_it(sms, now):
    delivery = sms()
    sender, start = Scripted(), threading.Barrier(2)

    def race(owner):
        start.wait(10)
        try:
            send_due(now=now, sender_of=sender, owner=owner)
        finally:
            connection.close()

    threads = [threading.Thread(target=race, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(sender.taken) == 1 and delivery.tries.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_does_not_answer_holds_up_no_other_channel(alerting, fire, cast, now):
    answer = threading.Event()
    stuck, quick = Scripted("email", before=lambda message: answer.wait(30)), Scripted("sms")
    page_person(alert=fire(), user=cast.supervisor, now=now)
    page_person(alert=fire(), user=cast.dispatcher, now=now)
    try:
        assert send_due(now=now, workers=1, sender_of=lambda channel: stuck if channel == "email" else quick) == 2
        for _ in range(100):
            if quick.taken:
                break
            threading.Event().wait(0.1)
        assert quick.taken and not stuck.taken
        page_person(alert=fire(), user=cast.supervisor, now=now)
        assert send_due(now=now, workers=1, sender_of=stuck) == 0  # no room on its channel: it stays due, for another process
    finally:
        answer.set()
        assert POOL.wait(30)
        POOL.close()
    assert len(stuck.taken) == 1
