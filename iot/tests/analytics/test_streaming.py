"""IOT-5: streaming detectors say what plain loops say, wherever a stream is cut, and late or broken readings move nothing."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot.analytics.auto_resolve import CLOSED, OPENED, OpenState, Resolving, auto_resolve
from iot.analytics.batch import Batch
from iot.analytics.drift import Chart, DriftState, drift
from iot.analytics.gap import GapState, gap, silent
from iot.analytics.rate_of_change import RateState, rate_of_change
from iot.analytics.robust_z import RobustState, robust_z
from iot.analytics.seasonal import SeasonalState, seasonal
from iot.analytics.streaming import DETECTORS, States, Tuning, judge
from iot.analytics.stuck import StuckState, stuck
from iot.analytics.threshold import Limits, ThresholdState, threshold

HOUR, DAY, WEEK = 3600.0, 86_400.0, 7 * 86_400.0
MODULES = "auto_resolve battery crowd_correlation drift evaluation fleet gap isolation neighbours quality rate_of_change risk robust_z"
MODULES += " seasonal severity streaming stuck threshold"
TUNING = Tuning.of(
    4,
    limits=Limits.of(4, high=[60.0, np.nan, 55, 60], high_ends=[55.0, np.nan, 55, 50], low=[40.0, 42, np.nan, 40]),
    most_per_minute=[5.0, np.nan, 1, 0],
    stuck_after_s=[1800.0, 600, np.nan, 0],
    cadence_s=[300.0, 60, 300, np.nan],
    floor=0.1,
)


@pytest.mark.parametrize("name", MODULES.split())
def test_the_example_in_the_docstring_holds(name):
    found = doctest.testmod(importlib.import_module(f"iot.analytics.{name}"))
    assert found.attempted and not found.failed


def stream(seed, n=3000, series=4):
    """Readings of some series, some late, some not numbers, some the same for a while, over some weeks."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(0, 6 * WEEK, n))
    late = rng.random(n) < 0.05
    at[late] -= rng.uniform(0, 2 * DAY, int(late.sum()))
    value = 50 + 5 * np.sin(at / DAY * 2 * np.pi) + rng.normal(0, 1, n)
    value[rng.random(n) < 0.02] += 30
    value[n // 2 : n // 2 + n // 20] = 47.0
    value[rng.random(n) < 0.01] = np.nan
    value[rng.random(n) < 0.005] = np.inf
    return Batch.of(rng.integers(0, series, n), at, value)


def in_pieces(batch, cuts):
    states, judged = States.fresh(4, window=20), []
    for start, end in zip([0, *cuts], [*cuts, len(batch)], strict=True):
        one, states = judge(batch.part(start, end), states, TUNING)
        judged.append(one)
    return judged, states


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_where_a_stream_is_cut_makes_no_difference(seed, cuts):
    batch = stream(seed)
    (whole,), states = in_pieces(batch, [])
    pieces, again = in_pieces(batch, sorted(cuts))
    for name in DETECTORS:
        for column in ("score", "active", "expected"):
            np.testing.assert_array_equal(
                np.concatenate([getattr(one.found[name], column) for one in pieces]), getattr(whole.found[name], column), err_msg=name
            )
        for column in getattr(states, name).__dataclass_fields__:
            np.testing.assert_array_equal(getattr(getattr(again, name), column), getattr(getattr(states, name), column), err_msg=name)
    np.testing.assert_array_equal(np.concatenate([one.flags for one in pieces]), whole.flags)
    assert all((one.active != 0).any() for name, one in whole.found.items() if name != "drift")


def test_rows_taken_out_and_put_back_are_as_good_as_the_whole_state():
    batch, states = stream(7), States.fresh(9, window=20)
    before = states.copied()
    rows = np.array([8, 2, 5, 0])
    judged, after = judge(batch, states.taken(rows), TUNING)
    states.put(rows, after)
    (whole,), _states = in_pieces(batch, [])
    np.testing.assert_array_equal(judged.flags, whole.flags)
    assert (states.gap.last_s[rows] > 0).all() and np.isinf(states.gap.last_s[[1, 3, 4, 6, 7]]).all()
    assert np.isinf(before.gap.last_s).all()
    assert len(states.grown(States.fresh(3, window=20))) == 12


def test_a_state_is_changed_only_by_who_asks_for_it():
    batch, states = stream(3), States.fresh(4, window=20)
    judge(batch, states, TUNING)
    assert np.isinf(states.gap.last_s).all() and not states.robust.counts.any()
    judge(batch, states, TUNING, in_place=True)
    assert np.isfinite(states.gap.last_s).all() and states.robust.counts.all()


def test_late_and_broken_readings_move_nothing():
    clean = Batch.of([0] * 4, [0, 60, 120, 180], [20.0, 21, 70, 20])
    dirty = Batch.of([0] * 8, [0, 60, 30, 90, 120, 100, 150, 180], [20.0, 21, 500, np.nan, 70, -500, np.inf, 20])
    one, states = judge(clean, States.fresh(4), TUNING)
    other, same = judge(dirty, States.fresh(4), TUNING)
    kept = [0, 1, 4, 7]
    for name in DETECTORS:
        np.testing.assert_array_equal(one.found[name].score, other.found[name].score[kept])
        assert np.isnan(other.found[name].score[[2, 3, 5, 6]]).all()
    assert same.rate.last_value[0] == states.rate.last_value[0] == 20.0


@pytest.mark.parametrize("given", [{"series": [0, 1], "at_s": [0], "value": [1]}, {"series": [-1], "at_s": [0], "value": [1]}])
def test_a_batch_that_does_not_fit_is_refused(given):
    with pytest.raises(ValueError):
        Batch.of(**given)


def test_a_series_without_a_row_is_refused():
    with pytest.raises(ValueError, match="Series 7, and a state of 4"):
        judge(Batch.of([7], [0], [1]), States.fresh(4), TUNING)
    with pytest.raises(ValueError, match="a state of 4"):
        judge(Batch(np.array([-3]), np.zeros(1), np.zeros(1)), States.fresh(4), TUNING)
    with pytest.raises(ValueError, match="for 5 series"):
        rate_of_change(Batch.of([0], [0], [1]), RateState.fresh(5), most_per_minute=np.ones(4))


# --- each detector against a plain loop ---------------------------------------------------------------------------------------------------


def test_a_limit_holds_until_the_value_is_back_across_its_end():
    values = [49, 50, 46, 45, 44.9, 20, 10, 12, 15.1]
    limits = Limits.of(1, high=50.0, high_ends=45.0, low=10.0, low_ends=15.0)
    found, _state = threshold(Batch.of([0] * 9, range(9), values), ThresholdState.fresh(1), limits)
    assert found.active.tolist() == [0, 1, 1, 1, 0, 0, -1, -1, 0]
    assert found.score[1] == found.score[6] == 1.0


def test_a_jump_from_one_limit_to_the_other_changes_sides():
    found, _state = threshold(Batch.of([0, 0], [0, 1], [60, 5]), ThresholdState.fresh(1), Limits.of(1, high=50.0, low=10.0))
    assert found.active.tolist() == [1, -1]


@pytest.mark.parametrize(
    "wrong", [{"high": 50.0, "high_ends": 60.0}, {"low": 50.0, "low_ends": 40.0}, {"high": 5.0, "low": 6.0}, {"high_ends": 5.0}]
)
def test_limits_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(ValueError):
        Limits.of(1, **wrong)


def test_the_robust_score_is_that_of_the_windows_own_median_and_mad():
    rng = np.random.default_rng(4)
    value = np.round(rng.standard_t(2, 400), 1)
    for width in (9, 10):
        found, _state = robust_z(
            Batch.of(np.zeros(400), np.arange(400), value), RobustState.fresh(1, width), limit=2.0, floor=0.05, least=5
        )
        for i in range(400):
            before = value[max(0, i - width) : i]
            if len(before) < 5:
                assert np.isnan(found.score[i])
                continue
            middle = np.median(before)
            spread = max(1.4826 * np.median(np.abs(before - middle)), 0.05)
            assert found.score[i] == pytest.approx(abs(value[i] - middle) / spread / 2.0) and found.expected[i] == pytest.approx(middle)


def test_a_spike_on_a_swing_is_found_by_its_change_once_and_so_is_a_step():
    at = np.arange(0, 4 * DAY, 300.0)
    value = 30 + 8 * np.sin(at / DAY * 2 * np.pi) + np.random.default_rng(6).normal(0, 0.3, len(at))
    value[500] += 5
    value[800:] -= 5
    batch = Batch.of(np.zeros(len(at)), at, value)
    by_value, _state = robust_z(batch, RobustState.fresh(1), floor=0.1)
    by_change, _state = robust_z(batch, RobustState.fresh(1), floor=0.1, of_change=True)
    assert not by_value.active[500]
    assert {int(i): int(by_change.active[i]) for i in np.flatnonzero(by_change.active)} == {500: 1, 800: -1}
    assert by_change.expected[500] == pytest.approx(value[499], abs=0.5)


def test_the_first_change_after_a_long_silence_is_not_judged():
    at = [*range(0, 3000, 60), 300_000, 300_060]
    found, state = robust_z(Batch.of([0] * 52, at, [*np.tile([1.0, 1.1], 25), 99.0, 99.1]), RobustState.fresh(1), floor=0.1, of_change=True)
    assert not found.active.any() and np.isnan(found.score[-2:]).all() and state.counts[0] == 1


def test_a_window_forgets_after_a_long_silence_and_a_constant_one_never_judges():
    at = [*range(30), 90_000.0]
    found, state = robust_z(Batch.of([0] * 31, at, [1.0] * 30 + [99.0]), RobustState.fresh(1, 20), floor=0.1)
    assert np.isnan(found.score[-1]) and state.counts[0] == 1
    found, _state = robust_z(Batch.of([0] * 31, range(31), [1.0] * 30 + [99.0]), RobustState.fresh(1, 20))
    assert not found.active.any()


def test_a_change_counts_by_its_minutes():
    found, _state = rate_of_change(
        Batch.of([0] * 4, [0, 600, 600.01, 700], [0.0, 5.0, 5.5, 5.5]), RateState.fresh(1), most_per_minute=1.0, least_s=30
    )
    assert found.score[1:].tolist() == pytest.approx([0.5, 1.0, 0.0]) and found.active.tolist() == [0, 0, 1, 0]


def test_a_value_that_rests_is_stuck_and_one_of_two_readings_is_not():
    rest = Batch.of([0] * 5, [0, 600, 1200, 1800, 2400], [5.0, 5.01, 5.0, 4.99, 5.2])
    found, _state = stuck(rest, StuckState.fresh(1), after_s=1200, tolerance=0.05)
    assert found.active.tolist() == [0, 0, 0, 1, 0]
    found, _state = stuck(Batch.of([0, 0], [0, DAY], [5.0, 5.0]), StuckState.fresh(1), after_s=1200)
    assert not found.active.any()


def test_a_hole_is_marked_and_silence_is_known_without_a_reading():
    found, state = gap(Batch.of([0, 0, 1], [0, 901, 100], [1, 1, 1]), GapState.fresh(3), cadence_s=300)
    assert found.active.tolist() == [0, 1, 0]
    assert silent(state, 1500.0, cadence_s=300).tolist() == [False, True, False]  # the third has never spoken


def test_an_hour_of_the_week_judges_by_its_own_kind_on_the_local_clock():
    at = np.arange(0, 5 * WEEK, 600.0)
    busy = ((at + 3 * HOUR) % WEEK // HOUR) == 30
    value = np.where(busy, 100.0, 10.0) + np.random.default_rng(1).normal(0, 1, len(at))
    quiet_at_a_busy_hour = np.flatnonzero(busy & (at > 4 * WEEK))[3]
    value[quiet_at_a_busy_hour] = 10.0
    found, _state = seasonal(Batch.of(np.zeros(len(at)), at, value), SeasonalState.fresh(1), limit=6.0)
    assert np.flatnonzero(found.active).tolist() == [quiet_at_a_busy_hour] and found.active[quiet_at_a_busy_hour] == -1
    assert np.isnan(found.score[at < 2.9 * WEEK]).all() and np.isfinite(found.score[at > 3.1 * WEEK]).all()


def test_one_wild_week_does_not_become_the_normal_and_a_lasting_change_does():
    rng = np.random.default_rng(2)
    at = np.arange(0, 30 * WEEK, HOUR)
    value = 10 + rng.normal(0, 1, len(at))
    value[(at > 6 * WEEK) & (at < 7 * WEEK)] += 100
    value[at > 10 * WEEK] += 30
    found, _state = seasonal(Batch.of(np.zeros(len(at)), at, value), SeasonalState.fresh(1))
    after_wild = found.active[(at > 7 * WEEK) & (at < 10 * WEEK)]
    assert (after_wild != 0).mean() < 0.01
    assert (found.active[(at > 10 * WEEK) & (at < 11 * WEEK)] != 0).mean() > 0.99
    assert (found.active[at > 26 * WEEK] != 0).mean() < 0.05


@pytest.mark.parametrize("kind", ["cusum", "ewma"])
def test_a_slow_drift_is_found_by_the_charts_and_by_no_limit(kind):
    chart = Chart(kind="cusum", slack=0.5, limit=8.0) if kind == "cusum" else Chart()
    rng = np.random.default_rng(3)
    at = np.arange(0, 100 * DAY, HOUR)
    noise = 20 + 3 * np.sin(at / DAY * 2 * np.pi) + rng.normal(0, 0.5, len(at))
    slow = noise - np.maximum(at - 50 * DAY, 0) / DAY * 0.05
    calm, _state = drift(Batch.of(np.zeros(len(at)), at, noise), DriftState.fresh(1), chart)
    found, _state = drift(Batch.of(np.zeros(len(at)), at, slow), DriftState.fresh(1), chart)
    first = at[np.flatnonzero(found.active)[0]] / DAY
    assert not calm.active.any() and 50 < first < 62 and found.active.min() == -1


def test_a_new_level_is_taken_for_granted_after_a_while():
    at = np.arange(0, 140 * DAY, 6 * HOUR)
    value = np.random.default_rng(1).normal(0, 0.5, len(at)) + np.where(at > 50 * DAY, 3.0, 0.0)
    found, _state = drift(Batch.of(np.zeros(len(at)), at, value), DriftState.fresh(1), Chart(accept=10, learn=40))
    stands = at[found.active != 0] / DAY
    assert 50 < stands.min() < 55 and not ((stands > 66) & (stands < 104)).any()
    assert found.expected[-1] == pytest.approx(3.0, abs=0.3)


def test_part_of_a_day_may_be_charted_alone():
    at = np.arange(0, 90 * DAY, HOUR)
    is_night = ((at + 3 * HOUR) % DAY >= 2 * HOUR) & ((at + 3 * HOUR) % DAY < 5 * HOUR)
    value = np.random.default_rng(1).normal(0, 1, len(at)) * np.where(is_night, 0.1, 30) - np.where((at > 60 * DAY) & is_night, 0.5, 0)
    night = Chart(from_s=2 * HOUR, to_s=5 * HOUR, least=2)
    assert drift(Batch.of(np.zeros(len(at)), at, value), DriftState.fresh(1), night)[0].active.any()
    assert not drift(Batch.of(np.zeros(len(at)), at, value), DriftState.fresh(1))[0].active.any()


@pytest.mark.parametrize(
    "wrong", [{"kind": "shewhart"}, {"limit": 0}, {"learn": 2}, {"from_s": 5, "to_s": 5}, {"kind": "ewma", "slack": 2.0}]
)
def test_a_chart_that_cannot_be_kept_is_refused(wrong):
    with pytest.raises(ValueError):
        Chart(**wrong)


# --- opening and closing ------------------------------------------------------------------------------------------------------------------


def turns_of(active, every_s=60.0, how=None, cuts=()):
    active = np.array(active, dtype=np.int8)
    at, series = np.arange(len(active)) * every_s, np.zeros(len(active), dtype=np.int64)
    state, told = OpenState.fresh(1), []
    for start, end in zip([0, *cuts], [*cuts, len(active)], strict=True):
        found, state = auto_resolve(series[start:end], at[start:end], active[start:end] * 2.0, active[start:end], state, how)
        told += [(one.what, one.at_s) for one in found]
    return told


def test_a_finding_opens_after_some_and_closes_after_quiet():
    how = Resolving(after=2, quiet=2, quiet_s=60)
    active = [0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 1]
    assert turns_of(active, how=how) == [(OPENED, 180.0), (CLOSED, 480.0)]
    for cut in range(len(active)):
        assert turns_of(active, how=how, cuts=(cut,)) == [(OPENED, 180.0), (CLOSED, 480.0)]


def test_silence_closes_nothing():
    state = OpenState.fresh(1)
    one = np.zeros(1, dtype=np.int64)
    _turns, state = auto_resolve(one, np.array([0.0]), np.array([2.0]), np.array([1], dtype=np.int8), state)
    turns, state = auto_resolve(one, np.array([9e9]), np.array([np.nan]), np.array([0], dtype=np.int8), state)
    assert not turns and state.is_open[0]


def test_a_late_backlog_does_not_open_anew():
    how = Resolving(quiet=1, quiet_s=0)
    state = OpenState.fresh(1)
    series = np.zeros(3, dtype=np.int64)
    turns, state = auto_resolve(
        series, np.array([100.0, 200.0, 300.0]), np.array([2.0, 0, 0]), np.array([1, 0, 0], dtype=np.int8), state, how
    )
    assert [one.what for one in turns] == [OPENED, CLOSED]
    turns, state = auto_resolve(series, np.array([10.0, 20, 30]), np.full(3, 2.0), np.ones(3, dtype=np.int8), state, how)
    assert not turns
