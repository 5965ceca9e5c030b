"""CMD-2, ANA-1, ANA-6: the map's data. Who may see which point, what a forged or huge question gets, and what it costs."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.utils import timezone

from conftest import Cast, Places
from dashboard import layers
from dashboard.layers import crowd_of, feature_of
from incidents.models import Forecast, HotSpot, Incident, IncidentType, PipelineRun
from incidents.services import mark_duplicate

INCIDENTS = "/map/incidents.geojson"


@pytest.fixture
def run(db: None) -> PipelineRun:
    return PipelineRun.objects.create(key="test-run", as_of=timezone.now(), status="done", finished_at=timezone.now())


@pytest.fixture
def hot_spot(run: PipelineRun, places: Places) -> Callable[..., HotSpot]:
    count = 0

    def make(**given: Any) -> HotSpot:
        nonlocal count
        count += 1
        west = 47.91 + count / 1000
        hull = Polygon.from_bbox((west, 29.34, west + 0.005, 29.345))
        details: dict[str, Any] = {
            "run": run,
            "region": places.region,
            "governorate": places.hawalli,
            "area": places.salmiya,
            "rank": count,
            "hull": hull,
            "centre": hull.centroid,
            "incident_count": 20,
            "area_km2": 0.25,
            "density_per_km2": 80.0 * count,
            "severity_score": 40,
            "previous_count": 10,
            "window_from": timezone.now() - timedelta(days=30),
            "window_to": timezone.now(),
            "is_current": True,
        }
        return HotSpot.objects.create(**{**details, **given})

    return make


@pytest.fixture
def forecast(run: PipelineRun, places: Places) -> Callable[..., list[Forecast]]:
    def make(zone: Any, *, start: Any = None, method: str = "prophet") -> list[Forecast]:
        start = start or timezone.localdate()
        return Forecast.objects.bulk_create(
            Forecast(
                run=run,
                region=places.region,
                zone=zone,
                day=start + timedelta(days=ahead),
                expected=4 + ahead,
                low=2,
                high=12,
                method=method,
                history_days=730,
                is_current=True,
            )
            for ahead in range(7)
        )

    return make


def refs(response: Any) -> set[str]:
    return {feature["properties"]["ref"] for feature in response.json()["features"]}


def test_an_incident_is_a_point_with_what_a_reader_asks(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    incident = report(severity=4, priority=1)
    client.force_login(cast.officer)
    response = client.get(INCIDENTS)
    assert response["Content-Type"] == "application/geo+json"
    body = response.json()
    assert (body["shown"], body["total"], body["unlocated"]) == (1, 1, 0)
    (feature,) = body["features"]
    assert feature["id"] == incident.pk
    assert feature["geometry"] == {"type": "Point", "coordinates": [47.92, 29.35]}
    assert feature["properties"] == {
        "id": incident.pk,
        "ref": incident.ref,
        "severity": 4,
        "priority": 1,
        "state": "received",
        "type": "Burglary",
        "category": "property",
        "place": "Salmiya",
        "at": int(incident.occurred_at.timestamp()),
    }


def test_a_live_update_has_the_shape_of_the_file(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    report()
    client.force_login(cast.officer)
    assert client.get(INCIDENTS).json()["features"] == [feature_of(Incident.objects.for_card().get())]


def test_an_incident_without_a_place_is_counted_and_not_drawn(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    report(location=None)
    client.force_login(cast.officer)
    assert {k: client.get(INCIDENTS).json()[k] for k in ("total", "unlocated")} == {"total": 0, "unlocated": 1}
    assert feature_of(Incident.objects.for_card().get()) is None


def test_names_come_in_the_readers_language(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    report()
    client.force_login(cast.officer)
    properties = client.get(INCIDENTS, headers={"accept-language": "ar"}).json()["features"][0]["properties"]
    assert (properties["type"], properties["place"]) == ("سرقة منزل", "السالمية")


def test_each_viewer_sees_their_jurisdiction_alone(client: Any, cast: Cast, places: Places, report: Callable[..., Incident]) -> None:
    here, there = report(), report(location=places.in_sharq)
    for person, expected in (
        (cast.officer, {here.ref}),
        (cast.stranger, {there.ref}),
        (cast.firefighter, set()),
        (cast.superadmin, {here.ref, there.ref}),
    ):
        client.force_login(person)
        assert refs(client.get(INCIDENTS)) == expected, person


def test_closed_and_duplicate_incidents_leave_the_map(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    original = report()
    mark_duplicate(incident=report(), original=original, by=None)
    client.force_login(cast.officer)
    assert refs(client.get(INCIDENTS)) == {original.ref}


@pytest.mark.parametrize("path", [INCIDENTS, "/map/hotspots.geojson", "/map/forecast/1.json"])
def test_a_script_that_lost_its_session_gets_401_and_no_redirect(client: Any, db: None, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


def test_a_disabled_account_gets_nothing(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    report()
    client.force_login(cast.officer)
    cast.officer.is_active = False
    cast.officer.save(update_fields=["is_active"])
    assert client.get(INCIDENTS).status_code == 401


def test_only_reading_is_offered(client: Any, cast: Cast) -> None:
    client.force_login(cast.officer)
    assert client.post(INCIDENTS).status_code == 405


def test_an_unknown_layer_is_not_found(client: Any, cast: Cast) -> None:
    client.force_login(cast.officer)
    assert client.get("/map/labels.geojson").status_code == 404
    assert client.get("/map/nonsense.geojson").status_code == 404


def test_the_map_takes_the_boards_filters(client: Any, cast: Cast, places: Places, report: Callable[..., Incident]) -> None:
    worst, quiet = report(severity=4), report(severity=1, location=places.in_jabriya)
    client.force_login(cast.officer)
    assert refs(client.get(INCIDENTS, {"severity": [4]})) == {worst.ref}
    assert refs(client.get(INCIDENTS, {"area": places.jabriya.pk})) == {quiet.ref}
    assert refs(client.get(INCIDENTS, {"q": worst.ref})) == {worst.ref}


@pytest.mark.parametrize("query", ["severity=9", "severity=x", "governorate=-1", "area=999999999999999999999", "period=forever"])
def test_a_filter_nobody_knows_is_named_and_shows_nothing_foreign(
    client: Any, cast: Cast, places: Places, report: Callable[..., Incident], query: str
) -> None:
    mine = report()
    report(location=places.in_sharq)
    client.force_login(cast.officer)
    response = client.get(f"{INCIDENTS}?{query}")
    assert response.json()["ignored"] == [query.split("=")[0].replace("period", "occurred").capitalize()]
    assert refs(response) == {mine.ref}


def test_past_the_cap_the_answer_says_how_many_there_are(
    client: Any, cast: Cast, report: Callable[..., Incident], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "MAX_FEATURES", 2)
    newest = [report().ref for _ in range(3)][1:]
    client.force_login(cast.officer)
    response = client.get(INCIDENTS)
    assert {k: response.json()[k] for k in ("shown", "total")} == {"shown": 2, "total": 3}
    assert refs(response) == set(newest)


def test_nothing_new_is_a_304_and_a_change_is_not(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    report()
    client.force_login(cast.officer)
    first = client.get(INCIDENTS)
    assert first["Cache-Control"] == "private, no-cache"
    again = client.get(INCIDENTS, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    report()
    assert client.get(INCIDENTS, headers={"if-none-match": first["ETag"]}).status_code == 200


def test_a_browser_that_takes_gzip_gets_the_same_in_an_eighth(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    for _ in range(30):
        report()
    client.force_login(cast.officer)
    plain, pressed = client.get(INCIDENTS), client.get(INCIDENTS, headers={"accept-encoding": "gzip, br"})
    assert pressed["Content-Encoding"] == "gzip"
    assert gzip.decompress(pressed.content) == plain.content
    assert len(pressed.content) * 5 < len(plain.content)
    assert client.get(INCIDENTS, headers={"accept-encoding": "gzip", "if-none-match": plain["ETag"]}).status_code == 304


def test_the_maps_page_lists_what_its_reader_may_see(client: Any, cast: Cast, places: Places, report: Callable[..., Incident]) -> None:
    here, there = report(), report(location=places.in_sharq)
    client.force_login(cast.officer)
    for path in ("/map/", "/map/list/"):
        page = client.get(path).content.decode()
        assert here.ref in page
        assert there.ref not in page
    assert 'data-bounds="[47.9,29.3,48.0,29.4]"' in client.get("/map/").content.decode()


def test_the_list_beside_the_map_takes_its_filters(client: Any, cast: Cast, places: Places, report: Callable[..., Incident]) -> None:
    worst, mild = report(severity=4), report(severity=1)
    client.force_login(cast.officer)
    page = client.get("/map/list/?severity=4").content.decode()
    assert worst.ref in page
    assert mild.ref not in page
    assert 'data-query="severity=4"' in page
    assert "No incident matches these filters." in client.get("/map/list/?severity=3").content.decode()


def test_somebody_without_a_governorate_gets_a_page_and_not_an_error(client: Any, cast: Cast, report: Callable[..., Incident]) -> None:
    report()
    cast.officer.governorates.clear()
    client.force_login(cast.officer)
    assert 'data-bounds=""' in client.get("/map/").content.decode()
    assert client.get(INCIDENTS).json()["total"] == 0
    for path in ("/hotspots/", "/forecast/"):
        assert client.get(path).status_code == 200, path


def test_the_points_cost_the_same_however_many(
    client: Any, cast: Cast, report: Callable[..., Incident], django_assert_num_queries: Any
) -> None:
    for _ in range(4):
        report()
    client.force_login(cast.officer)
    with django_assert_num_queries(5):  # session, person, governorates, counts, points
        client.get(INCIDENTS)


def test_hot_spots_come_with_their_step_on_the_ramp(client: Any, cast: Cast, hot_spot: Callable[..., HotSpot]) -> None:
    for _ in range(5):
        hot_spot()
    client.force_login(cast.officer)
    body = client.get("/map/hotspots.geojson").json()
    assert [feature["properties"]["step"] for feature in body["features"]] == [1, 2, 3, 4, 5]
    assert (body["lowest"], body["highest"]) == (80, 400)
    assert body["features"][0]["properties"]["place"] == "Salmiya"
    assert body["features"][0]["geometry"]["type"] == "Polygon"


def test_hot_spots_of_another_run_or_place_are_not_shown(client: Any, cast: Cast, places: Places, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot(is_current=False)
    hot_spot(governorate=places.capital, area=places.sharq)
    hot_spot(category="property")
    shown = hot_spot()
    client.force_login(cast.officer)
    assert [feature["id"] for feature in client.get("/map/hotspots.geojson").json()["features"]] == [shown.pk]


def test_one_chosen_category_shows_its_own_hot_spots(
    client: Any, cast: Cast, burglary: IncidentType, hot_spot: Callable[..., HotSpot]
) -> None:
    hot_spot()
    of_property = hot_spot(category="property")
    client.force_login(cast.officer)
    response = client.get("/map/hotspots.geojson", {"category": "property"})
    assert [feature["id"] for feature in response.json()["features"]] == [of_property.pk]


def test_a_zones_forecast_has_every_day_and_its_interval(
    client: Any, cast: Cast, places: Places, report: Callable[..., Incident], forecast: Callable[..., Any]
) -> None:
    forecast(places.salmiya)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    report(occurred_at=yesterday)
    client.force_login(cast.officer)
    body = client.get(f"/map/forecast/{places.salmiya.pk}.json").json()
    assert [day["expected"] for day in body["forecast"]] == [4, 5, 6, 7, 8, 9, 10]
    assert (body["interval"], body["method"], len(body["history"])) == (0.8, "prophet", 28)
    assert sum(day["count"] for day in body["history"]) == 1


def test_a_foreign_zones_forecast_is_not_found(client: Any, cast: Cast, places: Places, forecast: Callable[..., Any]) -> None:
    forecast(places.sharq)
    client.force_login(cast.officer)
    assert client.get(f"/map/forecast/{places.sharq.pk}.json").status_code == 404
    assert client.get("/map/forecast/999999.json").status_code == 404
    client.force_login(cast.stranger)
    assert client.get(f"/map/forecast/{places.sharq.pk}.json").status_code == 200


def test_the_map_opens_where_most_of_what_is_open_lies_and_on_the_whole_where_little_is(report, cast, places):
    for _ in range(30):
        report()
    far = Point(47.999, 29.301, srid=4326)
    report(location=far)
    box = crowd_of(cast.officer)
    assert box is not None
    west, south, east, north = box
    assert west < places.in_salmiya.x < east and south < places.in_salmiya.y < north
    assert east < far.x, "one far away does not decide"
    assert crowd_of(cast.stranger) is None, "what one may not see decides nothing"
