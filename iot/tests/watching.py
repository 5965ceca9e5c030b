"""Made devices and what they said, hour by hour and minute by minute, on a Wednesday at noon in Kuwait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.gis.geos import Point

from accounts.models import Agency
from iot.models import CrowdResult, CrowdRun, Datastream, Device, DeviceProfile, Insight, Metric, RollupHour, RollupMinute
from iot.services import register_device
from iot.services.batteries import keep_levels
from iot.services.risk import score_zones


@dataclass
class Watch:
    at: datetime
    agency: Agency

    def device(self, code: str, kind: str, place: Point | None, *, agency: Agency | None = None, is_heard: bool = False) -> Device:
        profile, _made = DeviceProfile.objects.get_or_create(code=f"test_{kind}", defaults={"name_en": kind, "name_ar": kind, "kind": kind})
        device = register_device(code=code, profile=profile, agency=agency or self.agency, by=None, location=place)
        Device.objects.filter(pk=device.pk).update(registered_at=self.at - timedelta(days=400))
        if is_heard:
            self.heard(device)
        return device

    def heard(self, *devices: Device) -> None:
        Device.objects.filter(pk__in=[one.pk for one in devices]).update(last_seen_at=self.at + timedelta(days=200))

    def stream(self, device: Device, metric: str) -> Datastream:
        kind, _made = Metric.objects.get_or_create(profile=device.profile, code=metric, defaults={"name_en": metric, "name_ar": metric})
        return Datastream.objects.get_or_create(device=device, metric=kind)[0]

    def hours(self, device: Device, metric: str, values: Mapping[datetime, float]) -> None:
        self._roll(RollupHour, device, metric, values)

    def minutes(self, device: Device, metric: str, values: Mapping[datetime, float]) -> None:
        self._roll(RollupMinute, device, metric, values)

    def _roll(self, table: Any, device: Device, metric: str, values: Mapping[datetime, float]) -> None:
        stream = self.stream(device, metric)
        table.objects.bulk_create(
            [table(datastream=stream, at=at, n=1, min=v, max=v, sum=v, last=v, last_at=at) for at, v in values.items()],
            update_conflicts=True, unique_fields=["datastream", "at"], update_fields=["n", "min", "max", "sum", "last", "last_at"],
        )  # fmt: skip


@pytest.fixture
def watch(cast: Any, places: Any) -> Watch:
    RollupMinute.objects.all()._raw_delete("default")  # no flush empties it: Django does not manage it
    noon = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return Watch(noon - timedelta(days=(noon.weekday() - 2) % 7), cast.police)


def rows_of_places(device: Device) -> None:
    """A row in each table of what sensors say of places."""
    Device.objects.filter(pk=device.pk).update(battery_pct=12, status=Device.Status.OFFLINE)
    now = datetime.now(UTC)
    score_zones(now=now)
    keep_levels(now=now)
    run = CrowdRun.objects.create(
        at=now, since=now - timedelta(days=180), until=now, settings={}, looked_at=1, judged=0, found=0, seconds=0.1, code_version="test"
    )
    area, governorate = device.area, device.governorate
    assert area is not None and governorate is not None
    CrowdResult.objects.create(
        run=run, agency=device.agency, zone=area, governorate=governorate, verdict="too_little", why="few_weeks", after_crowds=1, other=2,
        hours_after=3, hours_other=4, expected=0.5, weeks=2, lag_h=2, sensors=1,
    )  # fmt: skip
    Insight.objects.create(
        agency=device.agency, governorate=governorate, zone=area, device=device, code="battery_ending", key=f"battery_ending:{device.pk}",
        weight=3, params={"days": 3.2, "level": 12}, first_at=now, last_at=now, expires_at=now + timedelta(days=2),
    )  # fmt: skip
