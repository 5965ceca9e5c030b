"""The hot spots of one region: over everything that may be modelled, and within each category a part of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

import numpy as np
from django.contrib.gis.geos import GEOSGeometry, Point, Polygon
from django.db.models import Count, Min
from numpy.typing import NDArray
from pyproj import Transformer

from geography.models import Region
from incidents.analytics.hotspots import Described, Events, Found, Past, find_hot_spots
from incidents.models import HotSpot, Incident, IncidentType
from incidents.services.pipeline.loading import NONE, Points, load_points
from incidents.services.pipeline.steps import Outcome, Task, newest_incident
from incidents.services.trust.cards import model_card

PREVIOUS_WINDOWS = 6
LIMITS = ["reported_only", "not_people", "smooth_background", "outline_round_the_crowd", "boundaries", "late_reports"]


@dataclass(frozen=True)
class _Windows:
    """The window looked at, and how many equally long ones before it the region's data reach back for."""

    start: datetime
    end: datetime
    has_data: tuple[bool, ...]

    @classmethod
    def of(cls, task: Task) -> _Windows:
        end = task.moment.instant_in(task.region)
        length = timedelta(days=task.parameters.window_days)
        start = end - length
        usable = Incident.objects.modelled().filter(region=task.region)
        first = usable.aggregate(at=Min("occurred_at"))["at"]
        reach = min(PREVIOUS_WINDOWS, (start - first) // length) if first is not None and first < start else 0
        has_data = tuple(usable.occurred_between(start - length * (k + 1), start - length * k).exists() for k in range(reach))
        return cls(start, end, has_data)

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def split(self, points: Points) -> tuple[Points, Past]:
        start_s = self.start.timestamp()
        before = points.at < start_s
        age = (start_s - points.at[before]) / self.length.total_seconds()
        # Counted back from the window's beginning, which belongs to the window itself.
        return points.where(~before), Past(points.xy_m[before], np.nextafter(age, 0), self.has_data)


def categories(task: Task) -> list[str]:
    """The parts: everything together (no name), and each category with enough incidents in the window to make a hot spot."""
    end = task.moment.instant_in(task.region)
    rows = Incident.objects.modelled().filter(region=task.region)
    rows = rows.occurred_between(end - timedelta(days=task.parameters.window_days), end)
    counted = rows.order_by().values_list("type__category").annotate(n=Count("pk"))
    return ["", *sorted(category for category, n in counted if category and n >= task.parameters.min_points)]


def hot_spots(task: Task) -> Outcome:
    """Find this region's hot spots, of ``task.part``'s category, in the window that ends at the run's moment.

    Clustering is descriptive, so today's incidents count up to the moment itself.
    """
    region, settings = task.region, task.parameters
    windows = _Windows.of(task)
    since = windows.start - windows.length * len(windows.has_data)
    points = load_points(region, since=since, until=windows.end, category=task.part)
    # A point no projection can place (NaN, beyond the pole) is counted, not clustered.
    placed = np.asarray(np.isfinite(points.xy_m).all(axis=1), dtype=bool)
    now, past = windows.split(points.where(placed))
    task.beat()
    types = {t.pk: t for t in IncidentType.objects.all()}
    # The same night gives the same answer, whoever computes it and however often.
    seed = crc32(f"{region.code}:{task.part}:{windows.end.isoformat()}".encode())
    found = find_hot_spots(
        Events(now.xy_m, now.severity, now.type_id, now.hour, now.weekday),
        eps_m=settings.eps_m,
        min_points=settings.min_points,
        past=past,
        rng=np.random.default_rng(seed),
        beat=task.beat,
    )
    rows = _rows(found, now, types, region, windows, task.part)
    counts: dict[str, object] = {
        "incidents": len(now),
        "incidents_before": len(past.age),
        "not_placeable": int((~placed).sum()),
        "windows_before": len(windows.has_data),
        "silent_windows": windows.has_data.count(False),
        "hot_spots": len(rows),
        "significant": sum(row.q_value is not None and row.q_value <= HotSpot.SIGNIFICANT_Q for row in rows),
        "draws": found.draws,
        "drawn_from_past": found.drawn_from_past,
        "seed": seed,
        "unreviewed_types": sum(not types[kind].is_reviewed for kind in now.type_id.tolist()),
        "from": windows.start.isoformat(),
        "to": windows.end.isoformat(),
    }
    if not len(now):
        newest = newest_incident(region, before=windows.end)
        counts["empty_because"] = "no incidents in the window" if newest else "no incidents yet"
        counts["newest_incident"] = newest.astimezone(region.zone_info).date().isoformat() if newest else None
    if task.part:
        return Outcome(rows, counts)
    card = model_card(
        model=HotSpot.MODEL,
        purpose="hot_spots",
        learnt_from=since,
        learnt_to=windows.end,
        incidents=len(now) + len(past.age),
        parameters={name: getattr(settings, name) for name in ("eps_m", "min_points", "window_days")},
        seed=seed,
        limits=LIMITS,
        is_synthetic=bool(now.is_synthetic.any()),
        training={name: counts[name] for name in ("windows_before", "silent_windows", "draws", "drawn_from_past")},
    )
    return Outcome([*rows, card], counts)


def _rows(found: Found, now: Points, types: dict[int, IncidentType], region: Region, windows: _Windows, category: str) -> list[HotSpot]:
    back = Transformer.from_crs(region.metric_srid, 4326, always_xy=True)
    return [
        HotSpot(
            category=category,
            rank=rank,
            governorate_id=_commonest(now.governorate_id[spot.members]),
            area_id=_commonest(now.area_id[spot.members]),
            previous_count=spot.previous_counts[0] if spot.previous_counts else None,
            previous_counts=list(spot.previous_counts),
            leading_types=[[types[kind].code, count] for kind, count in spot.leading_kinds],
            window_from=windows.start,
            window_to=windows.end,
            is_synthetic=bool(now.is_synthetic[spot.members].any()),
            **_described(spot, back),
        )
        for rank, spot in enumerate(found.spots, start=1)
    ]


def _commonest(zone_ids: NDArray[np.int64]) -> int | None:
    """The zone most members lie in; the lowest id of equals, ``None`` when none lies in any."""
    counts = Counter(zone_id for zone_id in zone_ids.tolist() if zone_id != NONE)
    return min(counts, key=lambda zone_id: (-counts[zone_id], zone_id)) if counts else None


def _described(spot: Described, back: Transformer) -> dict[str, object]:
    lon, lat = back.transform(spot.ring_m[:, 0], spot.ring_m[:, 1])
    ring = [(round(float(x), 6), round(float(y), 6)) for x, y in zip(lon, lat, strict=True)]
    ring[-1] = ring[0]
    hull: GEOSGeometry = Polygon(ring, srid=4326)
    if not hull.valid:  # rounding or simplifying has crossed two edges: the convex outline is always sound
        hull = hull.convex_hull
    x, y = back.transform(*spot.centre_m)
    return {
        "hull": hull,
        "centre": Point(round(float(x), 6), round(float(y), 6), srid=4326),
        "incident_count": spot.count,
        "area_km2": spot.area_km2,
        "density_per_km2": spot.density_per_km2,
        "severity_score": spot.severity_score,
        "peak_hour": spot.peak_hour,
        "peak_weekday": spot.peak_weekday,
        "rate_ratio": spot.standing.rate_ratio,
        "rate_ratio_low": spot.standing.rate_ratio_low,
        "rate_ratio_high": spot.standing.rate_ratio_high,
        "background_count": spot.standing.background_count,
        "q_value": spot.standing.q_value,
    }
