"""What a watcher that was away has missed, from the rows: the newest readings of each stream, and days for what learns from days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db import connection

from iot.analytics.batch import Batch, FloatArray, IntArray
from iot.analytics.drift import drift
from iot.models import Datastream
from iot.services.anomalies.watching import Heard, Watched

LATELY = timedelta(days=2)
EACH = 200  # newest readings of each stream: three windows of the detectors that look back farthest by readings
AT_ONCE = 500
DAYS = 60

# By the key, stream by stream: nothing else of a day's part is touched.
_NEWEST = """
SELECT s.id, extract(epoch FROM r.at)::float8, r.value
FROM unnest(%s::int[], %s::timestamptz[]) AS s (id, after)
CROSS JOIN LATERAL (
    SELECT at, value FROM iot_reading WHERE datastream_id = s.id AND at > s.after AND at <= %s ORDER BY at DESC LIMIT %s
) r ORDER BY s.id, r.at
"""
_DAYS = """
SELECT datastream_id, extract(epoch FROM at)::float8, sum / n FROM iot_rollup_1d
WHERE datastream_id = ANY(%s) AND at >= %s AND at < %s AND n > 0 ORDER BY datastream_id, at
"""


def catch_up(watched: Watched, *, now: datetime) -> Heard:
    """Bring every stream that spoke lately up to its newest reading. What stands at the end is raised; what came and went is not told."""
    done = Heard()
    streams = Datastream.objects.filter(last_at__gt=now - LATELY, device__state="active").order_by("-last_at")
    ids = list(streams.values_list("pk", flat=True)[: watched.most])
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        new = [pk for pk in some if pk not in watched.place]
        watched.learn(some, now=now)
        _learn_days(watched, [pk for pk in new if pk in watched.place], now)
        for stream_id, at_s, value in _newest(watched, [pk for pk in some if pk in watched.place], now):
            heard = watched.hear(stream_id, at_s, value, now=now, is_fresh=False)
            done.judged += heard.judged
            done.flagged += heard.flagged
    watched.settle(done, now=now)
    return done


def _newest(watched: Watched, ids: Sequence[int], now: datetime) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
    last = watched.states.gap.last_s[[watched.place[pk] for pk in ids]]
    after = [max(now - LATELY, datetime.fromtimestamp(at, now.tzinfo)) if np.isfinite(at) else now - LATELY for at in last.tolist()]
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [list(ids), after, now + timedelta(minutes=2), EACH])
        rows = cursor.fetchall()
    if rows:
        columns = list(zip(*rows, strict=True))
        yield np.array(columns[0], np.int64), np.array(columns[1], np.float64), np.array(columns[2], np.float64)


def _learn_days(watched: Watched, ids: Sequence[int], now: datetime) -> None:
    """The level and its deviation are learnt from the means of days, which are kept for good; each stands for the least a day needs."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [list(ids), now - timedelta(days=DAYS), now - LATELY - timedelta(days=1)])
        rows = cursor.fetchall()
    if not rows:
        return
    least = watched.tuning.chart.least
    series = np.repeat(np.array([watched.place[row[0]] for row in rows], np.int64), least)
    at_s = np.repeat(np.array([row[1] for row in rows]), least) + np.tile(np.arange(1, least + 1) * 3600.0, len(rows))
    values = np.repeat(np.array([row[2] for row in rows], np.float64), least)
    drift(Batch.of(series, at_s, values), watched.states.drift, watched.tuning.chart, floor=watched.tuning.floor, in_place=True)
