"""The counts behind a comparison: one pass over the incidents of the spans, one over the days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.postgres.aggregates import BoolOr
from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import TruncDate

from geography.models import Region, Zone
from incidents.lifecycle import EXITS
from incidents.models import Incident
from incidents.querysets import IncidentQuerySet
from incidents.services.compare.periods import Span, edges

WEEKS = 53  # of trend, counted back from the last day
LOOK_BACK = timedelta(days=60)  # before the first span: whether the data had begun
# What is counted by, and the column it stands in. A category is its types'.
DIMENSIONS = {
    "type": "type_id",
    "governorate": "governorate_id",
    "area": "area_id",
    "severity": "severity",
    "agency": "agency_id",
    "origin": "origin",
}
_NO_WEEK = 99  # longer ago than the trend looks
_COLUMNS = ("slot", "segment", "weekday", "hour", "lag", *DIMENSIONS.values())
_SETS: dict[str, tuple[str, ...]] = {
    **{name: ("slot", column) for name, column in DIMENSIONS.items()},
    "clock": ("segment", "weekday", "hour"),
    "lag": ("lag",),
}
# PostgreSQL's GROUPING(): a bit for each column that is not in the set, the last column's the lowest.
_MASKS = {sum(1 << (len(_COLUMNS) - 1 - at) for at, name in enumerate(_COLUMNS) if name not in used): key for key, used in _SETS.items()}
# A slot is 100 times the segment (between two edges of the spans) plus the weeks back from the end. Times are read on the region's clock,
# once a row: OFFSET 0 keeps the planner from writing the conversion into every grouping set.
_COUNT = """
SELECT grouping({all}), {all}, count(*) FROM (
    SELECT 100 * width_bucket(day, %(edges)s::date[]) + least((%(end)s::date - 1 - day) / 7, %(no_week)s) AS slot,
        width_bucket(day, %(edges)s::date[]) AS segment,
        extract(isodow FROM day)::int - 1 AS weekday, extract(hour FROM at)::int AS hour,
        CASE WHEN %(end)s::date - day BETWEEN 29 AND 148 THEN
            CASE WHEN reported_at <= occurred_at THEN -1 ELSE least((reported_at AT TIME ZONE %(clock)s)::date - day, 8) END END AS lag,
        {columns}
    FROM (SELECT *, at::date AS day FROM (
        SELECT *, occurred_at AT TIME ZONE %(clock)s AS at FROM ({incidents}) AS seen OFFSET 0) AS timed OFFSET 0) AS dated
    OFFSET 0) AS placed
GROUP BY GROUPING SETS ({sets})
"""


@dataclass(frozen=True)
class Scope:
    """Where and what is counted: a region or one zone of it, every category or one."""

    region: Region
    zone: Zone | None = None
    category: str = ""

    def narrow(self, incidents: IncidentQuerySet) -> IncidentQuerySet:
        if self.zone is not None:
            incidents = incidents.within(self.zone)
        return incidents.filter(type__category=self.category) if self.category else incidents


@dataclass
class Counts:
    """``by[dimension][span key][value]``; ``weeks[dimension][value]`` is a week's count by how many weeks back it lies."""

    spans: dict[Any, Span]
    by: dict[str, dict[Any, dict[Any, int]]] = field(default_factory=dict)
    weeks: dict[str, dict[Any, dict[int, int]]] = field(default_factory=dict)
    clock: dict[Any, dict[tuple[int, int], int]] = field(default_factory=dict)
    lags: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Days:
    """Everything the viewer sees in the region, day by day; of what the scope holds, how much was withdrawn."""

    seen: dict[date, int]
    withdrawn: dict[date, int]
    is_synthetic: bool


def count(viewer: object, scope: Scope, spans: dict[Any, Span], until: date) -> Counts:
    """Count what ``viewer`` sees of ``scope``, without what was cancelled, unfounded or a duplicate, in each of ``spans``."""
    marks = edges(spans.values())
    incidents = _between(scope.narrow(_seen(viewer, scope.region)), scope.region, marks[0], max(marks[-1], until + timedelta(days=1)))
    rows = incidents.exclude(state__in=sorted(EXITS)).order_by().values("occurred_at", "reported_at", *DIMENSIONS.values())
    sql, given = rows.query.sql_with_params()
    named = {f"given_{at}": value for at, value in enumerate(given)}
    statement = _COUNT.format(
        columns=", ".join(DIMENSIONS.values()),
        incidents=sql % tuple(f"%({name})s" for name in named),
        all=", ".join(_COLUMNS),
        sets=", ".join(f"({', '.join(used)})" for used in _SETS.values()),
    )
    named |= {"edges": marks, "end": until + timedelta(days=1), "no_week": _NO_WEEK, "clock": scope.region.time_zone}
    with connection.cursor() as cursor:
        cursor.execute(statement, named)
        found = cursor.fetchall()
    return _sorted_out(found, spans, marks)


def _sorted_out(rows: Iterable[tuple[Any, ...]], spans: dict[Any, Span], marks: list[date]) -> Counts:
    counts = Counts(spans)
    # Segment n runs from edge n - 1 to edge n.
    within = {n: [key for key, span in spans.items() if span.first <= marks[n - 1] <= span.last] for n in range(1, len(marks) + 1)}
    by: dict[str, dict[Any, dict[Any, int]]] = {name: {key: defaultdict(int) for key in spans} for name in DIMENSIONS}
    weeks: dict[str, dict[Any, dict[int, int]]] = {name: defaultdict(lambda: defaultdict(int)) for name in DIMENSIONS}
    clock: dict[Any, dict[tuple[int, int], int]] = {key: defaultdict(int) for key in spans}
    places = {name: _COLUMNS.index(column) for name, column in DIMENSIONS.items()}
    for mask, *values, n in rows:
        name = _MASKS[mask]
        if name == "lag":
            if values[_COLUMNS.index("lag")] is not None:
                counts.lags[values[_COLUMNS.index("lag")]] = n
            continue
        if name == "clock":
            _slot, segment, weekday, hour = values[:4]
            for key in within.get(segment, ()):
                clock[key][weekday, hour] += n
            continue
        segment, week = divmod(values[0], 100)
        value = values[places[name]]
        for key in within.get(segment, ()):
            by[name][key][value] += n
        if week < WEEKS:
            weeks[name][value][week] += n
    counts.by = {name: {key: dict(found) for key, found in one.items()} for name, one in by.items()}
    counts.weeks = {name: {value: dict(found) for value, found in one.items()} for name, one in weeks.items()}
    counts.clock = {key: dict(found) for key, found in clock.items()}
    return counts


def count_days(viewer: object, scope: Scope, whole: Span) -> Days:
    """Everything seen in the region, whatever the scope: days without any of it are days without data."""
    incidents = _between(_seen(viewer, scope.region), scope.region, whole.first - LOOK_BACK, whole.end)
    withdrawn = Q(state__in=sorted(EXITS))
    if scope.category:
        withdrawn &= Q(type__category=scope.category)
    if scope.zone is not None and scope.zone.level != Zone.Level.COUNTRY:
        withdrawn &= Q(**{f"{scope.zone.level}": scope.zone})
    rows = (
        incidents.annotate(day=TruncDate("occurred_at", tzinfo=scope.region.zone_info))
        .order_by()
        .values_list("day")
        .annotate(n=Count("pk"), withdrawn=Count("pk", filter=withdrawn), synthetic=BoolOr("is_synthetic"))
    )
    found = list(rows)
    return Days(
        {day: n for day, n, _withdrawn, _synthetic in found},
        {day: n for day, _n, n, _synthetic in found if n},
        any(synthetic for *_rest, synthetic in found),
    )


def newest_day(viewer: object, region: Region) -> date | None:
    """The last day with anything the viewer sees in the region."""
    seen = _seen(viewer, region).filter(occurred_at__lte=datetime.now(region.zone_info))
    at = seen.order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    return at.astimezone(region.zone_info).date() if at else None


def _seen(viewer: object, region: Region) -> IncidentQuerySet:
    return Incident.objects.visible_to(viewer).filter(region=region)


def _between(incidents: IncidentQuerySet, region: Region, first: date, end: date) -> IncidentQuerySet:
    """From the first moment of ``first`` to that of ``end``, on the region's clock."""
    return incidents.occurred_between(*(datetime.combine(day, time(), region.zone_info) for day in (first, end)))
