"""What a trial was drawn as stays as it was sealed; days of units and presence in cells outlive the positions they were read from."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Of a sealed trial only its fate may still be written: its state, its report (once), that it was stopped, and who drew it (a person's row
# may be removed).
SEAL = """
CREATE FUNCTION patrol_trial_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fate text[] := ARRAY['state', 'report', 'reported_at', 'stopped_at', 'stopped_because', 'created_by_id'];
BEGIN
    IF OLD.sealed_at IS NULL THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'trial % is sealed: it cannot be removed', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF to_jsonb(NEW) - fate <> to_jsonb(OLD) - fate OR NEW.state = 'draft' THEN
        RAISE EXCEPTION 'trial % is sealed: neither its draw nor its period changes', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.report IS NOT NULL AND (NEW.report IS DISTINCT FROM OLD.report OR NEW.reported_at IS DISTINCT FROM OLD.reported_at) THEN
        RAISE EXCEPTION 'trial % is reported: its report stays', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trial_stays BEFORE UPDATE OR DELETE ON patrol_trial FOR EACH ROW EXECUTE FUNCTION patrol_trial_stays();

CREATE FUNCTION patrol_trial_cells_stay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_trial bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.trial_id ELSE OLD.trial_id END;
BEGIN
    IF EXISTS (SELECT 1 FROM patrol_trial WHERE id = of_trial AND sealed_at IS NOT NULL)
       OR (TG_OP = 'UPDATE' AND EXISTS (SELECT 1 FROM patrol_trial WHERE id = NEW.trial_id AND sealed_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'trial % is sealed: its cells stay', of_trial USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trial_cells_stay BEFORE INSERT OR UPDATE OR DELETE ON patrol_trialcell
    FOR EACH ROW EXECUTE FUNCTION patrol_trial_cells_stay();
"""
OPEN = """
DROP TRIGGER trial_cells_stay ON patrol_trialcell; DROP FUNCTION patrol_trial_cells_stay();
DROP TRIGGER trial_stays ON patrol_trial; DROP FUNCTION patrol_trial_stays();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('geography', '0002_gazetteer_edition'),
        ('patrol', '0003_last_positions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TrialPresence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('seconds', models.FloatField(verbose_name='seconds')),
            ],
            options={
                'verbose_name': "presence in a trial's cell",
                'verbose_name_plural': "presence in trials' cells",
                'ordering': ['cell', 'day'],
            },
        ),
        migrations.CreateModel(
            name='UnitDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(help_text="On the region's clock.", verbose_name='day')),
                ('duty_s', models.FloatField(verbose_name='on duty (s)')),
                ('known_s', models.FloatField(verbose_name='of it known from positions (s)')),
                ('metres', models.FloatField(verbose_name='metres driven')),
                ('positions', models.PositiveIntegerField(default=0, verbose_name='positions')),
                ('doubted', models.PositiveIntegerField(default=0, verbose_name='positions in doubt')),
                ('measured_at', models.DateTimeField(verbose_name='measured at')),
                ('is_final', models.BooleanField(default=False, verbose_name='final')),
            ],
            options={
                'verbose_name': 'day of a unit',
                'verbose_name_plural': 'days of units',
                'ordering': ['-day', 'unit'],
            },
        ),
        migrations.AddField(
            model_name='stopdosage',
            name='unit',
            field=models.ForeignKey(help_text='Whose positions were read: the unit the stop was handed to, else the one it was planned for.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='patrol.unit', verbose_name='unit'),
        ),
        migrations.AddField(
            model_name='trial',
            name='parameters',
            field=models.JSONField(default=dict, help_text='What the cells were chosen from, and the days counted before the draw.', verbose_name='parameters'),
        ),
        migrations.AddField(
            model_name='trial',
            name='stopped_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='stopped at'),
        ),
        migrations.AddField(
            model_name='trial',
            name='stopped_because',
            field=models.CharField(blank=True, max_length=400, verbose_name='stopped because'),
        ),
        migrations.AddConstraint(
            model_name='trial',
            constraint=models.CheckConstraint(condition=models.Q(('sealed_by', None), ('created_by', None), models.Q(('sealed_by', models.F('created_by')), _negated=True), _connector='OR'), name='trial_two_people', violation_error_message='Another person seals it than the one who drew it.'),
        ),
        migrations.AddField(
            model_name='trialpresence',
            name='cell',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='presence', to='patrol.trialcell', verbose_name='cell'),
        ),
        migrations.AddField(
            model_name='unitday',
            name='unit',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='patrol.unit', verbose_name='unit'),
        ),
        migrations.AddConstraint(
            model_name='trialpresence',
            constraint=models.UniqueConstraint(fields=('cell', 'day'), name='trial_presence_once'),
        ),
        migrations.AddIndex(
            model_name='unitday',
            index=models.Index(fields=['day'], name='unit_day_by_day'),
        ),
        migrations.AddConstraint(
            model_name='unitday',
            constraint=models.UniqueConstraint(fields=('unit', 'day'), name='unit_day_once'),
        ),
        migrations.RunSQL(SEAL, OPEN),
    ]
