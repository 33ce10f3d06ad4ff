import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connect_ui", "0004_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="PopularProviders",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "account",
                    models.CharField(default="", editable=False, max_length=100, verbose_name="FlatPeak account"),
                ),
                ("live_mode", models.BooleanField(default=False, editable=False)),
                ("country_code", models.CharField(max_length=2)),
                ("names", models.JSONField(default=list)),
            ],
            options={
                "verbose_name_plural": "popular providers",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "live_mode", "country_code"), name="popular_of_country_once"
                    )
                ],
            },
        ),
    ]
