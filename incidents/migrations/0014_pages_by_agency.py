import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0013_held_back_forecasts_beside_published")]

    operations = [
        migrations.AddIndex(
            model_name="incident", index=models.Index(fields=["agency", "occurred_at", "id"], name="incident_agency_time")
        ),
        migrations.AddIndex(
            model_name="incident", index=models.Index(fields=["agency", "changed_at", "id"], name="incident_agency_change")
        ),
        migrations.AddIndex(
            model_name="incident", index=django.contrib.postgres.indexes.GistIndex(fields=["location"], name="incident_by_place")
        ),
    ]
