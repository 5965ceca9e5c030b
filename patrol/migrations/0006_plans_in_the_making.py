"""Plans are made by workers, change by editions, and stay as they were once published."""

from django.db import migrations, models

FROZEN = """
CREATE FUNCTION patrol_plan_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('published', 'superseded') AND (to_jsonb(NEW) - 'state' - 'superseded_at') <> (to_jsonb(OLD) - 'state' - 'superseded_at') THEN
        RAISE EXCEPTION 'plan % is published: a change makes a new version', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'superseded' AND NEW.state <> 'superseded' OR OLD.state = 'published' AND NEW.state NOT IN ('published', 'superseded') THEN
        RAISE EXCEPTION 'plan % does not go back', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_frozen BEFORE UPDATE ON patrol_plan FOR EACH ROW EXECUTE FUNCTION patrol_plan_frozen();

CREATE FUNCTION patrol_plan_part_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM patrol_plan WHERE id = OLD.plan_id AND state IN ('published', 'superseded')) THEN
        RAISE EXCEPTION 'plan % is published: a change makes a new version', OLD.plan_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER plan_frozen BEFORE UPDATE OR DELETE ON patrol_planroute FOR EACH ROW EXECUTE FUNCTION patrol_plan_part_frozen();
CREATE TRIGGER plan_frozen BEFORE UPDATE OR DELETE ON patrol_planstop FOR EACH ROW EXECUTE FUNCTION patrol_plan_part_frozen();
"""
THAWED = """
DROP TRIGGER plan_frozen ON patrol_plan; DROP TRIGGER plan_frozen ON patrol_planroute; DROP TRIGGER plan_frozen ON patrol_planstop;
DROP FUNCTION patrol_plan_frozen; DROP FUNCTION patrol_plan_part_frozen;
"""


class Migration(migrations.Migration):
    dependencies = [("patrol", "0005_what_was_signed_stays")]
    operations = [
        migrations.AddField(
            model_name="plan",
            name="edition",
            field=models.PositiveIntegerField(
                default=1, help_text="Goes up with each change: two people cannot change the same one.", verbose_name="edition"
            ),
        ),
        migrations.AddField(
            model_name="plan", name="failure", field=models.TextField(blank=True, verbose_name="why it was not made")
        ),
        migrations.AddField(
            model_name="plan",
            name="making",
            field=models.CharField(
                choices=[("waiting", "Waiting"), ("making", "Being made"), ("made", "Made"), ("failed", "Not made")],
                default="made",
                max_length=8,
                verbose_name="making",
            ),
        ),
        migrations.AddField(
            model_name="plan", name="making_since", field=models.DateTimeField(blank=True, null=True, verbose_name="making since")
        ),
        migrations.AddIndex(
            model_name="plan",
            index=models.Index(
                condition=models.Q(("making__in", ["waiting", "making"])), fields=["making_since"], name="plan_in_the_making"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "discarded"]), models.Q(("making", "made"), ("verdict", [])), _connector="OR"),
                name="plan_shown_is_sound",
                violation_error_message="A plan that breaks a rule is neither reviewed nor published.",
            ),
        ),
        migrations.RunSQL(FROZEN, THAWED),
    ]
