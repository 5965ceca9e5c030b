"""A handover pack that both have signed is never changed or removed again; wrong codes for a call are counted."""

from django.db import migrations, models

FREEZE = """
CREATE FUNCTION patrol_signed_pack_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'signed' THEN
        RAISE EXCEPTION 'a handover pack signed by both stays as it is' USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER signed_pack_stays BEFORE UPDATE OR DELETE ON patrol_shiftpack
FOR EACH ROW EXECUTE FUNCTION patrol_signed_pack_stays();
"""
THAW = "DROP TRIGGER signed_pack_stays ON patrol_shiftpack; DROP FUNCTION patrol_signed_pack_stays();"


class Migration(migrations.Migration):
    dependencies = [("patrol", "0004_trials_and_days")]
    operations = [
        migrations.AddField("sos", "wrong_codes", models.PositiveSmallIntegerField(default=0, verbose_name="wrong codes")),
        migrations.RunSQL(FREEZE, THAW),
    ]
