"""The geometry of weekly lines and of the week by its hours, pure: numbers in, SVG coordinates out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dashboard.charts import Tick, nice_ceiling

HEAT_STEPS = 5


@dataclass(frozen=True)
class WeeklyChart:
    """Lines inside a ``width`` × ``height`` view box; a week without data breaks the line."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]  # weeks that stand alone between gaps
    last: tuple[float, float] | None
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    gaps: tuple[tuple[float, float], ...]  # left edge and width of each stretch without data

    @property
    def label_x(self) -> float:
        return self.left - 6

    @property
    def caption_y(self) -> float:
        return self.height - 4

    @property
    def plot_height(self) -> float:
        return self.bottom - self.top


def weekly_chart(
    ends: Sequence[date],
    counts: Sequence[int],
    *,
    blank: frozenset[int] = frozenset(),
    width: float = 340,
    height: float = 96,
    margins: tuple[float, float, float, float] = (8, 8, 20, 34),
) -> WeeklyChart:
    """Lay out one count a week; ``blank`` are the places of the weeks without data. ``margins`` are top, right, bottom, left."""
    top, right_margin, bottom_margin, left = margins
    right, bottom = width - right_margin, height - bottom_margin
    roof = nice_ceiling(max([count for at, count in enumerate(counts) if at not in blank], default=0))
    step = (right - left) / max(len(ends) - 1, 1)

    def x(at: int) -> float:
        return round(left + step * at, 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * value / roof, 1)

    runs: list[list[int]] = []
    for at in range(len(counts)):
        if at in blank:
            continue
        if runs and runs[-1][-1] == at - 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    gaps: list[list[int]] = []
    for at in sorted(blank):
        if gaps and gaps[-1][1] == at - 1:
            gaps[-1][1] = at
        else:
            gaps.append([at, at])
    known = [at for at in range(len(counts)) if at not in blank]
    months = [at for at in range(1, len(ends)) if ends[at].month != ends[at - 1].month]
    every = max(1, -(-len(months) // max(1, int((right - left) // 46))))
    return WeeklyChart(
        width,
        height,
        left,
        right,
        top,
        bottom,
        tuple(" ".join(f"{x(at):g},{y(counts[at]):g}" for at in run) for run in runs if len(run) > 1),
        tuple((x(run[0]), y(counts[run[0]])) for run in runs if len(run) == 1),
        (x(known[-1]), y(counts[known[-1]])) if known else None,
        tuple(Tick(y(value), f"{value:g}") for value in (0, roof / 2, roof)),
        tuple(Tick(x(at), ends[at]) for at in months[::-1][::every][::-1]),
        tuple((x(first), round(max(step * (last - first), 2), 1)) for first, last in gaps),
    )


@dataclass(frozen=True)
class HeatCell:
    x: float
    y: float
    count: int
    step: int  # 0 is none, 5 the busiest hours


@dataclass(frozen=True)
class HeatRow:
    weekday: int  # Monday is 0
    y: float
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class HeatChart:
    """The week by its hours: a row a weekday from Sunday on, a column an hour."""

    width: float
    height: float
    left: float
    cell_width: float
    cell_height: float
    rows: tuple[HeatRow, ...]
    hours: tuple[Tick, ...]
    total: int
    most: int

    @property
    def label_x(self) -> float:
        return self.left - 8

    @property
    def by_hour(self) -> list[tuple[int, list[int]]]:
        """For the table: each hour with its counts, in the order of the rows."""
        return [(hour, [row.cells[hour].count for row in self.rows]) for hour in range(24)]


def heat_chart(counts: Mapping[tuple[int, int], int], *, left: float = 84, width: float = 760, row: float = 22) -> HeatChart:
    """Colour each hour of the week by its count, on equal steps up to the busiest hour's."""
    cell = (width - left) / 24
    most = max(counts.values(), default=0)
    top = 18

    def step(count: int) -> int:
        return -(-count * HEAT_STEPS // most) if most else 0

    rows = []
    for place, weekday in enumerate((6, 0, 1, 2, 3, 4, 5)):
        y = top + place * row
        cells = tuple(
            HeatCell(round(left + hour * cell, 1), y, counts.get((weekday, hour), 0), step(counts.get((weekday, hour), 0)))
            for hour in range(24)
        )
        rows.append(HeatRow(weekday, y + row / 2, cells))
    return HeatChart(
        width,
        top + 7 * row + 2,
        left,
        round(cell - 2, 1),
        row - 2,
        tuple(rows),
        tuple(Tick(round(left + (hour + 0.5) * cell - 1, 1), f"{hour:02d}") for hour in range(0, 24, 3)),
        sum(counts.values()),
        most,
    )
