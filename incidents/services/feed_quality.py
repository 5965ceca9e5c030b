"""How good what each feed sends is, and how that has changed: the hours counted, by day and by week."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from incidents.analytics.feed_quality import Counts, Quality, change, quality
from incidents.models import FeedHour, Source

WEEK, MONTH = 7, 30
_COLUMNS = {
    **{name: F(name) for name in ("accepted", "located", "worded", "unknown_type", "alike", "live", "timely", "repeats", "notices")},
    "refused": F("refused_rows") + F("refused_messages"),
    "outside": F("outside_rows") + F("outside_messages"),
}


@dataclass(frozen=True)
class Day:
    day: date
    quality: Quality


@dataclass(frozen=True)
class FeedQuality:
    """``days`` are the last 30, oldest first, today being the last and not over. A stretch of days ends with today too."""

    source: Source
    days: tuple[Day, ...]
    week: Quality
    week_before: Quality
    month: Quality
    month_before: Quality

    @property
    def week_change(self) -> float | None:
        return change(self.week, self.week_before)

    @property
    def month_change(self) -> float | None:
        return change(self.month, self.month_before)


def feed_quality(sources: QuerySet[Source], *, viewer: object, now: datetime | None = None) -> list[FeedQuality]:
    """One for each of ``sources`` whose hours ``viewer`` may see, in their order; one that sent nothing is there too."""
    today = timezone.localtime(now or timezone.now()).date()
    first = today - timedelta(days=2 * MONTH - 1)
    start = datetime.combine(first, time.min, tzinfo=timezone.get_current_timezone())
    hours = FeedHour.objects.visible_to(viewer).filter(source__in=sources, hour__gte=start)
    rows: Any = hours.order_by().values("source_id", day=TruncDate("hour"))
    by_day: dict[int, dict[date, Counts]] = defaultdict(dict)
    for row in rows.annotate(**{f"n_{name}": Sum(of) for name, of in _COLUMNS.items()}):
        by_day[row["source_id"]][row["day"]] = Counts(**{name: row[f"n_{name}"] for name in _COLUMNS})
    return [_of(source, by_day[source.pk], today) for source in sources]


def _of(source: Source, counted: dict[date, Counts], today: date) -> FeedQuality:
    def over(days: int, *, ending: int = 0) -> Quality:
        span = (today - timedelta(days=back) for back in range(ending, ending + days))
        return quality(Counts.total(counted[day] for day in span if day in counted))

    month = [today - timedelta(days=back) for back in reversed(range(MONTH))]
    days = tuple(Day(day, quality(counted.get(day, Counts()))) for day in month)
    return FeedQuality(source, days, over(WEEK), over(WEEK, ending=WEEK), over(MONTH), over(MONTH, ending=MONTH))
