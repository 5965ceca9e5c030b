"""ALR-2, ALR-7: steps that are due, whom they page, what is kept of them. The failures of FIELD-alerts-iot 1.4 by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from alerts.models import Alert, AlertLog, EscalationPolicy, EscalationRun, OnCallSchedule, Page, PolicyStep, StepRun
from alerts.services.escalation import next_at_once, pause, resume, start_run, stop_run
from alerts.services.escalation.running import run_due
from alerts.services.escalation.targets import resolve
from core.models import Event
from patrol.models import Duty

pytestmark = pytest.mark.django_db
Kind = PolicyStep.Kind
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)  # Saturday noon in Kuwait


@pytest.fixture
def policy(cast: Any, alerting: Any) -> Callable[..., EscalationPolicy]:
    """``policy({"kind": …}, …)``: of the police, its steps in this order."""

    def make(*steps: dict[str, Any], **given: Any) -> EscalationPolicy:
        made = EscalationPolicy.objects.create(**{"code": "test", "name_en": "Test", "name_ar": "تجربة", "agency": cast.police} | given)
        for position, step in enumerate(steps, start=1):
            PolicyStep.objects.create(policy=made, position=position, **step)
        return made

    return make


def person(user: Any, wait_s: int = 60, **more: Any) -> dict[str, Any]:
    return {"kind": Kind.PERSON, "user": user, "wait_s": wait_s, "also_off_duty": True} | more


def run_of(alert: Alert) -> EscalationRun:
    return alert.runs.order_by("-number")[0]


def step_rows(alert: Alert) -> list[tuple[Any, ...]]:
    return list(StepRun.objects.filter(run__alert=alert).order_by("pk").values_list("loop", "step_no", "repeat_no", "outcome"))


def paged(alert: Alert) -> list[Any]:
    return [page.user or page.contact for page in Page.objects.filter(alert=alert).order_by("pk")]


def run_to_the_end(alert: Alert) -> list[datetime]:
    """Run every step at the very moment it is due; the moments."""
    moments: list[datetime] = []
    while (run := run_of(alert)).state == "running":
        at = run.next_at
        assert at is not None and len(moments) < 100
        moments.append(at)
        run_due(now=at)
    return moments


def test_steps_are_run_when_their_time_comes_and_each_once(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(person(cast.supervisor, 60), person(cast.dispatcher, 120)), now=NOW)
    assert run_due(now=NOW) == 1 and run_due(now=NOW) == 0
    assert paged(alert) == [cast.supervisor]
    assert run_due(now=NOW + timedelta(seconds=59)) == 0
    assert run_due(now=NOW + timedelta(seconds=60)) == 1
    assert run_of(alert).next_at == NOW + timedelta(seconds=180)


def test_a_policy_is_walked_to_its_end_and_then_the_fallback_hears_that_nobody_answered(policy, fire, cast, alerting):
    made = policy(person(cast.supervisor, 60, repeat_times=1), person(cast.dispatcher, 30), repeat_times=1, repeat_wait_s=300,
                  fallback_contact=alerting.room)  # fmt: skip
    alert = fire()
    start_run(alert=alert, policy=made, now=NOW)
    moments = run_to_the_end(alert)
    assert [(at - NOW).total_seconds() for at in moments] == [0, 60, 120, 450, 510, 570, 600]
    places = [(loop, *place) for loop in (0, 1) for place in ((0, 0), (0, 1), (1, 0))]
    assert step_rows(alert)[:-1] == [(*place, "done") for place in places]
    assert paged(alert)[-1] == alerting.room
    assert run_of(alert).state == "done"
    assert Event.objects.filter(type="alert.unreached", data__is_end=True).count() == 1


def test_an_edit_of_the_policy_never_changes_a_run_under_way(policy, fire, cast):
    made = policy(person(cast.supervisor), person(cast.dispatcher))
    alert = fire()
    start_run(alert=alert, policy=made, now=NOW)
    made.steps.all().delete()
    EscalationPolicy.objects.filter(pk=made.pk).delete()
    run_to_the_end(alert)
    assert paged(alert) == [cast.supervisor, cast.dispatcher]
    assert run_of(alert).policy_id is None and run_of(alert).snapshot["code"] == "test"


def test_a_person_or_schedule_that_is_gone_mid_run_is_nobody_and_the_next_step_comes_at_once(policy, fire, cast, alerting):
    schedule = OnCallSchedule.objects.create(code="gone", name_en="Gone", name_ar="انتهى", agency=cast.police)
    made = policy({"kind": Kind.SCHEDULE, "schedule": schedule}, person(cast.officer), person(cast.dispatcher))
    alert = fire()
    start_run(alert=alert, policy=made, now=NOW)
    made.steps.all().delete()
    schedule.delete()
    type(cast.officer).objects.filter(pk=cast.officer.pk).update(is_active=False)
    run_due(now=NOW)
    assert [outcome for *_place, outcome in step_rows(alert)] == ["nobody", "nobody", "done"]
    assert paged(alert) == [cast.dispatcher]


def test_a_snapshot_that_is_missing_or_broken_stops_no_other_run(policy, fire, cast, alerting):
    broken, empty, whole = fire(), fire(), fire()
    for alert in (broken, empty, whole):
        start_run(alert=alert, policy=policy(person(cast.dispatcher), code=f"p{alert.pk}", fallback_user=cast.supervisor), now=NOW)
    EscalationRun.objects.filter(alert=empty).update(snapshot={})
    EscalationRun.objects.filter(alert=broken).update(snapshot={"steps": ["no step"], "fallback_user": cast.supervisor.pk})
    for later in range(0, 60, 5):
        run_due(now=NOW + timedelta(seconds=later))
    assert paged(whole) == [cast.dispatcher]
    assert run_of(empty).state == "done" and run_of(broken).state == "done"
    assert step_rows(broken)[0][3] == "failed" and paged(broken) == [cast.supervisor]


def test_after_a_long_outage_a_run_takes_one_step_and_then_waits_as_its_policy_says(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(*[person(cast.dispatcher, 60)] * 4), now=NOW)
    back = NOW + timedelta(hours=6)
    assert run_due(now=back) == 1
    assert run_of(alert).next_at == back + timedelta(seconds=60)
    row = StepRun.objects.get()
    assert row.due_at == NOW and row.ran_at == back


def test_a_clock_that_jumps_an_hour_back_or_forth_neither_repeats_nor_leaves_out_a_step(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(*[person(cast.dispatcher, 60)] * 3), now=NOW)
    assert run_due(now=NOW) == 1
    assert run_due(now=NOW - timedelta(hours=1)) == 0
    assert run_due(now=NOW + timedelta(hours=1)) == 1
    run_to_the_end(alert)
    assert [row[1] for row in step_rows(alert)] == [0, 1, 2]


def test_off_duty_people_are_paged_only_where_the_step_says_so(policy, fire, cast, force):
    Duty.objects.update(ended_at=datetime.now(UTC))
    role = {"kind": Kind.ROLE, "role": "dispatcher"}
    assert resolve(role | {"also_off_duty": False}, fire(), datetime.now(UTC)) == []
    assert [target.user for target in resolve(role | {"also_off_duty": True}, fire(), datetime.now(UTC))] == [cast.dispatcher]


def test_a_role_means_those_in_whose_jurisdiction_the_alert_lies(fire, cast, places, force):
    now = datetime.now(UTC)
    assert [it.user for it in resolve({"kind": Kind.ROLE, "role": "officer"}, fire(), now)] == [cast.officer]
    assert resolve({"kind": Kind.ROLE, "role": "officer"}, fire(governorate=places.capital, zone=places.sharq), now) == []
    others = {"kind": Kind.ROLE, "role": "dispatcher", "agency": cast.fire.pk, "also_off_duty": True}
    assert [it.user for it in resolve(others, fire(), now)] == [cast.firefighter]


def test_a_team_is_whoever_is_on_duty_on_its_units(fire, cast, force):
    assert [it.user for it in resolve({"kind": Kind.TEAM, "team": force.team.pk}, fire(), datetime.now(UTC))] == [cast.officer]


def test_supervisors_without_a_roster_are_there_and_those_on_it_only_while_on_duty(fire, cast, force):
    step, now = {"kind": Kind.ROLE, "role": "supervisor"}, datetime.now(UTC)
    assert [it.user for it in resolve(step, fire(), now)] == [cast.supervisor]
    type(force.officer).objects.create(agency=cast.police, service_number="77", name_en="Supervisor", user=cast.supervisor,
                                       governorate=force.officer.governorate, station=force.officer.station)  # fmt: skip
    assert resolve(step, fire(), now) == []


def test_the_operations_room_is_the_governorates_own(fire, alerting, places):
    step = {"kind": Kind.OPERATIONS_ROOM}
    assert [it.contact for it in resolve(step, fire(), NOW)] == [alerting.room]
    assert resolve(step, fire(governorate=places.capital, zone=None), NOW) == []


def test_an_acknowledged_alert_is_skipped_and_its_run_stops(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(person(cast.dispatcher)), now=NOW)
    Alert.objects.filter(pk=alert.pk).update(state="acknowledged")
    run_due(now=NOW)
    assert run_of(alert).state == "stopped" and paged(alert) == []


def test_a_quiet_alert_pages_nobody_and_goes_on_where_it_stood(policy, fire, cast):
    alert = fire(snoozed_until=NOW + timedelta(minutes=5))
    start_run(alert=alert, policy=policy(person(cast.dispatcher)), now=NOW)
    run_due(now=NOW)
    assert run_of(alert).state == "paused" and paged(alert) == []
    Alert.objects.filter(pk=alert.pk).update(snoozed_until=None)
    assert resume(alert=alert, now=NOW + timedelta(minutes=5))
    assert run_due(now=NOW + timedelta(minutes=5)) == 1 and paged(alert) == [cast.dispatcher]


def test_pause_stop_and_the_next_step_at_once(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(person(cast.supervisor, 3600), person(cast.dispatcher)), now=NOW)
    run_due(now=NOW)
    assert pause(alert=alert) and run_due(now=NOW + timedelta(days=1)) == 0
    assert next_at_once(alert=alert, now=NOW) and run_due(now=NOW) == 1
    assert paged(alert) == [cast.supervisor, cast.dispatcher]
    assert stop_run(alert=alert) and not stop_run(alert=alert) and not next_at_once(alert=alert)


def test_a_second_run_takes_the_place_of_the_first_and_has_the_next_number(policy, fire, cast):
    alert, made = fire(), policy(person(cast.dispatcher))
    first, second = start_run(alert=alert, policy=made), start_run(alert=alert, policy=made)
    first.refresh_from_db()
    assert (first.state, second.state, second.number) == ("stopped", "running", 2)


def test_without_a_policy_those_who_may_see_it_are_told_on_the_screen(fire, cast):
    alert = fire()
    start_run(alert=alert, policy=None, now=NOW)
    run_due(now=NOW)
    assert set(paged(alert)) == {cast.superadmin, cast.supervisor, cast.analyst, cast.dispatcher}


def test_a_hurried_run_waits_half_as_long(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(person(cast.dispatcher, 120)), now=NOW, hurry_percent=50)
    run_due(now=NOW)
    assert run_of(alert).next_at == NOW + timedelta(seconds=60)


def test_a_step_for_another_hour_is_skipped_at_once(policy, fire, cast):
    alert = fire()
    night = person(cast.supervisor, only_from="22:00", only_to="05:00")
    start_run(alert=alert, policy=policy(night, person(cast.dispatcher)), now=NOW)
    assert run_due(now=NOW) == 2
    assert [row[3] for row in step_rows(alert)] == ["skipped", "done"] and paged(alert) == [cast.dispatcher]


def test_nobody_on_duty_moves_on_at_once_and_pages_the_fallback_once(policy, fire, cast, alerting, force):
    Duty.objects.update(ended_at=datetime.now(UTC))
    nobody = {"kind": Kind.ROLE, "role": "officer"}
    alert = fire()
    start_run(alert=alert, policy=policy(nobody, nobody, person(cast.dispatcher), fallback_contact=alerting.room), now=NOW)
    run_due(now=NOW)
    assert paged(alert) == [alerting.room, cast.dispatcher]
    assert [row[3] for row in step_rows(alert)] == ["nobody", "nobody", "done"]
    assert AlertLog.objects.filter(alert=alert, kind="nobody").count() == 2


def test_a_hole_is_an_alert_of_its_own_once_a_step_and_none_about_itself(policy, fire, cast, force):
    Duty.objects.update(ended_at=datetime.now(UTC))
    alert = fire(level="low")
    start_run(alert=alert, policy=policy({"kind": Kind.ROLE, "role": "officer"}, repeat_times=2, repeat_wait_s=60), now=NOW)
    for minutes in range(4):
        run_due(now=NOW + timedelta(minutes=minutes))
    holes = Alert.objects.filter(kind="coverage")
    assert [(hole.parent, hole.level, hole.governorate) for hole in holes] == [(alert, "high", alert.governorate)]
    assert cast.supervisor in paged(holes[0])
    hole = fire(kind="coverage")
    start_run(alert=hole, policy=policy({"kind": Kind.ROLE, "role": "officer"}, code="h"), now=NOW)
    run_due(now=NOW)
    assert Alert.objects.filter(kind="coverage").count() == 2


def test_somebody_with_no_way_to_be_told_is_shown_it_on_the_screen_and_counts_as_nobody(policy, fire, cast):
    alert = fire()
    start_run(alert=alert, policy=policy(person(cast.officer), person(cast.dispatcher)), now=NOW)
    run_due(now=NOW)
    assert paged(alert) == [cast.officer, cast.dispatcher]
    assert [row[3] for row in step_rows(alert)] == ["nobody", "done"]


def test_a_task_goes_to_the_nearest_free_unit_and_without_one_the_next_step_comes(policy, fire, cast, force):
    task = {"kind": Kind.TASK, "task_title": "Look at the smoke", "wait_s": 60}
    first, second = fire(), fire()
    made = policy(task, task, task)
    start_run(alert=first, policy=made, now=NOW)
    run_due(now=NOW)
    facts = StepRun.objects.get().facts
    assert facts["unit"] in {"P1", "P2"} and facts["chosen"] == "nearest"
    Duty.objects.update(ended_at=datetime.now(UTC))
    start_run(alert=second, policy=made, now=NOW)
    run_due(now=NOW)
    assert step_rows(second)[0][3] == "nobody"


def test_a_webhook_is_a_delivery_of_the_step(policy, fire, settings):
    settings.ALERT_WEBHOOKS = {"partner": {}}
    alert = fire()
    start_run(alert=alert, policy=policy({"kind": Kind.WEBHOOK, "webhook": "partner"}), now=NOW)
    run_due(now=NOW)
    delivery = alert.deliveries.get()
    assert (delivery.channel, delivery.address, delivery.state, delivery.page_id) == ("webhook", "partner", "pending", None)


def test_many_alerts_are_run_the_most_urgent_first(policy, fire, cast):
    made = policy(person(cast.dispatcher))
    ordinary = [fire(priority=3) for _ in range(25)]
    urgent = fire(priority=1)
    for alert in [*ordinary, urgent]:
        start_run(alert=alert, policy=made, now=NOW)
    run_due(limit=1, now=NOW)
    assert paged(urgent) == [cast.dispatcher]
    assert run_due(now=NOW) == 25


@pytest.mark.django_db(transaction=True)
def test_pagers_that_race_run_each_step_once(policy, fire, cast):
    made = policy(person(cast.supervisor, 0), person(cast.dispatcher, 3600))
    alerts = [fire() for _ in range(20)]
    for alert in alerts:
        start_run(alert=alert, policy=made, now=NOW)
    done: list[int] = []

    def pager() -> None:
        try:
            done.append(run_due(now=NOW, limit=1000))
        finally:
            connection.close()

    threads = [threading.Thread(target=pager) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_due(now=NOW)
    assert StepRun.objects.count() == 40
    assert Page.objects.count() == 40
