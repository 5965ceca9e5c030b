"""The weeks before the demo's devices were put up: hours and days as they would have been summed. Made up, as the devices are.

A night's motion is held against 28 nights, a crowd against the same hour of eight weeks, incidents against the crowds of half a year: with
a day of readings alone every page would say that there is too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count
from django.utils import timezone
from numpy.typing import NDArray

from core import audit
from demo.devices.device import SyntheticDevice
from demo.devices.signals import UTC_OFFSET_S, Floats
from demo.services.devices import synthetic
from incidents.models import Incident
from iot.models import Datastream, Device, RollupHour
from iot.services.crowds import correlate_crowds
from iot.services.insights import look_for_insights
from iot.services.risk import score_zones
from iot.services.writing import SummedHours, add_hours

WEEKS, WEEKS_OF_CROWDS = 6, 26  # of everything, and of what counts people: incidents are few
SEED = 20_261_123
HOUR_S = 3_600
LOOKS, LOOKS_AT_MOTION = 4, 30  # instants of an hour at which a device is asked: what moves now and then is missed by few
AT_ONCE = 150  # devices in one transaction
CROWD = frozenset({"people", "density", "occupancy", "person_in_view"})
MOTION = frozenset({"motion", "motion_events"})
NIGHT = (2, 5)  # hours of Kuwait's clock
QUIETER = 2  # so many motion sensors stand where nights were quieter than the last one
QUIET = 0.2
CROWDED_AREAS = 2  # in so many, incidents follow crowds; elsewhere crowds come and go as they like
SWELLS, FOLLOWED = 2.4, 0.5  # how much larger a crowd is, and the share of those areas' incidents that one comes before
AT_RANDOM = 0.02  # of the hours elsewhere


def tell_weeks(*, now: datetime | None = None) -> int:
    """Give the demo's devices their weeks, once: returns how many hours were put in. After the incidents, which crowds come before."""
    now = now or timezone.now()
    end_s = (int(now.timestamp()) - 86_400) // HOUR_S * HOUR_S  # from there on they speak for themselves
    hours = np.arange(end_s - WEEKS_OF_CROWDS * 7 * 24 * HOUR_S, end_s, HOUR_S, dtype=np.int64)
    told = RollupHour.objects.filter(datastream__device__is_synthetic=True, at__lt=now - timedelta(days=3))
    codes = list(Device.objects.filter(is_synthetic=True, state=Device.State.ACTIVE).values_list("code", flat=True))
    if told.exists() or not codes:
        return 0
    devices = synthetic(keys=dict.fromkeys(codes, ""), faults=())
    streams = {(device, code): pk for pk, device, code in _streams(devices)}
    crowds = _crowds(devices, hours)
    quieter = _liveliest_at_night(devices, hours)
    kept = 0
    for start in range(0, len(devices), AT_ONCE):
        rows = [row for device in devices[start : start + AT_ONCE] for row in _hours(device, streams, hours, crowds, device.pk in quieter)]
        rows.sort(key=lambda row: int(row.stream_id[0]))
        kept += add_hours(SummedHours(*(np.concatenate([getattr(row, name) for row in rows]) for name in SummedHours.__dataclass_fields__)))
    first = datetime.fromtimestamp(int(hours[-WEEKS * 7 * 24]), now.tzinfo)
    Device.objects.filter(pk__in=[device.pk for device in devices], registered_at__gt=first).update(registered_at=first)
    audit.record("demo.weeks", after={"hours": kept, "weeks": WEEKS})
    return kept


def look_back(*, now: datetime | None = None) -> dict[str, int]:
    """What nights do with such weeks, at once: a first visitor finds the pages filled. Profiles are left to the night: they take longer."""
    now = now or timezone.now()
    crowds = correlate_crowds(now=now)
    scores = score_zones(now=now)
    insights, _over = look_for_insights(now=now, also_of_the_day=True)
    return {"crowds judged": crowds.judged, "with evidence": crowds.found, "scores": scores, "insights": insights}


def _liveliest_at_night(devices: Sequence[SyntheticDevice], hours: NDArray[np.int64]) -> set[int]:
    """Where the last night is going to stand out, once the nights before were quieter."""
    nights = hours[-7 * 24 :][_is_night(hours[-7 * 24 :])].astype(np.float64)
    told = {device.pk: device.readings(nights) for device in devices if device.kind == "motion"}
    level = {pk: max((float(values.mean()) for code, values in said.items() if code in MOTION), default=0.0) for pk, said in told.items()}
    return set(sorted(level, key=lambda pk: (-level[pk], pk))[:QUIETER])


def _is_night(hours: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin((hours + UTC_OFFSET_S) % 86_400 // HOUR_S, range(*NIGHT))


def _streams(devices: Sequence[SyntheticDevice]) -> list[tuple[int, int, str]]:
    rows = Datastream.objects.filter(device__in=[device.pk for device in devices])
    return list(rows.values_list("pk", "device_id", "metric__code"))


def _hours(
    device: SyntheticDevice, streams: dict[tuple[int, str], int], hours: NDArray[np.int64], crowds: dict[int, Floats], is_quieter: bool
) -> list[SummedHours]:
    """Each metric's hours: what the device would have said at some instants of each, taken for all it said."""
    found: list[SummedHours] = []
    said: dict[tuple[int, int], dict[str, Floats]] = {}
    for metric in device.metrics:
        is_crowd = metric.code in CROWD and device.pk in crowds
        mine = hours if is_crowd else hours[-WEEKS * 7 * 24 :]
        looks = LOOKS_AT_MOTION if metric.code in MOTION else LOOKS
        step, n = HOUR_S // looks, max(HOUR_S // device.every_s, 1)
        if (len(mine), looks) not in said:
            said[len(mine), looks] = device.readings((mine[:, None] + np.arange(looks) * step).ravel().astype(np.float64))
        told = said[len(mine), looks][metric.code].reshape(-1, looks)
        if is_crowd:
            told = _within(told * crowds[device.pk][:, None], metric.most)
        if metric.code in MOTION and is_quieter:
            told = np.where(_is_night(mine)[:, None], told * QUIET, told)
        stream, size = np.full(len(mine), streams[device.pk, metric.code], np.int64), np.full(len(mine), n, np.int64)
        last_at = mine + (looks - 1) * step
        found.append(SummedHours(stream, mine, size, told.min(1), told.max(1), told.mean(1) * n, told[:, -1].copy(), last_at))
    return found


def _within(values: Floats, most: float | None) -> Floats:
    return np.round(values if most is None else np.minimum(values, most), 3)


def _crowds(devices: Sequence[SyntheticDevice], hours: NDArray[np.int64]) -> dict[int, Floats]:
    """By device, how many times its usual crowd there is in each hour. In the areas with most incidents a crowd comes before most of them;
    in the others as many come at any hour."""
    tells = [device.pk for device in devices if any(metric.code in CROWD for metric in device.metrics)]
    places = dict(Device.objects.filter(pk__in=tells, area__isnull=False).values_list("pk", "area_id"))
    agencies = set(Device.objects.filter(pk__in=tells).values_list("agency_id", flat=True))
    since, until = (datetime.fromtimestamp(int(at), timezone.get_default_timezone()) for at in (hours[0], hours[-1]))
    found = Incident.objects.modelled().occurred_between(since, until).filter(area__in=set(places.values()), agency__in=agencies)
    busiest = [row["area"] for row in found.values("area").annotate(size=Count("pk")).order_by("-size", "area")[:CROWDED_AREAS]]
    first, rng = int(hours[0]) // HOUR_S, np.random.default_rng(SEED)
    of_area: dict[int, Floats] = {}
    for area in sorted(set(places.values())):
        factor = np.exp(rng.normal(0, 0.08, len(hours)))
        if area in busiest:
            told = np.array([int(at.timestamp()) for at in found.filter(area=area).values_list("occurred_at", flat=True)], np.int64)
            before = told // HOUR_S - first - 1
            swells = before[(before >= 0) & (rng.random(len(before)) < FOLLOWED)]
        else:
            swells = np.flatnonzero(rng.random(len(hours)) < AT_RANDOM)
        factor[swells] *= SWELLS
        of_area[area] = factor
    return {pk: of_area[area] for pk, area in places.items()}
