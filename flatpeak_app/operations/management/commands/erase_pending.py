from django.core.management.base import BaseCommand, CommandError

from flatpeak_app.operations.queues import DELETIONS, Run


class Command(BaseCommand):
    help = "Ask FlatPeak again to delete what was deleted here and still exists there."
    queue = DELETIONS

    def handle(self, **options: object) -> str:
        run = Run(self.queue)
        run.work()
        if run.failed:
            raise CommandError(f"{run}")
        return f"{run}"
