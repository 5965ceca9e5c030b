from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0005_default_templates")]

    operations = [
        migrations.AddField("contactmethod", "code_digest", models.CharField(blank=True, editable=False, max_length=64, default=""), preserve_default=False),
        migrations.AddField("contactmethod", "code_sent_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField("contactmethod", "code_tries", models.PositiveSmallIntegerField(default=0, editable=False)),
    ]
