"""Rates of other days than today and tomorrow: asked for when somebody looks, and kept."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.core.cache import cache

from . import flatpeak, rates
from .models import RateDay, Tariff
from .page import is_read, zone_of

AGAIN = 15 * 60  # seconds between two questions for the same days, whoever asks
REFUSED = 60  # seconds that FlatPeak is left alone after it refused one, if it does not say itself


def fetch(tariff: Tariff, days: Sequence[date], now: datetime) -> None:
    """Ask for those of some days that are not known whole, in one call, and store them. Raises FlatPeakError.

    A past day is asked for once, be there rates for it or not: it does not change any more. Today and tomorrow are left
    to `refresh`, which knows when FlatPeak has something new.
    """
    zone = zone_of(tariff.location)
    today = now.astimezone(zone).date()
    others = [day for day in days if day not in (today, today + timedelta(days=1))]
    known = {day.day: day for day in RateDay.objects.filter(tariff=tariff, day__in=others)}
    missing = [day for day in others if not is_final(known.get(day), *rates.day_span(day, zone))]
    if not missing or not is_read(tariff) or not tariff.location.time_zone:
        return
    key = f"rates-of:{tariff.pk}:{missing[0]}:{missing[-1]}"
    if not cache.add(key, "asked", AGAIN):
        if cache.get(key) == "refused":
            raise flatpeak.Unavailable("GET /tariffs/rates: refused a moment ago")
        return
    span = rates.day_span(missing[0], zone)[0], rates.day_span(missing[-1], zone)[1]
    try:
        answer = flatpeak.rates(tariff.location.location_id, *span, tariff.direction)
    except flatpeak.Unavailable:
        cache.delete(key)  # whoever presses again asks again
        raise
    except flatpeak.Rejected as error:
        if error.status == 422:  # it was asked, and has none
            return
        cache.set(key, "refused", error.retry_after or REFUSED)
        raise
    store(tariff, missing, rates.parse(answer["data"]), now)


def is_final(day: RateDay | None, start: datetime, end: datetime) -> bool:
    """Whether a day is known whole, or was asked for after it was over."""
    if day is None:
        return False
    segments = rates.load(day.segments)
    whole = sum((s.end - s.start for s in segments), timedelta()) == end - start
    return day.fetched_at >= end or whole


def store(tariff: Tariff, days: Sequence[date], segments: Sequence[rates.Segment], now: datetime) -> None:
    """Store what is known of each of some days, instead of what was known before; in one query."""
    zone = zone_of(tariff.location)
    RateDay.objects.bulk_create(
        [
            RateDay(
                tariff=tariff,
                day=day,
                segments=rates.dump(rates.clip(segments, *rates.day_span(day, zone))),
                fetched_at=now,
            )
            for day in days
        ],
        update_conflicts=True,
        unique_fields=["tariff", "day"],
        update_fields=["segments", "fetched_at"],
    )
