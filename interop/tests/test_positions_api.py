"""PAT-7 at the API: positions by key and by person, single, in batches, and as Traccar forwards them; every bad one named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.test import Client

from interop.services import issue_key
from interop.tests.conftest import Caller
from patrol.models import Duty, Position, Unit, UnitPosition

pytestmark = pytest.mark.django_db
PLACE = {"lon": 47.92, "lat": 29.35, "accuracy_m": 5}


@pytest.fixture
def trackers(force):
    """P1 and C1 carry trackers."""
    for unit in (force.p1, force.c1, force.f1):
        unit.tracker_id = f"IMEI-{unit.call_sign}"
        unit.save(update_fields=["tracker_id"])
    return force


@pytest.fixture
def telemetry(trackers, police_system, places) -> Caller:
    key, secret = issue_key(partner=police_system, name="gps", scopes=["telemetry:write"], by=None, governorates=[places.hawalli])
    return Caller(key, secret)


def at(seconds=0.0):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_position_by_tracker_call_sign_or_id(telemetry, trackers):
    for number, name in enumerate(({"tracker": "IMEI-P1"}, {"unit": "p1"}, {"unit": trackers.p1.pk})):
        answer = telemetry.post("patrol/positions", {**PLACE, **name, "at": at(-10 + number)})
        assert (answer.status_code, answer.json()["outcome"]) == (201, "accepted"), answer.content
    assert Position.objects.filter(unit=trackers.p1).count() == 3


def test_sent_again_it_is_known_already(telemetry):
    body = {**PLACE, "tracker": "IMEI-P1", "at": at()}
    assert telemetry.post("patrol/positions", body).status_code == 201
    again = telemetry.post("patrol/positions", body)
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")


@pytest.mark.parametrize(
    "name", [{"tracker": "IMEI-C1"}, {"tracker": "IMEI-F1"}, {"unit": "C1"}, {"tracker": "forged"}, {}, {"unit": True}]
)
def test_a_key_reports_for_its_own_agency_and_governorates_alone(telemetry, name):
    answer = telemetry.post("patrol/positions", {**PLACE, **name, "at": at()})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "unknown_tracker"
    assert not Position.objects.exists()


def test_two_names_of_two_units_name_neither(telemetry):
    answer = telemetry.post("patrol/positions", {**PLACE, "tracker": "IMEI-P1", "unit": "P2", "at": at()})
    assert answer.json()["errors"][0]["code"] == "unknown_tracker"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"at": at(600)}, "in_the_future"),
        ({"at": at(-30 * 86_400)}, "too_old"),
        ({"at": "2026-03-02T09:00:00"}, "bad_time"),
        ({"at": None}, "bad_time"),
        ({"at": 1e300}, "bad_time"),
        ({"lon": 0, "lat": 0}, "outside_the_world"),
        ({"lat": 120}, "outside_the_world"),
        ({"lon": "47.9"}, "not_a_number"),
        ({"lat": None}, "not_a_number"),
        ({"speed_kmh": True}, "not_a_number"),
    ],
)
def test_each_fault_has_its_name(telemetry, change, code):
    answer = telemetry.post("patrol/positions", {**PLACE, "tracker": "IMEI-P1", "at": at(), **change})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)


def test_a_batch_takes_the_good_and_names_the_others(telemetry, trackers):
    rows: list = [{**PLACE, "tracker": "IMEI-P1", "at": at(-second)} for second in range(1_000)]
    rows += [rows[0], {**PLACE, "tracker": "forged", "at": at()}, 7, {**PLACE, "tracker": "IMEI-P1", "at": at(1), "lon": 51.0}]
    answer = telemetry.post("patrol/positions", rows)
    said = answer.json()
    assert answer.status_code == 200
    assert (said["accepted"], said["duplicate"], said["refused"]) == (1_001, 1, 2)
    told = {row["index"]: (row["outcome"], row["code"], row["doubt"]) for row in said["results"] if row["doubt"] != "jitter"}
    assert told == {
        1_000: ("duplicate", "", ""),
        1_001: ("refused", "unknown_tracker", ""),
        1_002: ("refused", "not_a_number", ""),
        1_003: ("accepted", "", "jump"),
    }
    last = UnitPosition.objects.get(unit=trackers.p1)
    assert last.location.x == pytest.approx(47.92)


def test_a_batch_of_which_nothing_is_right_is_refused_row_by_row(telemetry):
    answer = telemetry.post("patrol/positions", {"positions": [{}, {"at": at()}]})
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["bad_time", "not_a_number"]


@pytest.mark.parametrize("body", [[], {"positions": []}, {"positions": {}}, [{}] * 2_001])
def test_what_is_no_batch_is_refused(telemetry, body):
    assert telemetry.post("patrol/positions", body).status_code == 422


def test_a_huge_body_is_refused_before_it_is_read(telemetry):
    assert telemetry.post("patrol/positions", b"[" + b" " * 2**20 + b"]", raw=True).status_code == 413


def test_a_key_without_the_scope_and_nobody_at_all_are_refused(caller, trackers):
    assert caller.post("patrol/positions", {**PLACE, "tracker": "IMEI-P1", "at": at()}).status_code == 403
    assert Client().post("/api/v1/patrol/positions", b"{}", content_type="application/json").status_code == 401


def as_person(user, body):
    client = Client()
    client.force_login(user)
    return client.post("/api/v1/patrol/positions", orjson.dumps(body), content_type="application/json")


def test_an_officer_reports_for_the_unit_they_are_on_duty_with(cast, trackers):
    assert as_person(cast.officer, {**PLACE, "at": at()}).status_code == 201
    assert Position.objects.get().unit_id == trackers.p1.pk and Position.objects.get().source == "phone"
    assert as_person(cast.officer, {**PLACE, "unit": "P2", "at": at()}).json()["errors"][0]["code"] == "unknown_tracker"
    Duty.objects.filter(unit=trackers.p1).update(ended_at=datetime.now(UTC))
    assert as_person(cast.officer, {**PLACE, "at": at()}).status_code == 403


def test_who_has_no_unit_reports_nothing(cast, trackers):
    for user in (cast.dispatcher, cast.auditor, cast.analyst, cast.supervisor):
        assert as_person(user, {**PLACE, "unit": "P1", "at": at()}).status_code == 403


def test_a_session_needs_its_token(cast, trackers):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.officer)
    assert client.post("/api/v1/patrol/positions", orjson.dumps(PLACE), content_type="application/json").status_code == 403


def traccar(**change):
    position = {
        "id": 1, "deviceId": 7, "protocol": "osmand", "fixTime": at(-2), "deviceTime": at(-2), "serverTime": at(), "outdated": False,
        "valid": True, "latitude": 29.35, "longitude": 47.92, "altitude": 0.0, "speed": 10.0, "course": 90.0, "accuracy": 0.0,
        "attributes": {"batteryLevel": 88.0},
    }  # fmt: skip
    return {"position": {**position, **change}, "device": {"id": 7, "name": "Car", "uniqueId": "IMEI-P1", "status": "online"}}


def test_traccar_is_understood_with_its_knots(telemetry, trackers):
    assert telemetry.post("patrol/positions/traccar", traccar()).status_code == 201
    kept = Position.objects.get()
    assert (kept.unit_id, kept.source, kept.heading_deg, kept.accuracy_m) == (trackers.p1.pk, "traccar", 90.0, None)
    assert kept.speed_kmh == pytest.approx(18.52)


def test_traccar_repeats_and_bad_ones_are_named(telemetry):
    body = traccar()
    assert [telemetry.post("patrol/positions/traccar", body).status_code for _ in range(2)] == [201, 200]
    for change, code in (
        ({"valid": False}, "no_fix"),
        ({"fixTime": None, "deviceTime": "x"}, "bad_time"),
        ({"latitude": None}, "not_a_number"),
    ):
        answer = telemetry.post("patrol/positions/traccar", traccar(**change))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert telemetry.post("patrol/positions/traccar", {"position": 3}).status_code == 422
    forged = traccar()
    forged["device"]["uniqueId"] = "IMEI-C1"
    assert telemetry.post("patrol/positions/traccar", forged).json()["errors"][0]["code"] == "unknown_tracker"


def test_a_single_position_is_few_statements(telemetry, django_assert_max_num_queries):
    telemetry.post("patrol/positions", {**PLACE, "tracker": "IMEI-P1", "at": at(-5)})
    with django_assert_max_num_queries(8):
        telemetry.post("patrol/positions", {**PLACE, "tracker": "IMEI-P1", "at": at()})


def test_a_synthetic_partners_positions_are_the_simulators(telemetry, police_system, trackers):
    police_system.is_synthetic = True
    police_system.save(update_fields=["is_synthetic"])
    telemetry.post("patrol/positions", {**PLACE, "tracker": "IMEI-P1", "at": at()})
    assert Position.objects.get().source == "simulator"
    assert Unit.objects.get(pk=trackers.p1.pk).last_position.source == "simulator"
