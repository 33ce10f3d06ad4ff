"""The geometry of a price chart; `templates/tariffs/_chart.html` draws it as inline SVG."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from babel import Locale
from babel.dates import format_date, format_datetime, format_time

from .money import locale, price, rounded, unit
from .rates import Segment, clip, current, day_span, joined

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 36, 6, 32, 28
TOUCHING, CENTRED = 55, 40  # the labels of two hours nearer than this touch on a phone; if both are centred, than that
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

    def x(moment: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (moment - start).total_seconds() / seconds, 2)

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
        when = weekday(begin, zone) + ("" if week else f" {clock(begin, zone)} to {clock(over, zone)}")
        estimate = ", an estimate" if any(s.confidence < 1 for s in found) else ""
        return Bar(x(begin), round(x(over) - x(begin), 2), f"{when}: {' to '.join(prices)}{estimate}")

    def mark(segment: Segment, under: bool = False) -> tuple[float, float, str]:
        """Where a segment's price is written inside of the frame: over its line, or under it where there is room."""
        middle, level = (x(segment.start) + x(segment.end)) / 2, y(max(segment.rate, Decimal(0)))
        middle = round(min(max(middle, LEFT + 26), WIDTH - RIGHT - 20), 2)
        return middle, level + 14 if under and y(Decimal(0)) - level > 20 else level - 5, price(segment.rate, currency)

    least, most = min(segments, key=lambda s: s.rate), max(segments, key=lambda s: s.rate)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
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
        "rows": [(y(level), tick(level, step, currency)) for level in _levels(bottom, top, step)],
        "hours": [] if week else _hours(start, end, zone, x),
        "days": [
            (x(day), format_date(day.astimezone(zone), "EEE d" if week else "EEE d MMM", locale())) for day in days
        ],
        "lowest": least,
        "highest": most,
        "marks": [mark(least, under=True), mark(most)] if least.rate != most.rate else [],
        "current": current(segments, now),
    }


def _levels(bottom: Decimal, top: Decimal, step: Decimal) -> list[Decimal]:
    return [bottom + step * n for n in range(int((top - bottom) / step) + 1)]


def tick(level: Decimal, step: Decimal, currency: str) -> str:
    """A round level of the axis without decimals that say nothing: 10p rather than 10.00p."""
    suffix, shift = unit(currency)[:2]
    places = max(0, -int(step.scaleb(shift).normalize().as_tuple().exponent))
    return f"{rounded(level.scaleb(shift), places)}{suffix}"


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


def clock(moment: datetime, zone: tzinfo) -> str:
    at = moment.astimezone(zone)
    return _clock(at.hour, at.minute, locale())


@lru_cache(1440)
def _clock(hour: int, minute: int, where: Locale) -> str:
    return format_time(time(hour, minute), "HH:mm", locale=where)


def weekday(moment: datetime, zone: tzinfo) -> str:
    return format_datetime(moment.astimezone(zone), "EEE", locale=locale())
