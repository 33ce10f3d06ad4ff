"""A tariff's part of the rates page, cached as HTML for as long as it would say the same."""

import threading
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from django.core.cache import caches
from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.translation import get_language

from ..models import Location, RateDay, Tariff
from .shown import view_of

finding, locks = threading.Lock(), WeakValueDictionary[UUID, threading.Lock]()  # by location, while somebody waits


class Section(NamedTuple):
    html: str
    look_again: int | None  # seconds
    is_wrong: bool  # the customer's question has an error
    is_over: bool  # the contract has ended, or has no more prices
    has_prices: bool
    good_until: datetime


def days_around(now: datetime) -> QuerySet[RateDay]:
    """The rates of today and tomorrow in any time zone, where "today" may be a day before or after UTC's."""
    days = [now.date() + timedelta(days=n) for n in (-1, 0, 1, 2)]
    return RateDay.objects.filter(day__in=days).order_by("day")


def sections(
    location: Location, tariffs: list[Tariff], now: datetime, query: QueryDict
) -> list[tuple[Tariff, Section]]:
    """Each tariff of a location with its section; one query for all that are not cached.

    The key has the tariff's row, which every answer of FlatPeak changes, and the minute, since the page says times by it.
    The answer to a customer's own question is not cached, because there are too many of those.
    """
    keys = {tariff: _key(tariff, location, now) for tariff in tariffs if query.get("direction") != tariff.direction}
    known = _cached(keys, now)
    if len(known) == len(tariffs):
        return [(tariff, known[tariff]) for tariff in tariffs]
    # When many look at a location as the minute turns, one thread makes its sections and the others wait for them.
    with finding:
        lock = locks.setdefault(location.pk, threading.Lock())
    with lock:
        known = _cached(keys, now)
        missing = [tariff for tariff in tariffs if tariff not in known]
        prefetch_related_objects(missing, Prefetch("days", days_around(now)))
        made = {tariff: _section(tariff, location, now, query) for tariff in missing}
        caches["html"].set_many({key: made[tariff] for tariff, key in keys.items() if tariff in made}, timeout=60)
    return [(tariff, (known | made)[tariff]) for tariff in tariffs]


def _cached(keys: dict[Tariff, str], now: datetime) -> dict[Tariff, Section]:
    found = caches["html"].get_many(keys.values())
    return {tariff: section for tariff, key in keys.items() if (section := found.get(key)) and now < section.good_until}


def _key(tariff: Tariff, location: Location, now: datetime) -> str:
    row = [str(getattr(tariff, field.attname)) for field in tariff._meta.concrete_fields]
    facts = row, tariff.is_here, location.currency_code, location.time_zone, get_language(), f"{now:%F %H:%M}"
    return sha256(repr(facts).encode()).hexdigest()


def _section(tariff: Tariff, location: Location, now: datetime, query: QueryDict) -> Section:
    view = view_of(tariff, location, now, query)
    html = render_to_string("tariffs/_tariff.html", {"view": view, "location": location, "now": now})
    is_wrong = bool(view["asked"] and view["asked"]["form"].errors)
    is_over = view["over"] or view["stopped"]
    return Section(html, view["look_again"], is_wrong, is_over, bool(view["days"]), view["changes_at"])
