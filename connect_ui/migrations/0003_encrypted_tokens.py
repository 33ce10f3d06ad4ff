from django.db import migrations, models

from connect_ui import vault


def encrypt(apps, schema_editor):
    sessions = apps.get_model("connect_ui", "ConnectSession").objects
    for session in sessions.only("connect_token", "state").iterator():
        kept = vault.encrypted(session.connect_token) if session.state in ("open", "owed") else ""
        digest = vault.digests(session.connect_token)[0]
        sessions.filter(pk=session.pk).update(token_digest=digest, encrypted_token=kept)


class Migration(migrations.Migration):
    dependencies = [("connect_ui", "0002_initial")]

    operations = [
        migrations.AddField(
            "connectsession", "encrypted_token", models.TextField(blank=True, editable=False, default="")
        ),
        migrations.AddField(
            "connectsession", "token_digest", models.CharField(max_length=64, null=True, editable=False)
        ),
        migrations.RunPython(encrypt, elidable=True),
        migrations.AlterField(
            "connectsession", "token_digest", models.CharField(max_length=64, unique=True, editable=False)
        ),
        migrations.AlterField("connectsession", "encrypted_token", models.TextField(blank=True, editable=False)),
        migrations.RemoveField("connectsession", "connect_token"),
    ]
