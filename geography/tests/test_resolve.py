"""ING-8: every point gets its zones, one at a time or half a million in one statement, by the same rules."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from django.contrib.gis.geos import Point
from django.db import connection

from geography.services import Place, place_of, resolve_points_sql


def resolve(points: Sequence[tuple[int, float | None, float | None]]) -> dict[int, Place]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE spots (id int PRIMARY KEY, lon float8, lat float8) ON COMMIT DROP")
        cursor.executemany("INSERT INTO spots VALUES (%s, %s, %s)", points)
        cursor.execute("ANALYZE spots")
        cursor.execute(resolve_points_sql("spots"))
        return {row[0]: Place(*row[1:]) for row in cursor.fetchall()}


def test_a_point_gets_its_region_governorate_and_area(places):
    place = place_of(places.in_salmiya)
    assert place == Place(places.region.pk, places.hawalli.pk, places.salmiya.pk)


def test_a_point_at_sea_has_no_place(places):
    assert place_of(places.at_sea) is None


def test_many_points_get_the_same_zones_as_one_by_one(places):
    rng = random.Random(7)
    points = [(n, rng.uniform(47.75, 48.05), rng.uniform(29.25, 29.45)) for n in range(300)]
    # Corners and common edges are where two rules would part.
    points += [(1000, 47.9, 29.35), (1001, 47.95, 29.3), (1002, 47.8, 29.4), (1003, 48.0, 29.35)]
    many = resolve(points)
    for n, lon, lat in points:
        assert many.get(n) == place_of(Point(lon, lat, srid=4326))


def test_a_point_on_a_common_edge_belongs_to_one_zone_of_each_level(places):
    place = resolve([(1, 47.95, 29.35)])[1]
    assert place.area_id == min(places.salmiya.pk, places.jabriya.pk)


def test_rows_that_share_a_place_each_get_their_answer(places):
    here = (places.in_salmiya.x, places.in_salmiya.y)
    found = resolve([(n, *here) for n in range(50)] + [(99, places.in_sharq.x, places.in_sharq.y)])
    assert found.keys() == {*range(50), 99}
    assert {found[n].area_id for n in range(50)} == {places.salmiya.pk} and found[99].area_id == places.sharq.pk


def test_rows_without_a_usable_point_are_absent(places):
    nothing = [(1, None, None), (2, float("nan"), 29.35), (3, float("inf"), 29.35), (4, 47.92, 1e9), (5, places.at_sea.x, places.at_sea.y)]
    assert resolve([*nothing, (6, places.in_sharq.x, places.in_sharq.y)]).keys() == {6}


def test_the_names_of_table_and_columns_are_names(places):
    with pytest.raises(ValueError):
        resolve_points_sql("spots; DROP TABLE geography_zone")
