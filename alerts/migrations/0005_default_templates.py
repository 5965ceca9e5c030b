"""The words that come with the product, as rows that can be changed. What is there already stays."""

from django.db import migrations

from alerts.services.delivery.template_seeds import SEEDS


def add(apps, schema_editor):
    template = apps.get_model("alerts", "MessageTemplate")
    there = set(template.objects.values_list("event", "channel", "language"))
    template.objects.bulk_create(
        [
            template(event=str(event), channel=str(channel), language=language, subject=seed.subject, body=seed.body, is_seeded=True)
            for (event, channel, language), seed in SEEDS.items()
            if (str(event), str(channel), language) not in there
        ]
    )


class Migration(migrations.Migration):
    dependencies = [("alerts", "0004_rule_proposals")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
