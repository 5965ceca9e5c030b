"""How many different vehicles passed by the hour, without anybody being able to say which.

A plate is hashed under the salt of the hour (``iot.decoders.lpr``). The salt is random and lives in memory alone: in a file of a memory
file system, so that the processes of one machine share it, and in no file where that is missing. When the hour is over it is gone, and
with it every way from a hash to a plate. Of the hashes only a sketch is kept (HyperLogLog, in Redis, two hours), which counts and does not
list; what goes into a place's sketch is hashed once more with the place, so that nobody can follow a vehicle from one sketch to another.
What stays is numbers: readings of the camera, and one row a zone and hour. See docs/decisions/0290.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import connection

from iot.decoders.lpr import Sighting
from iot.decoders.measurement import Measurement
from iot.models import Device, PlateHour, RollupHour

SALT_BYTES = 32
HOUR_S = 3_600
KEPT_S = 2 * HOUR_S
TIMEOUT_S = 0.5
VEHICLES_READ, VEHICLES_DISTINCT, OF_THE_HOUR = "vehicles_read", "vehicles_distinct", "vehicles_distinct_hour"

# A count never falls: Redis may have forgotten.
_KEEP = """
INSERT INTO iot_platehour AS kept (agency_id, zone_id, hour, vehicles_distinct, governorate_id)
SELECT new.*, CASE z.level WHEN 'governorate' THEN z.id ELSE z.parent_id END
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::int[]) AS new (agency_id, zone_id, hour, vehicles_distinct)
JOIN geography_zone z ON z.id = new.zone_id ORDER BY 1, 2, 3
ON CONFLICT (agency_id, zone_id, hour) DO UPDATE SET vehicles_distinct = excluded.vehicles_distinct, counted_at = now()
WHERE kept.vehicles_distinct < excluded.vehicles_distinct
"""

_held: dict[int, bytes] = {}  # the salt of this hour, and of no other


def hour_of(at: datetime) -> int:
    return int(at.timestamp()) // HOUR_S


def salt_at(now: datetime) -> bytes:
    """The salt of this hour."""
    hour = hour_of(now)
    salt = _held.get(hour)
    if salt is None:
        salt = _shared(hour) or secrets.token_bytes(SALT_BYTES)
        _held.clear()
        _held[hour] = salt
    return salt


def forget_salts(now: datetime) -> None:
    """Those of hours that are over. Each process forgets its own when the hour turns; this is for the files."""
    if hour_of(now) not in _held:
        _held.clear()
    folder = _folder()
    if folder is not None and folder.is_dir():
        for path in folder.iterdir():
            if path.name.partition(".")[0] != str(hour_of(now)):
                path.unlink(missing_ok=True)


def _folder() -> Path | None:
    """Of this installation, in memory. The name tells nothing of the secret it comes from."""
    if not settings.IOT_SALT_DIR or not Path(settings.IOT_SALT_DIR).is_dir():
        return None
    mark = hashlib.sha256(b"plates " + settings.SECRET_KEY.encode()).hexdigest()[:12]
    return Path(settings.IOT_SALT_DIR) / f"khareetaty-{os.geteuid()}-{mark}"


def _shared(hour: int) -> bytes | None:
    """The salt that the processes of this machine have in common; ``None`` where there is no place for it that is ours alone."""
    folder = _folder()
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        held = folder.lstat()
        if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.geteuid() or held.st_mode & 0o077:
            return None
        path, fresh = folder / str(hour), folder / f"{hour}.{secrets.token_hex(8)}"
        if not path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(secrets.token_bytes(SALT_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was first: its salt is the hour's
                os.link(fresh, path)
            fresh.unlink(missing_ok=True)
        salt = path.read_bytes()
    except OSError:
        return None
    return salt if len(salt) == SALT_BYTES else None


def measured(found: Iterable[Sighting], *, device_id: int, now: datetime) -> list[Measurement]:
    """Of one device's message: for each instant how many vehicles, and how many different ones; and how many different ones this hour."""
    by_instant: dict[datetime | None, list[Sighting]] = {}
    for one in found:
        by_instant.setdefault(one.at, []).append(one)
    answer: list[Measurement] = []
    for at, here in by_instant.items():
        answer.append(Measurement(VEHICLES_READ, float(len(here)), at))
        answer.append(Measurement(VEHICLES_DISTINCT, float(len({one.token for one in here})), at))
    # A message that comes late belongs to an hour whose salt may be gone: it counts as read, and no more.
    of_the_hour = [one for here in by_instant.values() for one in here if one.at is None or hour_of(one.at) == hour_of(now)]
    distinct = _sketched(device_id, [one.token for one in of_the_hour], now) if of_the_hour else None
    if distinct is not None:
        latest = max((one.at or now for one in of_the_hour), default=now)
        answer.append(Measurement(OF_THE_HOUR, float(distinct), latest))
    return answer


def _sketched(device_id: int, tokens: list[str], now: datetime) -> int | None:
    """Into the sketches of the camera, its area and its governorate; how many different ones the camera has had. ``None`` without Redis."""
    agency, *zones = Device.objects.values_list("agency_id", "area_id", "governorate_id").get(pk=device_id)
    hour = hour_of(now)
    places = [f"c{device_id}", *(f"{agency}-{zone}" for zone in zones if zone is not None)]
    pipe = _redis().pipeline(transaction=False)
    for place in places:
        pipe.pfadd(_key(hour, place), *(_blinded(token, place) for token in tokens))
        pipe.expire(_key(hour, place), KEPT_S)
    if places[1:]:
        pipe.sadd(_key(hour, "zones"), *places[1:])
        pipe.expire(_key(hour, "zones"), KEPT_S)
    pipe.pfcount(_key(hour, places[0]))
    try:
        return int(pipe.execute()[-1])
    except redis.RedisError:
        return None


def write_down_plates(*, now: datetime) -> int:
    """The counts of zones, of this hour and the one before, into their rows; how many."""
    client = _redis()
    columns: list[list[Any]] = [[], [], [], []]
    for hour in (hour_of(now) - 1, hour_of(now)):
        places: Any = client.smembers(_key(hour, "zones"))
        for place in (bytes(name).decode() for name in places):
            agency, zone = map(int, place.split("-"))
            count: Any = client.pfcount(_key(hour, place))
            row = (agency, zone, datetime.fromtimestamp(hour * HOUR_S, UTC), int(count))
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    if columns[0]:
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, columns)
    forget_salts(now)
    return len(columns[0])


@dataclass
class CameraHour:
    """What one camera read in the hour from ``hour`` on; ``None``: it did not tell that."""

    hour: datetime
    vehicles_read: int | None = None
    vehicles_distinct: int | None = None


def hours_of(device: Device, *, since: datetime, until: datetime) -> list[CameraHour]:
    """The hours that begin from ``since`` to before ``until`` and in which the camera told something it is believed, oldest first."""
    rows = RollupHour.objects.filter(
        datastream__in=device.datastreams.filter(metric__code__in=(VEHICLES_READ, OF_THE_HOUR)), at__gte=since, at__lt=until, n__gt=0
    )
    found: dict[datetime, CameraHour] = {}
    for metric, at, total, most in rows.order_by("at").values_list("datastream__metric__code", "at", "sum", "max"):
        hour = found.setdefault(at, CameraHour(at))
        if metric == VEHICLES_READ:
            hour.vehicles_read = round(total)
        else:
            hour.vehicles_distinct = round(most)
    return list(found.values())


def forget_old_plates(*, now: datetime) -> int:
    return PlateHour.objects.filter(hour__lt=now - timedelta(days=settings.IOT_HOURS_KEEP_DAYS)).delete()[0]


def _blinded(token: str, place: str) -> bytes:
    return hashlib.blake2b(bytes.fromhex(token), key=place.encode(), digest_size=16).digest()


def _key(hour: int, place: str) -> str:
    return f"{settings.IOT_STREAM_PREFIX}:plates:{hour}:{place}"


def _redis() -> redis.Redis:
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
