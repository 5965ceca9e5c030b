from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0007_templates_say_why")]

    operations = [
        migrations.AddField(
            "page", "because", models.JSONField(blank=True, default=dict, editable=False, verbose_name="why this person, as a code with its names")
        ),
        migrations.AddField(
            "shiftswap", "answer", models.CharField(blank=True, default="", max_length=400, verbose_name="answer"), preserve_default=False
        ),
        migrations.AlterField(
            "shiftswap",
            "state",
            models.CharField(
                choices=[("open", "Open"), ("taken", "Taken"), ("declined", "Declined"), ("withdrawn", "Withdrawn")],
                default="open",
                max_length=9,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            "shiftswap", "ended_at", models.DateTimeField(blank=True, null=True, verbose_name="taken, declined or withdrawn at")
        ),
    ]
