"""The example day of the front page: made-up prices of a market tariff, drawn like a customer's own."""

from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from tariffs import money
from tariffs.rates import Segment, day_span
from tariffs.rates.levels import thresholds
from tariffs.rates.windows import best
from tariffs.screens.chart import chart, heading

DAY, HOUR, STRETCH = date(2026, 11, 25), timedelta(hours=1), timedelta(hours=3)
ENERGY = 20  # kWh, which a car takes in STRETCH


class Place(NamedTuple):
    """Where the day is, and its prices by the hour in hundredths of the currency."""

    city: str
    zone: str
    currency: str
    prices: str


LONDON = Place(
    "London",
    "Europe/London",
    "GBP",
    "16.9 16.1 15.4 14.8 14.6 15.2 18.3 23.7 26.9 25.1 22.4 20.6 19.2 18.7 19.5 22.8 29.4 36.2 38.1 34.6 28.3 23.9 20.4 18.2",
)
PLACES = {
    "de": Place(
        "Berlin",
        "Europe/Berlin",
        "EUR",
        "24.1 23.4 22.9 22.6 22.8 24 27.6 32.9 35.8 33.1 30.2 27.9 26.3 25.7 26.8 30.4 35.9 41.2 42.7 39.4 34 30.1 27.2 25",
    ),
    "fr": Place(
        "Paris",
        "Europe/Paris",
        "EUR",
        "17.2 16.6 15.9 15.3 15.2 16.4 19.8 24.4 26.1 23.9 21.7 20.3 19.6 18.9 19.2 21.5 25.6 30.7 31.9 29.2 24.9 21.8 19 18",
    ),
}


@lru_cache(maxsize=16)
def example(language: str) -> dict[str, Any]:
    """A day where the language is spoken, with its cheapest and its most expensive time; cached, as it never changes."""
    place = PLACES.get(language, LONDON)
    zone = ZoneInfo(place.zone)
    start, end = day_span(DAY, zone)
    segments = [
        Segment(start + HOUR * n, start + HOUR * (n + 1), Decimal(price).scaleb(-2))
        for n, price in enumerate(place.prices.split())
    ]
    lowest, highest = (best(segments, STRETCH, start, end, dearest) for dearest in (False, True))
    below, above = thresholds(segments) or (segments[0].rate, segments[0].rate)
    named = (lowest.start, lowest.end, gettext("cheapest")) if lowest else None

    def word(rate: Decimal) -> str:
        return "low" if rate < below else "high" if rate > above else "usual"

    costs = [money.cost(ENERGY * window.mean, place.currency) for window in (lowest, highest) if window]
    return {
        "city": place.city,
        "zone": zone,
        "currency": place.currency,
        "day": DAY,
        "segments": segments,
        "chart": chart(segments, start, end, zone, place.currency, end, word, named),
        "heading": heading(segments, zone),
        "lowest": lowest,
        "highest": highest,
        "energy": ENERGY,
        "low": costs[0],
        "high": costs[-1],
    }
