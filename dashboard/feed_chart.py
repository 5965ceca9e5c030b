"""The line of a score over days, pure: 0 at the foot, 100 at the top; a day of which nothing can be said breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dashboard.charts import Tick


@dataclass(frozen=True)
class Spark:
    width: float
    height: float
    left: float
    right: float
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]  # days that stand alone
    last: tuple[float, float] | None
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]

    @property
    def is_empty(self) -> bool:
        return not self.lines and not self.dots

    @property
    def label_x(self) -> float:
        return self.left - 6

    @property
    def caption_y(self) -> float:
        return self.height - 4


def spark(points: Sequence[tuple[date, float | None]], *, width: float, height: float) -> Spark:
    """With axes where it is tall enough to read them.

    >>> spark([(date(2026, 11, 1), 50.0), (date(2026, 11, 2), None), (date(2026, 11, 3), 50.0)], width=100, height=20).lines
    ()
    """
    has_axes = height >= 80
    top, bottom, left, right = (8.0, height - 20, 34.0, width - 14) if has_axes else (3.0, height - 3, 3.0, width - 3)
    step = (right - left) / max(len(points) - 1, 1)

    def y(score: float) -> float:
        return round(bottom - (bottom - top) * score / 100, 1)

    runs: list[list[tuple[float, float]]] = [[]]
    for at, (_day, score) in enumerate(points):
        if score is None:
            runs.append([])
        else:
            runs[-1].append((round(left + step * at, 1), y(score)))
    runs = [run for run in runs if run]
    named = [0, len(points) // 2, len(points) - 1] if has_axes and len(points) > 2 else []
    return Spark(
        width,
        height,
        left,
        right,
        tuple(" ".join(f"{a:g},{b:g}" for a, b in run) for run in runs if len(run) > 1),
        tuple(run[0] for run in runs if len(run) == 1),
        runs[-1][-1] if runs else None,
        tuple(Tick(y(value), f"{value}") for value in (0, 50, 100)) if has_axes else (),
        tuple(Tick(round(left + step * at, 1), points[at][0]) for at in named),
    )
