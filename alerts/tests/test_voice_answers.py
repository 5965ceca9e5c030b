"""ALR-3: a call that a machine answers has told nobody; only a key pressed proves a person, and the ladder goes on until somebody
acknowledges. Against a server that speaks Twilio's API; nothing is patched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts.models import Channel, ContactMethod, EscalationRun, NotificationRule, Page, PolicyStep, StepRun
from alerts.services.delivery import apply_receipt, climb_due, page_person, send_due
from alerts.tests.servers import TwilioServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def called(alerting: Any, fire: Any, cast: Any, twilio: TwilioServer) -> Any:
    """The officer is told by a call, then by SMS; the call is ringing, as the first step of a run."""
    now = timezone.now()
    for position, channel in enumerate((Channel.VOICE, Channel.SMS)):
        ContactMethod.objects.create(user=cast.officer, channel=channel, address="+96550000077", verified_at=now)
        NotificationRule.objects.create(user=cast.officer, position=position, channel=channel, wait_s=60)
    alert = fire()
    run = EscalationRun.objects.create(alert=alert, policy=alerting.policy, next_at=now + timedelta(minutes=30))
    step = StepRun.objects.create(run=run, loop=0, step_no=0, kind=PolicyStep.Kind.PERSON, due_at=now, ran_at=now, outcome="done")
    page = page_person(alert=alert, step_run=step, user=cast.officer, now=now)
    send_due(now=now)
    (call,) = twilio.calls
    return page, call, now


def tell(twilio: TwilioServer, call: Any, form: dict[str, str]) -> int:
    path = call.callback.removeprefix("https://alerts.example")
    return int(Client().post(path, form, headers={"X-Twilio-Signature": twilio.signature(call.callback, form)}).status_code)


def status(twilio: TwilioServer, call: Any, word: str) -> int:
    return tell(twilio, call, twilio.status_form(call, word))


def press(twilio: TwilioServer, page: Page, call: Any, digit: str) -> int:
    path = f"/hooks/twilio/voice/{page.deliveries.get(channel='voice').key}/gather"
    form = {"CallSid": call.sid, "Digits": digit}
    return int(
        Client().post(path, form, headers={"X-Twilio-Signature": twilio.signature(f"https://alerts.example{path}", form)}).status_code
    )


def of_call(page: Page) -> tuple[str, str]:
    made = page.deliveries.get(channel="voice")
    return made.state, made.error_code


def later(now: Any, seconds: int) -> None:
    climb_due(now=now + timedelta(seconds=seconds))
    send_due(now=now + timedelta(seconds=seconds))


def test_a_call_asks_what_answered_beside_the_talking_and_ends_by_itself(called: Any, twilio: TwilioServer, settings: Any):
    _page, call, _now = called
    assert (call.form["MachineDetection"], call.form["AsyncAmd"], call.form["TimeLimit"]) == ("Enable", "true", "120")
    assert call.form["AsyncAmdStatusCallback"] == call.callback and call.form["AsyncAmdStatusCallbackMethod"] == "POST"


def test_a_call_that_ends_without_a_key_has_not_arrived_and_the_ladder_goes_on_at_once(called: Any, twilio: TwilioServer):
    page, call, now = called
    for word in ("initiated", "ringing", "in-progress"):
        assert status(twilio, call, word) == 200
    assert of_call(page) == ("sent", "")  # lifted is not heard
    assert status(twilio, call, "completed") == 200
    assert of_call(page) == ("failed", "no_key")
    later(timezone.now(), 1)
    assert [(one.kind, one.to) for one in twilio.taken] == [("Calls", "+96550000077"), ("Messages", "+96550000077")]
    assert status(twilio, twilio.messages[0], "undelivered") == 200
    later(timezone.now(), 2)
    later(timezone.now(), 130)
    page.refresh_from_db()
    assert page.state == Page.State.EXHAUSTED
    assert EscalationRun.objects.get().next_at < now + timedelta(minutes=20)  # the next person is due


@pytest.mark.parametrize("answered_by", ["machine_start", "machine_end_beep", "fax"])
def test_a_machine_that_answers_is_known_before_the_call_ends(called: Any, twilio: TwilioServer, answered_by: str):
    page, call, _now = called
    status(twilio, call, "in-progress")
    assert tell(twilio, call, twilio.machine_form(call, answered_by)) == 200
    assert of_call(page) == ("failed", "machine")
    later(timezone.now(), 1)
    assert len(twilio.messages) == 1
    status(twilio, call, "completed")
    assert of_call(page) == ("failed", "machine")


@pytest.mark.parametrize("answered_by", ["human", "unknown"])
def test_that_a_person_seems_to_have_answered_proves_nothing_without_a_key(called: Any, twilio: TwilioServer, answered_by: str):
    page, call, _now = called
    status(twilio, call, "in-progress")
    tell(twilio, call, twilio.machine_form(call, answered_by))
    assert of_call(page) == ("sent", "")
    status(twilio, call, "completed")
    assert of_call(page) == ("failed", "no_key")


def test_nobody_is_told_beside_the_call_while_it_is_listened_to_but_not_for_ever(called: Any, twilio: TwilioServer):
    _page, call, _now = called
    status(twilio, call, "in-progress")
    at = timezone.now()
    later(at, 61)
    later(at, 100)
    assert not twilio.messages  # the phone is off the hook
    later(at, 125)  # its end was never told to us
    assert len(twilio.messages) == 1


def test_a_key_proves_a_person_and_only_1_acknowledges(called: Any, twilio: TwilioServer):
    page, call, _now = called
    status(twilio, call, "in-progress")
    assert press(twilio, page, call, "3") == 200
    status(twilio, call, "completed")
    assert of_call(page) == ("delivered", "")  # heard, and not acknowledged: the ladder goes on when the rung's wait is over
    page.alert.refresh_from_db()
    assert page.alert.state == "firing"
    later(timezone.now(), 130)
    assert len(twilio.messages) == 1


def test_1_acknowledges_even_where_a_machine_was_suspected(called: Any, twilio: TwilioServer):
    page, call, _now = called
    tell(twilio, call, twilio.machine_form(call, "machine_start"))
    assert press(twilio, page, call, "1") == 200
    status(twilio, call, "completed")
    page.alert.refresh_from_db()
    assert (page.alert.state, page.alert.acknowledged_through, of_call(page)) == ("acknowledged", "voice", ("delivered", ""))
    later(timezone.now(), 130)
    assert not twilio.messages


def test_the_end_before_the_beginning_changes_nothing(called: Any, twilio: TwilioServer):
    """Callbacks overtake each other."""
    page, call, _now = called
    for word in ("completed", "in-progress", "ringing", "completed"):
        status(twilio, call, word)
    assert of_call(page) == ("failed", "no_key")
    made = page.deliveries.get(channel="voice")
    apply_receipt(provider="twilio", provider_id=call.sid, status="key", key=made.key)
    assert of_call(page)[0] == "delivered"


def test_a_calls_words_mean_nothing_of_a_message(alerting: Any, fire: Any, cast: Any, twilio: TwilioServer):
    page = page_person(alert=fire(), user=cast.dispatcher)
    send_due()
    made = page.deliveries.get(channel="sms")
    for word in ("completed", "machine", "key", "in-progress"):
        apply_receipt(provider=made.provider, provider_id=made.provider_id, status=word)
    made.refresh_from_db()
    assert made.state == "sent"
