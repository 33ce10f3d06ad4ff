from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flatpeak_app.operations.queues import DELETIONS, Run


class Command(BaseCommand):
    help = "Ask FlatPeak again to delete what was deleted here, where it has not done so yet."

    def handle(self, **options: Any) -> None:
        run = Run(DELETIONS)
        run.work()
        if run.failed:
            raise CommandError(f"{run}")
        self.stdout.write(f"{run}")
