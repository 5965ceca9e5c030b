"""ALR-2: a hole that appears after a schedule was saved is said to whoever answers for it, once, and is over when it is filled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.models import Alert, EscalationPolicy, LayerMember, OnCallOverride, OnCallSchedule
from alerts.services.alerts import acknowledge
from alerts.services.delivery import send_due
from alerts.services.oncall import look_for_holes
from alerts.services.why import why_of
from alerts.tests.senders import Scripted
from khareetaty.celery import app

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_minute")]
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hole(alerting: Any, start: timedelta, end: timedelta) -> OnCallOverride:
    return OnCallOverride.objects.create(schedule=alerting.schedule, user=None, starts_at=NOW + start, ends_at=NOW + end)


def said() -> list[Alert]:
    return list(Alert.objects.filter(kind=Alert.Kind.COVERAGE).order_by("id"))


def test_nothing_is_said_of_a_schedule_without_holes_or_out_of_use(alerting: Any):
    assert look_for_holes(now=NOW) == 0
    hole(alerting, DAY, 2 * DAY)
    OnCallSchedule.objects.update(is_active=False)
    assert look_for_holes(now=NOW) == 0 and said() == []


def test_somebody_leaves_and_those_who_answer_for_the_schedule_are_told_once(alerting: Any, cast: Any):
    LayerMember.objects.filter(user=cast.supervisor).update(user=cast.officer)
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    assert look_for_holes(now=NOW) == 1
    (alert,) = said()
    assert "Nobody is on call from" in alert.title_en and "ضابط مناوب حولي" in alert.title_ar and alert.level == "medium"
    page = alert.pages.get(user=cast.supervisor)
    assert page.because == {"code": "keeps", "names": {"en": "Hawalli duty officer", "ar": "ضابط مناوب حولي"}}
    sender = Scripted()
    send_due(now=NOW + timedelta(seconds=5), sender_of=sender)
    assert [message.to for message in sender.taken] == ["supervisor@example.org"]
    assert "Answers for the schedule Hawalli duty officer" in sender.taken[0].text and "Nobody could be reached" not in sender.taken[0].text
    for days in (0, 1, 2):
        assert look_for_holes(now=NOW + days * DAY) <= (1 if days == 1 else 0)
    assert not alert.pages.exclude(user__role="supervisor").exclude(user__agency=cast.police).exists()


def test_a_hole_that_is_filled_ends_the_alert_and_a_new_one_is_said_again(alerting: Any, cast: Any):
    first = hole(alerting, 3 * DAY, 3 * DAY + 2 * HOUR)
    assert look_for_holes(now=NOW) == 1
    acknowledge(alert=said()[0], by=cast.supervisor, through="screen")
    assert look_for_holes(now=NOW + HOUR) == 0  # the same hole, in somebody's hand
    hole(alerting, 5 * DAY + 4 * HOUR, 5 * DAY + 5 * HOUR)
    assert look_for_holes(now=NOW + 2 * HOUR) == 1
    before, after = said()
    assert before.state == "resolved" and after.state == "firing" and after.facts["count"] == 2
    assert [sentence for sentence in why_of(after) if "Nobody is on call from" in sentence][1:]
    OnCallOverride.objects.filter(schedule=first.schedule).update(is_cancelled=True)
    assert look_for_holes(now=NOW + 3 * HOUR) == 0
    after.refresh_from_db()
    assert (after.state, after.resolved_because) == ("resolved", "recovery")


def test_holes_that_look_alike_are_one_thing_to_say(alerting: Any):
    for day in range(1, 8):
        hole(alerting, day * DAY, day * DAY + 2 * HOUR)
    assert look_for_holes(now=NOW) == 1
    hole(alerting, 9 * DAY, 9 * DAY + 2 * HOUR)
    assert look_for_holes(now=NOW + HOUR) == 0
    (alert,) = said()
    assert alert.facts["count"] == 8


def test_how_bad_it_is_depends_on_who_would_be_told_instead(alerting: Any):
    made = hole(alerting, 3 * DAY, 4 * DAY)
    EscalationPolicy.objects.update(fallback_contact=None)
    look_for_holes(now=NOW)
    assert said()[-1].level == "medium"
    assert look_for_holes(now=NOW + 2 * DAY + HOUR) == 1  # tomorrow, and nobody to fall back on
    assert [alert.level for alert in said()] == ["medium", "high"]
    EscalationPolicy.objects.update(is_active=False)
    OnCallOverride.objects.filter(pk=made.pk).update(is_cancelled=True)
    look_for_holes(now=NOW + 2 * DAY + HOUR)
    hole(alerting, 3 * DAY, 4 * DAY)
    look_for_holes(now=NOW + 2 * DAY + 2 * HOUR)
    assert said()[-1].level == "low"


def test_one_schedule_that_cannot_be_read_hides_no_other(alerting: Any, cast: Any):
    OnCallSchedule.objects.create(code="a-broken", name_en="Broken", name_ar="معطل", agency=cast.police, time_zone="Nowhere/None")
    hole(alerting, DAY, 2 * DAY)
    look_for_holes(now=NOW)
    assert any(alert.subject_id == alerting.schedule.pk for alert in said())


def test_the_clock_looks_every_morning():
    assert app.conf.beat_schedule["oncall: holes"]["task"] == "alerts.look_for_holes"
