"""ANA-6: ``manage.py forecast_file`` on a bare file: no database, nothing at or after its day is read, and bad files get a sentence."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 3, 1)


def write(path, *, days=200, a_day=8.0, until=AS_OF, district=("1", "2", "10"), category=("theft",), seed=1, extra=()):
    rng = np.random.default_rng(seed)
    rows = [["occurred_at", "category", "district", "lon", "lat"]]
    for back in range(days, 0, -1):
        midnight = datetime.combine(until - timedelta(days=back), datetime.min.time())
        for name in district:
            for kind in category:
                times = (midnight + timedelta(hours=float(hour)) for hour in sorted(rng.uniform(0, 24, rng.poisson(a_day))))
                rows += [[at.isoformat(" ", "seconds"), kind, name, "47.97", "29.34"] for at in times]
    rows += extra
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def run(path, *arguments, as_of=AS_OF):
    out, err = path.parent / "out.csv", io.StringIO()
    call_command("forecast_file", str(path), "--as-of", as_of.isoformat(), "--out", str(out), *arguments, stderr=err)
    return list(csv.DictReader(out.open())), err.getvalue()


def test_each_series_gets_its_days_sorted_and_whole_intervals(tmp_path):
    rows, said = run(write(tmp_path / "in.csv"), "--by", "district")
    assert list(rows[0]) == ["unique_id", "ds", "mean", "lo80", "hi80", "lo95", "hi95"]
    assert [row["unique_id"] for row in rows] == ["1"] * 7 + ["2"] * 7 + ["10"] * 7
    assert [row["ds"] for row in rows[:7]] == [(AS_OF + timedelta(days=k)).isoformat() for k in range(7)]
    for row in rows:
        assert 0 <= int(row["lo95"]) <= int(row["lo80"]) <= float(row["mean"]) <= int(row["hi80"]) <= int(row["hi95"])
        assert 5 < float(row["mean"]) < 11
    assert "calendar: KW" in said and "model:" in said


def test_without_by_there_is_one_series_and_a_total_is_the_sum_of_its_parts(tmp_path):
    path = write(tmp_path / "in.csv")
    rows, _said = run(path, "--horizon-days", "3")
    assert [row["unique_id"] for row in rows] == ["all"] * 3
    rows, _said = run(path, "--by", "district", "--total")
    for day in {row["ds"] for row in rows}:
        means = {row["unique_id"]: float(row["mean"]) for row in rows if row["ds"] == day}
        assert means.pop("total") == pytest.approx(sum(means.values()), abs=0.001) and len(means) == 3


def test_nothing_at_or_after_its_day_is_read(tmp_path):
    calm = write(tmp_path / "calm.csv")
    storm = [[f"2026-03-{day:02d} 00:00:00", "theft", "1", "47.97", "29.34"] for day in range(1, 20) for _ in range(200)]
    wild = write(tmp_path / "wild.csv", extra=storm)
    assert run(calm, "--by", "district")[0] == run(wild, "--by", "district")[0]


def test_the_same_file_gives_the_same_answer(tmp_path):
    path = write(tmp_path / "in.csv")
    run(path, "--by", "district")
    first = (tmp_path / "out.csv").read_bytes()
    run(path, "--by", "district")
    assert (tmp_path / "out.csv").read_bytes() == first and not list(tmp_path.glob("*.part"))


def test_one_category_is_forecast_alone(tmp_path):
    path = write(tmp_path / "in.csv", category=("theft", "fire"), a_day=4.0, district=("1",))
    one, every = (float(run(path, *given)[0][0]["mean"]) for given in (("--category", "fire"), ()))
    assert 2 < one < 6 < every < 11


def test_a_series_with_too_little_history_gets_a_line_and_no_row(tmp_path):
    new = [[f"2026-02-2{day} 10:00:00", "theft", "7", "47.97", "29.34"] for day in (6, 7) for _ in range(9)]
    rows, said = run(write(tmp_path / "in.csv", extra=new), "--by", "district")
    assert {row["unique_id"] for row in rows} == {"1", "2", "10"}
    assert "7: too little history: 3 days, needs 28; no forecast" in said


@pytest.mark.parametrize(
    ("given", "arguments", "why"),
    [
        ({"days": 2}, [], "too little history: 2 days, needs 28"),
        ({"days": 0}, [], "no usable incident before 2026-03-01"),
        ({"days": 0, "extra": [["2026-02-27 10:00:00", "theft", "1", "47.9", "29.3"]]}, [], "too little history: 2 days, needs 28"),
        ({"until": AS_OF - timedelta(days=60)}, [], "The newest incident before 2026-03-01 is of 2025-12-30"),
        ({}, ["--category", "piracy"], "no incident of the category piracy"),
        ({}, ["--by", "parish"], "no column parish"),
        ({}, ["--horizon-days", "0"], "1 to 60 days"),
        ({}, ["--total"], "--by"),
    ],
    ids=["two days", "empty", "one incident", "stopped", "unknown category", "unknown column", "no horizon", "total of one"],
)
def test_a_file_that_cannot_be_forecast_gets_a_sentence_and_no_output(tmp_path, given, arguments, why):
    with pytest.raises(CommandError, match="(?s)" + why):
        run(write(tmp_path / "in.csv", **given), *arguments)
    assert not (tmp_path / "out.csv").exists()


def test_a_missing_file_and_an_unwritable_place_are_said(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "nothing.csv")
    with pytest.raises(CommandError, match="cannot be written"):
        run(write(tmp_path / "in.csv"), "--out", str(tmp_path / "no" / "where.csv"))


def test_a_year_with_a_gap_is_unknown_and_not_quiet(tmp_path):
    path = write(tmp_path / "in.csv", days=60, a_day=12.0)
    before = write(tmp_path / "before.csv", days=200, a_day=12.0, until=AS_OF - timedelta(days=100), seed=2)
    whole = tmp_path / "whole.csv"
    whole.write_text(before.read_text() + path.read_text().split("\n", 1)[1])
    rows, said = run(whole, "--by", "district")
    assert "40 days without any incident are taken as unknown" in said
    assert all(9 < float(row["mean"]) < 15 for row in rows)


def test_it_needs_no_environment_and_writes_to_standard_output(tmp_path):
    path = write(tmp_path / "in.csv", days=90)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [
        sys.executable,
        str(ROOT / "manage.py"),
        "forecast_file",
        str(path),
        "--as-of",
        "2026-03-01",
        "--by",
        "district",
        "--out",
        "-",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "unique_id,ds,mean,lo80,hi80,lo95,hi95" and len(done.stdout.splitlines()) == 22
