"""When boundaries move, incidents get their zones anew: in one statement, each change in its incident's log."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection, transaction

from core import audit
from core.events import publish
from geography.services import resolve_points_sql
from incidents import events
from incidents.models import IncidentLog

# An incident stays in its region (its reference says which); where no zone of it covers the point any more, the zones are empty.
_REZONE = """
WITH spots AS MATERIALIZED (
    SELECT id, ST_X(location) AS lon, ST_Y(location) AS lat FROM incidents_incident
    WHERE location IS NOT NULL AND (%(regions)s::bigint[] IS NULL OR region_id = ANY(%(regions)s))
), places AS MATERIALIZED (
    <places>
), moved AS (
    SELECT i.id, i.governorate_id AS old_governorate, i.area_id AS old_area, i.block_id AS old_block, i.sector_id AS old_sector,
           p.governorate_id AS new_governorate, p.area_id AS new_area, p.block_id AS new_block, p.sector_id AS new_sector
    FROM spots s JOIN incidents_incident i ON i.id = s.id LEFT JOIN places p ON p.id = s.id AND p.region_id = i.region_id
    WHERE (i.governorate_id, i.area_id, i.block_id, i.sector_id) IS DISTINCT FROM (p.governorate_id, p.area_id, p.block_id, p.sector_id)
), written AS (
    UPDATE incidents_incident i
    SET governorate_id = m.new_governorate, area_id = m.new_area, block_id = m.new_block, sector_id = m.new_sector, changed_at = now()
    FROM moved m WHERE m.id = i.id
    RETURNING i.id
), logged AS (
    INSERT INTO incidents_incidentlog (incident_id, kind, from_state, to_state, changes, author_kind, author_name, reason)
    SELECT m.id, %(kind)s, '', '', (
               SELECT jsonb_object_agg(field, jsonb_build_array(old.name_en, new.name_en))
               FROM (VALUES ('governorate', m.old_governorate, m.new_governorate), ('area', m.old_area, m.new_area),
                            ('block', m.old_block, m.new_block), ('sector', m.old_sector, m.new_sector)) f (field, old_id, new_id)
               LEFT JOIN geography_zone old ON old.id = f.old_id LEFT JOIN geography_zone new ON new.id = f.new_id
               WHERE f.old_id IS DISTINCT FROM f.new_id),
           'system', '', %(reason)s
    FROM moved m
)
SELECT count(*) FROM written
""".replace("<places>", resolve_points_sql("spots"))


@transaction.atomic
def reresolve_incidents(*, region_ids: Collection[int] | None = None, reason: str = "boundaries changed") -> int:
    """Give every located incident (of these regions) the zones its point lies in now. Returns how many changed."""
    regions = None if region_ids is None else sorted(region_ids)
    with connection.cursor() as cursor:
        cursor.execute(_REZONE, {"regions": regions, "kind": IncidentLog.Kind.CHANGED, "reason": reason})
        count: int = cursor.fetchone()[0]
    if count:
        audit.record("incidents.rezone", after={"count": count, "regions": regions}, reason=reason)
        publish(events.INCIDENTS_REZONED, data={"count": count})
    return count
