from django.db import migrations, models

from flatpeak_app.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tariffs", "0006_failing")]

    operations = [
        AddIndexOnline(
            "tariff",
            models.Index(
                fields=["state_since"], condition=models.Q(state__in=["pending", "failed"]), name="tariff_late"
            ),
        ),
    ]
