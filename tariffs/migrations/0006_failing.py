from django.db import migrations, models

from flatpeak_app.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tariffs", "0005_estimates")]

    operations = [
        AddIndexOnline(
            "tariff",
            models.Index(fields=["rates_since"], condition=models.Q(rates="failing"), name="tariff_failing"),
        ),
    ]
