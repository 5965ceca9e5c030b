"""Response times, workload and coverage, as their own services tell them."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.models import Agency
from core.errors import DomainError
from geography.models import Zone
from patrol.services.coverage import gaps_for
from patrol.services.intervals import Group, interval_report
from patrol.services.report.figures import SECONDS, SHARE, Figure, Line, Part
from patrol.services.report.window import Window
from patrol.services.workload import workload

WORST = 8  # gaps named
_INTERVALS = ("queue", "turnout", "travel", "response")


def response(viewer: object, agency: Agency, governorate: Zone, days: Window) -> tuple[Part, bool]:
    """Intervals of incidents reported in the window; whether any was made up."""
    found = interval_report(viewer=viewer, start=days.start, end=days.end, by="priority", agency=agency, governorate=governorate)
    query = f"by=priority&{days.query}"
    part = Part(
        "response",
        (Figure("incidents", found.whole.incidents, page="intervals", query=query), *_times(found.whole, query)),
        tuple(Line(str(group.key), group.name, _times(group, query)) for group in found.groups),
    )
    return part, found.is_synthetic


def _times(group: Group, query: str) -> tuple[Figure, ...]:
    figures = []
    for name in _INTERVALS:
        one = group.intervals[name]
        figures += [
            Figure(f"{name}_n", one.n, page="intervals", query=query),
            Figure(f"{name}_unknown", one.unknown, page="intervals", query=query),
            Figure(f"{name}_p50_s", one.p50_s, SECONDS, "intervals", query),
            Figure(f"{name}_p90_s", one.p90_s, SECONDS, "intervals", query),
            Figure(f"{name}_within_share", one.share, SHARE, "intervals", query),
        ]
    return tuple(figures)


def work(viewer: object, agency: Agency, governorate: Zone, days: Window, now: datetime) -> Part:
    """Hours and overwork of units and people."""
    found = workload(viewer=viewer, agency=agency, governorate=governorate, start=days.start, end=days.end, now=now)
    busy = sum((unit.busy for unit in found.units), timedelta(0))
    return Part(
        "workload",
        (
            Figure("units", sum(1 for unit in found.units if unit.on_duty), page="workload", query=days.query),
            Figure("unit_duty_s", found.unit_time.total_seconds(), SECONDS, "workload", days.query),
            Figure("unit_busy_s", busy.total_seconds(), SECONDS, "workload", days.query),
            Figure("busy_share", busy / found.unit_time if found.unit_time else None, SHARE, "workload", days.query),
            Figure("units_too_busy", sum(1 for unit in found.units if unit.flags), page="workload", query=days.query),
            Figure("people", sum(1 for person in found.people if person.on_duty), page="workload", query=days.query),
            Figure("person_duty_s", found.person_time.total_seconds(), SECONDS, "workload", days.query),
            Figure("overworked", found.overworked, page="workload", query=days.query),
        ),
    )


def coverage(agency: Agency, governorate: Zone, days: Window) -> Part:
    """How much of the expected demand units had in reach on the window's last day, and where most was not."""
    start = max(days.start, days.end - timedelta(days=1))
    try:
        found = gaps_for(governorate=governorate, agency=agency, start=start, end=days.end, by=None)
    except DomainError:
        return Part("coverage", (Figure("covered_share", None, SHARE, "coverage"),), notes=("no_coverage",))
    worst = tuple(
        Line(
            f"{gap.area.pk if gap.area else ''}:{gap.at.isoformat()}",
            gap.area.name if gap.area else "",
            (
                Figure("at", gap.at.timestamp(), "instant", "coverage"),
                Figure("expected", gap.expected, "decimal", "coverage"),
                Figure("open_share", gap.open_share, SHARE, "coverage"),
            ),
        )
        for gap in found.worst(WORST)
    )
    notes = () if found.source != "none" else ("nobody_planned",)
    covered = found.covered_share
    return Part(
        "coverage",
        (Figure("covered_share", covered, SHARE, "coverage"), Figure("within_s", found.limit_s, SECONDS, "coverage")),
        worst,
        ("last_day_only", *notes),
    )
