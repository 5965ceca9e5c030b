"""IOT-5: programs and people read anomalies of their own devices; people alone answer them; webhooks are told."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from interop.services import issue_key
from interop.services.webhooks.catalogue import CATALOGUE
from interop.tests.conftest import Caller
from iot import events
from iot.models import Anomaly, Datastream

pytestmark = pytest.mark.django_db


@pytest.fixture
def hot(sensors: Any) -> Anomaly:
    stream = Datastream.objects.create(device=sensors.salmiya, metric=sensors.air.metrics.get(code="temperature"))
    return Anomaly.objects.create(
        device=sensors.salmiya, datastream=stream, detector="threshold", severity=3, began_at=sensors.now, raised_at=sensors.now,
        last_at=sensors.now, score=5.2, evidence={"value": 72.0, "limit": 50.0, "side": "high", "unit": "°C"},
    )  # fmt: skip


@pytest.fixture
def reader(police_system, places) -> Caller:
    return Caller(*issue_key(partner=police_system, name="iot", scopes=["telemetry:read"], by=None, governorates=[places.hawalli]))


def as_person(who: Any) -> Client:
    client = Client()
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_list_and_one_with_its_numbers(reader, hot):
    (row,) = reader.get("iot/anomalies").json()["results"]
    assert row.items() >= {"id": hot.pk, "device": "AIR-1", "metric": "temperature", "severity": "high", "state": "open"}.items()
    assert row["evidence"]["limit"] == 50 and row["why"] == "72 °C: its upper limit is 50 °C."
    assert reader.get(f"iot/anomalies/{hot.pk}").json() == row
    for asked, count in (({"severity": "medium"}, 1), ({"severity": "critical"}, 0), ({"state": "resolved"}, 0), ({"device": "AIR-2"}, 0)):
        assert len(reader.get("iot/anomalies", asked).json()["results"]) == count
    assert reader.get("iot/anomalies", {"severity": "dreadful"}).status_code == 422


def test_what_lies_elsewhere_is_not_there(hot, cast, police_system, places):
    elsewhere = Caller(*issue_key(partner=police_system, name="x", scopes=["telemetry:read"], by=None, governorates=[places.capital]))
    assert elsewhere.get("iot/anomalies").json()["results"] == [] and elsewhere.get(f"iot/anomalies/{hot.pk}").status_code == 404
    assert as_person(cast.firefighter).get(f"/api/v1/iot/anomalies/{hot.pk}").status_code == 404
    assert as_person(cast.officer).get("/api/v1/iot/anomalies").status_code == 403
    assert as_person(cast.dispatcher).get(f"/api/v1/iot/anomalies/{2**70}").status_code == 404


def test_people_answer_and_keys_do_not(reader, hot, cast):
    address = f"/api/v1/iot/anomalies/{hot.pk}"
    assert reader.post(f"iot/anomalies/{hot.pk}/acknowledge", {}).status_code == 403
    client = as_person(cast.dispatcher)
    assert client.post(f"{address}/acknowledge").json()["state"] == "acknowledged"
    assert client.post(f"{address}/acknowledge").status_code == 409
    assert client.post(f"{address}/feedback", {"verdict": "useful"}, "application/json").json()["feedback"] == "useful"
    assert client.post(f"{address}/feedback", {"verdict": "perhaps"}, "application/json").status_code == 422
    assert client.post(f"{address}/resolve", {"note": "aired"}, "application/json").json()["because"] == "person"
    assert as_person(cast.auditor).post(f"{address}/resolve", {}, "application/json").status_code == 403


def test_what_sensors_announce_is_in_the_webhooks_catalogue():
    told = {events.ANOMALY_RAISED, events.ANOMALY_RESOLVED, events.DEVICE_OFFLINE, events.DEVICES_OFFLINE, events.DEVICE_FLAPPING}
    assert told <= CATALOGUE.keys() and "value" in CATALOGUE[events.ANOMALY_RAISED].values
