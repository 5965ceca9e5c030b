"""The rules beside the stream: one machine for each rule and device, fed by what is written, rebuilt from the rows at a start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import connection

from iot.analytics.batch import FloatArray, IntArray
from iot.models import Datastream, Device, RuleFiring, TelemetryRule
from iot.rules.conditions import Condition, Unreadable, longest_s, metrics_of, needs_time, parse
from iot.rules.machine import Machine, Where
from iot.services.rules.firing import end_firings, fire

MOST_MACHINES = 50_000
FRESH_S = 3_600.0
EACH = 2_000  # readings of a stream that a start looks back on, at the most
Key = tuple[int, int]  # rule, device

_BACK = """
SELECT s.id, extract(epoch FROM r.at)::float8, r.value FROM unnest(%s::int[], %s::timestamptz[]) AS s (id, after)
CROSS JOIN LATERAL (
    SELECT at, value FROM iot_reading WHERE datastream_id = s.id AND at > s.after AND at <= %s ORDER BY at DESC LIMIT %s
) r ORDER BY r.at
"""


@dataclass(frozen=True)
class Turn:
    """How a condition stands after some readings: since when, and the values it began with."""

    is_on: bool
    at_s: float
    values: dict[str, float]


@dataclass
class Followed:
    """Every active rule for every device it speaks of. Not for two threads at once."""

    rules: dict[int, TelemetryRule] = field(default_factory=dict)
    machines: dict[Key, Machine] = field(default_factory=dict)
    is_on: dict[Key, float] = field(default_factory=dict)  # since when it holds
    _of_stream: dict[int, list[tuple[Key, str]]] = field(default_factory=dict)

    def refresh(self, *, now: datetime) -> None:
        """Rules, devices and groups as they are by now; what changed begins anew, from the rows."""
        found = [(rule, parsed) for rule in TelemetryRule.objects.filter(is_active=True).order_by("pk") if (parsed := _parsed(rule))]
        wanted: dict[Key, tuple[TelemetryRule, Condition]] = {}
        streams: dict[int, list[tuple[Key, str]]] = defaultdict(list)
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
                wanted[key] = (rule, condition)
                streams[pk].append((key, code))
        devices = {device_id for _rule, device_id in wanted}
        places = where_of(devices)
        read_now = {rule.pk: rule.condition for rule, _condition in found}
        changed = {pk for pk, rule in self.rules.items() if read_now.get(pk) != rule.condition}
        self.rules = {rule.pk: rule for rule, _condition in found}
        self._of_stream = dict(streams)
        for key in [key for key in self.machines if key not in wanted or key[0] in changed]:
            self.machines.pop(key)
            self.is_on.pop(key, None)
        fresh = {key for key in wanted if key not in self.machines}
        zone = ZoneInfo(settings.TIME_ZONE)
        for key in fresh:
            self.machines[key] = Machine(wanted[key][1], places[key[1]], zone)
        for key in set(wanted) - fresh:
            self.machines[key].where = places[key[1]]
        if fresh:
            self._look_back(fresh, now)

    def _look_back(self, keys: set[Key], now: datetime) -> None:
        """A machine that is new knows what was said within its longest window; what holds and has a firing goes on."""
        ask: dict[int, float] = {}
        for pk, users in self._of_stream.items():
            spans = [longest_s(self.machines[key].condition) for key, _code in users if key in keys]
            if spans:
                ask[pk] = min(max(spans) * 2 + 600, 2 * 86_400)
        with connection.cursor() as cursor:
            cursor.execute(_BACK, [list(ask), [now - timedelta(seconds=back) for back in ask.values()], now, EACH])
            rows = cursor.fetchall()
        open_rows = RuleFiring.objects.filter(ended_at=None, rule__in={rule for rule, _device in keys})
        for firing in open_rows:
            if (firing.rule_id, firing.device_id) in keys:
                self.is_on[firing.rule_id, firing.device_id] = firing.began_at.timestamp()
        self._feed(rows, now, only=keys)

    def hear(self, stream_id: IntArray, at_s: FloatArray, value: FloatArray, *, now: datetime) -> int:
        """Feed these readings; fire and end what follows. Answers how many rules fired."""
        if not self._of_stream:
            return 0
        mine = np.isin(stream_id, np.fromiter(self._of_stream, np.int64))
        if not mine.any():
            return 0
        order = np.argsort(at_s[mine], kind="stable")
        rows = zip(stream_id[mine][order].tolist(), at_s[mine][order].tolist(), value[mine][order].tolist(), strict=True)
        return self._feed(rows, now)

    def look(self, *, now: datetime) -> int:
        """Conditions about silence begin to hold without a reading."""
        now_s = now.timestamp()
        turned = [(key, machine.holds(now_s)) for key, machine in self.machines.items() if needs_time(machine.condition)]
        return self._settle({key: Turn(is_on, now_s, self._values(key)) for key, is_on in turned}, now)

    def _values(self, key: Key) -> dict[str, float]:
        return {name: round(value, 6) for name, (_at, value) in self.machines[key].last.items()}

    def _feed(self, rows: Iterable[tuple[int, float, float]], now: datetime, *, only: set[Key] | None = None) -> int:
        ends: dict[Key, Turn] = {}
        for pk, at_s, value in rows:
            for key, code in self._of_stream.get(pk, ()):
                if only is not None and key not in only:
                    continue
                is_on = self.machines[key].take(code, at_s, value)
                before = ends.get(key)
                if not (before is not None and before.is_on and is_on):  # since when it holds, not when it was last looked at
                    ends[key] = Turn(is_on, at_s, self._values(key) if is_on else {})
        return self._settle(ends, now)

    def _settle(self, ends: dict[Key, Turn], now: datetime) -> int:
        began = [key for key, turn in ends.items() if turn.is_on and key not in self.is_on]
        over = [key for key, turn in ends.items() if not turn.is_on and key in self.is_on]
        fired = 0
        for key in began:
            rule, device_id = self.rules[key[0]], key[1]
            at_s = ends[key].at_s
            newest = max((at for at, _value in self.machines[key].last.values()), default=at_s)
            if now.timestamp() - max(newest, at_s) > FRESH_S and not needs_time(self.machines[key].condition):
                continue  # a backlog wakes nobody: it is looked at again with the next reading
            device = Device.objects.get(pk=device_id)
            fired += (
                fire(rule=rule, device=device, began_at=datetime.fromtimestamp(at_s, UTC), values=ends[key].values, now=now) is not None
            )
            self.is_on[key] = at_s
        if over:
            rows = RuleFiring.objects.filter(ended_at=None, rule__in={rule for rule, _device in over}).select_related("rule", "device")
            end_firings(firings=[row for row in rows if (row.rule_id, row.device_id) in set(over)], now=now)
            for key in over:
                self.is_on.pop(key, None)
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
