"""The incident log can be added to and read, nothing else."""

from django.db import migrations

from core.migrations import append_only


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial"), ("core", "0002_append_only")]
    operations = [append_only("incidents_incidentlog")]
