"""IOT-4, IOT-6: risk scores and crowds over the API: by a key or a person, each their own; another's zone is 404."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from interop.services import issue_key
from interop.tests.conftest import Caller
from iot.models import Device, DeviceOutage
from iot.services.insights import look_for_insights
from iot.services.risk import score_zones

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(police_system: Any, places: Any) -> Caller:
    return Caller(*issue_key(partner=police_system, name="iot", scopes=["telemetry:read"], by=None, governorates=[places.hawalli]))


@pytest.fixture
def scored(watch: Any, places: Any, cast: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A camera away in Salmiya; sensors of the police in Sharq, of the fire service in Jabriya."""
    camera = watch.device("K-1", "camera", places.in_salmiya, is_heard=True)
    watch.device("A-1", "environment", places.in_sharq, is_heard=True)
    watch.device("A-2", "environment", places.in_jabriya, agency=cast.fire, is_heard=True)
    DeviceOutage.objects.create(device=camera, began_at=watch.at - timedelta(hours=1), noticed_at=watch.at - timedelta(minutes=30))
    for minutes in (0, 70):
        score_zones(now=watch.at + timedelta(minutes=minutes))
    monkeypatch.setattr("django.utils.timezone.now", lambda: watch.at + timedelta(hours=2))
    return camera


def test_scores_are_listed_and_taken_apart_with_their_history(reader: Caller, scored: Any) -> None:
    rows = {row["zone"]: row for row in reader.get("iot/risk-scores").json()["results"]}
    assert set(rows) == {"T-SAL", "T-HA"} and rows["T-SAL"]["points"]["cameras_offline"] > 0
    assert {row["zone"] for row in reader.get("iot/risk-scores", {"level": "area"}).json()["results"]} == {"T-SAL"}
    one = reader.get("iot/risk-score/T-SAL").json()
    assert one["score"] == pytest.approx(sum(part["points"] for part in one["parts"]), abs=0.01)
    (line,) = next(part for part in one["parts"] if part["name"] == "cameras_offline")["evidence"]
    assert line["device"] == "K-1" and line["ended_at"] is None
    assert [moment["score"] for moment in one["history"]] == [one["score"]] * 2


def test_a_foreign_zone_one_without_sensors_and_one_that_is_none_are_not_there(reader: Caller, scored: Any) -> None:
    for zone in ("T-SHA", "T-KU", "T-JAB", "NONE", "T-KW"):
        assert reader.get(f"iot/risk-score/{zone}").status_code == 404
    assert reader.get("iot/risk-score/T-SAL", {"agency": "fire"}).status_code == 404
    assert reader.get("iot/crowd-correlation/T-SHA").status_code == 404
    assert reader.get("iot/crowd-correlation/T-SAL").json() == {"zone": "T-SAL", "name": "Salmiya", "run": None, "results": []}


@pytest.mark.parametrize("path", ["iot/risk-scores?level=block", "iot/risk-score/T-SAL?hours=0", "iot/risk-score/T-SAL?hours=999999"])
def test_what_cannot_be_asked_is_said(reader: Caller, scored: Any, path: str) -> None:
    assert reader.get(path).status_code == 422


def test_people_see_their_own_and_a_role_without_devices_nothing(cast: Any, scored: Any, caller: Caller) -> None:
    def get(person: Any, path: str) -> Any:
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(f"/api/v1/iot/{path}")

    assert {row["zone"] for row in get(cast.supervisor, "risk-scores").json()["results"]} == {"T-SAL", "T-HA"}
    assert {row["agency"] for row in get(cast.firefighter, "risk-scores").json()["results"]} == {"fire"}
    both = get(cast.superadmin, "risk-score/T-HA").json()
    assert both["agency"] == "police" and [row["agency"] for row in both["others"]] == ["fire"]
    assert get(cast.superadmin, "risk-score/T-HA?agency=fire").json()["score"] == 0
    assert get(cast.officer, "risk-scores").status_code == 403 and get(cast.officer, "risk-score/T-SAL").status_code == 403
    assert caller.get("iot/risk-scores").status_code == 403 and Client().get("/api/v1/iot/risk-scores").status_code == 401


def test_insights_are_read_by_either_and_dismissed_by_a_person(reader: Caller, scored: Any, report: Any, cast: Any, watch: Any) -> None:
    for _n in range(6):
        report(occurred_at=watch.at - timedelta(days=3))
    look_for_insights(now=watch.at)
    (row,) = reader.get("iot/insights").json()["results"]
    assert row["code"] == "camera_down" and row["device"] == "K-1" and "6 incidents" in row["text"]
    assert reader.get("iot/insights", {"state": "odd", "code": "odd"}).status_code == 422
    assert reader.post(f"iot/insights/{row['id']}/dismiss", {}).status_code == 403

    def post(person: Any) -> Any:
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client.post(f"/api/v1/iot/insights/{row['id']}/dismiss", {"reason": "seen"}, content_type="application/json")

    assert [post(who).status_code for who in (cast.firefighter, cast.analyst, cast.dispatcher, cast.dispatcher)] == [404, 403, 200, 409]
    assert reader.get("iot/insights").json()["results"] == []
    assert len(reader.get("iot/insights", {"state": "dismissed"}).json()["results"]) == 1


def test_cameras_are_listed_with_how_they_stand(reader: Caller, scored: Any, watch: Any, places: Any) -> None:
    Device.objects.filter(code="K-1").update(status="offline")
    blind = watch.device("K-2", "camera", places.in_salmiya, is_heard=True)
    Device.objects.filter(pk=blind.pk).update(status="online")
    stream = watch.stream(blind, "is_obscured")
    stream.last_value = 1.0
    stream.save(update_fields=["last_value"])
    watch.device("K-3", "camera", places.in_sharq, is_heard=True)
    rows = {row["code"]: row["health"] for row in reader.get("iot/cameras").json()["results"]}
    assert rows == {"K-1": "away", "K-2": "blind"}
    assert [row["code"] for row in reader.get("iot/cameras", {"away": "true"}).json()["results"]] == ["K-1"]
    assert reader.get("iot/cameras", {"away": "perhaps"}).status_code == 422


@pytest.mark.parametrize(
    "path", ["risk-scores?agency=%00", "risk-score/T-SAL?agency=%00", "insights?code=%00", "cameras?away=%00", "insights?cursor=x"]
)
def test_odd_letters_break_nothing(reader: Caller, scored: Any, path: str) -> None:
    assert reader.get(f"iot/{path}").status_code in (200, 404, 422)
