from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flatpeak_app.operations.queues import EXCHANGES, Run


class Command(BaseCommand):
    help = "Make the exchanges that are owed and due: they tell the ids of what a conversation made."

    def handle(self, **options: Any) -> None:
        run = Run(EXCHANGES)
        run.work()
        if run.failed:
            raise CommandError(f"{run}")
        self.stdout.write(f"{run}")
