"""The geometry of a price chart; `templates/tariffs/_chart.html` draws it as inline SVG."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime, format_skeleton, format_time, get_timezone_location
from babel.numbers import format_decimal
from django.utils.translation import gettext

from ..money import locale, price, rounded, unit
from ..rates import Segment, clip, current, day_span, joined

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 36, 6, 36, 36
CHARACTER = 7.5  # the width of one in a label on a phone, where labels are largest
TOUCHING, CENTRED = 57, 42  # the labels of two hours nearer than this touch on a phone; if both are centred, than that
QUARTER = timedelta(minutes=15)
STEPS = [Decimal(step).scaleb(exponent) for exponent in range(-6, 7) for step in (1, 2, 5)]


class Bar(NamedTuple):
    """What is read out of one place: a segment, or of a week a day."""

    x: float
    width: float
    title: str


def chart(
    segments: Sequence[Segment], start: datetime, end: datetime, zone: tzinfo, currency: str, now: datetime
) -> dict[str, Any] | None:
    """Everything to draw between two instants, in the units of a `WIDTH` × `HEIGHT` view box; None without a rate.

    Widths are in proportion to durations, zero is always on the axis, a gap is left blank. However many the segments, the
    price is one path, of which each adds some 12 bytes.
    """
    if not segments:
        return None
    lowest = min(Decimal(0), *(s.rate for s in segments))
    highest = max(Decimal(0), *(s.rate for s in segments))
    spread = highest - lowest or Decimal("0.05")  # where every rate is zero, the axis is a few cents high
    step = next((step for step in STEPS if spread <= step * 5), STEPS[-1])
    bottom = (lowest / step).to_integral_value("ROUND_FLOOR") * step
    top = max((highest / step).to_integral_value("ROUND_CEILING") * step, bottom + step)
    seconds = (end - start).total_seconds()
    ticks = [(level, tick(level, step, currency)) for level in _levels(bottom, top, step)]
    left = max(LEFT, 6 + CHARACTER * max(len(words) for _, words in ticks))

    def x(moment: datetime) -> float:
        return round(left + (WIDTH - left - RIGHT) * (moment - start).total_seconds() / seconds, 2)

    def y(rate: Decimal) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * float((top - rate) / (top - bottom)), 2)

    def stairs(found: Sequence[Segment]) -> str:
        """The line over some segments; each run of them begins and ends on zero, so that it is an area too."""
        path, last, zero = [], None, f"V{y(Decimal(0)):.1f}"
        for s in found:
            path.append(f"V{y(s.rate):.1f}H{x(s.end):.1f}")
            if s.start != last:
                path[-1] = f"{zero if last else ''}M{x(s.start):.1f} {zero[1:]}" + path[-1]
            last = s.end
        return "".join([*path, zero]) if path else ""

    steps = joined(segments)
    week = end - start > timedelta(days=3)
    days = _days(start, end, zone)
    if week:
        parts = [(a, b, clip(segments, a, b)) for a, b in pairwise([*days, end])]
    else:
        parts = [(s.start, s.end, [s]) for s in steps]

    def bar(begin: datetime, over: datetime, found: Sequence[Segment]) -> Bar:
        prices = {price(extreme(s.rate for s in found), currency): None for extreme in (min, max)}
        said = title(week, len(prices) == 2, any(s.confidence < 1 for s in found))
        least, most = [*prices, *prices][:2]
        times = {} if week else {"start": local(begin, zone), "end": local(over, zone)}
        words = said % ({"day": weekday(begin, zone), "price": least, "low": least, "high": most} | times)
        return Bar(x(begin), round(x(over) - x(begin), 2), words)

    def mark(segment: Segment, lowest: bool = False) -> tuple[float, float, str]:
        """Where a segment's price is written: the lowest under its line where there is room, the highest over it."""
        words = price(segment.rate, currency)
        half = CHARACTER * len(words) / 2
        middle = min(max((x(segment.start) + x(segment.end)) / 2, left + half), WIDTH - half)
        zero, level = y(Decimal(0)), y(segment.rate)
        under = lowest and (segment.rate < 0 or zero - level > 20)
        return round(middle, 2), level + 14 if under else min(level, zero) - 5, words

    least, most = min(segments, key=lambda s: s.rate), max(segments, key=lambda s: s.rate)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": left,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "depth": HEIGHT - TOP - BOTTOM,
        "label_y": HEIGHT - 5,
        "line": stairs(steps),
        "estimated": stairs([s for s in steps if s.confidence < 1]),
        "bars": [bar(*part) for part in parts if part[2]],
        "zero": y(Decimal(0)),
        "share": y(Decimal(0)) / HEIGHT,  # of the height, at which the colour changes
        "now": x(now) if start <= now < end else None,
        "rows": [(y(level), words) for level, words in ticks],
        "hours": [] if week else _hours(start, end, zone, x),
        "days": [(x(day), day_label(day, zone, week)) for day in days],
        "lowest": least,
        "highest": most,
        "marks": [mark(least, lowest=True), mark(most)] if least.rate != most.rate else [],
        "current": current(segments, now),
    }


def title(week: bool, several: bool, estimated: bool) -> str:
    """The sentence for one place of the chart: a day of a week, or a time of a day; with one price or from one to another."""
    if week and several:
        if estimated:
            return gettext("%(day)s: %(low)s to %(high)s, an estimate")
        return gettext("%(day)s: %(low)s to %(high)s")
    if week:
        return gettext("%(day)s: %(price)s, an estimate") if estimated else gettext("%(day)s: %(price)s")
    if estimated:
        return gettext("%(day)s %(start)s to %(end)s: %(price)s, an estimate")
    return gettext("%(day)s %(start)s to %(end)s: %(price)s")


def _levels(bottom: Decimal, top: Decimal, step: Decimal) -> list[Decimal]:
    return [bottom + step * n for n in range(int((top - bottom) / step) + 1)]


def tick(level: Decimal, step: Decimal, currency: str) -> str:
    """A round level of the axis without decimals that say nothing: 10p rather than 10.00p."""
    suffix, shift = unit(currency)[:2]
    places = max(0, -int(step.scaleb(shift).normalize().as_tuple().exponent))
    return format_decimal(rounded(level.scaleb(shift), places), f"#,##0.{'0' * places}", locale()) + suffix


def _days(start: datetime, end: datetime, zone: tzinfo) -> list[datetime]:
    """The instants between two others at which a local day begins, be it at 01:00 where the clock skips midnight."""
    first = start.astimezone(zone).date()
    moments = (day_span(first + timedelta(days=n), zone)[0] for n in range((end - start).days + 2))
    return [moment for moment in moments if start <= moment < end]


def _hours(
    start: datetime, end: datetime, zone: tzinfo, x: Callable[[datetime], float]
) -> list[tuple[float, str, str]]:
    """Place, words and `text-anchor` of every sixth hour of the local clock, and of both times that it shows twice.

    Where one is said twice, the words stand on either side of the change, and those that would touch them are left out.
    """
    # Clocks are whole quarters of an hour off UTC, and not every chart begins at a full hour.
    first = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    moments = [first + QUARTER * n for n in range((end - first) // QUARTER + 1)]
    local = [(moment, moment.astimezone(zone)) for moment in moments if start <= moment < end]
    back = next((moment for moment, at in local if at.fold), None)
    twice: list[tuple[float, str, str]] = []
    if back:
        at = back.astimezone(zone)
        before = (at.replace(fold=0).utcoffset() or timedelta()) - (at.utcoffset() or timedelta())
        twice = [(x(back - before), clock(back, zone), "end"), (x(back), clock(back, zone), "start")]
    sixth = [(x(m), clock(m, zone), "middle") for m, at in local if at.hour % 6 == 0 and at.minute == 0 and not at.fold]
    kept: list[tuple[float, str, str]] = []
    for label in sixth:
        if all(abs(label[0] - other[0]) >= (CENTRED if other in kept else TOUCHING) for other in [*kept, *twice]):
            kept.append(label)
    return sorted(twice + kept)


def heading(segments: Sequence[Segment], zone: tzinfo, now: datetime | None = None) -> str:
    """The days that segments in their order are of: today, tomorrow or both, else by their dates; "" if there are none.

    Without `now` by their dates in any case: a page that stays as it is has no today.
    """
    if not segments:
        return ""
    ends = segments[0].start, segments[-1].end - timedelta.resolution
    first, last = (moment.astimezone(zone).date() for moment in ends)
    today = now.astimezone(zone).date() if now else date.min
    named = {(0, 0): gettext("Today"), (1, 1): gettext("Tomorrow"), (0, 1): gettext("Today and tomorrow")}
    if found := named.get(((first - today).days, (last - today).days)):
        return found
    dates = [format_skeleton("MMMEd", day, locale=locale()) for day in dict.fromkeys((first, last))]
    return gettext("%(start)s to %(end)s") % {"start": dates[0], "end": dates[1]} if len(dates) == 2 else dates[0]


def clock(moment: datetime, zone: tzinfo) -> str:
    at = moment.astimezone(zone)
    return _clock(at.hour, at.minute, locale())


def local(moment: datetime, zone: tzinfo) -> str:
    """The time of day at a location; with the zone's name, 01:00 BST, where the clock shows that time twice."""
    at = moment.astimezone(zone)
    first, second = at.replace(fold=0).utcoffset(), at.replace(fold=1).utcoffset()
    twice = first is not None and second is not None and first > second
    return clock(at, zone) + (f" {at.tzname()}" if twice else "")


def zone_in_words(zone: tzinfo, now: datetime) -> str:
    """London (UTC), Los Angeles (UTC-08:00); without a place UTC, UTC+01:00."""
    offset = str(timezone(now.astimezone(zone).utcoffset() or timedelta()))
    if not isinstance(zone, ZoneInfo) or zone.key == "UTC":
        return offset
    return f"{get_timezone_location(zone, locale=locale(), return_city=True)} ({offset})"


@lru_cache(1440)
def _clock(hour: int, minute: int, where: Locale) -> str:
    return format_time(time(hour, minute), "HH:mm", locale=where)


def day_label(moment: datetime, zone: tzinfo, week: bool) -> str:
    """Mon, in a week; else Mon 26 Oct."""
    return format_skeleton("E" if week else "MMMEd", moment.astimezone(zone), locale=locale())


def weekday(moment: datetime, zone: tzinfo) -> str:
    return format_datetime(moment.astimezone(zone), "EEE", locale=locale())
