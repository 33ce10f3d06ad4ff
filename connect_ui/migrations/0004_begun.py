from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connect_ui", "0003_encrypted_tokens")]

    operations = [
        migrations.AddIndex("connectsession", models.Index(fields=["started_at"], name="session_begun")),
    ]
