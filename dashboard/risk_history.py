"""How the risk of a zone went: its parts stacked over time, and the same as figures. A score stands until the next was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from django.utils import timezone

from dashboard.charts import Tick
from iot.words import PARTS

LEAST = 0.05  # points a part must have given once to be drawn
COLUMN = 2.0  # of the drawing: of the scores in one the highest and the last are drawn
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Moment:
    """The score at ``at`` (``None``: not known) and the points of its parts, of a hundred together."""

    at: datetime
    score: float | None
    points: Mapping[str, float] = field(default_factory=dict)

    def of(self, parts: Sequence[str]) -> list[float]:
        return [self.points.get(name, 0.0) for name in parts]


@dataclass(frozen=True)
class Area:
    """One part, from the parts beneath it to its own height; a path for each stretch of time in which there was a score."""

    name: str
    label: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """Coordinates inside a view box."""

    width: float
    height: float
    left: float
    right: float
    areas: tuple[Area, ...]
    lines: tuple[str, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[tuple[float, datetime], ...]

    @property
    def label_x(self) -> float:
        return self.left - 6

    @property
    def caption_y(self) -> float:
        return self.height - 4


@dataclass(frozen=True)
class Figures:
    """How it stood at each full hour, the newest first, and before them how it stands now. A row: when, points by part, the score."""

    names: tuple[str, ...]
    rows: tuple[tuple[datetime, tuple[float | None, ...], float | None], ...]


def parts_in(moments: Sequence[Moment]) -> list[str]:
    """The parts that ever gave something, in their order."""
    return [name for name in PARTS if any(moment.points.get(name, 0.0) >= LEAST for moment in moments)]


def history(moments: Sequence[Moment], *, start: datetime, end: datetime, width: float = 640, height: float = 200) -> History:
    """The whole hundred when it is needed, else the half or quarter that holds the highest, so that small things are seen; from 0 always.

    >>> from datetime import UTC, datetime
    >>> at = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (0, 6, 12, 23)]
    >>> some = [Moment(at[0], 10.0, {"crowd": 10.0}), Moment(at[1], None), Moment(at[2], 20.0, {"crowd": 15.0, "anomalies": 5.0})]
    >>> drawn = history([*some, Moment(at[3], 20.0, some[2].points)], start=at[0], end=at[3])
    >>> [(area.name, len(area.paths)) for area in drawn.areas], len(drawn.lines), [tick.label for tick in drawn.y_ticks]
    ([('anomalies', 1), ('crowd', 2)], 2, ['0', '12.5', '25'])
    """
    top, bottom, left, right = 10.0, height - 22, 36.0, width - 12
    roof = next(most for most in (25.0, 50.0, 100.0) if max((moment.score or 0.0 for moment in moments), default=0.0) <= most)
    span = max((end - start).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(left + (right - left) * min(max((at - start).total_seconds() / span, 0.0), 1.0), 1)

    def y(points: float) -> float:
        return round(bottom - (bottom - top) * min(points, roof) / roof, 1)

    parts = parts_in(moments)
    paths: dict[str, list[str]] = {name: [] for name in parts}
    lines = []
    for stretch, until in _stretches(_thinned(moments, x)):
        ends = [x(moment.at) for moment in stretch[1:]] + [x(until)]
        begins = x(stretch[0].at)
        floor = [0.0] * len(stretch)
        for place, name in enumerate(parts):
            roofs = [low + moment.of(parts)[place] for low, moment in zip(floor, stretch, strict=True)]
            if any(high - low >= LEAST for low, high in zip(floor, roofs, strict=True)):
                upper, lower = _stair([y(each) for each in roofs], ends), _stair([y(each) for each in floor], ends)
                paths[name].append(f"M{_line([(begins, y(roofs[0])), *upper, *lower[::-1], (begins, y(floor[0]))])}Z")
            floor = roofs
        scores = [y(moment.score or 0.0) for moment in stretch]
        lines.append(_line([(begins, scores[0]), *_stair(scores, ends)]))
    ticks = tuple(Tick(y(roof * share), f"{roof * share:g}") for share in (0.0, 0.5, 1.0))
    moves = [start + (end - start) * share for share in (0.1, 0.35, 0.6, 0.85)]
    areas = tuple(Area(name, str(PARTS[name]), tuple(paths[name])) for name in parts if paths[name])
    return History(width, height, left, right, areas, tuple(lines), ticks, tuple((x(at), at) for at in moves))


def _thinned(moments: Sequence[Moment], x: Callable[[datetime], float]) -> list[Moment]:
    """Of those in one column the highest and the last; one that ends or begins what is known stays."""
    kept: list[Moment] = []
    for _column, some in groupby(moments, lambda moment: (x(moment.at) // COLUMN, moment.score is None)):
        column = list(some)
        highest = max(column[:-1], key=lambda moment: moment.score or 0.0, default=None)
        kept += [column[-1]] if highest is None else [highest, column[-1]]
    return kept


def _stretches(moments: Sequence[Moment]) -> Iterator[tuple[list[Moment], datetime]]:
    """Scores that follow one another without a gap, and until when the last of them stood."""
    for is_known, some in groupby(enumerate(moments), lambda each: each[1].score is not None):
        stretch = list(some)
        if is_known:
            after = min(stretch[-1][0] + 1, len(moments) - 1)
            yield [moment for _place, moment in stretch], moments[after].at


def _stair(heights: Sequence[float], ends: Sequence[float]) -> list[tuple[float, float]]:
    """From the first height on, each until its end; what stays as it was makes no corner."""
    corners: list[tuple[float, float]] = []
    for place, (height, end) in enumerate(zip(heights, ends, strict=True)):
        after = heights[place + 1] if place + 1 < len(heights) else None
        if after != height:
            corners += [(end, height)] if after is None else [(end, height), (end, after)]
    return corners


def _line(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{across:g},{down:g}" for across, down in points)


def figures(moments: Sequence[Moment], *, start: datetime, end: datetime) -> Figures:
    """Of as many hours as lie between. Before the first score nothing is known."""
    parts = parts_in(moments)
    full = timezone.localtime(end).replace(minute=0, second=0, microsecond=0)
    at, times = full if full < end else full - HOUR, [end]
    while at >= start:
        times.append(at)
        at -= HOUR
    rows, place = [], len(moments) - 1
    for when in times:
        while place >= 0 and moments[place].at > when:
            place -= 1
        stood = moments[place] if place >= 0 else Moment(when, None)
        given = tuple(None if stood.score is None else each for each in stood.of(parts))
        rows.append((when, given, stood.score))
    return Figures(tuple(str(PARTS[name]) for name in parts), tuple(rows))
