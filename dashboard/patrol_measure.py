"""What the pages of measuring share: who may open them, which days and which agency they are of, and the dosage page itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Invalid
from dashboard.patrol_scope import Scope, scope_of
from incidents.services.importing.rejects import guarded
from patrol.services.dosage.sums import BY, Line, Sums, lines, stop_lines, stops_of, total
from patrol.services.report import Window, window

BY_NAMES = {
    "area": gettext_lazy("Area"),
    "cell": gettext_lazy("Cell"),
    "shift": gettext_lazy("Shift"),
    "unit": gettext_lazy("Unit"),
    "stop": gettext_lazy("Stop"),
}
MOST_ROWS = 200  # on the page; the file has all


def require_verb(request: HttpRequest, verb: str) -> None:
    if not getattr(request.user, "can", lambda _verb: False)(verb):
        raise PermissionDenied


@dataclass(frozen=True)
class Asked:
    """Agency, governorate and days of a page; ``refused`` says why other days are shown than were asked for."""

    scope: Scope
    window: Window
    refused: str

    @property
    def zone(self) -> ZoneInfo:
        return self.scope.governorate.region.zone_info

    @property
    def query(self) -> str:
        return f"{self.scope.query}&{self.window.query}"


def asked_of(request: HttpRequest) -> Asked:
    scope, now = scope_of(request), timezone.now()
    region = scope.governorate.region
    try:
        return Asked(scope, window(region, now=now, first=_day(request, "from"), last=_day(request, "to")), "")
    except Invalid as refusal:
        text = " ".join([refusal.message, *refusal.fields.values(), _("The last seven days are shown instead.")])
        return Asked(scope, window(region, now=now), text)


def _day(request: HttpRequest, name: str) -> date | None:
    given = request.GET.get(name, "")[:16]
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise Invalid(_("These days cannot be read."), fields={}) from error


class DosagePage:
    """Dosage as one viewer asked for it."""

    def __init__(self, request: HttpRequest) -> None:
        self.asked = asked_of(request)
        self.by = request.GET.get("by", "area")
        if self.by not in BY:
            self.by = "area"
        scope, days = self.asked.scope, self.asked.window
        self.stops = stops_of(agency=scope.agency, governorate=scope.governorate, start=days.start, end=days.end)
        area = request.GET.get("area", "")
        self.area = int(area) if area.isdecimal() and len(area) < 19 else None
        if self.area is not None:
            self.stops = self.stops.filter(area=self.area)

    @cached_property
    def total(self) -> Sums:
        return total(self.stops)

    @cached_property
    def lines(self) -> list[Line]:
        if self.by == "stop":
            return list(stop_lines(self.stops.filter(pk__in=self.stops.order_by("arrive_at", "pk").values("pk")[:MOST_ROWS])))
        return sorted(lines(self.stops, self.by), key=self._order)[:MOST_ROWS]

    def _order(self, line: Line) -> tuple[Any, ...]:
        if self.by in ("shift", "unit"):
            return (0,)  # in the order they come
        return (-line.sums.planned_s, line.name)

    @property
    def is_cut(self) -> bool:
        return len(self.lines) >= MOST_ROWS

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        return [(by, str(BY_NAMES[by]), by == self.by) for by in BY]

    @property
    def by_name(self) -> str:
        return str(BY_NAMES[self.by])

    @property
    def query(self) -> str:
        return self.asked.query + (f"&area={self.area}" if self.area is not None else "")


COLUMNS = (
    "by", "key", "name", "area", "starts_at", "stops", "measured", "provisional", "visited", "at_another_time", "not_visited", "not_known",
    "planned_min", "delivered_min", "absent_min", "unknown_min", "beyond_min",
)  # fmt: skip


def csv_lines(page: DosagePage) -> Iterator[list[str]]:
    yield list(COLUMNS)
    for line in stop_lines(page.stops) if page.by == "stop" else lines(page.stops, page.by):
        sums = line.sums
        starts = line.stop.arrive_at if line.stop is not None else line.shift.starts_at if line.shift is not None else None
        known = sums.measured > 0
        minutes = [f"{value / 60:.2f}" if known else "" for value in (sums.planned_s, sums.delivered_s, sums.absent_s, sums.unknown_s)]
        counts = (sums.stops, sums.measured, sums.provisional, sums.visited, sums.at_another_time, sums.not_visited, sums.not_known)
        yield [
            page.by,
            guarded(line.key),
            guarded(line.name),
            guarded(line.area),
            starts.isoformat() if starts else "",
            *(str(count) for count in counts),
            *minutes,
            f"{sums.beyond_s / 60:.2f}" if known else "",
        ]


class Echo:
    """A file that hands back what is written, for a CSV that is sent as it is made."""

    def write(self, text: str) -> str:
        return text


def streamed(rows: Iterator[list[str]]) -> Iterator[str]:
    writer = csv.writer(Echo())
    return (writer.writerow(row) for row in rows)
