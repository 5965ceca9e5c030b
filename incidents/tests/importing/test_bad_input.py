"""Bad input: a clear error naming row and field, nothing half-written, the good rows go in (ING-3, ING-5, ING-8)."""

from __future__ import annotations

import csv
import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidents.models import ImportRun, Incident, RejectedRow, Report
from incidents.services.importing.readers import RefusedFile
from incidents.services.importing.rejects import guarded, unguarded
from incidents.tests.importing.conftest import HEAD

pytestmark = pytest.mark.django_db

GOOD = "G-1,burglary,2026-01-05 10:00,47.92,29.35,,,,,\n"
SHARED = Path(os.environ.get("KHAREETATY_SHARED") or Path(__file__).resolve().parents[4] / "shared")


def row(**cells: str) -> str:
    names = HEAD.strip().split(",")
    usual = {"incident_id": "B-1", "type": "burglary", "occurred_at": "2026-01-05 10:00", "lon": "47.92", "lat": "29.35"}
    return ",".join({**usual, **cells}.get(name, "") for name in names) + "\n"


@pytest.mark.parametrize(
    ("cells", "field", "code"),
    [
        ({"type": ""}, "type", "missing"),
        ({"type": "x" * 161}, "type", "too_long"),
        ({"occurred_at": ""}, "occurred_at", "missing"),
        ({"occurred_at": "yesterday"}, "occurred_at", "unreadable_time"),
        ({"occurred_at": "2026-02-30 10:00"}, "occurred_at", "unreadable_time"),
        ({"occurred_at": "2099-01-01 10:00"}, "occurred_at", "future"),
        ({"occurred_at": "1850-01-01"}, "occurred_at", "too_old"),
        ({"lon": "nan"}, "lon", "not_finite"),
        ({"lat": "inf"}, "lat", "not_finite"),
        ({"lon": "1e999"}, "lon", "not_finite"),
        ({"lat": "north"}, "lat", "bad_number"),
        ({"lon": "1_0"}, "lon", "bad_number"),
        ({"lat": "95"}, "lat", "out_of_range"),
        ({"lon": "-190"}, "lon", "out_of_range"),
        ({"lon": "0", "lat": "0.0"}, "lon", "zero_coordinates"),
        ({"lat": ""}, "lat", "half_coordinates"),
        ({"lon": "48.9"}, "lon", "out_of_area"),
        ({"lon": "-90.2", "lat": "38.6"}, "lon", "out_of_area"),
        ({"incident_id": "x" * 129}, "external_id", "too_long"),
        ({"description": "a\0b"}, "description", "nul"),
        ({"description": "x" * 1_000_000}, "description", "too_long"),
        ({"address": "x" * 301}, "address", "too_long"),
        ({"priority": "9"}, "priority", "out_of_range"),
        ({"severity": "7"}, "severity", "out_of_range"),
        ({"description": "one,two,three,four,five"}, "", "too_many_cells"),
    ],
)
def test_a_bad_row_is_named_and_the_good_one_goes_in(bring, write, cells, field, code):
    run = bring(write(HEAD + GOOD + row(**cells)))
    assert (run.status, run.read, run.accepted, run.rejected) == ("done", 2, 1, 1)
    bad = RejectedRow.objects.get()
    assert bad.row_number == 3 and bad.status == ("quarantined" if code == "out_of_area" else "rejected")
    assert (bad.errors[0]["field"], bad.errors[0]["code"]) == (field, code)
    assert bad.errors[0]["message"]
    assert run.quality["codes"] == {code: 1}
    assert Report.objects.count() == 1


def test_every_problem_of_a_row_is_told_at_once(bring, write):
    bring(write(HEAD + row(type="", occurred_at="soon", lat="95")))
    assert {error["field"] for error in RejectedRow.objects.get().errors} == {"type", "occurred_at", "lat"}


def test_a_repeated_run_does_not_repeat_the_rejected_rows(bring, write):
    text = HEAD + GOOD + row(occurred_at="soon") + row(incident_id="", lat="95") + row(incident_id="B-3", lon="48.9")
    bring(write(text))
    again = bring(write(text))
    assert again.rejected == 3 and RejectedRow.objects.count() == 3
    assert set(RejectedRow.objects.values_list("import_run", flat=True)) == {again.pk}


def test_a_later_good_row_marks_the_rejected_one_corrected(bring, write):
    bring(write(HEAD + row(occurred_at="soon")))
    run = bring(write(HEAD + row()))
    bad = RejectedRow.objects.get()
    assert run.accepted == 1 and bad.status == "corrected" and bad.incident == Incident.objects.get() and bad.resolved_at


def test_the_rejects_file_is_corrected_and_sent_again(bring, write, tmp_path):
    text = "type,occurred_at,lon,lat,note\nburglary,soon,47.92,29.35,=1+1\nburglary,2026-01-05 10:00,48.9,29.35,-5\n"
    run = bring(write(text))
    content = Path(run.rejects_file).read_text(encoding="utf-8-sig")
    rows = list(csv.reader(content.splitlines()))
    assert rows[1][0] == "2" and rows[1][1:3] == ["occurred_at", "unreadable_time"] and rows[1][-1] == "'=1+1"
    assert rows[2][0] == "3" and rows[2][2] == "out_of_area" and rows[2][-1] == "-5"
    fixed = write(content.replace("soon", "2026-01-05 09:00").replace("48.9,", "47.92,"), "fixed.csv")
    again = bring(fixed)
    assert (again.accepted, again.rejected) == (2, 0)
    assert list(RejectedRow.objects.values_list("status", flat=True)) == ["corrected", "corrected"]
    first = Report.objects.earliest("id")
    assert first.raw == {
        "type": "burglary", "occurred_at": "2026-01-05 09:00", "lon": "47.92", "lat": "29.35", "note": "=1+1",
    }  # fmt: skip
    assert bring(fixed).accepted == 0


@pytest.mark.parametrize("cell", ["=SUM(A1)", "+971", "-1.5", "@x", "'quoted", "'=x", "plain", "", "-", "\tx", "+1+1"])
def test_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(cell):
    safe = guarded(cell)
    assert unguarded(safe) == cell
    assert not safe.startswith(("=", "@", "\t")) and (not safe.startswith(("+", "-")) or float(safe) is not None)


def test_formulas_in_cells_are_text(bring, write):
    bring(write(HEAD + row(description='"=HYPERLINK(""http://x"")"')))
    assert Incident.objects.get().description == '=HYPERLINK("http://x")'


def test_broken_bytes_cost_their_row_only(bring, write):
    text = (HEAD + "".join(row(incident_id=f"B-{n}", description="سرقة") for n in range(20))).encode()
    run = bring(write(text.replace("سرقة".encode(), b"\xff\xfe", 1)))
    assert (run.accepted, run.rejected) == (19, 1)
    bad = RejectedRow.objects.get()
    assert bad.row_number == 2 and bad.errors[0]["code"] == "encoding" and bad.errors[0]["field"] == "description"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1256"])
def test_arabic_files_are_read_in_their_encoding(bring, write, encoding):
    run = bring(write((HEAD + row(description="بلاغ سرقة")).encode(encoding)))
    assert run.accepted == 1 and Incident.objects.get().description == "بلاغ سرقة"


def test_a_truncated_gzip_keeps_the_rows_before_the_break(command, bring, write):
    rows = "".join(row(incident_id=f"B-{n}", description=os.urandom(40).hex()) for n in range(4000))
    whole = gzip.compress((HEAD + rows).encode())
    answer = command(write(whole[: len(whole) // 2], "cut.csv.gz"))
    assert "breaks off after row" in answer["failed"]
    assert 500 < answer["accepted"] < 4000 and answer["rejected"] == 0
    assert Incident.objects.count() == Report.objects.count() == answer["accepted"]
    assert ImportRun.objects.get().status == "failed"
    again = bring(write(whole, "whole.csv.gz"))
    assert again.accepted == 4000 - answer["accepted"]


def test_a_heading_that_is_used_and_stands_twice_is_refused(bring, write):
    with pytest.raises(RefusedFile) as refused:
        bring(write("type,occurred_at,lon,lat,lon\nburglary,2026-01-05 10:00,1,2,3\n"))
    assert "“lon”" in refused.value.message and "Row 1" in refused.value.message
    run = bring(write("type,occurred_at,lon,lat,note,note\nburglary,2026-01-05 10:00,47.92,29.35,a,b\n"))
    assert run.accepted == 1 and Report.objects.get().raw["note (2)"] == "b"


def test_an_unclosed_quote_does_not_swallow_the_memory(bring, write):
    run = bring(write(HEAD + GOOD + 'B-1,"burglary' + "x" * 9 * 2**20 + "\n"))
    assert run.status == "failed" and "after row" in run.error and run.accepted == 1


def test_one_endless_line_ends_the_run_and_not_the_machine(bring, write):
    run = bring(write(gzip.compress((HEAD + GOOD).encode() + b"x" * 40 * 2**20), "bomb.csv.gz"))
    assert run.status == "failed" and run.accepted == 1


def test_an_unknown_word_for_severity_is_counted_and_costs_nothing(bring, write):
    run = bring(write(HEAD + row(severity="purple") + row(incident_id="B-2", severity="خطير")))
    assert run.accepted == 2 and run.quality["unknown_severity"] == 1
    assert list(Incident.objects.order_by("id").values_list("severity", flat=True)) == [2, 3]


def test_broken_lines_of_json_are_named(bring, write):
    good = '{"type": "burglary", "occurred_at": "2026-01-05T10:00:00+03:00", "lon": 47.92, "lat": 29.35, "id": "%s"}\n'
    run = bring(write(good % "1" + '{"type": "burgl\n' + "[1, 2]\n" + good % "2" + good % r"\u0000", "rows.jsonl"))
    assert (run.accepted, run.rejected) == (2, 3)
    found = {(r.row_number, r.errors[0]["code"]) for r in RejectedRow.objects.all()}
    assert found == {(2, "unreadable"), (3, "not_an_object"), (5, "nul")}


def test_a_feature_that_is_no_point_is_named(bring, write):
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    point = {"type": "Point", "coordinates": [47.92, 29.35]}
    features = [
        {"type": "Feature", "properties": {"type": "burglary", "time": f"2026-01-05 1{n}:00"}, "geometry": geometry}
        for n, geometry in enumerate((line, point, None))
    ]
    run = bring(write(json.dumps({"type": "FeatureCollection", "features": features})[:-2] + ', {"type": "Feature", "prop'))
    assert run.status == "failed" and "after row 3" in run.error
    assert (run.accepted, run.rejected) == (2, 1) and RejectedRow.objects.get().errors[0]["code"] == "geometry"


def test_both_sides_of_a_clock_change(bring, write):
    text = HEAD + row(incident_id="1", occurred_at="2025-11-02 01:30") + row(incident_id="2", occurred_at="2025-03-09 02:30")
    run = bring(write(text), tz="America/Chicago")
    twice, never = Incident.objects.order_by("id").values_list("occurred_at", flat=True)
    assert twice == datetime(2025, 11, 2, 6, 30, tzinfo=UTC)  # the first of the two
    assert never == datetime(2025, 3, 9, 8, 30, tzinfo=UTC)  # read with the offset before the gap
    assert run.quality["ambiguous_time"] == 1 and run.quality["skipped_time"] == 1


def test_a_row_of_this_minute_on_a_fast_clock_is_no_future(bring, write):
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    assert bring(write(HEAD + row(occurred_at=soon))).accepted == 1


@pytest.mark.skipif(not (SHARED / "data/legacy-khareetaty/incidents.csv").exists(), reason="the shared data are not here")
def test_the_earlier_systems_points_at_sea_are_quarantined(bring):
    run = bring(SHARED / "data/legacy-khareetaty/incidents.csv")
    assert run.read == 500 and run.status == "done"
    assert run.quality["codes"] == {"out_of_area": run.rejected} and run.accepted + run.rejected + run.duplicates == 500
