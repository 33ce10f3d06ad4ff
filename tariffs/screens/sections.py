"""Parts of the rates page, cached as HTML for as long as they would say the same."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from django.core.cache import caches
from django.db.models import Model, Prefetch, QuerySet, prefetch_related_objects
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language

from ..appliances import appliances_of
from ..models import Location, RateDay, Tariff
from ..rates import Segment
from ..rates.outlook import segments_of
from .planner import planner
from .shown import first_of, view_of

finding, locks = threading.Lock(), WeakValueDictionary[UUID, threading.Lock]()  # by tariff, while somebody waits


class Plan(NamedTuple):
    """ "When should I run it?"."""

    html: str
    good_until: datetime


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


Part = TypeVar("Part", Plan, Section)


def days_around(now: datetime) -> QuerySet[RateDay]:
    """The rates of today and tomorrow in any time zone, where "today" may be a day before or after UTC's."""
    days = [now.date() + timedelta(days=n) for n in (-1, 0, 1, 2)]
    return RateDay.objects.filter(day__in=days).order_by("day")


def section_of(tariff: Tariff, location: Location, now: datetime, tab: str, along: Iterable[Tariff] = ()) -> Section:
    """A tariff's section, by one query if it is not cached, which loads the days of those `along` too."""

    def make() -> Section:
        prefetch_related_objects([*{tariff, *along}], Prefetch("days", days_around(now)))
        return _section(tariff, location, now, tab)

    return _cached([tariff], location, now, tab, make)


def plan_of(
    user: Any, location: Location, tariff: Tariff, along: Iterable[Tariff], section: Section, wanted: str, now: datetime
) -> Plan:
    """The best time to run something, `wanted` by its key: at the section's prices of what the customer buys.

    One query for the customer's appliances, and another one if it is not cached and what is sold `along` is not loaded.
    Without a user there are the usual appliances and no link to their form.
    """
    known = appliances_of(user)
    wanted = wanted if wanted in known else next(iter(known))

    def make() -> Plan:
        plan = planner(known, wanted, location, tariff, section.ahead, sold_at(along, now), now)
        form = reverse("tariffs:run", args=[location.pk]) if user else ""
        html = render_to_string("tariffs/_planner.html", {"plan": plan, "form": form})
        return Plan(html, first_of(plan["moments"], now, location.local_zone))

    return _cached([tariff, *along], location, now, (_rows(known.values()), wanted, bool(user)), make)


def sold_at(tariffs: Iterable[Tariff], now: datetime) -> list[Segment]:
    """The known prices at which the location sells, from now on; by one query, unless the days are loaded."""
    sells = [tariff for tariff in tariffs if tariff.direction == "EXPORT" and tariff.is_read]
    prefetch_related_objects(sells, Prefetch("days", days_around(now)))
    return [s for tariff in sells for s in segments_of(tariff.days.all()) if s.end > now]


def _cached(tariffs: Sequence[Tariff], location: Location, now: datetime, what: Any, make: Callable[[], Part]) -> Part:
    """What was made of the tariffs in this minute, or is made now.

    The key has the tariffs' rows, which every answer of FlatPeak changes, and the minute, since the page says times by it.
    """
    place = tariffs[0].is_here, location.currency_code, location.time_zone, get_language()
    key = sha256(repr((_rows(tariffs), place, what, f"{now:%F %H:%M}")).encode()).hexdigest()

    def found() -> Part | None:
        part = caches["html"].get(key)
        return part if part and now < part.good_until else None

    if part := found():
        return part
    # When many look at a tariff as the minute turns, one thread makes the part and the others wait for it.
    with finding:
        lock = locks.setdefault(tariffs[0].pk, threading.Lock())
    with lock:
        if not (part := found()):
            part = make()
            caches["html"].set(key, part, timeout=60)
    return part


def _rows(models: Iterable[Model]) -> list[list[str]]:
    return [[str(getattr(each, field.attname)) for field in each._meta.concrete_fields] for each in models]


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
