"""Metrics for Prometheus: requests and calls as the processes counted them, everything else from the database."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

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

OVERDUE = timedelta(minutes=10)
FAILING = timedelta(hours=1)


def exposition() -> bytes:
    """All metrics in Prometheus's text format, with the counts of all workers of this gunicorn."""
    shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # by gunicorn.conf.py
    counted = MultiProcessCollector(None) if shared else REGISTRY
    return generate_latest(counted) + generate_latest(Stored())


class Stored(Collector):
    """Metrics of the database and the cache, read at each scrape; left out while the database does not answer."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        breaker = GaugeMetricFamily(
            "flatpeak_breaker_open", "Whether a host of FlatPeak's does not answer, and is left alone.", labels=["host"]
        )
        for host, silent in flatpeak.silent().items():
            breaker.add_metric([host], silent)
        yield breaker
        try:
            yield from [sessions(), exchanges(), erasures(), rates()]
        except Error as error:
            logger.warning("metrics without the database (%s)", type(error).__name__)


def sessions() -> GaugeMetricFamily:
    metric = GaugeMetricFamily(
        "connect_sessions",
        "Connect sessions begun in the last 24 hours, by state and by the last page that Connect sent.",
        labels=["state", "route"],
    )
    begun = ConnectSession.objects.here().filter(started_at__gte=timezone.now() - timedelta(days=1))
    counts = Counter[tuple[str, str]]()
    for state, route, count in begun.values_list("state", "last_route").annotate(Count("pk")).order_by():
        # FlatPeak may send any name; the number of series has to be bounded.
        counts[state, "none" if not route else "other" if row(route).kind is Kind.UNKNOWN else route] += count
    for labels, count in counts.items():
        metric.add_metric(labels, count)
    return metric


def exchanges() -> GaugeMetricFamily:
    owed = ConnectSession.objects.here().filter(state=ConnectSession.State.OWED)
    return GaugeMetricFamily("connect_exchanges_owed", "Exchanges that FlatPeak owes.", owed.count())


def erasures() -> GaugeMetricFamily:
    owed = Erasure.objects.here().filter(done_at=None)
    return GaugeMetricFamily("erasures_owed", "Deletions that FlatPeak has still to make.", owed.count())


def rates() -> GaugeMetricFamily:
    metric = GaugeMetricFamily(
        "tariff_rates_stale",
        "Tariffs whose rates were due 10 minutes ago and not asked for, or were not given for an hour.",
        labels=["reason"],
    )
    now, tariffs = timezone.now(), Tariff.objects.here().exclude(state=Tariff.State.DISCONNECTED)
    failing = tariffs.filter(rates=Tariff.Rates.FAILING, rates_since__lte=now - FAILING).exclude(last_result__in=NONE)
    metric.add_metric(["overdue"], tariffs.filter(due_at__lte=now - OVERDUE).count())
    metric.add_metric(["failing"], failing.count())
    return metric
