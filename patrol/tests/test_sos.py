"""PAT-11: a call for help is written before it is answered, is one call however often it is sent, and rings until a person answers it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.gis.geos import Point

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event
from patrol.models import Sos, UnitPosition
from patrol.services import sos as calls


def press(user, **given):
    return calls.raise_sos(**{"key": uuid4(), "user": user, "pressed_at": datetime.now(UTC), **given})


def told() -> list[str]:
    return list(Event.objects.filter(subject_type="sos").order_by("id").values_list("type", flat=True))


@pytest.fixture
def call(cast, force, places):
    return press(cast.officer, location=places.in_salmiya, accuracy_m=8).sos


# --- pressing --------------------------------------------------------------------------------------------------------


def test_a_press_is_a_row_and_an_event_with_place_unit_and_person(call, cast, force, places):
    assert (call.unit, call.member, call.user) == (force.p1, force.officer, cast.officer)
    assert (call.agency, call.governorate) == (cast.police, places.hawalli)
    event = Event.objects.get(type="sos.raised")
    assert (event.subject_id, event.data) == (call.pk, {"unit": force.p1.pk, "user": cast.officer.pk})
    assert (event.agency_id, event.governorate_id) == (cast.police.pk, places.hawalli.pk)


def test_the_same_press_sent_again_is_the_same_call_and_another_press_is_another(cast, force):
    key = uuid4()
    first, again = press(cast.officer, key=key), press(cast.officer, key=key)
    assert (first.is_new, again.is_new, first.sos.pk) == (True, False, again.sos.pk)
    others = [press(cast.officer).sos.pk for _ in range(25)]  # nothing is debounced, nothing is metered
    assert len({first.sos.pk, *others}) == 26
    assert told() == ["sos.raised"] * 26


def test_without_a_place_of_the_phones_the_units_last_position_stands_in_with_its_own_time(cast, force, places):
    seen = datetime.now(UTC) - timedelta(minutes=7)
    UnitPosition.objects.create(unit=force.p1, at=seen, location=places.in_jabriya, accuracy_m=12, source="http")
    call = press(cast.officer).sos
    assert (call.location.coords, call.location_at, call.accuracy_m) == (places.in_jabriya.coords, seen, 12)
    assert call.governorate == places.hawalli


def test_without_any_place_the_call_is_its_whole_agencys(cast, force):
    call = press(cast.officer).sos
    assert (call.location, call.location_at, call.governorate) == (None, None, None)
    assert call in Sos.objects.visible_to(cast.supervisor)
    assert call in Sos.objects.visible_to(cast.stranger)  # the police elsewhere
    assert call not in Sos.objects.visible_to(cast.firefighter)
    assert call in Sos.objects.visible_to(cast.superadmin)


def test_a_call_is_seen_where_its_caller_is_and_where_their_unit_belongs(cast, force, places):
    call = press(cast.officer, location=places.in_sharq).sos
    assert call.governorate == places.capital
    for viewer, sees in [(cast.dispatcher, True), (cast.stranger, True), (cast.firefighter, False), (cast.superadmin, True)]:
        assert (call in Sos.objects.visible_to(viewer)) is sees


def test_a_phones_clock_is_believed_unless_it_says_the_future(cast, force):
    now = datetime.now(UTC)
    early, late = press(cast.officer, pressed_at=now - timedelta(hours=3)).sos, press(cast.officer, pressed_at=now + timedelta(days=2)).sos
    assert early.pressed_at == now - timedelta(hours=3)
    assert late.pressed_at <= datetime.now(UTC)


def test_somebody_on_no_unit_and_of_no_force_can_call_too(cast):
    call = press(cast.supervisor).sos
    assert (call.unit, call.member, call.agency) == (None, None, cast.police)
    assert call in Sos.objects.visible_to(cast.superadmin)
    assert press(cast.superadmin).sos in Sos.objects.visible_to(cast.superadmin)


def test_whose_role_does_not_raise_calls_is_refused(cast):
    with pytest.raises(NotAllowed):
        press(cast.auditor)
    assert not Sos.objects.exists()


def test_a_key_of_somebody_elses_call_is_refused(call, cast):
    with pytest.raises(Conflict):
        press(cast.dispatcher, key=call.key)


@pytest.mark.parametrize(("lon", "lat"), [("x", 1), (None, None), (float("nan"), 1), (200, 10), (10, -91), ([], {}), (float("inf"), 0)])
def test_a_place_that_is_none_is_left_out(lon, lat):
    assert calls.point_from(lon, lat) is None


def test_an_accuracy_that_is_none_is_left_out():
    assert [calls.metres_from(value) for value in ("8.5", -1, "x", None, float("nan"))] == [8.5, None, None, None, None]
    assert calls.point_from("47.9", 29.3) == Point(47.9, 29.3, srid=4326)


# --- answering and ending --------------------------------------------------------------------------------------------


def test_it_is_said_again_every_ten_seconds_until_a_person_answers(call, cast):
    now = call.received_at
    assert calls.repeat_due(now=now + timedelta(seconds=9)) == 0
    assert calls.repeat_due(now=now + timedelta(seconds=10)) == 1
    assert calls.repeat_due(now=now + timedelta(seconds=11)) == 0, "a second screen that looks does not double it"
    assert calls.repeat_due(now=now + timedelta(seconds=20)) == 1
    calls.acknowledge_sos(sos=call, by=cast.dispatcher)
    assert calls.repeat_due(now=now + timedelta(minutes=5)) == 0
    assert told() == ["sos.raised", "sos.repeated", "sos.repeated", "sos.acknowledged"]
    call.refresh_from_db()
    assert (call.repeats, call.acknowledged_by) == (2, cast.dispatcher)


def test_one_person_answers_and_the_next_is_told_who(call, cast):
    calls.acknowledge_sos(sos=call, by=cast.dispatcher)
    with pytest.raises(Conflict, match="dispatcher"):
        calls.acknowledge_sos(sos=call, by=cast.supervisor)


def test_only_those_who_answer_calls_and_see_this_one_answer_it(call, cast):
    with pytest.raises(NotFound):
        calls.acknowledge_sos(sos=call, by=cast.firefighter)
    with pytest.raises(NotAllowed):
        calls.acknowledge_sos(sos=call, by=cast.officer)


def test_nobody_answers_their_own_call(cast, force, places):
    call = press(cast.dispatcher, location=places.in_salmiya).sos
    with pytest.raises(NotAllowed, match="Somebody else"):
        calls.acknowledge_sos(sos=call, by=cast.dispatcher)


def test_it_ends_with_an_outcome_and_only_once(call, cast):
    with pytest.raises(Invalid):
        calls.end_sos(sos=call, by=cast.dispatcher, outcome="  ")
    ended = calls.end_sos(sos=call, by=cast.dispatcher, outcome="Found well")
    assert (ended.outcome, ended.ended_by, ended.acknowledged_by) == ("Found well", cast.dispatcher, cast.dispatcher)
    with pytest.raises(Conflict):
        calls.end_sos(sos=call, by=cast.supervisor, outcome="again")
    with pytest.raises(Conflict):
        calls.acknowledge_sos(sos=call, by=cast.supervisor)


# --- withdrawing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def codes(cast, force):
    calls.set_codes(user=cast.officer, code="4711", duress_code="4712")


def test_codes_are_kept_hashed_and_must_differ(codes, cast, force):
    force.officer.refresh_from_db()
    assert "4711" not in force.officer.sos_code and "4712" not in force.officer.duress_code
    for code, duress in [("4711", "4711"), ("1111", "4712"), ("12", "4712"), ("abcd", "4712"), ("4711", "123456789")]:
        with pytest.raises(Invalid):
            calls.set_codes(user=cast.officer, code=code, duress_code=duress)
    with pytest.raises(NotAllowed):
        calls.set_codes(user=cast.supervisor, code="4711", duress_code="4712")  # not a person of the force


def test_the_callers_own_code_withdraws_the_call(codes, call, cast):
    assert calls.withdraw_sos(sos=call, user=cast.officer, code="4711")
    call.refresh_from_db()
    assert call.ended_at and call.withdrawn_at and not call.is_duress
    assert told()[-1] == "sos.withdrawn"


def test_the_duress_code_seems_to_withdraw_and_the_call_rings_anew(codes, call, cast):
    calls.acknowledge_sos(sos=call, by=cast.dispatcher)
    assert calls.withdraw_sos(sos=call, user=cast.officer, code="4712")
    call.refresh_from_db()
    assert call.is_duress and call.ended_at is None and call.acknowledged_at is None
    assert "sos.withdrawn" not in told() and told()[-1] == "sos.duress"
    assert calls.own_calls(cast.officer) == [], "the phone shows it as gone"
    with pytest.raises(Conflict, match="ended"):
        calls.withdraw_sos(sos=call, user=cast.officer, code="4711")
    assert calls.repeat_due(now=datetime.now(UTC) + timedelta(seconds=20)) == 1
    calls.acknowledge_sos(sos=call, by=cast.supervisor)


def test_wrong_codes_are_counted_and_said_and_after_five_none_is_taken(codes, call, cast):
    for _ in range(5):
        assert not calls.withdraw_sos(sos=call, user=cast.officer, code="0000")
    assert Event.objects.filter(type="sos.code_refused").count() == 5
    with pytest.raises(NotAllowed, match="Too many"):
        calls.withdraw_sos(sos=call, user=cast.officer, code="4711")
    call.refresh_from_db()
    assert call.wrong_codes == 5 and call.ended_at is None


def test_without_a_code_only_the_command_room_ends_it(call, cast):
    with pytest.raises(Invalid, match="command room"):
        calls.withdraw_sos(sos=call, user=cast.officer, code="")


def test_somebody_elses_call_is_not_there_to_withdraw(codes, call, cast):
    with pytest.raises(NotFound):
        calls.withdraw_sos(sos=call, user=cast.dispatcher, code="4711")


def test_a_silent_call_is_not_shown_to_its_caller(cast, force):
    press(cast.officer, is_silent=True)
    assert calls.own_calls(cast.officer) == []
