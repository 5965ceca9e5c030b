"""The audit trail can be added to and read, nothing else; other tables reuse the function for the same promise."""

from django.db import migrations

from core.migrations import append_only

FUNCTION = """
CREATE FUNCTION khareetaty_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION khareetaty_append_only();"), append_only("core_auditentry")]
