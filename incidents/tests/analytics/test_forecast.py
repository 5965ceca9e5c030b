"""ANA-6, ANA-7: forecasts of counts are counts: never negative, as wide as promised, adding up, silent where there is too little."""

from __future__ import annotations

import doctest
import importlib
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.analytics.backtest import Walk, judge, spreads, walk_forward
from incidents.analytics.baselines import LastWeek, RecentMean, SameWeekday
from incidents.analytics.calendar import calendar
from incidents.analytics.calendar_counts import CalendarCounts
from incidents.analytics.counts import count_interval, covered
from incidents.analytics.forecast import BASELINES, QUICK, Panel, choose, forecast, shortfall, silent_days
from incidents.analytics.prophet_counts import ProphetCounts
from incidents.analytics.reconcile import reconcile
from incidents.analytics.smoothing import Smoothing
from incidents.analytics.weekday_counts import WeekdayCounts

MONDAY = date(2024, 1, 1)
WEEK = np.array([1.0, 1, 1, 1, 1.6, 1.3, 0.9])
PLAIN = [CalendarCounts(), WeekdayCounts(), *BASELINES]


def panel(*rows, first=MONDAY, **regressors):
    return Panel(first, np.array(rows, dtype=float), regressors)


def poisson_days(rng, mean, days, series=1):
    return rng.poisson(mean * WEEK[np.arange(days) % 7] / WEEK.mean(), (series, days)).astype(float)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.just(0), st.none()), min_size=0, max_size=150),
    st.sampled_from(PLAIN),
    st.integers(1, 14),
)
def test_whatever_the_counts_an_answer_is_a_number_not_negative_or_none_at_all(counts, method, horizon):
    days = panel([np.nan if c is None else c for c in counts])
    ahead = method.means(days, horizon)
    assert ahead.shape == (1, horizon)
    assert np.isnan(ahead).any() or (np.isfinite(ahead).all() and (ahead >= 0).all())
    if shortfall(days, 0):
        assert np.isnan(ahead).all()


@pytest.mark.parametrize("mean", [0.3, 3.0, 30.0])
def test_published_intervals_cover_what_they_promise(mean):
    """Small counts are whole, so their intervals cover more; never less than promised beyond chance."""
    rng = np.random.default_rng(42)
    days = poisson_days(rng, mean, 427, series=80)
    found = forecast(panel(*days[:, :420]), candidates=QUICK, origins=26)
    for share, slack in ((0.8, 0.035), (0.95, 0.02)):
        low, high = found.published.interval(share)
        inside = ((days[:, 420:] >= low) & (days[:, 420:] <= high)).mean()
        assert share - slack <= inside <= {0.3: 1.0, 3.0: share + 0.06, 30.0: share + slack}[mean]
        assert (low >= 0).all() and (low <= found.published.expected).all() and (found.published.expected <= high).all()


def test_the_calendar_is_learnt_over_all_series_and_each_keeps_its_own_week():
    rng = np.random.default_rng(4)
    weekend, office = np.array([1.0, 1, 1, 1, 2, 2, 1]), np.array([2.0, 2, 2, 2, 1, 1, 2])
    rows = [rng.poisson(20 * shape[np.arange(728) % 7]) for shape in (weekend, weekend, office)]
    ahead = CalendarCounts().means(panel(*rows), 7)
    assert ahead[0, 4] > 1.6 * ahead[0, 0] and ahead[2, 0] > 1.6 * ahead[2, 4]


def test_a_holiday_is_learnt_from_the_years_before():
    rng = np.random.default_rng(5)
    found = calendar(date(2023, 1, 1), 1094, country="KW")
    eid = found.columns["eid_al_fitr"]
    end = int(np.flatnonzero(eid)[-1])  # the last Eid is ahead
    rows = [rng.poisson(np.where(eid[: end - 3], 60, 20)) for _ in range(4)]
    ahead = CalendarCounts().means(Panel(date(2023, 1, 1), np.array(rows, float), found.columns), 7)
    assert ahead[:, 3].mean() > 1.5 * ahead[:, 0].mean() > 0


def test_prophet_is_asked_only_where_it_fits_and_follows_week_and_level():
    rng = np.random.default_rng(7)
    busy = poisson_days(rng, 20.0, 400)
    ahead = ProphetCounts().means(panel(busy[0], rng.poisson(0.4, 400)), 7)
    true = 20 * WEEK[np.arange(400, 407) % 7] / WEEK.mean()
    assert np.abs(ahead[0] - true).mean() < 3
    assert np.isnan(ahead[1]).all()


@pytest.mark.parametrize("kind", ["ets", "theta"])
def test_the_classics_are_challengers_and_know_what_they_may_not_answer(kind):
    rng = np.random.default_rng(8)
    busy = poisson_days(rng, 20.0, 400)[0]
    busy[100:104] = np.nan
    ahead = Smoothing(kind).means(panel(busy, rng.poisson(0.4, 400)), 7)
    assert 15 < ahead[0].mean() < 25 and np.isnan(ahead[1]).all()


def test_counts_that_scatter_more_than_chance_get_wider_intervals():
    rng = np.random.default_rng(9)
    wild = rng.negative_binomial(2, 2 / 12, 400).astype(float)  # mean 10, variance 60
    calm = rng.poisson(10, 400).astype(float)
    widths = []
    for days in (wild, calm):
        low, high = forecast(panel(days), candidates=QUICK).published.interval(0.8)
        widths.append(float((high - low).mean()))
    assert widths[0] > 1.7 * widths[1]


def test_nothing_later_than_its_origin_moves_a_backtest():
    rng = np.random.default_rng(10)
    days = poisson_days(rng, 9.0, 300)
    changed = days.copy()
    changed[:, -3:] = 500
    walks = [walk_forward(panel(*rows), QUICK, origins=6) for rows in (days, changed)]
    for method in QUICK:
        assert np.array_equal(walks[0].expected[method.name], walks[1].expected[method.name])
    assert walks[0].observed.shape == (6, 1, 7) and walks[0].observed[-1, 0].tolist() == days[0, -7:].tolist()


class Says:
    """A candidate that says a share of the last four weeks."""

    def __init__(self, share, name="says", is_slow=False):
        self.share, self.name, self.is_slow, self.asked = share, name, is_slow, 0

    def means(self, panel, horizon):
        self.asked += panel.series
        return RecentMean().means(panel, horizon) * self.share


def test_a_candidate_that_loses_to_counting_is_held_back_and_kept_to_be_scored():
    rng = np.random.default_rng(11)
    found = forecast(panel(*rng.poisson(12, (3, 400))), candidates=[Says(1.4)])
    assert found.choice.champion == "says" and not found.choice.beats_baseline
    assert found.choice.published == found.choice.best_baseline == "mean_28" and set(found.methods) == {"mean_28"}
    assert found.choice.reasons[0][0] == "loses_to_baseline" and found.choice.reasons[0][1]["crps_ratio"][0] > 1
    assert found.held_back is not None and found.held_back.expected.mean() == pytest.approx(1.4 * found.published.expected.mean())


def test_a_candidate_that_beats_counting_is_published_with_its_reasons():
    rng = np.random.default_rng(12)
    found = forecast(panel(*poisson_days(rng, 25.0, 500, series=4)), candidates=QUICK)
    assert found.choice.beats_baseline and found.choice.published == found.choice.champion and found.held_back is None
    code, facts = found.choice.reasons[0]
    assert code == "beats_baseline" and facts["crps_ratio"][2] < 1 and set(found.baselines) == {"mean_28", "same_weekday", "last_week"}


def test_a_model_switched_off_is_not_published_however_good():
    rng = np.random.default_rng(12)
    days = panel(*poisson_days(rng, 25.0, 500, series=4))
    found = forecast(days, candidates=QUICK, switched_off={method.name for method in QUICK})
    assert found.choice.published == found.choice.best_baseline and set(found.methods) == {found.choice.best_baseline}
    assert "switched_off" in {code for code, _facts in found.choice.reasons}


def test_a_slow_candidate_that_cannot_win_leaves_the_race_early():
    rng = np.random.default_rng(13)
    bad, good = Says(1.5, "bad", is_slow=True), Says(1.0, "good", is_slow=True)
    days = panel(*rng.poisson(12, (20, 400)))
    walk = walk_forward(days, [Says(1.1, "quick"), bad, good])
    assert walk.left["bad"] > 1 and bad.asked == 4 * 12  # four weeks of the twelve busiest
    assert "good" not in walk.left and good.asked == 8 * 20


def test_a_slow_challenger_ahead_only_by_chance_does_not_take_over():
    rng = np.random.default_rng(14)
    observed = rng.poisson(20, (52, 1, 7)).astype(float)
    expected = {"quick": np.full(observed.shape, 20.0), "slow": np.full(observed.shape, np.nan)}
    expected["slow"][::7] = 20.2
    expected |= {name: np.full(observed.shape, 21.0) for name in ("mean_28", "same_weekday", "last_week")}
    found = choose(Walk(expected, observed, {}), candidates=["quick", "slow"])
    assert found.champion == "quick" and not next(facts for code, facts in found.reasons if code == "challenger")["won"]
    expected["slow"][::7] = np.where(observed[::7] > 0, observed[::7], 0.1)
    assert choose(Walk(expected, observed, {}), candidates=["quick", "slow"]).champion == "slow"


def test_too_few_weeks_to_judge_leave_the_baseline_in_place():
    rng = np.random.default_rng(15)
    found = forecast(panel(rng.poisson(5, 60)), candidates=QUICK)
    assert found.choice.published == "mean_28" and found.choice.reasons[0] == ("too_little_history", {"origins": 4, "needs": 8})
    assert np.isfinite(found.published.expected).all()


@pytest.mark.parametrize("answer", [-1.0, np.nan, 4000.0, 0.01], ids=["negative", "nan", "explodes", "dies"])
def test_nonsense_is_passed_over_and_not_cut_to_size(answer):
    class Mad(Says):
        def means(self, panel, horizon):
            good = super().means(panel, horizon)
            return np.full(good.shape, answer) if panel.days == 400 else good

    found = forecast(panel(np.random.default_rng(1).poisson(10, 400)), candidates=[Mad(1.0)])
    assert found.methods[0] in {"mean_28", "same_weekday"} and 5 < found.published.expected.mean() < 15


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (np.full(2, 9.0), "too little history: 2 days, needs 28"),
        (np.empty(0), "too little history: 0 days, needs 28"),
        (np.zeros(400), "too little history: 0 incidents in half a year, needs 10"),
        (np.r_[np.zeros(399), 1], "too little history: 1 incidents in half a year, needs 10"),
        (np.full(400, np.nan), "too little history: 0 days, needs 28"),
        (np.r_[np.full(300, 9.0), np.full(40, np.nan)], "no data in the last 28 days"),
    ],
    ids=["two days", "none", "zeros", "one incident", "unknown", "stopped"],
)
def test_too_little_history_is_said_with_its_figures(counts, why):
    days = panel(counts)
    assert shortfall(days, 0) == why
    found = forecast(days, candidates=QUICK)
    assert found.methods == ("",) and np.isnan(found.published.expected).all()


@pytest.mark.parametrize("counts", [[[1.0, -1]], [[np.inf]], [1.0, 2.0]])
def test_a_history_of_nonsense_is_refused(counts):
    with pytest.raises(ValueError):
        Panel(MONDAY, np.array(counts))
    with pytest.raises(ValueError):
        CalendarCounts().means(panel(np.full(60, 5.0), holiday=np.zeros(60)), 7)


def test_a_year_with_a_gap_is_unknown_there_and_not_zero():
    rng = np.random.default_rng(3)
    days = poisson_days(rng, 30, 400)[0]
    gone = days.copy()
    gone[100:250] = 0
    gone[380:395] = 0
    silent = silent_days(gone)
    assert silent.sum() == 165
    known = panel(np.where(silent, np.nan, gone))
    for method in (CalendarCounts(), WeekdayCounts(), ProphetCounts()):
        assert method.means(known, 7).mean() == pytest.approx(30, rel=0.2), method.name
    assert np.isfinite(forecast(known, candidates=QUICK).published.expected).all()


def test_a_level_that_fell_is_followed_within_weeks():
    days = panel(np.concatenate([np.full(300, 20.0), np.full(60, 8.0)]))
    for method in (CalendarCounts(), WeekdayCounts()):
        assert 7.5 <= method.means(days, 7).mean() < 11.5, method.name


def test_count_intervals_hold_their_share_and_refuse_nonsense():
    rng = np.random.default_rng(2)
    low, high = count_interval(np.full(1, 50.0), 8.0, share=0.8)
    drawn = rng.negative_binomial(50 / 7, 1 / 8, 20_000).astype(float)
    inside = (drawn >= low) & (drawn <= high)
    assert 0.77 < inside.mean() < 0.83
    assert np.array_equal(inside, covered(drawn, np.full(20_000, 50.0), np.full(20_000, 8.0), share=0.8))
    assert [v.tolist() for v in count_interval(np.zeros(1), 1.0, share=0.8)] == [[0.0], [0.0]]
    for wrong, share in ((-1.0, 0.8), (np.nan, 0.8), (1.0, 0.0), (1.0, 1.0)):
        with pytest.raises(ValueError):
            count_interval(np.array([wrong]), 1.0, share=share)


def test_over_many_means_intervals_neither_promise_too_much_nor_hold_too_much():
    rng = np.random.default_rng(6)
    for least, most in ((0.5, 2), (2, 10), (10, 60)):
        mean = rng.uniform(least, most, 12_000)
        drawn, spread = rng.negative_binomial(mean / 0.6, 1 / 1.6).astype(float), np.full(len(mean), 1.6)
        for share in (0.8, 0.95):
            low, high = count_interval(mean, spread, share=share)
            inside = (drawn >= low) & (drawn <= high)
            assert inside.mean() == pytest.approx(share, abs=0.025)
            assert np.array_equal(inside, covered(drawn, mean, spread, share=share))


def test_a_spread_is_not_judged_by_its_own_error():
    observed = np.random.default_rng(17).poisson(10, (20, 1, 7)).astype(float)
    observed[4] = 24.0
    _ahead, each = spreads(np.full(observed.shape, 10.0), observed)
    assert each[4, 0] < 1.15 < each[5, 0] and (np.delete(each[:, 0], 4) > each[4, 0]).all()


def test_one_riot_does_not_widen_a_year_of_intervals():
    observed = np.random.default_rng(18).poisson(30, (52, 1, 7)).astype(float)
    calm, _each = spreads(np.full(observed.shape, 30.0), observed)
    observed[20, 0, 3] = 400
    after, _each = spreads(np.full(observed.shape, 30.0), observed)
    assert after[0] < calm[0] * 1.1 and calm[0] < 1.3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=7, max_size=7), st.lists(st.floats(0.01, 90), min_size=7, max_size=7))
def test_reconciled_figures_add_up_and_are_never_negative(expected, variance):
    tree = {0: [1, 2], 1: [3, 4], 2: [5, 6]}
    found = reconcile(np.array(expected)[:, None], np.array(variance)[:, None], tree)[:, 0]
    assert (found >= 0).all()
    for whole, parts in tree.items():
        assert found[whole] == pytest.approx(found[parts].sum(), abs=1e-6)


def test_reconciling_what_adds_up_already_moves_nothing_and_the_surer_moves_less():
    same = np.array([[10.0], [4.0], [6.0]])
    assert np.allclose(reconcile(same, np.ones((3, 1)), {0: [1, 2]}), same)
    found = reconcile(np.array([[12.0], [4.0], [6.0]]), np.array([[1.0], [0.1], [5.0]]), {0: [1, 2]})[:, 0]
    assert abs(found[1] - 4) < abs(found[2] - 6)
    for wrong in ([[-1.0]], [[np.nan]]):
        with pytest.raises(ValueError):
            reconcile(np.array(wrong), np.ones((1, 1)), {})
    with pytest.raises(ValueError):
        reconcile(np.ones((1, 1)), np.zeros((1, 1)), {})


def test_kuwaits_calendar_moves_with_the_moon_and_says_what_is_uncertain():
    found = calendar(date(2026, 1, 1), 365, country="KW")
    days = [date(2026, 1, 1) + timedelta(days=k) for k in range(365)]
    on = {name: [day for day, value in zip(days, column, strict=True) if value] for name, column in found.columns.items()}
    assert on["national_days"] == [date(2026, 2, 25), date(2026, 2, 26)]
    assert on["eid_al_fitr"] == [date(2026, 3, 20), date(2026, 3, 21), date(2026, 3, 22)]
    assert on["ramadan"][0] == date(2026, 2, 18) and on["ramadan"][-1] == date(2026, 3, 19) and found.columns["ramadan"][48] == 0.5
    assert len(on["eid_al_adha"]) == 4 and [name for _day, name in found.uncertain] == ["ramadan", "eid_al_fitr", "eid_al_adha"]
    assert set(calendar(date(2026, 1, 1), 40, country=None).columns) == {"month_first", "year_first"}
    with pytest.raises(ValueError, match="no calendar of XX"):
        calendar(date(2026, 1, 1), 40, country="XX")


def test_a_backtest_says_who_was_closer_with_its_interval():
    rng = np.random.default_rng(16)
    observed = rng.poisson(30, (40, 2, 7)).astype(float)
    walk = Walk({"mean_28": np.full(observed.shape, 36.0), "better": np.full(observed.shape, 30.0)}, observed, {})
    found = judge(walk, against="mean_28")
    assert found["better"].crps_ratio.high < 1 and found["better"].wape_ratio.value < 1
    assert found["mean_28"].crps_ratio.value == 1 and 0.7 < found["better"].cover_80 < 0.9


def test_last_week_is_last_week():
    days = panel(np.arange(70.0))
    assert LastWeek().means(days, 9)[0].tolist() == [63, 64, 65, 66, 67, 68, 69, 63, 64]
    assert np.isnan(SameWeekday().means(panel(np.full(40, 3.0)), 7)).all()


@pytest.mark.parametrize(
    "module",
    [
        "backtest",
        "baselines",
        "calendar",
        "calendar_counts",
        "counts",
        "forecast",
        "panel",
        "prophet_counts",
        "reconcile",
        "smoothing",
        "weekday_counts",
    ],
)
def test_the_examples_in_the_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(f"incidents.analytics.{module}"))
    assert found.attempted and not found.failed
