"""The running score as a picture, pure: weekly ratios as dots, the pooled ratio so far as a line, level with the baseline at 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from dashboard.charts import Tick

REACHES = (1.1, 1.25, 1.5, 2.0)
"""How far a chart reaches to either side of level: the nearest of these that holds every week, at most the last."""


class Weekly(Protocol):
    @property
    def starts(self) -> date: ...
    @property
    def ratio(self) -> float | None: ...
    @property
    def running(self) -> float | None: ...


@dataclass(frozen=True)
class RatioChart:
    """Coordinates inside a ``width`` × ``height`` view box; above ``even_y`` the model is ahead."""

    width: float
    height: float
    left: float
    right: float
    even_y: float
    dots: tuple[tuple[float, float], ...]
    running: str
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]

    @property
    def label_x(self) -> float:
        return self.left - 6

    @property
    def caption_y(self) -> float:
        return self.height - 4


def ratio_chart(weeks: Sequence[Weekly], *, width: float = 340, height: float = 130) -> RatioChart:
    """On a logarithmic scale, so that twice as good and half as good lie equally far from level; what lies beyond is set on the edge.

    >>> class W:
    ...     starts, ratio, running = date(2026, 1, 5), 1.0, 1.0
    >>> ratio_chart([W(), W()]).dots[0][1] == ratio_chart([W(), W()]).even_y
    True
    """
    top, bottom, left, right = 8.0, height - 20, 34.0, width - 14
    ratios = [ratio for week in weeks for ratio in (week.ratio, week.running) if ratio is not None and math.isfinite(ratio) and ratio > 0]
    furthest = max((max(ratio, 1 / ratio) for ratio in ratios), default=1.0)
    reach = next((reach for reach in REACHES if furthest <= reach), REACHES[-1])

    def y(value: float) -> float:
        inside = min(max(value, 1 / reach), reach)
        return round(bottom - (bottom - top) * math.log(inside * reach) / (2 * math.log(reach)), 1)

    first = weeks[0].starts if weeks else date(2000, 1, 3)
    span = max((weeks[-1].starts - first).days, 1) if weeks else 1

    def x(day: date) -> float:
        return round(left + (right - left) * (day - first).days / span, 1)

    dots = tuple((x(week.starts), y(week.ratio)) for week in weeks if week.ratio is not None and math.isfinite(week.ratio))
    running = [(x(week.starts), y(week.running)) for week in weeks if week.running is not None and math.isfinite(week.running)]
    named = [weeks[0], weeks[len(weeks) // 2], weeks[-1]] if len(weeks) > 2 else list(weeks)
    return RatioChart(
        width,
        height,
        left,
        right,
        y(1.0),
        dots,
        " ".join(f"{a:g},{b:g}" for a, b in running),
        tuple(Tick(y(value), f"{value:.2g}") for value in (1 / reach, 1.0, reach)),
        tuple(Tick(x(week.starts), week.starts) for week in named),
    )
