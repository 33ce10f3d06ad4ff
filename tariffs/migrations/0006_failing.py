from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tariffs", "0005_estimates")]

    operations = [
        migrations.AddIndex(
            "tariff",
            models.Index(fields=["rates_since"], condition=models.Q(rates="failing"), name="tariff_failing"),
        ),
    ]
