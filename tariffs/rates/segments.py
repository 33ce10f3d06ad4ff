"""Rates as plain data: no database, no request, no FlatPeak.

Instants are aware datetimes in UTC; local time appears only where a day is cut or something is shown. Rates are
Decimal, in major currency units per kWh.
"""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from ..flatpeak.values import instant, number

logger = logging.getLogger(__name__)


class Segment(NamedTuple):
    """One rate from `start` to `end`. `confidence` is 0 to 1; `carbon` is gCO2/kWh, None when not known."""

    start: datetime
    end: datetime
    rate: Decimal
    confidence: Decimal = Decimal(1)
    carbon: Decimal | None = None


def parse(entries: Any) -> list[Segment]:
    return read(entries)[0]


def read(entries: Any) -> tuple[list[Segment], int]:
    """Read FlatPeak's `[{valid_from, valid_to, tariff: {rate, confidence}, carbon: {intensity}}]`, sorted by start.

    A price stands under `price.value` in anode, under `tariff.cost` on a summary, and elsewhere under `price.rate` too.
    Entries that are no segment are dropped, and counted in the log and the result. Where two overlap, the one that starts
    later holds.
    """
    entries = entries if isinstance(entries, list) else []
    found = [segment for entry in entries if (segment := _segment(entry))]
    dropped = len(entries) - len(found)
    if dropped:
        logger.warning("%s of %s rate segments were unusable", dropped, len(entries))
    return _apart(sorted(found, key=lambda segment: segment.start)), dropped


def _apart(segments: Sequence[Segment]) -> list[Segment]:
    """Cut segments, sorted by start, so that none overlaps a later one."""
    if all(a.end <= b.start for a, b in pairwise(segments)):
        return list(segments)
    parts: list[Segment] = []
    begun, under_way, last = deque(segments), list[Segment](), None
    for start, end in pairwise(sorted({edge for segment in segments for edge in segment[:2]})):
        while begun and begun[0].start <= start:
            under_way.append(begun.popleft())
        while under_way and under_way[-1].end <= start:
            under_way.pop()
        holds = under_way[-1] if under_way else None
        if holds and holds is last:
            parts[-1] = parts[-1]._replace(end=end)
        elif holds:
            parts.append(holds._replace(start=start, end=end))
        last = holds
    return parts


def _segment(entry: Any) -> Segment | None:
    try:
        price, carbon = entry["price"] if "price" in entry else entry["tariff"], entry.get("carbon") or {}
        start, end = instant(entry["valid_from"]), instant(entry["valid_to"])
        rate = number(next(price[name] for name in ("value", "rate", "cost") if name in price))
        confidence = number(price.get("confidence", 1))
        intensity = number(carbon.get("intensity"))
    except (KeyError, StopIteration, TypeError, ValueError, AttributeError, OverflowError):
        return None
    if rate is None or start >= end:
        return None
    return Segment(start, end, rate, Decimal(0) if confidence is None else confidence, intensity)


def dump(segments: Iterable[Segment]) -> list[list[Any]]:
    """How a day is stored: `[start, end, rate, confidence, carbon]` for each segment, times as RFC 3339 in UTC."""
    return [[s.start.isoformat(), s.end.isoformat(), s.rate, s.confidence, s.carbon] for s in segments]


def load(rows: Iterable[Sequence[Any]]) -> list[Segment]:
    moment = datetime.fromisoformat
    return [
        Segment(moment(start), moment(end), Decimal(rate), Decimal(confidence), number(carbon))
        for start, end, rate, confidence, carbon in rows
    ]


def day_span(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The instants at which a local day begins and ends: 23, 24 or 25 hours apart, or half an hour off that."""
    # If the clock skips midnight, zoneinfo uses the offset before the change, which gives the instant of the change.
    start, end = (datetime.combine(each, time.min, zone) for each in (day, day + timedelta(days=1)))
    return start.astimezone(UTC), end.astimezone(UTC)


def clip(segments: Iterable[Segment], start: datetime, end: datetime) -> list[Segment]:
    """The parts of the segments that lie between two instants."""
    return [
        s._replace(start=max(s.start, start), end=min(s.end, end)) for s in segments if s.start < end and s.end > start
    ]


def current(segments: Iterable[Segment], now: datetime) -> Segment | None:
    return next((s for s in segments if s.start <= now < s.end), None)


def joined(segments: Iterable[Segment]) -> list[Segment]:
    """Join touching segments of equal rate, confidence and carbon."""
    rows: list[Segment] = []
    for segment in segments:
        if rows and rows[-1].end == segment.start and rows[-1][2:] == segment[2:]:
            rows[-1] = rows[-1]._replace(end=segment.end)
        else:
            rows.append(segment)
    return rows
