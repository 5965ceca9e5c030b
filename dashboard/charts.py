"""The geometry of the small charts, pure: numbers in, SVG coordinates out. Time runs left to right in every language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Observed:
    day: date
    count: int


@dataclass(frozen=True)
class Expected:
    day: date
    expected: float
    low: float
    high: float
    low_95: float | None = None
    high_95: float | None = None
    baseline: float | None = None  # what counting alone says


@dataclass(frozen=True)
class Tick:
    at: float
    label: str | date


@dataclass(frozen=True)
class ForecastChart:
    """Coordinates inside a ``width`` × ``height`` view box. ``now_x`` parts what was counted from what is expected."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    history: str
    wide_band: str
    band: str
    baseline: str
    said: str
    expected: str
    dots: tuple[tuple[float, float], ...]
    now_x: float
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]

    @property
    def label_x(self) -> float:
        """Where the figures of the upright axis end."""
        return self.left - 6

    @property
    def caption_y(self) -> float:
        """Where the days stand."""
        return self.height - 4


def nice_ceiling(value: float) -> int:
    """The smallest of 2, 4, 6, 10, 20, 40, 60, 100, … that is at least ``value``: its half is a whole count too.

    >>> [nice_ceiling(v) for v in (0, 0.3, 3, 4.2, 11, 90, 101)]
    [2, 2, 4, 6, 20, 100, 200]
    """
    if value <= 2:
        return 2
    magnitude = 10 ** math.floor(math.log10(value))
    for step in (2, 4, 6, 10, 20):
        if step * magnitude >= value:
            return int(step * magnitude)
    raise AssertionError("unreachable")


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in pairs)


def forecast_chart(
    history: Sequence[Observed],
    forecast: Sequence[Expected],
    *,
    said: Sequence[Expected] = (),
    ceiling: float | None = None,
    width: float = 340,
    height: float = 120,
    margins: tuple[float, float, float, float] = (8, 8, 20, 30),
) -> ForecastChart:
    """Lay out counted days (a line) and expected days (a dashed line in its intervals, the baseline beside) on one axis of days.

    ``said`` is what an earlier forecast expected of days since counted.
    ``margins`` are top, right, bottom, left. ``ceiling`` gives small multiples one scale; without it the chart takes its own.
    The days of both series must follow one another; a day that is missing leaves its place empty.
    """
    top, right_margin, bottom_margin, left = margins
    right, bottom = width - right_margin, height - bottom_margin
    days = [item.day for item in history] + [item.day for item in forecast]
    if not days:
        return ForecastChart(width, height, left, right, top, bottom, "", "", "", "", "", "", (), right, (), ())
    first, last = min(days), max(days)
    span = max((last - first).days, 1)
    highest = ceiling if ceiling is not None else max([item.count for item in history] + [item.high_95 or item.high for item in forecast])
    roof = nice_ceiling(highest)

    def x(day: date) -> float:
        return round(left + (right - left) * (day - first).days / span, 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * min(value, roof) / roof, 1)

    counted = [(x(item.day), y(item.count)) for item in history]
    middle = [(x(item.day), y(item.expected)) for item in forecast]
    upper = [(x(item.day), y(item.high)) for item in forecast]
    lower = [(x(item.day), y(item.low)) for item in reversed(forecast)]
    wide = [(item.day, item.low_95, item.high_95) for item in forecast if item.low_95 is not None and item.high_95 is not None]
    widest = [(x(day), y(high)) for day, _low, high in wide] + [(x(day), y(low)) for day, low, _high in reversed(wide)]
    plain = [(x(item.day), y(item.baseline)) for item in forecast if item.baseline is not None]
    before = [(x(item.day), y(item.expected)) for item in said if first <= item.day <= last]
    now_x = round((counted[-1][0] + middle[0][0]) / 2, 1) if counted and middle else (right if counted else left)
    return ForecastChart(
        width,
        height,
        left,
        right,
        top,
        bottom,
        _points(counted),
        _points(widest),
        _points(upper + lower),
        _points(plain),
        _points(before),
        _points(middle),
        tuple(middle),
        now_x,
        tuple(Tick(y(value), f"{value:g}") for value in (0, roof / 2, roof)),
        tuple(Tick(x(day), day) for day in _weeks(first, last)),
    )


def _weeks(first: date, last: date) -> list[date]:
    """One day a week, counted back from the last, so that the newest week is always named; never one glued to the left edge."""
    days = []
    ordinal = last.toordinal()
    while ordinal >= first.toordinal() + 2:
        days.append(date.fromordinal(ordinal))
        ordinal -= 7
    return days[::-1]
