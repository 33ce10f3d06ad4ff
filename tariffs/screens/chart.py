"""The geometry of a price chart; `templates/tariffs/_chart.html` draws it as inline SVG."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any

from babel.dates import format_datetime, format_skeleton
from babel.numbers import format_decimal
from django.utils.translation import gettext, gettext_lazy as _

from ..money import locale, price, rounded, unit
from ..rates import Segment, clip, day_span, joined
from ..times import clock, local, short_date

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 36, 394, 36, 194  # the edges of the plot
CHARACTER = 7.5  # the width of a character in a label on a phone, where labels are largest
TOUCHING, CENTRED = 57, 42  # below this distance two hours touch on a phone; CENTRED if both are centred
QUARTER = timedelta(minutes=15)
STEPS = [Decimal(step).scaleb(exponent) for exponent in range(-6, 7) for step in (1, 2, 5)]

# What a bar says: of a week's day with several prices and with one, then of a time of a day.
TITLES = {
    (True, True): _("%(day)s: %(low)s to %(high)s"),
    (True, False): _("%(day)s: %(price)s"),
    (False, False): _("%(day)s %(start)s to %(end)s: %(price)s"),
}
Label = tuple[float, str, str]  # its place, words and `text-anchor`
Bar = tuple[float, float, str]  # the place, width and words of what is read out: a segment, or a day of a week


def chart(
    segments: Sequence[Segment], start: datetime, end: datetime, zone: tzinfo, currency: str, now: datetime
) -> dict[str, Any] | None:
    """Everything to draw between two instants, in the units of a `WIDTH` × `HEIGHT` view box; None without a rate.

    Widths are in proportion to durations, the axis includes zero, and a gap stays blank. All segments are one path, because
    an element for each would be large.
    """
    if not segments:
        return None
    least, most = min(segments, key=lambda s: s.rate), max(segments, key=lambda s: s.rate)
    lowest, highest = min(Decimal(0), least.rate), max(Decimal(0), most.rate)
    spread = highest - lowest or Decimal("0.05")  # an axis of a few cents if every rate is zero
    step = next((step for step in STEPS if spread <= step * 5), STEPS[-1])
    bottom = (lowest / step).to_integral_value("ROUND_FLOOR") * step
    top = max((highest / step).to_integral_value("ROUND_CEILING") * step, bottom + step)
    seconds = (end - start).total_seconds()
    suffix, shift = unit(currency)[:2]
    places = max(0, -int(step.scaleb(shift).normalize().as_tuple().exponent))  # 10p rather than 10.00p
    pattern = f"#,##0.{'0' * places}"
    levels = [bottom + step * n for n in range(int((top - bottom) / step) + 1)]
    ticks = [format_decimal(rounded(level.scaleb(shift), places), pattern, locale()) + suffix for level in levels]
    left = max(LEFT, 6 + CHARACTER * max(map(len, ticks)))

    def x(moment: datetime) -> float:
        return round(left + (RIGHT - left) * (moment - start).total_seconds() / seconds, 2)

    def y(rate: Decimal) -> float:
        return round(TOP + (BOTTOM - TOP) * float((top - rate) / (top - bottom)), 2)

    def stairs(found: Sequence[Segment]) -> str:
        """The line over some segments. Each run begins and ends on zero, so that the path can be filled."""
        path, last, zero = [], None, f"V{y(Decimal(0)):.1f}"
        for s in found:
            path.append(f"V{y(s.rate):.1f}H{x(s.end):.1f}")
            if s.start != last:
                path[-1] = f"{zero if last else ''}M{x(s.start):.1f} {zero[1:]}" + path[-1]
            last = s.end
        return "".join([*path, zero]) if path else ""

    steps = joined(segments)
    week = end - start > timedelta(days=3)
    pattern_of_day = "E" if week else "MMMEd"
    first = start.astimezone(zone).date()
    midnights = (day_span(first + timedelta(days=n), zone)[0] for n in range((end - start).days + 2))
    days = [moment for moment in midnights if start <= moment < end]
    if week:
        parts = [(a, b, clip(segments, a, b)) for a, b in pairwise([*days, end])]
    else:
        parts = [(s.start, s.end, [s]) for s in steps]

    def bar(begin: datetime, over: datetime, found: Sequence[Segment]) -> Bar:
        low, high = (price(extreme(s.rate for s in found), currency) for extreme in (min, max))
        times = {} if week else {"start": local(begin, zone), "end": local(over, zone)}
        day = format_datetime(begin.astimezone(zone), "EEE", locale=locale())
        title = TITLES[week, low != high] % ({"day": day, "price": low, "low": low, "high": high} | times)
        if any(s.confidence < 1 for s in found):
            title += ", " + gettext("an estimate")
        return x(begin), round(x(over) - x(begin), 2), title

    def mark(segment: Segment, lowest: bool = False) -> tuple[float, float, str]:
        """The place and words of a price: above its line; for the lowest below it, if there is room."""
        words = price(segment.rate, currency)
        half = CHARACTER * len(words) / 2
        middle = min(max((x(segment.start) + x(segment.end)) / 2, left + half), WIDTH - half)
        zero, level = y(Decimal(0)), y(segment.rate)
        under = lowest and (segment.rate < 0 or zero - level > 20)
        return round(middle, 2), level + 14 if under else min(level, zero) - 5, words

    frame = {"width": WIDTH, "height": HEIGHT, "left": left, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
    return frame | {
        "depth": BOTTOM - TOP,
        "line": stairs(steps),
        "estimated": stairs([s for s in steps if s.confidence < 1]),
        "bars": [bar(*part) for part in parts if part[2]],
        "zero": y(Decimal(0)),
        "share": y(Decimal(0)) / HEIGHT,  # the part of the height above zero, where the fill has another colour
        "now": x(now) if start <= now < end else None,
        "rows": [(y(level), words) for level, words in zip(levels, ticks, strict=True)],
        "hours": [] if week else _hours(start, end, zone, x),
        "days": [(x(day), format_skeleton(pattern_of_day, day.astimezone(zone), locale=locale())) for day in days],
        "lowest": least,
        "highest": most,
        "marks": [mark(least, lowest=True), mark(most)] if least.rate != most.rate else [],
    }


def _hours(start: datetime, end: datetime, zone: tzinfo, x: Callable[[datetime], float]) -> list[Label]:
    """The labels of every sixth hour of the local clock, and of an hour that it shows twice.

    The two labels of such an hour stand on either side of the change, and labels that would touch them are left out.
    """
    # Look at each quarter of an hour: an offset from UTC is a multiple of it, and a chart may begin at any.
    first = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    moments = [first + QUARTER * n for n in range((end - first) // QUARTER + 1)]
    shown = [(moment, moment.astimezone(zone)) for moment in moments if start <= moment < end]
    back = next((moment for moment, at in shown if at.fold), None)
    twice: list[Label] = []
    if back:
        at = back.astimezone(zone)
        before = (at.replace(fold=0).utcoffset() or timedelta()) - (at.utcoffset() or timedelta())
        twice = [(x(back - before), clock(back, zone), "end"), (x(back), clock(back, zone), "start")]
    sixth = [(x(m), clock(m, zone), "middle") for m, at in shown if at.hour % 6 == 0 and at.minute == 0 and not at.fold]
    kept: list[Label] = []
    for label in sixth:
        if all(abs(label[0] - other[0]) >= (CENTRED if other in kept else TOUCHING) for other in [*kept, *twice]):
            kept.append(label)
    return sorted(twice + kept)


def heading(segments: Sequence[Segment], zone: tzinfo, now: datetime | None = None) -> str:
    """The days of the segments, which are in order: today, tomorrow or both, else their dates; "" without segments.

    Without `now`, always dates: a page that does not update itself can't say "today".
    """
    if not segments:
        return ""
    ends = segments[0].start, segments[-1].end - timedelta.resolution
    first, last = (moment.astimezone(zone).date() for moment in ends)
    today = now.astimezone(zone).date() if now else date.min
    named = {(0, 0): gettext("Today"), (1, 1): gettext("Tomorrow"), (0, 1): gettext("Today and tomorrow")}
    if found := named.get(((first - today).days, (last - today).days)):
        return found
    dates = [short_date(day) for day in dict.fromkeys((first, last))]
    return gettext("%(start)s to %(end)s") % {"start": dates[0], "end": dates[1]} if len(dates) == 2 else dates[0]
