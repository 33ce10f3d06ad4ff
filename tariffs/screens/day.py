"""A local day of a tariff in rows, and figures about its prices."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import mul
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .. import rates
from ..models import RateDay
from ..rates import Segment

MICROSECOND = timedelta(microseconds=1)
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


def segments_of(days: Iterable[RateDay]) -> list[Segment]:
    return [segment for day in days for segment in rates.load(day.segments)]


def without_carbon(segments: Iterable[Segment]) -> list[Segment]:
    """The segments, joined where only their carbon differs, since a price or a chart does not show it."""
    return rates.joined(s._replace(carbon=None) for s in segments)


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


def level(current: Segment | None, today: Sequence[Segment]) -> str:
    """The third of the day's range in which the price now is: low, middle or high; "" without a range."""
    found = [s.rate for s in today]
    if not current or min(found) == max(found):
        return ""
    lowest, highest = min(found), max(found)
    place = (current.rate - lowest) / (highest - lowest)
    return "low" if place * 3 < 1 else "high" if place * 3 > 2 else "middle"


def figures(segments: Sequence[Segment]) -> tuple[Decimal, Decimal, Decimal] | tuple[None, None, None]:
    """The time-weighted mean price of a kWh, the lowest price and the highest; None without a rate."""
    if not segments:
        return None, None, None
    lengths, found = [(s.end - s.start) // MICROSECOND for s in segments], [s.rate for s in segments]
    return sum(map(mul, lengths, found), Decimal(0)) / sum(lengths), min(found), max(found)


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
