"""A rule on the last day's readings: how often it would have fired, where, and beside which curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from iot.models import Datastream, Device, TelemetryRule
from iot.rules.conditions import longest_s, metrics_of, parse
from iot.rules.machine import Machine, spans
from iot.services.rules.following import back_rows, where_of

DAY = timedelta(days=1)
MOST_DEVICES = 200
EACH = 5_000
SHOWN = 50


@dataclass(frozen=True)
class Held:
    """When a rule would have held for a device. ``fires``: and was not within the quiet time after the one before."""

    began_at: datetime
    ended_at: datetime | None
    values: dict[str, float]
    fires: bool


@dataclass(frozen=True)
class OfDevice:
    device: Device
    stream: Datastream
    held: Sequence[Held]

    @property
    def fired(self) -> int:
        return sum(one.fires for one in self.held)


@dataclass(frozen=True)
class Trial:
    since: datetime
    until: datetime
    devices: int  # that were looked at
    left_out: int  # that were too many
    readings: int
    found: Sequence[OfDevice]

    @property
    def fired(self) -> int:
        return sum(one.fired for one in self.found)


def try_rule(rule: TelemetryRule, *, now: datetime) -> Trial:
    """Run the rule as it is written over the last day; nothing follows from it. Raises ``Unreadable``."""
    condition = parse(rule.condition)
    rows = Datastream.objects.filter(
        device__agency=rule.agency_id, device__state=Device.State.ACTIVE, metric__code__in=metrics_of(condition)
    ).select_related("device__profile", "metric")
    if rule.governorate_id is not None:
        rows = rows.filter(device__governorate=rule.governorate_id)
    by_device: dict[int, list[Datastream]] = {}
    for stream in rows.order_by("device__code", "metric__code"):
        by_device.setdefault(stream.device_id, []).append(stream)
    chosen = list(by_device)[:MOST_DEVICES]
    since, zone, places = now - DAY, ZoneInfo(settings.TIME_ZONE), where_of(chosen)
    back = since - timedelta(seconds=min(longest_s(condition), 86_400))
    found, count = [], 0
    for device_id in chosen:
        streams = {stream.pk: stream for stream in by_device[device_id]}
        readings = back_rows(list(streams), back, now, EACH)
        count += len(readings)
        machine = Machine(condition, places[device_id], zone)
        said = ((at_s, streams[pk].metric.code, value) for pk, at_s, value in readings)
        held, quiet_until = [], 0.0
        for span in spans(machine, said, until_s=now.timestamp()):
            if span.ended_s is not None and span.ended_s < since.timestamp():
                continue
            fires = span.began_s >= quiet_until
            if fires:
                quiet_until = span.began_s + rule.cooldown_s
            ended = None if span.ended_s is None else datetime.fromtimestamp(span.ended_s, UTC)
            held.append(Held(datetime.fromtimestamp(span.began_s, UTC), ended, dict(span.values), fires))
        if held:
            found.append(OfDevice(by_device[device_id][0].device, by_device[device_id][0], held))
    found.sort(key=lambda one: -one.fired)
    return Trial(since, now, len(chosen), max(len(by_device) - MOST_DEVICES, 0), count, found[:SHOWN])
