"""A stream's history in as many points as somebody can look at: from the readings, or the coarsest roll-up that tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from iot.models import Datastream, Reading
from iot.services.statements import GOOD

MOST_POINTS = 5_000
MOST_DAYS = 3_660
PAGE = 5_000
# Widths a person reads: seconds to weeks. The first that makes no more points than were asked for is taken.
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 7 * 86_400, 28 * 86_400)
TABLES = ((86_400, "iot_rollup_1d"), (3_600, "iot_rollup_1h"), (60, "iot_rollup_1m"))


class Point(NamedTuple):
    """What was said from ``at`` for one step. ``n`` is 0 where all of it is not believed."""

    at: datetime
    n: int
    min: float | None
    mean: float | None
    max: float | None
    last: float | None
    bad_n: int


class RawPoint(NamedTuple):
    at: datetime
    value: float
    quality: int


@dataclass(frozen=True)
class History:
    """``step_s`` 0: ``readings`` as they came. Else ``points``, each of so many seconds, from ``source``."""

    step_s: int
    source: str
    points: Sequence[Point]
    readings: Sequence[RawPoint]


def history(*, stream: Datastream, start: datetime, end: datetime, points: int) -> History:
    """From ``start`` to before ``end``. Readings where there are no more of them than ``points``."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    step_s = step_for(end - start, points)
    if step_s < 60:
        rows = Reading.objects.filter(datastream=stream, at__gte=start, at__lt=end).order_by("at")
        found = [RawPoint(*row) for row in rows.values_list("at", "value", "quality")[: points + 1]]
        if len(found) <= points:
            return History(0, "iot_reading", [], found)
    source = next((table for least_s, table in TABLES if step_s >= least_s), "iot_reading")
    with connection.cursor() as cursor:
        given: dict[str, Any] = {"id": stream.pk, "start": start, "end": end, "step": timedelta(seconds=step_s), "zone": settings.TIME_ZONE}
        cursor.execute(history_sql(source), given)
        return History(step_s, source, [Point(*row) for row in cursor.fetchall()], [])


def step_for(span: timedelta, points: int) -> int:
    wanted = span.total_seconds() / points
    return next((step for step in STEPS_S if step >= wanted), STEPS_S[-1])


# Steps are counted from a local midnight, so that a day is a day there.
_BIN = "date_bin(%(step)s, at, '2001-01-01'::timestamp AT TIME ZONE %(zone)s)"
_READINGS = f"""
SELECT {_BIN} AS bin, count(*) FILTER (WHERE {GOOD}), min(value) FILTER (WHERE {GOOD}), avg(value) FILTER (WHERE {GOOD}),
    max(value) FILTER (WHERE {GOOD}), (array_agg(value ORDER BY at DESC) FILTER (WHERE {GOOD}))[1], count(*) FILTER (WHERE NOT ({GOOD}))
FROM iot_reading WHERE datastream_id = %(id)s AND at >= %(start)s AND at < %(end)s GROUP BY bin ORDER BY bin
"""  # noqa: S608
# The stretch the window begins in belongs to it.
_ROLLUPS = f"""
SELECT {_BIN} AS bin, sum(n)::int, min(min), sum(sum) / nullif(sum(n), 0), max(max),
    (array_agg(last ORDER BY last_at DESC NULLS LAST))[1], sum(bad_n)::int
FROM {{table}} WHERE datastream_id = %(id)s AND at >= {_BIN.replace(", at,", ", %(start)s::timestamptz,")} AND at < %(end)s
GROUP BY bin ORDER BY bin
"""  # noqa: S608


def history_sql(source: str, *, many: bool = False) -> str:
    """The statement behind ``history``; with ``many``, of several streams (``%(ids)s``), whose ids come first."""
    statement = _READINGS if source == "iot_reading" else _ROLLUPS.format(table=source)
    if many:
        statement = statement.replace("SELECT ", "SELECT datastream_id, ", 1)
        statement = statement.replace("datastream_id = %(id)s", "datastream_id = ANY(%(ids)s)")
        statement = statement.replace("GROUP BY bin ORDER BY bin", "GROUP BY datastream_id, bin ORDER BY datastream_id, bin")
    return statement


def every_reading(*, streams: Sequence[Datastream], start: datetime, end: datetime) -> Iterator[list[dict[str, Any]]]:
    """All readings of these streams, some thousand at a time, one stream after the other: nothing is held between two pages."""
    for stream in streams:
        after = start - timedelta(microseconds=1)
        while True:
            with transaction.atomic():
                rows = Reading.objects.filter(datastream=stream, at__gt=after, at__lt=end).order_by("at")
                page = list(rows.values_list("at", "value", "quality", "received_at")[:PAGE])
            if page:
                metric, unit = stream.metric.code, stream.metric.unit
                yield [
                    {"metric": metric, "unit": unit, "at": at, "value": value, "quality": quality, "received_at": received_at}
                    for at, value, quality, received_at in page
                ]
                after = page[-1][0]
            if len(page) < PAGE:
                break
