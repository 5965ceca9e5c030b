"""PAT-3, PAT-4, PAT-10: the planning board, coverage and what if, by each role, in both languages, with a script and without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from patrol.models import Assignment, CoverageStudy, Plan, RosterEntry


def enter(person: Any, language: str = "en") -> Any:
    type(person).objects.filter(pk=person.pk).update(language=language)
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def plan(tomorrow: Any) -> Plan:
    return tomorrow.make()


# --- the board -------------------------------------------------------------------------------------------------------------------


def test_the_list_shows_shifts_and_asks_for_a_plan_that_a_worker_makes(tomorrow: Any, cast: Any) -> None:
    client = enter(cast.supervisor)
    page = client.get("/patrol/plans/?agency=police&governorate=T-HA")
    assert b"2 units on the roster" in page.content and b"Plan this shift" in page.content
    answer = client.post("/patrol/plans/?agency=police&governorate=T-HA", {"shift": tomorrow.shift.pk, "seed": "5"})
    made = Plan.objects.get()
    assert answer.status_code == 302 and answer.url == f"/patrol/plans/{made.pk}/" and (made.making, made.seed) == ("waiting", 5)
    assert client.get(f"/patrol/plans/{made.pk}/state.json").json()["making"] == "waiting"
    assert b"The plan is being made" in client.get(answer.url).content


@pytest.mark.parametrize(("field", "value"), [("seed", "seven"), ("stops", "10000"), ("units", "0"), ("shift", "x")])
def test_the_form_refuses_what_is_no_number_or_too_many(tomorrow: Any, cast: Any, field: str, value: str) -> None:
    answer = enter(cast.supervisor).post("/patrol/plans/?governorate=T-HA", {"shift": tomorrow.shift.pk, field: value})
    assert answer.status_code == 422 and not Plan.objects.exists()


def test_an_empty_roster_and_a_foreign_shift(tomorrow: Any, cast: Any) -> None:
    RosterEntry.objects.update(is_cancelled=True)
    client = enter(cast.supervisor)
    answer = client.post("/patrol/plans/?governorate=T-HA", {"shift": tomorrow.shift.pk})
    assert answer.status_code == 409 and b"Nobody is rostered for this shift" in answer.content
    assert client.post("/patrol/plans/?governorate=T-HA", {"shift": 999_999}).status_code == 404
    assert enter(cast.firefighter).post("/patrol/plans/?governorate=T-HA", {"shift": tomorrow.shift.pk}).status_code == 404


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_board_shows_lanes_figures_verdict_and_what_was_left_out(
    plan: Plan, cast: Any, language: str, django_assert_max_num_queries: Any
) -> None:
    client = enter(cast.supervisor, language)
    with django_assert_max_num_queries(40):
        page = client.get(f"/patrol/plans/{plan.pk}/").content.decode()
    assert page.count("data-stop=") == plan.stops.count() and "P1" in page and "P2" in page
    # A point for decimals in Arabic too.
    assert f"{plan.figures['dosage_per_km']:.2f}" in page and f"{plan.figures['km']:.1f} km" in page and str(plan.seed) in page
    assert 'style="' not in page.replace('content="', "") and "onclick" not in page
    shown = client.get(f"/patrol/plans/{plan.pk}/plan.geojson").json()["features"]
    assert sum(1 for one in shown if one["geometry"]["type"] == "Point") == plan.stops.count()


def test_who_sees_the_board_and_who_has_which_buttons(plan: Plan, cast: Any) -> None:
    address = f"/patrol/plans/{plan.pk}/"
    assert b"it can go out" in enter(cast.supervisor).get(address).content
    analyst = enter(cast.analyst).get(address).content
    assert b"it can go out" not in analyst and b'id="change"' in analyst
    dispatcher = enter(cast.dispatcher).get(address).content
    assert b'id="change"' not in dispatcher and b"Lay aside" not in dispatcher
    for person in (cast.officer, cast.stranger, cast.firefighter):
        assert enter(person).get(address).status_code == 404
    assert Client().get(address).status_code == 302
    for bad in (10**17, 2**63, 0):
        assert enter(cast.supervisor).get(f"/patrol/plans/{bad}/").status_code == 404


def test_the_checker_answers_a_dragged_stop_at_once_and_keeps_nothing(plan: Plan, cast: Any) -> None:
    stop = plan.stops.order_by("arrive_at")[0]
    client = enter(cast.supervisor)
    given = {"kind": "move", "edition": plan.edition, "stop": stop.pk, "unit": stop.route.unit_id, "at": "05:00"}
    told = client.post(f"/patrol/plans/{plan.pk}/try", given).json()
    assert any("before its shift begins" in text for text in told["violations"]) and told["before"]["km"] > 0
    assert plan.stops.get(pk=stop.pk).arrive_at == stop.arrive_at and not plan.changes.exists()
    assert client.post(f"/patrol/plans/{plan.pk}/try", {**given, "unit": 999}).status_code == 422
    assert client.post(f"/patrol/plans/{plan.pk}/try", {**given, "at": "late"}).status_code == 422
    assert enter(cast.dispatcher).post(f"/patrol/plans/{plan.pk}/try", given).status_code == 403


def test_a_change_by_form_needs_a_reason_and_the_edition_on_screen(plan: Plan, cast: Any) -> None:
    stop = plan.stops.order_by("arrive_at")[0]
    client = enter(cast.supervisor)
    given = {"kind": "remove", "edition": plan.edition, "stop": stop.pk}
    assert client.post(f"/patrol/plans/{plan.pk}/change", given).status_code == 422
    assert client.post(f"/patrol/plans/{plan.pk}/change", {**given, "reason": "A wedding.", "edition": 99}).status_code == 409
    answer = client.post(f"/patrol/plans/{plan.pk}/change", {**given, "reason": "A wedding."})
    assert answer.status_code == 302 and not plan.stops.filter(pk=stop.pk).exists() and plan.changes.get().reason == "A wedding."
    assert "A wedding." in client.get(f"/patrol/plans/{plan.pk}/").content.decode()
    assert client.get(f"/patrol/plans/{plan.pk}/?stop={plan.stops.all()[0].pk}").status_code == 200


def test_reviewed_published_changed_into_a_new_draft_and_compared(plan: Plan, cast: Any) -> None:
    root, supervisor = enter(cast.superadmin), enter(cast.supervisor)
    assert supervisor.post(f"/patrol/plans/{plan.pk}/publish").status_code == 409
    assert root.post(f"/patrol/plans/{plan.pk}/review", {"edition": plan.edition}).status_code == 302
    assert supervisor.post(f"/patrol/plans/{plan.pk}/publish").status_code == 302
    assert Assignment.objects.filter(plan_stop__plan=plan).count() == plan.stops.count()
    stop = plan.stops.order_by("arrive_at")[0]
    answer = supervisor.post(
        f"/patrol/plans/{plan.pk}/change", {"kind": "remove", "edition": plan.edition, "stop": stop.pk, "reason": "A wedding."}
    )
    draft = Plan.objects.get(version=2)
    assert answer.url == f"/patrol/plans/{draft.pk}/" and any("new draft" in str(one) for one in get_messages(answer.wsgi_request))
    page = supervisor.get(answer.url).content.decode()
    assert "Beside version 1" in page and "another person reviews it" in page
    assert supervisor.post(f"/patrol/plans/{draft.pk}/discard", {"reason": ""}).status_code == 422
    assert supervisor.post(f"/patrol/plans/{draft.pk}/discard", {"reason": "No."}).status_code == 302
    assert supervisor.get(f"/patrol/plans/{plan.pk}/review").status_code == 405


def test_a_plan_that_could_not_be_made_says_why(tomorrow: Any, cast: Any) -> None:
    type(tomorrow.surface).objects.update(is_current=False)
    failed = tomorrow.make()
    page = enter(cast.supervisor).get(f"/patrol/plans/{failed.pk}/").content
    assert b"No risk surface is published for this shift" in page


# --- coverage and what if --------------------------------------------------------------------------------------------------------

HERE = "?agency=police&governorate=T-HA"


@pytest.mark.parametrize("language", ["en", "ar"])
def test_coverage_shows_gaps_move_up_and_keeps_a_study(tomorrow: Any, cast: Any, language: str) -> None:
    client: Any = enter(cast.supervisor, language)
    page = client.get(f"/patrol/coverage/{HERE}&when=tomorrow").content.decode()
    assert page.count('class="gap-') == 24 and 'style="' not in page
    answer = client.post(f"/patrol/coverage/{HERE}", {"when": "tomorrow", "method": "cover", "units": "2", "minutes": "5"})
    study = CoverageStudy.objects.get()
    assert answer.status_code == 302 and f"study={study.pk}" in answer.url
    shown = client.get(answer.url.split("#")[0]).content.decode()
    assert "coverage-data" in shown and f"{100 * (study.gap or 0):.2f} %" in shown
    assert client.get(f"/patrol/coverage/{HERE}&study=999999").status_code == 404
    assert client.post(f"/patrol/coverage/advice{HERE}").status_code == 302


def test_coverage_says_what_is_missing_and_refuses_bad_wishes(tomorrow: Any, cast: Any) -> None:
    client = enter(cast.supervisor)
    assert b"Too little history" in client.get(f"/patrol/coverage/{HERE}").content
    for given in ({"units": "0"}, {"minutes": "61"}, {"method": "magic"}, {"when": "never"}):
        answer = client.post(f"/patrol/coverage/{HERE}", {"when": "now", "method": "cover", **given})
        assert answer.status_code == 422
    type(tomorrow.surface).objects.update(is_current=False)
    assert b"Nothing is known of the demand here" in client.get(f"/patrol/coverage/{HERE}").content
    assert enter(cast.dispatcher).get(f"/patrol/coverage/{HERE}").status_code == 200
    assert enter(cast.officer).get(f"/patrol/coverage/{HERE}").status_code == 404
    assert client.get("/patrol/coverage/?governorate=T-KU").status_code == 404


@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_if_answers_beside_today(tomorrow: Any, cast: Any, force: Any, language: str) -> None:
    client = enter(cast.supervisor, language)
    station = force.salmiya_station.pk
    answer = client.post(
        f"/patrol/what-if/{HERE}",
        {"when": "now", "name": "One more", f"more-{station}": "1", f"lon-{station}": "47.92", f"lat-{station}": "29.33"},
    )
    assert answer.status_code == 302
    page = client.get(answer.url.split("#")[0]).content.decode()
    assert "One more" in page and "2 → 3" in page and "47.9200" in page
    assert client.post(f"/patrol/what-if/{HERE}", {f"more-{station}": "many"}).status_code == 422
    assert client.post(f"/patrol/what-if/{HERE}", {f"more-{station}": "-9"}).status_code == 422
    assert client.post(f"/patrol/what-if/{HERE}", {f"lon-{station}": "0", f"lat-{station}": "0"}).status_code == 422
    assert enter(cast.dispatcher).post(f"/patrol/what-if/{HERE}", {}).status_code == 403


def test_a_running_shift_is_planned_again_from_the_board(tomorrow: Any, cast: Any, force: Any) -> None:
    plan = tomorrow.make()
    client = enter(cast.superadmin)
    client.post(f"/patrol/plans/{plan.pk}/review", {"edition": plan.edition})
    client.post(f"/patrol/plans/{plan.pk}/publish")
    shift = tomorrow.shift
    type(shift).objects.filter(pk=shift.pk).update(starts_at=datetime.now(UTC) - timedelta(minutes=10))
    assert b"Plan the rest again" in client.get(f"/patrol/plans/{plan.pk}/").content
    answer = client.post(f"/patrol/plans/{plan.pk}/replan", {"without": [force.p2.pk], "reason": "Broke down."})
    assert answer.status_code == 302 and Plan.objects.get(version=2).parameters["asked"]["replan"]["without"] == [force.p2.pk]
