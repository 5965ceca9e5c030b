"""What could not be taken, counted: an hour, a door, a reason and a device make a row, however many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from iot.doors import note
from iot.models import DeadReading
from iot.services import statements as sql
from iot.stream import stream_of

MOST_RAW = 1_024


@dataclass(frozen=True, slots=True)
class Dead:
    """``raw`` is kept to its first kibibyte, and of a device nobody knows not at all. ``at`` gives it a row of its own: a second value,
    which stands nowhere else."""

    door: str
    why: str
    raw: bytes
    when: datetime
    device_id: int | None = None
    metric: str = ""
    at: datetime | None = None
    n: int = 1
    detail: str = ""


def bury(dead: Iterable[Dead]) -> None:
    """Count them, in the caller's transaction if there is one."""
    counted: dict[tuple[object, ...], Dead] = {}
    for row in dead:
        key = (row.when.replace(minute=0, second=0, microsecond=0), row.door, row.why, row.device_id, row.metric, row.at)
        before = counted.get(key)
        counted[key] = row if before is None else _one(row, before.n + row.n)
    if not counted:
        return
    rows = list(counted.values())
    columns: list[Any] = [
        [row.door[:12] for row in rows],
        [str(row.why) for row in rows],
        [row.device_id for row in rows],
        [row.metric for row in rows],
        [row.at for row in rows],
        [row.n for row in rows],
        [_kept(row) for row in rows],
        [row.detail[:200].replace("\0", "") for row in rows],
        [row.when for row in rows],
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.BURY, columns)
        refused: Counter[str] = Counter()
        for row in rows:
            refused[row.door] += row.n
        transaction.on_commit(lambda: note(stream_of().client, refused, "refused"), robust=True)


def _kept(row: Dead) -> bytes:
    """What a stranger sends may be anything, a number plate as well. What broke the writer was judged at a door: it holds numbers alone."""
    is_ours = row.device_id is not None or row.why == DeadReading.Why.BROKE_WRITER
    return row.raw[:MOST_RAW] if is_ours else b""


def _one(row: Dead, n: int) -> Dead:
    return Dead(row.door, row.why, row.raw, row.when, row.device_id, row.metric, row.at, n, row.detail)


def forget_old_dead(*, now: datetime) -> int:
    return DeadReading.objects.filter(last_at__lt=now - timedelta(days=settings.IOT_DEAD_KEEP_DAYS)).delete()[0]
