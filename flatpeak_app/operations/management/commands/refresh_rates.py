import logging

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone

from flatpeak_app.operations.queues import MAILS, RATES, REMINDERS, WISHES, Run
from tariffs.needed import find

PATIENCE = 300.0  # seconds that a run waits in all because of 429


class Command(BaseCommand):
    help = (
        "Fetch the prices that are due, and mail the customers who wait for them or want to hear of them. You can run it at "
        "any time, several times at once, and again after it was killed. It asks for each tariff once. A tariff that it did "
        "not reach stays due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=8, help="calls to FlatPeak at the same time (default: 8)"
        )
        parser.add_argument(
            "--jitter", type=float, default=5.0, help="wait up to this many seconds before the first call (default: 5)"
        )

    def handle(self, *, concurrency: int, jitter: float, verbosity: int, **options: object) -> None:
        if concurrency < 1 or jitter < 0:
            raise CommandError("--concurrency must be 1 or more, and --jitter 0 or more.")
        if verbosity < 2:
            logging.disable(logging.INFO)  # a line per call: not in a cron mail, nor across the bar
        try:
            self.refresh(concurrency, jitter)
        finally:
            logging.disable(logging.NOTSET)

    def refresh(self, concurrency: int, jitter: float) -> None:
        rates, interrupted = Run(RATES, patience=PATIENCE), False
        total = RATES.rows.due(timezone.now()).count() if self.stdout.isatty() else None

        def show() -> None:
            bar = "#" * (30 * min(rates.tried, total or 0) // (total or 1))
            self.stdout.write(f"\r[{bar:<30}] {rates.tried} of {total}, {rates.failed} failed", ending="")
            self.stdout.flush()

        try:
            rates.in_threads(concurrency, jitter, None if total is None else show)
        except KeyboardInterrupt:
            interrupted = True
        if total is not None:
            show()
            self.stdout.write("")
        close_old_connections()  # this thread's own was idle for as long as the run took
        find(timezone.now())
        runs = [Run(queue, patience=PATIENCE) for queue in (MAILS, WISHES, REMINDERS)]
        for run in runs if not interrupted else ():
            run.in_threads(concurrency) if run.queue.wide else run.work()
        said = "; ".join(str(run) for run in (rates, *runs) if run is rates or run.tried)
        if rates.failed or any(run.failed for run in runs) or interrupted:
            raise CommandError(said)
        self.stdout.write(said)
