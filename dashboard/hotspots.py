"""What the hot-spot pages say: each place beside why it is called hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone
from django.utils.dates import WEEKDAYS

from accounts.jurisdiction import jurisdiction_of
from dashboard.layers import ramp_steps, trend_of
from geography.models import Region, Zone
from incidents.models import HotSpot, IncidentType, PipelineRun, PipelineStep

MAX_SPOTS = 100
MAX_SIGHTINGS = 120
STALE_AFTER = timedelta(hours=36)


@dataclass(frozen=True)
class Spot:
    """One hot spot in words and figures."""

    hot_spot: HotSpot
    place: Zone | None
    step: int
    types: list[tuple[str, int]]

    @property
    def trend(self) -> str:
        """``unknown`` where the past is too short to say."""
        return trend_of(self.hot_spot.rate_ratio_low, self.hot_spot.rate_ratio_high)

    @property
    def is_significant(self) -> bool | None:
        """More than its surroundings would bring by chance? ``None``: it was not judged."""
        q = self.hot_spot.q_value
        return None if q is None else q <= HotSpot.SIGNIFICANT_Q

    @property
    def q_percent(self) -> float | None:
        return None if self.hot_spot.q_value is None else 100 * self.hot_spot.q_value

    @property
    def peak_hours(self) -> str:
        """The busiest three hours; the row holds their middle."""
        hour = self.hot_spot.peak_hour
        return "" if hour is None else f"{(hour - 1) % 24:02d}:00–{(hour + 2) % 24:02d}:00"

    @property
    def peak_weekday(self) -> str:
        weekday = self.hot_spot.peak_weekday
        return "" if weekday is None else str(WEEKDAYS[weekday])

    @property
    def window_days(self) -> int:
        return max(1, round((self.hot_spot.window_to - self.hot_spot.window_from) / timedelta(days=1)))

    @property
    def windows(self) -> list[Window]:
        """This window and those before, oldest first, for a row of bars; a silent one has no count."""
        counts: list[int | None] = [self.hot_spot.incident_count, *self.hot_spot.previous_counts]
        length = self.hot_spot.window_to - self.hot_spot.window_from
        highest = max((count for count in counts if count is not None), default=0) or 1
        windows = [
            Window(self.hot_spot.window_from - length * back, count, round(BAR_HEIGHT * (count or 0) / highest, 1), is_now=back == 0)
            for back, count in enumerate(counts)
        ]
        return windows[::-1]


BAR_HEIGHT = 96.0


@dataclass(frozen=True)
class Window:
    first: datetime
    count: int | None
    height: float
    is_now: bool

    @property
    def top(self) -> float:
        return BAR_HEIGHT - self.height

    @property
    def label_y(self) -> float:
        return self.top - 5


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
        return self.spots[0].window_days if self.spots else self.parameters.get("window_days")

    @property
    def newest_incident(self) -> datetime | None:
        text = self.counts.get("newest_incident")
        return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Dossier:
    """One hot spot with the story of its track: ``sightings`` are newest first; what merged into it, what split from it."""

    spot: Spot
    sightings: list[HotSpot]
    merged: list[HotSpot]
    split_off: list[HotSpot]
    merged_into: HotSpot | None
    split_from: HotSpot | None

    @property
    def region(self) -> Region:
        return self.spot.hot_spot.region

    @property
    def is_stale(self) -> bool:
        return self.spot.hot_spot.is_current and self.spot.hot_spot.run.as_of < timezone.now() - STALE_AFTER


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
        .with_places()
        .defer("hull", "governorate__boundary", "area__boundary")
        .order_by("-region__is_default", "region__code", "rank")
    )
    spots = _in_words(list(found))
    by_region: dict[int, list[Spot]] = {}
    for spot in spots:
        by_region.setdefault(spot.hot_spot.region_id, []).append(spot)
    answer = []
    newest = _newest_steps(category)
    for region in Region.objects.filter(pk__in={*by_region, *_home_regions(viewer)}):
        here = by_region.get(region.pk, [])
        step_row = newest.get(region.code)
        run = here[0].hot_spot.run if here else (step_row.run if step_row else None)
        answer.append(RegionSpots(region, run, here[:MAX_SPOTS], len(here), step_row.counts if step_row else {}))
    return answer


def hot_spot_of(viewer: object, pk: int) -> Dossier | None:
    """One hot spot, of any run, where the viewer may see it; with what its track was before and what became of it."""
    rows = HotSpot.objects.shown().visible_to(viewer).with_places().defer("governorate__boundary", "area__boundary")
    hot_spot = rows.select_related("track").filter(pk=pk).first()
    if hot_spot is None:
        return None
    peers = rows.filter(run=hot_spot.run_id, category=hot_spot.category).values_list("pk", "density_per_km2")[:5_000]
    steps = dict(zip((peer for peer, _ in peers), ramp_steps([density for _, density in peers]), strict=True))
    spot = _in_words([hot_spot], steps)[0]
    track = hot_spot.track
    if track is None:
        return Dossier(spot, [], [], [], None, None)
    light = rows.defer("hull", "governorate__boundary", "area__boundary").order_by("-window_to", "-pk")
    last_of_each = light.order_by("track_id", "-window_to", "-pk").distinct("track_id")
    first_of_each = light.order_by("track_id", "window_to", "pk").distinct("track_id")
    return Dossier(
        spot,
        sightings=list(light.filter(track=track)[:MAX_SIGHTINGS]),
        merged=list(last_of_each.filter(track__merged_into=track)),
        split_off=list(first_of_each.filter(track__split_from=track)),
        merged_into=last_of_each.filter(track=track.merged_into_id).first() if track.merged_into_id else None,
        split_from=last_of_each.filter(track=track.split_from_id).first() if track.split_from_id else None,
    )


def _in_words(rows: Sequence[HotSpot], steps: dict[int, int] | None = None) -> list[Spot]:
    codes = {code for row in rows for code, _n in row.leading_types}
    names = {kind.code: kind.name for kind in IncidentType.objects.filter(code__in=codes)}
    if steps is None:
        steps = dict(zip((row.pk for row in rows), ramp_steps([row.density_per_km2 for row in rows]), strict=True))
    return [
        Spot(row, row.area or row.governorate, steps.get(row.pk, 1), [(names.get(code, code), count) for code, count in row.leading_types])
        for row in rows
    ]


def _home_regions(viewer: object) -> set[int]:
    """Regions worth an empty state: those of the viewer's governorates, or the default one."""
    places = jurisdiction_of(viewer).governorate_ids
    if places is None:
        return set(Region.objects.filter(is_default=True).values_list("pk", flat=True))
    return set(Zone.objects.filter(pk__in=sorted(places)).values_list("region", flat=True))


def _newest_steps(category: str) -> dict[str, PipelineStep]:
    """The newest finished hot-spot step of each region, by its code: that of the category, or else that of everything together."""
    steps = (
        PipelineStep.objects.filter(name__startswith="hotspots:", status=PipelineRun.Status.DONE)
        .select_related("run")
        .order_by("name", "-run__as_of")
        .distinct("name")
    )
    found: dict[str, PipelineStep] = {}
    for step in steps:
        _, region, *part = step.name.split(":")
        if part == ([category] if category else []) or (not part and region not in found):
            found[region] = step
    return found
