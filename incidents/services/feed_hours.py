"""What each source sent, hour by hour: counted anew from the rows of the last hours, so that counting twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Max

from incidents.analytics.feed_quality import TIMELY_MIN
from incidents.models import FeedHour

AGAIN_H = 3  # what commits late, within its own hour
BEGIN_D = 60  # where nothing has been counted yet
KEPT_D = 400
_LOCK = 0x4B48_4645_4544

# By when we received it. Where the source does not say when something was reported, our own clock stands in its place to the very
# microsecond: that tells nothing of how late it came, and is not counted. Alike: a pair with an earlier incident of the same source
# that nobody has told apart.
_REPORTS = """
INSERT INTO incidents_feedhour (source_id, hour, accepted, located, worded, unknown_type, alike, live, timely, counted_at)
SELECT r.source_id, date_trunc('hour', r.received_at, 'UTC'), count(*), count(i.location),
    count(*) FILTER (WHERE i.description <> '' OR i.address <> '' OR i.address_block <> '' OR i.address_street <> ''),
    count(*) FILTER (WHERE NOT t.is_reviewed),
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM incidents_duplicatecandidate d JOIN incidents_incident o ON o.id = d.first_id
        WHERE d.second_id = i.id AND d.state IN ('waiting', 'merged') AND o.source_id = r.source_id)),
    count(*) FILTER (WHERE r.import_run_id IS NULL AND i.reported_at <> i.received_at),
    count(*) FILTER (WHERE r.import_run_id IS NULL AND i.reported_at <> i.received_at AND r.received_at <= i.reported_at + %(timely)s),
    %(now)s
FROM incidents_report r JOIN incidents_incident i ON i.id = r.incident_id JOIN incidents_incidenttype t ON t.id = i.type_id
WHERE r.received_at >= %(since)s
GROUP BY 1, 2
ON CONFLICT (source_id, hour) DO UPDATE SET
    accepted = excluded.accepted, located = excluded.located, worded = excluded.worded, unknown_type = excluded.unknown_type,
    alike = excluded.alike, live = excluded.live, timely = excluded.timely, counted_at = excluded.counted_at
"""
# A row of a file counts as refused in the hour it came, whatever somebody made of it since.
_ROWS = """
INSERT INTO incidents_feedhour (source_id, hour, refused_rows, outside_rows, counted_at)
SELECT source_id, date_trunc('hour', created_at, 'UTC'), count(*),
    count(*) FILTER (WHERE errors @> '[{"code": "out_of_area"}]'), %(now)s
FROM incidents_rejectedrow WHERE created_at >= %(since)s
GROUP BY 1, 2
ON CONFLICT (source_id, hour) DO UPDATE SET
    refused_rows = excluded.refused_rows, outside_rows = excluded.outside_rows, counted_at = excluded.counted_at
"""
_NOTHING = """
UPDATE incidents_feedhour SET accepted = 0, located = 0, worded = 0, unknown_type = 0, alike = 0, live = 0, timely = 0,
    refused_rows = 0, outside_rows = 0
WHERE hour >= %(since)s
"""
_MESSAGES = """
INSERT INTO incidents_feedhour (source_id, hour, refused_messages, outside_messages, repeats, notices, counted_at)
SELECT * FROM unnest(%(sources)s::bigint[], %(hours)s::timestamptz[], %(refused)s::int[], %(outside)s::int[], %(repeats)s::int[],
        %(notices)s::int[]),
    (VALUES (%(now)s::timestamptz)) AS counted (at)
ON CONFLICT (source_id, hour) DO UPDATE SET
    refused_messages = excluded.refused_messages, outside_messages = excluded.outside_messages, repeats = excluded.repeats,
    notices = excluded.notices, counted_at = excluded.counted_at
"""


class Heard(NamedTuple):
    """What the inbox knows of one source's hour and the incidents do not."""

    source_id: int
    hour: datetime
    refused: int
    outside: int
    repeats: int
    notices: int


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def count_since(now: datetime, *, hours: int = AGAIN_H) -> datetime:
    """Where counting begins: some hours back, or further where counting has stood still."""
    last = FeedHour.objects.aggregate(last=Max("hour"))["last"]
    if last is None:
        return hour_of(now - timedelta(days=BEGIN_D))
    return max(hour_of(min(now - timedelta(hours=hours), last)), hour_of(now - timedelta(days=BEGIN_D)))


@transaction.atomic
def count_hours(*, since: datetime, now: datetime, heard: Iterable[Heard] = ()) -> None:
    """Count every source's hours from ``since`` (a whole hour) on. ``heard`` is all the inbox holds of the same hours.

    One counter at a time; a second waits and finds the same.
    """
    asked: dict[str, Any] = {"since": since, "now": now, "timely": timedelta(minutes=TIMELY_MIN)}
    messages = list(heard)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_NOTHING, asked)
        cursor.execute(_REPORTS, asked)
        cursor.execute(_ROWS, asked)
        FeedHour.objects.filter(hour__gte=since).update(refused_messages=0, outside_messages=0, repeats=0, notices=0)
        cursor.execute(_MESSAGES, {**_columns(messages), "now": now})
        FeedHour.objects.filter(hour__lt=now - timedelta(days=KEPT_D)).delete()


def _columns(rows: Sequence[Heard]) -> dict[str, Any]:
    return {
        "sources": [row.source_id for row in rows],
        "hours": [row.hour for row in rows],
        "refused": [row.refused for row in rows],
        "outside": [row.outside for row in rows],
        "repeats": [row.repeats for row in rows],
        "notices": [row.notices for row in rows],
    }
