"""ANA-6: the geometry of the forecast's small charts. No database."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts import Expected, Observed, forecast_chart, nice_ceiling
from dashboard.layers import RAMP_STEPS, ramp_steps

START = date(2026, 11, 1)


def counted(*counts: int) -> list[Observed]:
    return [Observed(START + timedelta(days=n), count) for n, count in enumerate(counts)]


def ahead(start: date, *days: tuple[float, float, float]) -> list[Expected]:
    return [Expected(start + timedelta(days=n), *values) for n, values in enumerate(days)]


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_time_runs_left_to_right_and_more_stands_higher():
    chart = forecast_chart(counted(2, 8), ahead(date(2026, 11, 3), (4, 2, 6), (6, 4, 10)))
    line = points(chart.history)
    assert [x for x, _y in line] == sorted(x for x, _y in line)
    assert line[1][1] < line[0][1]
    assert line[-1][0] < chart.now_x < points(chart.expected)[0][0]


def test_the_expected_line_lies_inside_its_band():
    chart = forecast_chart(counted(5), ahead(date(2026, 11, 2), (4, 2, 6), (6, 4, 10)))
    band = points(chart.band)
    upper, lower = band[:2], band[2:][::-1]
    for (x, y), (x_high, high), (x_low, low) in zip(points(chart.expected), upper, lower, strict=True):
        assert x == x_high == x_low
        assert high <= y <= low


def test_everything_stays_inside_the_picture():
    chart = forecast_chart(counted(0, 9, 3), ahead(date(2026, 11, 4), (4, 2, 6)))
    for x, y in points(chart.history) + points(chart.band) + points(chart.expected):
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.bottom


def test_a_shared_scale_makes_two_charts_comparable():
    quiet = forecast_chart(counted(1, 1), [], ceiling=100)
    assert min(y for _x, y in points(quiet.history)) > quiet.bottom - 5


def test_a_missing_day_leaves_its_place_empty():
    gap = [Observed(START, 1), Observed(START + timedelta(days=2), 1), Observed(START + timedelta(days=3), 1)]
    first, second, third = (x for x, _y in points(forecast_chart(gap, []).history))
    assert second - first == pytest.approx(2 * (third - second), abs=0.2)


def test_nothing_to_draw_is_an_empty_picture():
    chart = forecast_chart([], [])
    assert (chart.history, chart.band, chart.expected, chart.x_ticks) == ("", "", "", ())


def test_a_single_day_is_drawn():
    assert points(forecast_chart([], ahead(START, (1, 0, 2))).expected)


def test_weeks_are_named_back_from_the_last_day():
    labels = [tick.label for tick in forecast_chart(counted(*[1] * 28), ahead(date(2026, 11, 29), *[(1, 0, 2)] * 7)).x_ticks]
    assert labels[-1] == date(2026, 12, 5)
    assert labels == [date(2026, 11, 7), date(2026, 11, 14), date(2026, 11, 21), date(2026, 11, 28), date(2026, 12, 5)]


@given(st.floats(min_value=0, max_value=1e6))
def test_the_ceiling_is_never_below_the_value_and_never_wasteful(value: float):
    roof = nice_ceiling(value)
    assert value <= roof <= max(2, value * 2.5)


@given(st.lists(st.floats(min_value=0, max_value=1e4), min_size=1, max_size=60))
def test_ramp_steps_follow_the_order_of_the_values(values: list[float]):
    steps = ramp_steps(values)
    assert set(steps) <= set(range(1, RAMP_STEPS + 1))
    assert all(steps[i] <= steps[j] for i in range(len(values)) for j in range(len(values)) if values[i] <= values[j])
    assert steps[values.index(max(values))] == RAMP_STEPS
