"""Roll-ups from scratch: for mending, and the measure that the incremental ones are tested against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from iot.services.statements import BINS, GOOD


@transaction.atomic
def rebuild_rollups(*, datastream_ids: Sequence[int], start: datetime, end: datetime) -> None:
    """Make the roll-ups of these streams anew from the readings between ``start`` and ``end``, which lie on local midnights: what was
    dropped from the readings meanwhile would be missing, so ask for no more than is kept."""
    with connection.cursor() as cursor:
        for table, bin in BINS.items():
            cursor.execute(
                f"DELETE FROM {table} WHERE datastream_id = ANY(%(ids)s) AND at >= %(start)s AND at < %(end)s",  # noqa: S608
                {"ids": list(datastream_ids), "start": start, "end": end},
            )
            cursor.execute(
                f"""
                INSERT INTO {table} (datastream_id, at, n, min, max, sum, last, last_at, bad_n)
                SELECT datastream_id, {bin}, count(*) FILTER (WHERE {GOOD}), min(value) FILTER (WHERE {GOOD}),
                    max(value) FILTER (WHERE {GOOD}), coalesce(sum(value) FILTER (WHERE {GOOD}), 0),
                    (array_agg(value ORDER BY at DESC) FILTER (WHERE {GOOD}))[1], max(at) FILTER (WHERE {GOOD}),
                    count(*) FILTER (WHERE NOT ({GOOD}))
                FROM iot_reading WHERE datastream_id = ANY(%(ids)s) AND at >= %(start)s AND at < %(end)s GROUP BY 1, 2
                """,  # noqa: S608
                {"ids": list(datastream_ids), "start": start, "end": end, "zone": settings.TIME_ZONE},
            )
