"""PAT-1, PAT-5: the force at /api/v1/patrol: keys read without names, people write by their session, a foreign id is 404."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from interop.services import issue_key
from interop.tests.conftest import Caller
from patrol.models import Duty, Member, RosterEntry, Unit, ZoneAssignment

H = timedelta(hours=1)
LISTS = ["stations", "units", "teams", "members", "shifts", "roster", "duties"]


@pytest.fixture
def reader(police_system) -> Caller:
    return Caller(*issue_key(partner=police_system, name="patrol", scopes=["patrol:read"], by=None, all_governorates=True))


def signed_in(person) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, path, body):
    return client.post(f"/api/v1/patrol/{path}", body, content_type="application/json")


@pytest.mark.parametrize("name", LISTS)
def test_each_list_answers_a_key_with_the_scope_and_no_other(name, force, reader, caller):
    answer = reader.get(f"patrol/{name}")
    assert answer.status_code == 200 and "results" in answer.json()
    assert caller.get(f"patrol/{name}").status_code == 403
    assert Client().get(f"/api/v1/patrol/{name}").status_code == 401


@pytest.mark.parametrize("name", LISTS)
def test_each_list_asks_the_database_no_more_for_more_rows(name, force, reader, cast, places):
    reader.get(f"patrol/{name}")
    with CaptureQueriesContext(connection) as few:
        reader.get(f"patrol/{name}")
    for number in range(5):
        unit = Unit.objects.create(
            agency=cast.police, governorate=places.hawalli, station=force.salmiya_station, call_sign=f"Q{number}", team=force.team
        )
        unit.skills.add(force.first_aid)
        person = Member.objects.create(agency=cast.police, governorate=places.hawalli, service_number=f"5{number}", name_en="Somebody")
        person.skills.add(force.first_aid)
        Duty.objects.create(agency=cast.police, governorate=places.hawalli, member=person, unit=unit, started_at=datetime.now(UTC))
        span = {"starts_at": force.shift.starts_at, "ends_at": force.shift.ends_at}
        RosterEntry.objects.create(shift=force.shift, member=person, unit=unit, **span)
    with CaptureQueriesContext(connection) as more:
        reader.get(f"patrol/{name}")
    # The first row with skills asks for them once.
    assert len(more) <= len(few) + 1, [query["sql"][:120] for query in more]


def test_a_key_sees_no_names_of_people_and_a_person_does(force, reader, cast):
    row = reader.get(f"patrol/members/{force.officer.pk}").json()
    assert (row["name_en"], row["name_ar"], row["service_number"]) == (None, None, None) and row["is_on_duty"]
    row = signed_in(cast.supervisor).get(f"/api/v1/patrol/members/{force.officer.pk}").json()
    assert (row["name_en"], row["service_number"]) == ("Officer one", "1001")


def test_the_state_of_a_unit_is_derived(force, reader):
    rows = {row["call_sign"]: row["state"] for row in reader.get("patrol/units").json()["results"]}
    assert rows == {"P1": "available", "P2": "available", "C1": "off_duty"}


def test_what_lies_elsewhere_is_not_there(force, cast, reader):
    client = signed_in(cast.supervisor)
    assert client.get(f"/api/v1/patrol/units/{force.c1.pk}").status_code == 404
    assert reader.get(f"patrol/units/{force.f1.pk}").status_code == 404
    assert reader.get("patrol/units/99999999999999999999").status_code == 404
    assert [row["call_sign"] for row in client.get("/api/v1/patrol/units").json()["results"]] == ["P2", "P1"]


def test_an_officer_reads_no_lists_of_people(force, cast):
    assert signed_in(cast.officer).get("/api/v1/patrol/members").status_code == 403


def test_what_is_asked_narrows_and_nonsense_is_a_problem(force, reader):
    assert len(reader.get("patrol/units", {"governorate": "T-KU"}).json()["results"]) == 1
    assert len(reader.get("patrol/units", {"team": force.team.pk}).json()["results"]) == 2
    assert reader.get("patrol/units", {"team": "x"}).status_code == 422
    assert len(reader.get("patrol/duties", {"open": "true", "unit": force.p1.pk}).json()["results"]) == 1
    late = (force.shift.ends_at + H).isoformat()
    assert reader.get("patrol/shifts", {"start": late}).json()["results"] == []


def test_keys_do_not_write(force, reader):
    for path in ("roster", "duties/on", "duties/off", "teams/assign", "shifts/make"):
        answer = reader.post(f"patrol/{path}", {})
        assert answer.status_code == 403 and answer.json()["type"].endswith("person_needed"), path


def test_a_supervisor_puts_moves_and_takes_off(force, cast):
    client = signed_in(cast.supervisor)
    asked = {"shift": force.shift.pk, "member": force.partner.pk, "unit": force.p1.pk, "part": "leader"}
    made = post(client, "roster", asked)
    assert made.status_code == 201 and post(client, "roster", asked).json()["id"] == made.json()["id"]
    assert post(client, "roster", {**asked, "unit": force.c1.pk}).status_code == 404
    pk = made.json()["id"]
    assert (
        post(client, f"roster/{pk}/move", {"unit": force.p2.pk, "part": "crew", "reason": "P1 in the workshop"}).json()["unit"]
        == force.p2.pk
    )
    assert post(client, f"roster/{pk}/take-off", {}).status_code in {400, 422}
    assert post(client, f"roster/{pk}/take-off", {"reason": "Ill"}).json()["is_cancelled"]
    assert post(client, f"roster/{pk}/take-off", {"reason": "Ill"}).status_code == 409
    assert post(signed_in(cast.dispatcher), "roster", asked).status_code == 403


def test_too_little_rest_is_a_conflict_a_program_understands(force, cast):
    Duty.objects.create(
        agency=cast.police, governorate=force.partner.governorate, member=force.partner,
        started_at=force.shift.starts_at - 12 * H, ended_at=force.shift.starts_at - 4 * H,
    )  # fmt: skip
    answer = post(signed_in(cast.supervisor), "roster", {"shift": force.shift.pk, "member": force.partner.pk})
    assert answer.status_code == 409
    assert answer.json()["errors"][0] | {"detail": ""} == {"field": "rest_override_reason", "code": "too_little_rest", "detail": ""}


def test_people_go_off_and_on_duty_by_themselves(force, cast):
    client = signed_in(cast.dispatcher)
    assert post(client, "duties/off", {}).json()["ended_at"]
    assert post(client, "duties/off", {}).status_code == 409
    assert post(client, "duties/on", {}).status_code == 201
    assert post(client, "duties/on", {"member": force.officer.pk}).status_code == 403
    assert post(signed_in(cast.stranger), "duties/on", {}).status_code == 404
    assert post(client, "duties/on", {"unit": force.p1.pk}).json()["member"] is None


def test_a_team_is_given_a_zone_once_and_inside_its_governorate(force, cast, places):
    client = signed_in(cast.supervisor)
    now = datetime.now(UTC)
    asked = {"team": force.team.pk, "zone": places.salmiya.pk, "starts_at": now.isoformat(), "ends_at": (now + 8 * H).isoformat()}
    made = post(client, "teams/assign", asked)
    assert made.status_code == 201 and made.json()["zone"] == "T-SAL"
    again = post(client, "teams/assign", asked)
    assert again.status_code == 409 and "has Salmiya already" in again.json()["detail"]
    assert post(client, "teams/assign", {**asked, "zone": places.sharq.pk}).status_code == 404
    assert post(client, "teams/assign", {**asked, "zone": places.jabriya.pk, "ends_at": asked["starts_at"]}).status_code == 422
    assert post(signed_in(cast.dispatcher), "teams/assign", asked).status_code == 403
    [team] = client.get("/api/v1/patrol/teams").json()["results"]
    assert [zone["zone"] for zone in team["zones"]] == ["T-SAL"] and team["units"] == [force.p1.pk, force.p2.pk]
    withdrawn = post(client, f"teams/zones/{made.json()['id']}/withdraw", {"reason": "Match is over"})
    assert withdrawn.status_code == 200 and ZoneAssignment.objects.get().cancelled_at is not None
    assert post(client, f"teams/zones/{made.json()['id']}/withdraw", {"reason": "Match is over"}).status_code == 409


def test_shifts_are_made_by_the_api_and_making_them_again_makes_nothing(force, cast):
    client = signed_in(cast.supervisor)
    asked = {"agency": "police", "governorate": "T-HA", "first_day": "2030-01-07", "days": 7}
    first = post(client, "shifts/make", asked).json()
    assert len(first) == 7 and [row["id"] for row in post(client, "shifts/make", asked).json()] == [row["id"] for row in first]
    assert post(client, "shifts/make", {**asked, "governorate": "T-KU"}).status_code == 404
    assert post(client, "shifts/make", {**asked, "agency": "fire"}).status_code == 404


def test_workload_and_distribution_answer_keys_without_names_and_people_with(force, reader, cast):
    asked = {"agency": "police", "governorate": "T-HA"}
    found = reader.get("patrol/teams/workload", asked).json()
    assert {row["call_sign"] for row in found["units"]} == {"P1", "P2"} and found["limits"]["week_hours"] == 48
    assert all(row["name"] is None for row in found["people"])
    assert [row["units"] for row in found["teams"]] == [2]
    client = signed_in(cast.supervisor)
    assert "Officer one" in {row["name"] for row in client.get("/api/v1/patrol/teams/workload").json()["people"]}
    assert client.get("/api/v1/patrol/teams/workload", {"governorate": "T-KU"}).status_code == 404
    assert client.get("/api/v1/patrol/teams/workload", {"agency": "fire"}).status_code == 404
    assert reader.get("patrol/teams/workload", {"agency": "police"}).status_code == 422
    assert reader.get("patrol/teams/workload", {**asked, "start": "2026-01-01T00:00:00Z"}).status_code == 422
    spread = reader.get("patrol/resources/distribution", {"agency": "police"}).json()
    assert [row["governorate"] for row in spread["governorates"]] == ["T-HA", "T-KU"]
    assert {row["name"] for row in spread["measures"]} == {"incidents", "population", "risk"}
    assert signed_in(cast.officer).get("/api/v1/patrol/resources/distribution").status_code == 403
