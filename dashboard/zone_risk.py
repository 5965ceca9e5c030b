"""The risk of zones by their sensors, as its pages show it: the list, and one zone taken apart with its day or week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import F
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from dashboard.charts import Tick
from geography.models import Zone
from iot.models import CrowdResult, ZoneRisk
from iot.models.profiles import DeviceKind
from iot.services.risk.naming import Named, names_of_evidence
from iot.words import PARTS, note_of

SPANS = {"day": (timedelta(days=1), gettext_lazy("Day")), "week": (timedelta(days=7), gettext_lazy("Week"))}
MOST_MOMENTS = 2_100
STALE = timedelta(minutes=20)
Pairs = Sequence[tuple[datetime, float | None]]


@dataclass(frozen=True)
class Bar:
    """One part's stretch of the stacked bar, in points of the hundred."""

    name: str
    label: str
    start: float
    points: float


def bars_of(points: Mapping[str, float]) -> list[Bar]:
    """In the order of the parts; those that give nothing have none."""
    bars, start = [], 0.0
    for name, label in PARTS.items():
        given = points.get(name, 0.0)
        if given >= 0.05:
            bars.append(Bar(name, str(label), round(start, 2), round(given, 2)))
            start += given
    return bars


def step_of(score: float | None) -> str:
    """The word beside a score, so that nobody reads it by its colour alone."""
    if score is None:
        return "unknown"
    return "high" if score >= 50 else "raised" if score >= 25 else "some" if score >= 5 else "calm"


STEPS = {
    "unknown": gettext_lazy("not known"),
    "calm": gettext_lazy("calm"),
    "some": gettext_lazy("a little raised"),
    "raised": gettext_lazy("raised"),
    "high": gettext_lazy("high"),
}


@dataclass(frozen=True)
class Row:
    risk: ZoneRisk

    @property
    def bars(self) -> list[Bar]:
        return bars_of(self.risk.points)

    @property
    def step(self) -> str:
        return step_of(self.risk.score)

    @property
    def step_label(self) -> str:
        return str(STEPS[self.step])

    @property
    def total(self) -> int:
        return sum(self.risk.devices.values())

    @property
    def is_stale(self) -> bool:
        return self.risk.checked_at < timezone.now() - STALE


@dataclass(frozen=True)
class RiskList:
    """The zones of the viewer that have sensors, the highest first; the others are counted, for they are no zeros."""

    rows: list[Row]
    governorates: list[Row]
    without: int

    @property
    def is_synthetic(self) -> bool:
        return any(row.risk.is_synthetic for row in self.rows + self.governorates)

    @property
    def has_agencies(self) -> bool:
        return len({row.risk.agency_id for row in self.rows + self.governorates}) > 1

    @property
    def checked_at(self) -> datetime | None:
        return max((row.risk.checked_at for row in self.rows + self.governorates), default=None)


def risk_list(person: User) -> RiskList:
    found = ZoneRisk.objects.visible_to(person).current().for_list().order_by(F("score").desc(nulls_last=True), "zone__code")
    rows = [Row(risk) for risk in found]
    areas = [row for row in rows if row.risk.zone.level == Zone.Level.AREA]
    places = person.jurisdiction.governorate_ids
    mine = Zone.objects.filter(level=Zone.Level.AREA, is_active=True)
    mine = mine if places is None else mine.filter(parent__in=places)
    without = mine.exclude(pk__in={row.risk.zone_id for row in areas}).count()
    return RiskList(areas, [row for row in rows if row.risk.zone.level == Zone.Level.GOVERNORATE], without)


@dataclass(frozen=True)
class Line:
    """One thing that gives points, as it is shown."""

    named: Named
    began_at: datetime
    ended_at: datetime | None
    points: float


@dataclass(frozen=True)
class PartShown:
    name: str
    label: str
    points: float
    most: float
    half_life_h: float
    is_watched: bool
    lines: list[Line]
    more: int


class ZonePage:
    """One zone's score from the sensors of one agency."""

    def __init__(self, person: User, zone_id: int, *, agency: str, span: str) -> None:
        self.visible = ZoneRisk.objects.visible_to(person).of_zone(zone_id)
        rows = list(self.visible.current().with_names().order_by(F("score").desc(nulls_last=True), "pk"))
        chosen = [row for row in rows if row.agency.slug == agency] if agency else rows
        if not chosen:
            raise Http404(_("This zone has no sensors you may see."))
        self.person, self.row, self.all = person, chosen[0], rows
        self.span = span if span in SPANS else "day"
        self.head = Row(self.row)

    @property
    def zone(self) -> Zone:
        return self.row.zone

    @property
    def spans(self) -> list[tuple[str, str, bool]]:
        return [(name, str(label), name == self.span) for name, (_length, label) in SPANS.items()]

    @property
    def notes(self) -> list[str]:
        return [note_of(note) for note in self.row.notes]

    @property
    def kinds(self) -> list[tuple[str, int]]:
        names = dict(DeviceKind.choices)
        return [(str(names.get(kind, kind)), count) for kind, count in self.row.devices.items()]

    @cached_property
    def parts(self) -> list[PartShown]:
        names = names_of_evidence([self.row])
        return [
            PartShown(
                part["name"], str(PARTS.get(part["name"], part["name"])), part["points"], part["most"], part["half_life_s"] / 3600,
                part["is_watched"], [_line(line, names.get(line["key"], Named())) for line in part["evidence"]], part["more"]["count"],
            )
            for part in self.row.parts
        ]  # fmt: skip

    @cached_property
    def moments(self) -> list[tuple[datetime, float | None]]:
        """Scores as they were written, the last one held until it was last looked at."""
        since = timezone.now() - SPANS[self.span][0]
        mine = self.visible.filter(agency=self.row.agency_id)
        before = mine.filter(at__lte=since).order_by("-at").values_list("at", "score")[:1]
        rows = list(mine.filter(at__gt=since).order_by("-at").values_list("at", "score")[:MOST_MOMENTS])[::-1]
        started = [(since, score) for _at, score in before]
        return [*started, *rows, (self.row.checked_at, self.row.score)]

    @property
    def chart(self) -> ScoreChart | None:
        now = timezone.now()
        return score_chart(self.moments, start=now - SPANS[self.span][0], end=now) if len(self.moments) > 1 else None

    @cached_property
    def crowds(self) -> list[CrowdResult]:
        rows = CrowdResult.objects.visible_to(self.person).filter(zone=self.row.zone_id, agency=self.row.agency_id).newest()
        return list(rows.select_related("run", "type").order_by(F("type").asc(nulls_first=True), "pk"))


def _line(line: Mapping[str, Any], named: Named) -> Line:
    until = line["until"]
    return Line(
        named, datetime.fromtimestamp(line["at"], UTC), None if until is None else datetime.fromtimestamp(until, UTC), line["points"]
    )


@dataclass(frozen=True)
class ScoreChart:
    """Coordinates inside a view box; a score stands until the next was written, so its line is a stair."""

    width: float
    height: float
    left: float
    right: float
    lines: tuple[str, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[tuple[float, datetime], ...]

    @property
    def label_x(self) -> float:
        return self.left - 6

    @property
    def caption_y(self) -> float:
        return self.height - 4


def score_chart(moments: Pairs, *, start: datetime, end: datetime, width: float = 640, height: float = 180) -> ScoreChart:
    """The whole hundred when it is needed, else the half or quarter that holds the highest, so that small things are seen; from 0 always.

    >>> from datetime import UTC, datetime
    >>> at = [datetime(2026, 1, 1, h, tzinfo=UTC) for h in (0, 12, 23)]
    >>> chart = score_chart([(at[0], 10.0), (at[1], None), (at[2], 20.0)], start=at[0], end=at[2])
    >>> len(chart.lines), [tick.label for tick in chart.y_ticks]
    (2, ['0', '12.5', '25'])
    """
    top, bottom, left, right = 10.0, height - 22, 36.0, width - 12
    highest = max((score for _at, score in moments if score is not None), default=0.0)
    roof = next(most for most in (25.0, 50.0, 100.0) if highest <= most)
    span = max((end - start).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(left + (right - left) * min(max((at - start).total_seconds() / span, 0.0), 1.0), 1)

    def y(score: float) -> float:
        return round(bottom - (bottom - top) * score / roof, 1)

    lines: list[list[str]] = [[]]
    for (at, score), until in zip(moments, [*(at for at, _score in moments[1:]), moments[-1][0]], strict=True):
        if score is None:
            lines.append([])
            continue
        lines[-1] += [f"{x(at):g},{y(score):g}", f"{x(until):g},{y(score):g}"]
    ticks = tuple(Tick(y(roof * share), f"{roof * share:g}") for share in (0.0, 0.5, 1.0))
    moves = [start + (end - start) * share for share in (0.1, 0.35, 0.6, 0.85)]
    return ScoreChart(width, height, left, right, tuple(" ".join(one) for one in lines if one), ticks, tuple((x(at), at) for at in moves))
