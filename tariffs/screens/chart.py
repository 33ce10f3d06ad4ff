"""The geometry of a price chart; `templates/tariffs/_chart.html` draws it as inline SVG."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from babel.dates import format_datetime, format_skeleton
from babel.numbers import format_decimal
from django.utils.translation import gettext, gettext_lazy as _

from ..money import locale, price, rounded, unit
from ..rates import Segment, day_span, joined
from ..times import clock, local, short_date

WIDTH, HEIGHT = 400, 244
LEFT, RIGHT, TOP, BOTTOM = 36, 394, 50, 208  # the edges of the plot
CHARACTER = 7.5  # the width of a character in a label on a phone, where labels are largest
TOUCHING, CENTRED = 57, 42  # below this distance two hours touch on a phone; CENTRED if both are centred
QUARTER = timedelta(minutes=15)
STEPS = [Decimal(step).scaleb(exponent) for exponent in range(-6, 7) for step in (1, 2, 5)]

# What a bar says. Of a quarter of an hour the start is enough, and a page has many of them.
OF_DAY = _("%(day)s: %(price)s on average")
OF_TIME, OF_MOMENT = _("%(day)s %(start)s to %(end)s: %(price)s"), _("%(day)s %(start)s: %(price)s")
WORDS = {"low": _("low"), "usual": _("usual"), "high": _("high"), "": ""}
Label = tuple[float, str, str]  # its place, words and `text-anchor`
Bar = tuple[str, str, str]  # its word, its path, and what is read out


def chart(
    segments: Sequence[Segment],
    start: datetime,
    end: datetime,
    zone: tzinfo,
    currency: str,
    now: datetime,
    word: Callable[[Decimal], str] = lambda rate: "",
    named: tuple[datetime, datetime, str] | None = None,
) -> dict[str, Any] | None:
    """Everything to draw between two instants, in the units of a `WIDTH` × `HEIGHT` view box; None without a rate.

    Widths are in proportion to durations, the axis includes zero, and a gap stays blank. `word` is low, usual or high.
    `named` is a time to be shaded, with its name.
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

    steps = list(segments) if end - start > timedelta(days=3) else joined(segments)
    thinnest = min(x(s.end) - x(s.start) for s in steps)
    quarter = (RIGHT - left) * QUARTER.total_seconds() / seconds
    gap = (1 if thinnest > 4 else 0.4 if thinnest > 1 else 0) / quarter

    def box(s: Segment) -> str:
        """A bar in quarters of an hour and from zero to the price: a page is smaller with whole numbers.

        An open path, because a fill closes it.
        """
        height = f"{y(s.rate) - y(Decimal(0)):.0f}"
        return f"M{(s.start - start) / QUARTER:.6g} 0V{height}h{(s.end - s.start) / QUARTER - gap:.4g}V0"

    # Of a week or a month each segment is a day with its mean; a month has labels for Mondays only.
    week, month = end - start > timedelta(days=3), end - start > timedelta(days=10)
    pattern_of_day = "MMMd" if month else "E" if week else "MMMEd"
    first = start.astimezone(zone).date()
    midnights = (day_span(first + timedelta(days=n), zone)[0] for n in range((end - start).days + 2))
    days = [m for m in midnights if start <= m < end and (not month or m.astimezone(zone).weekday() == 0)]

    def bar(s: Segment) -> Bar:
        day = format_skeleton("MMMEd", s.start.astimezone(zone), locale=locale()) if week else weekday(s.start)
        times = {"start": local(s.start, zone), "end": local(s.end, zone)}
        said_as = OF_DAY if week else OF_TIME if s.end - s.start > QUARTER else OF_MOMENT
        title = said_as % ({"day": day, "price": price(s.rate, currency)} | times)
        said = word(s.rate)
        if said:
            title += f", {WORDS[said]}"
        if s.confidence < 1:
            title += ", " + gettext("an estimate")
        return said, box(s), title

    def weekday(moment: datetime) -> str:
        return format_datetime(moment.astimezone(zone), "EEE", locale=locale())

    def mark(segment: Segment, lowest: bool = False) -> tuple[float, float, str]:
        """The place and words of a price: above its line; for the lowest below it, if there is room."""
        words = price(segment.rate, currency)
        half = CHARACTER * len(words) / 2
        middle = min(max((x(segment.start) + x(segment.end)) / 2, left + half), WIDTH - half)
        zero, level = y(Decimal(0)), y(segment.rate)
        under = lowest and (segment.rate < 0 or zero - level > 20)
        return round(middle, 2), level + 14 if under else min(level, zero) - 5, words

    def shade(begin: datetime, over: datetime, name: str) -> tuple[float, float, float, str]:
        """The place and width of a time, and the middle and words of its name, which stays inside the frame."""
        half = CHARACTER * len(name) / 2
        middle = min(max((x(begin) + x(min(over, end))) / 2, left + half), WIDTH - half)
        return x(begin), round(x(min(over, end)) - x(begin), 2), round(middle, 2), name

    def beside(day: datetime, name: str) -> tuple[float, str]:
        """The name of a day to the right of its line, unless the frame would cut it."""
        return x(day), name if x(day) + 3 + CHARACTER * len(name) <= WIDTH else ""

    bars = [bar(s) for s in steps]
    frame = {"width": WIDTH, "height": HEIGHT, "left": left, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
    return frame | {
        "depth": BOTTOM - TOP,
        "quarter": round(quarter, 4),  # the width of a quarter of an hour
        "bars": bars,
        "words": [said for said in WORDS if said and any(said == each for each, *_ in bars)],
        "estimated": "".join(box(s) for s in steps if s.confidence < 1),
        "zero": y(Decimal(0)),
        "now": x(now) if start <= now < end else None,
        "named": shade(*named) if named and start <= named[0] < end else None,
        "rows": [(y(level), words) for level, words in zip(levels, ticks, strict=True)],
        "hours": [] if week else _hours(start, end, zone, x),
        "days": [beside(day, format_skeleton(pattern_of_day, day.astimezone(zone), locale=locale())) for day in days],
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
