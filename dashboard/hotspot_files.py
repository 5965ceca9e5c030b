"""Hot spots to take away: a table and a map file of what stands now, with every figure the page says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from django.contrib.gis.db.models.functions import AsGeoJSON

from incidents.models import HotSpot
from incidents.services.importing.rejects import guarded

MOST = 5_000
DECIMALS = 6
COLUMNS = (
    "id", "track", "change", "region", "category", "rank", "governorate", "area", "longitude", "latitude", "incidents", "area_km2",
    "incidents_per_km2", "severity_score", "previous_windows", "rate_ratio", "rate_ratio_low_95", "rate_ratio_high_95", "background_count",
    "q_value", "peak_hour", "peak_weekday_monday_0", "leading_types", "window_from", "window_to", "run", "synthetic",
)  # fmt: skip


def standing(viewer: object, category: str) -> Iterator[HotSpot]:
    rows = HotSpot.objects.current().visible_to(viewer).filter(category=category).with_places()
    rows = rows.annotate(outline=AsGeoJSON("hull", precision=DECIMALS)).defer("hull", "area__boundary", "governorate__boundary")
    return iter(rows[:MOST])


def as_csv(viewer: object, category: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for spot in standing(viewer, category):
        figures = _figures(spot)
        windows = " ".join("-" if count is None else str(count) for count in spot.previous_counts)
        types = " ".join(f"{code}:{count}" for code, count in spot.leading_types)
        figures |= {"previous_windows": windows, "leading_types": types}
        writer.writerow([_cell(figures[name]) for name in COLUMNS])
    return text.getvalue()


def as_geojson(viewer: object, category: str) -> bytes:
    features = [
        {"type": "Feature", "id": spot.pk, "geometry": orjson.Fragment(spot.outline), "properties": _figures(spot)}  # type: ignore[attr-defined]
        for spot in standing(viewer, category)
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": features})


def _figures(spot: HotSpot) -> dict[str, Any]:
    return {
        "id": spot.pk,
        "track": spot.track_id,
        "change": spot.change,
        "region": spot.region.code,
        "category": spot.category,
        "rank": spot.rank,
        "governorate": spot.governorate.name if spot.governorate else "",
        "area": spot.area.name if spot.area else "",
        "longitude": spot.centre.x,
        "latitude": spot.centre.y,
        "incidents": spot.incident_count,
        "area_km2": round(spot.area_km2, 4),
        "incidents_per_km2": round(spot.density_per_km2, 2),
        "severity_score": spot.severity_score,
        "previous_windows": spot.previous_counts,
        "rate_ratio": _rounded(spot.rate_ratio),
        "rate_ratio_low_95": _rounded(spot.rate_ratio_low),
        "rate_ratio_high_95": _rounded(spot.rate_ratio_high),
        "background_count": _rounded(spot.background_count),
        "q_value": _rounded(spot.q_value),
        "peak_hour": spot.peak_hour,
        "peak_weekday_monday_0": spot.peak_weekday,
        "leading_types": spot.leading_types,
        "window_from": spot.window_from.isoformat(),
        "window_to": spot.window_to.isoformat(),
        "run": spot.run_id,
        "synthetic": spot.is_synthetic,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _cell(value: Any) -> Any:
    return "" if value is None else guarded(value) if isinstance(value, str) else value
