"""ALR-2: who is asked for a swap is told by their own channels and on the page; who asked is told of the answer, in their language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alerts.models import ContactMethod, Delivery, LayerMember, NotificationRule, Preferences, ShiftSwap
from alerts.services.delivery import send_due
from alerts.services.oncall import ask_swap, decline_swap, on_call_now, take_swap, withdraw_swap
from alerts.tests.senders import Scripted
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_minute")]
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOUR = timedelta(hours=1)


def ask(alerting: Any, cast: Any, of: Any = None, **given: Any) -> ShiftSwap:
    span = {"starts_at": NOW + HOUR, "ends_at": NOW + 3 * HOUR} | given
    return ask_swap(schedule=alerting.schedule, by=cast.supervisor, asked_of=of, reason="a wedding", **span)


def messages() -> list[tuple[str, str, str]]:
    """What leaves now: the channel, the address and the text."""
    sender = Scripted()
    send_due(now=timezone.now() + timedelta(seconds=1), sender_of=sender)
    channels = dict(Delivery.objects.values_list("key", "channel"))
    return [(channels[one.key], one.to, one.text) for one in sender.taken]


def test_who_is_asked_is_told_by_their_own_first_channel_and_who_asked_of_the_answer(alerting: Any, cast: Any):
    swap = ask(alerting, cast, cast.dispatcher)
    ((channel, to, text),) = messages()
    assert (channel, to) == ("sms", "+96550000002")
    assert "supervisor asks to be relieved in Hawalli duty officer from" in text and "a wedding" in text
    assert "/alerts/oncall/?schedule=hawalli-duty#swaps" in text
    take_swap(swap=swap, by=cast.dispatcher)
    ((channel, to, text),) = messages()
    assert (channel, to) == ("email", "supervisor@example.org") and "dispatcher takes over from you" in text
    assert messages() == []


def test_declined_with_a_reason_the_asker_stays_on_call_and_hears_it(alerting: Any, cast: Any):
    swap = ask(alerting, cast, cast.dispatcher)
    messages()
    decline_swap(swap=swap, by=cast.dispatcher, answer="on leave")
    ((_channel, to, text),) = messages()
    assert to == "supervisor@example.org" and "cannot take over" in text and "on leave" in text and "You are still on call." in text
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW + 2 * HOUR) == [cast.supervisor.pk]
    assert (swap.state, AuditEntry.objects.get(verb="shiftswap.decline").reason) == ("declined", "on leave")
    with pytest.raises(Conflict):
        decline_swap(swap=swap, by=cast.dispatcher)
    assert ask(alerting, cast, cast.officer).state == "open"  # somebody else may be asked


def test_withdrawn_before_it_left_it_does_not_leave(alerting: Any, cast: Any):
    swap = ask(alerting, cast, cast.dispatcher)
    withdraw_swap(swap=swap, by=cast.supervisor)
    ((_channel, _to, text),) = messages()
    assert "no longer asks" in text
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["cancelled", "sent"]


def test_where_anybody_is_asked_all_who_stand_on_it_are_told_and_nobody_else(alerting: Any, cast: Any):
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.supervisor)
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=3, user=cast.dispatcher)
    soon = timezone.now() + timedelta(minutes=5)
    on_call = on_call_now(schedule_id=alerting.schedule.pk, at=soon)
    if on_call == [cast.dispatcher.pk]:  # the rotation turns with the days
        ask_swap(schedule=alerting.schedule, by=cast.dispatcher, starts_at=soon, ends_at=soon + timedelta(minutes=1))
        assert [to for _channel, to, _text in messages()] == ["supervisor@example.org"]
    else:
        swap = ask(alerting, cast, starts_at=soon, ends_at=soon + timedelta(minutes=1))
        assert [to for _channel, to, _text in messages()] == ["+96550000002"]
        with pytest.raises(NotAllowed):
            decline_swap(swap=swap, by=cast.dispatcher)


def test_it_is_told_in_the_readers_language_and_after_their_quiet_hours(alerting: Any, cast: Any):
    cast.dispatcher.language = "ar"
    cast.dispatcher.save(update_fields=["language"])
    here = timezone.localtime()
    Preferences.objects.create(user=cast.dispatcher, quiet_from=(here - HOUR).time(), quiet_to=(here + HOUR).time().replace(second=0))
    ask(alerting, cast, cast.dispatcher)
    made = Delivery.objects.get()
    assert made.language == "ar" and "Hawalli" not in made.body and "ضابط مناوب حولي" in made.body
    for minutes in (1, 21, 41):  # looked at again, and kept
        assert send_due(now=timezone.now() + timedelta(minutes=minutes), sender_of=Scripted()) == 0
    sender = Scripted()
    assert send_due(now=timezone.now() + timedelta(minutes=62), sender_of=sender) == 1 and len(sender.taken) == 1


def test_whatsapp_is_passed_by_outside_its_day_and_the_screen_alone_gets_no_message(alerting: Any, cast: Any):
    ContactMethod.objects.create(user=cast.dispatcher, channel="whatsapp", address="+96550000002", verified_at=NOW)
    NotificationRule.objects.filter(user=cast.dispatcher).update(position=5)
    NotificationRule.objects.create(user=cast.dispatcher, position=1, channel="whatsapp", wait_s=60)
    swap = ask(alerting, cast, cast.dispatcher)
    assert Delivery.objects.get().channel == "sms"
    withdraw_swap(swap=swap, by=cast.supervisor)
    before = Delivery.objects.count()
    ask(alerting, cast, cast.officer)  # no address at all: it stands on the page
    assert Delivery.objects.count() == before


def test_strangers_the_past_and_foreign_ids_are_refused(alerting: Any, cast: Any):
    for wrong, refusal in (({"of": cast.firefighter}, NotFound), ({"starts_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR}, Invalid)):
        with pytest.raises(refusal):
            ask(alerting, cast, **wrong)
    swap = ask(alerting, cast, cast.dispatcher)
    for somebody, refused in ((cast.supervisor, NotAllowed), (cast.superadmin, NotAllowed), (cast.firefighter, NotFound)):
        with pytest.raises(refused):
            decline_swap(swap=swap, by=somebody)
    with pytest.raises(Invalid):
        decline_swap(swap=swap, by=cast.dispatcher, answer="x" * 401)
    ShiftSwap.objects.filter(pk=swap.pk).update(starts_at=NOW - 3 * HOUR, ends_at=NOW - HOUR)
    swap.refresh_from_db()
    for answer in (take_swap, decline_swap):
        with pytest.raises(Conflict):
            answer(swap=swap, by=cast.dispatcher)


def enter(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_page_asks_the_one_who_was_asked_and_takes_the_answer(alerting: Any, cast: Any):
    swap = ask(alerting, cast, cast.officer)
    page = enter(cast.officer).get(reverse("oncall"))
    assert "asks you to take over" in page.content.decode() and "a wedding" in page.content.decode()
    assert "asks you to take over" not in enter(cast.dispatcher).get(reverse("oncall")).content.decode()
    decline = reverse("oncall-swap-decline", args=[swap.pk])
    assert enter(cast.firefighter).post(decline).status_code == 404
    assert enter(cast.dispatcher).post(decline).status_code == 403
    assert enter(cast.officer).post(reverse("oncall-swap-decline", args=[swap.pk + 999])).status_code == 404
    answer = enter(cast.officer).post(decline, {"answer": "at court"}, follow=True)
    assert answer.status_code == 200 and "You have declined." in answer.content.decode()
    swap.refresh_from_db()
    assert (swap.state, swap.answer) == ("declined", "at court")


def test_the_api_declines_too(alerting: Any, cast: Any):
    swap = ask(alerting, cast, cast.dispatcher)
    at = f"/api/v1/oncall/swaps/{swap.pk}/decline"
    assert enter(cast.firefighter).post(at, {}, content_type="application/json").status_code == 404
    answer = enter(cast.dispatcher).post(at, {"answer": "on leave"}, content_type="application/json")
    assert answer.status_code == 200 and (answer.json()["state"], answer.json()["answer"]) == ("declined", "on leave")
    assert enter(cast.dispatcher).post(at, {}, content_type="application/json").status_code == 409
