"""Units on duty that are not heard from."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from core.events import publish
from patrol import events
from patrol.models import UnitPosition

# Counted from the later of the last word and the start of duty: a unit that comes on duty is given the same time to be heard.
_SILENT = """
UPDATE patrol_unitposition heard SET silent_since = heard.received_at
FROM patrol_unit unit
WHERE unit.id = heard.unit_id AND unit.is_active AND heard.silent_since IS NULL AND heard.received_at < %(limit)s
    AND EXISTS (
        SELECT FROM patrol_duty duty WHERE duty.unit_id = unit.id AND duty.ended_at IS NULL AND duty.started_at < %(limit)s
    )
RETURNING heard.unit_id, heard.received_at, unit.agency_id, unit.governorate_id
"""


@transaction.atomic
def announce_silence(*, now: datetime) -> int:
    """Say once of each unit on duty that it has fallen silent; its next position takes it back. A unit that never reported has nothing
    to fall silent with."""
    with connection.cursor() as cursor:
        cursor.execute(_SILENT, {"limit": now - timedelta(minutes=settings.POSITION_SILENT_MIN)})
        rows = cursor.fetchall()
    for unit_id, since, agency_id, governorate_id in rows:
        data = {"unit": unit_id, "since": since.isoformat()}
        publish(events.POSITIONS_SILENT, subject=UnitPosition(pk=unit_id), data=data, agency_id=agency_id, governorate_id=governorate_id)
    return len(rows)
