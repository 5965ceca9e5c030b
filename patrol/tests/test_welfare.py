"""PAT-11: welfare timers warn, escalate, are answered and end, whoever looks and however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event
from patrol.models import Assignment, WelfareCheck
from patrol.services import welfare
from patrol.subscribers import time_welfare


def told() -> list[str]:
    return list(Event.objects.filter(subject_type="welfarecheck").order_by("id").values_list("type", flat=True))


@pytest.fixture
def check(cast, force):
    return welfare.start_welfare(unit=force.p1, by=cast.dispatcher)


def test_a_timer_runs_twenty_minutes_unless_the_unit_or_the_dispatcher_says_otherwise(check, cast, force):
    assert check.minutes == 20
    force.p2.welfare_minutes = 7
    assert welfare.start_welfare(unit=force.p2, by=cast.dispatcher).minutes == 7
    with pytest.raises(Conflict, match="already"):
        welfare.start_welfare(unit=force.p1, by=cast.dispatcher)
    with pytest.raises(Invalid):
        welfare.start_welfare(unit=force.c1, by=cast.superadmin, minutes=241)


def test_only_a_dispatcher_who_sees_the_unit_starts_one(cast, force):
    with pytest.raises(NotAllowed):
        welfare.start_welfare(unit=force.p1, by=cast.officer)
    with pytest.raises(NotFound):
        welfare.start_welfare(unit=force.c1, by=cast.dispatcher)


def test_it_warns_before_and_escalates_after_each_once(check):
    assert welfare.sweep(now=check.due_at - timedelta(seconds=121)) == 0
    assert welfare.sweep(now=check.due_at - timedelta(seconds=119)) == 1
    assert welfare.sweep(now=check.due_at - timedelta(seconds=118)) == 0
    assert welfare.sweep(now=check.due_at) == 1
    assert welfare.sweep(now=check.due_at + timedelta(hours=1)) == 0
    assert told() == ["welfare.started", "welfare.warned", "welfare.missed"]


def test_a_short_timer_warns_a_fifth_of_it_before(cast, force):
    check = welfare.start_welfare(unit=force.p1, by=cast.dispatcher, minutes=5)
    assert welfare.sweep(now=check.due_at - timedelta(seconds=61)) == 0
    assert welfare.sweep(now=check.due_at - timedelta(seconds=60)) == 1


def test_what_slept_through_the_warning_still_escalates(check):
    assert welfare.sweep(now=check.due_at + timedelta(minutes=9)) == 1
    assert told() == ["welfare.started", "welfare.missed"]


def test_one_tap_of_the_officer_starts_it_anew(check, cast, force):
    answered = welfare.answer_welfare(check=check, by=cast.officer)
    assert answered.due_at > check.due_at and answered.answered_by == cast.officer
    with pytest.raises(NotAllowed):
        welfare.answer_welfare(check=check, by=cast.stranger)


def test_an_answer_after_the_alarm_quiets_it_and_says_it_was_late(check, cast):
    welfare.sweep(now=check.due_at)
    assert welfare.answer_welfare(check=check, by=cast.dispatcher).escalated_at is None
    assert Event.objects.get(type="welfare.answered").data["late"] is True


def test_an_answer_that_took_long_to_arrive_never_shortens_the_time(check, cast):
    welfare.answer_welfare(check=check, by=cast.officer)
    due = WelfareCheck.objects.get().due_at
    assert welfare.answer_welfare(check=check, by=cast.officer, at=datetime.now(UTC) - timedelta(minutes=10)).due_at == due
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert welfare.answer_welfare(check=check, by=cast.officer, at=tomorrow).due_at < due + timedelta(minutes=1)


def test_it_ends_with_a_reason_and_only_once(check, cast):
    with pytest.raises(Invalid):
        welfare.end_welfare(check=check, by=cast.dispatcher, because=" ")
    welfare.end_welfare(check=check, by=cast.dispatcher, because="Back at the station")
    with pytest.raises(Conflict):
        welfare.end_welfare(check=check, by=cast.dispatcher, because="x")
    with pytest.raises(Conflict):
        welfare.answer_welfare(check=check, by=cast.officer)
    assert welfare.sweep(now=timezone.now() + timedelta(days=1)) == 0


# --- with the assignment ---------------------------------------------------------------------------------------------


def on_scene(unit, **given):
    now = timezone.now()
    facts = {"kind": "task", "unit": unit, "agency": unit.agency, "governorate": unit.governorate, "assigned_at": now, "on_scene_at": now}
    return Assignment.objects.create(**{**facts, "state": "on_scene", **given})


def hear(assignment):
    time_welfare([Event(type="assignment.moved", subject_type="assignment", subject_id=assignment.pk)])


def test_a_unit_on_scene_is_asked_if_its_profile_says_so(force):
    hear(on_scene(force.p2))
    assert not WelfareCheck.objects.exists()
    force.p1.welfare_minutes = 10
    force.p1.save(update_fields=["welfare_minutes"])
    assignment = on_scene(force.p1)
    hear(assignment)
    hear(assignment)  # told again: nothing changes
    assert WelfareCheck.objects.get().due_at == assignment.on_scene_at + timedelta(minutes=10)


def test_the_timer_goes_over_to_the_next_thing_on_scene_and_ends_with_the_last(force):
    force.p1.welfare_minutes = 10
    force.p1.save(update_fields=["welfare_minutes"])
    first, second = on_scene(force.p1), on_scene(force.p1)
    hear(first)
    for assignment in (first, second):
        assignment.state, assignment.ended_at = "done", timezone.now()
        assignment.save(update_fields=["state", "ended_at"])
        hear(assignment)
        running = WelfareCheck.objects.running().first()
        assert (running.assignment if running else None) == (second if assignment is first else None)


def test_news_of_an_arrival_that_is_long_over_starts_nothing(force):
    force.p1.welfare_minutes = 10
    force.p1.save(update_fields=["welfare_minutes"])
    hear(on_scene(force.p1, state="done", ended_at=timezone.now()))
    assert not WelfareCheck.objects.exists()
