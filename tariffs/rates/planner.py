"""When to run something: the cheapest run or the cheapest parts, and what that saves. From exact segments, sorted."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple
from zoneinfo import ZoneInfo

from . import Segment, clip
from .windows import MICROSECOND, best

EVENING = time(17), time(20)  # when the dearest run of an evening begins, by the local clock


class Plan(NamedTuple):
    """When something runs, in order and as few parts as possible; the time-weighted mean in major units per kWh.

    `latest` is the last start at the same cost; what is split begins with its first part.
    """

    parts: list[tuple[datetime, datetime]]
    mean: Decimal
    latest: datetime

    @property
    def start(self) -> datetime:
        return self.parts[0][0]


def one_run(ahead: Iterable[Segment], length: timedelta, start: datetime, end: datetime) -> Plan | None:
    """The cheapest run between two instants, the earliest of equals; None if the prices of no whole run are known."""
    window = best(ahead, length, start, end, dearest=False)
    return Plan([(window.start, window.end)], window.mean, window.until - length) if window else None


def split(ahead: Iterable[Segment], length: timedelta, start: datetime, end: datetime) -> Plan | None:
    """The cheapest parts between two instants that last so long together, the earliest of equals.

    None if the prices of too little time are known.
    """
    chosen, left = list[Segment](), length
    for segment in sorted(clip(ahead, start, end), key=lambda each: (each.rate, each.start)):
        if left <= timedelta():
            break
        part = segment._replace(end=min(segment.end, segment.start + left))
        chosen.append(part)
        left -= part.end - part.start
    if left or not chosen:
        return None
    chosen.sort(key=lambda part: part.start)
    parts = list[tuple[datetime, datetime]]()
    for part in chosen:
        if parts and parts[-1][1] == part.start:
            parts[-1] = parts[-1][0], part.end
        else:
            parts.append((part.start, part.end))
    return Plan(parts, _mean(chosen), parts[0][0])


def mean_of(segments: Sequence[Segment], parts: Iterable[tuple[datetime, datetime]]) -> Decimal | None:
    """The time-weighted mean over some parts of time; None if a price in them is not known."""
    found = list[Segment]()
    for start, end in parts:
        inside = clip(segments, start, end)
        if sum((each.end - each.start for each in inside), timedelta()) < end - start:
            return None
        found += inside
    return _mean(found)


def _mean(segments: Sequence[Segment]) -> Decimal:
    with localcontext() as context:
        context.prec = 60  # as `best` counts, so that equal sums have equal means
        total = sum(((each.end - each.start) // MICROSECOND * each.rate for each in segments), Decimal(0))
    return total / sum((each.end - each.start) // MICROSECOND for each in segments)


def mean_now(ahead: Sequence[Segment], length: timedelta, now: datetime) -> Decimal | None:
    """The mean of a run that begins now; None if its prices are not all known."""
    return mean_of(ahead, [(now, now + length)])


def mean_in_the_evening(ahead: Sequence[Segment], length: timedelta, now: datetime, zone: ZoneInfo) -> Decimal | None:
    """The mean of the dearest run that begins in the coming evening of which the prices are known, today's or tomorrow's."""
    for days in (0, 1):
        day = now.astimezone(zone).date() + timedelta(days=days)
        first, last = (datetime.combine(day, clock, zone).astimezone(now.tzinfo) for clock in EVENING)
        if found := best(ahead, length, max(first, now), last + length, dearest=True):
            return found.mean
    return None
