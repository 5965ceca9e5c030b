"""Links, notices, retries by hand, quiet hours and the channels' figures (ALR-3, ALR-5)."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alerts.channels.base import PermanentFailure
from alerts.models import Alert, Channel, Delivery, Page, Preferences
from alerts.services.delivery import (
    apply_receipt,
    channel_figures,
    climb_due,
    page_person,
    retry,
    send_due,
    signed_link,
    tell_resolved_by_time,
)
from alerts.tests.senders import Scripted
from core.errors import Conflict, NotAllowed, NotFound
from core.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def page(alerting, fire, cast, now):
    return page_person(alert=fire(), user=cast.dispatcher, now=now)


def path_of(page):
    return signed_link(page).removeprefix("https://alerts.example")


# --- the link ------------------------------------------------------------------------------------------------------------


def test_opening_the_link_shows_the_alert_and_changes_nothing(page):
    shown = Client().get(path_of(page))
    assert shown.status_code == 200 and "Smoke over the market" in shown.content.decode()
    assert shown["Referrer-Policy"] == "no-referrer" and "no-store" in shown["Cache-Control"]
    Client().head(path_of(page))
    page.alert.refresh_from_db()
    assert page.alert.state == "firing"


def test_pressing_the_button_acknowledges_as_the_person_it_was_sent_to_and_calls_every_page_back(page, cast, alerting, now):
    other = page_person(alert=page.alert, user=cast.supervisor, now=now)
    done = Client(enforce_csrf_checks=True).post(path_of(page))
    assert done.status_code == 200 and "has it in hand" in done.content.decode()
    page.alert.refresh_from_db()
    assert (page.alert.state, page.alert.acknowledged_by, page.alert.acknowledged_through) == ("acknowledged", cast.dispatcher, "link")
    page.refresh_from_db()
    other.refresh_from_db()
    assert (page.state, other.state) == ("answered", "cancelled")
    assert not Delivery.objects.going().exists()


def test_a_contact_that_signs_in_nowhere_acknowledges_by_its_link(alerting, fire, now):
    page = page_person(alert=fire(), contact=alerting.room, now=now)
    assert Client().post(path_of(page)).status_code == 200
    page.alert.refresh_from_db()
    assert page.alert.acknowledged_by_contact == alerting.room


def test_the_second_to_press_is_told_who_was_first(page, cast, alerting, now):
    other = page_person(alert=page.alert, user=cast.supervisor, now=now)
    Client().post(path_of(page))
    late = Client().post(path_of(other))
    assert late.status_code == 409 and "dispatcher has acknowledged it already" in late.content.decode()


def test_forged_cut_expired_and_switched_off_links_acknowledge_nothing(page, cast):
    path = path_of(page)
    for wrong in (
        path.replace(f"{page.pk}.", f"{page.pk + 1}.", 1),
        path[:-5] + "/",
        "/a/" + "x" * 100 + "/",
        f"/a/{page.pk}.{page.code}/",
    ):
        assert Client().post(wrong).status_code == 404
    Page.objects.filter(pk=page.pk).update(code_expires_at=timezone.now())
    gone = Client().post(path)
    assert gone.status_code == 409 and "no longer valid" in gone.content.decode()
    Page.objects.filter(pk=page.pk).update(code_expires_at=timezone.now() + timedelta(hours=1))
    cast.dispatcher.is_active = False
    cast.dispatcher.save(update_fields=["is_active"])
    assert Client().post(path).status_code == 404
    page.alert.refresh_from_db()
    assert page.alert.state == "firing"


def test_the_link_speaks_the_language_of_whom_it_was_sent_to(page, cast):
    cast.dispatcher.language = "ar"
    cast.dispatcher.save(update_fields=["language"])
    assert 'dir="rtl"' in Client().get(path_of(page), headers={"accept-language": "en"}).content.decode()


# --- by hand -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(page, now):
    send_due(now=now, sender_of=Scripted(script=[PermanentFailure("No.", code="30006")]))
    return page.deliveries.get(channel="sms")


def test_what_failed_is_sent_again_by_hand_as_a_delivery_of_its_own(failed, cast, now):
    made = retry(delivery=failed, by=cast.supervisor)
    assert made.state == "pending" and made.address == failed.address and made.key != failed.key
    sender = Scripted()
    send_due(sender_of=sender)
    failed.refresh_from_db()
    assert failed.state == "failed" and [message.key for message in sender.taken] == [made.key]
    assert AuditEntry.objects.filter(verb="delivery.retry").count() == 1


def test_sending_again_is_refused_where_it_makes_no_sense(failed, cast, now):
    with pytest.raises(NotAllowed):
        retry(delivery=failed, by=cast.officer)
    with pytest.raises(NotFound):
        retry(delivery=failed, by=cast.firefighter)
    retry(delivery=failed, by=cast.supervisor)
    with pytest.raises(Conflict, match="already"):
        retry(delivery=failed, by=cast.supervisor)
    Delivery.objects.going().filter(channel="sms").update(state="sent")
    with pytest.raises(Conflict, match="Only what has failed"):
        retry(delivery=Delivery.objects.filter(channel="sms", state="sent").get(), by=cast.supervisor)
    Alert.objects.filter(pk=failed.alert_id).update(state="resolved", resolved_at=now)
    with pytest.raises(Conflict, match="any more"):
        retry(delivery=Delivery.objects.get(pk=failed.pk), by=cast.supervisor)


# --- notices and quiet hours -----------------------------------------------------------------------------------------------


def test_an_alert_that_ran_out_of_time_tells_whoever_had_it_once(fire, cast, alerting, now):
    alert = fire(state="resolved", resolved_at=now, resolved_because="time", acknowledged_by=cast.supervisor, outcome="Nobody resolved it.")
    assert tell_resolved_by_time(alert=alert, now=now) == 1
    assert tell_resolved_by_time(alert=alert, now=now) == 1
    sender = Scripted("email")
    send_due(now=now, sender_of=sender)
    assert [message.to for message in sender.taken] == ["supervisor@example.org"]
    assert sender.taken[0].subject == "Over: Smoke over the market" and sender.taken[0].code == ""


def test_quiet_hours_hold_back_what_rings_and_nothing_that_is_critical(alerting, fire, cast, now):
    here = timezone.localtime(now)
    Preferences.objects.create(
        user=cast.supervisor,
        quiet_from=(here - timedelta(hours=1)).time(),
        quiet_to=(here + timedelta(hours=2)).time().replace(microsecond=0),
    )
    usual, critical = fire(), fire(level="critical")
    calm, loud = (page_person(alert=alert, user=cast.supervisor, now=now) for alert in (usual, critical))
    for minutes in range(8):
        send_due(now=now + timedelta(minutes=minutes), sender_of=Scripted("email"))
        climb_due(now=now + timedelta(minutes=minutes, seconds=1))
    calm.refresh_from_db()
    assert not calm.deliveries.filter(channel="sms").exists() and loud.deliveries.filter(channel="sms").exists()
    assert calm.state in ("running", "held") and calm.next_at is not None
    climb_due(now=now + timedelta(hours=2, minutes=1))
    assert calm.deliveries.filter(channel="sms").exists()


def test_a_person_with_the_screen_alone_is_not_rung_in_quiet_hours_for_not_looking(alerting, fire, cast, now):
    here = timezone.localtime(now)
    Preferences.objects.create(user=cast.dispatcher, quiet_from=time(0, 0), quiet_to=(here + timedelta(hours=1)).time())
    alert = fire()
    page = page_person(alert=alert, user=cast.dispatcher, now=now)
    if not page.deliveries.filter(channel="sms").exists():  # near midnight these hours are no hours
        for minutes in range(5):
            climb_due(now=now + timedelta(minutes=minutes, seconds=1))
        page.refresh_from_db()
        assert page.state == "held" and not page.deliveries.filter(channel="sms").exists()
        Alert.objects.filter(pk=alert.pk).update(level="critical")
        climb_due(now=now + timedelta(minutes=8))
        assert page.deliveries.filter(channel="sms").exists()


# --- figures -------------------------------------------------------------------------------------------------------------


def test_the_channels_figures_are_counted_from_the_rows_one_may_see(alerting, fire, cast, now):
    sender = Scripted()
    for _ in range(3):
        page_person(alert=fire(), user=cast.dispatcher, now=now)
    sender.script = [None, None, PermanentFailure("No.")]
    send_due(now=now + timedelta(seconds=2), sender_of=sender)
    apply_receipt(provider="scripted", provider_id=f"sms-{sender.taken[0].key}", status="delivered", now=now + timedelta(seconds=5))
    span = (now - timedelta(hours=1), now + timedelta(hours=1))
    figures = {figure.channel: figure for figure in channel_figures(cast.supervisor, *span)}
    sms = figures[Channel.SMS]
    assert (sms.deliveries, sms.sent, sms.delivered, sms.failed, sms.attempts) == (3, 2, 1, 1, 3)
    assert sms.handed_p50_s == pytest.approx(2) and sms.arrived_p95_s == pytest.approx(5) and sms.delivered_share == 0.5
    assert channel_figures(cast.firefighter, *span) == []
