"""The cheapest time to use electricity, or the dearest to sell it, from exact segments."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, localcontext
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from . import Segment, clip

MICROSECOND = timedelta(microseconds=1)


class Window(NamedTuple):
    """From `start` to `end`, with the time-weighted mean in major units per kWh; the same if it ends by `until`."""

    start: datetime
    end: datetime
    mean: Decimal
    until: datetime


def runs(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Split sorted segments into runs without a gap."""
    found: list[list[Segment]] = []
    for segment in segments:
        if found and found[-1][-1].end == segment.start:
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def best(ahead: Iterable[Segment], length: timedelta, start: datetime, end: datetime, dearest: bool) -> Window | None:
    """The window of `length` between two instants with the lowest mean, or the highest; the earliest of equals.

    It lies in one run without a gap. It begins at a segment's start or ends at a segment's end, because in between the mean
    only rises or falls. None if no run is long enough.
    """
    with localcontext() as context:
        context.prec = 60  # exact sums, so that equal means compare equal
        found = [stretch for run in runs(clip(ahead, start, end)) for stretch in _stretches(run, length)]
        if not found:
            return None
        total, begin, last = min(found, key=lambda each: (-each[0] if dearest else each[0], each[1]))
    return Window(begin, begin + length, total / (length // MICROSECOND), last + length)


def _stretches(run: list[Segment], length: timedelta) -> Iterator[tuple[Decimal, datetime, datetime]]:
    """Each total with the first and last instant at which its windows begin.

    Between two neighbours of `_totals` the total is linear: if both are equal, it is the same in between.
    """
    for total, same in groupby(sorted(_totals(run, length)), lambda found: found[1]):
        begins = [begin for begin, _ in same]
        yield total, begins[0], begins[-1]


def _totals(run: list[Segment], length: timedelta) -> Iterator[tuple[datetime, Decimal]]:
    """For each candidate to begin at, the sum of rate times microseconds of its window."""
    begins, sums = [s.start for s in run], [Decimal(0)]
    for s in run:
        sums.append(sums[-1] + (s.end - s.start) // MICROSECOND * s.rate)

    def until(moment: datetime) -> Decimal:
        place = bisect_right(begins, moment) - 1
        return sums[place] + (moment - begins[place]) // MICROSECOND * run[place].rate

    for begin in {*begins, *(s.end - length for s in run)}:
        if begins[0] <= begin and begin + length <= run[-1].end:
            yield begin, until(begin + length) - until(begin)


def next_time(clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The first instant after now at which a local clock shows a time of day, or skips it."""
    today = now.astimezone(zone).date()
    moments = (
        _shown(datetime.combine(today + timedelta(days=n), clock, zone).replace(fold=fold)).astimezone(now.tzinfo)
        for n in range(3)
        for fold in (0, 1)
    )
    return min(moment for moment in moments if moment > now)


def _shown(local: datetime) -> datetime:
    """The same time; if the clock skips it, the first time that it shows afterwards."""
    while local.astimezone(UTC).astimezone(local.tzinfo).time() != local.time():
        local += timedelta(minutes=1)
    return local
