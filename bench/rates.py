"""The rates page, many views while rates become due, and `refresh_rates`."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from .load import per_second, ratio, views
from .site import Row, Site


def pages(site: Site, quick: bool) -> Iterator[Row]:
    """Compare the page with an empty page, for the same signed-in customer."""
    paths = {"nothing": "/bench/nothing/", "frame": "/bench/frame/", "rates": site.location}
    with site.sandbox(), site.app():
        found = per_second(site.port, paths, site.cookie, rounds=1 if quick else 10, seconds=0.2 if quick else 1)
    for floor, words in (("frame", "a page with head and menu alone"), ("nothing", "an answer of two letters")):
        middle, low, high = ratio(found, "rates", floor)
        yield (
            f"Requests per second, rates page : {words}",
            f"{middle:.2f} ({low:.2f} to {high:.2f}; {median(found['rates']):.0f} : {median(found[floor]):.0f})",
            "≥ 0.5" if floor == "frame" else "",
        )


def segments(site: Site, quick: bool) -> Iterator[Row]:
    """Measure how the work for an uncached page, and its chart, grow with the number of segments."""
    from django.db import transaction

    with transaction.atomic():
        yield from _segments(site, quick)
        transaction.set_rollback(True)  # the next measures use FlatPeak's rates


def fill(tariff: Any, days: list[date], count: int, now: datetime) -> list[Any]:
    """Store `count` prices over some days, each another one, and return their segments."""
    from tariffs import rates
    from tariffs.rates import days as history

    zone = tariff.location.local_zone
    start, end = rates.day_span(days[0], zone)[0], rates.day_span(days[-1], zone)[1]
    step = (end - start) / count
    prices = (Decimal(1000 + n * 7919 % 3000) / 10000 for n in range(count))
    series = [rates.Segment(start + n * step, start + (n + 1) * step, each) for n, each in enumerate(prices)]
    history.store(tariff, days, series, now)
    return series


def _segments(site: Site, quick: bool) -> Iterator[Row]:
    from django.template.loader import render_to_string
    from django.utils import timezone

    from tariffs.models import RateDay, Tariff
    from tariffs.screens.sections import _section
    from tariffs.screens.shown import history_of

    tariff = Tariff.objects.select_related("location").get(pk=site.tariff)
    zone, now = tariff.location.local_zone, timezone.now()
    monday = now.astimezone(zone).date() - timedelta(days=now.astimezone(zone).date().weekday())

    def cost(work: Callable[[], object]) -> float:
        took = []
        for _ in range(1 if quick else 7):
            begin = time.process_time()
            work()
            took.append(time.process_time() - begin)
        return min(took)

    per_segment = {}
    for count in (24, 96, 288, 2016):
        today = now.astimezone(zone).date()
        fill(tariff, [today, today + timedelta(days=1)], count, now)
        prefetched = Tariff.objects.prefetch_related("days").get(pk=site.tariff)
        took = cost(lambda prefetched=prefetched: _section(prefetched, tariff.location, now, "today"))  # type: ignore[misc]
        per_segment[count] = took / count
        yield f"Making the page's prices, {count} segments", f"{1000 * took:.1f} ms of CPU", ""
    yield (
        "CPU per segment, 2,016 segments : 288",
        f"{per_segment[2016] / per_segment[288]:.2f}",
        "≤ 1 (nothing worse than linear)",
    )
    for count in (48, 288):
        fill(tariff, [monday], count, now)
        view = history_of(tariff, list(RateDay.objects.filter(tariff=tariff, day=monday)), [monday], [], now)
        context = {"chart": view["chart"], "currency": "GBP", "zone": zone, "heading": "The day", "hatch": "x"}
        size = len(render_to_string("tariffs/_chart.html", context).encode())
        yield f"A day's chart of {count} segments", f"{size / 1000:.1f} KB", "< 60 KB"


def due(site: Site, quick: bool) -> Iterator[Row]:
    """Let many look at one location while its rates become due and FlatPeak takes half a second to answer."""
    from django.utils import timezone

    from tariffs.models import Tariff

    viewers = 150 if quick else 500
    with site.sandbox(), site.app():
        before = site.control(switches={"delay_ms": 500})["counts"].get("rates", 0)
        left = iter(range(viewers))
        Tariff.objects.update(due_at=timezone.now() + timedelta(seconds=0.5))
        seen = views(site.port, site.location, site.cookie, 50, lambda: next(left, None) is not None, pause=0.2)
        calls = site.control(switches={"delay_ms": 0})["counts"]["rates"] - before
    slow = sorted((view.seconds for view in seen), reverse=True)
    failed = sum(view.status != 200 for view in seen)
    yield f"{viewers} views, 50 at a time, while the rates fall due: calls to FlatPeak", str(calls), "1"
    yield "… views that failed", str(failed), "0"
    yield (
        "… the slowest, the second slowest, the median view",
        " / ".join(f"{1000 * each:.0f} ms" for each in (slow[0], slow[1], median(slow))),
        "one waits the 500 ms of FlatPeak",
    )


def refresh_rates(site: Site, quick: bool) -> Iterator[Row]:
    """Run the command over many due tariffs: its time against the waiting alone, and its memory."""
    from django.utils import timezone

    from tariffs.models import Tariff

    count, delay, concurrency = 40 if quick else 1000, 100, 8
    site.copy_location(count - 1)
    memory = {}
    with site.sandbox():
        site.control(switches={"delay_ms": delay})
        for due_now in (count // 4, count):
            Tariff.objects.update(due_at=timezone.now() + timedelta(days=1))
            Tariff.objects.filter(pk__in=Tariff.objects.values("pk")[:due_now]).update(due_at=timezone.now())
            begin = time.perf_counter()
            command = [sys.executable, "manage.py", "refresh_rates", "--jitter", "0", "--concurrency", str(concurrency)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            said = process.stdout.read() if process.stdout else ""
            memory[due_now] = os.wait4(process.pid, 0)[2].ru_maxrss
            took = time.perf_counter() - begin
            assert said == f"rates: {due_now} tried, 0 failed, 0 left\n", said
        site.control(switches={"delay_ms": 0})
    ideal = count * delay / 1000 / concurrency
    yield (
        f"refresh_rates, {count} tariffs, {delay} ms per answer, {concurrency} at a time: share of what waiting alone allows",
        f"{ideal / took:.2f} ({took:.1f} s)",
        "≥ 0.8",
    )
    yield (
        f"… its memory at most, {count} tariffs : {count // 4}",
        f"{memory[count] / memory[count // 4]:.2f} ({memory[count] / 1024:.0f} MB)",
        "≤ 1.1 (flat)",
    )
