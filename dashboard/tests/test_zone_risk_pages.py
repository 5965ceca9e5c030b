"""IOT-4, IOT-6: the pages of risk and insights, and what sensors put on the map: each their own, bounded, in two languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from dashboard.risk_history import Moment, figures, history
from dashboard.sensor_layers import bbox_of
from iot.models import Device, DeviceOutage, Insight, ZoneRisk
from iot.services.crowds import correlate_crowds
from iot.services.insights import look_for_insights
from iot.services.risk import score_zones
from iot.words import PARTS

pytestmark = pytest.mark.django_db


@pytest.fixture
def away(watch: Any, places: Any, report: Any, cast: Any) -> Device:
    """A camera away in Salmiya, where incidents are frequent; a crowd sensor beside it; a sensor of the fire service in Jabriya."""
    for _n in range(6):
        report(occurred_at=datetime.now(UTC) - timedelta(days=3))
    camera = watch.device("K-1", "camera", places.in_salmiya)
    watch.stream(watch.device("C-1", "crowd", places.in_salmiya), "density")
    watch.device("A-2", "environment", places.in_jabriya, agency=cast.fire)
    now = datetime.now(UTC)
    Device.objects.update(last_seen_at=now, status="online")
    Device.objects.filter(pk=camera.pk).update(status="offline")
    DeviceOutage.objects.create(device=camera, began_at=now - timedelta(hours=1), noticed_at=now - timedelta(minutes=50))
    for minutes in (70, 0):
        score_zones(now=now - timedelta(minutes=minutes))
    look_for_insights(now=now)
    correlate_crowds(now=now)
    return camera


def enter(person: Any, language: str = "en") -> Client:
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_list_says_which_zones_have_a_score_and_how_many_have_none(cast: Any, away: Device, places: Any) -> None:
    page = enter(cast.supervisor).get(reverse("zonerisk")).content.decode()
    assert "Salmiya" in page and "Cameras away" in page and "1 area has no sensors" in page
    assert "Jabriya" not in page  # of the fire service


def test_a_zone_is_taken_apart_with_what_gave_its_points(cast: Any, away: Device, places: Any) -> None:
    answer = enter(cast.supervisor).get(reverse("zonerisk-one", args=[places.salmiya.pk]))
    page = answer.content.decode()
    assert reverse("devices-one", args=["K-1"]) in page and "goes on" in page and "No sensor here can tell of it." in page
    assert "Too little to say" in page and "<polyline" in page and answer["Cache-Control"] == "no-store"
    arabic = enter(cast.supervisor, "ar").get(reverse("zonerisk-one", args=[places.salmiya.pk]), {"span": "week"}).content.decode()
    assert "السالمية" in arabic and "Cameras away" not in arabic


def test_its_history_shows_each_part_over_time_and_as_figures_in_both_languages(cast: Any, away: Device, places: Any) -> None:
    address = reverse("zonerisk-one", args=[places.salmiya.pk])
    page = enter(cast.supervisor).get(address).content.decode()
    drawn = page[page.index('id="risk-history"') : page.index('id="risk-crowds"')]
    assert '<g class="risk-area risk-cameras_offline"><title>Cameras away</title><path d="M' in drawn
    assert "risk-area risk-crowd" not in drawn, "what never gave anything is not drawn"
    rows = re.findall(r'<td class="num"><b>([\d.–]+)</b></td><td class="num">([\d.–]+)</td></tr>', drawn)
    now = ZoneRisk.objects.of_zone(places.salmiya.pk).get(is_current=True)
    assert rows[0] == (f"{now.score:.1f}", f"{now.points['cameras_offline']:.1f}") and len(rows) in (2, 3), (
        "now, and at the full hours since"
    )
    arabic = enter(cast.supervisor, "ar").get(address, {"span": "week"}).content.decode()
    assert '<th scope="col">الدرجة</th>' in arabic and "Cameras away" not in arabic and "as it stood" not in arabic


AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def hour(hours: float, score: float | None, **points: float) -> Moment:
    return Moment(AT + timedelta(hours=hours), score, points)


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in path.strip("MZ").split(" "))]


def test_parts_stand_on_one_another_and_the_whole_is_the_score() -> None:
    moments = [hour(0, 20, anomalies=5, crowd=15), hour(6, 60, anomalies=50, crowd=10), hour(12, 60, anomalies=50, crowd=10)]
    drawn = history(moments, start=AT, end=AT + timedelta(hours=12))
    assert [area.name for area in drawn.areas] == ["anomalies", "crowd"] and [tick.label for tick in drawn.y_ticks] == ["0", "50", "100"]
    below, above = (corners(area.paths[0]) for area in drawn.areas)
    (line,) = drawn.lines
    assert corners(line) == [point for point in above if point in corners(line)][: len(corners(line))], "its upper edge is the line"
    height = drawn.y_ticks[0].at - drawn.y_ticks[2].at
    assert below[0][1] - above[0][1] == pytest.approx(0.15 * height, abs=0.2), "fifteen points of crowds upon five of anomalies"
    assert {y for _x, y in below} >= {drawn.y_ticks[0].at, drawn.y_ticks[1].at}, "anomalies from the ground up to fifty"
    assert all(drawn.left <= x <= drawn.right for area in (below, above) for x, _y in area)


def test_what_was_not_known_is_a_gap_and_no_zero() -> None:
    moments = [hour(0, 10, crowd=10), hour(4, None), hour(8, 20, crowd=20), hour(12, 20, crowd=20)]
    drawn = history(moments, start=AT, end=AT + timedelta(hours=12))
    (crowd,) = drawn.areas
    first, second = (corners(path) for path in crowd.paths)
    assert max(x for x, _y in first) < min(x for x, _y in second) and len(drawn.lines) == 2
    shown = figures(moments, start=AT, end=AT + timedelta(hours=12, minutes=30))
    assert [score for _when, _points, score in shown.rows] == [20] * 6 + [None] * 4 + [10] * 4 and shown.names == (str(PARTS["crowd"]),)
    assert shown.rows[7][1] == (None,) and shown.rows[0][0] == AT + timedelta(hours=12, minutes=30)


def test_a_week_of_scores_each_five_minutes_is_drawn_in_bounded_room_and_keeps_its_peak() -> None:
    moments = [hour(n / 12, 5 + n % 7, anomalies=2 + n % 5, crowd=3 + n % 7 - n % 5) for n in range(2_016)]
    moments[1_000] = hour(1_000 / 12, 80, anomalies=70, crowd=10)
    drawn = history(moments, start=AT, end=AT + timedelta(days=7))
    assert sum(len(path) for area in drawn.areas for path in area.paths) < 60_000
    assert min(y for _x, y in corners(drawn.lines[0])) == pytest.approx(
        drawn.y_ticks[0].at - 0.8 * (drawn.y_ticks[0].at - drawn.y_ticks[2].at), 0.1
    )
    assert len(figures(moments, start=AT, end=AT + timedelta(days=7)).rows) == 24 * 7 + 1


def test_another_agencys_zone_and_one_elsewhere_are_not_there(cast: Any, away: Device, places: Any) -> None:
    client = enter(cast.supervisor)
    for zone in (places.jabriya, places.sharq):
        assert client.get(reverse("zonerisk-one", args=[zone.pk])).status_code == 404
    assert client.get(reverse("zonerisk-one", args=[places.salmiya.pk]), {"agency": "fire"}).status_code == 404
    whole = enter(cast.superadmin).get(reverse("zonerisk-one", args=[places.hawalli.pk]), {"agency": "fire"})
    assert whole.status_code == 200 and "?agency=police" in whole.content.decode()
    for name in ("zonerisk", "insights"):
        assert enter(cast.officer).get(reverse(name)).status_code == 403 and Client().get(reverse(name)).status_code == 302


def test_an_insight_is_dismissed_by_whoever_may(cast: Any, away: Device) -> None:
    row = Insight.objects.get()
    address = reverse("insights-dismiss", args=[row.pk])
    assert enter(cast.firefighter).post(address).status_code == 404
    assert 'name="reason"' not in enter(cast.analyst).get(reverse("insights")).content.decode()
    client = enter(cast.dispatcher)
    page = client.get(reverse("insights")).content.decode()
    assert "6 incidents happened here" in page and address in page
    assert client.get(address).status_code == 405
    client.post(address, {"reason": "a <b>lens</b>"})
    assert address not in client.get(reverse("insights")).content.decode()
    assert "&lt;b&gt;lens" in client.get(reverse("insights"), {"state": "dismissed"}).content.decode()


def layer(person: Any, slug: str, **asked: str) -> Any:
    return enter(person).get(reverse("map-layer", args=[slug]), asked)


def test_layers_hold_what_their_viewer_sees_within_the_box(cast: Any, away: Device, places: Any) -> None:
    def marks(slug: str, **asked: str) -> dict[str, str]:
        rows = layer(cast.supervisor, slug, **asked).json()["features"]
        return {row["properties"].get("code") or row["properties"]["name"]: row["properties"]["mark"] for row in rows}

    assert marks("sensordevices") == {"K-1": "offline", "C-1": "online"}
    assert marks("cameras") == {"K-1": "away"} and marks("crowds") == {"C-1": "silent"}
    assert set(marks("zonerisk")) == {"Salmiya"}
    elsewhere = "10,10,11,11"
    assert not any(marks(slug, bbox=elsewhere) for slug in ("sensordevices", "cameras", "crowds", "zonerisk"))
    assert marks("cameras", bbox="47.9,29.3,48,29.4") == {"K-1": "away"}
    for slug in ("sensordevices", "cameras", "crowds", "zonerisk"):
        assert layer(cast.officer, slug).json()["features"] == [] and Client().get(reverse("map-layer", args=[slug])).status_code == 401
    assert {row["properties"]["code"] for row in layer(cast.firefighter, "sensordevices").json()["features"]} == {"A-2"}


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "nan,0,1,1", "5,5,1,1", "0,0,inf,1", "0,0,400,1"])
def test_a_box_that_is_none_bounds_nothing_and_breaks_nothing(text: str) -> None:
    assert bbox_of({"bbox": text}) is None
