"""What a device says in our own form, read: one reading, several of one instant, or a batch. Shape and time are judged here, so that the
sender hears at once what is wrong; what is true of the reading beside others is judged by the writer."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import redis
from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import DomainError, Invalid, NotFound
from core.limits import Rate, limiter
from iot.decoders.measurement import Measurement
from iot.doors import note
from iot.models import DeadReading, Device
from iot.services.dying import Dead, bury
from iot.services.senders import Sender
from iot.stream import Envelope, offer, stream_of

Why = DeadReading.Why
MOST_ROWS = 1_000
FACTS = ("battery_pct", "signal_dbm", "firmware")
_MILLISECONDS = 1e11  # a number of seconds beyond it would be in the year 5138: these are milliseconds
LIMITED = "limited"  # the count of what was more than a device's limit, in Redis until the sweep writes it down


class Wrong(models.TextChoices):
    """Why a reading was refused at the door. The values are part of the API."""

    NOT_AN_OBJECT = "not_an_object", gettext_lazy("A reading is a JSON object.")
    NO_METRIC = "no_metric", gettext_lazy("It names no metric.")
    UNKNOWN_METRIC = "unknown_metric", gettext_lazy("The device's profile has no such metric.")
    NOT_A_NUMBER = "not_a_number", gettext_lazy("Its value is no number.")
    NO_TIME = "no_time", gettext_lazy("Write a time with its offset, or seconds since 1970.")
    FUTURE = "future", gettext_lazy("This lies in the future: look at the device's clock.")
    TOO_OLD = "too_old", gettext_lazy("This is older than readings are kept.")


_COUNTED = {
    Wrong.UNKNOWN_METRIC: Why.UNKNOWN_METRIC,
    Wrong.NOT_A_NUMBER: Why.NOT_FINITE,
    Wrong.FUTURE: Why.FUTURE,
    Wrong.TOO_OLD: Why.TOO_OLD,
}


class TooMany(DomainError):
    status, code = 429, "too_many_requests"

    def __init__(self, wait_s: float) -> None:
        super().__init__(_("This device sends more than its profile allows."))
        self.retry_after_s = max(1, math.ceil(wait_s))


@dataclass
class Read:
    """``wrong`` are the rows that were refused, by their place."""

    measurements: list[Measurement] = field(default_factory=list)
    wrong: list[tuple[int, Wrong, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    rows: int = 0


def limit_of(sender: Sender) -> tuple[str, Rate]:
    """The bucket of a device, and how it is filled."""
    return f"iot:{sender.device_id}", Rate(sender.most_per_min, max(sender.most_per_min, MOST_ROWS))


def allow(sender: Sender, *, readings: int, door: str) -> None:
    """Count them against the device's own limit, or raise ``TooMany``. At least one full batch may come at once: a backlog is no flood."""
    bucket, rate = limit_of(sender)
    answer = limiter.take(bucket, rate, calls=readings)
    if not answer.allowed:
        note_many_limited({sender.device_id: readings}, door=door)
        raise TooMany(answer.wait_s)


def note_many_limited(readings: Mapping[int, int], *, door: str) -> None:
    """So many of each device were more than its limit. In Redis: a device that floods us makes no row a message."""
    with contextlib.suppress(redis.RedisError):  # they are refused all the same
        pipeline = stream_of().client.pipeline(transaction=False)
        for device_id, n in readings.items():
            pipeline.hincrby(f"{settings.IOT_STREAM_PREFIX}:{LIMITED}", str(device_id), n)
        pipeline.execute()
    note(stream_of().client, {door: sum(readings.values())}, "limited")


def take_in(body: Any, *, sender: Sender, door: str, now: datetime) -> Read:
    """Read the body and put it on the stream: durable when this returns. ``NotFound`` where it names another device."""
    read = read_body(body, sender=sender, now=now)
    if read.rows > MOST_ROWS:
        raise Invalid(_("Send 1 to %(limit)d readings.") % {"limit": MOST_ROWS})
    if read.rows > 1:
        allow(sender, readings=read.rows - 1, door=door)  # the door took one before it read the body
    if read.measurements or read.facts:
        offer([Envelope(sender.device_id, door, now, read.measurements, read.facts)])
    bury(dead_rows(read, sender, door, now))
    return read


def read_body(body: Any, *, sender: Sender, now: datetime) -> Read:
    read = Read()
    rows: Any = body
    if isinstance(body, Mapping):
        _same_device(body, sender)
        read.facts = {name: body[name] for name in FACTS if body.get(name) is not None}
        rows = body.get("readings", [] if read.facts and not body.keys() & {"metric", "values"} else [body])
    if not isinstance(rows, list):
        rows = [rows]
    read.rows = len(rows)
    oldest, latest = now - timedelta(days=sender.keep_raw_days), now + timedelta(seconds=settings.IOT_FUTURE_S)
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            read.wrong.append((place, Wrong.NOT_AN_OBJECT, row))
            continue
        _same_device(row, sender)
        at = _time_of(row.get("at"))
        if at is Wrong.NO_TIME:
            read.wrong.append((place, Wrong.NO_TIME, row))
        elif isinstance(at, datetime) and not oldest <= at <= latest:
            read.wrong.append((place, Wrong.TOO_OLD if at < oldest else Wrong.FUTURE, row))
        else:
            _take_values(read, place, row, at if isinstance(at, datetime) else None, sender.metrics)
    return read


def _take_values(read: Read, place: int, row: Mapping[str, Any], at: datetime | None, metrics: frozenset[str]) -> None:
    values: Any = row.get("values") if "values" in row else {row.get("metric"): row.get("value")}
    if not isinstance(values, Mapping) or not values:
        read.wrong.append((place, Wrong.NO_METRIC, row))
        return
    read.rows += len(values) - 1
    for metric, value in values.items():
        if metric not in metrics:
            read.wrong.append((place, Wrong.UNKNOWN_METRIC if isinstance(metric, str) and metric else Wrong.NO_METRIC, row))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            read.wrong.append((place, Wrong.NOT_A_NUMBER, row))
        else:
            read.measurements.append(Measurement(metric, float(value), at))


def _time_of(given: Any) -> datetime | Wrong | None:
    if given is None:
        return None
    try:
        if isinstance(given, str):
            at = datetime.fromisoformat(given)
            return at if at.tzinfo is not None else Wrong.NO_TIME
        if isinstance(given, int | float) and not isinstance(given, bool):
            return datetime.fromtimestamp(given / 1000 if given > _MILLISECONDS else given, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return Wrong.NO_TIME


def _same_device(row: Mapping[str, Any], sender: Sender) -> None:
    """A device speaks for itself. Whether another one exists is nobody's business."""
    if row.get("device", sender.code) != sender.code:
        raise NotFound(_("There is no such device."))


def dead_rows(read: Read, sender: Sender, door: str, now: datetime) -> list[Dead]:
    """What was refused of it, to be counted."""
    counted: Counter[Why] = Counter(_COUNTED.get(wrong, Why.UNREADABLE) for _place, wrong, _row in read.wrong)
    newest = {_COUNTED.get(wrong, Why.UNREADABLE): row for _place, wrong, row in read.wrong}
    return [Dead(door, why, _as_bytes(newest[why]), now, sender.device_id, n=n) for why, n in counted.items()]


def _as_bytes(row: Any) -> bytes:
    try:
        return orjson.dumps(row)
    except TypeError:
        return repr(row).encode()


def note_unreadable(raw: bytes, *, device_id: int | None, door: str, now: datetime, detail: str = "") -> None:
    """A payload no reading could be found in."""
    bury([Dead(door, Why.UNREADABLE, raw, now, device_id, detail=detail)])


def write_down_limited(*, now: datetime) -> int:
    """What was refused as too many since the last time becomes dead readings; how many."""
    client = stream_of().client
    name = f"{settings.IOT_STREAM_PREFIX}:{LIMITED}"
    taken = f"{name}:taken"
    if not client.exists(taken):
        if not client.exists(name):
            return 0
        client.renamenx(name, taken)
    counted: Any = client.hgetall(taken)
    known = _known_devices(int(device) for device in counted)
    bury(Dead("door", Why.TOO_MANY, b"", now, int(device), n=int(n)) for device, n in counted.items() if int(device) in known)
    client.delete(taken)
    return sum(int(n) for n in counted.values())


def _known_devices(ids: Iterable[int]) -> set[int]:
    return set(Device.objects.filter(pk__in=list(ids)).values_list("pk", flat=True))
