"""A tariff's part of the rates page, cached as HTML for as long as it would say the same."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from django.core.cache import caches
from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.template.loader import render_to_string
from django.utils.translation import get_language

from ..models import Location, RateDay, Tariff
from ..rates import Segment
from .shown import view_of

finding, locks = threading.Lock(), WeakValueDictionary[UUID, threading.Lock]()  # by tariff, while somebody waits


class Section(NamedTuple):
    """A tariff's answer with its chart, and below other things its tables."""

    html: str
    tables: str
    ahead: list[Segment]  # the prices from now on
    look_again: int | None  # seconds
    one_price: bool
    is_over: bool  # the contract has ended, or has no more prices
    has_ended: bool
    has_prices: bool
    good_until: datetime


def days_around(now: datetime) -> QuerySet[RateDay]:
    """The rates of today and tomorrow in any time zone, where "today" may be a day before or after UTC's."""
    days = [now.date() + timedelta(days=n) for n in (-1, 0, 1, 2)]
    return RateDay.objects.filter(day__in=days).order_by("day")


def section_of(tariff: Tariff, location: Location, now: datetime, tab: str, along: Iterable[Tariff] = ()) -> Section:
    """A tariff's section, by one query if it is not cached, which loads the days of those `along` too.

    The key has the tariff's row, which every answer of FlatPeak changes, and the minute, since the page says times by it.
    """
    key = _key(tariff, location, now, tab)
    if section := _cached(key, now):
        return section
    # When many look at a tariff as the minute turns, one thread makes its section and the others wait for it.
    with finding:
        lock = locks.setdefault(tariff.pk, threading.Lock())
    with lock:
        if not (section := _cached(key, now)):
            prefetch_related_objects([*{tariff, *along}], Prefetch("days", days_around(now)))
            section = _section(tariff, location, now, tab)
            caches["html"].set(key, section, timeout=60)
    return section


def _cached(key: str, now: datetime) -> Section | None:
    found = caches["html"].get(key)
    return found if found and now < found.good_until else None


def _key(tariff: Tariff, location: Location, now: datetime, tab: str) -> str:
    row = [str(getattr(tariff, field.attname)) for field in tariff._meta.concrete_fields]
    facts = row, tariff.is_here, location.currency_code, location.time_zone, get_language(), tab, f"{now:%F %H:%M}"
    return sha256(repr(facts).encode()).hexdigest()


def _section(tariff: Tariff, location: Location, now: datetime, tab: str) -> Section:
    view = view_of(tariff, location, now, tab)
    context = {"view": view, "location": location, "now": now}
    html, tables = (render_to_string(f"tariffs/{name}.html", context) for name in ("_tariff", "_tables"))
    is_over = view["over"] or view["stopped"]
    return Section(
        html,
        tables,
        view["ahead"],
        view["look_again"],
        bool(view["one_price"]),
        is_over,
        view["over"],
        bool(view["days"]),
        view["changes_at"],
    )
