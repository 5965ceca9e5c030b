"""ING-8: Kuwait's approximate zones are drawn from our own gazetteer, and every point in them has one place."""

from __future__ import annotations

import json
import random
import re

import pytest
from django.contrib.gis.geos import GEOSGeometry, MultiPoint, Point
from django.db import connection

from core.models import AuditEntry, Event
from core.text import fold
from geography.atlas import Atlas
from geography.gazetteer import COUNTRY_NUMBER, GOVERNORATES, read_areas
from geography.models import Zone
from geography.services import import_official, import_zones, load_gazetteer, place_of
from geography.tests.conftest import shared
from geography.tiles import zone_tile
from geography.zonefiles import ZoneFields


def points_of(wkt: str) -> list[Point]:
    points = GEOSGeometry(wkt)
    assert isinstance(points, MultiPoint)
    return [Point(lon, lat, srid=4326) for lon, lat in points.tuple]


def inside(rng: random.Random, zone: Zone, count: int) -> list[Point]:
    """Random points inside ``zone``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_AsText(ST_GeneratePoints(boundary, %s, %s)) FROM geography_zone WHERE id = %s",
            [count, rng.randint(1, 9999), zone.pk],
        )
        return points_of(cursor.fetchone()[0])


def test_the_facts_are_whole():
    areas = read_areas()
    assert len(areas) == 198
    assert len({area.code for area in areas}) == len({area.name_en for area in areas}) == len({fold(area.name_ar) for area in areas}) == 198
    assert {area.governorate for area in areas} == {governorate.code for governorate in GOVERNORATES}
    for area in areas:
        assert re.search("[\u0600-\u06ff]", area.name_ar), area
        assert 1 <= len(area.circles) <= 4
        for circle in area.circles:
            assert 46.5 < circle.longitude < 48.8 and 28.5 < circle.latitude < 30.2


def test_the_atlas_knows_kuwait_and_what_of_it_is_coast():
    mainland, *islands = Atlas().country(COUNTRY_NUMBER)
    assert mainland.outline.valid and len(islands) == 3
    assert mainland.outline.intersects(Point(47.98, 29.3)) and not mainland.outline.intersects(Point(46.0, 29.3))
    # The land border with Iraq and Saudi Arabia is no coast.
    assert all(line.extent[0] > 47.5 for line in mainland.coast)


def test_every_zone_is_approximate_and_valid_and_named(kuwait):
    zones = Zone.objects.filter(region=kuwait).in_use()
    assert {level: zones.filter(level=level).count() for level in ("country", "governorate", "area")} == {
        "country": 1,
        "governorate": 6,
        "area": 198,
    }
    for zone in zones:
        assert zone.is_approximate and zone.boundary.valid and zone.name_en and zone.name_ar
        assert zone.boundary.contains(zone.label_point)


def test_the_areas_of_a_governorate_make_it_up_without_overlap(kuwait):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT g.code, ST_Area(ST_SymDifference(g.boundary, ST_Union(a.boundary))) / ST_Area(g.boundary),
                   sum(ST_Area(a.boundary)) / ST_Area(g.boundary)
            FROM geography_zone g JOIN geography_zone a ON a.parent_id = g.id
            WHERE g.level = 'governorate' AND a.is_active GROUP BY g.id
            """
        )
        for code, difference, ratio in cursor.fetchall():
            assert difference < 1e-9, code
            assert ratio == pytest.approx(1, abs=1e-9), code


def test_every_point_in_a_governorate_lies_in_exactly_one_area_of_that_governorate(kuwait):
    rng = random.Random(11)
    for governorate in Zone.objects.filter(region=kuwait).level("governorate"):
        for point in inside(rng, governorate, 150):
            areas = list(Zone.objects.containing(point).filter(region=kuwait, level="area"))
            assert [area.parent_id for area in areas] == [governorate.pk], point
            place = place_of(point)
            assert place and (place.governorate_id, place.area_id) == (governorate.pk, areas[0].pk)


def test_islands_keep_to_their_own_land(kuwait):
    mainland = Point(47.98, 29.33, srid=4326)
    islands = {area.code for area in read_areas() if area.is_island}
    for zone in Zone.objects.filter(region=kuwait, code__in=islands):
        assert zone.boundary.distance(mainland) > 0.05, zone.code
    failaka = place_of(Point(48.33, 29.44, srid=4326))
    assert failaka and Zone.objects.get(code="KU-FAILAKA-ISLAND").pk == failaka.area_id


@pytest.mark.parametrize(("lon", "lat"), [(48.6, 29.3), (48.35, 29.1), (46.3, 29.3), (47.9, 30.25), (47.5, 28.4), (0, 0)])
def test_the_sea_and_the_neighbours_are_no_place(kuwait, lon, lat):
    assert place_of(Point(lon, lat, srid=4326)) is None


def test_loading_the_same_edition_again_does_nothing(kuwait):
    events = Event.objects.count()
    assert not load_gazetteer().did_something
    assert Event.objects.count() == events


def test_it_leaves_an_audit_record_and_an_event(kuwait):
    record = AuditEntry.objects.get(verb="zones.gazetteer")
    assert record.after is not None and record.after["added"] == 205
    assert Event.objects.filter(type="geography.zones_changed", subject_id=kuwait.pk).exists()


def test_drawing_it_again_touches_only_what_differs(kuwait):
    Zone.objects.filter(region=kuwait, code="HA-SALMIYA").update(name_en="Wrong")
    salmiya = Zone.objects.get(region=kuwait, code="HA-SALMIYA")
    stray = Zone.objects.create(
        region=kuwait,
        level="area",
        code="XX-STRAY",
        name_en="Stray",
        name_ar="غريب",
        boundary=salmiya.boundary,
        label_point=salmiya.label_point,
        is_approximate=True,
    )
    others = Zone.objects.exclude(pk__in=[salmiya.pk, stray.pk])
    before = set(others.values_list("pk", "updated_at"))
    done = load_gazetteer(force=True)
    assert (done.added, done.changed, done.retired) == (0, 1, 1)
    assert set(others.values_list("pk", "updated_at")) == before
    salmiya.refresh_from_db()
    stray.refresh_from_db()
    assert salmiya.name_en == "Salmiya" and not stray.is_active


GOVERNORATE_OF = {1: "KW-KU", 2: "KW-HA", 3: "KW-AH", 4: "KW-JA", 5: "KW-FA", 6: "KW-MU"}


def test_nine_of_ten_neighbourhoods_fall_in_the_right_governorate_and_area(kuwait, neighbourhoods):
    codes: dict[int | None, str] = dict(Zone.objects.filter(region=kuwait).values_list("pk", "code"))
    names: dict[int | None, set[str]] = {
        zone.pk: {fold(zone.name_en), fold(zone.name_ar)} for zone in Zone.objects.filter(region=kuwait, level="area")
    }
    right_governorate = right_area = 0
    for feature in neighbourhoods:
        facts = feature["properties"]
        place = place_of(Point(facts["label_lon"], facts["label_lat"], srid=4326))
        if place is None:
            continue
        right_governorate += codes.get(place.governorate_id) == GOVERNORATE_OF[facts["gov_no"]]
        said = {fold(facts["name_ar"]).removeprefix("ضاحيه "), fold(facts["name_en"])}
        right_area += bool(said & names.get(place.area_id, set()))
    assert right_governorate >= 0.95 * len(neighbourhoods), right_governorate
    assert right_area >= 0.9 * len(neighbourhoods), right_area


def test_most_of_each_neighbourhood_not_only_its_middle_is_in_the_right_governorate(kuwait, neighbourhoods):
    """A stricter look than label points: random places all over the official polygons, each neighbourhood counting the same."""
    codes: dict[int | None, str] = dict(Zone.objects.filter(region=kuwait).values_list("pk", "code"))
    right = total = 0
    with connection.cursor() as cursor:
        for feature in neighbourhoods:
            cursor.execute("SELECT ST_AsText(ST_GeneratePoints(ST_GeomFromGeoJSON(%s), 10, 3))", [json.dumps(feature["geometry"])])
            for spot in points_of(cursor.fetchone()[0]):
                place = place_of(spot)
                right += place is not None and codes.get(place.governorate_id) == GOVERNORATE_OF[feature["properties"]["gov_no"]]
                total += 1
    assert right >= 0.95 * total, right / total


def test_official_neighbourhoods_take_the_place_of_the_gazetteer(kuwait, neighbourhoods):
    rows = {zone.pk for zone in Zone.objects.filter(region=kuwait).in_use()}
    governorates, areas = import_official(path=shared("kuwait-geo/neighbourhoods.geojson"))
    assert (governorates.level, governorates.read, governorates.changed, governorates.added) == ("governorate", 6, 6, 0)
    assert (areas.read, areas.changed + areas.added) == (198, 198)
    assert areas.changed >= 190 and areas.topology.overlap_m2 < 200
    zones = Zone.objects.filter(region=kuwait).in_use()
    assert len({zone.pk for zone in zones} & rows) >= 197
    assert not zones.filter(level__in=["governorate", "area"], is_approximate=True).exists()
    for neighbourhood in neighbourhoods:
        facts = neighbourhood["properties"]
        place = place_of(Point(facts["label_lon"], facts["label_lat"], srid=4326))
        area = zones.level("area").get(code=str(facts["nhood_no"]))
        assert place and (place.area_id, place.governorate_id) == (area.pk, area.parent_id)


def test_official_governorates_alone_are_taken_too(kuwait):
    (done,) = import_official(path=shared("kuwait-geo/governorates.geojson"))
    assert (done.read, done.changed, done.retired) == (6, 6, 0)
    assert set(Zone.objects.filter(region=kuwait).level("governorate").values_list("code", "name_en")) >= {("KW-KU", "Capital")}


def test_official_areas_alone_pull_the_approximate_governorates_after_them(kuwait, neighbourhoods):
    fields = ZoneFields("nhood_no", "name_en", "name_ar")
    done = import_zones(path=shared("kuwait-geo/neighbourhoods.geojson"), level="area", fields=fields)
    assert (done.read, done.without_parent, set(done.redrawn_zones)) == (
        198,
        0,
        {"KW", "KW-KU", "KW-HA", "KW-FA", "KW-AH", "KW-JA", "KW-MU"},
    )
    lost = 0
    for neighbourhood in neighbourhoods:
        facts = neighbourhood["properties"]
        place = place_of(Point(facts["label_lon"], facts["label_lat"], srid=4326))
        assert place and place.area_id
        lost += place.governorate_id is None
    assert lost == 0


def test_the_whole_of_kuwait_fits_a_small_tile(kuwait):
    whole = zone_tile(level="area", z=6, x=40, y=26, version="test")
    assert 5_000 < len(whole) < 120_000
    assert all(zone_tile(level=level, z=6, x=40, y=26, version="test") for level in ("country", "governorate"))
    assert Zone.objects.filter(region=kuwait).level("area").count() == 198
