"""What the hot-spot page says: each place beside why it is called hot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone
from django.utils.dates import WEEKDAYS

from accounts.jurisdiction import jurisdiction_of
from dashboard.layers import ramp_steps
from geography.models import Region, Zone
from incidents.models import HotSpot, IncidentType, PipelineRun, PipelineStep

MAX_SPOTS = 100
STALE_AFTER = timedelta(hours=36)


@dataclass(frozen=True)
class Spot:
    """One hot spot in words and figures."""

    hot_spot: HotSpot
    place: Zone | None
    step: int
    types: list[tuple[str, int]]

    @property
    def change(self) -> int | None:
        before = self.hot_spot.previous_count
        return None if before is None else self.hot_spot.incident_count - before

    @property
    def change_percent(self) -> int | None:
        before = self.hot_spot.previous_count
        return round(100 * (self.hot_spot.incident_count - before) / before) if before else None

    @property
    def trend(self) -> str:
        """``up`` or ``down`` where the change is more than chance often brings (two standard deviations of a count), else ``level``."""
        before = self.hot_spot.previous_count
        if before is None:
            return "unknown"
        now = self.hot_spot.incident_count
        if abs(now - before) <= 2 * max(now + before, 1) ** 0.5:
            return "level"
        return "up" if now > before else "down"

    @property
    def peak_hours(self) -> str:
        """The busiest three hours; the row holds their middle."""
        hour = self.hot_spot.peak_hour
        return "" if hour is None else f"{(hour - 1) % 24:02d}:00–{(hour + 2) % 24:02d}:00"

    @property
    def peak_weekday(self) -> str:
        weekday = self.hot_spot.peak_weekday
        return "" if weekday is None else str(WEEKDAYS[weekday])


@dataclass(frozen=True)
class RegionSpots:
    """A region's hot spots and the run that found them. Without a run that reached the region, ``run`` is ``None``."""

    region: Region
    run: PipelineRun | None
    spots: list[Spot] = field(default_factory=list)
    total: int = 0
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_stale(self) -> bool:
        return self.run is not None and self.run.as_of < timezone.now() - STALE_AFTER

    @property
    def parameters(self) -> dict[str, Any]:
        return self.run.parameters if self.run is not None else {}

    @property
    def window_days(self) -> int | None:
        if self.spots:
            first = self.spots[0].hot_spot
            return max(1, round((first.window_to - first.window_from) / timedelta(days=1)))
        return self.parameters.get("window_days")

    @property
    def newest_incident(self) -> datetime | None:
        text = self.counts.get("newest_incident")
        return datetime.fromisoformat(text) if text else None


def categories_of(viewer: object) -> list[tuple[str, int]]:
    """(category, hot spots standing), for those that have any; the empty category is everything together."""
    counted = HotSpot.objects.current().visible_to(viewer).order_by().values_list("category").annotate(n=Count("pk"))
    return sorted(counted, key=lambda row: (row[0] != "", -row[1], row[0]))


def hot_spots_by_region(viewer: object, category: str = "") -> list[RegionSpots]:
    """The viewer's hot spots of one category, the default region first; a region nobody here may see anything of is left out."""
    found = (
        HotSpot.objects.current()
        .visible_to(viewer)
        .filter(category=category)
        .select_related("run", "region", "governorate", "area")
        .defer("hull", "governorate__boundary", "area__boundary")
        .order_by("-region__is_default", "region__code", "rank")
    )
    rows = list(found)
    names = {
        kind.code: kind.name for kind in IncidentType.objects.filter(code__in={code for row in rows for code, _n in row.leading_types})
    }
    steps = ramp_steps([row.density_per_km2 for row in rows])
    by_region: dict[int, list[Spot]] = {}
    for row, step in zip(rows, steps, strict=True):
        types = [(names.get(code, code), count) for code, count in row.leading_types]
        by_region.setdefault(row.region_id, []).append(Spot(row, row.area or row.governorate, step, types))
    answer = []
    newest = _newest_steps()
    for region in Region.objects.filter(pk__in={*by_region, *_home_regions(viewer)}):
        spots = by_region.get(region.pk, [])
        step_row = newest.get(f"hotspots:{region.code}")
        run = spots[0].hot_spot.run if spots else (step_row.run if step_row else None)
        answer.append(RegionSpots(region, run, spots[:MAX_SPOTS], len(spots), step_row.counts if step_row else {}))
    return answer


def _home_regions(viewer: object) -> set[int]:
    """Regions worth an empty state: those of the viewer's governorates, or the default one."""
    places = jurisdiction_of(viewer).governorate_ids
    if places is None:
        return set(Region.objects.filter(is_default=True).values_list("pk", flat=True))
    return set(Zone.objects.filter(pk__in=sorted(places)).values_list("region", flat=True))


def _newest_steps() -> dict[str, PipelineStep]:
    """The newest finished hot-spot step of each region, by name."""
    steps = (
        PipelineStep.objects.filter(name__startswith="hotspots:", status=PipelineRun.Status.DONE)
        .select_related("run")
        .order_by("name", "-run__as_of")
        .distinct("name")
    )
    return {step.name: step for step in steps}
