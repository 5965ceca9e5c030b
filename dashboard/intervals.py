"""What the page of response times shows and its file holds."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.errors import Invalid
from geography.models import Region
from incidents.lifecycle import Priority
from patrol.analytics.intervals import INTERVALS
from patrol.services.intervals import GROUPINGS, Group, Report, interval_report

NAMES = {
    "queue": _("Queue"),
    "turnout": _("Turnout"),
    "travel": _("Travel"),
    "response": _("Response"),
    "on_scene": _("On scene"),
    "consumed": _("Units' time together"),
}
MEANINGS = {
    "queue": _("reported → first unit sent"),
    "turnout": _("sent → en route"),
    "travel": _("en route → on scene"),
    "response": _("reported → first unit on scene"),
    "on_scene": _("on scene → its end"),
    "consumed": _("sent → end, all units of an incident"),
}
BY = {"priority": _("Priority"), "governorate": _("Governorate"), "agency": _("Agency"), "type": _("Type")}
USUAL_DAYS = 28


@dataclass(frozen=True)
class Asked:
    start: date
    end: date  # the last day, included
    by: str
    priority: int | None
    region: Region

    @property
    def window(self) -> tuple[datetime, datetime]:
        zone = ZoneInfo(self.region.time_zone)
        return datetime.combine(self.start, time(), zone), datetime.combine(self.end + timedelta(days=1), time(), zone)

    @property
    def query(self) -> str:
        base = f"from={self.start}&to={self.end}&by={self.by}"
        return f"{base}&priority={self.priority}" if self.priority else base


def asked_of(given: QueryDict, region: Region) -> Asked:
    """What the address asks for; days that are none are the usual ones. An inverted window stays as it is, to be refused in words."""
    today = timezone.now().astimezone(ZoneInfo(region.time_zone)).date()
    end = _day(given.get("to", "")) or today
    start = _day(given.get("from", "")) or end - timedelta(days=USUAL_DAYS - 1)
    by, priority = given.get("by", "priority"), given.get("priority", "")
    return Asked(
        start, end, by if by in GROUPINGS else "priority", int(priority) if priority in map(str, Priority.values) else None, region
    )


def report_of(asked: Asked, viewer: User, **narrowed: Any) -> tuple[Report | None, str]:
    """The report, or why there is none."""
    start, end = asked.window
    try:
        return interval_report(viewer=viewer, start=start, end=end, by=asked.by, priority=asked.priority, **narrowed), ""
    except Invalid as error:
        return None, error.message


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Cell:
    name: Any
    meaning: Any
    summary: Any


def tables(report: Report) -> list[tuple[Group, list[Cell]]]:
    """The whole first, then each group, with its intervals in their usual order."""
    return [
        (group, [Cell(NAMES[name], MEANINGS[name], group.intervals[name]) for name in INTERVALS])
        for group in (report.whole, *report.groups)
    ]


COLUMNS = (
    "group", "incidents", "sendings", "interval", "n", "unknown_missing", "unknown_contradictory", "p50_s", "p90_s", "total_s",
    "target_s", "within_target", "share_within_target", "few",
)  # fmt: skip


def as_csv(report: Report) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow((*COLUMNS, "from", "to", "is_synthetic"))
    for group, cells in tables(report):
        for name, cell in zip(INTERVALS, cells, strict=True):
            it = cell.summary
            writer.writerow((
                _plain(group.name), group.incidents, group.sendings, name, it.n, it.missing, it.contradictory, it.p50_s, it.p90_s,
                it.total_s,
                it.target_s, it.within, it.share, it.is_few, report.start.isoformat(), report.end.isoformat(), report.is_synthetic,
            ))  # fmt: skip
    return text.getvalue()


def _plain(text: str) -> str:
    """No spreadsheet takes a name for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
