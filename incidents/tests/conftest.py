"""Incidents in crowds, for what the analytics find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.contrib.gis.geos import Point

from geography.models import Region
from incidents.models import Incident

NIGHT = datetime(2026, 3, 10, 2, 0, tzinfo=UTC) - timedelta(hours=3)  # 02:00 in Kuwait


@pytest.fixture
def crowd(police_112, burglary, places, cast):
    """``crowd(lon, lat, n=…, days_ago=…)``: n incidents within some metres of a point, ending before NIGHT."""
    rng = np.random.default_rng(3)

    def make(lon, lat, *, n=15, days_ago=(1, 29), spread_m=50.0, before=NIGHT, **given):
        rows = []
        for _ in range(n):
            east, north = rng.normal(0, spread_m, 2)
            at = before - timedelta(days=float(rng.uniform(*days_ago)))
            point = Point(lon + east / (111_320 * np.cos(np.radians(lat))), lat + north / 110_574, srid=4326)
            is_west = point.x < 47.9
            details = {
                "region": places.region,
                "source": police_112,
                "agency": cast.police,
                "type": burglary,
                "priority": 2,
                "severity": 2,
                "origin": "reported",
                "location": point,
                "governorate": places.capital if is_west else places.hawalli,
                "area": places.sharq if is_west else places.salmiya,
                "occurred_at": at,
                "reported_at": at,
            }
            rows.append(Incident(**{**details, **given}))
        return Incident.objects.bulk_create(rows)

    return make


@pytest.fixture
def two_regions(crowd, places):
    crowd(47.92, 29.35)
    Region.objects.create(code="zz", name_en="Elsewhere", name_ar="هناك", time_zone="UTC", metric_srid=32638)
    return places
