"""How well it counts: every method beside the baselines on real cities, coverage by size of count, what adding up costs, seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import stlouis
from benchmarks.report import Report
from incidents.analytics.backtest import Figures, judge, walk_forward
from incidents.analytics.calendar import calendar
from incidents.analytics.calendar_counts import CalendarCounts
from incidents.analytics.counts import covered
from incidents.analytics.evaluation import crps_count
from incidents.analytics.forecast import BASELINES, CANDIDATES, QUICK, Panel, Said, forecast
from incidents.analytics.reconcile import reconcile

HORIZON = 7
HISTORY_DAYS = 1096
METHODS = "Forecasts: each method beside counting (52 weekly origins, 7 days, St. Louis 2017)"
PRODUCT = "Forecasts as published (the model chosen anew each week, from the past alone)"
COVERAGE = "Forecasts: how often the intervals held, by the size of the count (as published)"
ADDING_UP = "Forecasts: what adding up costs"
SPEED = "Forecasts: seconds (100 daily series of two years, synthetic)"
BUCKETS = ((0.0, 0.5), (0.5, 2.0), (2.0, 10.0), (10.0, 50.0), (50.0, float("inf")))


@dataclass(frozen=True)
class City:
    """One city's daily counts: as a whole, and by a column of its file."""

    name: str
    path: Path
    by: str
    least: float  # incidents a day, on average, of a part that is worth a series
    years: tuple[tuple[date, date], ...]


def run(report: Report) -> None:
    logging.disable(logging.WARNING)  # Prophet's solver talks
    crime = stlouis.INCIDENTS.parent
    cities = [
        City("St. Louis", stlouis.INCIDENTS, "district", 5.0, tuple((date(y, 1, 1), date(y, 12, 31)) for y in (2015, 2016, 2017))),
        City(
            "New York, vehicle thefts",
            crime / "nyc_vehicle_thefts_2014_2017.csv.gz",
            "census_block",
            0.5,
            ((date(2017, 1, 1), date(2017, 12, 29)),),
        ),
        City("Chicago, a sample", crime / "chicago_sample_2017_2019.csv.gz", "district", 0.5, ((date(2018, 9, 24), date(2019, 9, 29)),)),
    ]
    cities = [city for city in cities if city.path.exists()]
    held: list[_Held] = []
    for city in cities:
        first, whole, parts = _counts(city)
        for begin, end in city.years:
            held += _as_published(report, city.name, "whole city", begin, end, first, whole)
            held += _as_published(report, city.name, f"by {city.by.replace('census_block', 'county')}", begin, end, first, parts)
        if city.path == stlouis.INCIDENTS:
            _methods(report, "whole city", first, whole)
            _methods(report, "by district", first, parts)
            _adding_up(report, first, whole, parts)
    _coverage(report, held)
    _speed(report)


def _counts(city: City) -> tuple[date, NDArray[np.float64], NDArray[np.float64]]:
    """The first day, the whole city's daily counts (1, days), and those of each part that has enough to count."""
    from incidents.services.bare_files import read_bare

    read = read_bare(city.path, by=city.by, located=False)
    assert read.by is not None
    days = read.at.astype("datetime64[D]")
    first = date.fromisoformat(str(days[0]))
    day = (days - days[0]).astype(np.int64)
    names = np.array([str(value)[:5] if city.by == "census_block" else str(value) for value in read.by])
    known, which = np.unique(names, return_inverse=True)
    counts = np.zeros((len(known), int(day.max()) + 1))
    np.add.at(counts, (which, day), 1)
    lately = counts[:, -730:].mean(axis=1) >= city.least
    return first, counts.sum(axis=0, keepdims=True), counts[lately]


def _panel(first: date, counts: NDArray[np.float64], until: date, ahead: int = HORIZON) -> Panel:
    end = (until - first).days
    begin = max(0, end - HISTORY_DAYS)
    start = first + timedelta(days=begin)
    return Panel(start, counts[:, begin:end], calendar(start, end - begin + ahead, country="US").columns)


@dataclass(frozen=True)
class _Held:
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    observed: NDArray[np.float64]


def _as_published(report: Report, city: str, level: str, begin: date, end: date, first: date, counts: NDArray[np.float64]) -> list[_Held]:
    """What people would have been shown each week, beside what they would have been shown by counting."""
    said, observed, models = [], [], []
    origin = begin
    while origin + timedelta(days=HORIZON - 1) <= end:
        found = forecast(_panel(first, counts, origin), candidates=QUICK)
        at = (origin - first).days
        said.append((found.published, found.baselines["mean_28"]))
        observed.append(counts[:, at : at + HORIZON])
        models.append(found.choice.published)
        origin += timedelta(days=7)
    truth = np.stack(observed)
    ours, base = (_stacked([pair[k] for pair in said]) for k in (0, 1))
    known = np.isfinite(ours[0]) & np.isfinite(base[0])
    happened = truth[known].sum()
    figures = []
    for mean, spread in (ours, base):
        crps = crps_count(mean[known], spread[known], truth[known]).sum() / happened
        figures.append((float(np.abs(mean - truth)[known].sum() / happened), float(crps)))
    shares = [float(covered(truth[known], ours[0][known], ours[1][known], share=share).mean()) for share in (0.8, 0.95)]
    name = f"{city}, {level}, {begin:%Y}" if begin.month == 1 else f"{city}, {level}, {begin:%Y-%m} to {end:%Y-%m}"
    published = ", ".join(f"{model} {models.count(model)}" for model in sorted(set(models)))
    report.row(
        PRODUCT,
        f"{name}: WAPE",
        round(100 * figures[0][0], 2),
        "%",
        f"28-day mean {100 * figures[1][0]:.2f} %; CRPS {100 * figures[0][1]:.2f} beside {100 * figures[1][1]:.2f} % of what happened; "
        f"80 % held {100 * shares[0]:.1f} %, 95 % held {100 * shares[1]:.1f} %; {len(truth)} weeks: {published}",
    )
    return [_Held(ours[0][known], ours[1][known], truth[known])]


def _stacked(said: Sequence[Said]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = np.stack([each.expected for each in said])
    return mean, np.broadcast_to(np.stack([each.dispersion for each in said])[:, :, None], mean.shape)


def _methods(report: Report, level: str, first: date, counts: NDArray[np.float64]) -> None:
    panel = _panel(first, counts, date(2017, 12, 31), ahead=0)
    walk = walk_forward(panel, (*CANDIDATES, *BASELINES), origins=52, race=False)
    for name, found in judge(walk, against="mean_28").items():
        report.row(METHODS, f"{level}, {name}: WAPE", round(100 * found.wape.value, 2), "%", _beside(found))


def _beside(found: Figures) -> str:
    crps, ratio = 100 * found.crps.value, found.crps_ratio
    held = f"80 % held {100 * found.cover_80:.1f} %, 95 % held {100 * found.cover_95:.1f} %"
    return f"CRPS {crps:.2f} % of what happened, {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) of the 28-day mean's; {held}"


def _coverage(report: Report, held: Sequence[_Held]) -> None:
    """Counts are whole: "randomised" draws a point at random within the step of the count that happened, which a calibrated forecast
    spreads evenly; "as drawn" is whether the whole-numbered interval held it."""
    if not held:
        return
    mean, spread, observed = (np.concatenate([getattr(each, name) for each in held]) for name in ("mean", "spread", "observed"))
    from incidents.analytics.evaluation import count_cdf

    below, upto = count_cdf(observed - 1, mean, spread), count_cdf(observed, mean, spread)
    place = below + np.random.default_rng(1).uniform(size=len(mean)) * (upto - below)
    for low, high in (*BUCKETS, (0.0, float("inf"))):
        mine = (mean >= low) & (mean < high)
        if mine.sum() < 200:
            continue
        name = "all" if (low, high) == (0.0, float("inf")) else f"{low:g} to {high:g} a day" if high < 1e9 else f"{low:g} a day and more"
        drawn = [100 * float(covered(observed[mine], mean[mine], spread[mine], share=share).mean()) for share in (0.8, 0.95)]
        even = [100 * float((np.abs(place[mine] - 0.5) <= share / 2).mean()) for share in (0.8, 0.95)]
        note = f"95 %: {drawn[1]:.1f} %; randomised {even[0]:.1f} and {even[1]:.1f} %; {int(mine.sum()):,} days"
        report.row(COVERAGE, f"{name}: 80 % intervals held", round(drawn[0], 1), "%", note)


def _adding_up(report: Report, first: date, whole: NDArray[np.float64], parts: NDArray[np.float64]) -> None:
    """The city and its districts, each forecast alone, then made to add up: what that does to the error of either."""
    errors = np.zeros((2, 2))
    happened = 0.0
    counts = np.concatenate([parts.sum(axis=0, keepdims=True), parts])
    for week in range(52):
        origin = date(2017, 1, 1) + timedelta(days=7 * week)
        at = (origin - first).days
        truth = counts[:, at : at + HORIZON]
        own = np.concatenate([CalendarCounts().means(_panel(first, rows, origin), HORIZON) for rows in (counts[:1], counts[1:])])
        together = reconcile(own, own * np.r_[2.4, np.full(len(parts), 1.6)][:, None], {0: list(range(1, len(counts)))})
        for k, said in enumerate((own, together)):
            gaps = np.abs(said - truth)
            errors[k] += gaps[0].sum(), gaps[1:].sum()
        happened += float(truth[0].sum())
    for k, level in enumerate(("whole city", "by district")):
        alone, made = 100 * errors[:, k] / happened
        report.row(ADDING_UP, f"St. Louis 2017, {level}: WAPE once it adds up", round(made, 2), "%", f"{alone:.2f} % before")


def synthetic(series: int = 100, days: int = 731, seed: int = 3) -> Panel:
    """Weeks, a yearly wave, more scatter than chance; half a dozen to forty incidents a day in the busy half, one or two in the other."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(series) % 2, rng.uniform(6, 40, series), rng.uniform(0.3, 3, series))[:, None]
    week = 1 + 0.25 * np.sin(2 * np.pi * (np.arange(days)[None, :] + rng.integers(0, 7, series)[:, None]) / 7)
    year = 1 + 0.15 * np.sin(2 * np.pi * np.arange(days)[None, :] / 365.25)
    mean = level * week * year
    first = date(2024, 1, 1)
    counts = rng.negative_binomial(mean, 0.5).astype(float)  # variance twice the mean
    return Panel(first, counts, calendar(first, days + HORIZON, country="KW").columns)


def _speed(report: Report) -> None:
    panel = synthetic()
    began = time.perf_counter()
    forecast(panel, candidates=(CalendarCounts(),), origins=26)
    note = "its backtest of 26 weeks, the baselines, their spreads, both intervals"
    report.row(SPEED, "the nightly champion alone", round(time.perf_counter() - began, 2), "s", note)
    began = time.perf_counter()
    found = forecast(panel, candidates=CANDIDATES, origins=26)
    left = ", ".join(sorted(found.walk.left)) or "none"
    note = f"as every week: slow ones race first; left early: {left}; published {found.choice.published}"
    report.row(SPEED, "all candidates, 26 origins, one process", round(time.perf_counter() - began, 1), "s", note)
    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_in_full, (0, 1)))
    note = "nobody leaves: every method at every origin for every series it suits"
    report.row(SPEED, "all candidates, 26 origins, in full, two processes", round(time.perf_counter() - began, 1), "s", note)


def _in_full(half: int) -> None:
    from threadpoolctl import threadpool_limits

    logging.disable(logging.WARNING)
    panel = synthetic()
    rows = np.arange(panel.series) // 2 % 2 == half
    with threadpool_limits(1):
        walk_forward(panel.rows(rows), (*CANDIDATES, *BASELINES), origins=26, race=False)
