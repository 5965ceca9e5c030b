"""The writer's statements. Each touches its rows in the order of their keys, so that two writers never wait for each other in a ring."""

from __future__ import annotations

from iot.quality import BAD

GOOD = f"quality & {int(BAD)} = 0"
# Days are those of ``TIME_ZONE`` (%(zone)s): a day's sum is a day's where the device is.
BINS = {
    "iot_rollup_1m": "date_bin('1 minute', at, 'epoch')",
    "iot_rollup_1h": "date_trunc('hour', at, %(zone)s)",
    "iot_rollup_1d": "date_trunc('day', at, %(zone)s)",
}
STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS iot_staging (
    datastream_id integer NOT NULL, at_us bigint NOT NULL, value float8 NOT NULL, quality smallint NOT NULL, received_us bigint NOT NULL,
    place integer NOT NULL
) ON COMMIT DELETE ROWS
"""
EMPTY = "DELETE FROM iot_staging"
COPY = "COPY iot_staging (datastream_id, at_us, value, quality, received_us, place) FROM STDIN"

_INSTANT = "'epoch'::timestamptz + {} * interval '1 microsecond'"


def fold(table: str, source: str) -> str:
    """Add what is new to what is there. A late reading goes into its own stretch, and is the last of it only where it is."""
    return f"""
    INSERT INTO {table} AS kept (datastream_id, at, n, min, max, sum, last, last_at, bad_n)
    SELECT datastream_id, at, n, min, max, sum, last, last_at, bad_n FROM {source} ORDER BY datastream_id, at
    ON CONFLICT (datastream_id, at) DO UPDATE SET
        n = kept.n + excluded.n, bad_n = kept.bad_n + excluded.bad_n, sum = kept.sum + excluded.sum,
        min = least(kept.min, excluded.min), max = greatest(kept.max, excluded.max),
        last = CASE WHEN kept.last_at IS NULL OR excluded.last_at > kept.last_at THEN excluded.last ELSE kept.last END,
        last_at = greatest(kept.last_at, excluded.last_at)
    """  # noqa: S608


def gathered(bin: str) -> str:
    """Stretches made of shorter ones."""
    return f"""
    SELECT datastream_id, {bin} AS at, sum(n)::int AS n, min(min) AS min, max(max) AS max, sum(sum) AS sum,
        (array_agg(last ORDER BY last_at DESC NULLS LAST))[1] AS last, max(last_at) AS last_at, sum(bad_n)::int AS bad_n
    FROM minutes GROUP BY 1, 2
    """  # noqa: S608


# One statement: the new rows, and what they add to their minute, hour and day. What is there already adds nothing.
WRITE = f"""
WITH fresh AS (
    INSERT INTO iot_reading (datastream_id, at, value, quality, received_at)
    SELECT datastream_id, {_INSTANT.format("at_us")}, value, quality, {_INSTANT.format("received_us")}
    FROM iot_staging ORDER BY datastream_id, at_us, place
    ON CONFLICT (datastream_id, at) DO NOTHING
    RETURNING datastream_id, at, value, quality
), minutes AS MATERIALIZED (
    SELECT datastream_id, {BINS["iot_rollup_1m"]} AS at, (count(*) FILTER (WHERE {GOOD}))::int AS n,
        min(value) FILTER (WHERE {GOOD}) AS min, max(value) FILTER (WHERE {GOOD}) AS max,
        coalesce(sum(value) FILTER (WHERE {GOOD}), 0) AS sum,
        (array_agg(value ORDER BY fresh.at DESC) FILTER (WHERE {GOOD}))[1] AS last, max(fresh.at) FILTER (WHERE {GOOD}) AS last_at,
        (count(*) FILTER (WHERE NOT ({GOOD})))::int AS bad_n
    FROM fresh GROUP BY 1, 2
), hours AS ({gathered(BINS["iot_rollup_1h"])}), days AS ({gathered(BINS["iot_rollup_1d"])}),
m AS ({fold("iot_rollup_1m", "minutes")}), h AS ({fold("iot_rollup_1h", "hours")}), d AS ({fold("iot_rollup_1d", "days")})
SELECT count(*) FROM fresh
"""  # noqa: S608
# Another value for an instant that has one. By the key, row by row: without statistics the planner would read whole days.
CONFLICTS = f"""
SELECT s.place, r.value FROM iot_staging s
CROSS JOIN LATERAL (
    SELECT value FROM iot_reading r WHERE r.datastream_id = s.datastream_id AND r.at = {_INSTANT.format("s.at_us")} OFFSET 0
) AS r
WHERE r.value <> s.value ORDER BY s.place
"""  # noqa: S608
MARK = f"""
UPDATE iot_reading r SET quality = r.quality | %s
FROM (SELECT * FROM unnest(%s::int[], %s::bigint[]) AS given (datastream_id, at_us) ORDER BY 1, 2) AS g
WHERE r.datastream_id = g.datastream_id AND r.at = {_INSTANT.format("g.at_us")}
"""  # noqa: S608
# Locked until the batch is committed: two writers judge one stream one after the other.
LAST = """
SELECT id, (extract(epoch FROM last_at) * 1000000)::bigint, last_value, last_quality FROM iot_datastream WHERE id = ANY(%s)
ORDER BY id FOR NO KEY UPDATE
"""
# Never back in time.
MOVE_LAST = f"""
UPDATE iot_datastream kept SET last_at = {_INSTANT.format("new.at_us")}, last_value = new.value, last_quality = new.quality,
    last_received_at = {_INSTANT.format("new.received_us")}
FROM unnest(%s::int[], %s::bigint[], %s::float8[], %s::int[], %s::bigint[]) AS new (id, at_us, value, quality, received_us)
WHERE kept.id = new.id AND (kept.last_at IS NULL OR kept.last_at < {_INSTANT.format("new.at_us")})
"""  # noqa: S608
# A device that speaks often is written some times a minute, not each time.
SEEN = f"""
UPDATE iot_device d SET last_seen_at = greatest(d.last_seen_at, {_INSTANT.format("s.seen_us")}),
    clock_skew_s = coalesce(s.skew_s, d.clock_skew_s), battery_pct = coalesce(s.battery_pct, d.battery_pct),
    signal_dbm = coalesce(s.signal_dbm, d.signal_dbm), firmware = coalesce(s.firmware, d.firmware)
FROM (
    SELECT g.* FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::text[])
        AS g (id, seen_us, skew_s, battery_pct, signal_dbm, firmware)
    JOIN iot_device held USING (id)
    WHERE held.last_seen_at IS NULL OR held.last_seen_at < {_INSTANT.format("g.seen_us")} - interval '5 seconds'
        OR g.battery_pct IS DISTINCT FROM held.battery_pct AND g.battery_pct IS NOT NULL
        OR g.firmware IS DISTINCT FROM held.firmware AND g.firmware IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE OF held
) AS s WHERE d.id = s.id
"""  # noqa: S608
# Of a camera or a plate counter nothing is kept of what it wrote: where it could not be read, there may be a plate in it.
BURY = """
INSERT INTO iot_deadreading AS kept (hour, door, why, device_id, metric, at, n, raw, detail, last_at)
SELECT date_trunc('hour', last_at), door, why, device_id, CASE WHEN sees_plates THEN '' ELSE metric END, at, least(sum(n), 2147483647)::int,
    CASE WHEN sees_plates THEN ''::bytea ELSE (array_agg(raw))[1] END, max(detail), max(last_at)
FROM (
    SELECT given.*, p.kind IN ('camera', 'plates') IS TRUE AS sees_plates
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[], %s::int[], %s::bytea[], %s::text[], %s::timestamptz[])
        AS given (door, why, device_id, metric, at, n, raw, detail, last_at)
    LEFT JOIN iot_device d ON d.id = given.device_id LEFT JOIN iot_deviceprofile p ON p.id = d.profile_id
) AS told
GROUP BY 1, 2, 3, 4, 5, 6, sees_plates
ORDER BY door, why, device_id, 5, at
ON CONFLICT (hour, door, why, device_id, metric, at) DO UPDATE SET
    n = least(kept.n::bigint + excluded.n, 2147483647), raw = excluded.raw, detail = excluded.detail,
    last_at = greatest(kept.last_at, excluded.last_at)
"""
