"""The rules beside the stream: one machine for each rule and device, fed by what is written, rebuilt from the rows at a start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import connection

from iot.analytics.batch import FloatArray, IntArray
from iot.models import Datastream, Device, RuleFiring, TelemetryRule
from iot.rules.conditions import Condition, Unreadable, longest_s, metrics_of, needs_time, parse
from iot.rules.fleet import Fleet, Key, Turn, by_stream
from iot.rules.machine import Machine, Where
from iot.services.rules.firing import end_firings, fire

MOST_MACHINES = 50_000
FRESH_S = 3_600.0
EACH = 2_000  # readings of a stream that a start looks back on, at the most
READ_ANYWAY = timedelta(minutes=10)  # whatever the mark says: a zone's code, a metric's

_BACK = """
SELECT s.id, extract(epoch FROM r.at)::float8, r.value FROM unnest(%s::int[], %s::timestamptz[]) AS s (id, after)
CROSS JOIN LATERAL (
    SELECT at, value FROM iot_reading WHERE datastream_id = s.id AND at > s.after AND at <= %s ORDER BY at DESC LIMIT %s
) r ORDER BY r.at
"""


# All that a refresh reads, in one figure a table: rules, devices as rules see them, their streams and groups.
_MARK = """
SELECT (SELECT md5(coalesce(string_agg(r::text, ',' ORDER BY r.id), '')) FROM iot_telemetryrule r WHERE r.is_active),
    (SELECT sum(hashtextextended(concat_ws('|', d.id, d.agency_id, d.state, coalesce(d.maintenance_until > %(now)s, false),
        d.location::text, 'g', d.governorate_id, 'a', d.area_id), 0)::numeric) FROM iot_device d
        WHERE d.agency_id IN (SELECT agency_id FROM iot_telemetryrule WHERE is_active)),
    (SELECT count(*) FROM iot_datastream), (SELECT max(id) FROM iot_datastream),
    (SELECT sum(hashtextextended(concat_ws('|', m.device_id, g.id, g.code), 0)::numeric) FROM iot_device_groups m
        JOIN iot_devicegroup g ON g.id = m.devicegroup_id)
"""


@dataclass
class Followed:
    """Every active rule for every device it speaks of. Not for two threads at once."""

    rules: dict[int, TelemetryRule] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    _mark: tuple[Any, ...] | None = None
    _read_at: datetime | None = None

    def refresh(self, *, now: datetime) -> bool:
        """Rules, devices and groups as they are by now; what changed begins anew, from the rows. Whether anything was read: where nothing
        has changed one question says so."""
        with connection.cursor() as cursor:
            cursor.execute(_MARK, {"now": now})
            mark = cursor.fetchone()
        if mark == self._mark and self._read_at is not None and now - self._read_at < READ_ANYWAY:
            return False
        self._read(now)
        self._mark, self._read_at = mark, now
        return True

    def _read(self, now: datetime) -> None:
        found = [(rule, parsed) for rule in TelemetryRule.objects.filter(is_active=True).order_by("pk") if (parsed := _parsed(rule))]
        wanted: dict[Key, Condition] = {}
        heard: list[tuple[int, Key, str]] = []
        for rule, condition in found:
            rows = Datastream.objects.filter(
                device__agency=rule.agency_id, device__state=Device.State.ACTIVE, metric__code__in=metrics_of(condition)
            ).exclude(device__maintenance_until__gt=now)
            if rule.governorate_id is not None:
                rows = rows.filter(device__governorate=rule.governorate_id)
            for pk, device_id, code in rows.order_by("device_id").values_list("pk", "device_id", "metric__code"):
                key = (rule.pk, device_id)
                if key not in wanted and len(wanted) >= MOST_MACHINES:
                    continue
                wanted[key] = condition
                heard.append((pk, key, code))
        places = where_of({device_id for _rule, device_id in wanted})
        read_now = {rule.pk: rule.condition for rule, _condition in found}
        changed = {pk for pk, rule in self.rules.items() if read_now.get(pk) != rule.condition}
        self.rules = {rule.pk: rule for rule, _condition in found}
        machines = self.fleet.machines
        for key in [key for key in machines if key not in wanted or key[0] in changed]:
            machines.pop(key)
            self.fleet.held.pop(key, None)
        fresh = {key for key in wanted if key not in machines}
        zone = ZoneInfo(settings.TIME_ZONE)
        for key in fresh:
            machines[key] = Machine(wanted[key], places[key[1]], zone)
        for key in set(wanted) - fresh:
            machines[key].where = places[key[1]]
        self.fleet.arrange(by_stream(heard))
        if fresh:
            self._look_back(fresh, heard, now)

    def _look_back(self, keys: set[Key], heard: Iterable[tuple[int, Key, str]], now: datetime) -> None:
        """A machine that is new knows what was said within its longest window; what holds and has a firing goes on."""
        ask: dict[int, float] = {}
        for pk, key, _code in heard:
            if key in keys:
                ask[pk] = max(ask.get(pk, 0.0), min(longest_s(self.fleet.machines[key].condition) * 2 + 600, 2 * 86_400))
        with connection.cursor() as cursor:
            cursor.execute(_BACK, [list(ask), [now - timedelta(seconds=back) for back in ask.values()], now, EACH])
            rows = cursor.fetchall()
        for firing in RuleFiring.objects.filter(ended_at=None, rule__in={rule for rule, _device in keys}):
            if (firing.rule_id, firing.device_id) in keys:
                self.fleet.held[firing.rule_id, firing.device_id] = firing.began_at.timestamp()
        if rows:
            stream_id, at_s, value = (np.array(column) for column in zip(*rows, strict=True))
            self._settle(self.fleet.take(stream_id, at_s, value, only=keys), now)

    def hear(self, stream_id: IntArray, at_s: FloatArray, value: FloatArray, *, now: datetime) -> int:
        """Feed these readings; fire and end what follows. Answers how many rules fired."""
        return self._settle(self.fleet.take(stream_id, at_s, value), now)

    def look(self, *, now: datetime) -> int:
        """Conditions about silence begin to hold without a reading."""
        now_s = now.timestamp()
        timed = {key: machine for key, machine in self.fleet.machines.items() if needs_time(machine.condition)}
        self.fleet.wake(timed)
        turned = [(key, machine.holds(now_s)) for key, machine in timed.items()]
        return self._settle({key: Turn(is_on, now_s, self.fleet.values(key)) for key, is_on in turned}, now)

    def _settle(self, ends: dict[Key, Turn], now: datetime) -> int:
        held = self.fleet.held
        began = [key for key, turn in ends.items() if turn.is_on and key not in held]
        over = [key for key, turn in ends.items() if not turn.is_on and key in held]
        fired = 0
        for key in began:
            rule, device_id, machine = self.rules[key[0]], key[1], self.fleet.machines[key]
            at_s = ends[key].at_s
            newest = max((at for at, _value in machine.last.values()), default=at_s)
            if now.timestamp() - max(newest, at_s) > FRESH_S and not needs_time(machine.condition):
                continue  # a backlog wakes nobody: it is looked at again with the next reading
            device = Device.objects.get(pk=device_id)
            fired += (
                fire(rule=rule, device=device, began_at=datetime.fromtimestamp(at_s, UTC), values=ends[key].values, now=now) is not None
            )
            held[key] = at_s
        if over:
            rows = RuleFiring.objects.filter(ended_at=None, rule__in={rule for rule, _device in over}).select_related("rule", "device")
            end_firings(firings=[row for row in rows if (row.rule_id, row.device_id) in set(over)], now=now)
            for key in over:
                held.pop(key, None)
        return fired


def _parsed(rule: TelemetryRule) -> Condition | None:
    try:
        return parse(rule.condition)
    except Unreadable:
        return None  # nobody can save one; a hand in the table can


def where_of(device_ids: Iterable[int]) -> dict[int, Where]:
    """The places of these devices, as conditions ask for them."""
    rows = Device.objects.filter(pk__in=set(device_ids)).select_related("area", "governorate")
    rows = rows.defer("area__boundary", "governorate__boundary").prefetch_related("groups")
    return {
        device.pk: Where(
            frozenset(zone.code for zone in (device.area, device.governorate) if zone is not None),
            frozenset(group.code for group in device.groups.all()),
            (device.location.x, device.location.y) if device.location is not None else None,
        )
        for device in rows
    }


def back_rows(streams: Sequence[int], since: datetime, until: datetime, most: int) -> list[tuple[int, float, float]]:
    """What these streams said, in order of time, at most so much of each."""
    with connection.cursor() as cursor:
        cursor.execute(_BACK, [list(streams), [since] * len(streams), until, most])
        return list(cursor.fetchall())
