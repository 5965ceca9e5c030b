"""PAT-9: response intervals against rows whose answer was worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.errors import Invalid
from incidents.models import Incident
from patrol.analytics.intervals import Measured, Sending, measure, pooled, summarise
from patrol.models import Assignment, ResponseTarget
from patrol.services.intervals import interval_report
from patrol.services.targets import ensure_default_targets

NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_the_intervals_of_two_units_at_one_incident_by_hand():
    found = measure([Sending(1, 0, 60, 100, 400, 1000, True), Sending(1, 0, 90, 150, 380, 900, True)])
    assert {name: it.seconds for name, it in found.items()} == {
        "queue": [60], "turnout": [40, 60], "travel": [300, 230], "response": [380], "on_scene": [600, 520], "consumed": [940 + 810],
    }  # fmt: skip


def test_a_step_nobody_told_of_is_unknown_and_never_nought():
    found = measure([Sending(1, 0, 60, None, 400, 1000, True), Sending(2, 0, 60, None, None, 1000, True)])
    assert (found["turnout"].seconds, found["turnout"].missing) == ([], 2)
    assert (found["travel"].seconds, found["travel"].missing) == ([], 2)
    assert (found["response"].seconds, found["response"].missing) == ([400], 1)
    assert (found["on_scene"].seconds, found["on_scene"].missing) == ([600], 1)


def test_a_unit_taken_back_on_its_way_leaves_no_hole_and_one_under_way_is_not_counted_yet():
    found = measure([Sending(1, 0, 60, 100, None, 300, False), Sending(2, 0, 30, None, None, None, False)])
    assert found["turnout"].seconds == [40] and found["queue"].seconds == [60, 30]
    assert all(not found[name].seconds and not found[name].missing for name in ("travel", "response", "on_scene"))
    assert found["consumed"].seconds == [240]


def test_times_that_contradict_each_other_are_counted_apart_and_left_out():
    found = measure([Sending(1, 100, 60, 300, 200, 400, True)])
    assert (found["queue"].contradictory, found["travel"].contradictory) == (1, 1)
    assert found["turnout"].seconds == [240] and found["response"].seconds == [100]


def test_a_summary_by_hand():
    told = summarise(Measured([10, 20, 30, 40, 50, 60, 70, 80, 90, 100], missing=2), target_s=60)
    assert (told.n, told.unknown, told.p50_s, told.within, told.share, told.is_few) == (10, 2, 55, 6, 0.6, False)
    assert told.p90_s == pytest.approx(91)
    nothing = summarise(Measured(missing=3), target_s=60)
    assert (nothing.n, nothing.p50_s, nothing.share, nothing.missing) == (0, None, None, 3)
    assert pooled([Measured([1], 1, 2), Measured([2], 3, 4)]) == Measured([1, 2], 4, 6)


@pytest.fixture
def answered(force, report, cast):
    """``answered(priority, unit, assigned, en_route, on_scene, ended)`` in seconds after the report; one incident each."""
    ensure_default_targets()
    count = 0

    def make(priority, unit, *seconds, incident=None, state="done"):
        nonlocal count
        count += 1
        it = incident or report(external_id=f"A-{count}", priority=priority)
        Incident.objects.filter(pk=it.pk).update(reported_at=NOON)
        times = [NOON + timedelta(seconds=s) if s is not None else None for s in seconds]
        Assignment.objects.create(
            kind="incident", unit=unit, incident=it, agency_id=it.agency_id, governorate_id=it.governorate_id, state=state,
            assigned_at=times[0] or NOON, en_route_at=times[1], on_scene_at=times[2], ended_at=times[3],
        )  # fmt: skip
        return it

    return make


def told(viewer, **more):
    return interval_report(viewer=viewer, start=NOON - timedelta(hours=1), end=NOON + timedelta(hours=1), **more)


def test_the_report_by_priority_against_its_targets(answered, force, cast):
    answered(1, force.p1, 50, 90, 500, 900)
    second = answered(1, force.p1, 70, None, 700, 900)
    answered(None, force.p2, 80, 100, 650, 800, incident=second)
    answered(2, force.p2, 100, 160, 800, 1000)
    answered(2, force.p1, 30, None, None, 60, state="cancelled")
    report = told(cast.supervisor)
    first, other = report.groups
    assert (first.name, first.incidents, first.sendings) == ("1 · immediate", 2, 3)
    queue, turnout, response = (first.intervals[name] for name in ("queue", "turnout", "response"))
    assert (queue.n, queue.p50_s, queue.target_s, queue.within) == (2, 60, 60, 1), "50 and 70 seconds"
    assert (turnout.n, turnout.missing, turnout.p50_s, turnout.share) == (2, 1, 30, 1.0)
    assert (response.n, response.p50_s, response.share) == (2, 575, 0.5), "500 and 650 seconds against ten minutes"
    assert (first.intervals["consumed"].total_s, first.intervals["travel"].missing) == (850 + 830 + 720, 1)
    assert (other.incidents, other.intervals["response"].n, other.intervals["response"].missing) == (2, 1, 0)
    whole = report.whole.intervals["response"]
    assert (whole.n, whole.target_s, whole.within, whole.share) == (3, None, 2, 2 / 3), "each against its own target"


def test_an_agencys_own_target_goes_before_the_general(answered, force, cast):
    answered(1, force.p1, 50, 90, 500, 900)
    ResponseTarget.objects.create(agency=cast.police, priority=1, response_s=400)
    response = told(cast.supervisor).whole.intervals["response"]
    assert (response.target_s, response.share) == (400, 0.0)


@pytest.mark.parametrize(("by", "name"), [("agency", "Police"), ("governorate", "Hawalli"), ("type", "Burglary")])
def test_the_report_by_other_groupings(answered, force, cast, by, name):
    answered(1, force.p1, 50, 90, 500, 900)
    assert [group.name for group in told(cast.supervisor, by=by).groups] == [name]


def test_only_what_the_viewer_may_see_and_only_in_the_window(answered, force, cast, places):
    answered(1, force.p1, 50, 90, 500, 900)
    assert told(cast.firefighter).whole.incidents == 0 and told(cast.stranger).whole.incidents == 0
    assert told(cast.superadmin, governorate=places.capital).whole.incidents == 0
    later = interval_report(viewer=cast.supervisor, start=NOON + timedelta(seconds=1), end=NOON + timedelta(hours=2))
    assert later.whole.incidents == 0 and later.whole.intervals["queue"].p50_s is None


@pytest.mark.parametrize("more", [{"by": "mood"}, {"end": NOON}, {"end": NOON + timedelta(days=900)}])
def test_a_report_that_cannot_be_is_refused(cast, more):
    with pytest.raises(Invalid):
        interval_report(**{"viewer": cast.supervisor, "start": NOON, "end": NOON + timedelta(days=1), **more})


def test_there_is_a_general_target_for_each_priority_and_filling_them_again_changes_nothing(db):
    ensure_default_targets()
    assert ensure_default_targets() == 0
    assert list(ResponseTarget.objects.filter(agency=None).order_by("priority").values_list("priority", flat=True)) == [1, 2, 3, 4, 5]
