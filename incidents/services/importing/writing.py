"""A batch into the database: one COPY, a handful of set-based statements, one transaction with the run's counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from geography.services.resolve import resolve_points_sql
from incidents.models import RejectedRow
from incidents.services.importing.preparing import BadRow, Prepared

# One source's batches are written one after the other, whoever writes them: two runs of one file cannot wait for each other in a ring.
_LOCK_CLASS = 0x4B48

# They go with the transaction; where a caller's own goes on, the last batch's are still there.
_DROP = "DROP TABLE IF EXISTS pg_temp.import_staged, pg_temp.import_types, pg_temp.import_placed, pg_temp.import_fresh"
_STAGE = """
CREATE TEMP TABLE import_staged (
    row_number integer, external_id text COLLATE "C", type_word text, occurred_at timestamptz, reported_at timestamptz,
    lon double precision, lat double precision, severity smallint, priority smallint, origin text, description text, address text,
    address_block text, address_street text, address_jadda text, address_building text, paci_number text, words text, raw jsonb
) ON COMMIT DROP
"""
_TYPES = "CREATE TEMP TABLE import_types (word text, type_id bigint, names text) ON COMMIT DROP"
_PLACE = f"CREATE TEMP TABLE import_placed ON COMMIT DROP AS {resolve_points_sql('import_staged', key='row_number')}"
_NOWHERE = """
SELECT s.row_number FROM import_staged s LEFT JOIN import_placed p USING (row_number)
WHERE s.lon IS NOT NULL AND p.region_id IS NULL ORDER BY 1
"""
# OFFSET 0 keeps the look for a known id one probe of its index a row, whatever the planner believes of a growing table.
# The first of several rows with one id counts. Numbers are taken for new incidents only, in the order of the file.
_FRESH = """
CREATE TEMP TABLE import_fresh ON COMMIT DROP AS
SELECT row_number, nextval(pg_get_serial_sequence('incidents_incident', 'id')) AS incident_id FROM (
    SELECT row_number FROM (
        SELECT DISTINCT ON (s.external_id) s.row_number
        FROM import_staged s LEFT JOIN import_placed p USING (row_number)
        WHERE (s.lon IS NULL OR p.region_id IS NOT NULL)
          AND NOT EXISTS (SELECT FROM incidents_report r WHERE r.source_id = %(source)s AND r.external_id = s.external_id OFFSET 0)
        ORDER BY s.external_id, s.row_number
    ) first_of_each ORDER BY row_number
) in_order
"""
_REPORTS = """
INSERT INTO incidents_report (source_id, external_id, incident_id, kind, raw, import_run_id, row_number)
SELECT %(source)s, s.external_id, f.incident_id, 'file', s.raw, %(run)s, s.row_number
FROM import_fresh f JOIN import_staged s USING (row_number) ORDER BY f.incident_id
ON CONFLICT (source_id, external_id) DO NOTHING
"""
# Somebody else's door took one of these ids since we looked.
_TAKEN = """
DELETE FROM import_fresh f WHERE NOT EXISTS
    (SELECT FROM incidents_report r WHERE r.incident_id = f.incident_id AND r.source_id = %(source)s)
"""
_INCIDENTS = """
INSERT INTO incidents_incident (
    id, region_id, source_id, agency_id, type_id, priority, severity, state, disposition, origin, is_synthetic, description, location,
    governorate_id, area_id, block_id, sector_id, address, address_block, address_street, address_jadda, address_building, paci_number,
    occurred_at, reported_at, search)
SELECT f.incident_id, coalesce(p.region_id, %(region)s), %(source)s, %(agency)s, t.id, coalesce(s.priority, t.default_priority),
    coalesce(s.severity, t.default_severity),
    CASE WHEN s.occurred_at < %(recent)s THEN 'closed' ELSE 'received' END,
    CASE WHEN s.occurred_at < %(recent)s THEN 'report_taken' ELSE '' END,
    coalesce(s.origin, 'unknown'), %(synthetic)s, coalesce(s.description, ''), ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4326),
    p.governorate_id, p.area_id, p.block_id, p.sector_id, coalesce(s.address, ''), coalesce(s.address_block, ''),
    coalesce(s.address_street, ''), coalesce(s.address_jadda, ''), coalesce(s.address_building, ''), coalesce(s.paci_number, ''),
    s.occurred_at, coalesce(s.reported_at, s.occurred_at), to_tsvector('simple', w.names || ' ' || s.words)
FROM import_fresh f JOIN import_staged s USING (row_number) LEFT JOIN import_placed p USING (row_number)
    JOIN import_types w ON w.word = s.type_word JOIN incidents_incidenttype t ON t.id = w.type_id
ORDER BY f.incident_id
"""
_LOG = """
INSERT INTO incidents_incidentlog (incident_id, kind, from_state, to_state, author_kind, author_id, author_name, reason)
SELECT f.incident_id, 'received', '', CASE WHEN s.occurred_at < %(recent)s THEN 'closed' ELSE 'received' END,
    %(author_kind)s, %(author_id)s, %(author_name)s, %(reason)s
FROM import_fresh f JOIN import_staged s USING (row_number) ORDER BY f.incident_id
"""
_CORRECTED = """
UPDATE incidents_rejectedrow j SET status = 'corrected', incident_id = f.incident_id, resolved_at = now()
FROM import_fresh f JOIN import_staged s USING (row_number)
WHERE j.source_id = %(source)s AND j.external_id = s.external_id AND j.status IN ('rejected', 'quarantined')
"""
_STAGE_BAD = """
CREATE TEMP TABLE import_bad (row_number integer, external_id text COLLATE "C", status text, errors jsonb, raw jsonb) ON COMMIT DROP
"""
# A row met before is the same row: what is wrong with it now is noted; one dismissed or corrected stays so.
_SAME_BAD = """
UPDATE incidents_rejectedrow j SET import_run_id = %(run)s, row_number = b.row_number, status = b.status, errors = b.errors, raw = b.raw
FROM (SELECT DISTINCT ON (external_id) * FROM import_bad ORDER BY external_id, row_number) b
WHERE j.source_id = %(source)s AND j.external_id = b.external_id AND j.status IN ('rejected', 'quarantined')
"""
_NEW_BAD = """
INSERT INTO incidents_rejectedrow (source_id, import_run_id, row_number, external_id, status, errors, raw)
SELECT %(source)s, %(run)s, b.row_number, b.external_id, b.status, b.errors, b.raw
FROM (SELECT DISTINCT ON (external_id) * FROM import_bad ORDER BY external_id, row_number) b
WHERE NOT EXISTS (SELECT FROM incidents_rejectedrow j WHERE j.source_id = %(source)s AND j.external_id = b.external_id)
ORDER BY b.row_number
"""


@dataclass(frozen=True)
class Written:
    """What became of a batch's good rows."""

    accepted: int = 0
    first_id: int | None = None
    last_id: int | None = None
    nowhere: tuple[int, ...] = ()  # row numbers of points in no region


@dataclass(frozen=True)
class Target:
    """Where a run's rows go, and who signs them."""

    run: int
    source: int
    region: int
    agency: int
    recent: datetime
    synthetic: bool = False
    author_kind: str = "system"
    author_id: int | None = None
    author_name: str = ""
    reason: str = ""


def stage_rows(batch: Prepared, *, types: Mapping[str, tuple[int, str]]) -> None:
    """COPY the good rows into a temporary table and find their zones; ``types`` gives each word's type and its folded names.

    The caller holds the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute(_STAGE)
        with cursor.copy(f"COPY import_staged ({', '.join(batch.staged_columns)}) FROM STDIN") as copy:
            copy.write(batch.staged)
        cursor.execute(_TYPES)
        with cursor.copy("COPY import_types FROM STDIN") as copy:
            for word in set(batch.types):
                copy.write_row((word, *types[word]))
        cursor.execute("ANALYZE import_staged (row_number, external_id); ANALYZE import_types")
        cursor.execute(_PLACE + (" LIMIT 0" if batch.lon is None else ""))
        cursor.execute("ANALYZE import_placed (row_number)")


def nowhere() -> tuple[int, ...]:
    """The staged rows whose point lies in no region."""
    with connection.cursor() as cursor:
        cursor.execute(_NOWHERE)
        return tuple(number for (number,) in cursor.fetchall())


def count_fresh(source: int) -> list[tuple[int, str]]:
    """For a dry run: the staged rows that would become incidents, as (row number, external id)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(s.row_number), s.external_id FROM import_staged s LEFT JOIN import_placed p USING (row_number)"
            " WHERE (s.lon IS NULL OR p.region_id IS NOT NULL) AND NOT EXISTS"
            " (SELECT FROM incidents_report r WHERE r.source_id = %s AND r.external_id = s.external_id OFFSET 0) GROUP BY 2",
            [source],
        )
        return [(number, external_id) for number, external_id in cursor.fetchall()]


def write_staged(target: Target) -> Written:
    """Reports, incidents and log of the staged rows that are new. The caller holds the transaction."""
    values = target.__dict__
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, target.source % 2**31])
        outside = nowhere()
        cursor.execute(_FRESH, values)
        fresh = cursor.rowcount
        if not fresh:
            return Written(nowhere=outside)
        cursor.execute(_REPORTS, values)
        if cursor.rowcount != fresh:
            fresh = cursor.rowcount
            cursor.execute(_TAKEN, values)
        cursor.execute("ANALYZE import_fresh (row_number)")
        cursor.execute(_INCIDENTS, values)
        cursor.execute(_LOG, values)
        cursor.execute(
            "SELECT EXISTS (SELECT FROM incidents_rejectedrow WHERE source_id = %s AND status IN ('rejected', 'quarantined'))",
            [target.source],
        )
        if cursor.fetchone()[0]:
            cursor.execute(_CORRECTED, values)
        cursor.execute("SELECT min(incident_id), max(incident_id) FROM import_fresh")
        first, last = cursor.fetchone()
    return Written(fresh, first, last, outside)


def write_bad(rows: Sequence[BadRow], *, source: int, run: int) -> None:
    """Keep the rows that could not go in until somebody corrects or dismisses them. The caller holds the transaction."""
    if not rows:
        return
    values: dict[str, Any] = {"source": source, "run": run}
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.import_bad")
        cursor.execute(_STAGE_BAD)
        with cursor.copy("COPY import_bad FROM STDIN") as copy:
            for row in rows:
                status = RejectedRow.Status.QUARANTINED if row.is_quarantined else RejectedRow.Status.REJECTED
                errors = orjson.dumps([problem.as_dict() for problem in row.problems]).decode()
                raw = orjson.dumps(row.raw, default=str).decode()
                copy.write_row((row.number, row.external_id, status.value, errors.replace("\\u0000", ""), raw))
        cursor.execute(_SAME_BAD, values)
        cursor.execute(_NEW_BAD, values)
