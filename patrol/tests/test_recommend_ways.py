"""PAT-8 with PAT-4: the advice's times come from the imported roads or the routing server where there is one, and say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.contrib.gis.geos import Point

from patrol.analytics.road_building import build
from patrol.analytics.roads import Closure
from patrol.models import RoadClosure, RoadNetwork, UnitPosition
from patrol.services.recommend import advise
from patrol.services.recommend.ways import straight_to, ways_to
from patrol.tests.analytics.test_roads import a_grid

WEST, SOUTH, STEP = 47.91, 29.33, 0.002


def at(column: float, row: float) -> tuple[float, float]:
    return WEST + column * STEP, SOUTH + row * STEP


def town(size: int = 6, one_way_row: int | None = None):
    """A grid of streets in Salmiya."""
    ways = a_grid(size, one_way_row=one_way_row)
    moved = [way._replace(lon=[lon + 0.01 for lon in way.lon], lat=[lat + 0.03 for lat in way.lat]) for way in ways]
    return build(moved).graph


@pytest.mark.parametrize("one_way_row", [None, 2])
def test_the_ways_to_one_place_are_the_column_of_the_whole_matrix(one_way_row):
    graph = town(one_way_row=one_way_row)
    places = [at(column, row) for column, row in ((0, 0), (5, 5), (2, 3), (3, 2), (1.4, 2.2), (90, 90))]
    shut = graph.closed_by([Closure(*at(1, 2), 60.0)])
    for closed in (None, shut):
        seconds, metres = graph.towards(places, at(4, 1), closed=closed)
        whole = graph.matrix([*places, at(4, 1)], closed=closed)
        assert np.array_equal(np.isinf(seconds), np.isinf(whole.seconds[:-1, -1])) and np.isinf(seconds[-1])
        assert np.allclose(seconds[:-1], whole.seconds[:-2, -1], atol=0.011) and np.allclose(metres[:-1], whole.metres[:-2, -1], atol=0.11)


def test_from_nowhere_near_a_road_nothing_is_reached():
    graph = town()
    assert np.isinf(graph.towards([at(0, 0)], (2.35, 48.85))[0]).all()


@pytest.fixture
def roads(places):
    graph = town()
    return RoadNetwork.objects.create(
        region=places.region, source_name="town", sha256="1" * 64, node_count=graph.nodes, edge_count=graph.edges, graph=graph.to_bytes()
    )


def test_with_roads_imported_the_advice_drives_on_them_and_round_what_is_closed(force, report, cast, places, roads):
    now = datetime.now(UTC)
    for unit, (lon, lat) in ((force.p1, at(1, 2)), (force.p2, at(5, 5))):
        UnitPosition.objects.create(unit=unit, at=now, location=Point(lon, lat), source="http")
    incident = report(location=Point(*at(3, 2), srid=4326))
    first = advise(incident=incident, by=cast.dispatcher)
    assert first.provider == "roads" and first.ranked[0]["unit"] == force.p1.pk
    RoadClosure.objects.create(
        region=places.region, governorate=places.hawalli, name="Works", centre=Point(*at(2, 2), srid=4326), radius_m=60, starts_at=now,
        ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    eta = {row["unit"]: row["parts"]["eta"] for row in first.ranked}
    again = {row["unit"]: row["parts"]["eta"] for row in advise(incident=incident, by=cast.dispatcher).ranked}
    assert again[force.p1.pk] > eta[force.p1.pk]


def test_a_unit_off_the_network_keeps_its_straight_line(places, roads):
    far = (47.99, 29.39)
    seconds, _metres, name = ways_to(places.region, [at(0, 0), far], at(3, 3))
    assert name == "roads" and seconds[1] == pytest.approx(straight_to([far], at(3, 3))[0][0])
    lost = ways_to(places.region, [at(0, 0)], (47.99, 29.39))
    assert lost[2] == "straight", "the incident lies on no road"


def test_a_server_that_is_down_leaves_the_straight_lines_and_says_so(places, settings):
    settings.ROUTING_URL, settings.ROUTING_KIND = "http://127.0.0.1:9", "osrm"
    seconds, _metres, name = ways_to(places.region, [at(0, 0), at(5, 5)], at(3, 3))
    assert name == "straight" and np.allclose(seconds, straight_to([at(0, 0), at(5, 5)], at(3, 3))[0])
