"""Whether a price is low, usual or high for its tariff: thresholds from the tariff's own days."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .. import rates
from ..models import RateDay, Tariff
from ..rates import Segment

SPAN, ENOUGH = 30, 7  # days: how far back the thresholds look, and with how many of them
MICROSECOND = timedelta(microseconds=1)


def thresholds(segments: Iterable[Segment]) -> tuple[Decimal, Decimal] | None:
    """A price below the first is low, one above the second is high; None without an exact price.

    A price is low if it lies in the cheapest third of the time, and high if it lies in the dearest third: the middle of the
    time at that price decides. So a night of seven hours is low and its day usual, while a night of twelve hours is low and
    its day high. Between two prices, the threshold is their mean.
    """
    lengths = Counter[Decimal]()
    for segment in segments:
        if segment.confidence > 0:
            lengths[segment.rate] += (segment.end - segment.start) // MICROSECOND
    if not lengths:
        return None
    found, before, total = sorted(lengths), 0, lengths.total()
    low, high = list[Decimal](), list[Decimal]()
    for rate in found:
        place = 2 * before + lengths[rate]  # of 2 * total
        if 3 * place < 2 * total:
            low.append(rate)
        elif 3 * place > 4 * total:
            high.append(rate)
        before += lengths[rate]
    usual = found[len(low) : len(found) - len(high)]
    below = (low[-1] + (usual or high)[0]) / 2 if low else found[0]
    above = ((usual or low)[-1] + high[0]) / 2 if high else found[-1]
    return below, above


def worked_out(tariff: Tariff, segments: Sequence[Segment], days: Sequence[date]) -> list[Any] | None:
    """What `tariff.levels` holds once the rates of today and tomorrow have arrived: `[today, days, below, above]`.

    `days` are today and tomorrow, and `segments` theirs. The thresholds are those of the last 30 days of this contract, or
    of today and tomorrow while fewer than seven are known. One query a day, and one for each answer until then.
    """
    today = days[0]
    known = tariff.levels
    if known and known[0] == today.isoformat() and known[1] >= ENOUGH:
        return known
    start, end = rates.day_span(today, tariff.location.local_zone)
    of_today = rates.clip(segments, start, end)
    since = today - timedelta(days=SPAN - 1)
    past = RateDay.objects.filter(tariff=tariff, former="", day__gte=since, day__lt=today).exclude(segments=[])
    before = [rates.load(stored) for stored in past.values_list("segments", flat=True)]
    number = len(before) + bool(of_today)
    compared = [*of_today, *(segment for day in before for segment in day)] if number >= ENOUGH else segments
    found = thresholds(compared)
    return [today.isoformat(), number, *found] if found else None


def word(tariff: Tariff, rate: Decimal) -> str:
    """low, usual or high; "" while that is not known, and for the price of a tariff that has one price only."""
    if not tariff.levels:
        return ""
    below, above = map(Decimal, tariff.levels[2:])
    if rate < below:
        return "low"
    if rate > above:
        return "high"
    return "usual" if below < above else ""


def pieces(tariff: Tariff, segments: Iterable[Segment]) -> list[tuple[datetime, datetime, str]]:
    """Touching segments of one word as one: its start, its end and the word."""
    found: list[tuple[datetime, datetime, str]] = []
    for segment in segments:
        said = word(tariff, segment.rate)
        if found and found[-1][1] == segment.start and found[-1][2] == said:
            found[-1] = (found[-1][0], segment.end, said)
        else:
            found.append((segment.start, segment.end, said))
    return found
