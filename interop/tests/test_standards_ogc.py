"""INT-6: OGC API Features, read by GDAL (`ogrinfo OAPIF:`) and OWSLib from our running server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.test import Client

from incidents.models import HotSpot, PipelineRun
from interop.models import Precision
from interop.services import issue_key

SCOPES = ["incidents:read", "hotspots:read", "alerts:read"]
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG4326 = "http://www.opengis.net/def/crs/EPSG/0/4326"
UTM38 = "http://www.opengis.net/def/crs/EPSG/0/32638"


def key_of(police_system, **given):
    return issue_key(**{"partner": police_system, "name": "gis", "scopes": SCOPES, "by": None, "all_governorates": True} | given)[1]


@pytest.fixture
def gis(police_system):
    return key_of(police_system)


def ask(secret, path="", **params):
    address = f"/api/v1/ogc{path}?{urlencode(params)}"
    return Client(raise_request_exception=False).get(address, headers={"X-API-Key": secret})


def items(secret, collection="incidents", **params):
    told = ask(secret, f"/collections/{collection}/items", **{name.replace("_", "-"): value for name, value in params.items()})
    assert told.status_code == 200, told.content
    return told.json()


def in_metres(longitude, latitude):
    point = Point(longitude, latitude, srid=4326)
    point.transform(32638)
    return point.coords


def ogrinfo(live_site, secret, *arguments):
    if not shutil.which("ogrinfo"):
        pytest.skip("ogrinfo is not installed (apt-get install gdal-bin)")
    environment = os.environ | {"GDAL_HTTP_HEADERS": f"X-API-Key: {secret}"}
    command = ["ogrinfo", "-ro", "-al", f"OAPIF:{live_site.url}/api/v1/ogc", *arguments]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0 and "ERROR" not in told.stderr, told.stderr
    return told.stdout


def test_gdal_reads_pages_and_puts_each_point_where_it_is(live_site, report, gis, places):
    for _n in range(3):
        report(location=Point(47.92, 29.35, srid=4326))
    told = ogrinfo(live_site, gis, "incidents", "-oo", "PAGE_SIZE=2")
    assert "Feature Count: 3" in told
    assert told.count("POINT (47.92 29.35)") == 3
    assert "is_synthetic" in told and "burglary" in told
    boundaries = ogrinfo(live_site, gis, "zones", "-geom=SUMMARY")
    assert "T-SAL" in boundaries and "MULTIPOLYGON" in boundaries


def test_owslib_reads_the_axes_of_each_reference_system(live_site, report, gis, fire, places):
    from owslib.ogcapi.features import Features

    incident = report(location=Point(47.92, 29.35, srid=4326))
    fire()
    service = Features(f"{live_site.url}/api/v1/ogc/", headers={"X-API-Key": gis})
    assert sorted(service.feature_collections()) == ["alerts", "hotspots", "incidents", "zones"]
    assert any("part2" in part or "features-2" in part for part in service.conformance()["conformsTo"])
    assert service.api()["openapi"].startswith("3.0")
    assert UTM38 in service.collection("incidents")["crs"]

    def place(crs):
        return service.collection_items("incidents", crs=crs)["features"][0]["geometry"]["coordinates"]

    assert place(CRS84) == [47.92, 29.35]
    assert place(EPSG4326) == [29.35, 47.92]
    metres = incident.location.transform(32638, clone=True)
    assert place(UTM38) == pytest.approx([metres.x, metres.y], abs=0.02)
    one = service.collection_item("incidents", incident.ref)
    assert one["id"] == incident.ref and one["properties"]["type"] == "burglary"
    assert service.collection_items("alerts")["features"][0]["properties"]["level"] == "high"
    north_west = service.collection_items("incidents", bbox=[47.91, 29.34, 47.93, 29.36])
    assert north_west["numberReturned"] == 1


def test_a_box_is_read_in_the_axes_of_its_own_system(report, gis):
    report(location=Point(47.92, 29.35, srid=4326))
    x, y = in_metres(47.92, 29.35)
    around = f"{x - 50},{y - 50},{x + 50},{y + 50}"
    beside = f"{x + 50},{y - 50},{x + 150},{y + 50}"
    assert len(items(gis, bbox="47.91,29.34,47.93,29.36")["features"]) == 1
    assert len(items(gis, bbox="29.34,47.91,29.36,47.93", bbox_crs=EPSG4326)["features"]) == 1
    assert len(items(gis, bbox="29.34,47.91,29.36,47.93")["features"]) == 0
    assert len(items(gis, bbox=around, bbox_crs=UTM38)["features"]) == 1
    assert len(items(gis, bbox=beside, bbox_crs=UTM38)["features"]) == 0
    assert len(items(gis, bbox="47.91,29.34,-5,47.93,29.36,500")["features"]) == 1
    assert len(items(gis, bbox="170,29.3,-170,29.4")["features"]) == 0  # across 180 degrees


def test_pages_follow_one_another_while_new_ones_come_in(report, gis):
    first = {report().ref for _n in range(3)}
    page = items(gis, limit=2)
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    late = report().ref
    rest = Client().get(following, headers={"X-API-Key": gis}).json()
    seen = [feature["id"] for feature in page["features"] + rest["features"]]
    assert sorted(seen) == sorted(first) and late not in seen
    assert not any(link["rel"] == "next" for link in rest["links"])
    assert page["numberReturned"] == 2 and "numberMatched" not in page


def test_time_is_an_instant_an_interval_or_open_at_an_end(report, gis):
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    report(occurred_at=at)
    for asked, count in (
        ("2026-03-01T12:00:00Z", 1), ("2026-03-01T12:00:01Z", 0), ("2026-03-01T00:00:00Z/2026-03-02T00:00:00Z", 1), 
        ("../2026-02-28T00:00:00Z", 0),
        ("2026-03-01T15:00:00+03:00/..", 1), ("2026-03-01", 1), ("/2026-03-01", 1),
    ):  # fmt: skip
        assert len(items(gis, datetime=asked)["features"]) == count, asked


@pytest.mark.parametrize(
    "bad",
    [
        {"bbox": "1,2,3"}, {"bbox": "a,b,c,d"}, {"bbox": "nan,0,1,1"}, {"bbox": "1,9,2,3"}, {"bbox": "0,0,0,999"},
        {"bbox": "1,2,3,4,5,6,7"},
        {"crs": "EPSG:4326"}, {"bbox-crs": "http://nowhere"}, {"datetime": "yesterday"}, {"datetime": "../.."},
        {"datetime": "2026-03-01T00:00:00"},
        {"datetime": "2026-03-02/2026-03-01"}, {"limit": "0"}, {"limit": "-1"}, {"limit": "x"}, {"after": "1;drop"}, {"after": "9" * 30},
        {"order_by": "-id"}, {"f": "html"}, {"bbox": "1e300,1,1e301,2", "bbox-crs": UTM38},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_never_a_wider_answer(gis, bad):
    told = ask(gis, "/collections/incidents/items", **bad)
    assert told.status_code == 400 and told["Content-Type"].startswith("application/problem+json")


def test_what_a_key_may_not_see_does_not_exist_and_is_not_counted(police_system, places, report, fire):
    secret = key_of(police_system, all_governorates=False, governorates=[places.capital])
    incident, alert = report(), fire()
    assert items(secret)["features"] == [] and items(secret, "alerts")["features"] == []
    for path in (
        f"incidents/items/{incident.ref}",
        f"alerts/items/{alert.pk}",
        f"zones/items/{places.hawalli.pk}",
        "zones/items/x",
        "nothing",
    ):
        assert ask(secret, f"/collections/{path}").status_code == 404
    zones = items(secret, "zones")
    assert {feature["properties"]["code"] for feature in zones["features"]} == {"T-KW", "T-KU", "T-SHA"} and zones["numberMatched"] == 3


def test_a_collection_wants_its_scope_and_is_not_offered_without(police_system):
    secret = key_of(police_system, scopes=["alerts:read"])
    assert [one["id"] for one in ask(secret, "/collections").json()["collections"]] == ["zones", "alerts"]
    assert ask(secret, "/collections/incidents/items").status_code == 403
    assert Client().get("/api/v1/ogc").status_code == 401
    assert Client().get("/api/v1/ogc/collections/zones/items").status_code == 401


def test_a_key_is_told_places_as_exactly_as_it_was_made(police_system, report, gis, places):
    incident = report(location=Point(47.9234, 29.3517, srid=4326))
    coarse, area = (key_of(police_system, precision=how) for how in (Precision.GRID, Precision.AREA))
    exact = items(gis)["features"][0]["geometry"]["coordinates"]
    snapped = items(coarse)["features"][0]["geometry"]["coordinates"]
    assert exact == [47.9234, 29.3517] and snapped != exact
    x, y = in_metres(*snapped)
    assert (x % 100, y % 100) == pytest.approx((50, 50), abs=0.2)
    assert items(area)["features"][0]["geometry"]["coordinates"] == pytest.approx(list(places.salmiya.label_point.coords))
    assert "description" not in items(area)["features"][0]["properties"]
    tight = "47.92339,29.35169,47.92341,29.35171"
    assert len(items(gis, bbox=tight)["features"]) == 1 and len(items(coarse, bbox=tight)["features"]) == 0
    assert ask(area, f"/collections/incidents/items/{incident.ref}").json()["geometry"]["coordinates"] != exact


def test_what_a_person_typed_is_for_exact_keys(police_system, fire, gis):
    fire()
    coarse = key_of(police_system, precision=Precision.GRID)
    assert items(gis, "alerts")["features"][0]["properties"]["title_en"] == "Smoke over the market"
    assert items(coarse, "alerts")["features"][0]["properties"]["title_en"] == ""


def test_a_hot_spots_outline_is_for_exact_keys(police_system, places, gis):
    now = datetime.now(UTC)
    hull = Polygon.from_bbox((47.91, 29.34, 47.915, 29.345))
    HotSpot.objects.create(
        run=PipelineRun.objects.create(key="run-1", as_of=now, status="done"), region=places.region, governorate=places.hawalli,
        area=places.salmiya, rank=1, hull=hull, centre=hull.centroid, incident_count=42, area_km2=0.25, density_per_km2=168.0,
        severity_score=80, leading_types=[], window_from=now - timedelta(days=30), window_to=now, is_current=True,
    )  # fmt: skip
    coarse = key_of(police_system, precision=Precision.AREA)
    assert {feature["geometry"]["type"] for feature in items(gis, "hotspots")["features"]} == {"Polygon"}
    assert {feature["geometry"]["type"] for feature in items(coarse, "hotspots")["features"]} == {"Point"}
    assert items(gis, "hotspots", bbox="47.9,29.33,47.92,29.35")["numberMatched"] == 1


def test_a_page_costs_the_same_however_long(report, gis, django_assert_max_num_queries):
    for _n in range(6):
        report()
    with django_assert_max_num_queries(8):
        assert len(items(gis)["features"]) == 6


def test_an_unlocated_incident_has_no_geometry(report, gis):
    report(location=None)
    told = ask(gis, "/collections/incidents/items", crs=EPSG4326)
    assert json.loads(told.content)["features"][0]["geometry"] is None
    assert told["Content-Crs"] == f"<{EPSG4326}>" and told["Content-Type"].startswith("application/geo+json")
    assert datetime.now(UTC) - timedelta(days=1) < datetime.fromisoformat(told.json()["features"][0]["properties"]["occurred_at"])
