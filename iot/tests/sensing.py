"""A small cast of devices: one profile of two metrics, a device in Salmiya with a key, one in Sharq of the same police."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iot.decoders.measurement import Measurement
from iot.models import (
    Anomaly,
    DeadReading,
    DetectorSetting,
    Device,
    DeviceGroup,
    DeviceNetwork,
    DeviceOutage,
    DeviceProfile,
    HeardMessage,
    LoraSession,
    Metric,
    PlateHour,
    ProfileFit,
    RuleFiring,
    TelemetryRule,
)
from iot.services import issue_device_key, register_device, send_command
from iot.services.partitions import keep_days_ready
from iot.services.writing import Known, Written, write
from iot.stream import Envelope, Said, Stream, microseconds
from iot.writer import Writer


@dataclass
class Sensors:
    """``air`` speaks every minute and measures temperature (-20 to 80) and humidity (0 to 100)."""

    air: DeviceProfile
    salmiya: Device
    sharq: Device
    key: str
    sharq_key: str
    now: datetime

    def ago(self, **span: float) -> datetime:
        return self.now - timedelta(**span)

    def said(
        self, *rows: tuple[str, float | None, datetime | None], device: Device | None = None, received: datetime | None = None
    ) -> Said:
        """An envelope as it comes off the stream."""
        return Said(
            (device or self.salmiya).pk, "http", microseconds(received or self.now),
            [(metric, value, None if at is None else microseconds(at)) for metric, value, at in rows], {},
        )  # fmt: skip

    def envelope(self, *rows: tuple[str, float, datetime | None], device: Device | None = None, **facts: Any) -> Envelope:
        return Envelope((device or self.salmiya).pk, "http", self.now, [Measurement(*row) for row in rows], facts)

    def write(self, envelopes: Iterable[Said]) -> Written:
        return write(list(envelopes), known=Known())


@pytest.fixture
def air(db: None) -> DeviceProfile:
    profile = DeviceProfile.objects.create(
        code="air", name_en="Air", name_ar="هواء", kind="environment", expected_every_s=60, keep_raw_days=14, most_per_min=120
    )
    Metric.objects.create(
        profile=profile, code="temperature", name_en="Temperature", name_ar="درجة الحرارة", unit="°C", least=-20, most=80,
        most_change_per_min=10,
    )  # fmt: skip
    Metric.objects.create(profile=profile, code="humidity", name_en="Humidity", name_ar="الرطوبة", unit="%", least=0, most=100)
    return profile


@pytest.fixture
def sensors(cast: Any, places: Any, air: DeviceProfile) -> Sensors:
    now = datetime.now(UTC)
    keep_days_ready(now=now)
    salmiya = register_device(code="AIR-1", profile=air, agency=cast.police, by=None, location=places.in_salmiya)
    sharq = register_device(code="AIR-2", profile=air, agency=cast.police, by=None, location=places.in_sharq)
    return Sensors(air, salmiya, sharq, issue_device_key(device=salmiya, by=None)[1], issue_device_key(device=sharq, by=None)[1], now)


@pytest.fixture
def drain(sensors: Sensors) -> Callable[[], Writer]:
    """Write what waits; answers the writer that did."""

    def run() -> Writer:
        writer = Writer(Stream())
        while writer.step(wait_ms=1):
            pass
        return writer

    return run


def rows_of_sensors(cast: Any, places: Any) -> Device:
    """A row in each table, for the walk through the command centre."""
    profile = DeviceProfile.objects.create(code="water", name_en="Water", name_ar="مياه", kind="water")
    Metric.objects.create(profile=profile, code="pressure", name_en="Pressure", name_ar="الضغط", unit="bar")
    group = DeviceGroup.objects.create(agency=cast.police, governorate=places.hawalli, code="mains", name_en="Mains", name_ar="الشبكة")
    device = register_device(
        code="W-1", profile=profile, agency=cast.police, by=None, location=places.in_salmiya, groups=[group], identities={"imei": "3" * 15}
    )
    issue_device_key(device=device, by=None)
    now = datetime.now(UTC)
    keep_days_ready(now=now)
    write([Said(device.pk, "http", microseconds(now), [("pressure", 3.2, None), ("depth", 1.0, None)], {})], known=Known())
    send_command(device=device, payload={"valve": "shut"}, by=None, cause="a leak")
    DeviceOutage.objects.create(device=device, began_at=now - timedelta(hours=1), noticed_at=now)
    rule = TelemetryRule.objects.create(
        agency=cast.police, name_en="Low", name_ar="منخفض", condition={"metric": "pressure", "below": 2}, actions=["anomaly"]
    )
    RuleFiring.objects.create(rule=rule, device=device, began_at=now, fired_at=now, facts={"values": {"pressure": 1.9}})
    DetectorSetting.objects.create(metric=device.profile.metrics.get(), detectors=["threshold"], low=2)
    Anomaly.objects.create(
        device=device, datastream=device.datastreams.get(), detector="threshold", severity=3, began_at=now, raised_at=now, last_at=now,
        score=1.2, evidence={"value": 1.9, "limit": 2, "side": "low", "unit": "bar"},
    )  # fmt: skip
    ProfileFit.objects.create(
        profile=profile, version=1, since=now - timedelta(days=28), until=now, state="too_little", why="few_devices", devices=1,
        facts={"have": 1, "needs": 10}, code_version="test",
    )  # fmt: skip
    assert DeadReading.objects.exists()
    DeviceNetwork.objects.create(agency=cast.police, name="ChirpStack", kind="chirpstack")
    LoraSession.objects.create(device=device, counter=7, rssi_dbm=-80, heard_at=now)
    HeardMessage.objects.create(network="twilio", message_id="SM1", at=now)
    PlateHour.objects.create(agency=cast.police, zone=places.salmiya, governorate=places.hawalli, hour=now, vehicles_distinct=12)
    return device
