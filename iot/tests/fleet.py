"""A made fleet of one profile, a kilometre's tenth apart: its days have a shape, its weather wanders, its sensors err alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.gis.geos import Point
from django.db import connection

from iot.models import Anomaly, Datastream, DetectorSetting, Device, DeviceProfile, Metric, ProfileFit
from iot.services.anomalies import fit_profile, look_at_hours
from iot.services.anomalies.by_the_hour import Looked

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


@dataclass
class Fleet:
    """``mean`` and ``swing`` by device and hour, from ``start`` on; what is changed in them is written by ``tell``."""

    profile: DeviceProfile
    metric: Metric
    streams: list[Datastream]
    start: datetime
    mean: np.ndarray
    swing: np.ndarray
    now: datetime = NOW
    told: list[Looked] = field(default_factory=list)

    def at(self, when: datetime) -> int:
        return int((when - self.start).total_seconds()) // 3600

    def ago(self, hours: int) -> int:
        """The place of the hour that was over so many whole hours ago: 1 is the newest that is over."""
        return self.at(self.now) - hours

    def tell(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM iot_rollup_1h WHERE datastream_id = ANY(%s)", [[stream.pk for stream in self.streams]])
            columns = "datastream_id, at, n, min, max, sum, last, last_at, bad_n"
            with cursor.copy(f"COPY iot_rollup_1h ({columns}) FROM STDIN") as copy:
                hours = [self.start + timedelta(hours=n) for n in range(self.mean.shape[1])]
                for stream, means, swings in zip(self.streams, self.mean.tolist(), self.swing.tolist(), strict=True):
                    for at, mean, swing in zip(hours, means, swings, strict=True):
                        if mean == mean:
                            copy.write_row([stream.pk, at, 60, mean - swing / 2, mean + swing / 2, mean * 60, mean, at, 0])

    def fit(self) -> ProfileFit:
        return fit_profile(profile=self.profile, now=self.now)

    def look(self, *, later_h: int = 0) -> Looked:
        self.now += timedelta(hours=later_h)
        return look_at_hours(now=self.now)

    def open(self) -> list[Anomaly]:
        return list(Anomaly.objects.open().order_by("pk"))

    def asks(self, *detectors: str) -> DetectorSetting:
        return DetectorSetting.objects.update_or_create(metric=self.metric, defaults={"detectors": list(detectors)})[0]


def made_fleet(
    agency: Any, *, devices: int, days: int, after_days: int = 1, seed: int = 1, code: str = "haze", kind: str = "environment"
) -> Fleet:
    profile = DeviceProfile.objects.create(code=code, name_en="Haze", name_ar="غبار", kind=kind, expected_every_s=60)
    metric = Metric.objects.create(profile=profile, code="temperature", name_en="Temperature", name_ar="درجة الحرارة", unit="°C")
    rows = [
        Device(
            code=f"{code}-{n}", profile=profile, agency=agency, state="active", is_synthetic=True,
            location=Point(48.0 + 0.002 * (n % 15), 29.3 + 0.002 * (n // 15), srid=4326),
        )
        for n in range(devices)
    ]  # fmt: skip
    Device.objects.bulk_create(rows)
    streams = Datastream.objects.bulk_create([Datastream(device=row, metric=metric) for row in rows])
    midnight = NOW.replace(hour=0, minute=0)
    hours = (days + after_days) * 24
    rng = np.random.default_rng(seed)
    clock, noise = np.arange(hours) % 24, rng.uniform(0.3, 0.8, (devices, 1))
    error = rng.normal(0, 1, (devices, hours))
    for hour in range(1, hours):
        error[:, hour] = 0.6 * error[:, hour - 1] + 0.8 * error[:, hour]
    shape = rng.uniform(2, 5, (devices, 1)) * np.sin(2 * np.pi * (clock - 9) / 24)
    weather = np.cumsum(rng.normal(0, 0.3, hours))
    mean = rng.normal(25, 3, (devices, 1)) + shape + weather + noise * error
    swing = 2 * noise * np.abs(rng.normal(1, 0.3, (devices, hours)))
    return Fleet(profile, metric, streams, midnight - timedelta(days=days), mean, swing)


@pytest.fixture
def fleet(cast: Any) -> Fleet:
    """Forty devices, three weeks and a day of history; the metric asks for both detectors that look at hours."""
    made = made_fleet(cast.police, devices=40, days=22)
    made.asks("isolation", "neighbours")
    return made
