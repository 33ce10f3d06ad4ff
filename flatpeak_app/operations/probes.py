"""Health, readiness and metrics of this process.

A middleware answers them before any other, because a probe uses plain http and an address that is not in ALLOWED_HOSTS.
The processes count requests and calls; all other metrics are read from the database at a scrape.
"""

import functools
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection, models
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connect_ui.models import ConnectSession
from connect_ui.routes import Kind, row
from flatpeak_app.operations.models import JobRun
from flatpeak_app.web.limits import View
from tariffs import flatpeak
from tariffs.models import Erasure, Tariff
from tariffs.rates.refresh import NONE

logger = logging.getLogger(__name__)


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
    found = checks() | {"flatpeak": "unknown"}
    ready = found["database"] == found["cache"] == found["migrations"] == "ok"
    if found["cache"] == "ok":
        found["flatpeak"] = "silent" if any(flatpeak.silent().values()) else "ok"
    return JsonResponse(found, status=200 if ready else 503)


def checks() -> dict[str, str]:
    found = {"database": state(database), "cache": state(shared_cache), "migrations": "unknown"}
    if found["database"] == "ok":
        found["migrations"] = state(migrations)
    return found


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


def exposition() -> bytes:
    """Return all metrics in Prometheus's text format; counters are summed over the workers of this gunicorn."""
    shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # by gunicorn.conf.py
    counted = MultiProcessCollector(None) if shared else REGISTRY
    return generate_latest(counted) + generate_latest(Errors(counted)) + generate_latest(Stored())


class Errors(Collector):
    """The requests that ended in a 500, from 0 on: a rate needs a value from before the first one."""

    def __init__(self, counted: Collector) -> None:
        self.counted = counted

    def collect(self) -> Iterator[CounterMetricFamily]:
        samples = [sample for family in self.counted.collect() for sample in family.samples]
        name = "http_request_duration_seconds_count"
        errors = [each.value for each in samples if each.name == name and each.labels["status"] == "500"]
        yield CounterMetricFamily("http_errors", "Requests that ended in a 500.", sum(errors))


def gauge(name: str, meaning: str, values: Mapping[tuple[str, ...], float], *labels: str) -> GaugeMetricFamily:
    """Make a gauge of values by their labels; one without labels has its value by ()."""
    metric = GaugeMetricFamily(name, meaning, labels=labels)
    for of, value in values.items():
        metric.add_metric(of, value)
    return metric


class Stored(Collector):
    """Gauges that are read at each scrape, by one query each; without a database only readiness and the breaker are told."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ready: dict[tuple[str, ...], float] = {(check,): float(found == "ok") for check, found in checks().items()}
        yield gauge("ready", "What /readyz finds: 1 if it is well.", ready, "check")
        silent: dict[tuple[str, ...], float] = {(host,): is_silent for host, is_silent in flatpeak.silent().items()}
        yield gauge("flatpeak_breaker_open", "Whether a silent host of FlatPeak's is left alone.", silent, "host")
        try:
            yield from list(stored())
        except Error as error:
            logger.warning("metrics without the database (%s)", type(error).__name__)


def stored() -> Iterator[GaugeMetricFamily]:
    now = timezone.now()
    yield gauge(
        "connect_sessions",
        "Connect sessions begun in the last 24 hours, by state and by the last page that Connect sent.",
        sessions(now - timedelta(days=1)),
        *("state", "route"),
    )
    exchanges = ConnectSession.objects.here().filter(state=ConnectSession.State.OWED)
    yield gauge("connect_exchanges_owed", "Exchanges that FlatPeak owes.", {(): exchanges.count()})
    erasures = Erasure.objects.here().filter(done_at=None)
    yield gauge("erasures_owed", "Deletions that FlatPeak has still to make.", {(): erasures.count()})
    ran: dict[tuple[str, ...], float] = {
        (name,): at.timestamp() for name, at in JobRun.objects.values_list("name", "succeeded_at")
    }
    yield gauge("job_last_success_timestamp_seconds", "When a job last ran without an error.", ran, "job_name")
    tariffs = Tariff.objects.here().exclude(state=Tariff.State.DISCONNECTED)
    failing = tariffs.filter(rates=Tariff.Rates.FAILING, rates_since__lte=now - timedelta(hours=1))
    yield gauge(
        "tariff_rates_stale",
        "Tariffs whose rates were due 10 minutes ago and not asked for, or were not given for an hour.",
        {
            ("overdue",): tariffs.filter(due_at__lte=now - timedelta(minutes=10)).count(),
            ("failing",): failing.exclude(last_result__in=NONE).count(),
        },
        "reason",
    )


def sessions(since: datetime) -> Counter[tuple[str, ...]]:
    counts = Counter[tuple[str, ...]]()
    begun = ConnectSession.objects.here().filter(started_at__gte=since)
    for state, route, count in begun.values_list("state", "last_route").annotate(models.Count("pk")).order_by():
        # FlatPeak may send any name for a page, so unknown names share one label.
        counts[state, "none" if not route else "other" if row(route).kind is Kind.UNKNOWN else route] += count
    return counts
