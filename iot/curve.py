"""The curve of one metric, pure: points in, SVG coordinates out. A band from least to most, a line of means, broken where nothing came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

WIDTH, HEIGHT = 760.0, 240.0
TOP, RIGHT, BOTTOM, LEFT = 10.0, 12.0, 24.0, 52.0
BREAK_STEPS = 3.2  # further apart than so many steps there is no line between two points
Y_TICKS = 5
TICKS_S = (300, 600, 900, 1_800, 3_600, 10_800, 14_400, 86_400, 5 * 86_400, 7 * 86_400, 28 * 86_400)


class Sample(NamedTuple):
    """``low`` to ``high`` within one step, ``mid`` their mean; one for a reading as it came. ``doubt``: something stands against it."""

    at: datetime
    low: float
    mid: float
    high: float
    doubt: bool = False


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Curve:
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    bands: tuple[str, ...]
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    doubts: tuple[tuple[float, float], ...]
    last: tuple[float, float] | None
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[tuple[float, datetime], ...]

    @property
    def label_x(self) -> float:
        return self.left - 8

    @property
    def caption_y(self) -> float:
        return self.height - 6

    @property
    def plot_width(self) -> float:
        return self.right - self.left

    @property
    def plot_height(self) -> float:
        return self.bottom - self.top

    @property
    def is_empty(self) -> bool:
        return not self.lines and not self.dots


def nice_step(span: float, ticks: int) -> float:
    """1, 2, 2.5 or 5 times a power of ten.

    >>> [nice_step(s, 5) for s in (1, 7, 23, 0.04)]
    [0.25, 2.0, 10.0, 0.01]
    """
    rough = max(span, 1e-9) / max(ticks - 1, 1)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(float(round(step * magnitude, 12)) for step in (1, 2, 2.5, 5, 10) if step * magnitude >= rough * 0.999)


def curve(
    samples: Sequence[Sample],
    *,
    start: datetime,
    end: datetime,
    step_s: float,
    width: float = WIDTH,
    height: float = HEIGHT,
    also: Sequence[float] = (),
) -> Curve:
    """Lay the samples out between ``start`` and ``end``; ``step_s`` is the distance at which they are expected, ``also`` are values that
    have to find room on the upright axis."""
    right, bottom = width - RIGHT, height - BOTTOM
    if not samples:
        return Curve(width, height, LEFT, right, TOP, bottom, (), (), (), (), None, (), times(start, end, LEFT, right))
    floor, roof, step = scale([*(row.low for row in samples), *also], [*(row.high for row in samples), *also])
    span_s = max((end - start).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(LEFT + (right - LEFT) * min(max((at - start).total_seconds() / span_s, 0.0), 1.0), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - TOP) * (value - floor) / (roof - floor), 1)

    runs: list[list[Sample]] = [[]]
    for row in samples:
        if runs[-1] and (row.at - runs[-1][-1].at).total_seconds() > BREAK_STEPS * step_s:
            runs.append([])
        runs[-1].append(row)
    has_band = any(row.high > row.low for row in samples)
    count = round((roof - floor) / step)
    places = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if f"{step:.6f}".rstrip("0").endswith("25") and step < 1 else 0)
    return Curve(
        width,
        height,
        LEFT,
        right,
        TOP,
        bottom,
        tuple(
            _joined([(x(row.at), y(row.high)) for row in run] + [(x(row.at), y(row.low)) for row in reversed(run)])
            for run in runs
            if has_band and len(run) > 1
        ),
        tuple(_joined([(x(row.at), y(row.mid)) for row in run]) for run in runs if len(run) > 1),
        tuple((x(run[0].at), y(run[0].mid)) for run in runs if len(run) == 1),
        tuple((x(row.at), y(row.mid)) for row in samples if row.doubt),
        (x(samples[-1].at), y(samples[-1].mid)),
        tuple(Tick(y(floor + n * step), f"{floor + n * step:,.{places}f}") for n in range(count + 1)),
        times(start, end, LEFT, right),
    )


def scale(lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float, float]:
    """Floor, roof and step of the upright axis: round numbers, and a flat curve in the middle of its own small scale."""
    low, high = min(lows), max(highs)
    if high - low < max(abs(high), 1.0) * 1e-6:
        margin = max(abs(high) * 0.1, 1.0)
        low, high = low - margin, high + margin
        if min(lows) >= 0:
            low = max(low, 0.0)
    step = nice_step(high - low, Y_TICKS)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def times(start: datetime, end: datetime, left: float, right: float) -> tuple[tuple[float, datetime], ...]:
    """A handful of round instants, in the zone of ``start``."""
    span_s = (end - start).total_seconds()
    step_s = next(
        (s for s in (300, 600, 900, 1_800, 3_600, 10_800, 14_400, 86_400, 5 * 86_400, 7 * 86_400, 28 * 86_400) if span_s / s <= 7), span_s
    )
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    number = math.ceil((start - midnight).total_seconds() / step_s)
    found = []
    while (at := midnight + timedelta(seconds=number * step_s)) <= end:
        place = left + (right - left) * (at - start).total_seconds() / span_s
        if left + 8 <= place <= right - 14:
            found.append((round(place, 1), at))
        number += 1
    return tuple(found)


def _joined(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:g},{b:g}" for a, b in pairs)
