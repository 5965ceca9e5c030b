"""Each format comes in, streamed, with what it says (ING-3, ING-4, ING-5, ING-8, ING-9)."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from core.models import AuditEntry, Event
from incidents import events
from incidents.lifecycle import State
from incidents.models import ImportRun, Incident, IncidentLog, IncidentType, RejectedRow, Report, Source
from incidents.services import importing
from incidents.services.importing.readers import RefusedFile, open_table
from incidents.tests.importing.conftest import HEAD

pytestmark = pytest.mark.django_db

ROWS = (
    "A-1,burglary,2026-01-05 10:00,47.92,29.35,high,P2,Door forced,Salmiya block 10 street 5 bldg 12,112\n"
    "A-2,burglary,2026-01-05 11:30,47.85,29.35,,,,,patrol\n"
)


def test_a_csv_becomes_incidents_with_zones_report_and_log(bring, write, places, feed):
    run = bring(write(HEAD + ROWS))
    assert (run.status, run.read, run.accepted, run.rejected) == ("done", 2, 2, 0)
    first, second = Incident.objects.order_by("id")
    assert first.occurred_at == datetime(2026, 1, 5, 7, 0, tzinfo=UTC)  # Kuwait is three hours ahead
    assert (first.governorate, first.area) == (places.hawalli, places.salmiya)
    assert (second.governorate, second.area) == (places.capital, places.sharq)
    assert (first.severity, first.priority, first.origin) == (3, 2, "reported")
    assert (second.priority, second.origin) == (2, "discovered")  # the type's own priority
    assert (first.address_block, first.address_street, first.address_building) == ("10", "5", "12")
    report = Report.objects.get(external_id="A-1")
    assert report.incident == first and report.import_run == run and report.row_number == 2
    assert report.raw["description"] == "Door forced"
    assert [entry.kind for entry in IncidentLog.objects.filter(incident=first)] == ["received"]


def test_what_happened_long_ago_is_stored_closed_and_what_is_new_is_open(bring, write):
    now = datetime.now(UTC).isoformat()
    bring(write(HEAD + ROWS + f"A-3,burglary,{now},47.92,29.35,,,,,\n"))
    assert [i.state for i in Incident.objects.order_by("id")] == [State.CLOSED, State.CLOSED, State.RECEIVED]


def test_one_event_a_batch_and_one_audit_row_an_import(bring, write, feed):
    bring(write(HEAD + ROWS))
    (event,) = Event.objects.filter(type=events.INCIDENTS_IMPORTED)
    first, last = Incident.objects.order_by("id").values_list("pk", flat=True)
    assert event.data["count"] == 2 and (event.data["first_id"], event.data["last_id"]) == (first, last)
    assert event.agency_id == feed.agency_id
    assert Event.objects.filter(type=events.IMPORT_FINISHED).count() == 1
    assert AuditEntry.objects.filter(verb="incidents.import").count() == 1


def test_the_same_file_again_adds_nothing_and_wastes_no_numbers(bring, write):
    bring(write(HEAD + ROWS))
    again = bring(write(HEAD + ROWS))
    assert (again.accepted, again.duplicates) == (0, 2)
    third = bring(write(HEAD + ROWS + "A-3,burglary,2026-01-05 12:00,47.92,29.35,,,,,\n"))
    assert (third.accepted, third.duplicates) == (1, 2)
    ids = list(Incident.objects.order_by("id").values_list("pk", flat=True))
    assert ids[2] == ids[1] + 1


def test_rows_without_an_id_are_known_by_their_content(bring, write):
    text = "type,occurred_at,lon,lat\nburglary,2026-01-05 10:00,47.92,29.35\nburglary,2026-01-05 10:00,47.92,29.35\n"
    run = bring(write(text))
    assert (run.accepted, run.duplicates) == (1, 1)
    assert bring(write(text)).accepted == 0


def test_search_finds_imported_text_in_both_languages(bring, write):
    bring(write(HEAD + "A-1,burglary,2026-01-05 10:00,47.92,29.35,,,سرقة من الفيلا,,\n"))
    assert Incident.objects.matching("سرقه").count() == 1
    assert Incident.objects.matching("burgl").count() == 1
    assert Incident.objects.matching("A-1").count() == 1


def test_gzip_json_lines_geojson_parquet_and_xlsx_say_the_same(bring, write, tmp_path):
    columns = HEAD.strip().split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in ROWS.splitlines()]
    typed = [{**row, "lon": float(row["lon"]), "lat": float(row["lat"])} for row in rows]
    files = [write(gzip.compress((HEAD + ROWS).encode()), "rows.csv.gz")]
    lines = "".join(json.dumps({**row, "nested": {"unit": 7}}) + "\n" for row in typed)
    files += [write(lines, "rows.jsonl"), write(gzip.compress(lines.encode()), "rows.jsonl.gz")]
    features = [
        {
            "type": "Feature",
            "properties": {key: value for key, value in row.items() if key not in ("lon", "lat")},
            "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
        }
        for row in typed
    ]
    files.append(write(json.dumps({"type": "FeatureCollection", "name": "x", "features": features}, indent=1), "rows.geojson"))
    table = pyarrow.Table.from_pylist([{**row, "occurred_at": datetime.fromisoformat(str(row["occurred_at"]))} for row in typed])
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    files.append(tmp_path / "rows.parquet")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(columns)
    for row in typed:
        sheet.append([datetime.fromisoformat(str(row["occurred_at"])) if key == "occurred_at" else row[key] or None for key in columns])
    book.save(tmp_path / "rows.xlsx")
    files.append(tmp_path / "rows.xlsx")
    expected = None
    for path in files:
        source = Source.objects.create(
            slug=path.name.replace(".", "-"), name=path.name, agency_id=Source.objects.get(slug="test-112").agency_id,
            region=Source.objects.get(slug="test-112").region,
        )  # fmt: skip
        run = bring(path, source=source)
        assert (run.status, run.accepted, run.error) == ("done", 2, ""), path.name
        found = list(
            Incident.objects.filter(source=source)
            .order_by("id")
            .values_list("occurred_at", "area__code", "severity", "priority", "description", "address_block", "origin", "type__code")
        )
        expected = expected or found
        assert found == expected, path.name


@pytest.mark.parametrize(
    "heading",
    [
        "رقم البلاغ,نوع البلاغ,وقت الحادث,خط الطول,خط العرض,الوصف",
        "Case Number,Primary Type,timestamp,longitude,latitude,Narrative",
        "id;category;date;x;y;details",
    ],
)
def test_columns_are_found_by_name_in_both_languages(bring, write, heading):
    mark = ";" if ";" in heading else ","
    run = bring(write(heading + "\n" + mark.join(["7", "burglary", "2026-01-05 10:00", "47.92", "29.35", "x"]) + "\n"))
    assert run.accepted == 1
    assert set(run.options["mapping"]) == {"external_id", "type", "occurred_at", "lon", "lat", "description"}


def test_the_mapping_is_kept_for_the_source(bring, write, feed):
    text = "what,happened,lon,lat\nburglary,2026-01-05 10:00,47.92,29.35\n"
    bring(write(text), mapping={"type": "what", "occurred_at": "happened"})
    feed.refresh_from_db()
    assert feed.column_mapping["type"] == "what"
    assert bring(write(text.replace("10:00", "11:00"))).accepted == 1


def test_without_a_required_column_the_file_is_refused_naming_what_it_has(bring, write):
    with pytest.raises(RefusedFile) as refused:
        bring(write("a,b,lon,lat\n1,2,3,4\n"))
    assert set(refused.value.fields) == {"type", "occurred_at"} and "a, b, lon, lat" in refused.value.message
    with pytest.raises(RefusedFile) as refused:
        bring(write(HEAD + ROWS), mapping={"type": "nowhere"})
    assert "nowhere" in refused.value.message
    assert not Incident.objects.exists()


def test_coordinates_in_a_projection_come_out_in_degrees(bring, write):
    run = bring(write("type,time,x,y\nburglary,2026-01-05 10:00,783661,3250290\n"), srid=32638)
    assert run.accepted == 1, run.quality
    location = Incident.objects.get().location
    assert location is not None and abs(location.x - 47.92) < 0.01 and abs(location.y - 29.35) < 0.01
    with pytest.raises(RefusedFile):
        bring(write("type,time,x,y\nburglary,2026-01-06 10:00,1,2\n"), srid=999_999)


def test_an_unknown_type_is_added_unreviewed_and_rejects_nothing(bring, write):
    run = bring(write(HEAD + "A-1,camel on the road,2026-01-05 10:00,47.92,29.35,,,,,\n"))
    assert run.accepted == 1 and run.quality["new_types"] == 1
    assert not IncidentType.objects.get(name_en="camel on the road").is_reviewed


def test_a_column_of_free_text_is_no_type(bring, write, monkeypatch):
    monkeypatch.setattr("incidents.services.importing.running.MAX_NEW_TYPES", 5)
    rows = "".join(f"A-{n},story {n},2026-01-05 10:00,47.92,29.35,,,,,\n" for n in range(9))
    run = bring(write(HEAD + rows))
    assert run.status == "failed" and "“type”" in run.error and not Incident.objects.exists()
    assert not IncidentType.objects.filter(is_reviewed=False).exists()


def test_rows_without_a_place_are_accepted_and_counted(bring, write, feed):
    run = bring(write(HEAD + "A-1,burglary,2026-01-05 10:00,,,,,,,\n"))
    incident = Incident.objects.get()
    assert run.quality["unlocated"] == 1 and incident.location is None and incident.region == feed.region and incident.area is None


def test_a_dry_run_counts_like_the_real_one_and_writes_nothing(bring, write):
    text = HEAD + ROWS + ROWS + "A-9,burglary,nonsense,47.92,29.35,,,,,\nA-10,ghost,2026-01-05 10:00,48.9,29.35,,,,,\n"
    dry = bring(write(text), dry_run=True)
    assert not Incident.objects.exists() and not RejectedRow.objects.exists() and not Report.objects.exists()
    assert not IncidentType.objects.filter(is_reviewed=False).exists()
    real = bring(write(text))
    assert (dry.read, dry.accepted, dry.duplicates, dry.rejected) == (real.read, real.accepted, real.duplicates, real.rejected)
    assert (real.read, real.accepted, real.duplicates, real.rejected) == (6, 2, 2, 2)


def test_the_command_answers_in_json_and_names_the_rejects_file(command, write):
    answer = command(write(HEAD + ROWS + "A-9,,2026-01-05 10:00,47.92,29.35,,,,,\n"))
    assert {key: answer[key] for key in ("read", "accepted", "duplicates", "rejected")} == {
        "read": 3, "accepted": 2, "duplicates": 0, "rejected": 1,
    }  # fmt: skip
    assert set(answer) == {"read", "accepted", "duplicates", "rejected", "seconds", "rejects_file", "failed"}
    assert "A-9" in Path(answer["rejects_file"]).read_text(encoding="utf-8-sig")


def test_an_unknown_source_is_added_in_the_region_of_its_points(command, write, places):
    answer = command(write(HEAD + ROWS), source="new-feed")
    source = Source.objects.get(slug="new-feed")
    assert answer["accepted"] == 2 and source.region == places.region and source.agency.slug == "police"
    assert "There is no agency" in command(write(HEAD + ROWS), source="other", agency="navy")["failed"]
    assert command(write(HEAD + ROWS), source="Not a slug!")["failed"]


def test_a_dry_run_leaves_no_new_source_behind(command, write):
    assert command(write(HEAD + ROWS), source="new-feed", dry_run=True)["accepted"] == 2
    assert not Source.objects.filter(slug="new-feed").exists() and not Incident.objects.exists()


def test_the_command_refuses_what_it_does_not_know(command, write):
    assert "no such field" in command(write(HEAD + ROWS), map=["colour=type"])["failed"]
    assert "TARGET=COLUMN" in command(write(HEAD + ROWS), map=["type"])["failed"]
    assert "time zone" in command(write(HEAD + ROWS), tz="Mars/Olympus")["failed"]
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(200), b"PK\x03\x04 nothing", b"%PDF-1.7 ...", bytes(range(256)) * 40]
)
def test_other_files_are_refused_and_not_kept(write, content, settings):
    with pytest.raises(RefusedFile):
        importing.archive_upload(file=write(content), name="x.csv", by=None)
    assert not [path for path in (settings.FILES_DIR / "imports").rglob("*") if path.is_file()]
    assert not ImportRun.objects.exists()


def test_a_file_over_the_limit_is_refused(write, settings):
    settings.IMPORT_MAX_BYTES = 100
    with pytest.raises(RefusedFile):
        importing.archive_upload(file=write(HEAD + ROWS * 10), name="x.csv", by=None)


def test_outlines_are_no_incidents(write):
    shape = {"type": "Feature", "properties": {"a": 1}, "geometry": {"type": "Polygon", "coordinates": []}}
    with pytest.raises(RefusedFile, match="not a point"):
        open_table(write(json.dumps({"type": "FeatureCollection", "features": [shape]})))


def test_a_large_geojson_is_read_in_pieces(write):
    features = ",".join(
        json.dumps(
            {"type": "Feature", "properties": {"n": n, "text": "x" * 900}, "geometry": {"type": "Point", "coordinates": [47.9, 29.3]}}
        )
        for n in range(3000)
    )
    with open_table(
        write('{"type":"FeatureCollection","crs":{"properties":{"name":"urn:ogc:def:crs:EPSG::3857"}},"features":[' + features + "]}")
    ) as table:
        assert table.srid == 3857
        batches = list(table.batches(limit=1000))
    assert [len(batch) for batch in batches] == [1000, 1000, 1000] and batches[2].rows[-1][0] == 2999
