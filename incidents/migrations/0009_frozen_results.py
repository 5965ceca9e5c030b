"""What the analytics issued stays as it was issued; only which result stands now may change."""

from django.db import migrations

from core.migrations import append_only

FUNCTION = """
CREATE FUNCTION khareetaty_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'is_current' = to_jsonb(OLD) - 'is_current' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is frozen when issued: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""
FROZEN = ("incidents_hotspot", "incidents_forecast", "incidents_surface", "incidents_nearrepeat", "incidents_modelchoice")
ADD_ONLY = ("incidents_score", "incidents_modelcard", "incidents_handover")


def frozen(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER frozen BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION khareetaty_frozen();",
        f"DROP TRIGGER frozen ON {table};",
    )


class Migration(migrations.Migration):
    dependencies = [("incidents", "0008_trusted_analytics"), ("core", "0002_append_only")]
    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION khareetaty_frozen();"),
        *(frozen(table) for table in FROZEN),
        *(append_only(table) for table in ADD_ONLY),
    ]
