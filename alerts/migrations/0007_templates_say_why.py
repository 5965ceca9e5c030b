"""Messages about hot spots and forecasts say why in a sentence. What somebody has written stays as it is."""

from django.db import migrations

OLD = {
    ("hot_spot", "en"): "Hot spot: {measure} (limit {threshold}).",
    ("hot_spot", "ar"): "بؤرة: {measure} (الحد {threshold}).",
    ("forecast", "en"): "A forecast, not a fact: {measure} expected (limit {threshold}).",
    ("forecast", "ar"): "توقع وليس واقعة: المتوقع {measure} (الحد {threshold}).",
}
NEW = {
    ("hot_spot", "en"): "{reason}",
    ("hot_spot", "ar"): "{reason}",
    ("forecast", "en"): "A forecast, not a fact. {reason}",
    ("forecast", "ar"): "توقع وليس واقعة. {reason}",
}


def say(apps, words, instead):
    rows = apps.get_model("alerts", "MessageTemplate").objects.filter(is_seeded=True, event__in=["hot_spot", "forecast"])
    for row in rows:
        place = (row.event, row.language)
        if place in words and words[place] in row.body.split("\n"):
            row.body = "\n".join(instead[place] if line == words[place] else line for line in row.body.split("\n"))
            row.save(update_fields=["body"])


class Migration(migrations.Migration):
    dependencies = [("alerts", "0006_method_codes")]
    operations = [
        migrations.RunPython(lambda apps, editor: say(apps, OLD, NEW), lambda apps, editor: say(apps, NEW, OLD)),
    ]
