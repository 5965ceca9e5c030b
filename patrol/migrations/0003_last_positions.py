"""The last position of a unit is written hundreds of times a second: without an index on it the row is rewritten in place."""

from django.contrib.gis.db import models as gis
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("patrol", "0002_positions_and_promises")]
    operations = [
        migrations.AlterField(
            model_name="unitposition",
            name="location",
            field=gis.PointField(spatial_index=False, srid=4326, verbose_name="location"),
        ),
        migrations.AddField(
            model_name="unitposition",
            name="fenced_until",
            field=models.DateTimeField(blank=True, null=True, verbose_name="fences judged until"),
        ),
        migrations.AddField(
            model_name="unitposition",
            name="silent_since",
            field=models.DateTimeField(blank=True, null=True, verbose_name="said to be silent since"),
        ),
        migrations.RunSQL("ALTER TABLE patrol_unitposition SET (fillfactor = 40)", "ALTER TABLE patrol_unitposition RESET (fillfactor)"),
    ]
