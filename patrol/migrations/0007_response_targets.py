"""Targets to begin with: the house's own, one a priority, for every agency that has set none (docs/decisions/0138)."""

from django.db import migrations

# Seconds: queue, turnout, travel, response.
TARGETS = {
    1: (60, 60, 480, 600),
    2: (120, 90, 720, 900),
    3: (300, 120, 1200, 1800),
    4: (900, 180, 1800, 3600),
    5: (3600, 300, 3600, 7200),
}


def fill(apps, schema_editor):
    table = apps.get_model("patrol", "ResponseTarget")
    for priority, (queue, turnout, travel, response) in TARGETS.items():
        values = {"queue_s": queue, "turnout_s": turnout, "travel_s": travel, "response_s": response, "share": 0.9}
        table.objects.get_or_create(agency=None, priority=priority, defaults=values)


class Migration(migrations.Migration):
    dependencies = [("patrol", "0006_plans_in_the_making")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=False)]
