"""The geometry of a price chart; `templates/tariffs/_chart.html` draws it as inline SVG."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from babel.dates import format_date, format_datetime

from .money import locale, price, rounded, unit
from .rates import Segment, current, joined

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 36, 6, 32, 28
STEPS = [Decimal(step).scaleb(exponent) for exponent in range(-6, 7) for step in (1, 2, 5)]


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    kind: str  # "", "estimate", "negative" or both, for the style sheet
    title: str


def chart(
    segments: Sequence[Segment], start: datetime, end: datetime, zone: tzinfo, currency: str, now: datetime
) -> dict[str, Any] | None:
    """Everything to draw between two instants, in the units of a `WIDTH` × `HEIGHT` view box; None without a rate.

    Widths are in proportion to durations, zero is always on the axis, a gap is left blank.
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

    bars, line, last = [], [], None
    for s in joined(segments):
        left, right, level, zero = x(s.start), x(s.end), y(s.rate), y(Decimal(0))
        kind = " ".join(filter(None, ["estimate" * (s.confidence < 1), "negative" * (s.rate < 0)]))
        bars.append(
            Bar(
                left,
                min(level, zero),
                round(right - left, 2),
                round(abs(level - zero), 2),
                kind,
                f"{weekday(s.start, zone)} {clock(s.start, zone)} to {clock(s.end, zone)}: {price(s.rate, currency)}"
                + (", an estimate" if s.confidence < 1 else ""),
            )
        )
        line.append(f"{'L' if last == s.start else 'M'}{left} {level}H{right}")
        last = s.end
    week = end - start > timedelta(days=3)

    def mark(segment: Segment, under: bool = False) -> tuple[float, float, str]:
        """Where a segment's price is written inside of the frame: over its line, or under it where there is room."""
        middle, level = (x(segment.start) + x(segment.end)) / 2, y(max(segment.rate, Decimal(0)))
        middle = round(min(max(middle, LEFT + 20), WIDTH - RIGHT - 20), 2)
        return middle, level + 14 if under and y(Decimal(0)) - level > 20 else level - 5, price(segment.rate, currency)

    least, most = min(segments, key=lambda s: s.rate), max(segments, key=lambda s: s.rate)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "label_y": HEIGHT - 5,
        "bars": bars,
        "line": "".join(line),
        "zero": y(Decimal(0)),
        "now": x(now) if start <= now < end else None,
        "rows": [(y(level), tick(level, step, currency)) for level in _levels(bottom, top, step)],
        "hours": [] if week else [(x(moment), clock(moment, zone)) for moment in _hours(start, end, zone)],
        "days": [
            (x(moment), format_date(moment.astimezone(zone), "EEE d" if week else "EEE d MMM", locale()))
            for moment in _hours(start, end, zone, every=24)
        ],
        "lowest": least,
        "highest": most,
        "marks": [mark(least, under=True), mark(most)] if least.rate != most.rate else [],
        "estimated": any(s.confidence < 1 for s in segments),
        "current": current(segments, now),
    }


def _levels(bottom: Decimal, top: Decimal, step: Decimal) -> list[Decimal]:
    return [bottom + step * n for n in range(int((top - bottom) / step) + 1)]


def tick(level: Decimal, step: Decimal, currency: str) -> str:
    """A round level of the axis without decimals that say nothing: 10p rather than 10.00p."""
    suffix, shift = unit(currency)[:2]
    places = max(0, -int(step.scaleb(shift).normalize().as_tuple().exponent))
    return f"{rounded(level.scaleb(shift), places)}{suffix}"


def _hours(start: datetime, end: datetime, zone: tzinfo, every: int = 6) -> list[datetime]:
    """The instants between two others at which the local clock shows a full hour divisible by `every`."""
    # Clocks are whole quarters of an hour off UTC, and not every chart begins at a full hour.
    first, quarter = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0), timedelta(minutes=15)
    moments = (first + quarter * n for n in range((end - first) // quarter + 1))
    local = ((m, m.astimezone(zone)) for m in moments if start <= m < end)
    # An hour that the clock repeats is labelled once, where it comes first.
    return [m for m, at in local if at.hour % every == 0 and at.minute == 0 and not at.fold]


def clock(moment: datetime, zone: tzinfo) -> str:
    return format_datetime(moment.astimezone(zone), "HH:mm", locale=locale())


def weekday(moment: datetime, zone: tzinfo) -> str:
    return format_datetime(moment.astimezone(zone), "EEE", locale=locale())
