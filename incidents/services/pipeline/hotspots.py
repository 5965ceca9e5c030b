"""The hot spots of one region: over everything that may be modelled, and within each category."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.contrib.gis.db.models.functions import Transform
from django.contrib.gis.geos import GEOSGeometry, Point, Polygon
from django.db.models import F, FloatField, Func
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay
from numpy.typing import NDArray
from pyproj import Transformer

from geography.models import Region
from incidents.analytics.hotspots import Described, Events, find_hot_spots
from incidents.models import HotSpot, Incident, IncidentType
from incidents.services.pipeline.steps import Outcome, Task, newest_incident

NONE = 0  # no zone: no row has this id


@dataclass(frozen=True)
class _Window:
    """The incidents of one stretch of time, as columns."""

    events: Events
    category: NDArray[np.str_]
    governorate: NDArray[np.int64]
    area: NDArray[np.int64]
    is_synthetic: NDArray[np.bool_]


def hot_spots(task: Task) -> Outcome:
    """Find this region's hot spots in the window that ends at the run's moment.

    Clustering is descriptive, so today's incidents count up to the moment itself. Categories with fewer incidents in the
    window than make a hot spot are left out.
    """
    region, settings = task.region, task.parameters
    end = task.moment.instant_in(region)
    start = end - timedelta(days=settings.window_days)
    types = {t.pk: t for t in IncidentType.objects.all()}
    now, before = _load(region, start, end, types), _load(region, start - (end - start), start, types)
    task.beat()
    # Without incidents that old, "how many before?" has no answer.
    has_past = Incident.objects.modelled().filter(region=region, occurred_at__lt=start - (end - start)).exists()
    back = Transformer.from_crs(region.metric_srid, 4326, always_xy=True)
    rows: list[HotSpot] = []
    by_category: dict[str, int] = {}
    names, sizes = np.unique(now.category, return_counts=True)
    for category in ("", *(str(name) for name, size in zip(names, sizes, strict=True) if size >= settings.min_points)):
        mine = np.flatnonzero(now.category == category) if category else np.arange(len(now.events))
        theirs = before.category == category if category else np.ones(len(before.events), dtype=bool)
        found = find_hot_spots(
            now.events.where(mine),
            eps_m=settings.eps_m,
            min_points=settings.min_points,
            previous_xy_m=before.events.xy_m[theirs],
        )
        task.beat()
        for rank, spot in enumerate(found, start=1):
            members = mine[spot.members]
            row = HotSpot(
                category=category,
                rank=rank,
                governorate_id=_commonest(now.governorate[members]),
                area_id=_commonest(now.area[members]),
                previous_count=spot.previous_count if has_past else None,
                leading_types=[[types[kind].code, count] for kind, count in spot.leading_kinds],
                window_from=start,
                window_to=end,
                is_synthetic=bool(now.is_synthetic[members].any()),
                **_described(spot, back),
            )
            rows.append(row)
        by_category[category or "all"] = len(found)
    counts = {
        "incidents": len(now.events),
        "incidents_before": len(before.events),
        "hot_spots": len(rows),
        "by_category": by_category,
        "unreviewed_types": sum(not types[kind].is_reviewed for kind in now.events.kind.tolist()),
        "from": start.isoformat(),
        "to": end.isoformat(),
    }
    if not len(now.events):
        newest = newest_incident(region, before=end)
        counts["empty_because"] = "no incidents in the window" if newest else "no incidents yet"
        counts["newest_incident"] = newest.astimezone(region.zone_info).date().isoformat() if newest else None
    return Outcome(rows, counts)


def _load(region: Region, start: datetime, end: datetime, types: dict[int, IncidentType]) -> _Window:
    zone = region.zone_info
    metres = Transform("location", region.metric_srid)
    rows = (
        Incident.objects.modelled()
        .filter(region=region)
        .occurred_between(start, end)
        .order_by("id")
        .values_list(
            Func(metres, function="ST_X", output_field=FloatField()),
            Func(metres, function="ST_Y", output_field=FloatField()),
            F("severity"),
            F("type_id"),
            ExtractHour("occurred_at", tzinfo=zone),
            ExtractIsoWeekDay("occurred_at", tzinfo=zone),
            F("governorate_id"),
            F("area_id"),
            F("is_synthetic"),
        )
    )
    table = list(rows.iterator(chunk_size=20_000))
    column = list(zip(*table, strict=True)) if table else [()] * 9
    kind = np.array(column[3], dtype=np.int64)
    return _Window(
        events=Events(
            xy_m=np.stack([np.array(column[0], dtype=np.float64), np.array(column[1], dtype=np.float64)], axis=1),
            severity=np.array(column[2], dtype=np.int64),
            kind=kind,
            hour=np.array(column[4], dtype=np.int64),
            weekday=np.array(column[5], dtype=np.int64) - 1,
        ),
        category=np.array([types[k].category for k in kind.tolist()], dtype=np.str_),
        governorate=np.array([zone_id or NONE for zone_id in column[6]], dtype=np.int64),
        area=np.array([zone_id or NONE for zone_id in column[7]], dtype=np.int64),
        is_synthetic=np.array(column[8], dtype=bool),
    )


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
    }
