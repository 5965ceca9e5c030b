"""Positions live in a table partitioned by day; what was logged, advised and changed stays as it was written."""

from django.db import migrations

from core.migrations import append_only

# Days are made ahead by services.positions.partitions; what fits none of them waits in the rest.
POSITIONS = """
CREATE TABLE patrol_position (
    unit_id bigint NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    location geometry(Point, 4326) NOT NULL,
    accuracy_m double precision,
    speed_kmh double precision,
    heading_deg double precision,
    source varchar(9) NOT NULL,
    doubt varchar(8) NOT NULL DEFAULT '',
    PRIMARY KEY (unit_id, at)
) PARTITION BY RANGE (at);
CREATE TABLE patrol_position_rest PARTITION OF patrol_position DEFAULT;
"""
ADD_ONLY = ("patrol_assignmentlog", "patrol_fieldaction", "patrol_recommendation", "patrol_planchange")


class Migration(migrations.Migration):
    dependencies = [("patrol", "0001_first"), ("core", "0002_append_only")]
    operations = [
        migrations.RunSQL(POSITIONS, "DROP TABLE patrol_position;"),
        *(append_only(table) for table in ADD_ONLY),
    ]
