"""The risk surface against counting, walked forward through real cities; how long it takes. Where the data is missing, it is left out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks import stlouis
from benchmarks.report import Report
from incidents.analytics.risk import NAME
from incidents.analytics.risk_backtest import AREA_SHARES, Backtest
from incidents.services.bare_risk import backtest_of_file

ROOT = Path(__file__).resolve().parents[1]
CRIME = stlouis.INCIDENTS.parent
STLOUIS = "Risk surface: St. Louis, the 52 weeks of 2017 (real incidents, 250 m cells, PAI at 1 / 3 / 5 % of the area)"
ELSEWHERE = "Risk surface: the years and cities it was chosen on (real incidents, PAI at 1 / 3 / 5 % of the area)"
SPEED = "Risk surface: from a bare file"
HOW = "model / best baseline of each share, chosen in hindsight"


@dataclass(frozen=True)
class Series:
    file: str
    category: str | None
    first: date
    last: date
    name: str


CITY_2017 = [
    Series(stlouis.INCIDENTS.name, category, date(2017, 1, 1), date(2017, 12, 31), category or "all")
    for category in (None, "burglary", "larceny", "robbery", "aggravated assault")
]
OTHERS = [
    *(
        Series(stlouis.INCIDENTS.name, category, date(2016, 1, 1), date(2016, 12, 31), f"St. Louis 2016, {category or 'all'}")
        for category in (None, "burglary", "larceny", "robbery", "aggravated assault")
    ),
    Series("portland_nij_burglary_2012-03_2017-02.csv.gz", None, date(2016, 3, 1), date(2017, 2, 28), "Portland burglary, 2016-17"),
    Series(
        "portland_nij_vehicle_theft_2012-03_2017-02.csv.gz", None, date(2016, 3, 1), date(2017, 2, 28), "Portland vehicle theft, 2016-17"
    ),
    Series("nyc_vehicle_thefts_2014_2017.csv.gz", None, date(2017, 1, 1), date(2017, 12, 30), "New York vehicle theft, 2017"),
    Series("chicago_sample_2017_2019.csv.gz", None, date(2018, 10, 1), date(2019, 9, 28), "Chicago, a sample of 25,000, 2018-19"),
]


def run(report: Report) -> None:
    if not stlouis.is_there():
        return
    _table(report, STLOUIS, CITY_2017, "the five rows together")
    _table(report, ELSEWHERE, [one for one in OTHERS if (CRIME / one.file).exists()], "all rows together")
    _speed(report)


def _table(report: Report, section: str, several: Sequence[Series], together: str) -> None:
    found: list[Backtest] = []
    for one in several:
        began = time.perf_counter()
        back = backtest_of_file(
            str(CRIME / one.file), test_from=one.first, test_to=one.last, horizon_days=7, cell_m=250, category=one.category
        )
        seconds = time.perf_counter() - began
        found.append(back)
        best = [back.best_baseline(share) for share in AREA_SHARES]
        shown = " / ".join(
            f"{back.pai(NAME, share):.2f} ({back.pai(name, share):.2f})" for share, name in zip(AREA_SHARES, best, strict=True)
        )
        leads = [back.against(NAME, name, share) for share, name in zip(AREA_SHARES, best, strict=True)]
        ratio = " / ".join(f"{lead.value:.3f} ({lead.low:.2f}–{lead.high:.2f})" for lead in leads)
        note = f"best baselines in brackets: {', '.join(dict.fromkeys(best))}; ahead by {ratio}; {len(back.origins)} origins, "
        note += f"{back.incidents:,} incidents, {back.cells:,} cells, {seconds:.0f} s"
        report.row(section, one.name, shown, "PAI", note)
    for share in AREA_SHARES:
        value, low, high = pooled(found, share)
        report.row(
            section, f"{together}, {share:.0%} of the area", f"{value:.3f}", "×", f"geometric mean of {HOW}; 95 % {low:.3f}–{high:.3f}"
        )
    value, low, high = pooled(found, *AREA_SHARES)
    report.row(section, f"{together}, pooled over the shares", f"{value:.3f}", "×", f"95 % {low:.3f}–{high:.3f}, weeks drawn anew")


def pooled(found: Sequence[Backtest], *shares: float, draws: int = 2000) -> tuple[float, float, float]:
    """The geometric mean over rows and shares of our hits over the best baseline's, with an interval from drawing weeks anew."""
    rng = np.random.default_rng(1)
    logs = np.zeros(draws)
    value = 0.0
    for back in found:
        drawn = rng.integers(0, len(back.origins), (draws, len(back.origins)))
        for share in shares:
            ours, theirs = (np.array([one.hits for one in back.hits[name][share]]) for name in (NAME, back.best_baseline(share)))
            logs += np.log(np.maximum(ours[drawn].sum(axis=1), 0.5) / np.maximum(theirs[drawn].sum(axis=1), 0.5))
            value += float(np.log(ours.sum() / theirs.sum()))
    count = len(found) * len(shares)
    low, high = np.exp(np.quantile(logs / count, [0.025, 0.975]))
    return float(np.exp(value / count)), float(low), float(high)


def _speed(report: Report) -> None:
    for category in (None, "burglary"):
        words = ["--category", category] if category else []
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            done = subprocess.run(
                [
                    sys.executable, str(ROOT / "manage.py"), "predict_risk", str(stlouis.INCIDENTS),
                    "--as-of", "2017-06-01", *words, "--out", f"{folder}/out.csv",
                ],
                check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]},
            )  # fmt: skip
            seconds = time.perf_counter() - began
        report.row(
            SPEED, f"predict_risk, {category or 'all'}", round(seconds, 1), "s", f"537,752 rows read, no database; {done.stderr.strip()}"
        )
