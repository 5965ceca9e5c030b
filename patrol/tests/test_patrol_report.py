"""PAT-6: the patrol report, every figure counted by hand."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from patrol.models import Assignment, PlanChange, Sos, UnitDay, WelfareCheck
from patrol.services.coverage import gaps_for
from patrol.services.dosage import measure_stops
from patrol.services.report import Report, patrol_report, window
from patrol.services.workload import workload
from patrol.tests.measured import published, seen, stop

MINUTE = timedelta(minutes=1)
PAGE, API = "/patrol/report/", "/api/v1/patrol/report"


def told(force: Any, viewer: Any, **days: Any) -> Report:
    governorate = force.p1.governorate
    now = timezone.now()
    return patrol_report(
        viewer=viewer, agency=force.p1.agency, governorate=governorate, window=window(governorate.region, now=now, **days), now=now
    )


def values(report: Report, part: str) -> dict[str, Any]:
    return {figure.key: figure.value for figure in report.part(part).figures}


@pytest.fixture
def day(force, places, report):
    """One shift with a published plan: P1 stood 12 minutes of one stop, drove away in the next; P2 was silent. Two incidents with a unit
    each; a task done, one cancelled; a call for help answered after 20 seconds, one open; a welfare check missed."""
    plan, begun = published(force.shift), force.shift.starts_at
    PlanChange.objects.create(plan=plan, kind="move", reason="Asked for")
    first = stop(plan, force.p1, begun, area=places.salmiya)
    second = stop(plan, force.p1, begun + 20 * MINUTE, area=places.jabriya, place="9:9", location=places.in_jabriya)
    stop(plan, force.p2, begun, area=places.salmiya, place="8:8")
    seen(force.p1, first.arrive_at, range(0, 721, 30))
    seen(force.p1, second.arrive_at, range(0, 721, 30), east_m=-2_000)
    measure_stops(now=begun + 50 * MINUTE)
    given = {"agency": force.p1.agency, "governorate": force.p1.governorate, "assigned_at": begun + MINUTE}
    for number, travel in enumerate((4, 8)):
        one = report(occurred_at=begun, reported_at=begun, external_id=f"R-{number}")
        Assignment.objects.create(
            unit=force.p1, kind="incident", incident=one, state="done", ended_at=begun + 40 * MINUTE,
            en_route_at=begun + 2 * MINUTE, on_scene_at=begun + (2 + travel) * MINUTE, **given,
        )  # fmt: skip
    Assignment.objects.create(unit=force.p2, kind="task", state="done", ended_at=begun + 9 * MINUTE, **given)
    Assignment.objects.create(unit=force.p2, kind="task", state="cancelled", ended_at=begun + 9 * MINUTE, **given)
    Assignment.objects.create(unit=force.p2, kind="task", **given)
    call = {"agency": force.p1.agency, "governorate": force.p1.governorate, "user": force.officer.user, "pressed_at": begun}
    answered = begun + timedelta(seconds=20)
    Sos.objects.create(key=uuid4(), received_at=begun, acknowledged_at=answered, acknowledged_by=force.officer.user, **call)
    Sos.objects.create(key=uuid4(), received_at=begun, **call)
    WelfareCheck.objects.create(
        unit=force.p1, minutes=20, started_at=begun, due_at=begun + 20 * MINUTE, warned_at=begun, escalated_at=begun, ended_at=begun
    )
    today = timezone.now().astimezone(places.region.zone_info).date()
    UnitDay.objects.create(unit=force.p1, day=today, duty_s=3600, known_s=2700, metres=12_345.0, positions=60, doubted=3, measured_at=begun)
    UnitDay.objects.create(unit=force.p2, day=today, duty_s=3600, known_s=0, metres=0, measured_at=begun)
    UnitDay.objects.create(unit=force.c1, day=today, duty_s=9999, known_s=9999, metres=9999, measured_at=begun)  # of the Capital


def test_plans_stops_and_minutes(force, cast, day):
    made = told(force, cast.supervisor)
    assert values(made, "plans") == {
        "shifts": 1, "shifts_with_plan": 1, "shifts_without_plan": 0, "plans_superseded": 0, "plan_changes": 1,
    }  # fmt: skip
    assert values(made, "stops") == {
        "stops": 3, "measured": 3, "waiting": 0, "visited": 1, "at_another_time": 0, "not_visited": 1, "not_known": 1,
    }  # fmt: skip
    found = values(made, "dosage")
    assert [found[f"{key}_s"] for key in ("planned", "delivered", "absent", "unknown", "beyond")] == [2160, 720, 720, 720, 0]
    assert found["unknown_share"] == pytest.approx(1 / 3)
    by_area = {line.name: [figure.value for figure in line.figures] for line in made.part("dosage").lines}
    assert by_area == {"Salmiya": [1440, 720, 0, 720, 0], "Jabriya": [720, 0, 720, 0, 0]}


def test_response_times(force, cast, day):
    found = values(told(force, cast.supervisor), "response")
    assert (found["incidents"], found["turnout_n"], found["turnout_p50_s"]) == (2, 2, 60)
    assert (found["travel_p50_s"], found["queue_p50_s"], found["response_p50_s"]) == (360, 60, 480)


def test_work_by_kind_and_outcome(force, cast, day):
    made = told(force, cast.supervisor)
    assert values(made, "tasks") == {"given": 5, "open": 1, "done": 3, "cancelled": 1, "auto_closed": 0}
    by_kind = {line.key: [figure.value for figure in line.figures] for line in made.part("tasks").lines}
    assert by_kind == {"incident": [2, 0, 2, 0, 0], "task": [3, 1, 1, 1, 0]}


def test_driving_says_what_is_not_known(force, cast, day):
    found = values(told(force, cast.supervisor), "driving")
    assert (found["metres"], found["duty_s"], found["not_known_s"], found["not_known_share"]) == (12_345, 7200, 4500, 0.625)
    assert (found["positions"], found["doubted"], found["unit_days"]) == (60, 3, 2)


def test_calls_for_help_and_welfare(force, cast, day):
    found = values(told(force, cast.supervisor), "safety")
    assert (found["calls"], found["calls_answered"], found["calls_not_answered"], found["answer_longest_s"]) == (2, 1, 1, 20)
    assert (found["welfare_checks"], found["welfare_warned"], found["welfare_missed"]) == (1, 1, 1)


def test_coverage_without_any_known_demand_is_not_known(force, cast, day):
    """No history, no forecast, no surface: the service of coverage refuses, and the report says so."""
    found = told(force, cast.supervisor).part("coverage")
    assert found.value("covered_share") is None and found.notes == ("no_coverage",)


def test_coverage_is_that_of_the_last_day_as_its_own_service_tells_it(force, cast, day, report):
    for days in range(2, 40):
        report(occurred_at=timezone.now() - timedelta(days=days), external_id=f"H-{days}")
    made = told(force, cast.supervisor)
    end = made.window.end
    own = gaps_for(governorate=made.governorate, agency=made.agency, start=end - timedelta(days=1), end=end, by=None)
    assert values(made, "coverage")["covered_share"] == own.covered_share is not None
    assert [line.figures[2].value for line in made.part("coverage").lines] == [gap.open_share for gap in own.worst(8)]


def test_workload_is_that_of_its_own_service(force, cast, day):
    made = told(force, cast.supervisor)
    own = workload(
        viewer=cast.supervisor,
        agency=made.agency,
        governorate=made.governorate,
        start=made.window.start,
        end=made.window.end,
        now=made.made_at,
    )
    found = values(made, "workload")
    assert found["unit_duty_s"] == own.unit_time.total_seconds() > 0 and found["overworked"] == own.overworked
    assert (found["units"], found["people"]) == (2, 2)


def test_what_is_not_known_is_none_and_never_zero(force, cast):
    made = told(force, cast.supervisor)
    assert values(made, "driving")["metres"] is None and values(made, "driving")["not_known_share"] is None
    assert values(made, "dosage")["planned_s"] is None and values(made, "safety")["answer_p50_s"] is None
    assert made.part("driving").notes == ("days_not_measured",)


def test_another_agency_and_governorate_are_not_counted(force, cast, places, day):
    now = timezone.now()
    days = window(places.region, now=now)
    capital = patrol_report(viewer=cast.superadmin, agency=cast.police, governorate=places.capital, window=days, now=now)
    fire = patrol_report(viewer=cast.superadmin, agency=cast.fire, governorate=places.hawalli, window=days, now=now)
    for made in (capital, fire):
        assert values(made, "stops")["stops"] == values(made, "tasks")["given"] == values(made, "safety")["calls"] == 0
    assert values(capital, "driving")["metres"] == 9999


def enter(client, person):
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_page_shows_each_figure_with_where_it_comes_from(client, cast, day):
    page = enter(client, cast.supervisor).get(PAGE).content.decode()
    assert "12.3 km" in page and "62.5 %" in page and "/patrol/dosage/?agency=police&amp;governorate=T-HA&amp;by=stop" in page


def test_the_document_is_made_in_both_languages(client, cast, day):
    enter(client, cast.supervisor)
    for language in ("en", "ar"):
        client.cookies["django_language"] = cast.supervisor.language = language
        cast.supervisor.save(update_fields=["language"])
        answer = client.get("/patrol/report.pdf")
        assert answer.status_code == 200 and answer.content.startswith(b"%PDF-") and len(answer.content) > 5_000
        assert client.get(PAGE).status_code == 200


def test_the_file_and_the_api_have_the_same_figures(client, cast, day, force):
    made = told(force, cast.supervisor)
    enter(client, cast.supervisor)
    rows = list(csv.DictReader(io.StringIO(b"".join(client.get("/patrol/report.csv")).decode())))
    by_file = {(row["part"], row["figure"]): row["value"] for row in rows if not row["line"]}
    by_api = {(part["key"], figure["key"]): figure["value"] for part in client.get(API).json()["parts"] for figure in part["figures"]}
    for part in made.parts:
        if part.key == "workload":
            continue  # time on duty goes on
        for figure in part.figures:
            assert by_api[part.key, figure.key] == figure.value
            assert by_file[part.key, figure.key] == ("" if figure.value is None else str(figure.value))


def test_doors_are_shut_to_those_who_may_not(client, cast, day):
    enter(client, cast.officer)
    for address in (PAGE, "/patrol/report.pdf", "/patrol/report.csv", API):
        assert client.get(address).status_code == 403, address
    enter(client, cast.supervisor)
    for address in (PAGE, "/patrol/report.pdf", "/patrol/report.csv", API):
        assert client.get(address, {"governorate": "T-KU"}).status_code == 404, address
        assert client.get(address, {"agency": "fire"}).status_code == 404, address
    assert client.get(API, {"from": "x"}).status_code == 422
    assert client.get(PAGE, {"from": "2020-01-01", "to": "2022-01-01"}).context["asked"].refused


def test_more_rows_cost_no_more_questions(client, cast, day, force):
    enter(client, cast.supervisor).get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    plan = force.p1.routes.get().plan
    for number in range(12):
        stop(plan, force.p2, force.shift.starts_at + number * MINUTE, place=f"1:{number}")
        Assignment.objects.create(
            unit=force.p1, kind="task", agency=force.p1.agency, governorate=force.p1.governorate, assigned_at=timezone.now()
        )
    with CaptureQueriesContext(connection) as more:
        client.get(PAGE)
    assert len(more) == len(few) <= 110, [query["sql"][:90] for query in more]


def test_days_in_the_window_are_those_of_the_region(places):
    now = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # already the second in Kuwait
    found = window(places.region, now=now)
    assert (str(found.first), str(found.last), found.days) == ("2026-02-24", "2026-03-02", 7)
    assert found.end == datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
