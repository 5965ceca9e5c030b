"""ANA-6: forecasts of counts are counts: never negative, in order, as wide as promised, and silent where there is too little."""

from __future__ import annotations

import doctest
import importlib
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.analytics.counts import count_interval, spread
from incidents.analytics.forecast import (
    BASELINES,
    History,
    Predicted,
    ProphetCounts,
    RecentMean,
    SameWeekday,
    TooLittleHistory,
    WeekdayCounts,
    forecast,
    silent_days,
)

MONDAY = date(2024, 1, 1)
WEEK = np.array([1.0, 1, 1, 1, 1.6, 1.3, 0.9])


def poisson_days(rng, mean, days):
    return rng.poisson(mean * WEEK[np.arange(days) % 7] / WEEK.mean()).astype(float)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.just(0), st.none()), min_size=0, max_size=150),
    st.sampled_from([RecentMean(), SameWeekday(), WeekdayCounts()]),
    st.integers(1, 14),
)
def test_whatever_the_counts_an_answer_is_never_negative_and_in_order(counts, method, horizon):
    history = History(MONDAY, np.array([np.nan if c is None else c for c in counts], dtype=float))
    try:
        ahead = method.fit_predict(history, horizon=horizon, interval=0.8)
    except TooLittleHistory:
        return
    assert len(ahead.expected) == horizon and ahead.is_sound()
    assert (ahead.low == np.floor(ahead.low)).all() and (ahead.high == np.floor(ahead.high)).all()


@pytest.mark.parametrize("method", [WeekdayCounts(), *BASELINES], ids=lambda m: m.name)
@pytest.mark.parametrize("mean", [0.3, 3.0, 30.0])
def test_intervals_cover_what_they_promise_on_poisson_days(method, mean):
    """Small counts are whole, so their intervals cover more; never less than promised beyond chance."""
    rng = np.random.default_rng(42)
    inside = total = 0
    for _ in range(120):
        days = poisson_days(rng, mean, 407)
        ahead = method.fit_predict(History(MONDAY, days[:400]), horizon=7, interval=0.8)
        inside += int(((days[400:] >= ahead.low) & (days[400:] <= ahead.high)).sum())
        total += 7
    assert 0.76 <= inside / total <= {0.3: 1.0, 3.0: 0.93, 30.0: 0.87}[mean]


def test_prophet_follows_week_and_level_and_covers_what_it_promises():
    rng = np.random.default_rng(7)
    inside = total = 0
    off = []
    for _ in range(8):
        days = poisson_days(rng, 20.0, 407)
        ahead = ProphetCounts().fit_predict(History(MONDAY, days[:400]), horizon=7, interval=0.8)
        assert ahead.is_sound()
        true = 20 * WEEK[np.arange(400, 407) % 7] / WEEK.mean()
        off.append(np.abs(ahead.expected - true).mean())
        inside += int(((days[400:] >= ahead.low) & (days[400:] <= ahead.high)).sum())
        total += 7
    assert np.mean(off) < 2.5
    assert 0.65 <= inside / total <= 0.97


def test_counts_that_scatter_more_than_chance_get_wider_intervals():
    rng = np.random.default_rng(9)
    wild = rng.negative_binomial(2, 2 / 12, 400).astype(float)  # mean 10, variance 60
    calm = rng.poisson(10, 400).astype(float)
    width = []
    for days in (wild, calm):
        ahead = WeekdayCounts().fit_predict(History(MONDAY, days), horizon=7, interval=0.8)
        width.append(float((ahead.high - ahead.low).mean()))
    assert width[0] > 1.7 * width[1]


def test_a_sparse_series_is_never_shown_to_prophet():
    rng = np.random.default_rng(1)
    answer = forecast(History(MONDAY, rng.poisson(0.4, 700).astype(float)))
    assert answer.predicted is not None and answer.predicted.method == "weekday_counts"
    assert answer.refused[0][0] == "prophet" and "5 incidents a day" in answer.refused[0][1]


def test_a_busy_series_is_prophets():
    rng = np.random.default_rng(1)
    answer = forecast(History(MONDAY, poisson_days(rng, 12, 400)))
    assert answer.predicted is not None and answer.predicted.method == "prophet"


class Mad:
    """A method that answers what it was told to."""

    name = "mad"

    def __init__(self, expected, low=None, high=None):
        values = [np.full(7, float(v)) for v in (expected, expected if low is None else low, expected if high is None else high)]
        self.answer = Predicted(values[0], values[1], values[2], "mad")

    def fit_predict(self, history, *, horizon, interval):
        return self.answer


MADNESS = {"negative": Mad(-1), "nan": Mad(np.nan), "low": Mad(5, low=6), "high": Mad(5, high=4), "explodes": Mad(4000), "dies": Mad(0.01)}


@pytest.mark.parametrize("mad", MADNESS.values(), ids=MADNESS)
def test_nonsense_is_passed_over_and_not_cut_to_size(mad):
    answer = forecast(History(MONDAY, np.full(200, 10.0)), methods=[mad, WeekdayCounts()])
    assert (
        answer.predicted is not None
        and answer.predicted.method == "weekday_counts"
        and answer.predicted.expected == pytest.approx(np.full(7, 10.0))
    )
    assert answer.refused[0][0] == "mad"
    assert forecast(History(MONDAY, np.full(200, 10.0)), methods=[mad]).predicted is None


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (np.full(5, 9.0), "5 days, needs 28"),
        (np.empty(0), "0 days, needs 28"),
        (np.zeros(400), "0 incidents in half a year"),
        (np.full(400, np.nan), "0 days"),
    ],
    ids=["five days", "none", "zeros", "unknown"],
)
def test_too_little_history_is_said_with_its_figures(counts, why):
    answer = forecast(History(MONDAY, counts))
    assert answer.predicted is None and why in answer.refused[-1][1]


@pytest.mark.parametrize("counts", [np.array([1.0, -1]), np.array([np.inf]), np.ones((3, 3))])
def test_a_history_of_nonsense_is_refused(counts):
    with pytest.raises(ValueError):
        History(MONDAY, counts)


def test_a_year_with_a_gap_is_unknown_there_and_not_zero():
    rng = np.random.default_rng(3)
    days = poisson_days(rng, 30, 400)
    gone = days.copy()
    gone[380:395] = 0
    silent = silent_days(gone)
    assert silent.sum() == 15
    known = np.where(silent, np.nan, gone)
    for method in (WeekdayCounts(), ProphetCounts()):
        ahead = method.fit_predict(History(MONDAY, known), horizon=7, interval=0.8)
        assert ahead.expected.mean() == pytest.approx(30, rel=0.2), method.name


def test_a_level_that_fell_is_followed_within_weeks():
    days = np.concatenate([np.full(300, 20.0), np.full(60, 8.0)])
    ahead = WeekdayCounts().fit_predict(History(MONDAY, days), horizon=7, interval=0.8)
    assert 8 <= ahead.expected.mean() < 10.5


def test_a_regressor_known_in_advance_moves_prophets_day():
    rng = np.random.default_rng(5)
    holiday = np.zeros(407)
    holiday[np.arange(20, 407, 25)] = 1
    holiday[403] = 1
    days = rng.poisson(np.where(holiday, 40, 15)).astype(float)
    ahead = ProphetCounts().fit_predict(History(MONDAY, days[:400], {"holiday": holiday}), horizon=7, interval=0.8)
    assert ahead.expected[3] > 1.7 * np.delete(ahead.expected, 3).mean()


def test_count_intervals_hold_their_share_and_refuse_nonsense():
    rng = np.random.default_rng(2)
    mean, variance = np.full(1, 50.0), np.full(1, 400.0)
    low, high = count_interval(mean, variance, share=0.8)
    drawn = rng.negative_binomial(50**2 / 350, 50 / 400, 20_000)
    assert 0.79 < ((drawn >= low) & (drawn <= high)).mean() < 0.84
    assert [v.tolist() for v in count_interval(np.zeros(1), np.zeros(1), share=0.8)] == [[0.0], [0.0]]
    for wrong, share in ((-1.0, 0.8), (np.nan, 0.8), (1.0, 0.0), (1.0, 1.0)):
        with pytest.raises(ValueError):
            count_interval(np.array([wrong]), np.array([1.0]), share=share)
    assert spread(np.array([np.nan, 3.0]), np.array([3.0, 3.0])) == 1.0


@pytest.mark.parametrize("module", ["counts", "baselines", "weekday_counts", "prophet_counts", "forecast"])
def test_the_examples_in_the_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(f"incidents.analytics.{module}"))
    assert found.attempted and not found.failed
