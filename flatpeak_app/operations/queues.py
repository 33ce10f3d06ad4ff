"""The queues, and a pass over what is due in one: by the single commands, and again and again by `worker`."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from connect_ui.conversation.settle import exchange_owed
from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.erasure import erase
from tariffs.letters import one_connection
from tariffs.models import Erasure, Event, Reminder, Tariff, Wait, Wish
from tariffs.needed import remind
from tariffs.notices import send_due
from tariffs.queue import QueueQuerySet
from tariffs.rates.refresh import refresh_due
from tariffs.wanted import tell

from .events import handle

logger = logging.getLogger(__name__)


class Queue(NamedTuple):
    """`work` takes a row; it says whether that went well, None if somebody else had the row.

    A worker has many threads for one that is `wide`. Each works within `around`.
    """

    name: str
    rows: QueueQuerySet
    work: Callable[[Any], bool | None]
    wide: bool = False
    around: Callable[[], AbstractContextManager[None]] = nullcontext


EXCHANGES = Queue("exchanges", ConnectSession.objects.all(), exchange_owed)
DELETIONS = Queue("deletions", Erasure.objects.all(), erase)
# One row, and not EXISTS, for which PostgreSQL may read all wishes from beginning to end.
WISHED = Subquery(Wish.objects.filter(tariff=OuterRef("pk"), wanted=True).values("pk")[:1])
RATES = Queue("rates", Tariff.objects.select_related("location").annotate(has_wishes=WISHED), refresh_due, wide=True)
MAILS = Queue("mails", Wait.objects.all(), send_due, around=one_connection)
WISHES = Queue(
    "wishes", Wish.objects.select_related("tariff__location__customer__user"), tell, wide=True, around=one_connection
)
REMINDERS = Queue("reminders", Reminder.objects.all(), remind, around=one_connection)
EVENTS = Queue("events", Event.objects.all(), handle)
QUEUES = (EXCHANGES, DELETIONS, RATES, MAILS, WISHES, REMINDERS, EVENTS)
looked_at: dict[str, float] = {}  # when a queue was last looked at for a row, on the monotonic clock


class Run:
    """One pass over a queue; its threads share the rows, the counts and the pause after a 429.

    After `patience` seconds of such pauses it ends, and the rest stays due.
    """

    def __init__(self, queue: Queue, stopped: threading.Event | None = None, patience: float = math.inf) -> None:
        self.queue, self.rows = queue, queue.rows.each_due(timezone.now())
        self.stopped, self.lock = stopped or threading.Event(), threading.Lock()
        self.tried = self.failed = 0
        self.go_on_at, self.patience = 0.0, patience

    def __str__(self) -> str:
        left = self.queue.rows.due(timezone.now()).count()
        return f"{self.queue.name}: {self.tried} tried, {self.failed} failed, {left} left"

    def in_threads(self, number: int, jitter: float = 0, show: Callable[[], Any] | None = None) -> None:
        """Work in so many threads; `show` is called five times a second. An interrupt lets calls under way end."""
        with ThreadPoolExecutor(number) as pool:
            threads = [pool.submit(self.thread, jitter) for _ in range(number)]
            try:
                while show and wait(threads, 0.2).not_done:
                    show()
                wait(threads)
            except BaseException:
                self.stopped.set()
                raise
        for thread in threads:
            thread.result()

    def thread(self, jitter: float) -> None:
        try:
            if jitter:
                self.stopped.wait(random.uniform(0, jitter))  # nosec B311  # spreads calls, and is no secret
            # The threads mostly wait, and may be more than the pool has connections.
            with flatpeak.releasing(connection.close), self.queue.around():
                self.work(connection.close)
        finally:
            connection.close()

    def work(self, release: Callable[[], Any] = bool) -> None:
        """Work on one row after the other; `release` is called after each."""
        while (row := self.next()) is not None:
            try:
                went_well = self.queue.work(row)
            except Exception as error:  # one row must not keep the others waiting
                logger.exception("%s: %s could not be worked on", self.queue.name, row.pk)
                row.put_off(type(error).__name__, timezone.now())
                row.release()
                went_well = False
            release()  # before the lock: its holder may need a connection, for the next batch
            with self.lock:
                self.tried, self.failed = self.tried + (went_well is not None), self.failed + (went_well is False)
                if row.retry_after:
                    self.pause(row.retry_after)

    def next(self) -> Any:
        """The next row, once a pause is over; None at once if there is none."""
        looked_at[self.queue.name] = time.monotonic()
        with self.lock:
            row = None if self.stopped.is_set() else next(self.rows, None)
        while row is not None and not self.stopped.is_set() and (pause := self.go_on_at - time.monotonic()) > 0:
            self.stopped.wait(min(pause, 60))
            looked_at[self.queue.name] = time.monotonic()
        return None if self.stopped.is_set() else row

    def pause(self, seconds: float) -> None:
        now = time.monotonic()
        begin, end = max(now, self.go_on_at), max(now + seconds, self.go_on_at)
        self.patience -= end - begin
        self.go_on_at = end
        if self.patience < 0:
            self.stopped.set()
