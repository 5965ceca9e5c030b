"""ING-8: official polygons come from files, are repaired and measured, and take the place of approximate zones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from django.contrib.gis.gdal import DataSource
from django.contrib.gis.geos import Point
from django.core.management import CommandError, call_command

from core.errors import Invalid
from core.models import AuditEntry, Event
from geography.models import Region, Zone
from geography.services import NewRegion, import_official, import_zones, place_of
from geography.services.importing import utm_srid
from geography.tests.conftest import shared
from geography.zonefiles import ZoneFields

FIELDS = ZoneFields("code", "en", "ar")


def box(west: float, south: float, east: float, north: float) -> dict:
    return {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]}


def feature(code: object, geometry: dict | None, en: object = "A place", ar: object = "مكان", **more: object) -> dict:
    return {"type": "Feature", "properties": {"code": code, "en": en, "ar": ar, **more}, "geometry": geometry}


@pytest.fixture
def file(tmp_path):
    def write(*features: dict, name: str = "zones.geojson", **more: object) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}), encoding="utf-8")
        return path

    return write


WEST, EAST = box(47.9, 29.3, 47.95, 29.4), box(47.95, 29.3, 48.0, 29.4)


def test_a_file_becomes_zones_with_parents_and_pieces(places, file):
    done = import_zones(path=file(feature("1", WEST, "West", "غرب"), feature("2", EAST, "East", "شرق 2")), level="block", fields=FIELDS)
    assert (done.read, done.added, done.retired, done.without_parent) == (2, 2, 0, 0)
    west = Zone.objects.get(level="block", code="1")
    assert (west.name_en, west.name_ar, west.is_approximate, west.parent) == ("West", "غرب", False, places.salmiya)
    place = place_of(places.in_salmiya)
    assert place and place.block_id == west.pk


def test_the_same_file_again_changes_nothing_and_says_so(places, file, capsys):
    path = file(feature("1", WEST), feature("2", EAST, "Other", "آخر"))
    import_zones(path=path, level="block", fields=FIELDS)
    before = (set(Zone.objects.values_list("pk", "updated_at")), Event.objects.count(), AuditEntry.objects.count())
    again = import_zones(path=path, level="block", fields=FIELDS)
    assert not again.changed_anything and again.unchanged == 2
    assert (set(Zone.objects.values_list("pk", "updated_at")), Event.objects.count(), AuditEntry.objects.count()) == before


def test_it_leaves_an_audit_record_and_an_event(places, file, cast):
    import_zones(path=file(feature("1", WEST)), level="block", fields=FIELDS, by=cast.superadmin)
    record = AuditEntry.objects.get(verb="zones.import")
    assert (record.actor_name, record.reason, (record.after or {})["added"]) == ("root", "zones.geojson", 1)
    event = Event.objects.get(type="geography.zones_changed")
    assert (event.subject_id, event.data["levels"]) == (places.region.pk, ["block"])


def test_a_dry_run_tells_and_writes_nothing(places, file):
    done = import_zones(path=file(feature("1", WEST)), level="block", fields=FIELDS, dry_run=True)
    assert (done.is_dry_run, done.added) == (True, 1)
    assert not Zone.objects.filter(level="block").exists()
    assert not Event.objects.filter(type="geography.zones_changed").exists()


def test_a_bow_tie_is_repaired_and_said(places, file):
    bow_tie = {"type": "Polygon", "coordinates": [[[47.9, 29.3], [47.95, 29.4], [47.95, 29.3], [47.9, 29.4], [47.9, 29.3]]]}
    done = import_zones(path=file(feature("1", bow_tie)), level="block", fields=FIELDS)
    assert [(row["feature"], row["code"]) for row in done.repaired] == [(1, "1")]
    zone = Zone.objects.get(level="block", code="1")
    assert zone.boundary.valid and zone.boundary.area == pytest.approx(0.0025)


def test_overlaps_and_gaps_are_measured_in_square_metres(places, file):
    frame = {
        "type": "Polygon",
        "coordinates": [
            [[47.9, 29.3], [47.94, 29.3], [47.94, 29.34], [47.9, 29.34], [47.9, 29.3]],
            [[47.91, 29.31], [47.91, 29.32], [47.92, 29.32], [47.92, 29.31], [47.91, 29.31]],
        ],
    }
    done = import_zones(path=file(feature("1", frame), feature("2", box(47.935, 29.3, 47.95, 29.34))), level="block", fields=FIELDS)
    fit = done.topology
    assert (fit.overlaps, fit.worst_overlaps[0]["zones"]) == (1, ["1", "2"])
    assert fit.overlap_m2 == pytest.approx(0.005 * 97_050 * 0.04 * 110_850, rel=0.01)
    assert (fit.gaps, fit.worst_gaps[0]["zones"]) == (1, ["1"])
    assert fit.gap_m2 == pytest.approx(0.01 * 97_050 * 0.01 * 110_850, rel=0.01)


def test_what_the_file_covers_and_does_not_name_goes_out_of_use(places, file):
    done = import_zones(path=file(feature("NEW", WEST, "New", "جديد")), level="area", fields=FIELDS)
    assert done.retired_zones == ["T-SAL"]
    places.salmiya.refresh_from_db()
    assert not places.salmiya.is_active and not places.salmiya.pieces.exists()
    assert Zone.objects.get(pk=places.jabriya.pk).is_active


def test_an_approximate_zone_keeps_its_row_when_the_official_one_has_its_name(places, file):
    Zone.objects.filter(pk=places.salmiya.pk).update(is_approximate=True)
    done = import_zones(path=file(feature("207", WEST, "Salmiya", "ضاحية السالمية")), level="area", fields=FIELDS)
    assert (done.changed, done.added, done.retired) == (1, 0, 0)
    places.salmiya.refresh_from_db()
    assert (places.salmiya.code, places.salmiya.is_approximate) == ("207", False)


def test_codes_may_change_hands(places, file):
    Zone.objects.filter(level="area").update(is_approximate=True)
    path = file(feature("T-SAL", EAST, "Jabriya", "الجابرية"), feature("T-JAB", WEST, "Salmiya", "السالمية"))
    assert import_zones(path=path, level="area", fields=FIELDS).changed == 2
    assert {zone.code for zone in Zone.objects.level("area")} == {"T-SAL", "T-JAB", "T-SHA"}


def test_a_parent_may_be_named_by_its_code(places, file):
    path = file(feature("1", WEST, up="T-CAP"), feature("2", EAST, "Other", "آخر", up="T-HA"))
    with pytest.raises(Invalid, match="feature 1, up: there is no zone T-CAP"):
        import_zones(path=path, level="area", fields=ZoneFields("code", "en", "ar", parent="up"))
    path = file(feature("1", WEST, up="T-KU"))
    import_zones(path=path, level="area", fields=ZoneFields("code", "en", "ar", parent="up"))
    assert Zone.objects.get(level="area", code="1").parent == places.capital


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([feature("", WEST)], "feature 1, code: is empty"),
        ([feature(None, WEST)], "feature 1, code: is empty"),
        ([feature("1", WEST), feature("1", EAST)], "feature 2, code: repeats the code 1 of feature 1"),
        ([feature("1", WEST, ar="")], "feature 1, ar: is empty"),
        ([feature("1", WEST, en="x" * 121)], "feature 1, en: is longer than 120"),
        ([feature("1", {"type": "Point", "coordinates": [47.9, 29.3]})], "feature 1, geometry: is a Point"),
        ([feature("1", None)], "feature 1, geometry: is missing"),
        ([feature("1", {"type": "Polygon", "coordinates": []})], "feature 1, geometry: is missing"),
        ([feature("1", box(479000, 29, 480000, 30))], "feature 1, geometry: lies outside longitude"),
        ([feature("1", box(47.9, 29.3, 47.9, 29.3))], "feature 1, geometry: encloses no area"),
        ([feature("1", WEST, ar="Ø§Ù„Ø³Ø§Ù„Ù…ÙŠØ©")], "feature 1, ar: is garbled"),
        ([feature("1", WEST, ar="????????")], "feature 1, ar: is garbled"),
        ([], "holds no features"),
    ],
)
def test_each_fault_is_named_by_feature_and_field_and_nothing_is_written(places, file, features, said):
    good = feature("9", EAST, "Good", "جيد")
    with pytest.raises(Invalid) as refused:
        import_zones(path=file(*features, *([good] if features else [])), level="block", fields=FIELDS)
    assert said in refused.value.message
    assert not Zone.objects.filter(level="block").exists()


def test_all_faults_are_told_at_once_up_to_a_limit(places, file):
    with pytest.raises(Invalid) as refused:
        import_zones(path=file(*[feature("", WEST) for _ in range(30)]), level="block", fields=FIELDS)
    assert len(refused.value.fields) == 20 and "10 more" in refused.value.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("zones.geojson", b"", "is empty"),
        ("zones.geojson", b"{ broken", "cannot be read as GeoJSON"),
        ("zones.gpkg", b"SQLite format 3\0 and nothing more", "cannot be read as GeoPackage"),
        ("zones.shp", b"\0" * 300, "cannot be read as shapefile"),
        ("zones.csv", b"code,en,ar", "zones come as .geojson, .gpkg or .shp"),
    ],
)
def test_what_is_no_file_of_zones_is_refused_in_words(places, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=said):
        import_zones(path=tmp_path / name, level="block", fields=FIELDS)
    with pytest.raises(Invalid, match="There is no file"):
        import_zones(path=tmp_path / "absent.geojson", level="block", fields=FIELDS)


def test_a_missing_field_is_named_with_those_there_are(places, file):
    with pytest.raises(Invalid, match=r"no field kod\. It has: code, en, ar"):
        import_zones(path=file(feature("1", WEST)), level="block", fields=ZoneFields("kod", "en", "ar"))


def test_a_population_that_is_no_number_is_refused(places, file):
    fields = ZoneFields("code", "en", "ar", population="people")
    with pytest.raises(Invalid, match="feature 1, people: is no number of people: many"):
        import_zones(path=file(feature("1", WEST, people="many")), level="block", fields=fields)
    import_zones(path=file(feature("1", WEST, people="12,500")), level="block", fields=fields)
    assert Zone.objects.get(level="block").population == 12_500


def converted(file: Path, name: str, driver: str, *options: str) -> Path:
    """``file`` in another format, by GDAL's own tool."""
    path = file.parent / name
    try:
        subprocess.run(["ogr2ogr", "-f", driver, *options, path, file], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("ogr2ogr (gdal-bin) is not installed")
    return path


@pytest.mark.parametrize(("name", "driver"), [("zones.shp", ["ESRI Shapefile", "-lco", "ENCODING=UTF-8"]), ("zones.gpkg", ["GPKG"])])
def test_a_file_in_metres_comes_in_with_its_arabic(places, file, name, driver):
    path = converted(file(feature("1", WEST, "West", "السالمية"), name="source.geojson"), name, *driver, "-t_srs", "EPSG:32638")
    assert DataSource(str(path))[0].extent.min_x > 180
    import_zones(path=path, level="block", fields=FIELDS)
    zone = Zone.objects.get(level="block")
    assert zone.name_ar == "السالمية"
    assert zone.boundary.extent == pytest.approx((47.9, 29.3, 47.95, 29.4), abs=1e-6)


def test_an_old_shapefile_says_nothing_of_its_encoding_so_its_keeper_does(places, file):
    source = file(feature("1", WEST, "West", "السالمية"), name="source.geojson")
    path = converted(source, "zones.shp", "ESRI Shapefile", "-lco", "ENCODING=CP1256")
    path.with_suffix(".cpg").unlink()
    import_zones(path=path, level="block", fields=FIELDS, encoding="cp1256")
    assert Zone.objects.get(level="block").name_ar == "السالمية"


def test_a_file_in_another_encoding_than_it_says_is_refused(places, file):
    path = file(feature("1", WEST))
    path.write_bytes(path.read_text(encoding="utf-8").replace("\\u0645\\u0643\\u0627\\u0646", "مكان").encode("cp1256"))
    with pytest.raises(Invalid, match="encod"):
        import_zones(path=path, level="block", fields=FIELDS)


def test_a_region_stands_beside_another_with_its_own_clock_and_metres(places, file):
    path = file(feature("stlouis", box(-90.4, 38.5, -90.13, 38.8), "St. Louis", "سانت لويس", tz="America/Chicago"))
    done = import_zones(path=path, level="country", fields=FIELDS)
    assert done.is_new_region
    region = Region.objects.get(code="stlouis")
    assert (region.name_en, region.time_zone, region.metric_srid, region.is_default) == ("St. Louis", "America/Chicago", 32615, False)
    place = place_of(Point(-90.2, 38.6, srid=4326))
    assert place and (place.region_id, place.area_id) == (region.pk, None)
    at_home = place_of(places.in_salmiya)
    assert at_home and at_home.region_id == places.region.pk
    assert not import_zones(path=path, level="country", fields=FIELDS).changed_anything


def test_a_new_region_needs_a_clock_that_exists_and_metres(places, file):
    path = file(feature("9", box(-122.7, 45.5, -122.6, 45.6)))
    with pytest.raises(Invalid, match="say its time zone"):
        import_zones(path=path, level="sector", fields=FIELDS, region="portland")
    with pytest.raises(Invalid, match="no time zone Mars"):
        import_zones(path=path, level="sector", fields=FIELDS, region="portland", new_region=NewRegion("Mars/Olympus"))
    with pytest.raises(Invalid, match="EPSG:4326 is no projection in metres"):
        import_zones(path=path, level="sector", fields=FIELDS, region="portland", new_region=NewRegion("America/Los_Angeles", 4326))
    import_zones(path=path, level="sector", fields=FIELDS, region="portland", new_region=NewRegion("America/Los_Angeles"))
    region = Region.objects.get(code="portland")
    assert region.metric_srid == 32610
    country = region.zones.get(level="country")
    assert country.is_approximate and region.zones.get(level="sector").parent == country


@pytest.mark.parametrize(("place", "srid"), [((47.9, 29.3), 32638), ((-90.2, 38.6), 32615), ((18.4, -33.9), 32734), ((180, 0), 32660)])
def test_metres_come_from_the_utm_zone(place, srid):
    assert utm_srid(*place) == srid


def test_the_command_says_in_words_what_it_did(places, file, capsys):
    options = {"level": "block", "code_field": "code", "name_en_field": "en", "name_ar_field": "ar"}
    path = file(feature("1", WEST), feature("2", box(47.94, 29.3, 48.0, 29.4), "Other", "آخر"))
    call_command("import_zones", path, **options, dry_run=True)
    assert "nothing was written" in capsys.readouterr().out
    call_command("import_zones", path, **options)
    out = capsys.readouterr().out
    assert "2 added" in out and "1 and 2 by" in out
    call_command("import_zones", path, **options)
    assert "nothing to change" in capsys.readouterr().out
    call_command("import_zones", path, **options, json=True)
    assert json.loads(capsys.readouterr().out)["unchanged"] == 2
    with pytest.raises(CommandError, match="--name-ar-field"):
        call_command("import_zones", path, level="block", code_field="code", name_en_field="en")


def test_the_shared_cities_come_in_as_regions(places):
    import_zones(path=shared("crime/stlouis_box.geojson"), level="country", fields=ZoneFields("code", "name_en", "name_ar"))
    done = import_zones(
        path=shared("crime/portland_police_districts.geojson"),
        level="sector",
        fields=ZoneFields("DISTRICT", "DISTRICT", "DISTRICT"),
        region="portland",
        new_region=NewRegion("America/Los_Angeles"),
    )
    assert (done.read, done.added) == (60, 60)
    place = place_of(Point(-122.66, 45.52, srid=4326))
    assert place and place.sector_id


def test_a_file_whose_fields_cannot_be_guessed_is_refused_with_its_fields(places, file):
    with pytest.raises(Invalid, match="cannot be told from: code, en, ar"):
        import_official(path=file(feature("1", WEST)))
