"""PAT-4: a plan from roster, demand and list to routes the independent checker has passed; its versions, states and changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.services.trust.suppressions import suppress_place
from patrol.models import Assignment, Leave, Plan, PlanRoute, PlanStop, RosterEntry, Shift
from patrol.services.assignments import move_assignment
from patrol.services.plans import (
    Wish,
    ask_for_plan,
    change_plan,
    diff,
    discard_plan,
    publish_plan,
    replan,
    review_plan,
    try_change,
    visible_plan,
)
from patrol.services.plans import execute_plan as execute


def first_stop(plan: Plan) -> PlanStop:
    return plan.stops.select_related("route").order_by("arrive_at", "pk")[0]


# --- made ------------------------------------------------------------------------------------------------------------------------


def test_a_plan_has_routes_within_shift_share_and_rule_and_the_checkers_word(tomorrow: Any, force: Any) -> None:
    plan = tomorrow.make()
    assert (plan.making, plan.failure, plan.verdict) == ("made", "", [])
    stops = list(plan.stops.all())
    assert stops and {stop.route.unit_id for stop in stops} <= {force.p1.pk, force.p2.pk}
    for stop in stops:
        assert 600 <= (stop.leave_at - stop.arrive_at).total_seconds() <= 960
        assert tomorrow.shift.starts_at <= stop.arrive_at and stop.leave_at <= tomorrow.shift.ends_at
        assert stop.tactics and stop.radius_m == 125
    for route in plan.routes.all():
        assert route.drive_s + route.dosage_s <= 8 * 3600 / 3 + 1
        assert route.break_from is not None and route.start_station == force.salmiya_station
    assert plan.figures["visits"] == len(stops) and plan.figures["dosage_per_km"] > 0 and plan.figures["plain"]["dosage_per_km"] > 0
    assert plan.handover is not None and plan.handover.shift_from == tomorrow.shift.starts_at
    assert Event.objects.filter(type="plan.made", subject_id=plan.pk).exists()


def test_a_shift_that_runs_is_planned_for_what_is_left_of_it(tomorrow: Any) -> None:
    now = datetime.now(UTC)
    began, ends = now - timedelta(hours=4), now + timedelta(hours=4)
    Shift.objects.filter(pk=tomorrow.shift.pk).update(starts_at=began, ends_at=ends)
    RosterEntry.objects.filter(shift=tomorrow.shift).update(starts_at=began, ends_at=ends)
    tomorrow.shift.refresh_from_db()
    plan = tomorrow.make()
    assert (plan.making, plan.failure, plan.verdict) == ("made", "", [])
    assert plan.stops.exists() and all(stop.arrive_at >= now for stop in plan.stops.all())
    for route in plan.routes.all():
        assert route.starts_at >= now - timedelta(seconds=1) and route.drive_s + route.dosage_s <= 4 * 3600 / 3 + 1


def test_the_same_seed_gives_the_same_plan_and_another_another_order(tomorrow: Any) -> None:
    def order(plan: Plan) -> list[tuple[int, str, datetime]]:
        return [(stop.route.unit_id, stop.place, stop.arrive_at) for stop in plan.stops.select_related("route").order_by("arrive_at", "pk")]

    one, two, other = tomorrow.make(seed=7), tomorrow.make(seed=7), tomorrow.make(seed=8)
    assert order(one) == order(two) != order(other)
    assert (one.version, two.version, other.version) == (1, 2, 3)


def test_an_empty_roster_is_said(tomorrow: Any) -> None:
    RosterEntry.objects.filter(shift=tomorrow.shift).update(is_cancelled=True)
    with pytest.raises(Conflict, match="Nobody is rostered for this shift"):
        tomorrow.make()
    assert not Plan.objects.exists()


def test_people_without_units_units_of_another_kind_and_people_on_leave_are_no_patrol(tomorrow: Any, force: Any) -> None:
    entries = RosterEntry.objects.filter(shift=tomorrow.shift)
    Leave.objects.create(member=force.partner, starts_at=tomorrow.shift.starts_at, ends_at=tomorrow.shift.ends_at)
    plan = tomorrow.make()
    assert list(plan.routes.values_list("unit__call_sign", flat=True)) == ["P1"]
    entries.filter(unit=force.p1).update(unit=None)
    with pytest.raises(Conflict, match="is on a unit"):
        tomorrow.make()
    entries.filter(member=force.officer).update(unit=force.p1)
    type(force.p1).objects.filter(pk=force.p1.pk).update(is_active=False)
    with pytest.raises(Conflict, match="P1 are out of use or of another kind"):
        tomorrow.make()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"seed": "seven"}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**53}, "seed"),
        ({"stops": 10_000}, "stops"),
        ({"stops": 0}, "stops"),
        ({"units": 0}, "units"),
        ({"units": 3}, "units"),
    ],
)
def test_what_makes_no_plan_is_refused_with_its_field(tomorrow: Any, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        tomorrow.make(**given)
    assert field in refused.value.fields


def test_a_shift_that_is_over_is_not_planned(tomorrow: Any, force: Any, cast: Any) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    shift = Shift.objects.create(
        agency=cast.police, governorate=tomorrow.shift.governorate, pattern=force.pattern, starts_at=past - timedelta(hours=8), ends_at=past
    )
    with pytest.raises(Conflict, match="over"):
        ask_for_plan(shift=shift, by=None)


def test_a_crew_whose_hours_are_nearly_over_is_not_planned_for(tomorrow: Any, force: Any) -> None:
    now = datetime.now(UTC)
    Shift.objects.filter(pk=tomorrow.shift.pk).update(starts_at=now - timedelta(hours=3), ends_at=now + timedelta(hours=5))
    hours = {"starts_at": now - timedelta(hours=3), "ends_at": now + timedelta(hours=5)}
    RosterEntry.objects.filter(shift=tomorrow.shift).update(**hours)
    RosterEntry.objects.filter(unit=force.p2).update(ends_at=now + timedelta(minutes=5))
    plan = tomorrow.make()
    assert (plan.failure, list(plan.routes.values_list("unit__call_sign", flat=True))) == ("", ["P1"])
    RosterEntry.objects.filter(unit=force.p1).update(ends_at=now + timedelta(minutes=5))
    assert "Too little of this shift is left" in tomorrow.make().failure


def test_no_surface_and_no_feasible_route_say_which_constraint_and_by_how_much(tomorrow: Any, force: Any) -> None:
    force.salmiya_station.location.x = 46.0  # far out in the desert
    force.salmiya_station.save()
    far = tomorrow.make()
    assert far.making == "failed" and not far.stops.exists()
    assert (
        "No route is feasible" in far.failure
        and "P1: The share of unassigned time is used up (" in far.failure
        and "min short" in far.failure
    )
    type(tomorrow.surface).objects.update(is_current=False)
    none = tomorrow.make()
    assert none.making == "failed" and "No risk surface is published for this shift" in none.failure


def test_suppressed_places_and_control_cells_are_left_out_and_counted(tomorrow: Any, cast: Any, monkeypatch: Any) -> None:
    first = tomorrow.make()
    stop = first_stop(first)
    suppress_place(centre=stop.location, radius_m=60, days=30, reason="A wedding hall.", by=cast.supervisor)
    again = tomorrow.make()
    assert stop.place not in again.parameters["stops"] and again.parameters["left_out"]["by_people"] == 1
    other = next(key for key in again.parameters["stops"])
    column, row = map(int, other.split(":"))
    monkeypatch.setattr("patrol.services.plans.gathering.held_out_cells", lambda **_: {(column, row)})
    held = tomorrow.make()
    assert other not in held.parameters["stops"] and held.parameters["left_out"]["by_trial"] == 1


def test_only_one_plan_of_a_shift_is_made_at_a_time_and_a_dead_workers_is_taken_up(tomorrow: Any) -> None:
    from patrol.services.plans import waiting_plans

    plan = ask_for_plan(shift=tomorrow.shift, by=None)
    with pytest.raises(Conflict, match="being made already"):
        ask_for_plan(shift=tomorrow.shift, by=None)
    assert waiting_plans() == [plan.pk]
    Plan.objects.filter(pk=plan.pk).update(making="making", making_since=datetime.now(UTC))
    assert waiting_plans() == [] and execute(plan=plan).making == "making"
    Plan.objects.filter(pk=plan.pk).update(making_since=datetime.now(UTC) - timedelta(minutes=6))
    assert waiting_plans() == [plan.pk] and execute(plan=plan).making == "made"


def test_who_may_ask_and_whose_shift_it_is(tomorrow: Any, cast: Any) -> None:
    with pytest.raises(NotAllowed):
        ask_for_plan(shift=tomorrow.shift, by=cast.dispatcher)
    with pytest.raises(NotFound):
        ask_for_plan(shift=tomorrow.shift, by=cast.stranger)
    plan = tomorrow.make(by=cast.supervisor)
    assert plan.created_by == cast.supervisor
    for viewer in (cast.stranger, cast.firefighter):
        with pytest.raises(NotFound):
            visible_plan(plan.pk, viewer)
    assert visible_plan(plan.pk, cast.officer) == plan


# --- reviewed, published ---------------------------------------------------------------------------------------------------------


def published(tomorrow: Any, **given: Any) -> Plan:
    plan = tomorrow.make(**given)
    return publish_plan(plan=review_plan(plan=plan, by=None, edition=plan.edition), by=None)


def test_another_person_reviews_then_publishing_gives_each_unit_its_stops(tomorrow: Any, cast: Any, force: Any) -> None:
    plan = tomorrow.make(by=cast.supervisor)
    with pytest.raises(Conflict, match="reviewed plan"):
        publish_plan(plan=plan, by=cast.supervisor)
    with pytest.raises(Conflict, match="Another person"):
        review_plan(plan=plan, by=cast.supervisor, edition=plan.edition)
    with pytest.raises(NotAllowed):
        review_plan(plan=plan, by=cast.analyst, edition=plan.edition)
    plan = review_plan(plan=plan, by=cast.superadmin, edition=plan.edition)
    plan = publish_plan(plan=plan, by=cast.supervisor)
    assert plan.state == "published" and plan.published_by == cast.supervisor
    given = Assignment.objects.filter(kind="stop", plan_stop__plan=plan)
    assert given.count() == plan.stops.count() and set(given.values_list("state", flat=True)) == {"assigned"}
    one = given.select_related("plan_stop__route").first()
    assert one is not None and one.plan_stop is not None and one.active_from is not None
    assert one.unit_id == one.plan_stop.route.unit_id and one.active_from <= one.plan_stop.arrive_at == one.due_at
    assert set(AuditEntry.objects.filter(object_id=str(plan.pk)).values_list("verb", flat=True)) >= {
        "plan.ask",
        "plan.make",
        "plan.review",
        "plan.publish",
    }


def test_what_is_published_stays_as_it_was(tomorrow: Any) -> None:
    plan = published(tomorrow)
    stop = first_stop(plan)
    for change in (
        lambda: Plan.objects.filter(pk=plan.pk).update(figures={}),
        lambda: Plan.objects.filter(pk=plan.pk).update(state="draft"),
        lambda: PlanStop.objects.filter(pk=stop.pk).update(weight=0),
        lambda: PlanRoute.objects.filter(plan=plan).update(distance_m=0),
        PlanStop.objects.filter(plan=plan)[:1].get().route.delete,
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    with pytest.raises(Conflict, match="draft or a reviewed"):
        discard_plan(plan=plan, by=None, reason="No.")


def test_the_next_version_supersedes_and_calls_off_what_has_not_begun(tomorrow: Any, cast: Any) -> None:
    old = published(tomorrow, seed=1)
    begun = Assignment.objects.filter(plan_stop__plan=old).order_by("active_from")[0]
    Assignment.objects.filter(pk=begun.pk).update(active_from=None)
    move_assignment(assignment=begun, to="en_route", by=cast.supervisor)
    new = published(tomorrow, seed=2)
    old.refresh_from_db()
    assert (old.state, new.state) == ("superseded", "published")
    states = dict(Assignment.objects.filter(plan_stop__plan=old).values_list("pk", "state"))
    assert states.pop(begun.pk) == "en_route" and set(states.values()) == {"cancelled"}
    assert Plan.objects.filter(shift=tomorrow.shift, state="published").count() == 1


def test_a_unit_that_went_out_of_use_stops_the_publishing(tomorrow: Any, force: Any) -> None:
    plan = tomorrow.make()
    plan = review_plan(plan=plan, by=None, edition=plan.edition)
    type(force.p1).objects.filter(pk=force.p1.pk).update(is_active=False)
    with pytest.raises(Conflict, match="P1 went out of use"):
        publish_plan(plan=plan, by=None)
    assert not Assignment.objects.filter(kind="stop").exists()


# --- changed by people -----------------------------------------------------------------------------------------------------------


def test_a_change_says_what_the_checker_thinks_before_it_is_kept(tomorrow: Any, cast: Any) -> None:
    plan = tomorrow.make()
    stop = first_stop(plan)
    bad = try_change(plan=plan, by=cast.supervisor, wish=Wish("move", stop=stop.pk, at=tomorrow.shift.starts_at - timedelta(hours=1)))
    assert "before_shift" in {one["code"] for one in bad.verdict}
    assert first_stop(plan).arrive_at == stop.arrive_at
    with pytest.raises(Invalid, match="why"):
        change_plan(plan=plan, by=cast.supervisor, wish=Wish("remove", stop=stop.pk), reason=" ", edition=plan.edition)


def test_a_change_with_a_violation_is_kept_as_a_draft_that_cannot_be_reviewed(tomorrow: Any, cast: Any) -> None:
    plan = tomorrow.make()
    stop = first_stop(plan)
    wish = Wish("move", stop=stop.pk, at=tomorrow.shift.starts_at - timedelta(hours=1))
    plan = change_plan(plan=plan, by=cast.supervisor, wish=wish, reason="The school asked for it.", edition=plan.edition)
    kept = plan.changes.get()
    assert (kept.kind, kept.reason, kept.by) == ("move", "The school asked for it.", cast.supervisor) and kept.verdict == plan.verdict != []
    with pytest.raises(Conflict, match="violations"):
        review_plan(plan=plan, by=cast.superadmin, edition=plan.edition)
    with pytest.raises(IntegrityError), transaction.atomic():
        Plan.objects.filter(pk=plan.pk).update(state="published")
    plan = change_plan(plan=plan, by=cast.supervisor, wish=Wish("remove", stop=stop.pk), reason="It cannot be done.", edition=plan.edition)
    assert plan.verdict == [] and not plan.stops.filter(pk=stop.pk).exists()


def test_two_people_who_change_the_same_draft_are_told(tomorrow: Any, cast: Any) -> None:
    plan = tomorrow.make()
    stops = list(plan.stops.order_by("arrive_at")[:2])
    change_plan(plan=plan, by=cast.supervisor, wish=Wish("pin", stop=stops[0].pk), reason="Agreed.", edition=plan.edition)
    with pytest.raises(Conflict, match="Somebody else has changed"):
        change_plan(plan=plan, by=cast.superadmin, wish=Wish("remove", stop=stops[1].pk), reason="Mine.", edition=plan.edition)


def test_changing_a_published_plan_makes_a_new_draft_and_leaves_it_as_it_was(tomorrow: Any, cast: Any, force: Any) -> None:
    plan = published(tomorrow)
    stop = first_stop(plan)
    other = force.p2 if stop.route.unit_id == force.p1.pk else force.p1
    draft = change_plan(
        plan=plan, by=cast.supervisor, wish=Wish("move", stop=stop.pk, unit=other.pk), reason="A car is slow.", edition=plan.edition
    )
    assert draft.pk != plan.pk and draft.parent == plan and draft.state == "draft" and draft.version == plan.version + 1
    seen = diff(plan, draft)
    assert seen.counts == {"moved": 1, "retimed": 0, "added": 0, "removed": 0}
    assert seen.changes[0].unit == other.call_sign and plan.stops.get(pk=stop.pk).route.unit_id != other.pk


def test_a_place_is_added_from_the_list_or_anywhere_in_the_governorate(tomorrow: Any, cast: Any, force: Any) -> None:
    plan = tomorrow.make()
    at = tomorrow.shift.starts_at + timedelta(hours=7)
    key = next(iter(plan.parameters["stops"]))
    plan = change_plan(
        plan=plan, by=cast.supervisor, wish=Wish("add", unit=force.p1.pk, at=at, place=key), reason="Again.", edition=plan.edition
    )
    wish = Wish("add", unit=force.p1.pk, at=at + timedelta(minutes=30), lon=47.93, lat=29.36, minutes=12)
    plan = change_plan(plan=plan, by=cast.supervisor, wish=wish, reason="A market.", edition=plan.edition)
    mine = plan.stops.get(place="person:1")
    assert mine.reason == "person" and mine.area is not None and mine.area.code == "T-SAL" and mine.is_fixed
    with pytest.raises(Invalid, match="outside the governorate"):
        try_change(plan=plan, by=cast.supervisor, wish=Wish("add", unit=force.p1.pk, at=at, lon=47.85, lat=29.35))
    with pytest.raises(Invalid, match="not on the list"):
        try_change(plan=plan, by=cast.supervisor, wish=Wish("add", unit=force.p1.pk, at=at, place="9:9"))
    with pytest.raises(Invalid, match="not in the plan"):
        try_change(plan=plan, by=cast.supervisor, wish=Wish("move", stop=mine.pk, unit=force.c1.pk))


# --- again, while the shift runs -------------------------------------------------------------------------------------------------


def test_replanning_keeps_what_is_done_under_way_or_pinned_and_leaves_the_fallen_unit_out(tomorrow: Any, cast: Any, force: Any) -> None:
    plan = published(tomorrow)
    now = tomorrow.shift.starts_at + timedelta(hours=3)
    past = {(stop.route.unit_id, stop.place, stop.arrive_at) for stop in plan.stops.select_related("route") if stop.arrive_at <= now}
    coming = plan.stops.filter(route__unit=force.p1, arrive_at__gt=now).order_by("arrive_at")
    started = Assignment.objects.get(plan_stop=coming[0])
    Assignment.objects.filter(pk=started.pk).update(active_from=None)
    move_assignment(assignment=started, to="en_route", by=cast.supervisor)
    new = execute(plan=replan(plan=plan, by=cast.supervisor, reason="P2 broke down.", without=[force.p2.pk], at=now))
    assert (new.making, new.failure, new.verdict) == ("made", "", [])
    rows = {(stop.route.unit_id, stop.place, stop.arrive_at) for stop in new.stops.select_related("route")}
    assert {one for one in past if one[0] == force.p1.pk} <= rows
    assert (force.p1.pk, coming[0].place, coming[0].arrive_at) in rows
    assert not any(unit == force.p2.pk and at > now for unit, _place, at in rows)
    assert past <= rows  # what P2 did is kept too
    assert new.changes.get().kind == "replan" and new.changes.get().reason == "P2 broke down."


def test_replanning_refuses_drafts_strangers_units_and_having_nobody_left(tomorrow: Any, cast: Any, force: Any) -> None:
    draft = tomorrow.make()
    with pytest.raises(Conflict, match="published"):
        replan(plan=draft, by=cast.supervisor, reason="x")
    plan = publish_plan(plan=review_plan(plan=draft, by=None, edition=draft.edition), by=None)
    with pytest.raises(Invalid):
        replan(plan=plan, by=cast.supervisor, reason="x", without=[force.c1.pk])
    with pytest.raises(Conflict, match="No unit would be left"):
        replan(plan=plan, by=cast.supervisor, reason="x", without=[force.p1.pk, force.p2.pk])


def test_the_maker_may_review_a_running_shifts_plan_with_a_reason(tomorrow: Any, cast: Any) -> None:
    plan = tomorrow.make(by=cast.supervisor)
    Shift.objects.filter(pk=tomorrow.shift.pk).update(starts_at=datetime.now(UTC) - timedelta(minutes=5))
    with pytest.raises(Invalid, match="with a reason"):
        review_plan(plan=plan, by=cast.supervisor, edition=plan.edition)
    done = review_plan(plan=plan, by=cast.supervisor, edition=plan.edition, urgent_reason="Two units fell out.")
    assert done.state == "reviewed" and AuditEntry.objects.filter(verb="plan.review", reason="Two units fell out.").exists()
