"""The patrol report in words: what its parts and figures are called, how they are written, where each was counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy

from incidents.services.importing.rejects import guarded
from patrol.services.report import Figure, Line, Part, Report
from patrol.services.report.figures import METRES, SECONDS, SHARE

PARTS = {
    "plans": gettext_lazy("Shifts and plans"),
    "stops": gettext_lazy("Stops"),
    "dosage": gettext_lazy("Dosage in minutes"),
    "coverage": gettext_lazy("Coverage gaps"),
    "response": gettext_lazy("Response times"),
    "workload": gettext_lazy("Workload"),
    "tasks": gettext_lazy("Work given and what became of it"),
    "driving": gettext_lazy("Driving"),
    "safety": gettext_lazy("Calls for help and welfare checks"),
}
FIGURES: dict[str, Any] = {
    "shifts": gettext_lazy("shifts"),
    "shifts_with_plan": gettext_lazy("with a published plan"),
    "shifts_without_plan": gettext_lazy("without a plan"),
    "plans_superseded": gettext_lazy("versions replaced"),
    "plan_changes": gettext_lazy("changes by people"),
    "stops": gettext_lazy("planned"),
    "measured": gettext_lazy("measured"),
    "waiting": gettext_lazy("not yet measured"),
    "visited": gettext_lazy("visited"),
    "at_another_time": gettext_lazy("visited at another time"),
    "not_visited": gettext_lazy("not visited"),
    "not_known": gettext_lazy("not known"),
    "planned_s": gettext_lazy("planned"),
    "delivered_s": gettext_lazy("delivered"),
    "absent_s": gettext_lazy("absent"),
    "unknown_s": gettext_lazy("unknown"),
    "beyond_s": gettext_lazy("outside plan"),
    "delivered_share": gettext_lazy("delivered, of planned"),
    "absent_share": gettext_lazy("absent, of planned"),
    "unknown_share": gettext_lazy("unknown, of planned"),
    "covered_share": gettext_lazy("of expected incidents had a unit in reach"),
    "within_s": gettext_lazy("in reach: within"),
    "at": gettext_lazy("hour"),
    "expected": gettext_lazy("expected"),
    "open_share": gettext_lazy("out of reach"),
    "incidents": gettext_lazy("incidents a unit was sent to"),
    "units": gettext_lazy("units on duty"),
    "unit_duty_s": gettext_lazy("on duty, units"),
    "unit_busy_s": gettext_lazy("at work, units"),
    "busy_share": gettext_lazy("at work, of time on duty"),
    "units_too_busy": gettext_lazy("units too busy"),
    "people": gettext_lazy("people on duty"),
    "person_duty_s": gettext_lazy("on duty, people"),
    "overworked": gettext_lazy("people past a limit"),
    "given": gettext_lazy("given"),
    "open": gettext_lazy("still open"),
    "done": gettext_lazy("done"),
    "cancelled": gettext_lazy("cancelled"),
    "auto_closed": gettext_lazy("closed by time"),
    "unit_days": gettext_lazy("days of units measured"),
    "metres": gettext_lazy("driven, at least"),
    "duty_s": gettext_lazy("on duty"),
    "not_known_s": gettext_lazy("of it not known from positions"),
    "not_known_share": gettext_lazy("not known, of time on duty"),
    "positions": gettext_lazy("positions"),
    "doubted": gettext_lazy("of them in doubt, left out"),
    "calls": gettext_lazy("calls for help"),
    "calls_answered": gettext_lazy("answered"),
    "calls_not_answered": gettext_lazy("not answered"),
    "calls_withdrawn": gettext_lazy("withdrawn"),
    "calls_under_duress": gettext_lazy("under duress"),
    "answer_p50_s": gettext_lazy("until answered, median"),
    "answer_longest_s": gettext_lazy("until answered, longest"),
    "welfare_checks": gettext_lazy("welfare checks"),
    "welfare_warned": gettext_lazy("warned of"),
    "welfare_missed": gettext_lazy("missed"),
}
_INTERVALS = {
    "queue": gettext_lazy("queue"),
    "turnout": gettext_lazy("turnout"),
    "travel": gettext_lazy("travel"),
    "response": gettext_lazy("response"),
}
_MEASURES = {
    "n": gettext_lazy("%(of)s: known"),
    "unknown": gettext_lazy("%(of)s: unknown"),
    "p50_s": gettext_lazy("%(of)s: median"),
    "p90_s": gettext_lazy("%(of)s: nine in ten within"),
    "within_share": gettext_lazy("%(of)s: within target"),
}
NOTES = {
    "dosage_provisional": gettext_lazy("Some stops are of shifts that are not over: their minutes are provisional."),
    "days_provisional": gettext_lazy("Some days are not final: positions may still come."),
    "days_not_measured": gettext_lazy("No day of a unit has been measured in this window."),
    "last_day_only": gettext_lazy("Of the last day of the window, hour by hour: by the published plan, else by the roster."),
    "nobody_planned": gettext_lazy("Nobody was planned or rostered that day."),
    "no_coverage": gettext_lazy("Coverage could not be computed for these days."),
}


def name_of(figure: Figure) -> str:
    if figure.key in FIGURES:
        return str(FIGURES[figure.key])
    interval, _sign, measure = figure.key.partition("_")
    return str(_MEASURES[measure]) % {"of": _INTERVALS[interval]}


@dataclass(frozen=True)
class Shown:
    """A figure as people read it."""

    key: str
    name: str
    text: str
    link: str


class ReportPage:
    """The report as its page and its document show it."""

    def __init__(self, report: Report, scope_query: str) -> None:
        self.report, self._scope = report, scope_query
        self._zone: ZoneInfo = report.governorate.region.zone_info

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [
            {
                "key": part.key,
                "title": PARTS[part.key],
                "figures": [self.shown(figure) for figure in part.figures],
                "columns": [name_of(figure) for figure in part.lines[0].figures] if part.lines else [],
                "lines": [(line, [self.shown(figure) for figure in line.figures]) for line in part.lines],
                "notes": [str(NOTES[note]) for note in part.notes],
                "is_wide": part.key == "response",
            }
            for part in self.report.parts
        ]

    def shown(self, figure: Figure) -> Shown:
        return Shown(figure.key, name_of(figure), written(figure, self._zone), self._link(figure))

    def _link(self, figure: Figure) -> str:
        try:
            address = reverse(figure.page) if figure.page else ""
        except NoReverseMatch:
            return ""
        return f"{address}?{self._scope}{'&' if figure.query else ''}{figure.query}" if address else ""


def written(figure: Figure, zone: ZoneInfo) -> str:
    value = figure.value
    if value is None:
        return "–"
    if figure.unit == SHARE:
        return f"{100 * value:.1f} %"
    if figure.unit == METRES:
        return f"{value / 1000:,.1f} km"
    if figure.unit == SECONDS:
        return _duration(figure.key, value)
    if figure.unit == "decimal":
        return f"{value:.2f}"
    if figure.unit == "instant":
        return date_format(datetime.fromtimestamp(value, UTC).astimezone(zone), "j M, H:i")
    return f"{value:,.0f}"


_HOURS = ("unit_duty_s", "unit_busy_s", "person_duty_s", "duty_s", "not_known_s")


def _duration(key: str, seconds: float) -> str:
    """Hours of whole forces, minutes of dosage, minutes and seconds of an answer."""
    if key in _HOURS:
        return f"{seconds / 3600:,.1f} h"
    if key in ("planned_s", "delivered_s", "absent_s", "unknown_s", "beyond_s"):
        return f"{seconds / 60:,.1f}"
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


COLUMNS = ("part", "line", "name", "figure", "value", "unit")


def csv_rows(report: Report) -> Iterator[list[str]]:
    """Every figure as it was counted: seconds, metres, shares of 1; empty where it is not known."""
    yield list(COLUMNS)
    for part in report.parts:
        for line, figure in _figures(part):
            value = "" if figure.value is None else repr(figure.value) if isinstance(figure.value, float) else str(figure.value)
            if figure.unit == "instant" and figure.value is not None:
                value = datetime.fromtimestamp(figure.value, UTC).isoformat()
            yield [part.key, guarded(line.key) if line else "", guarded(line.name) if line else "", figure.key, value, figure.unit]


def _figures(part: Part) -> Iterator[tuple[Line | None, Figure]]:
    for figure in part.figures:
        yield None, figure
    for line in part.lines:
        for figure in line.figures:
            yield line, figure
