"""The risk of zones by their sensors, as its pages show it: the list, and one zone taken apart with its day or week."""

from __future__ import annotations

from collections.abc import Mapping
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
from dashboard.risk_history import Figures, History, Moment, figures, history
from geography.models import Zone
from iot.models import CrowdResult, ZoneRisk
from iot.models.profiles import DeviceKind
from iot.services.risk.naming import Named, names_of_evidence
from iot.words import PARTS, note_of

SPANS = {"day": (timedelta(days=1), gettext_lazy("Day")), "week": (timedelta(days=7), gettext_lazy("Week"))}
MOST_MOMENTS = 2_100
STALE = timedelta(minutes=20)


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
        self.now = timezone.now()
        self.since = self.now - SPANS[self.span][0]
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
    def moments(self) -> list[Moment]:
        """Scores as they were written, the last one held until it was last looked at."""
        mine = self.visible.filter(agency=self.row.agency_id)
        before = mine.filter(at__lte=self.since).order_by("-at").values_list("at", "score", "points")[:1]
        rows = list(mine.filter(at__gt=self.since).order_by("-at").values_list("at", "score", "points")[:MOST_MOMENTS])[::-1]
        started = [Moment(self.since, score, points) for _at, score, points in before]
        now = Moment(self.row.checked_at, self.row.score, self.row.points)
        return [*started, *(Moment(*row) for row in rows), now]

    @property
    def chart(self) -> History | None:
        return history(self.moments, start=self.since, end=self.now) if len(self.moments) > 1 else None

    @property
    def figures(self) -> Figures:
        return figures(self.moments, start=max(self.since, self.moments[0].at), end=self.now)

    @cached_property
    def crowds(self) -> list[CrowdResult]:
        rows = CrowdResult.objects.visible_to(self.person).filter(zone=self.row.zone_id, agency=self.row.agency_id).newest()
        return list(rows.select_related("run", "type").order_by(F("type").asc(nulls_first=True), "pk"))


def _line(line: Mapping[str, Any], named: Named) -> Line:
    until = line["until"]
    return Line(
        named, datetime.fromtimestamp(line["at"], UTC), None if until is None else datetime.fromtimestamp(until, UTC), line["points"]
    )
