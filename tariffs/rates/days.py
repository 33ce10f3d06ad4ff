"""Rates of other days than today and tomorrow: fetched when somebody looks, and stored."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo

from django.core.cache import cache
from django.db import transaction

from .. import flatpeak, rates
from ..models import RateDay, Tariff

REFUSED = 60  # seconds until the next call after a refusal without Retry-After
NONE_YET = ("pending_connect", "no_tariff_connected", "no_price_data")  # codes of an answer without rates
MINUTE, QUARTER, DAY, WEEK = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1), timedelta(days=7)
LONGEST = timedelta(days=90)  # of one answer
Known = Sequence[rates.Segment] | None  # None if FlatPeak had no answer yet


def fetch(tariff: Tariff, days: Sequence[date], now: datetime) -> bool:
    """Fetch and store those of the days that are due or missing; raises FlatPeakError.

    True if somebody else is fetching them at this moment. Today and tomorrow are left to `refresh`.
    """
    zone = tariff.location.local_zone
    today = now.astimezone(zone).date()
    others = [day for day in days if day not in (today, today + timedelta(days=1))]
    known = {day.day: day for day in RateDay.objects.filter(tariff=tariff, day__in=others)}
    missing = [day for day in others if day not in known or ((due := known[day].ask_at) and due <= now)]
    if not missing or not tariff.is_read or not tariff.location.zone:
        return False
    questions = in_one_answer(missing, zone)
    key = f"rates-of:{tariff.pk}:{tariff.version}:{missing[0]}:{missing[-1]}"
    if not cache.add(key, "asking", 3 * flatpeak.total_timeout() * len(questions)):
        if cache.get(key) == "refused":
            raise flatpeak.Unavailable("rates: refused a moment ago")
        return True
    pause = 0.0
    try:
        for question in questions:
            _ask(tariff, question, known, now)
    except flatpeak.Rejected as error:
        pause = error.retry_after or REFUSED
        raise
    finally:
        cache.set(key, "refused", pause)  # a pause of 0 deletes the key
    return False


def in_one_answer(days: Sequence[date], zone: tzinfo) -> list[list[date]]:
    """Split days, in order, into calls that FlatPeak accepts: 90 days with a 25-hour day are too long for one."""
    questions: list[list[date]] = []
    for day in days:
        if not questions or rates.day_span(day, zone)[1] - rates.day_span(questions[-1][0], zone)[0] > LONGEST:
            questions.append([])
        questions[-1].append(day)
    return questions


def _ask(tariff: Tariff, days: Sequence[date], known: Mapping[date, RateDay], now: datetime) -> None:
    zone = tariff.location.local_zone
    span = rates.day_span(days[0], zone)[0], rates.day_span(days[-1], zone)[1]
    segments, dropped = None, 0
    try:
        answer = flatpeak.rates(tariff.location.location_id, *span, tariff.direction)
        segments, dropped = rates.read(answer["data"])
    except flatpeak.Rejected as error:
        if error.code not in NONE_YET:
            raise
    with transaction.atomic():
        # Not if the customer has changed or deleted it since it was read; the lock holds until the rows are stored.
        if Tariff.objects.select_for_update().filter(pk=tariff.pk, version=tariff.version).exists():
            newer = tariff.days.filter(day__in=days, fetched_at__gt=now).values_list("day", flat=True)
            days = [day for day in days if day not in set(newer)]
            store(tariff, days, segments, now, {day: row.since for day, row in known.items()}, bool(dropped))


def ask_again_at(
    segments: Known, span: Sequence[datetime], since: datetime, now: datetime, spoilt: bool = False
) -> datetime | None:
    """When to fetch a day again that was first fetched at `since`; None if never.

    A day is final if it is no estimate, and complete or over. A week after its end it is final anyway. `segments` is None
    if FlatPeak had no answer yet. Of one that is `spoilt`, a part could not be read, so a gap does not tell anything.
    """
    start, end = span
    if segments is not None and all(s.confidence >= 1 for s in segments):
        whole = sum((s.end - s.start for s in segments), timedelta()) == end - start
        if whole or (now >= end and not spoilt):
            return None
    if now < end:
        return now + QUARTER
    waited = now - max(since, end)
    if waited >= WEEK:
        return None
    return now + (MINUTE if waited < 10 * MINUTE else min(max(waited, QUARTER), DAY))


def close(tariff: Tariff, now: datetime) -> None:
    """The customer changes the tariff: keep its past days under the old name, and delete today and later."""
    today = now.astimezone(tariff.location.local_zone).date()
    tariff.days.filter(day__gte=today).delete()
    tariff.days.filter(former="").update(former=str(tariff), ask_at=None)


def store(
    tariff: Tariff,
    days: Sequence[date],
    segments: Known,
    now: datetime,
    since: Mapping[date, datetime] = {},
    spoilt: bool = False,
) -> None:
    """Store the rates of each of the days, in place of older ones, by one query.

    `since` has the first fetch of days that were fetched before. Without segments only the time of the next fetch changes.
    The caller has checked, in the same transaction, that the tariff did not change during the call.
    """
    zone, rows = tariff.location.local_zone, []
    all_have = {"tariff": tariff, "fetched_at": now, "tiered": tariff.tiered}
    for day in days:
        span, first = rates.day_span(day, zone), since.get(day, now)
        found = None if segments is None else rates.clip(segments, *span)
        again = ask_again_at(found, span, first, now, spoilt)
        rows.append(RateDay(day=day, segments=rates.dump(found or []), since=first, ask_at=again, **all_have))
    RateDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["tariff", "day"],
        update_fields=["ask_at"] if segments is None else ["segments", "fetched_at", "ask_at", "tiered"],
    )
