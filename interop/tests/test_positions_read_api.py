"""PAT-7 at the API, read: last positions, tracks, fences and visits, inside the jurisdiction; officers see their own unit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.test import Client
from django.utils import timezone

from interop.services import issue_key
from interop.tests.conftest import Caller
from patrol.models import Geofence
from patrol.services.fences import judge_fences
from patrol.services.positions import Reading, record_positions

pytestmark = pytest.mark.django_db
HOME = (47.92, 29.35)


@pytest.fixture
def somewhere(force, cast, places):
    """P1 drove east for a minute and is fresh; P2 is four minutes old; C1 and F1 belong to others; P1 stands in a fence."""
    now = timezone.now()
    Geofence.objects.create(agency=cast.police, governorate=places.hawalli, name="Market", centre=Point(*HOME), radius_m=100)
    Geofence.objects.create(
        agency=cast.fire, governorate=places.hawalli, name="Theirs", shape=Polygon.from_bbox((47.9, 29.3, 47.91, 29.31))
    )
    drive = [Reading(force.p1.pk, now - timedelta(seconds=5 * n), HOME[0] + n * 0.0006, HOME[1], 5.0, 42.0, 270.0) for n in range(12)]
    far = Reading(force.p1.pk, now - timedelta(seconds=2), 49.9, 29.35)
    others = [Reading(unit.pk, now, *HOME) for unit in (force.c1, force.f1)]
    record_positions([*drive, far, Reading(force.p2.pk, now - timedelta(minutes=4), *HOME), *others], now=now)
    judge_fences(now=now)
    return force


@pytest.fixture
def reader(police_system, places, somewhere) -> Caller:
    key, secret = issue_key(partner=police_system, name="map", scopes=["patrol:read"], by=None, governorates=[places.hawalli])
    return Caller(key, secret)


def person(user):
    client = Client()
    client.force_login(user)
    return client


def test_last_positions_with_their_age(reader):
    rows = reader.get("patrol/positions/last").json()["results"]
    assert [(row["call_sign"], row["is_stale"], row["lon"]) for row in rows] == [("P1", False, HOME[0]), ("P2", True, HOME[0])]
    assert [row["call_sign"] for row in reader.get("patrol/positions/last", {"fresh": "1"}).json()["results"]] == ["P1"]
    assert reader.get("patrol/positions/last", {"fresh": "x"}).status_code == 422


def test_the_same_as_a_map_file(reader):
    answer = reader.get("patrol/positions/last.geojson")
    assert answer["Content-Type"] == "application/geo+json"
    assert [feature["properties"]["call_sign"] for feature in answer.json()["features"]] == ["P1", "P2"]
    assert answer.json()["features"][0]["geometry"] == {"type": "Point", "coordinates": list(HOME)}


def test_a_track_marks_what_is_not_believed(reader, somewhere):
    found = reader.get(f"patrol/units/{somewhere.p1.pk}/track").json()
    assert found["total"] == 13 and len(found["lon"]) == len(found["doubt"]) == 13
    assert [doubt for doubt, is_believed in zip(found["doubt"], found["is_believed"], strict=True) if not is_believed] == ["jump"]
    assert len(reader.get(f"patrol/units/{somewhere.p1.pk}/track", {"points": "5"}).json()["at"]) == 5


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-01-01"},
        {"from": "x"},
        {"points": "1"},
        {"points": "99999"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"},
        {"from": "2026-01-03T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_window_that_is_none_is_refused(reader, somewhere, query):
    assert reader.get(f"patrol/units/{somewhere.p1.pk}/track", query).status_code == 422


def test_other_peoples_units_are_not_there(reader, somewhere):
    for unit in (somewhere.c1, somewhere.f1):
        assert reader.get(f"patrol/units/{unit.pk}/track").status_code == 404
    assert reader.get(f"patrol/units/{2**63}/track").status_code == 404


def test_fences_and_visits(reader, somewhere):
    assert [fence["name"] for fence in reader.get("patrol/geofences").json()["results"]] == ["Market"]
    visits = reader.get("patrol/visits", {"open": "1", "unit": str(somewhere.p1.pk)}).json()["results"]
    assert [(visit["call_sign"], visit["left_at"]) for visit in visits] == [("P1", None)]
    assert {visit["call_sign"] for visit in reader.get("patrol/visits").json()["results"]} == {"P1", "P2"}
    assert reader.get("patrol/visits", {"unit": "x"}).status_code == 422


def test_a_key_without_the_scope_reads_nothing(caller, somewhere):
    for path in ("positions/last", "positions/last.geojson", f"units/{somewhere.p1.pk}/track", "geofences", "visits"):
        assert caller.get(f"patrol/{path}").status_code == 403


def test_an_officer_sees_the_unit_they_are_on_duty_with_and_no_other(cast, somewhere):
    mine = person(cast.officer)
    assert [row["call_sign"] for row in mine.get("/api/v1/patrol/positions/last").json()["results"]] == ["P1"]
    assert mine.get(f"/api/v1/patrol/units/{somewhere.p1.pk}/track").status_code == 200
    assert mine.get(f"/api/v1/patrol/units/{somewhere.p2.pk}/track").status_code == 404
    assert {row["call_sign"] for row in mine.get("/api/v1/patrol/visits").json()["results"]} == {"P1"}
    assert mine.get("/api/v1/patrol/geofences").json()["results"] == []
    assert person(cast.stranger).get("/api/v1/patrol/positions/last").json()["results"] == []


def test_who_watches_units_sees_their_jurisdiction(cast, somewhere):
    names = {row["call_sign"] for row in person(cast.dispatcher).get("/api/v1/patrol/positions/last").json()["results"]}
    assert names == {"P1", "P2"}
