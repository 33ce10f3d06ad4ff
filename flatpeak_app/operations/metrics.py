"""Metrics for Prometheus: the processes count requests and calls; everything else is read from the database at a scrape."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.db import Error
from django.db.models import Count
from django.utils import timezone
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connect_ui.models import ConnectSession
from connect_ui.routes import Kind, row
from tariffs import flatpeak
from tariffs.models import Erasure, Tariff
from tariffs.rates.refresh import NONE

logger = logging.getLogger(__name__)


def exposition() -> bytes:
    """Return all metrics in Prometheus's text format; counters are summed over the workers of this gunicorn."""
    shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # by gunicorn.conf.py
    counted = MultiProcessCollector(None) if shared else REGISTRY
    return generate_latest(counted) + generate_latest(Stored())


def gauge(name: str, meaning: str, values: Mapping[tuple[str, ...], float], *labels: str) -> GaugeMetricFamily:
    """Make a gauge of values by their labels; one without labels has its value by ()."""
    metric = GaugeMetricFamily(name, meaning, labels=labels)
    for of, value in values.items():
        metric.add_metric(of, value)
    return metric


class Stored(Collector):
    """Gauges that are read at each scrape, by one query each; without a database only the breaker is told."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        silent: dict[tuple[str, ...], float] = {(host,): is_silent for host, is_silent in flatpeak.silent().items()}
        yield gauge(
            "flatpeak_breaker_open", "Whether a host of FlatPeak's does not answer and is left alone.", silent, "host"
        )
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
    for state, route, count in begun.values_list("state", "last_route").annotate(Count("pk")).order_by():
        # FlatPeak may send any name for a page, so unknown names share one label.
        counts[state, "none" if not route else "other" if row(route).kind is Kind.UNKNOWN else route] += count
    return counts
