"""What crowd, motion, smoke and camera streams say at a moment, from their roll-ups, beside what is usual there at that hour.

Only minutes that are over at that moment are read, so asking again later gives the same, unless readings came late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from types import MappingProxyType
from typing import Any

from django.db import connection

from iot.models import Datastream
from iot.models.profiles import DeviceKind

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
QUARTER = timedelta(minutes=15)
LOOK_BACK = DAY
USUAL_WEEKS, LEAST_WEEKS = 8, 4
USUAL_NIGHTS, LEAST_NIGHTS = 28, 7
# Of the metrics of a device, the first that is there says how many people there are, and how much moves.
CROWD_METRICS = ("density", "people", "occupancy", "person_in_view", "objects_in_view")
CROWD_KINDS = frozenset({DeviceKind.CROWD, DeviceKind.CAMERA})
# Metrics of motion: whether an hour's is the sum (things counted) or the mean (a strength), and what is little anywhere.
MOTION_METRICS = MappingProxyType({"motion_events": ("sum", 3.0), "motion_level": ("mean", 10.0), "motion": ("sum", 3.0)})
MOTION_KINDS = frozenset({DeviceKind.MOTION, DeviceKind.CAMERA})
# From which value on a detector of smoke or heat alarms, and what it counts: its own alarm twice. 57 °C: a fixed heat detector.
FIRE_METRICS = MappingProxyType({"smoke_alarm": (0.5, 2.0), "heat_alarm": (0.5, 2.0), "temperature": (57.0, 1.5), "smoke": (10.0, 1.0)})
# Of a camera: the values that say that it sees nothing.
BLIND_METRICS = MappingProxyType({"is_online": 0.0, "is_obscured": 1.0})


@dataclass(frozen=True)
class Level:
    """What a stream said in a stretch of time, and what is usual: ``None`` with too little history (``known`` of ``needs``)."""

    device_id: int
    stream_id: int
    metric: str
    start: datetime
    end: datetime
    value: float
    usual: float | None
    known: int
    needs: int

    @property
    def ratio(self) -> float | None:
        return None if self.usual is None or self.usual <= 0 else self.value / self.usual


@dataclass(frozen=True)
class Spell:
    """From when to when (``None``: it goes on) something was so, by the minutes of a stream."""

    device_id: int
    stream_id: int
    metric: str
    start: datetime
    end: datetime | None
    most: float


def chosen_streams(devices: Mapping[int, str], kinds: frozenset[Any], metrics: Iterable[str]) -> list[tuple[int, int, str]]:
    """Stream, device and metric: of each device of these kinds (``devices``: id to kind) the first metric it has of those named."""
    wanted = list(metrics)
    ids = [pk for pk, kind in devices.items() if kind in kinds]
    rows = Datastream.objects.filter(device__in=ids, metric__code__in=wanted).values_list("pk", "device_id", "metric__code")
    first: dict[int, tuple[int, int, str]] = {}
    for row in sorted(rows, key=lambda row: (row[1], wanted.index(row[2]))):
        first.setdefault(row[1], row)
    return sorted(first.values())


def crowds(devices: Mapping[int, str], at: datetime) -> list[Level]:
    """Each crowd stream's last quarter of an hour and the hours of the day before, beside the same hours of the weeks before."""
    streams = chosen_streams(devices, CROWD_KINDS, CROWD_METRICS)
    quarter = _floor(at, QUARTER)
    now_hour = _floor(at, HOUR)
    hours = [now_hour - HOUR * n for n in range(1, 25)]
    slots = [*hours, _floor(quarter - QUARTER, HOUR)]
    before = {slot: [slot - WEEK * n for n in range(1, USUAL_WEEKS + 1)] for slot in slots}
    known = _hours([row[0] for row in streams], {*hours, *(one for many in before.values() for one in many)})
    lately = _minutes([row[0] for row in streams], quarter - QUARTER, quarter)
    found = []
    for stream, device, metric in streams:
        mine = {hour: total / n for hour, (n, total) in known.get(stream, {}).items()}
        floor = 0.25 * sum(mine.values()) / len(mine) if mine else 0.0  # an hour that is empty as a rule makes no crowd of two people
        said = {(hour, hour + HOUR): mine[hour] for hour in hours if hour in mine}
        if stream in lately:
            n, total = lately[stream]
            said[quarter - QUARTER, quarter] = total / n
        for (start, end), value in said.items():
            past = [mine[one] for one in before[_floor(start, HOUR)] if one in mine]
            usual = max(median(past), floor) if len(past) >= LEAST_WEEKS else None
            found.append(Level(device, stream, metric, start, end, value, usual, len(past), LEAST_WEEKS))
    return found


def night_motion(devices: Mapping[int, str], at: datetime, nights: Sequence[int], offset: timedelta) -> list[Level]:
    """Each motion stream's hours of the last night (``nights``: hours of the local clock) that have begun, beside the nights before."""
    streams = chosen_streams(devices, MOTION_KINDS, MOTION_METRICS)
    now_hour = _floor(at, HOUR)
    last_day = [now_hour - HOUR * n for n in range(24)]
    hours = [hour for hour in last_day if (hour + offset).hour in nights]
    before = {hour: [hour - DAY * n for n in range(1, USUAL_NIGHTS + 1)] for hour in hours}
    ids = [row[0] for row in streams]
    known = _hours(ids, {hour for hour in hours if hour < now_hour} | {one for many in before.values() for one in many})
    running = _minutes(ids, now_hour, _floor(at, MINUTE)) if now_hour in hours else {}
    found = []
    for stream, device, metric in streams:
        is_sum = MOTION_METRICS[metric][0] == "sum"
        mine = {hour: total if is_sum else total / n for hour, (n, total) in known.get(stream, {}).items()}
        if stream in running:
            n, total = running[stream]
            mine[now_hour] = total if is_sum else total / n
        for hour in hours:
            if hour in mine:
                past = [mine[one] for one in before[hour] if one in mine]
                usual = median(past) if len(past) >= LEAST_NIGHTS else None
                end = min(hour + HOUR, _floor(at, MINUTE))
                found.append(Level(device, stream, metric, hour, end, mine[hour], usual, len(past), LEAST_NIGHTS))
    return found


def fires(devices: Mapping[int, str], at: datetime) -> list[Spell]:
    """Smoke and heat beyond their limits within the last day."""
    found = []
    for metric, (limit, _amount) in FIRE_METRICS.items():
        found += _spells(devices, frozenset({DeviceKind.SMOKE}), metric, at, _BEYOND, limit)
    return found


def blind(devices: Mapping[int, str], at: datetime) -> list[Spell]:
    """Cameras that said that they see nothing."""
    found = []
    for metric, value in BLIND_METRICS.items():
        found += _spells(devices, frozenset({DeviceKind.CAMERA}), metric, at, _ENDS_AT, value)
    return found


_BEYOND, _ENDS_AT = "max >= %s", "last = %s"
_WHICH = """
SELECT datastream_id FROM iot_rollup_1m
WHERE datastream_id = ANY(%s) AND at >= %s AND at < %s AND n > 0 AND {is_so} GROUP BY datastream_id
"""
_SAID = """
SELECT datastream_id, at, {is_so}, max FROM iot_rollup_1m
WHERE datastream_id = ANY(%s) AND at >= %s AND at < %s AND n > 0 ORDER BY datastream_id, at
"""


def _spells(devices: Mapping[int, str], kinds: frozenset[Any], metric: str, at: datetime, is_so: str, value: float) -> list[Spell]:
    """The newest unbroken run of minutes in which it was so, of each stream. Minutes are fetched of those alone in which it ever was."""
    owners = {stream: device for stream, device, _metric in chosen_streams(devices, kinds, [metric])}
    window = [at - LOOK_BACK, _floor(at, MINUTE)]
    found: dict[int, Spell] = {}
    was_so: set[int] = set()
    with connection.cursor() as cursor:
        cursor.execute(_WHICH.format(is_so=is_so), [sorted(owners), *window, value])
        ever = [stream for (stream,) in cursor.fetchall()]
        if ever:
            cursor.execute(_SAID.format(is_so=is_so), [value, ever, *window])
        for stream, minute, so, most in cursor if ever else ():
            if so and stream in was_so:
                found[stream] = replace(found[stream], most=max(found[stream].most, most))
            elif so:
                found[stream] = Spell(owners[stream], stream, metric, minute, None, most)
                was_so.add(stream)
            elif stream in was_so:
                found[stream] = replace(found[stream], end=minute)
                was_so.discard(stream)
    return list(found.values())


def _hours(streams: Sequence[int], hours: Iterable[datetime]) -> dict[int, dict[datetime, tuple[int, float]]]:
    """How many readings and their sum, of each stream in each of these hours."""
    found: dict[int, dict[datetime, tuple[int, float]]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datastream_id, at, n, sum FROM iot_rollup_1h WHERE datastream_id = ANY(%s) AND at = ANY(%s) AND n > 0",
            [list(streams), sorted(hours)],
        )
        for stream, at, n, total in cursor:
            found[stream][at] = (n, total)
    return found


def _minutes(streams: Sequence[int], start: datetime, end: datetime) -> dict[int, tuple[int, float]]:
    """The same of one stretch of minutes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datastream_id, sum(n), sum(sum) FROM iot_rollup_1m WHERE datastream_id = ANY(%s) AND at >= %s AND at < %s AND n > 0 "
            "GROUP BY 1",
            [list(streams), start, end],
        )
        return {stream: (int(n), float(total)) for stream, n, total in cursor}


def _floor(at: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)
