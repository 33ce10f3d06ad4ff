import logging
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.utils import timezone

from flatpeak_app.operations.models import JobRun
from flatpeak_app.operations.needs import tell_operator
from flatpeak_app.operations.queues import QUEUES, Queue, Run, looked_at
from tariffs.needed import find

logger = logging.getLogger(__name__)

IDLE = 5.0  # seconds between two looks at a queue
WATCH = 300.0  # seconds between two looks at what needs attention
STUCK = 600.0  # seconds without a look at a queue, much longer than the 108 that a row may take


class Command(BaseCommand):
    help = (
        "Work on all queues until SIGTERM: exchanges, deletions, prices, events and mails. Mail ADMINS when something needs "
        "attention. You can run any number of workers, on any machines. Only one works on a row at a time. If a worker is "
        "killed, another one takes over its rows when their claim ends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=8, help="calls for prices, and mails, at the same time (default: 8)"
        )

    def handle(self, *, concurrency: int, **options: object) -> None:
        stopped = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stopped.set())
        logger.info("worker: started")
        with ThreadPoolExecutor(len(QUEUES) + 1) as pool:
            pool.submit(watch, stopped)
            for queue in QUEUES:
                pool.submit(work_on, queue, stopped, concurrency if queue.wide else 1)
            while not stopped.wait(IDLE):
                end_if_stuck()
        logger.info("worker: stopped")


def end_if_stuck() -> None:
    """End this process when a queue's thread hangs: the engine starts it again, and its rows are free after their claim."""
    stuck = [name for name, at in looked_at.items() if time.monotonic() - at > STUCK]
    if stuck:
        logger.critical("worker: nobody has looked at %s for %d seconds, so this worker ends", ", ".join(stuck), STUCK)
        os._exit(1)


def work_on(queue: Queue, stopped: threading.Event, concurrency: int) -> None:
    """Work on what is due in a queue, again and again, with a line in the log for each pass that found something."""
    while not stopped.is_set():
        run = Run(queue, stopped)
        try:
            run.in_threads(concurrency)
            if run.tried:
                logger.info("worker: %s", run)
        except Exception:  # the database is gone, for example
            logger.exception("worker: %s could not be worked on", queue.name)
        connection.close()
        stopped.wait(IDLE)


def watch(stopped: threading.Event) -> None:
    """Find what customers have to do, and mail ADMINS what newly needs attention."""
    while not stopped.is_set():
        try:
            find(timezone.now())
            tell_operator(timezone.now())
            JobRun.succeeded("worker")
        except Exception:  # as above
            logger.exception("worker: what needs attention could not be looked for")
        connection.close()
        stopped.wait(WATCH)
