"""How gunicorn runs the app; `--bind` and the number of workers are the operator's."""

import logging
import os
import secrets
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from typing import Any

from gunicorn.http import parser
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

# Seconds for a request to arrive, headers and body; and, of a connection that says nothing, for how long a thread waits.
WHOLE_REQUEST = 10
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.5


class Reader(SocketUnreader):
    """Waits WHOLE_REQUEST seconds for a request in all; gunicorn waits as long as a byte comes now and then."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.until = time.monotonic() + WHOLE_REQUEST

    def chunk(self, *hint: Any) -> bytes:
        left, given = self.until - time.monotonic(), self.sock.gettimeout()
        self.sock.settimeout(max(0.001, left if given is None else min(left, given)))
        try:
            return super().chunk(*hint)
        except TimeoutError:
            raise NoMoreData(b"") from None  # as of one that has hung up
        finally:
            self.sock.settimeout(given)


parser.SocketUnreader = Reader


class Worker(ThreadWorker):
    """Leaves a new connection to the worker that has fewer: all are woken for it, and the first to come takes it.

    Without that one of two had up to 15 of 16 kept connections, and did the work of both. `reuse_port`, which deals them
    out, turns away who waits in the queue of a worker that is being replaced.
    """

    def accept(self, listener: Any) -> None:
        # gunicorn counts a TLS connection that ends within its handshake once up and twice down.
        time.sleep(max(0, min(self.nr_conns, 50)) / 10_000)
        super().accept(listener)

    def handle(self, conn: Any) -> Any:
        if conn.initialized:  # and kept since: the next request begins
            conn.parser.unreader.until = time.monotonic() + WHOLE_REQUEST
        kept = super().handle(conn)
        if not kept:
            # gunicorn's loop, which everybody needs, waits up to two seconds for the other side to hang up, unless told so.
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)
        return kept

    def _cap_keepalive(self, deadline: float) -> None:
        """A stop waits two seconds for kept connections; gunicorn gives 75 to new ones that have not said anything."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


# A request mostly waits for FlatPeak, so what is needed is threads. One process has them all until there is a cache
# that processes share (on_starting, below).
worker_class = Worker
threads = 16

# The app is loaded before the workers, which share its memory; and a missing setting stops the start, instead of one
# worker after another.
preload_app = True

# One answer makes six calls to FlatPeak at most, 18 seconds each; a stop lets it finish. The other is no limit on
# requests, which threads serve, but on the silence of a worker's own loop.
graceful_timeout = 120
timeout = 60

# A worker is replaced after so many requests, as gracefully as at a reload and not all at once: whatever a library may
# leak has an end.
max_requests = 20_000
max_requests_jitter = 5_000

# Longer than the 60 seconds for which proxies usually keep an idle connection: the app is never the one to close it
# just as a request arrives.
keepalive = 75

# No header moves the app to another path: SITE_URL has none. By default whoever connects from this machine may.
forwarder_headers = ""

# Django answers HEAD with a body and leaves it to the server to drop it; gunicorn does, and warns each time.
logging.getLogger("gunicorn.http.wsgi").setLevel(logging.ERROR)

# Nothing here uses it, and its default place is the same for every gunicorn of a user.
control_socket_disable = True

# Where the workers of this master keep the counters that /metrics adds up; the app looks for it when it is loaded.
# Each master has one of its own: a reload, which reads this file again, goes on, and who takes over begins anew.
if not os.environ.get("PROMETHEUS_MULTIPROC_DIR", "").endswith(f"-{os.getpid()}"):
    name = f"flatpeak-metrics-{secrets.token_hex(8)}-{os.getpid()}"
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.path.join(tempfile.gettempdir(), name)


def on_starting(server: Any) -> None:
    """Refuse several workers while each would have a cache of its own, and with it its own limits on sign-ins."""
    from django.conf import settings

    workers, cache = server.cfg.workers, settings.CACHES["default"]["BACKEND"]
    if workers > 1 and cache.endswith((".LocMemCache", ".DummyCache")):
        raise SystemExit(
            f"{workers} workers need a cache that they share: set CACHE_URL (as in redis://127.0.0.1:6379/0), "
            "or WEB_CONCURRENCY or --workers to 1."
        )
    os.mkdir(os.environ["PROMETHEUS_MULTIPROC_DIR"], mode=0o700)


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
