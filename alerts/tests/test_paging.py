"""A page of a person and the ladder it climbs (ALR-3, ALR-5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from alerts.models import AlertLog, Delivery, EscalationRun, Page, PolicyStep, StepRun
from alerts.services.delivery import apply_receipt, cancel_pages, climb_due, page_person, seen, send_due
from alerts.tests.senders import Each, Scripted
from core.errors import Invalid
from core.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def step(alerting, fire):
    """``step(alert)``: the first step of a run of its policy, the next one due in five minutes."""

    def make(alert, **given):
        run = EscalationRun.objects.create(alert=alert, policy=alerting.policy, next_at=timezone.now() + timedelta(minutes=5), **given)
        return StepRun.objects.create(
            run=run, loop=0, step_no=0, kind=PolicyStep.Kind.PERSON, due_at=timezone.now(), ran_at=timezone.now(), outcome="done"
        )

    return make


def states(page):
    return [(one.channel, one.state) for one in page.deliveries.order_by("rung_no")]


def test_a_page_shows_on_the_screen_at_once_and_takes_the_first_rung(alerting, fire, cast, now):
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    assert states(page) == [("in_app", "sent"), ("email", "pending")]
    assert page.state == "running" and page.next_at == now + timedelta(seconds=60)


def test_the_same_step_pages_a_person_once(alerting, fire, cast, step, now):
    alert = fire()
    ran = step(alert)
    first = page_person(alert=alert, step_run=ran, user=cast.dispatcher, now=now)
    assert page_person(alert=alert, step_run=ran, user=cast.dispatcher, now=now + timedelta(seconds=5)).pk == first.pk
    assert Delivery.objects.filter(channel="sms").count() == 1


def test_a_page_is_of_one_person_or_one_contact(alerting, fire, cast):
    with pytest.raises(Invalid):
        page_person(alert=fire(), user=cast.supervisor, contact=alerting.room)
    with pytest.raises(Invalid):
        page_person(alert=fire())


def test_a_contact_without_any_address_has_a_page_that_is_exhausted_from_the_start(alerting, fire, now):
    alerting.room.methods.all().delete()
    page = page_person(alert=fire(), contact=alerting.room, now=now)
    assert page.state == "exhausted" and not page.deliveries.exists()


def test_what_did_not_arrive_in_time_climbs_to_the_next_rung(alerting, fire, cast, now):
    mail = Scripted("email")
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    send_due(now=now, sender_of=mail)
    assert climb_due(now=now + timedelta(seconds=59)) == 0
    assert climb_due(now=now + timedelta(seconds=61)) == 1
    assert states(page) == [("in_app", "sent"), ("email", "sent"), ("sms", "pending")]


def test_what_arrived_is_given_its_whole_wait(alerting, fire, cast, now):
    cast.dispatcher.notification_rules.update(wait_s=200)
    cast.dispatcher.notification_rules.create(position=1, channel="sms", wait_s=60)
    page = page_person(alert=fire(), user=cast.dispatcher, now=now)
    sender = Scripted()
    send_due(now=now, sender_of=sender)
    apply_receipt(provider="scripted", provider_id=f"sms-{sender.taken[0].key}", status="delivered")
    climb_due(now=now + timedelta(seconds=61))
    page.refresh_from_db()
    assert page.rung_no == 2 and page.next_at is not None and page.next_at > now + timedelta(seconds=120)
    for seconds in (190, 201):
        climb_due(now=now + timedelta(seconds=seconds))
    assert page.deliveries.filter(channel="sms").count() == 2


def test_what_was_refused_climbs_at_once(alerting, fire, cast, now):
    from alerts.channels.base import PermanentFailure

    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    send_due(now=now, sender_of=Scripted("email", script=[PermanentFailure("No such mailbox.", code="550", is_address_bad=True)]))
    assert climb_due(now=now + timedelta(seconds=1)) == 1
    assert states(page) == [("in_app", "sent"), ("email", "failed"), ("sms", "pending")]
    method = cast.supervisor.contact_methods.get(channel="email")
    assert not method.is_active and method.disabled_because == "No such mailbox."


def test_undelivered_by_receipt_climbs_at_once(alerting, fire, cast, now):
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    sender = Scripted("email")
    send_due(now=now, sender_of=sender)
    apply_receipt(provider="scripted", provider_id=f"email-{sender.taken[0].key}", status="undelivered", code="30005", now=now)
    climb_due(now=now + timedelta(seconds=1))
    assert states(page)[-1] == ("sms", "pending")


def test_a_channel_that_is_not_set_up_is_passed_by_at_once(alerting, fire, cast, now):
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    send_due(now=now, sender_of=Each({"sms": Scripted()}))
    climb_due(now=now)
    assert states(page) == [("in_app", "sent"), ("email", "failed"), ("sms", "pending")]
    assert page.deliveries.get(channel="email").error_code == "not_configured"


def test_when_everything_was_tried_and_nothing_arrived_the_next_step_is_due_at_once(alerting, fire, cast, step, now):
    alert = fire()
    ran = step(alert)
    page = page_person(alert=alert, step_run=ran, user=cast.dispatcher, now=now)
    send_due(now=now, sender_of=Each({}))
    climb_due(now=now)
    page.refresh_from_db()
    assert page.state == "exhausted"
    ran.run.refresh_from_db()
    assert ran.run.next_at == now
    assert alert.log.get(kind=AlertLog.Kind.DELIVERY).facts == {"page": page.pk}


def test_the_next_step_keeps_its_time_while_another_of_the_step_may_still_be_reached(alerting, fire, cast, step, now):
    alert = fire()
    ran = step(alert)
    page_person(alert=alert, step_run=ran, user=cast.dispatcher, now=now)
    page_person(alert=alert, step_run=ran, user=cast.supervisor, now=now)
    send_due(now=now, sender_of=Each({"email": Scripted("email")}))
    climb_due(now=now)
    ran.run.refresh_from_db()
    assert ran.run.next_at > now


def test_a_person_switched_off_is_told_nothing_more_and_the_step_goes_on(alerting, fire, cast, step, now):
    alert = fire()
    ran = step(alert)
    page = page_person(alert=alert, step_run=ran, user=cast.dispatcher, now=now)
    cast.dispatcher.is_active = False
    cast.dispatcher.save(update_fields=["is_active"])
    sender = Scripted()
    send_due(now=now, sender_of=sender)
    climb_due(now=now + timedelta(seconds=61))
    assert not sender.taken and set(page.deliveries.values_list("state", flat=True)) == {"cancelled"}
    ran.run.refresh_from_db()
    assert ran.run.next_at == now + timedelta(seconds=61)


def test_calling_the_pages_back_takes_everything_not_yet_handed_over(alerting, fire, cast, now):
    alert = fire()
    mine, other = (page_person(alert=alert, user=who, now=now) for who in (cast.dispatcher, cast.supervisor))
    type(alert).objects.filter(pk=alert.pk).update(
        state="acknowledged", acknowledged_by=cast.dispatcher, acknowledged_at=now, acknowledged_through="screen"
    )
    assert cancel_pages(alert=alert, because="acknowledged") == 2
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.state, other.state) == ("answered", "cancelled")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"cancelled"}
    sender = Scripted()
    assert send_due(now=now, sender_of=sender) == 0 and not sender.taken


def test_an_alert_that_ended_without_anybody_calling_back_is_not_climbed_for(alerting, fire, cast, now):
    alert = fire()
    page = page_person(alert=alert, user=cast.supervisor, now=now)
    type(alert).objects.filter(pk=alert.pk).update(state="resolved", resolved_at=now, resolved_because="time")
    sender = Scripted()
    send_due(now=now, sender_of=sender)
    climb_due(now=now + timedelta(seconds=61))
    page.refresh_from_db()
    assert not sender.taken and page.state == "cancelled" and set(dict(states(page)).values()) == {"cancelled"}


def test_what_the_screen_has_shown_is_delivered(alerting, fire, cast, now):
    alert = fire()
    page = page_person(alert=alert, user=cast.officer, now=now)
    assert seen(user=cast.supervisor, ids=[alert.pk]) == 0  # another's page
    assert seen(user=cast.officer, ids=[alert.pk]) == 1
    assert seen(user=cast.officer, ids=[alert.pk]) == 0
    assert states(page) == [("in_app", "delivered")]
    climb_due(now=now + timedelta(seconds=61))
    page.refresh_from_db()
    assert page.state == "exhausted" and not alert.log.exists()


def test_each_change_of_a_delivery_is_announced_with_its_alert(alerting, fire, cast, now):
    alert = fire()
    page_person(alert=alert, user=cast.dispatcher, now=now)
    send_due(now=now, sender_of=Scripted())
    told = Event.objects.filter(type="alert.delivery", subject_id=alert.pk).order_by("id")
    assert [(event.data["channel"], event.data["state"]) for event in told] == [("in_app", "sent"), ("sms", "sent")]
    assert {(event.agency_id, event.governorate_id) for event in told} == {(alert.agency_id, alert.governorate_id)}


def test_a_clock_that_jumps_neither_repeats_nor_stalls_a_page(alerting, fire, cast, now):
    page = page_person(alert=fire(), user=cast.supervisor, now=now)
    sender = Scripted("email")
    send_due(now=now, sender_of=sender)
    ahead, back = now + timedelta(hours=1), now - timedelta(hours=1)
    send_due(now=ahead, sender_of=sender)
    climb_due(now=ahead)
    assert states(page)[-1] == ("sms", "pending")
    send_due(now=ahead, sender_of=sender)
    assert len(sender.taken) == 2  # the mail and the SMS, once each
    # And back again: rows due an hour from now are not slept over.
    other = page_person(alert=fire(), user=cast.dispatcher, now=now)
    assert send_due(now=back, sender_of=sender) == 1
    assert climb_due(now=back) == 2
    other.refresh_from_db()
    assert other.state == Page.State.EXHAUSTED


def test_one_page_that_cannot_be_worked_does_not_keep_the_others(alerting, fire, cast, now, caplog):
    broken = page_person(alert=fire(), user=cast.supervisor, now=now)
    Page.objects.filter(pk=broken.pk).update(rungs=[None, None, None])
    fine = page_person(alert=fire(), user=cast.supervisor, now=now)
    climb_due(now=now + timedelta(seconds=61))
    assert states(fine)[-1][0] == "sms"
    broken.refresh_from_db()
    assert broken.next_at > now + timedelta(seconds=61)
