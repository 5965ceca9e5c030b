"""What the board's figures say. Each starts from ``visible_to`` and counts with the indexes there are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db.models import Aggregate, Count, F, FloatField, Min, Q
from django.db.models.functions import Extract, TruncHour
from django.utils import timezone
from django.utils.translation import get_language

from accounts.jurisdiction import jurisdiction_of
from geography.models import Region
from incidents.models import Forecast, HotSpot, Incident
from incidents.querysets import IncidentQuerySet

T = TypeVar("T")
DAY = timedelta(days=1)
SYNTHETIC_FOR_S = 30
FIGURES_FOR_S = 3


def shared(name: str, viewer: object, seconds: int, make: Callable[[], T]) -> T:
    """``make()`` once for all who see the same, kept for a few seconds."""
    jurisdiction = jurisdiction_of(viewer)
    seen = repr([sorted(ids) if ids is not None else None for ids in (jurisdiction.agency_ids, jurisdiction.governorate_ids)])
    key = f"board:{name}:{hashlib.sha256(seen.encode()).hexdigest()[:24]}"
    found: T | None = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, seconds)
    return found


def shows_synthetic(viewer: object) -> bool:
    """Whether anything this person's screens show now is made up."""

    def look() -> bool:
        incidents = Incident.objects.visible_to(viewer)
        month = timezone.now() - timedelta(days=30)
        return (
            incidents.open().filter(is_synthetic=True).exists()
            or HotSpot.objects.current().visible_to(viewer).filter(is_synthetic=True).exists()
            or Forecast.objects.current().visible_to(viewer).filter(is_synthetic=True).exists()
            or incidents.filter(occurred_at__gte=month, is_synthetic=True).exists()
        )

    return shared("synthetic", viewer, SYNTHETIC_FOR_S, look)


class Median(Aggregate):
    """The middle of an interval's minutes, without those that have none."""

    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class Bar:
    """One hour of the small figure, with its place in a 24 × 100 drawing."""

    at: datetime
    count: int
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Share:
    """One line of a small table: a thing's name in both languages, its count, and its part of the largest in hundredths."""

    pk: int | None
    name_en: str
    name_ar: str
    count: int
    width: float

    @property
    def name(self) -> str:
        return self.name_ar or self.name_en if (get_language() or "").startswith("ar") else self.name_en


@dataclass(frozen=True)
class Figures:
    """The line above the board. ``None`` is unknown, and said so."""

    at: datetime
    open_now: int
    open_yesterday: int
    urgent: int
    oldest_urgent_at: datetime | None
    last_day: int
    same_day_last_week: int
    minutes_to_dispatch: float | None
    minutes_to_scene: float | None
    times_unknown: int
    hours: list[Bar] = field(default_factory=list)
    top_types: list[Share] = field(default_factory=list)
    governorates: list[Share] = field(default_factory=list)

    @property
    def open_change(self) -> int:
        return self.open_now - self.open_yesterday

    @property
    def day_change(self) -> int:
        return self.last_day - self.same_day_last_week

    @property
    def busiest(self) -> Bar | None:
        return max(self.hours, key=lambda bar: bar.count, default=None)


def key_figures(viewer: object) -> Figures:
    """The figures of everything this person sees, whatever filter the list has; at most once every few seconds."""
    return shared("figures", viewer, FIGURES_FOR_S, lambda: _figures(Incident.objects.visible_to(viewer), timezone.now()))


def _figures(incidents: IncidentQuerySet, now: datetime) -> Figures:
    yesterday = now - DAY
    open_ = incidents.open().aggregate(
        now=Count("pk"),
        then=Count("pk", filter=Q(received_at__lte=yesterday)),
        urgent=Count("pk", filter=Q(priority__lte=2)),
        oldest=Min("reported_at", filter=Q(priority__lte=2)),
    )
    # Those closed since. One that had been open for more than a month before is not counted: the time index must bound the search.
    closed_since = (
        incidents.filter(occurred_at__gte=now - timedelta(days=31), received_at__lte=yesterday, closed_at__gt=yesterday)
        .exclude(pk__in=incidents.open().values("pk"))
        .count()
    )
    day = incidents.occurred_between(yesterday, now + timedelta(minutes=10))
    minutes = lambda column: Extract(F(column) - F("reported_at"), "epoch", output_field=FloatField()) / 60.0  # noqa: E731
    times = day.aggregate(
        all=Count("pk"),
        dispatch=Median(minutes("dispatched_at"), filter=Q(dispatched_at__gte=F("reported_at"))),
        scene=Median(minutes("on_scene_at"), filter=Q(on_scene_at__gte=F("reported_at"))),
        known=Count("pk", filter=Q(dispatched_at__gte=F("reported_at"))),
    )
    week_ago = incidents.occurred_between(yesterday - timedelta(days=7), now - timedelta(days=7)).count()
    top = day.values_list("type", "type__name_en", "type__name_ar").annotate(n=Count("pk")).order_by("-n", "type")[:6]
    places = (
        incidents.open()
        .values_list("governorate", "governorate__name_en", "governorate__name_ar")
        .annotate(n=Count("pk"))
        .order_by("-n", "governorate")[:12]
    )
    return Figures(
        at=now,
        open_now=open_["now"],
        open_yesterday=open_["then"] + closed_since,
        urgent=open_["urgent"],
        oldest_urgent_at=open_["oldest"],
        last_day=times["all"],
        same_day_last_week=week_ago,
        minutes_to_dispatch=times["dispatch"],
        minutes_to_scene=times["scene"],
        times_unknown=times["all"] - times["known"],
        hours=_hours(day, now),
        top_types=_shares(top),
        governorates=_shares(places),
    )


def _shares(rows: Iterable[tuple[int | None, str | None, str | None, int]]) -> list[Share]:
    found = list(rows)
    most = max((row[3] for row in found), default=1)
    return [Share(pk, en or "", ar or "", count, round(100 * count / most, 1)) for pk, en, ar, count in found]


def _hours(day: IncidentQuerySet, now: datetime) -> list[Bar]:
    """The last 24 clock hours, this one included."""
    zone = default_zone()
    this_hour = now.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    counted: dict[datetime, int] = dict(
        day.annotate(hour=TruncHour("occurred_at", tzinfo=zone)).values_list("hour").annotate(n=Count("pk")).order_by()
    )
    starts = [this_hour - timedelta(hours=back) for back in range(23, -1, -1)]
    most = max([1, *counted.values()])
    bars = []
    for place, start in enumerate(starts):
        count = counted.get(start, 0)
        height = round(96 * count / most, 1) if count else 1.5
        bars.append(Bar(start, count, place * 10 + 1.5, round(100 - height, 1), height))
    return bars


def default_zone() -> ZoneInfo:
    """The clock of the default region."""
    name = cache.get("board:clock")
    if name is None:
        name = Region.objects.filter(is_default=True).values_list("time_zone", flat=True).first() or settings.TIME_ZONE
        cache.set("board:clock", name, 300)
    return ZoneInfo(name)


@dataclass(frozen=True)
class Page:
    """One stretch of the board's list. ``after`` is the cursor of the next, or empty at the end."""

    incidents: list[Incident]
    after: str


PAGE_SIZE = 50
MAX_CURSOR = 2**63 - 1


def board_page(incidents: IncidentQuerySet, *, sort: str, before: str = "", size: int = PAGE_SIZE) -> Page:
    """The next ``size`` rows after the cursor ``before``. Keyset paging: a row is neither shown twice nor missed while others come in."""
    where = _cursor(before)
    if sort == "priority":
        incidents = incidents.order_by("priority", "pk")
        if where is not None and where[0]:
            incidents = incidents.filter(Q(priority__gt=where[0]) | Q(priority=where[0], pk__gt=where[1]))
    else:
        incidents = incidents.order_by("-pk")
        if where is not None:
            incidents = incidents.filter(pk__lt=where[1])
    rows = list(incidents.for_card()[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows, cursor_of(rows[-1], sort) if more and rows else "")


def cursor_of(incident: Incident, sort: str) -> str:
    return f"{incident.priority}.{incident.pk}" if sort == "priority" else str(incident.pk)


def _cursor(text: str) -> tuple[int, int] | None:
    """(priority or 0, id) of a cursor; ``None`` for one that is empty or forged."""
    head, _dot, tail = text[:32].rpartition(".")
    if not tail.isascii() or not tail.isdigit() or int(tail) > MAX_CURSOR or (head and head not in set("12345")):
        return None
    return (int(head) if head else 0, int(tail))


def count_up_to(incidents: IncidentQuerySet, limit: int = 10_000) -> tuple[int, bool]:
    """How many there are, and whether the counting stopped at ``limit``."""
    counted = incidents.order_by()[: limit + 1].count()
    return min(counted, limit), counted > limit
