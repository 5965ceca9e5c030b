"""Readings and their minutes: a part a day. The rows that are rewritten most leave room in their pages for it."""

from django.db import migrations

READINGS = """
CREATE TABLE iot_reading (
    datastream_id integer NOT NULL,
    at timestamptz NOT NULL,
    value double precision NOT NULL,
    quality smallint NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (datastream_id, at)
) PARTITION BY RANGE (at);
-- All streams in a window of some minutes: a day's rows lie about in the order of their times.
CREATE INDEX iot_reading_by_time ON iot_reading USING brin (at);
CREATE TABLE iot_reading_rest PARTITION OF iot_reading DEFAULT;
CREATE TABLE iot_rollup_1m (
    datastream_id integer NOT NULL,
    at timestamptz NOT NULL,
    n integer NOT NULL,
    min double precision,
    max double precision,
    sum double precision NOT NULL DEFAULT 0,
    last double precision,
    last_at timestamptz,
    bad_n integer NOT NULL DEFAULT 0,
    PRIMARY KEY (datastream_id, at)
) PARTITION BY RANGE (at);
CREATE TABLE iot_rollup_1m_rest PARTITION OF iot_rollup_1m DEFAULT;
ALTER TABLE iot_datastream SET (fillfactor = 60);
ALTER TABLE iot_device SET (fillfactor = 70);
ALTER TABLE iot_rollup_1h SET (fillfactor = 80);
ALTER TABLE iot_rollup_1d SET (fillfactor = 60);
"""


class Migration(migrations.Migration):
    dependencies = [("iot", "0001_devices_and_readings")]
    operations = [migrations.RunSQL(READINGS, "DROP TABLE iot_reading; DROP TABLE iot_rollup_1m;")]
