"""ANA-1 on screen: what the hot-spot page says, to whom, and what it says when there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Polygon
from django.utils import timezone

from conftest import Cast, Places
from dashboard.hotspots import Spot
from incidents.models import HotSpot, IncidentType, PipelineRun, PipelineStep

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
    for words in ("Salmiya", "Hawalli", "Friday", "22:00–01:00", "Burglary", "gone-type", "rising", "30 days", "abc123", "Synthetic data"):
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
    ("before", "now", "trend"),
    [(None, 20, "unknown"), (0, 12, "up"), (18, 20, "level"), (100, 40, "down"), (10, 42, "up"), (0, 0, "level")],
)
def test_rising_is_said_only_of_more_than_chance(before: int | None, now: int, trend: str) -> None:
    assert Spot(HotSpot(incident_count=now, previous_count=before), None, 1, []).trend == trend


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
