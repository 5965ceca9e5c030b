"""ANA-5, ANA-8: the commands on a bare file need no database, read nothing they may not, and refuse in one sentence."""

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def command(*words, cwd):
    """With no environment but a path: no key, no database, no Redis."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *map(str, words)],
        cwd=cwd, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Two years of burglary and theft round two places, a few unusable rows, in a CSV."""
    rng = np.random.default_rng(5)
    start = datetime.fromisoformat("2016-01-01")
    path = tmp_path_factory.mktemp("city") / "city.csv"
    with path.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["id", "occurred_at", "category", "lat", "lon"])
        for number in range(3000):
            middle = (
                ((47.90, 29.30), (47.96, 29.34))[int(rng.integers(2))]
                if rng.uniform() < 0.4
                else rng.uniform((47.88, 29.28), (47.99, 29.37))
            )
            lon, lat = middle + rng.normal(0, 0.0005, 2)
            at = start + timedelta(days=float(rng.uniform(0, 730)))
            table.writerow(
                [number, at.isoformat(sep=" ", timespec="seconds"), ("burglary", "theft")[number % 2], f"{lat:.6f}", f"{lon:.6f}"]
            )
        table.writerow([3000, "soon", "theft", "29.3", "47.9"])
        table.writerow([3001, "2016-05-05", "theft", "", ""])
        table.writerow([3002, "2016-05-05", "theft", "nan", "inf"])
    return path


def rows(path):
    with path.open() as lines:
        return list(csv.DictReader(lines))


def test_every_cell_is_written_with_its_centre_and_score_and_later_rows_change_nothing(city, tmp_path):
    done = command("predict_risk", city, "--as-of", "2017-06-01", "--category", "burglary", "--out", "a.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = rows(tmp_path / "a.csv")
    scores = [float(row["score"]) for row in written]
    assert list(written[0]) == ["lon", "lat", "score"] and scores == sorted(scores, reverse=True) and scores[0] > 10 * scores[-1] >= 0
    near = [min(np.hypot(float(row["lon"]) - x, float(row["lat"]) - y) for x, y in ((47.90, 29.30), (47.96, 29.34))) for row in written[:2]]
    assert max(near) < 0.003
    kept = [line for line in city.read_text().splitlines() if not "2017-06-01" <= line.split(",")[1] < "2018"]
    (tmp_path / "cut.csv").write_text("\n".join(kept))
    command("predict_risk", "cut.csv", "--as-of", "2017-06-01", "--category", "burglary", "--out", "b.csv", cwd=tmp_path)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_a_backtest_prints_each_figure_with_its_interval_for_the_model_and_every_baseline(city, tmp_path):
    done = command("backtest", city, "--test-from", "2017-06-01", "--test-to", "2017-08-31", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["origins"] == 13 and found["first_origin"] == "2017-06-01"
    assert set(found["scores"]) == {"fading_counts", "last_4_weeks", "last_52_weeks", "last_208_weeks", "kernel_52_weeks"}
    for by_share in found["scores"].values():
        assert list(by_share) == ["0.01", "0.03", "0.05"]
        for one in by_share.values():
            assert one["pai"]["low"] <= one["pai"]["value"] <= one["pai"]["high"] and 0 <= one["pei_star"]["value"] <= 1 and one["rri"] > 0
    assert found["model_against"]["last_4_weeks"]["0.05"]["value"] == pytest.approx(
        found["scores"]["fading_counts"]["0.05"]["pai"]["value"] / found["scores"]["last_4_weeks"]["0.05"]["pai"]["value"], abs=0.01
    )
    assert found["best_baseline"]["0.01"] in found["scores"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["predict_risk", "FILE", "--as-of", "2016-01-03"], "Too little history: 2 days, needs 28."),
        (["predict_risk", "FILE", "--as-of", "2015-01-03"], "Too little history"),
        (["predict_risk", "FILE", "--as-of", "2017-01-01", "--category", "piracy"], "no incident of the category piracy"),
        (["predict_risk", "nowhere.csv", "--as-of", "2017-01-01"], "cannot be read"),
        (["predict_risk", "FILE", "--as-of", "2017-01-01", "--cell-m", "0"], "20 to 20,000 m"),
        (["predict_risk", "FILE", "--as-of", "2017-01-01", "--horizon-days", "nan"], "The horizon"),
        (["predict_risk", "FILE", "--as-of", "2017-01-01", "--out", "no/such/folder.csv"], "No such file"),
        (["backtest", "FILE", "--test-from", "2017-06-01", "--test-to", "2017-05-01"], "lies before the first"),
        (["backtest", "FILE", "--test-from", "2017-06-01", "--test-to", "2017-06-03"], "no room for 7 days"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(city, tmp_path, words, says):
    done = command(*(city if word == "FILE" else word for word in words), cwd=tmp_path)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_file_of_something_else_and_an_empty_one_are_refused(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "else.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 9)
    for name, says in (("empty.csv", "cannot be read"), ("else.csv", "no column occurred_at"), ("bytes.csv", "")):
        done = command("predict_risk", name, "--as-of", "2017-01-01", cwd=tmp_path)
        assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr, done.stderr
