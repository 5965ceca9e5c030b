"""ANA-1, ANA-2 on screen: what the hot-spot pages say, to whom, what they give away as files, and the map through time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Polygon
from django.utils import timezone

from conftest import Cast, Places
from dashboard.hotspots import Spot
from incidents.models import HotSpot, HotSpotTrack, IncidentType, ModelSwitch, PipelineRun, PipelineStep

PAGE = "/hotspots/"


@pytest.fixture
def run(db: None) -> PipelineRun:
    return PipelineRun.objects.create(
        key="test-run",
        as_of=timezone.now(),
        status="done",
        code_version="abc123",
        parameters={"eps_m": 300.0, "min_points": 10, "window_days": 30},
    )


@pytest.fixture
def hot_spot(run: PipelineRun, places: Places) -> Callable[..., HotSpot]:
    def make(**given: Any) -> HotSpot:
        hull = Polygon.from_bbox((47.91, 29.34, 47.915, 29.345))
        details: dict[str, Any] = {
            "run": run,
            "region": places.region,
            "governorate": places.hawalli,
            "area": places.salmiya,
            "rank": 1,
            "hull": hull,
            "centre": hull.centroid,
            "incident_count": 42,
            "area_km2": 0.25,
            "density_per_km2": 168.0,
            "severity_score": 80,
            "previous_count": 10,
            "previous_counts": [10, None, 12],
            "rate_ratio": 3.1,
            "rate_ratio_low": 1.4,
            "rate_ratio_high": 6.2,
            "background_count": 4.4,
            "q_value": 0.01,
            "peak_hour": 23,
            "peak_weekday": 4,
            "leading_types": [["burglary", 30], ["gone-type", 12]],
            "window_from": timezone.now() - timedelta(days=30),
            "window_to": timezone.now(),
            "is_current": True,
        }
        return HotSpot.objects.create(**{**details, **given})

    return make


def text(client: Any, path: str = PAGE, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_hot_spot_says_where_how_much_when_and_why(
    client: Any, cast: Cast, burglary: IncidentType, hot_spot: Callable[..., HotSpot]
) -> None:
    spot = hot_spot(is_synthetic=True)
    client.force_login(cast.officer)
    page = text(client)
    assert f'id="hotspot-{spot.pk}"' in page
    for words in (
        "Salmiya",
        "Hawalli",
        "Friday",
        "22:00–01:00",
        "Burglary",
        "gone-type",
        "rising",
        "stands out",
        "abc123",
        "Synthetic data",
    ):
        assert words in page, words
    assert "Why: 42 incidents lie here, each within 300 m of a place where 10 or more stand together." in page


def test_hot_spots_elsewhere_are_not_named(client: Any, cast: Cast, places: Places, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot(governorate=places.capital, area=places.sharq)
    client.force_login(cast.officer)
    assert "Sharq" not in text(client).split("</form>")[-1].split("spots-list")[-1]
    client.force_login(cast.stranger)
    assert "Sharq" in text(client)


def test_a_stranger_to_the_site_is_asked_to_sign_in(client: Any, db: None) -> None:
    response = client.get(PAGE)
    assert (response.status_code, response["Location"]) == (302, f"/sign-in/?next={PAGE}")


def test_a_category_shows_its_own_and_the_map_beside_it_the_same(
    client: Any, cast: Cast, burglary: IncidentType, hot_spot: Callable[..., HotSpot]
) -> None:
    hot_spot()
    hot_spot(category="property", area=None)
    client.force_login(cast.officer)
    page = text(client, f"{PAGE}?category=property")
    assert page.count('class="spot"') == 1
    assert 'data-filter="category=property"' in page


def test_a_forged_category_is_an_empty_page_and_no_error(client: Any, cast: Cast, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot()
    client.force_login(cast.officer)
    page = text(client, PAGE + "?category=%3Cscript%3E" + "x" * 400)
    assert "<script>x" not in page
    assert 'class="spot"' not in page


def test_before_the_first_run_the_page_says_what_to_do(client: Any, cast: Cast) -> None:
    client.force_login(cast.supervisor)
    page = text(client)
    assert "No hot spots yet" in page
    assert "Run them now" in page
    client.force_login(cast.officer)
    assert "Run them now" not in text(client)


def test_a_run_that_found_nothing_says_so_and_names_a_silent_feed(client: Any, cast: Cast, run: PipelineRun) -> None:
    step = PipelineStep.objects.create(run=run, name="hotspots:kw", status="done", counts={"hot_spots": 0})
    client.force_login(cast.officer)
    assert "No place is a hot spot now" in text(client)
    step.counts = {"empty_because": "no incidents in the window", "newest_incident": "2026-03-01"}
    step.save(update_fields=["counts"])
    assert "The newest incident is from 1 March 2026" in text(client)


def test_a_missed_night_is_said(client: Any, cast: Cast, run: PipelineRun, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot()
    client.force_login(cast.officer)
    assert "the nightly run has been missed" not in text(client)
    PipelineRun.objects.update(as_of=timezone.now() - timedelta(days=3))
    assert "the nightly run has been missed" in text(client)


@pytest.mark.parametrize(
    ("low", "high", "trend"),
    [(None, None, "unknown"), (1.01, 3, "up"), (0.8, 2, "level"), (0.2, 0.9, "down"), (1.0, 2.0, "level")],
)
def test_rising_is_said_only_where_the_whole_interval_lies_above_one(low: float | None, high: float | None, trend: str) -> None:
    assert Spot(HotSpot(rate_ratio_low=low, rate_ratio_high=high), None, 1, []).trend == trend


def test_the_page_costs_the_same_however_many(
    client: Any, cast: Cast, burglary: IncidentType, hot_spot: Callable[..., HotSpot], django_assert_max_num_queries: Any
) -> None:
    for rank in range(1, 9):
        hot_spot(rank=rank)
    client.force_login(cast.officer)
    with django_assert_max_num_queries(18):
        client.get(PAGE)


def test_in_arabic_the_page_turns_and_names_are_arabic(client: Any, cast: Cast, hot_spot: Callable[..., HotSpot]) -> None:
    hot_spot()
    client.force_login(cast.officer)
    page = text(client, **{"accept-language": "ar"})
    assert 'dir="rtl"' in page
    assert "السالمية" in page


# --- one hot spot ----------------------------------------------------------------------------------------------------
@pytest.fixture
def track(places: Places) -> HotSpotTrack:
    return HotSpotTrack.objects.create(region=places.region, born_at=timezone.now() - timedelta(days=40), last_seen_at=timezone.now())


def test_its_page_says_why_in_sentences_with_its_figures(
    client: Any, cast: Cast, burglary: IncidentType, hot_spot: Callable[..., HotSpot], track: HotSpotTrack
) -> None:
    spot = hot_spot(track=track, change="grown", is_synthetic=True)
    client.force_login(cast.officer)
    page = text(client, f"{PAGE}{spot.pk}/")
    for words in (
        "<b>42 incidents</b> lie here, each within 300 m of a place where 10 or more stand together.",
        "Its surroundings would put about <b>4.4</b> on this ground.",
        "<b>It stands out:</b> of the hot spots that stand out as far or further, about 1.0 in 100 would be chance.",
        "It has risen.",
        '<bdi dir="ltr">×3.10</bdi> (between <bdi dir="ltr">×1.40</bdi> and <bdi dir="ltr">×6.20</bdi>, 19 times in 20)',
        "Grown",
        f"<bdi>H{track.pk}</bdi>",
        "Burglary",
        "Synthetic data",
        "First found",
        'data-filter="run=',
    ):
        assert words in page, words
    assert page.count('class="bar') == 3  # of four windows one was silent


def test_its_story_names_what_went_into_it_and_what_came_out_of_it(
    client: Any, cast: Cast, places: Places, run: PipelineRun, hot_spot: Callable[..., HotSpot], track: HotSpotTrack
) -> None:
    other = HotSpotTrack.objects.create(
        region=places.region, born_at=run.as_of, last_seen_at=run.as_of, gone_at=run.as_of, merged_into=track
    )
    child = HotSpotTrack.objects.create(region=places.region, born_at=run.as_of, last_seen_at=run.as_of, split_from=track)
    earlier = hot_spot(track=track, change="born", is_current=False, window_to=timezone.now() - timedelta(days=7))
    now, gone, piece = (
        hot_spot(track=track, change="merged"),
        hot_spot(track=other, is_current=False),
        hot_spot(track=child, change="split"),
    )
    client.force_login(cast.officer)
    story = text(client, f"{PAGE}{now.pk}/")
    for row in (earlier, gone, piece):
        assert f"/hotspots/{row.pk}/" in story
    assert "of an earlier run" in text(client, f"{PAGE}{earlier.pk}/")
    assert f"It went into <bdi>H{track.pk}</bdi>" in text(client, f"{PAGE}{gone.pk}/")
    assert f"It split from <bdi>H{track.pk}</bdi>" in text(client, f"{PAGE}{piece.pk}/")


def test_what_is_not_known_is_said_to_be_unknown(client: Any, cast: Cast, hot_spot: Callable[..., HotSpot]) -> None:
    unknown = dict.fromkeys(("rate_ratio", "rate_ratio_low", "rate_ratio_high", "background_count", "q_value"))
    spot = hot_spot(**unknown, previous_counts=[], previous_count=None)
    client.force_login(cast.officer)
    page = text(client, f"{PAGE}{spot.pk}/")
    assert "It has not been judged against its surroundings." in page
    assert "Whether it has risen cannot be said" in page and "This window and those before" not in page
    assert "This was a look back" in page
    assert "too little past" in text(client) and "not judged" in text(client)


def test_one_elsewhere_or_absent_or_of_a_model_switched_off_is_not_there(
    client: Any, cast: Cast, places: Places, hot_spot: Callable[..., HotSpot]
) -> None:
    here, elsewhere = hot_spot(), hot_spot(governorate=places.capital, area=places.sharq)
    client.force_login(cast.officer)
    assert client.get(f"{PAGE}{elsewhere.pk}/").status_code == 404
    assert client.get(f"{PAGE}{10**30}/").status_code == 404
    assert client.get(f"{PAGE}{here.pk}/").status_code == 200
    ModelSwitch.objects.create(model=HotSpot.MODEL, is_on=False, reason="wrong")
    assert client.get(f"{PAGE}{here.pk}/").status_code == 404


def test_its_page_in_arabic_keeps_time_left_to_right(
    client: Any, cast: Cast, hot_spot: Callable[..., HotSpot], track: HotSpotTrack
) -> None:
    spot = hot_spot(track=track, change="born")
    client.force_login(cast.officer)
    page = text(client, f"{PAGE}{spot.pk}/", **{"accept-language": "ar"})
    assert 'dir="rtl"' in page and 'class="chart bars" dir="ltr"' in page


# --- files -----------------------------------------------------------------------------------------------------------
def test_the_table_holds_what_the_viewer_may_see_and_no_formula(
    client: Any, cast: Cast, places: Places, hot_spot: Callable[..., HotSpot], track: HotSpotTrack
) -> None:
    spot = hot_spot(track=track, change="grown", leading_types=[["=cmd|x", 3]])
    hot_spot(governorate=places.capital, area=places.sharq)
    hot_spot(category="property")
    type(places.salmiya).objects.filter(pk=places.salmiya.pk).update(name_en="=1+1")
    client.force_login(cast.officer)
    response = client.get("/hotspots/hotspots.csv")
    assert response["Content-Disposition"] == 'attachment; filename="hotspots-all.csv"'
    (row,) = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
    assert (row["id"], row["track"], row["change"], row["incidents"]) == (str(spot.pk), str(track.pk), "grown", "42")
    assert (row["area"], row["leading_types"], row["previous_windows"]) == ("'=1+1", "'=cmd|x:3", "10 - 12")
    assert (row["rate_ratio"], row["q_value"]) == ("3.1", "0.01")


def test_the_map_file_holds_the_outlines(client: Any, cast: Cast, places: Places, hot_spot: Callable[..., HotSpot]) -> None:
    spot = hot_spot(category="property")
    hot_spot(governorate=places.capital, area=places.sharq, category="property")
    client.force_login(cast.officer)
    response = client.get("/hotspots/hotspots.geojson?category=property")
    (feature,) = response.json()["features"]
    assert feature["id"] == spot.pk and feature["geometry"]["type"] == "Polygon"
    assert feature["properties"]["previous_windows"] == [10, None, 12]
    assert client.get("/hotspots/hotspots.geojson?category=%22%0d%0aX: y").json()["features"] == []


@pytest.mark.parametrize("path", ["hotspots.csv", "hotspots.geojson", "1/"])
def test_files_and_pages_are_for_who_is_signed_in(client: Any, db: None, path: str) -> None:
    assert client.get(f"/hotspots/{path}").status_code == 302


# --- the map through time --------------------------------------------------------------------------------------------
def test_the_slider_goes_through_the_runs_whose_hot_spots_stood(
    client: Any, cast: Cast, places: Places, run: PipelineRun, hot_spot: Callable[..., HotSpot], track: HotSpotTrack
) -> None:
    week_ago = PipelineRun.objects.create(key="earlier", as_of=run.as_of - timedelta(days=7), status="done")
    look_back = PipelineRun.objects.create(key="back", as_of=run.as_of - timedelta(days=90), status="done")
    now = hot_spot(track=track, change="steady")
    then = hot_spot(track=track, change="born", run=week_ago, is_current=False)
    hot_spot(run=look_back, is_current=False)
    client.force_login(cast.officer)
    moments = client.get("/map/hotspots/moments.json").json()["moments"]
    assert [moment["run"] for moment in moments] == [week_ago.pk, run.pk]

    def on_map(query: str) -> list[int]:
        return [feature["id"] for feature in client.get(f"/map/hotspots.geojson{query}").json()["features"]]

    assert on_map("") == [now.pk] == on_map(f"?run={run.pk}")
    assert on_map(f"?run={week_ago.pk}") == [then.pk]
    assert on_map(f"?run={look_back.pk}") == on_map("?run=x") == on_map(f"?run={'9' * 40}") == []
    client.force_login(cast.stranger)
    assert client.get("/map/hotspots/moments.json").json()["moments"] == []
    assert on_map(f"?run={week_ago.pk}") == []
    client.logout()
    assert client.get("/map/hotspots/moments.json").status_code == 401


def test_the_map_says_change_and_significance_in_words_and_not_in_colour_alone(
    client: Any, cast: Cast, hot_spot: Callable[..., HotSpot]
) -> None:
    hot_spot(change="merged", q_value=0.2)
    client.force_login(cast.officer)
    (feature,) = client.get("/map/hotspots.geojson").json()["features"]
    told = feature["properties"]
    assert (told["changeText"], told["significant"], told["trend"], told["background"]) == ("Merged", False, "up", 4.4)
    assert "data-hotspot-time" in text(client, "/map/")
