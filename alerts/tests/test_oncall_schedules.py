"""ALR-2: schedules, overrides, swaps and the calendar feed: each verb, each refusal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from alerts.models import EscalationPolicy, LayerMember, OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.services.oncall import (
    LayerGiven,
    ask_swap,
    calendar_of,
    cancel_override,
    candidates,
    change_schedule,
    close_feed,
    gaps,
    make_override,
    make_schedule,
    on_call_now,
    problems,
    rotate_feed_key,
    schedule_of_key,
    seen_by,
    take_swap,
    withdraw_swap,
)
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event

pytestmark = pytest.mark.usefixtures("this_minute")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def a_layer(*people: Any, **given: Any) -> LayerGiven:
    return replace(LayerGiven(starts_on=date(2026, 1, 1), handover_at=time(7), people=tuple(user.pk for user in people)), **given)


# --- schedules ---------------------------------------------------------------------------------------------------------------------------


def test_a_schedule_is_made_with_its_layers_audited_and_announced(cast: Any, places: Any) -> None:
    made = make_schedule(
        by=cast.supervisor, code="night-desk", name_en="Night desk", name_ar="مكتب الليل", agency=cast.police, governorate=places.hawalli,
        layers=[a_layer(cast.supervisor, cast.dispatcher), a_layer(cast.officer, only_from=time(22), only_to=time(6))],
    )  # fmt: skip
    assert [layer.position for layer in made.layers.all()] == [1, 2]
    assert (AuditEntry.objects.get(verb="oncallschedule.add").after or {})["layers"][1]["only_from"] == "22:00"
    assert Event.objects.get(type="oncall.changed").data["schedule"] == made.pk
    assert on_call_now(schedule_id=made.pk, at=NOW) != []


def test_a_change_on_an_old_version_is_a_conflict(alerting: Any, cast: Any) -> None:
    seen = alerting.schedule.version
    change_schedule(schedule=alerting.schedule, by=cast.supervisor, version=seen, name_en="Duty officer")
    with pytest.raises(Conflict):
        change_schedule(schedule=alerting.schedule, by=cast.supervisor, version=seen, name_en="Another")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"people": ()}, "layers.0.people"),
        ({"every": 0}, "layers.0.every"),
        ({"every": 367}, "layers.0.every"),
        ({"rotation": "monthly"}, "layers.0.rotation"),
        ({"ends_on": date(2025, 12, 31)}, "layers.0.ends_on"),
        ({"starts_on": date(1899, 1, 1)}, "layers.0.starts_on"),
        ({"only_from": time(8), "only_to": time(8)}, "layers.0.only_to"),
        ({"only_weekdays": (7,)}, "layers.0.only_weekdays"),
    ],
)
def test_a_layer_that_cannot_be_is_refused_with_its_field(alerting: Any, cast: Any, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        change_schedule(schedule=alerting.schedule, by=cast.supervisor, layers=[replace(a_layer(cast.supervisor), **given)])
    assert field in refusal.value.fields


def test_a_closed_account_is_refused_by_name_and_a_stranger_is_not_there(alerting: Any, cast: Any) -> None:
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    with pytest.raises(Invalid, match="officer"):
        change_schedule(schedule=alerting.schedule, by=cast.supervisor, layers=[a_layer(cast.officer)])
    for somebody in (cast.stranger, cast.firefighter, cast.auditor):
        with pytest.raises(NotFound):
            change_schedule(schedule=alerting.schedule, by=cast.supervisor, layers=[a_layer(somebody)])
    assert cast.superadmin in candidates(alerting.schedule)


def test_a_time_zone_that_is_none_and_a_code_that_is_taken_are_refused(alerting: Any, cast: Any) -> None:
    for zone in ("Asia/Kuwayt", "../etc/passwd", ""):
        with pytest.raises(Invalid):
            change_schedule(schedule=alerting.schedule, by=cast.supervisor, time_zone=zone)
    with pytest.raises(Conflict):
        make_schedule(by=cast.superadmin, code="hawalli-duty", name_en="A", name_ar="أ", agency=cast.police)


def test_only_who_manages_it_changes_it_and_from_elsewhere_it_is_not_there(alerting: Any, cast: Any, places: Any) -> None:
    with pytest.raises(NotAllowed):
        change_schedule(schedule=alerting.schedule, by=cast.dispatcher, name_en="Mine")
    with pytest.raises(NotFound):
        change_schedule(schedule=alerting.schedule, by=cast.firefighter, name_en="Mine")
    with pytest.raises(NotFound):
        change_schedule(schedule=alerting.schedule, by=cast.supervisor, governorate=places.capital)
    assert alerting.schedule in seen_by(cast.dispatcher)
    assert alerting.schedule not in seen_by(cast.officer)
    assert alerting.schedule not in seen_by(cast.firefighter)
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.officer)
    assert alerting.schedule in seen_by(cast.officer)


def test_what_is_wrong_with_a_schedule_is_said_before_the_night(alerting: Any, cast: Any) -> None:
    layer = alerting.schedule.layers.get()
    LayerMember.objects.create(layer=layer, position=2, user=cast.officer)
    EscalationPolicy.objects.update(fallback_contact=None)
    assert [(one.kind, "officer" in one.text) for one in problems(schedule=alerting.schedule)] == [("no_channel", True)]
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    kinds = {one.kind for one in problems(schedule=alerting.schedule)}
    assert kinds == {"gap", "closed_account", "no_fallback"}  # the officer's week is a hole, and the policy has no way out
    assert not any("officer" in one.text for one in problems(schedule=alerting.schedule, with_names=False))
    layer.members.all().delete()
    assert "empty_layer" in {one.kind for one in problems(schedule=alerting.schedule)}


# --- overrides ---------------------------------------------------------------------------------------------------------------------------


def test_an_override_is_made_and_cancelled(alerting: Any, cast: Any) -> None:
    override = make_override(schedule=alerting.schedule, by=cast.supervisor, user=cast.dispatcher, starts_at=NOW, ends_at=NOW + DAY)
    assert on_call_now(schedule_id=alerting.schedule.pk) == [cast.dispatcher.pk]
    cancel_override(override=override, by=cast.supervisor, reason="back early")
    assert on_call_now(schedule_id=alerting.schedule.pk) == [cast.supervisor.pk]
    assert not override.is_cancelled  # it had begun: what was stays in the record, it only ends
    with pytest.raises(Conflict):
        cancel_override(override=override, by=cast.supervisor)


def test_an_override_ahead_is_cancelled_whole(alerting: Any, cast: Any) -> None:
    override = make_override(
        schedule=alerting.schedule, by=cast.supervisor, user=cast.dispatcher, starts_at=NOW + DAY, ends_at=NOW + 2 * DAY
    )
    assert cancel_override(override=override, by=cast.supervisor).is_cancelled


@pytest.mark.parametrize(
    ("start", "end"), [(-2 * DAY, -DAY), (-HOUR, HOUR), (2 * HOUR, HOUR), (HOUR, HOUR), (HOUR, 100 * DAY)],
    ids=["past", "begun in the past", "turned round", "of no length", "of a hundred days"],
)  # fmt: skip
def test_an_override_in_the_past_or_too_long_is_refused(alerting: Any, cast: Any, start: timedelta, end: timedelta) -> None:
    with pytest.raises(Invalid):
        make_override(schedule=alerting.schedule, by=cast.supervisor, user=cast.dispatcher, starts_at=NOW + start, ends_at=NOW + end)
    assert not OnCallOverride.objects.exists()


def test_two_overrides_overlap_only_when_it_is_meant(alerting: Any, cast: Any) -> None:
    span = {"schedule": alerting.schedule, "by": cast.supervisor, "starts_at": NOW + HOUR, "ends_at": NOW + DAY}
    make_override(user=cast.dispatcher, **span)
    with pytest.raises(Conflict) as refusal:
        make_override(user=cast.officer, **span)
    assert refusal.value.codes == {"over_others": "overlaps"}
    make_override(user=cast.officer, over_others=True, **span)
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW + 2 * HOUR) == [cast.officer.pk]


def test_a_hole_made_on_purpose_needs_a_reason_and_only_managers_override(alerting: Any, cast: Any) -> None:
    span = {"schedule": alerting.schedule, "starts_at": NOW + HOUR, "ends_at": NOW + DAY}
    with pytest.raises(Invalid):
        make_override(by=cast.supervisor, user=None, **span)
    make_override(by=cast.supervisor, user=None, reason="the desk is closed", **span)
    assert gaps(schedule=alerting.schedule, start=NOW, end=NOW + 2 * DAY) == [(NOW + HOUR, NOW + DAY)]
    with pytest.raises(NotAllowed):
        make_override(by=cast.dispatcher, user=cast.dispatcher, **span)
    with pytest.raises(NotFound):
        make_override(by=cast.supervisor, user=cast.firefighter, over_others=True, **span)


# --- swaps -------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(alerting: Any, cast: Any) -> ShiftSwap:
    LayerMember.objects.create(layer=alerting.schedule.layers.get(), position=2, user=cast.supervisor)
    span = {"starts_at": NOW + HOUR, "ends_at": NOW + 3 * HOUR}
    return ask_swap(schedule=alerting.schedule, by=cast.supervisor, asked_of=cast.dispatcher, reason="a wedding", **span)


def test_a_swap_that_is_taken_is_an_override(asked: ShiftSwap, cast: Any) -> None:
    override = take_swap(swap=asked, by=cast.dispatcher)
    assert on_call_now(schedule_id=asked.schedule_id, at=NOW + 2 * HOUR) == [cast.dispatcher.pk]
    assert (override.swap, asked.state, asked.taken_by) == (asked, "taken", cast.dispatcher)
    with pytest.raises(NotAllowed):
        take_swap(swap=asked, by=cast.dispatcher)


def test_whoever_is_asked_sees_the_schedule_until_it_is_answered(alerting: Any, cast: Any) -> None:
    span: dict[str, Any] = {"starts_at": NOW + HOUR, "ends_at": NOW + 3 * HOUR}
    swap = ask_swap(schedule=alerting.schedule, by=cast.supervisor, asked_of=cast.officer, **span)
    assert alerting.schedule in seen_by(cast.officer)
    withdraw_swap(swap=swap, by=cast.supervisor)
    assert alerting.schedule not in seen_by(cast.officer)


def test_only_who_was_asked_may_take_it(asked: ShiftSwap, cast: Any) -> None:
    for somebody, refusal in ((cast.supervisor, Invalid), (cast.superadmin, NotAllowed), (cast.firefighter, NotFound)):
        with pytest.raises(refusal):
            take_swap(swap=asked, by=somebody)


def test_one_asks_only_for_a_span_that_is_ones_own(alerting: Any, cast: Any) -> None:
    with pytest.raises(Invalid):
        ask_swap(schedule=alerting.schedule, by=cast.dispatcher, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    with pytest.raises(Invalid):
        ask_swap(schedule=alerting.schedule, by=cast.supervisor, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR, asked_of=cast.supervisor)


def test_asking_twice_and_taking_what_the_calendar_no_longer_says_are_conflicts(asked: ShiftSwap, cast: Any) -> None:
    with pytest.raises(Conflict):
        ask_swap(schedule=asked.schedule, by=cast.supervisor, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    make_override(schedule=asked.schedule, by=cast.supervisor, user=cast.officer, starts_at=NOW + 2 * HOUR, ends_at=NOW + 4 * HOUR)
    with pytest.raises(Conflict):
        take_swap(swap=asked, by=cast.dispatcher)


def test_who_asked_or_who_manages_withdraws_it_and_nobody_else(asked: ShiftSwap, cast: Any) -> None:
    with pytest.raises(NotAllowed):
        withdraw_swap(swap=asked, by=cast.dispatcher)
    withdraw_swap(swap=asked, by=cast.superadmin)
    assert asked.state == "withdrawn"
    with pytest.raises(Conflict):
        withdraw_swap(swap=asked, by=cast.supervisor)


# --- the feed ----------------------------------------------------------------------------------------------------------------------------


def test_the_feed_names_who_is_on_call_and_the_holes_and_no_address(alerting: Any, cast: Any) -> None:
    make_override(schedule=alerting.schedule, by=cast.supervisor, user=None, reason="closed", starts_at=NOW + DAY, ends_at=NOW + 2 * DAY)
    text = calendar_of(schedule=alerting.schedule, language="en", at=NOW)
    events: Any = Calendar.from_ical(text).walk("VEVENT")
    told = [(str(one["summary"]), one["dtend"].dt - one["dtstart"].dt) for one in events]
    assert ("Nobody on call · Hawalli duty officer", DAY) in told
    assert any(summary.startswith("supervisor") for summary, _length in told)
    assert b"+965" not in text and b"example.org" not in text


def test_the_key_opens_the_feed_until_it_is_turned_or_closed(alerting: Any, cast: Any) -> None:
    first = rotate_feed_key(schedule=alerting.schedule, by=cast.supervisor)
    assert schedule_of_key(first) == alerting.schedule
    assert first not in str(OnCallSchedule.objects.get().feed_key)
    second = rotate_feed_key(schedule=alerting.schedule, by=cast.supervisor)
    assert schedule_of_key(first) is None and schedule_of_key(second) == alerting.schedule
    close_feed(schedule=alerting.schedule, by=cast.supervisor)
    assert schedule_of_key(second) is None
    with pytest.raises(NotAllowed):
        rotate_feed_key(schedule=alerting.schedule, by=cast.dispatcher)
