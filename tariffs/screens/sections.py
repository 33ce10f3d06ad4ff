"""A tariff's part of the rates page, kept as HTML for as long as it would say the same."""

import threading
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from django.core.cache import BaseCache, caches
from django.db.models import Prefetch, prefetch_related_objects
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.translation import get_language

from ..models import Location, RateDay, Tariff
from .shown import view_of

finding, locks = threading.Lock(), WeakValueDictionary[UUID, threading.Lock]()  # one for each location in view


class Section(NamedTuple):
    html: str
    look_again: int | None  # seconds
    is_wrong: bool  # whether the query was
    is_over: bool  # whether the contract was, or has no more prices
    good_until: datetime


def days_around(now: datetime) -> Prefetch:
    """The stored rates of today and tomorrow, wherever a location is: "today" is within a day of UTC's."""
    days = [now.date() + timedelta(days=n) for n in (-1, 0, 1, 2)]
    return Prefetch("days", RateDay.objects.filter(day__in=days).order_by("day"))


def sections(location: Location, now: datetime, query: QueryDict) -> list[tuple[Tariff, Section]]:
    """Each tariff of a location with its section; for those that are not kept, one query in all.

    A tariff's row changes with every answer of FlatPeak's, so what was made of an older one is not found. The page says
    times by the minute. An answer to a question of the customer's own is not kept: there are too many of those.
    """
    tariffs = list(location.tariffs.all())
    keys = {tariff: _key(tariff, location, now) for tariff in tariffs if query.get("direction") != tariff.direction}
    known = _kept(keys, now)
    if len(known) == len(tariffs):
        return [(tariff, known[tariff]) for tariff in tariffs]
    with lock_of(location):
        known = _kept(keys, now)
        missing = [tariff for tariff in tariffs if tariff not in known]
        prefetch_related_objects(missing, days_around(now))
        made = {tariff: _section(tariff, location, now, query) for tariff in missing}
        pages().set_many({keys[tariff]: section for tariff, section in made.items() if tariff in keys}, timeout=60)
    return [(tariff, (known | made)[tariff]) for tariff in tariffs]


def lock_of(location: Location) -> threading.Lock:
    """When many look at a location as the minute turns, one thread makes its sections and the others find them."""
    with finding:
        return locks.setdefault(location.pk, threading.Lock())


def pages() -> BaseCache:
    return caches["html"]


def _kept(keys: dict[Tariff, str], now: datetime) -> dict[Tariff, Section]:
    found = pages().get_many(keys.values())
    return {tariff: section for tariff, key in keys.items() if (section := found.get(key)) and now < section.good_until}


def _key(tariff: Tariff, location: Location, now: datetime) -> str:
    row = [str(getattr(tariff, field.attname)) for field in tariff._meta.concrete_fields]
    facts = row, tariff.is_here, location.currency_code, location.time_zone, get_language(), f"{now:%F %H:%M}"
    return sha256(repr(facts).encode()).hexdigest()


def _section(tariff: Tariff, location: Location, now: datetime, query: QueryDict) -> Section:
    view = view_of(tariff, location, now, query)
    html = render_to_string("tariffs/_tariff.html", {"view": view, "location": location, "now": now})
    is_wrong = bool(view["asked"] and view["asked"]["form"].errors)
    return Section(html, view["look_again"], is_wrong, view["over"] or view["stopped"], view["changes_at"])
