from django.db import migrations
from django.db.models import Exists, OuterRef


def mark(apps, schema_editor):
    """Of what was purged before it was counted, the routes are not known; and of no provider, where its name came from."""
    sessions = apps.get_model("connect_ui", "ConnectSession").objects
    pages = apps.get_model("connect_ui", "Page").objects.filter(session=OuterRef("pk"))
    sessions.filter(~Exists(pages), newest__gt=0).update(counted=True)
    sessions.exclude(provider="").update(listed_provider="other")


class Migration(migrations.Migration):
    dependencies = [("connect_ui", "0005_funnel")]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop, elidable=True)]
