"""The demo's devices: some hundred of every kind, a key each, a day of what they would have said. All of it made up and labelled so."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from django.conf import settings
from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone

from accounts.models import Agency
from core import audit
from demo.devices.device import FACTS_EVERY, Measured, SyntheticDevice
from demo.devices.faults import Fault, fault_of
from demo.services.doors import PROFILE_OF, Words, protocol_of
from deploy.local.layout import write_private
from geography.models import Region, Zone
from iot.models import Datastream, Device, DeviceCredential, DeviceGroup, DeviceProfile, Metric
from iot.services.credentials import new_key
from iot.services.standard_profiles import ensure_profiles
from iot.services.writing import Known, write
from iot.stream import Said

SEED = 20_261_122
DAY_S = 86_400
AT_ONCE_S = 1_800  # of the day's history, in one transaction
FAULTY = 0.05
CLOCK_OFF_S = {5: 8.0, 6: -45.0}  # of a hundred devices these are not on time
SILENT_SINCE_S = (4_000, 40_000)


class Fleet(NamedTuple):
    """So many devices of one profile, of one agency, and which of the profile's metrics they tell."""

    profile: str
    agency: str
    prefix: str
    size: int
    metrics: tuple[str, ...]
    is_behind_gateway: bool = False


FLEETS = (
    Fleet("gateway", "municipality", "GW", 6, ("is_online", "devices_heard")),
    Fleet("air", "municipality", "AIR", 50, ("temperature", "humidity", "pm2_5", "pm10", "noise")),
    Fleet("air_lora", "municipality", "AIRL", 24, ("temperature", "humidity"), is_behind_gateway=True),
    Fleet("water", "municipality", "WTR", 60, ("pressure", "flow")),
    Fleet("tank_sms", "municipality", "TNK", 10, ("level",)),
    Fleet("smoke", "fire", "SMK", 36, ("smoke", "carbon_monoxide", "temperature", "smoke_alarm")),
    Fleet("heat", "fire", "HEAT", 10, ("temperature", "heat_alarm")),
    Fleet("motion", "police", "MOT", 44, ("motion", "motion_events")),
    Fleet("crowd", "police", "CRD", 16, ("people", "density")),
    Fleet("camera", "police", "CAM", 34, ("is_online", "frame_rate", "person_in_view")),
    Fleet("plates", "traffic", "LPR", 10, ("vehicles_read", "vehicles_distinct")),
)
WITHOUT_BATTERY = frozenset({"gateway", "camera", "crowd", "plates"})


def keys_file() -> Path:
    return Path(settings.VAR_DIR) / "simulated-devices.json"


def known_keys() -> dict[str, str]:
    """The key of each simulated device by its code; those that are not in it never speak."""
    try:
        found: dict[str, str] = json.loads(keys_file().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def create_demo_devices(*, region: Region, now: datetime | None = None) -> int:
    """Make the demo's devices and a day of readings, once; returns how many devices were made."""
    if Device.objects.filter(is_synthetic=True).exists():
        return 0
    now = now or timezone.now()
    ensure_profiles()
    rng = random.Random(SEED)
    made: list[Device] = []
    with transaction.atomic():
        for fleet in FLEETS:
            made += _made(fleet, fleet.size, region=region, rng=rng, prefix=fleet.prefix)
        _spread_states(made, now)
        silent = {device.pk for device in made[7::34]}
        keys = _keys([device for device in made if device.state == Device.State.ACTIVE and device.pk not in silent])
        audit.record("demo.devices", after={"devices": len(made)})
        write_private(keys_file(), json.dumps(known_keys() | keys))
    tell_a_day(synthetic(keys=dict.fromkeys((device.code for device in made), "")), now=now, silent=silent)
    in_use = Device.objects.filter(is_synthetic=True, last_seen_at__isnull=False)
    in_use.update(status=Device.Status.ONLINE, status_since=now - timedelta(days=1))
    return len(made)


def add_devices(count: int, *, region: Region, profile: str = "") -> int:
    """More of them, of all kinds in turn or of one profile, for load; returns how many."""
    ensure_profiles()
    mix = [fleet for fleet in FLEETS if (fleet.profile == profile if profile else fleet.profile not in ("gateway", "tank_sms"))]
    first = Device.objects.filter(is_synthetic=True, code__startswith="SIM-").count()
    rng = random.Random(SEED + first)
    with transaction.atomic():
        made: list[Device] = []
        for place, fleet in enumerate(mix):
            share = count // len(mix) + (place < count % len(mix))
            made += _made(fleet, share, region=region, rng=rng, prefix="SIM", first=first + len(made), digits=5)
        keys = _keys(made)
        audit.record("demo.devices", after={"devices": len(made)})
        write_private(keys_file(), json.dumps(known_keys() | keys))
    return len(made)


def _made(fleet: Fleet, count: int, *, region: Region, rng: random.Random, prefix: str, first: int = 0, digits: int = 3) -> list[Device]:
    profile = DeviceProfile.objects.get(code=fleet.profile)
    agency = Agency.objects.get(slug=fleet.agency)
    gateways = list(Device.objects.filter(is_synthetic=True, agency=agency, profile__code="gateway")) if fleet.is_behind_gateway else []
    rows = []
    for number, (point, area) in zip(range(first + 1, first + count + 1), _places(region, rng), strict=False):
        rows.append(
            Device(
                code=f"{prefix}-{number:0{digits}}", profile=profile, agency=agency, location=point,
                area=area, governorate_id=area.parent_id,
                state=Device.State.ACTIVE, is_synthetic=True, gateway=rng.choice(gateways) if gateways else None,
            )
        )  # fmt: skip
    made = Device.objects.bulk_create(rows)
    metrics = Metric.objects.filter(profile=profile, code__in=fleet.metrics)
    Datastream.objects.bulk_create([Datastream(device=device, metric=metric) for device in made for metric in metrics])
    group, _ = DeviceGroup.objects.get_or_create(
        agency=agency, code=f"demo-{fleet.profile}".replace("_", "-"), defaults={"name_en": profile.name_en, "name_ar": profile.name_ar}
    )
    group.devices.add(*made)
    return made


def _places(region: Region, rng: random.Random) -> Iterator[tuple[Point, Zone]]:
    """Points inside areas, without end: towns, not islands."""
    areas = list(Zone.objects.level(Zone.Level.AREA).filter(region=region, parent__isnull=False).exclude(name_en__endswith="Island"))
    prepared = [area.boundary.prepared for area in areas]
    while True:
        place = rng.randrange(len(areas))
        middle = areas[place].label_point
        for _try in range(20):
            point = Point(round(rng.gauss(middle.x, 0.007), 6), round(rng.gauss(middle.y, 0.006), 6), srid=4326)
            if prepared[place].contains(point):
                yield point, areas[place]
                break


def _spread_states(made: Sequence[Device], now: datetime) -> None:
    """A few that wait, are suspended or in maintenance: a list in which all is well shows nothing."""
    for device in made[20::97]:
        device.state = Device.State.QUARANTINED
    for device in made[31::101]:
        device.state = Device.State.SUSPENDED
    for device in made[12::83]:
        device.maintenance_until = now + timedelta(days=2)
    Device.objects.bulk_update(made, ["state", "maintenance_until"])


def _keys(devices: Sequence[Device]) -> dict[str, str]:
    rows, keys = [], {}
    for device in devices:
        prefix, secret, digest = new_key()
        rows.append(DeviceCredential(device=device, kind=DeviceCredential.Kind.KEY, prefix=prefix, digest=digest))
        keys[device.code] = secret
    DeviceCredential.objects.bulk_create(rows)
    return keys


def synthetic(
    *,
    keys: dict[str, str],
    faults: Sequence[Fault] = tuple(Fault),
    share: float = FAULTY,
    protocol: str = "own",
    words: Words | None = None,
    has_broker: bool = True,
) -> list[SyntheticDevice]:
    """The devices of these codes, as those who let them speak need them. Only synthetic ones that are in use, and speak ``protocol``."""
    words = words or Words()
    metrics: dict[int, list[Measured]] = {}
    streams = Datastream.objects.filter(device__is_synthetic=True).order_by("device_id", "metric_id")
    for device_id, *facts in streams.values_list("device_id", "metric__code", "metric__least", "metric__most"):
        metrics.setdefault(device_id, []).append(Measured(*facts))
    rows = Device.objects.filter(is_synthetic=True, state=Device.State.ACTIVE, code__in=keys)
    if protocol in PROFILE_OF:
        rows = rows.filter(profile__code=PROFILE_OF[protocol])
    found = []
    named = (
        "pk",
        "code",
        "agency_id",
        "dev_eui",
        "msisdn",
        "profile__code",
        "profile__kind",
        "profile__expected_every_s",
        "gateway__dev_eui",
    )
    for row in rows.order_by("pk").values(*named):
        pk, kind, spoken = row["pk"], row["profile__kind"], protocol_of(row["profile__code"], protocol, has_broker=has_broker)
        if pk in metrics:
            found.append(
                SyntheticDevice(
                    pk=pk, code=row["code"], key=keys[row["code"]], every_s=row["profile__expected_every_s"], metrics=metrics[pk],
                    kind=kind, fault=fault_of(pk, faults, share), clock_off_s=CLOCK_OFF_S.get(pk % 100, 0.0),
                    has_battery=kind not in WITHOUT_BATTERY, protocol=spoken, word=words.of(row, spoken),
                    address=row["msisdn"] if spoken == "sms" else row["dev_eui"], heard_by=row["gateway__dev_eui"] or "",
                )
            )  # fmt: skip
    return found


def tell_a_day(devices: Sequence[SyntheticDevice], *, now: datetime, silent: set[int]) -> int:
    """What these would have said in the day before ``now``, by the writer's own way; returns how many readings were kept."""
    end = now.timestamp()
    rng = random.Random(SEED)
    until = {device.pk: end - (rng.randrange(*SILENT_SINCE_S) if device.pk in silent else 0) for device in devices}
    known, kept = Known(), 0
    for start in np.arange(end - DAY_S, end, AT_ONCE_S):
        said: list[Said] = []
        for device in devices:
            said += _said(device, float(start), min(float(start) + AT_ONCE_S, until[device.pk]))
        kept += write(said, known=known).kept
    return kept


def _said(device: SyntheticDevice, start: float, end: float) -> Iterator[Said]:
    phase = device.pk * 7_919 % device.every_s
    number = int((start - phase) // device.every_s) + 1
    at = np.arange(number * device.every_s + phase, end, device.every_s, dtype=np.float64)
    if not len(at):
        return
    values = device.readings(at)
    heard = device.is_heard(at)
    for place, second in enumerate(at.tolist()):
        if heard[place]:
            at_us = int((second + device.clock_off_s) * 1e6)
            facts = device.facts(second) if (number + place) % FACTS_EVERY == 0 else {}
            yield Said(
                device.pk,
                device.protocol,
                int((second + 0.3) * 1e6),
                [(code, float(told[place]), at_us) for code, told in values.items()],
                facts,
            )
