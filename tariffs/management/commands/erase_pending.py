from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tariffs.erasure import finish
from tariffs.models import Erasure


class Command(BaseCommand):
    help = "Ask FlatPeak again to delete what was deleted here, where it has not done so yet. May be run at any time."

    def handle(self, **options: Any) -> None:
        done, failed = finish(Erasure.due().in_turn())
        left = Erasure.objects.here().filter(done_at=None).count()
        said = f"{done} erased, {failed} failed, {left} still owed"
        if failed:
            raise CommandError(said)
        self.stdout.write(said)
