"""IOT-4: vehicles by zone and hour and by camera and hour over the API: counts, each caller's own, another's is 404."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from interop.services import issue_key
from interop.tests.conftest import Caller
from iot.models import Datastream, Metric, PlateHour, RollupHour
from iot.services import register_device

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(police_system: Any, places: Any) -> Caller:
    return Caller(*issue_key(partner=police_system, name="lpr", scopes=["telemetry:read"], by=None, governorates=[places.hawalli]))


@pytest.fixture
def hour(sensors: Any) -> datetime:
    return (sensors.now - timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def counted(cast: Any, places: Any, hour: datetime) -> None:
    """The police in Salmiya, Hawalli and Sharq; the fire service in Salmiya; and Salmiya three days ago."""
    rows = [
        (cast.police, places.salmiya, places.hawalli, hour, 12),
        (cast.police, places.hawalli, places.hawalli, hour, 15),
        (cast.police, places.sharq, places.capital, hour, 7),
        (cast.fire, places.salmiya, places.hawalli, hour, 3),
        (cast.police, places.salmiya, places.hawalli, hour - timedelta(days=3), 40),
    ]
    for agency, zone, governorate, at, count in rows:
        PlateHour.objects.create(agency=agency, zone=zone, governorate=governorate, hour=at, vehicles_distinct=count)


def told(answer: Any) -> list[tuple[str, str, int]]:
    assert answer.status_code == 200, answer.content
    return [(row["zone"], row["agency"], row["vehicles_distinct"]) for row in answer.json()["results"]]


def test_zones_are_told_hour_by_hour_newest_first_and_only_the_callers_own(reader: Caller, counted: None, hour: datetime) -> None:
    answer = reader.get("iot/plates/zones")
    assert told(answer) == [("T-HA", "police", 15), ("T-SAL", "police", 12)]
    (whole, area) = answer.json()["results"]
    assert datetime.fromisoformat(area["hour"]) == hour and area["level"] == "area" and whole["level"] == "governorate"
    assert set(area) == {"zone", "level", "name", "governorate", "agency", "hour", "vehicles_distinct", "counted_at"}
    since = (hour - timedelta(days=5)).isoformat()
    assert [row[2] for row in told(reader.get("iot/plates/zones", {"zone": "T-SAL", "from": since}))] == [40, 12]
    assert told(reader.get("iot/plates/zones", {"level": "governorate"})) == [("T-HA", "police", 15)]
    assert told(reader.get("iot/plates/zones", {"agency": "fire"})) == []
    assert told(reader.get("iot/plates/zones", {"from": since, "to": (hour - timedelta(days=1)).isoformat()})) == [("T-SAL", "police", 40)]


def test_pages_go_on_where_the_last_one_ended(reader: Caller, counted: None) -> None:
    first = reader.get("iot/plates/zones", {"limit": "1"})
    cursor = first.json()["next"].partition("cursor=")[2].partition("&")[0]
    assert told(first) == [("T-HA", "police", 15)] and told(reader.get(f"iot/plates/zones?limit=1&cursor={cursor}")) == [
        ("T-SAL", "police", 12)
    ]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("plates/zones?zone=T-SHA", 404),
        ("plates/zones?zone=NONE", 404),
        ("plates/zones?zone=%00", 404),
        ("plates/zones?agency=%00", 404),
        ("plates/zones?level=block", 422),
        ("plates/zones?from=2020-01-01T00:00:00Z", 422),
        ("plates/zones?from=yesterday", 422),
        ("plates/zones?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 422),
        ("plates/zones?limit=9999", 422),
        ("plates/zones?cursor=x", 422),
        ("plates/cameras/LPR-1?from=2026-01-01T00:00:00Z", 422),
        ("plates/cameras/LPR-2", 404),
        ("plates/cameras/NONE", 404),
        ("plates/cameras/AIR-1", 404),
    ],
)
def test_what_is_foreign_or_too_much_is_refused(reader: Caller, counted: None, cameras: Any, asked: str, status: int) -> None:
    assert reader.get(f"iot/{asked}").status_code == status


@pytest.fixture
def cameras(sensors: Any, cast: Any, places: Any, hour: datetime) -> list[Any]:
    """A plate counter in Salmiya with two hours, one in Sharq."""
    for code in ("vehicles_read", "vehicles_distinct_hour"):
        Metric.objects.create(profile=sensors.air, code=code, name_en=code, name_ar=code)
    made = [
        register_device(code=code, profile=sensors.air, agency=cast.police, by=None, location=where)
        for code, where in (("LPR-1", places.in_salmiya), ("LPR-2", places.in_sharq))
    ]
    for device in made:
        read, distinct = (
            Datastream.objects.get_or_create(device=device, metric=Metric.objects.get(profile=sensors.air, code=code))[0]
            for code in ("vehicles_read", "vehicles_distinct_hour")
        )
        for at, total, most in ((hour - timedelta(hours=1), 30, None), (hour, 44, 21)):
            RollupHour.objects.create(datastream=read, at=at, n=4, min=1, max=20, sum=total, last=5, last_at=at)
            if most is not None:
                RollupHour.objects.create(datastream=distinct, at=at, n=4, min=3, max=most, sum=50, last=most, last_at=at)
    Datastream.objects.filter(device__code="AIR-1", metric__code="vehicles_read").delete()
    return made


def test_a_camera_tells_its_hours_read_summed_and_different_ones_at_their_most(reader: Caller, cameras: Any, hour: datetime) -> None:
    rows = reader.get("iot/plates/cameras/LPR-1").json()
    assert [(datetime.fromisoformat(row["hour"]), row["vehicles_read"], row["vehicles_distinct"]) for row in rows] == [
        (hour - timedelta(hours=1), 30, None),
        (hour, 44, 21),
    ]
    assert len(reader.get("iot/plates/cameras/LPR-1", {"from": hour.isoformat()}).json()) == 1


def test_people_see_their_own_a_role_without_devices_and_a_key_without_the_scope_nothing(
    cast: Any, counted: None, cameras: Any, caller: Caller
) -> None:
    def get(person: Any, path: str) -> Any:
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(f"/api/v1/iot/plates/{path}")

    assert {row[1] for row in told(get(cast.firefighter, "zones"))} == {"fire"}
    assert get(cast.firefighter, "cameras/LPR-1").status_code == 404 and get(cast.supervisor, "cameras/LPR-1").status_code == 200
    for path in ("zones", "cameras/LPR-1"):
        assert get(cast.officer, path).status_code == 403 and caller.get(f"iot/plates/{path}").status_code == 403
        assert Client().get(f"/api/v1/iot/plates/{path}").status_code == 401
