import logging
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections, connection
from django.db.models import QuerySet
from django.utils import timezone

from tariffs import flatpeak
from tariffs.models import Tariff
from tariffs.notices import tell
from tariffs.rates.refresh import UNKNOWN_ZONE, refresh

logger = logging.getLogger(__name__)

BATCH = 200
PATIENCE = 300.0  # seconds that a run waits in all because of 429; what is left then stays due


def due_at(now: datetime) -> QuerySet[Tariff]:
    return Tariff.objects.here().filter(ask_at__lte=now).exclude(state=Tariff.State.DISCONNECTED)


def batches(now: datetime) -> Iterator[Tariff]:
    """What is due, read in batches; each begins where the last ended, which may not have been asked for yet."""
    due = due_at(now).select_related("location").order_by("ask_at", "pk")
    batch = list(due[:BATCH])
    while batch:
        ask_at, pk = batch[-1].ask_at, batch[-1].pk  # asking moves the first on
        yield from batch
        batch = list(due.filter(ask_at__gte=ask_at).exclude(ask_at=ask_at, pk__lte=pk)[:BATCH])


class Run:
    """What the threads of one run share: the tariffs to ask for, when to go on after a 429, and the counts."""

    def __init__(self, now: datetime) -> None:
        self.due, self.lock, self.stopped = batches(now), threading.Lock(), threading.Event()
        self.done = self.asked = self.failed = self.zoneless = 0
        self.go_on_at, self.patience = 0.0, PATIENCE

    def work(self, jitter: float) -> None:
        try:
            self.stopped.wait(random.uniform(0, jitter))  # nosec B311  # spreads calls, and is no secret
            # A pool has fewer connections than there may be threads, which mostly wait: for FlatPeak, or through a pause.
            with flatpeak.releasing(connection.close):
                while tariff := self.next():
                    self.ask(tariff)
        finally:
            connection.close()

    def next(self) -> Tariff | None:
        while not self.stopped.is_set() and (pause := self.go_on_at - time.monotonic()) > 0:
            self.stopped.wait(pause)
        with self.lock:
            return None if self.stopped.is_set() else next(self.due, None)

    def ask(self, tariff: Tariff) -> None:
        try:
            asked = refresh(tariff, timezone.now())
            zoneless = asked and tariff.rates_code == UNKNOWN_ZONE  # FlatPeak answered: no failure of this run
            failed = asked and tariff.rates == Tariff.Rates.FAILING and not zoneless
        except Exception:  # one tariff must not keep the others from being asked for
            logger.exception("tariff %s could not be refreshed", tariff.pk)
            asked, failed, zoneless = True, True, False
        connection.close()  # before the lock: who holds it may need a connection, for the next batch
        if tariff.pause is not None:
            self.pause(tariff.pause)
        with self.lock:
            self.done, self.asked, self.failed = self.done + 1, self.asked + asked, self.failed + failed
            self.zoneless += zoneless

    def pause(self, seconds: float) -> None:
        with self.lock:
            now = time.monotonic()
            begin, end = max(now, self.go_on_at), max(now + seconds, self.go_on_at)
            self.patience -= end - begin
            self.go_on_at = end
            if self.patience < 0:
                self.stopped.set()


class Command(BaseCommand):
    help = (
        "Fetch the rates that are due, and mail the customers who wait for them. May be run at any time, twice at once, "
        "and again after it was killed: each tariff is asked for once, and what was not asked for stays due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=8, help="calls to FlatPeak at the same time (8)")
        parser.add_argument("--jitter", type=float, default=5.0, help="begin within so many seconds, by chance (5)")

    def handle(self, *, concurrency: int, jitter: float, verbosity: int, **options: Any) -> None:
        if concurrency < 1 or jitter < 0:
            raise CommandError("--concurrency is 1 or more, --jitter 0 or more")
        if verbosity < 2:
            logging.disable(logging.INFO)  # a line for each pending tariff: not in a cron mail, nor across the bar
        try:
            self.refresh(concurrency, jitter)
        finally:
            logging.disable(logging.NOTSET)

    def refresh(self, concurrency: int, jitter: float) -> None:
        now = timezone.now()
        run, interrupted = Run(now), False
        total = due_at(now).count() if self.stdout.isatty() else None
        with ThreadPoolExecutor(concurrency) as pool:
            threads = [pool.submit(run.work, jitter) for _ in range(concurrency)]
            try:
                self.watch(run, threads, total)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                run.stopped.set()
        for thread in threads:
            thread.result()
        close_old_connections()  # this thread's own was idle for as long as the run took
        unsent = 0 if interrupted else tell(timezone.now())
        said = f"{run.asked} asked, {run.failed} failed, {due_at(now).count()} left"
        if run.zoneless:
            said += f", of an unknown time zone: {run.zoneless}"
        if unsent:
            said += f", mails not sent: {unsent}"
        if run.failed or unsent or interrupted:
            raise CommandError(said)
        self.stdout.write(said)

    def watch(self, run: Run, threads: list[Future[None]], total: int | None) -> None:
        """Wait for the end, with a progress bar on a terminal, where `total` is known."""
        if total is None:
            wait(threads)
            return
        under_way = True
        while under_way:
            under_way = bool(wait(threads, timeout=0.2).not_done)
            bar = "#" * (30 * min(run.done, total) // (total or 1))
            self.stdout.write(f"\r[{bar:<30}] {run.done} of {total}, {run.failed} failed", ending="")
            self.stdout.flush()
        self.stdout.write("")
