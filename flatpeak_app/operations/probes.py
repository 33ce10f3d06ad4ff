"""Health, readiness and metrics of this process.

A middleware answers them before any other, because a probe uses plain http and an address that is not in ALLOWED_HOSTS.
"""

import functools
import logging
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from tariffs import flatpeak

from .metrics import exposition

logger = logging.getLogger(__name__)
View = Callable[[HttpRequest], HttpResponse]


def probes(get_response: View) -> View:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse("ok\n", "text/plain")
        if request.path == "/readyz":
            return readyz()
        # Without a token in the settings, /metrics is a 404.
        if request.path == "/metrics" and settings.METRICS_TOKEN:
            return metrics(request)
        return get_response(request)

    return middleware


def readyz() -> HttpResponse:
    """`{"database": "ok", "cache": "failed", "migrations": "ok", "flatpeak": "unknown"}`; 503 unless the first three are ok.

    FlatPeak's state does not count, because most pages work without it. A check is "unknown" if it needs the database or
    the cache and that one failed: it would only wait for a timeout.
    """
    found = {"database": state(database), "cache": state(shared_cache), "migrations": "unknown", "flatpeak": "unknown"}
    if found["database"] == "ok":
        found["migrations"] = state(migrations)
    if found["cache"] == "ok":
        found["flatpeak"] = "silent" if any(flatpeak.silent().values()) else "ok"
    ready = found["database"] == found["cache"] == found["migrations"] == "ok"
    return JsonResponse(found, status=200 if ready else 503)


def state(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # drivers raise errors of their own, with addresses or passwords in the text
        logger.warning("not ready: %s (%s)", check.__name__, type(error).__name__)
        return "failed"
    return "ok"


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def shared_cache() -> None:
    """Ask Redis itself, if there is one: the cache's usual methods hide that it is down."""
    if hasattr(cache, "check"):
        cache.check()


@functools.cache  # cached on success only
def migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing")


def metrics(request: HttpRequest) -> HttpResponse:
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse("", "text/plain", status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(exposition(), CONTENT_TYPE_PLAIN_0_0_4)
