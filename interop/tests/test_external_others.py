"""INT-3: what else partners pull: hot spots with their outlines, alerts, forecasts, risk, zones, coverage, health."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point, Polygon

from alerts.models import Alert
from incidents.models import Forecast, HotSpot, PipelineRun, Surface
from interop.services import issue_key
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
READS = ["incidents:read", "hotspots:read", "alerts:read", "forecasts:read", "patrol:read"]


@pytest.fixture
def partner(police_system):
    def make(scopes=READS, governorates=(), precision="exact"):
        key, secret = issue_key(
            partner=police_system, name="pull", scopes=list(scopes), by=None, governorates=governorates, all_governorates=not governorates,
            precision=precision,
        )  # fmt: skip
        return Caller(key, secret)

    return make


@pytest.fixture
def run(places):
    return PipelineRun.objects.create(key="pull", as_of=NOW, code_version="test")


@pytest.fixture
def hot_spots(run, places):
    def make(rank, west, zone, area, **given):
        facts = {
            "run": run, "region": places.region, "governorate": zone, "area": area, "rank": rank, "incident_count": 10 * rank,
            "hull": Polygon.from_bbox((west, 29.34, west + 0.01, 29.35)), "centre": Point(west + 0.005, 29.345, srid=4326), "area_km2": 1.0,
            "density_per_km2": 10.0, "severity_score": 5.0 / rank, "window_from": NOW - timedelta(days=28), "window_to": NOW,
            "is_current": True, "leading_types": [["burglary", 4]], "change": "born",
        }  # fmt: skip
        return HotSpot.objects.create(**{**facts, **given})

    return [make(1, 47.92, places.hawalli, places.salmiya), make(2, 47.85, places.capital, places.sharq)]


@pytest.fixture
def surface(run, places):
    return Surface.objects.create(
        run=run, region=places.region, kind="risk", category="", horizon="day", role="published", model="fading", cell_m=250.0, srid=32638,
        origin_x_m=0.0, origin_y_m=0.0, columns=[3158, 3159, 3131], rows=[12993, 12993, 12993], values=[0.5, 0.9, 0.7], classes=[3, 5, 4],
        governorate_ids=[places.hawalli.pk, places.hawalli.pk, places.capital.pk],
        area_ids=[places.salmiya.pk, places.salmiya.pk, places.sharq.pk], part_names=["fading"], parts=[0.5, 0.9, 0.7],
        learnt_from=NOW - timedelta(days=90), learnt_to=NOW, is_current=True, parameters={},
    )  # fmt: skip


def rows(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_hot_spots_come_with_their_outlines_and_only_where_the_key_sees(partner, hot_spots, places):
    caller = partner()
    told = rows(caller.get("external/hotspots"))
    assert [row["rank"] for row in told] == [1, 2] and told[0]["hull"]["type"] == "Polygon"
    assert told[0]["location"] == pytest.approx({"longitude": 47.925, "latitude": 29.345})
    assert [row["rank"] for row in rows(caller.get("external/hotspots", {"bbox": "47.9,29.3,48,29.4"}))] == [1]
    assert [row["rank"] for row in rows(caller.get("external/hotspots", {"zone": "T-SHA", "sort": "-severity_score"}))] == [2]
    assert rows(caller.get("external/hotspots", {"category": "property"})) == []
    here = partner(governorates=[places.hawalli])
    assert [row["rank"] for row in rows(here.get("external/hotspots"))] == [1]
    assert here.get(f"external/hotspots/{hot_spots[0].pk}").json()["rank"] == 1
    assert here.get(f"external/hotspots/{hot_spots[1].pk}").status_code == 404
    shapes = caller.get("external/hotspots.geojson", {"fields": "rank"}).json()["features"]
    assert [(one["geometry"]["type"], one["properties"]) for one in shapes] == [("Polygon", {"rank": 1}), ("Polygon", {"rank": 2})]


def test_an_outline_tells_no_more_than_the_key_is_told(partner, hot_spots, places):
    (grid, _other), (area, _another) = (rows(partner(precision=told).get("external/hotspots")) for told in ("100m", "area"))
    assert grid["hull"]["coordinates"][0][0] != [47.92, 29.34] and grid["hull"]["coordinates"][0][0] == grid["hull"]["coordinates"][0][-1]
    assert area["hull"] is None
    assert area["location"]["longitude"] == pytest.approx(places.salmiya.label_point.x, abs=1e-6)


def test_forecasts_by_zone_level_and_day(partner, run, places):
    for zone in (places.hawalli, places.salmiya, places.capital):
        for day in (date(2026, 3, 15), date(2026, 3, 16)):
            Forecast.objects.create(
                run=run, region=places.region, zone=zone, day=day, expected=3.0, low=1.0, high=6.0, method="counts", history_days=60,
                is_current=True, baselines={"mean": {"mean": 2.0, "dispersion": 1.0}},
            )  # fmt: skip
    caller = partner()
    assert len(rows(caller.get("external/forecasts"))) == 6
    assert {row["zone_code"] for row in rows(caller.get("external/forecasts", {"zone": "T-HA"}))} == {"T-HA", "T-SAL"}
    assert len(rows(caller.get("external/forecasts", {"level": "area", "day_since": "2026-03-16"}))) == 1
    page = caller.get("external/forecasts", {"limit": 4})
    following = caller.get(page.json()["next"].split("/api/v1/", 1)[1])
    assert len({row["id"] for row in rows(page) + rows(following)}) == 6
    assert {row["zone_code"] for row in rows(partner(governorates=[places.capital]).get("external/forecasts"))} == {"T-KU"}
    assert caller.get("external/forecasts", {"day_since": "2026-02-30"}).status_code == 422
    assert caller.get("external/forecasts.csv").status_code == 200


def test_alerts_without_anybodys_name(partner, cast, places, officer_alert):
    caller = partner()
    (row,) = rows(caller.get("external/alerts"))
    assert row["id"] == officer_alert.pk and "acknowledged_by" not in row and row["location"] == {"longitude": 47.92, "latitude": 29.35}
    assert len(rows(caller.get("external/alerts", {"zone": "T-HA", "level": row["level"], "state": "firing"}))) == 1
    assert rows(caller.get("external/alerts", {"state": "resolved"})) == []
    assert caller.get(f"external/alerts/{officer_alert.pk}").status_code == 200
    assert partner(governorates=[places.capital]).get(f"external/alerts/{officer_alert.pk}").status_code == 404
    (coarse,) = rows(partner(precision="100m").get("external/alerts"))
    assert coarse["location"] != row["location"] and coarse["text"] == "" and coarse["title_en"] == ""


@pytest.fixture
def officer_alert(cast, places):
    return Alert.objects.create(
        key="7e4a4c8e-3f3f-4a5e-9d53-0d5a3a6f2d11", kind="manual", fingerprint="f", level="high", title_en="At House 7",
        title_ar="عند المنزل",
        text="House 7", agency=cast.police, governorate=places.hawalli, zone=places.salmiya, location=places.in_salmiya, caused_at=NOW,
        last_seen_at=NOW, resolve_due_at=NOW + timedelta(days=1),
    )  # fmt: skip


def test_risk_is_told_by_cell_and_pages_are_of_one_surface(partner, surface, places):
    caller = partner()
    page = caller.get("external/risk", {"limit": 2})
    assert [row["value"] for row in rows(page)] == [0.9, 0.7] and page.json()["surface"]["model"] == "fading"
    following = caller.get(page.json()["next"].split("/api/v1/", 1)[1])
    assert [row["value"] for row in rows(following)] == [0.5] and following.json()["next"] is None
    assert [row["value"] for row in rows(caller.get("external/risk", {"zone": "T-SHA"}))] == [0.7]
    assert [row["value"] for row in rows(caller.get("external/risk", {"class_from": 5}))] == [0.9]
    assert [row["value"] for row in rows(partner(governorates=[places.capital]).get("external/risk"))] == [0.7]
    assert caller.get("external/risk", {"horizon": "month"}).status_code == 404
    assert len(caller.get("external/risk.geojson").json()["features"]) == 3
    assert b"".join(caller.get("external/risk.csv")).count(b"\n") == 4


def test_risk_is_told_by_area_to_a_key_of_areas(partner, surface):
    told = rows(partner(precision="area").get("external/risk"))
    assert [(row["area"], row["value"], row["column"]) for row in told] == [("T-SAL", 1.4, None), ("T-SHA", 0.7, None)]


def test_zones_of_the_keys_governorates_with_outlines_where_asked(partner, places):
    caller = partner(governorates=[places.hawalli])
    assert [row["code"] for row in rows(caller.get("external/zones"))] == ["T-HA", "T-JAB", "T-KW", "T-SAL"]
    assert "boundary" not in rows(caller.get("external/zones"))[0]
    (one,) = caller.get("external/zones.geojson", {"zone": "T-SAL"}).json()["features"]
    assert one["geometry"]["type"] == "MultiPolygon" and one["properties"]["parent"] == "T-HA"
    assert [row["code"] for row in rows(caller.get("external/zones", {"level": "area", "sort": "-code"}))] == ["T-SAL", "T-JAB"]
    assert caller.get("external/zones", {"zone": "T-KU"}).status_code == 422


def test_coverage_is_told_inside_the_jurisdiction_alone(partner, places, cast):
    caller = partner(governorates=[places.hawalli])
    assert caller.get("external/patrol/coverage").status_code == 422
    assert caller.get("external/patrol/coverage", {"governorate": "T-KU"}).status_code == 404
    assert caller.get("external/patrol/coverage", {"governorate": "T-HA", "agency": "fire"}).status_code == 404
    nothing_known = caller.get("external/patrol/coverage", {"governorate": "T-HA", "hours": 2})
    assert nothing_known.status_code == 409 and "too little history" in nothing_known.json()["detail"]


def test_health_says_what_the_key_may_do_and_how_fresh_it_is(partner, hot_spots, report):
    report()
    told = partner(scopes=["hotspots:read"], precision="100m").get("external/health").json()
    assert told["status"] == "ok" and told["key"]["precision"] == "100m" and told["key"]["scopes"] == ["hotspots:read"]
    assert told["newest"] == {"hotspots": "2026-03-14T12:00:00Z", "risk": None}
    assert set(partner().get("external/health").json()["newest"]) == {"incidents", "hotspots", "risk", "forecasts", "alerts"}
    assert partner(scopes=["incidents:write"]).get("external/health").status_code == 403


@pytest.mark.parametrize("path", ["hotspots", "alerts", "forecasts", "risk", "zones", "patrol/coverage", "health"])
def test_each_wants_its_scope_a_key_and_a_question_it_understands(partner, client, path, surface):
    assert partner(scopes=["telemetry:write"]).get(f"external/{path}").status_code == 403
    assert client.get(f"/api/v1/external/{path}").status_code == 401
    assert partner().get(f"external/{path}", {"order_by": "id"}).status_code == 422


@pytest.mark.parametrize("path", ["hotspots", "hotspots.geojson", "alerts", "alerts.geojson"])
def test_addresses_that_tell_places_exactly_are_closed_to_keys_that_are_not_told_so(partner, path):
    assert partner().get(path).status_code == 200
    closed = partner(precision="100m").get(path)
    assert closed.status_code == 403 and closed.json()["type"].endswith("less_precise")
