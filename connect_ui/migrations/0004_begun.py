from django.db import migrations, models

from flatpeak_app.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("connect_ui", "0003_encrypted_tokens")]

    operations = [
        AddIndexOnline("connectsession", models.Index(fields=["started_at"], name="session_begun")),
    ]
