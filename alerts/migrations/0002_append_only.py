"""An alert's timeline and a rule's versions are never altered."""

from django.db import migrations

from core.migrations import append_only


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial"), ("core", "0002_append_only")]
    operations = [append_only("alerts_alertlog"), append_only("alerts_ruleversion")]
