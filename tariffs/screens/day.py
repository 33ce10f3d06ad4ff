"""A local day of a tariff in rows, and figures about its prices."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from operator import mul
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .. import rates
from ..rates import Segment

MICROSECOND, HOUR = timedelta(microseconds=1), timedelta(hours=1)
MOST_PERIODS = 3


class Gap(NamedTuple):
    """A time without a known rate, before or between others."""

    start: datetime
    end: datetime


class Day(NamedTuple):
    """One local day in rows. `known_until` is None if the day is known to its end, or not at all."""

    date: date
    past: list[Segment | Gap]
    rows: list[Segment | Gap]  # without those of the past
    known_until: datetime | None
    has_carbon: bool
    change: timedelta  # its length minus 24 hours

    @property
    def all_rows(self) -> list[Segment | Gap]:
        return self.past + self.rows


class Period(NamedTuple):
    """A price by local time of day. It applies around the clock where `start` is `end`."""

    start: time
    end: time
    rate: Decimal


def day_of(segments: Sequence[Segment], day: date, zone: ZoneInfo, now: datetime) -> Day:
    """A local day, its rows joined where price, confidence and carbon are equal."""
    start, end = rates.day_span(day, zone)
    known = rates.joined(rates.clip(segments, start, end))
    rows: list[Segment | Gap] = []
    last = start
    for segment in known:
        if segment.start > last:
            rows.append(Gap(last, segment.start))
        rows.append(segment)
        last = segment.end
    return Day(
        day,
        [row for row in rows if row.end <= now],
        [row for row in rows if row.end > now],
        last if start < last < end else None,
        any(s.carbon is not None for s in known),
        end - start - timedelta(days=1),
    )


def by_hour(day: Day, zone: ZoneInfo) -> list[Segment]:
    """The mean price of each hour of the local clock, equal neighbours joined; empty if no price is shorter than an hour."""
    known = [row for row in day.all_rows if isinstance(row, Segment)]
    if all(row.end - row.start >= HOUR for row in known):
        return []
    hours = list[Segment]()
    start = rates.day_span(day.date, zone)[0]
    for n in range(25):
        found = rates.clip(known, start + n * HOUR, start + (n + 1) * HOUR)
        if (mean := figures(found)[0]) is not None:
            sure = min(s.confidence for s in found)
            hours.append(Segment(found[0].start, found[-1].end, mean, sure))
    return rates.joined(hours)


def figures(segments: Sequence[Segment]) -> tuple[Decimal, Decimal, Decimal] | tuple[None, None, None]:
    """The time-weighted mean price of a kWh, the lowest price and the highest; None without a rate."""
    if not segments:
        return None, None, None
    lengths, found = [(s.end - s.start) // MICROSECOND for s in segments], [s.rate for s in segments]
    return sum(map(mul, lengths, found), Decimal(0)) / sum(lengths), min(found), max(found)


def carbon_of(segments: Sequence[Segment]) -> Decimal | None:
    """The time-weighted mean of the carbon that is known, in whole gCO2/kWh; None if none is."""
    known = [s._replace(rate=s.carbon) for s in segments if s.carbon is not None]
    mean = figures(known)[0]
    return None if mean is None else mean.quantize(Decimal(1), ROUND_HALF_UP)


def periods(segments: Sequence[Segment], dates: Sequence[date], zone: ZoneInfo) -> list[Period]:
    """The prices by time of day, if every day has the same and they are few; else none."""
    first, *others = [_periods(segments, day, zone) for day in dates]
    return first if all(found == first for found in others) else []


def _periods(segments: Sequence[Segment], day: date, zone: ZoneInfo) -> list[Period]:
    start, end = rates.day_span(day, zone)
    rows = rates.clip(segments, start, end)
    whole = rows and rows[0].start == start and rows[-1].end == end
    if not whole or any(a.end != b.start for a, b in pairwise(rows)) or len(rows) > MOST_PERIODS + 1:
        return []
    local = [Period(s.start.astimezone(zone).time(), s.end.astimezone(zone).time(), s.rate) for s in rows]
    if len(local) > 1 and local[0].rate == local[-1].rate:  # a night across midnight is one period
        local = [*local[1:-1], local[-1]._replace(end=local[0].end)]
    return local if len(local) <= MOST_PERIODS else []
