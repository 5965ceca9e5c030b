"""Something at every address of the sensors: what a client that knows only the document asks for is there to be answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point

from iot.models import (
    CrowdResult,
    CrowdRun,
    Datastream,
    Device,
    DeviceCredential,
    DeviceNetwork,
    DeviceOutage,
    DeviceProfile,
    Insight,
    Metric,
    RollupHour,
)
from iot.services import issue_device_key, register_device
from iot.services.networks import issue_network_token
from iot.services.risk import score_zones
from iot.services.standard_profiles import ensure_profiles
from iot.services.writing import Known, write
from iot.stream import Said, microseconds

PARAMS: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "late_night_motion": lambda now: {"value": 90.0, "usual": 12.0},
    "camera_down": lambda now: {"since": now.isoformat(), "incidents": 14},
    "crowd_rising": lambda now: {"value": 300.0, "before": 200.0, "usual": 80.0},
    "group_away": lambda now: {"away": 4, "of": 6, "name": "Mains", "since": now.isoformat()},
    "battery_ending": lambda now: {"level": 12, "days": 3.2},
    "certificate_ending": lambda now: {"days": 9},
}


@dataclass(frozen=True)
class Askable:
    """``headers`` of those that speak: a device of each profile by the profile's code, and a network of each kind by its kind."""

    headers: dict[str, dict[str, str]]
    codes: list[str]
    group: str


def rows_to_ask(cast: Any, places: Any, water: Device) -> Askable:
    """Beside ``water`` with its rows: a device of each standard profile with a key, a day of hours and the readings of now, one of each of
    their kinds away, networks with tokens, a crowd judged, an insight of each kind, and a score of each zone."""
    now = datetime.now(UTC)
    ensure_profiles()
    headers, codes = {"water": _key_of(water)}, [water.code]
    group = water.groups.get()
    for number, profile in enumerate(DeviceProfile.objects.exclude(code="water").order_by("code")):
        place = Point(places.in_salmiya.x + number * 1e-4, places.in_salmiya.y, srid=4326)
        device = register_device(code=f"A-{number}", profile=profile, agency=cast.police, by=None, location=place, groups=[group])
        headers[profile.code] = _key_of(device)
        codes.append(device.code)
        _speak(device, now)
    away = Device.objects.get(profile__code="camera")
    DeviceOutage.objects.create(device=away, began_at=now - timedelta(hours=2), noticed_at=now - timedelta(hours=2))
    DeviceCredential.objects.create(device=away, kind="certificate", digest="0" * 64, serial="1f", not_after=now + timedelta(days=9))
    for kind in DeviceNetwork.Kind.values:
        network = DeviceNetwork.objects.create(
            agency=cast.police, governorate=places.hawalli, name=f"of {kind}", kind=kind, application="1",
            profile_for_strangers=DeviceProfile.objects.get(code="air_lora"),
        )  # fmt: skip
        headers[kind] = {"X-Network-Token": issue_network_token(network=network, by=None)}
    score_zones(now=now)
    _judged(away, places, now)
    for number, code in enumerate(Insight.Code.values):
        Insight.objects.create(
            agency=cast.police, governorate=places.hawalli, zone=places.salmiya, device=away, code=code, key=f"{code}:{number}", weight=2,
            params=PARAMS[code](now), evidence=[{"device": away.code}], first_at=now, last_at=now, expires_at=now + timedelta(days=2),
        )  # fmt: skip
    return Askable(headers, codes, group.code)


def _key_of(device: Device) -> dict[str, str]:
    return {"X-Device-Key": issue_device_key(device=device, by=None)[1]}


def _speak(device: Device, now: datetime) -> None:
    metrics = list(device.profile.metrics.all())
    write([Said(device.pk, "http", microseconds(now), [(metric.code, _value(metric), None) for metric in metrics], {})], known=Known())
    RollupHour.objects.bulk_create(
        (
            RollupHour(datastream=stream, at=at, n=4, min=1, max=2, sum=6, last=2, last_at=at)
            for stream in Datastream.objects.filter(device=device)
            for at in (now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hour) for hour in range(1, 25))
        ),
        ignore_conflicts=True,
    )


def _value(metric: Metric) -> float:
    return (metric.least or 0) + 1


def _judged(device: Device, places: Any, now: datetime) -> None:
    run = CrowdRun.objects.create(
        at=now, since=now - timedelta(days=180), until=now, settings={}, looked_at=1, judged=1, found=1, seconds=0.1, code_version="test"
    )
    CrowdResult.objects.create(
        run=run, agency=device.agency, zone=places.salmiya, governorate=places.hawalli, verdict="evidence", after_crowds=9, other=4,
        lag_h=2, hours_after=30, hours_other=400, expected=0.5, weeks=20, sensors=1, ratio=3.1, low=1.4, high=6.0, p=0.01, q=0.02,
    )  # fmt: skip
