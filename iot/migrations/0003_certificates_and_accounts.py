from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("iot", "0002_readings_by_day")]

    operations = [
        migrations.AddField(
            model_name="devicecredential",
            name="told_ending_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="its end was announced at"),
        ),
        migrations.AlterField(
            model_name="devicecredential",
            name="digest",
            field=models.CharField(max_length=128, verbose_name="hash or fingerprint"),
        ),
        migrations.AlterField(
            model_name="devicecredential",
            name="kind",
            field=models.CharField(
                choices=[
                    ("key", "Key"),
                    ("certificate", "Certificate"),
                    ("mqtt", "MQTT password"),
                    ("lorawan", "LoRaWAN"),
                    ("msisdn", "Telephone number"),
                ],
                max_length=11,
                verbose_name="kind",
            ),
        ),
    ]
