"""How gunicorn runs the app; the operator chooses `--bind` and the number of workers."""

import logging
import mmap
import os
import secrets
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn.http import parser
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

WHOLE_REQUEST = 10  # seconds for a request's headers and body to arrive
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.5  # seconds that a thread waits for a connection that has sent nothing


class Reader(SocketUnreader):
    """Wait WHOLE_REQUEST seconds for a request in all; gunicorn's timeout begins anew with each byte."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.until = time.monotonic() + WHOLE_REQUEST

    def chunk(self, *hint: Any) -> bytes:
        left, timeout = self.until - time.monotonic(), self.sock.gettimeout()
        self.sock.settimeout(max(0.001, left if timeout is None else min(left, timeout)))
        try:
            return super().chunk(*hint)
        except TimeoutError:
            raise NoMoreData(b"") from None  # as if the client had hung up
        finally:
            self.sock.settimeout(timeout)


parser.SocketUnreader = Reader


# One byte per worker, at its `age`: 0 if there is no worker, otherwise the number of its connections plus one.
connections = mmap.mmap(-1, 256)


STUCK = 180  # seconds in which no thread ends a request although all have one; none takes longer than graceful_timeout


class Worker(ThreadWorker):
    under_way = 0
    ended_at = time.monotonic()

    def enqueue_req(self, conn: Any) -> None:
        if self.under_way < self.cfg.threads:
            self.ended_at = time.monotonic()
        self.under_way += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        self.under_way, self.ended_at = self.under_way - 1, time.monotonic()
        super().finish_request(conn, fs)

    def accept(self, listener: Any) -> None:
        """Let a worker with fewer connections be first, since the kernel wakes all and a proxy keeps its connections."""
        if any(0 < others < connections[self.age % 256] for others in connections[:]):
            time.sleep(0.005)
        super().accept(listener)

    def set_accept_enabled(self, enabled: bool) -> None:
        """At a stop, refuse new connections at once: a proxy then tries another replica.

        gunicorn would keep the listener open until its last answer is out. The kernel would go on taking connections that
        nobody serves, and reset them at the end, with requests that a proxy may not send twice.
        """
        super().set_accept_enabled(enabled)
        if self.alive:  # it has `worker_connections`, and goes on when there are fewer
            return
        for listener in self.sockets:
            before = -1
            while before != self.nr_conns:  # what the kernel took before the stop is still served
                before = self.nr_conns
                super().accept(listener)
            listener.close()

    def notify(self) -> None:
        """Publish the number of connections at each turn of the worker's loop, and end a worker whose threads all hang."""
        if self.under_way >= self.cfg.threads and time.monotonic() - self.ended_at > STUCK:
            self.log.critical("No thread has ended a request for %d seconds, so this worker ends.", STUCK)
            os._exit(1)
        connections[self.age % 256] = 1 + max(0, min(self.nr_conns, 254))
        super().notify()

    def handle(self, conn: Any) -> Any:
        if conn.initialized:  # a kept connection: its next request begins
            conn.parser.unreader.until = time.monotonic() + WHOLE_REQUEST
        kept = super().handle(conn)
        if not kept:
            # Otherwise the main loop would wait up to two seconds for the client to hang up.
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)
        return kept

    def _cap_keepalive(self, deadline: float) -> None:
        """Close connections that have sent nothing as soon as kept ones at a stop, instead of after `keepalive`."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


# Threads, because a request mostly waits for FlatPeak. More than one process needs a shared cache: see on_starting.
worker_class = Worker
threads = 16
# Load the app before the workers fork: they share its memory, and a missing setting stops the start once.
preload_app = True
# Seconds for requests to finish at a stop: one answer makes at most six calls to FlatPeak of 18 seconds each.
graceful_timeout = 120
timeout = 60  # seconds without a sign of life from a worker's main loop, however long its threads' requests take
# Replace a worker gracefully after so many requests, which bounds what a library may leak.
max_requests = 20_000
max_requests_jitter = 5_000
# Seconds, longer than a proxy's usual 60, so that the app does not close a connection just as a request arrives.
keepalive = 75
forwarder_headers = ""  # no header may set SCRIPT_NAME, because SITE_URL has no path
control_socket_disable = True  # unused, and all gunicorns of a user share its default path


class NoAddress(logging.Filter):
    """Take addresses and headers out of gunicorn's lines about requests that it can't read or answer: they have tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if text.startswith("Error handling request"):
            record.msg, record.args = "Error handling request", ()
        elif text.startswith("Invalid request from"):
            record.msg = text.partition(": ")[0]
        return True


logging.getLogger("gunicorn.error").addFilter(NoAddress())
# gunicorn drops the body of Django's answers to HEAD, and would log a warning for each.
logging.getLogger("gunicorn.http.wsgi").setLevel(logging.ERROR)

# The workers of this master keep their metrics in a folder of its own. A reload reads this file again in the same
# process and keeps the folder; a new master (USR2), which inherits the variable, makes its own.
if not os.environ.get("PROMETHEUS_MULTIPROC_DIR", "").endswith(f"-{os.getpid()}"):
    name = f"flatpeak-metrics-{secrets.token_hex(8)}-{os.getpid()}"
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.path.join(tempfile.gettempdir(), name)


def on_starting(server: Any) -> None:
    """Refuse what would go wrong unseen: limits on sign-ins that each worker counts by itself, a brand without its files."""
    from django.conf import settings

    from flatpeak_app.web.static_files import uncollected

    workers, cache = server.cfg.workers, settings.CACHES["default"]["BACKEND"]
    if workers > 1 and cache.endswith((".LocMemCache", ".DummyCache")):
        raise SystemExit(
            f"{workers} workers need a cache that they share: set CACHE_URL (as in redis://127.0.0.1:6379/0), "
            "or WEB_CONCURRENCY or --workers to 1."
        )
    if settings.BRAND_DIR and (lost := uncollected(Path(settings.BRAND_DIR, "static"), settings.STATIC_ROOT)):
        raise SystemExit(
            f"{lost[0]} of BRAND_DIR would not be shown, because static files are collected when the image is built: "
            "put the folder beside compose.yaml as brand/, leave BRAND_DIR out, and build again."
        )
    os.mkdir(os.environ["PROMETHEUS_MULTIPROC_DIR"], mode=0o700)


def child_exit(server: Any, worker: Any) -> None:
    connections[worker.age % 256] = 0


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
