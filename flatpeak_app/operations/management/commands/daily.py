import io
import logging

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from flatpeak_app.operations.models import JobRun

logger = logging.getLogger(__name__)

JOBS = ("purge_sessions", "clearsessions")


class Command(BaseCommand):
    help = (
        "Do what has to be done once a day: purge_sessions and clearsessions. Each writes a line to the log, and the metrics "
        "tell when it last succeeded."
    )

    def handle(self, **options: object) -> None:
        failed = []
        for name in JOBS:
            said = io.StringIO()
            try:
                call_command(name, stdout=said)
                JobRun.succeeded(name)
            except Exception:  # the other one is still to run
                logger.exception("%s: failed", name)
                failed.append(name)
            else:
                logger.info("%s: %s", name, ", ".join(said.getvalue().splitlines()) or "done")
        if failed:
            raise CommandError(f"{' and '.join(failed)} failed. The log says why.")
