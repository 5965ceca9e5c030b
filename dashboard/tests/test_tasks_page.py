"""PAT-5: the tasks page: lists, giving out, moving, taking back, the hand-over at the end of a shift. PAT-9: response times on the page and
in the file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from patrol.models import Assignment
from patrol.services.assignments import assign, close_by_time, move_assignment
from patrol.services.targets import ensure_default_targets

LIST = "/patrol/tasks/list/?agency=police&governorate=T-HA"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def desk(client, cast) -> Client:
    client.force_login(cast.dispatcher, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_a_task_for_a_unit_is_given_out_and_listed(desk, force):
    given = {"to": f"unit:{force.p1.pk}", "title": "Check the barrier", "priority": "3", "latitude": "29.35", "longitude": "47.92"}
    assert desk.post(reverse("tasks-new"), given).status_code == 302
    task = Assignment.objects.get()
    assert task.location is not None and (task.kind, task.location.x, task.radius_m) == ("task", 47.92, 100)
    page = text_of(desk.get(reverse("tasks")))
    assert "Check the barrier" in page and "P1" in page
    assert "style=" not in page


def test_a_task_for_a_team_goes_to_each_of_its_units_on_duty(desk, force, cast):
    given = {"to": f"team:{force.team.pk}", "title": "Football match", "priority": "2"}
    desk.post(reverse("tasks-new"), given)
    assert set(Assignment.objects.values_list("unit__call_sign", flat=True)) == {"P1", "P2"}
    force.p1.duties.update(ended_at=now())
    force.p2.duties.update(ended_at=now())
    answer = desk.post(reverse("tasks-new"), given)
    assert answer.status_code == 409 and "on duty" in answer.content.decode()


@pytest.mark.parametrize(
    "bad", [{"title": ""}, {"to": "unit:999999"}, {"to": "x"}, {"priority": "9"}, {"latitude": "29"}, {"radius_m": "1"}, {"due_at": "soon"}]
)
def test_what_is_missing_or_wrong_is_marked_and_what_was_typed_stays(desk, force, bad):
    given = {"to": f"unit:{force.p1.pk}", "title": "Typed with care", "priority": "3", "note": "kept words", **bad}
    answer = desk.post(reverse("tasks-new"), given)
    assert answer.status_code == 422 and "kept words" in answer.content.decode()
    assert not Assignment.objects.exists()


def test_the_list_tells_open_late_ended_and_closed_by_time_apart(desk, force, cast):
    def task(title, **more):
        return assign(unit=force.p1, by=cast.supervisor, kind="task", title=title, **more)

    task("Fresh one")
    task("Overdue one", due_at=now() - timedelta(minutes=5))
    move_assignment(assignment=task("Finished one"), to="done", by=cast.supervisor)
    task("Forgotten one", closes_at=now() + timedelta(seconds=30))
    close_by_time(now=now() + timedelta(minutes=1))
    lists = {state: text_of(desk.get(f"{LIST}&state={state}")) for state in ("open", "late", "ended", "auto_closed")}
    shown = {
        state: {name for name in ("Fresh", "Overdue", "Finished", "Forgotten") if f"{name} one" in page} for state, page in lists.items()
    }
    assert shown == {
        "open": {"Fresh", "Overdue"}, "late": {"Overdue"}, "ended": {"Finished", "Forgotten"}, "auto_closed": {"Forgotten"},
    }  # fmt: skip
    assert "Closed by time" in lists["auto_closed"]
    assert "Fresh one" not in text_of(desk.get(f"{LIST}&unit=P2")) and "Fresh one" in text_of(desk.get(f"{LIST}&kind=task&unit=p1"))


def test_a_task_is_moved_given_to_another_and_taken_back_from_the_list(desk, force, cast):
    task = assign(unit=force.p1, by=cast.supervisor, kind="task", title="Barrier")
    page = text_of(desk.post(reverse("tasks-step", args=[task.pk, "accepted"]), {"expected": "assigned"}, headers={"HX-Request": "true"}))
    assert "state-accepted" in page
    desk.post(reverse("tasks-step", args=[task.pk, "reassign"]), {"unit": force.p2.pk, "reason": "closer"})
    second = Assignment.objects.open().get()
    assert second.unit == force.p2
    refused = desk.post(reverse("tasks-step", args=[second.pk, "cancel"]), {"reason": ""}, headers={"HX-Request": "true"})
    assert refused.status_code == 422 and "Say why" in refused.content.decode()
    desk.post(reverse("tasks-step", args=[second.pk, "cancel"]), {"reason": "not needed"})
    assert not Assignment.objects.open().exists()
    assert desk.post(reverse("tasks-step", args=[second.pk, "reassign"]), {"unit": force.c1.pk, "reason": "x"}).status_code == 404


def test_all_of_a_units_work_is_handed_over(desk, force, cast):
    for title in ("A", "B"):
        assign(unit=force.p1, by=cast.supervisor, kind="task", title=title)
    given = {"from_unit": force.p1.pk, "to_unit": force.p2.pk, "reason": "end of shift"}
    assert desk.post(reverse("tasks-hand-over"), given).status_code == 302
    assert Assignment.objects.open().filter(unit=force.p2).count() == 2
    answer = desk.post(reverse("tasks-hand-over"), given)
    assert answer.status_code == 409 and "nothing open" in answer.content.decode()
    assert desk.post(reverse("tasks-hand-over"), {**given, "to_unit": force.c1.pk}).status_code == 422, (
        "a unit elsewhere is not in the list"
    )


def test_who_may_not_give_out_sees_no_forms_and_others_see_nothing(client, force, cast):
    task = assign(unit=force.p1, by=cast.supervisor, kind="task", title="Barrier")
    client.force_login(cast.analyst, backend="django.contrib.auth.backends.ModelBackend")
    page = text_of(client.get(reverse("tasks")))
    assert "Barrier" in page and "New task" not in page and "Take back" not in page
    assert client.post(reverse("tasks-new"), {"to": f"unit:{force.p1.pk}", "title": "x", "priority": "3"}).status_code == 403
    client.force_login(cast.stranger, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(reverse("tasks-step", args=[task.pk, "done"])).status_code == 404
    assert client.get("/patrol/tasks/?governorate=T-HA").status_code == 404
    client.logout()
    assert client.get(reverse("tasks")).status_code == 302


def test_the_list_costs_the_same_however_long(desk, force, cast, django_assert_max_num_queries):
    for number in range(30):
        assign(unit=force.p1, by=cast.supervisor, kind="task", title=f"T{number}")
    with django_assert_max_num_queries(16):
        desk.get(LIST)


def test_response_times_on_the_page_and_in_the_file(client, force, report, cast):
    ensure_default_targets()
    incident = report()
    sent = assign(unit=force.p1, incident=incident, kind="incident", by=cast.dispatcher)
    move_assignment(assignment=sent, to="done", by=cast.dispatcher)
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    page = text_of(client.get(reverse("intervals")))
    assert "2 · urgent" in page and "has-holes" in page, "turnout and travel are unknown, not nought"
    rows = list(csv.DictReader(io.StringIO(text_of(client.get(reverse("intervals-csv"))).removeprefix("\ufeff"))))
    whole = {row["interval"]: row for row in rows if row["group"] == "All"}
    assert (whole["turnout"]["n"], whole["turnout"]["unknown_missing"], whole["turnout"]["p50_s"]) == ("0", "1", "")
    assert whole["queue"]["n"] == "1" and whole["queue"]["target_s"] == "120"
    assert "No unit was sent" in text_of(client.get(reverse("intervals") + "?from=2020-01-01&to=2020-01-02"))
    assert client.get(reverse("intervals") + "?from=2026-01-02&to=2026-01-01").status_code == 422
    assert client.get(reverse("intervals") + "?from=nonsense&by=mood&priority=99").status_code == 200
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(reverse("intervals")).status_code == 403
