"""Units and hours of each governorate beside what they are needed for: is the country's force shared out fairly? Reads only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from geography.models import Region, Zone
from incidents.models import Incident, Surface
from patrol.analytics.shares import gini, ratios, to_move
from patrol.analytics.spans import Span, clipped, merged, total
from patrol.models import Duty, Unit
from patrol.services.workload import check_window

MEASURES = ("incidents", "population", "risk")
_LONGEST_FIRST = [Surface.Horizon.MONTH, Surface.Horizon.WEEK, Surface.Horizon.DAY, Surface.Horizon.SHIFT]


@dataclass
class Share:
    """One governorate."""

    zone: Zone
    units: int
    unit_time: timedelta
    person_time: timedelta
    incidents: int
    population: int | None
    risk: float | None
    ratios: dict[str, float | None] = field(default_factory=dict)

    @property
    def unit_hours(self) -> float:
        return self.unit_time.total_seconds() / 3600

    @property
    def person_hours(self) -> float:
        return self.person_time.total_seconds() / 3600


@dataclass
class Measure:
    """How the unit-hours lie beside one measure of demand: over the governorates where it is known."""

    name: str
    gini: float | None
    to_move: float | None
    unknown: int


@dataclass
class Distribution:
    start: datetime
    end: datetime
    shares: list[Share]
    measures: list[Measure]
    risk_of: Surface | None
    is_synthetic: bool

    @property
    def unit_time(self) -> timedelta:
        return sum((share.unit_time for share in self.shares), timedelta(0))

    @property
    def person_time(self) -> timedelta:
        return sum((share.person_time for share in self.shares), timedelta(0))

    @property
    def units(self) -> int:
        return sum(share.units for share in self.shares)

    @property
    def incidents(self) -> int:
        return sum(share.incidents for share in self.shares)


def distribution(
    *, viewer: object, agency: Agency, region: Region, start: datetime, end: datetime, now: datetime | None = None
) -> Distribution:
    """The governorates of the region that the viewer sees; shares and means are of those. Hours are those on duty until now."""
    now = now or timezone.now()
    check_window(start, end)
    until = min(end, now)
    places = jurisdiction_of(viewer).governorate_ids
    zones = Zone.objects.level(Zone.Level.GOVERNORATE).filter(region=region).among(places).defer("boundary").order_by("code")
    units = Unit.objects.visible_to(viewer).filter(agency=agency)
    counts = dict(units.active().order_by().values_list("governorate_id").annotate(n=Count("pk")))
    unit_time, person_time = _time(viewer, agency, start, until, now)
    happened = Incident.objects.visible_to(viewer).filter(agency=agency, occurred_at__gte=start, occurred_at__lt=end)
    incidents = dict(happened.order_by().values_list("governorate_id").annotate(n=Count("pk")))
    surface = _surface(viewer, region, now)
    risk = _risk(surface)
    areas = Zone.objects.level(Zone.Level.AREA).filter(region=region, population__isnull=False)
    people = dict(areas.order_by().values_list("parent_id").annotate(n=Sum("population")))
    shares = [
        Share(
            zone=zone,
            units=counts.get(zone.pk, 0),
            unit_time=unit_time[zone.pk],
            person_time=person_time[zone.pk],
            incidents=incidents.get(zone.pk, 0),
            population=zone.population if zone.population is not None else people.get(zone.pk),
            risk=risk.get(zone.pk, 0.0) if surface is not None else None,
        )
        for zone in zones
    ]
    hours = [share.unit_hours for share in shares]
    measures = []
    for name in MEASURES:
        demand = [getattr(share, name) for share in shares]
        for share, ratio in zip(shares, ratios(hours, demand), strict=True):
            share.ratios[name] = ratio
        unknown = sum(need is None for need in demand)
        measures.append(Measure(name, gini(hours, demand), to_move(hours, demand), unknown))
    made_up = units.filter(is_synthetic=True).exists() or happened.filter(is_synthetic=True).exists()
    return Distribution(start, end, shares, measures, surface, made_up)


def _time(
    viewer: object, agency: Agency, start: datetime, until: datetime, now: datetime
) -> tuple[dict[int, timedelta], dict[int, timedelta]]:
    """On duty by governorate: of units (each once, however many are on board) and of people."""
    rows = Duty.objects.visible_to(viewer).filter(agency=agency, started_at__lt=until).filter(Q(ended_at=None) | Q(ended_at__gt=start))
    crews: dict[tuple[int, int], list[Span]] = defaultdict(list)
    persons: dict[int, timedelta] = defaultdict(timedelta)
    for zone_id, unit_id, member_id, begins, ends in rows.values_list("governorate_id", "unit_id", "member_id", "started_at", "ended_at"):
        inside = clipped([(begins, ends or now)], start, until)
        if unit_id is not None:
            crews[zone_id, unit_id] += inside
        if member_id is not None:
            persons[zone_id] += total(inside)
    whole: dict[int, timedelta] = defaultdict(timedelta)
    for (zone_id, _unit_id), spans in crews.items():
        whole[zone_id] += total(merged(spans))
    return whole, persons


def _surface(viewer: object, region: Region, now: datetime) -> Surface | None:
    """The published expectation that looks furthest ahead: a distribution is no matter of one shift."""
    rows = Surface.objects.current().published().visible_to(viewer).filter(region=region, kind=Surface.Kind.RISK, category="")
    found = {row.horizon: row for row in rows.filter(valid_to__gt=now).order_by("-valid_from").defer("columns", "rows", "parts", "classes")}
    return next((found[horizon] for horizon in _LONGEST_FIRST if horizon in found), None)


def _risk(surface: Surface | None) -> dict[int, float]:
    if surface is None:
        return {}
    found: dict[int, float] = defaultdict(float)
    for zone_id, value in zip(surface.governorate_ids, surface.values, strict=False):
        found[zone_id] += value
    return dict(found)
