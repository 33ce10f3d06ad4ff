from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tariffs", "0006_failing")]

    operations = [
        migrations.AddIndex(
            "tariff",
            models.Index(
                fields=["state_since"], condition=models.Q(state__in=["pending", "failed"]), name="tariff_late"
            ),
        ),
    ]
