from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("interop", "0005_feeds_know_when_heard")]

    operations = [
        migrations.AddField(
            model_name="partnerkey",
            name="precision",
            field=models.CharField(
                choices=[("exact", "Exact"), ("100m", "To 100 metres"), ("area", "To the area")],
                default="exact",
                help_text="Less than exact also withholds addresses and descriptions.",
                max_length=8,
                verbose_name="precision of places",
            ),
        ),
    ]
