"""ALR-2, ALR-3, ALR-5: an acknowledgement against the hand-over of a message, against the next step, and against another's, on two
connections whose transactions truly overlap. Nothing sleeps: each side waits for what the other has done, or for the database's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from alerts.models import AlertLog, AlertState, Delivery, Page
from alerts.services import replies
from alerts.services.alerts import acknowledge
from alerts.services.delivery import climb_due, page_person, send_due
from alerts.services.escalation import start_run
from alerts.services.escalation.running import run_due
from alerts.tests.senders import Scripted
from core.errors import Conflict
from core.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
LONG_S = 60


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Each in a thread and on a connection of its own; what it returned, or the error it raised."""
    came: list[Any] = [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            came[number] = act()
        except BaseException as error:
            came[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, act), daemon=True) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert not any(thread.is_alive() for thread in threads)
    return came


def until_somebody_waits_for_us() -> None:
    """Until another connection stands at a lock that this transaction holds."""
    for _look in range(LONG_S * 20):
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))")
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.05)
    raise AssertionError("nobody waits for this transaction")


def everything_again(sender: Scripted) -> None:
    """Whatever is still due, now and much later."""
    for minutes in (0, 2, 10, 60):
        at = timezone.now() + timedelta(minutes=minutes)
        run_due(now=at)
        climb_due(now=at)
        send_due(now=at, sender_of=sender)


def test_an_acknowledgement_under_way_stops_the_send_and_one_after_it_leaves_a_single_message(alerting: Any, fire: Any, cast: Any):
    alert = fire()
    page = page_person(alert=alert, user=cast.dispatcher)
    sender, claimed, acknowledged = Scripted(), threading.Event(), threading.Event()
    asked: list[str] = []

    def sender_of(channel: str) -> Scripted:
        asked.append(channel)
        if len(asked) == 2:  # claimed and committed; the next thing is the hand-over
            claimed.set()
            assert acknowledged.wait(LONG_S)
        return sender

    def acknowledges() -> None:
        assert claimed.wait(LONG_S)
        with transaction.atomic():
            acknowledge(alert=alert, by=cast.supervisor, through="screen")
            acknowledged.set()
            until_somebody_waits_for_us()  # the hand-over is at the very row we have called back; now we commit

    assert at_once(lambda: send_due(sender_of=sender_of), acknowledges) == [1, None]
    assert sender.taken == [] and page.deliveries.get(channel="sms").state == "cancelled"
    assert page.deliveries.get(channel="sms").tries.count() == 0
    everything_again(sender)
    assert sender.taken == []
    after_the_hand_over_there_is_one_message_and_never_a_second(alerting, fire(), cast)


def after_the_hand_over_there_is_one_message_and_never_a_second(alerting: Any, alert: Any, cast: Any) -> None:
    start_run(alert=alert, policy=alerting.policy)
    run_due()
    calling, acknowledged = threading.Event(), threading.Event()

    def while_the_provider_thinks(_message: Any) -> None:
        calling.set()
        assert acknowledged.wait(LONG_S)

    sender = Scripted(before=while_the_provider_thinks)

    def acknowledges() -> None:
        assert calling.wait(LONG_S)
        acknowledge(alert=alert, by=cast.dispatcher, through="screen")
        acknowledged.set()

    assert at_once(lambda: send_due(sender_of=sender), acknowledges) == [1, None]
    assert len(sender.taken) == 1
    sender.before = None
    everything_again(sender)
    assert len(sender.taken) == 1
    assert set(Page.objects.filter(alert=alert).values_list("state", flat=True)) == {"cancelled"}


def test_let_loose_each_message_is_called_back_or_sent_once_and_never_both(alerting: Any, fire: Any, cast: Any):
    alerts = [fire() for _ in range(12)]
    for alert in alerts:
        page_person(alert=alert, user=cast.dispatcher)
    sender, start = Scripted(), threading.Barrier(2)

    def sends() -> None:
        start.wait(LONG_S)
        send_due(sender_of=sender)

    def acknowledges() -> None:
        start.wait(LONG_S)
        for alert in alerts:
            acknowledge(alert=alert, by=cast.supervisor, through="screen")

    assert at_once(sends, acknowledges) == [None, None]
    everything_again(sender)
    taken = [message.key for message in sender.taken]
    made = Delivery.objects.filter(channel="sms")
    assert len(made) == 12 and len(set(taken)) == len(taken)
    for delivery in made:
        assert delivery.state == ("sent" if delivery.key in taken else "cancelled")


def test_an_acknowledgement_waits_for_the_step_under_way_and_calls_its_pages_back(alerting: Any, fire: Any, cast: Any):
    alert = fire()
    start_run(alert=alert, policy=alerting.policy)
    stepped = threading.Event()

    def steps() -> None:
        with transaction.atomic():
            assert run_due() == 1
            stepped.set()
            until_somebody_waits_for_us()

    def acknowledges() -> None:
        assert stepped.wait(LONG_S)
        acknowledge(alert=alert, by=cast.dispatcher, through="screen")

    assert at_once(steps, acknowledges) == [None, None]
    sender = Scripted()
    everything_again(sender)
    assert sender.taken == [] and Page.objects.get(alert=alert).state == "cancelled"
    assert set(Delivery.objects.filter(alert=alert).values_list("state", flat=True)) == {"cancelled"}


def test_two_acknowledge_at_once_one_has_it_and_both_are_told_who(alerting: Any, fire: Any, cast: Any):
    for _again in range(3):
        alert = fire()
        pages = [page_person(alert=alert, user=user) for user in (cast.dispatcher, cast.supervisor)]
        start = threading.Barrier(2)

        def answers(page: Page, start: threading.Barrier = start) -> str:
            start.wait(LONG_S)
            return replies.act_on(page, replies.ACKNOWLEDGE, through="sms")

        came = at_once(lambda: answers(pages[0]), lambda: answers(pages[1]))  # noqa: B023 - both have ended by the next round
        alert.refresh_from_db()
        winner = 0 if alert.acknowledged_by == cast.dispatcher else 1
        assert alert.state == AlertState.ACKNOWLEDGED and alert.acknowledged_by == pages[winner].user
        assert came[winner] == "Acknowledged: Smoke over the market"
        assert came[1 - winner] == f"{pages[winner].user} has acknowledged it already."
        assert AlertLog.objects.filter(alert=alert, kind=AlertLog.Kind.ACKNOWLEDGED).count() == 1
        assert Event.objects.filter(type="alert.acknowledged", subject_id=alert.pk).count() == 1
        states = dict(alert.pages.values_list("user_id", "state"))
        assert states == {pages[winner].user_id: "answered", pages[1 - winner].user_id: "cancelled"}
    who_waited_for_anothers_acknowledgement_is_told_the_truth(fire(), cast)


def who_waited_for_anothers_acknowledgement_is_told_the_truth(alert: Any, cast: Any) -> None:
    first = threading.Event()

    def holds() -> None:
        with transaction.atomic():
            acknowledge(alert=alert, by=cast.dispatcher, through="screen")
            first.set()
            until_somebody_waits_for_us()

    def comes_second() -> None:
        assert first.wait(LONG_S)
        acknowledge(alert=type(alert).objects.get(pk=alert.pk), by=cast.supervisor, through="screen")

    _none, refused = at_once(holds, comes_second)
    assert isinstance(refused, Conflict) and refused.message == f"{cast.dispatcher} has acknowledged it already."
