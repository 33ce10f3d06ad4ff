from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton, format_timedelta
from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext

from .. import money
from ..models import Tariff
from ..rates import Segment, day_span
from ..screens.chart import clock, local, zone_in_words
from ..screens.shown import Day, Gap

register = template.Library()


@register.filter
def per_kwh(rate: Decimal, currency: str) -> str:
    """0.24555 → 24.56p per kWh."""
    return gettext("%(price)s per kWh") % {"price": money.price(rate, currency)}


register.filter("local", local)
register.filter("price", money.price)


@register.simple_tag
def clock_change(day: Day, zone: ZoneInfo) -> str:
    """What a day that is longer or shorter than 24 hours means for its table."""
    start, end = day_span(day.date, zone)
    moments = (start + timedelta(minutes=15 * n) for n in range((end - start) // timedelta(minutes=15)))
    before = start.astimezone(zone).utcoffset()
    change = next((m for m in moments if m.astimezone(zone).utcoffset() != before), start).astimezone(zone)
    if day.change > timedelta():
        said = gettext("The clocks go back on this day: the time from %(time)s on comes twice.")
    else:
        said = gettext("The clocks go forward on this day, to %(time)s.")
    return said % {"time": clock(change, zone)}


@register.simple_tag
def contract_reason(tariff: Tariff, day: Day, now: datetime, zone: ZoneInfo) -> str:
    """Why a day has no prices, or none at its end, where the contract's end is why; else ""."""
    end = tariff.contract_end
    if not end or day.date < end - timedelta(days=1) or ((day.past or day.rows) and not day.known_until):
        return ""
    over = end < now.astimezone(zone).date()
    if day.date > end:
        said = gettext("The contract ended on %(day)s.") if over else gettext("The contract ends on %(day)s.")
        none_after = gettext("There are no prices after it.")
        said = f"{said} {none_after}"
    elif day.known_until:
        said = gettext("The last day of the contract is %(day)s, and its prices end here.")
    elif day.date == end:
        said = gettext("This is the last day of the contract, and we have no prices for it.")
    else:
        return ""
    return said % {"day": long_date(end)}


# What a price means, by direction and by whether it is above, at or below zero: now, with and without its end, as the
# mean of a time to come, and alone.
MEANINGS = {
    ("IMPORT", 1): (
        gettext_noop("Now %(price)s per kWh."),
        gettext_noop("Now %(price)s per kWh until %(time)s."),
        gettext_noop("%(price)s on average"),
        "%(price)s",
    ),
    ("IMPORT", 0): (
        gettext_noop("Now free."),
        gettext_noop("Now free until %(time)s."),
        gettext_noop("free on average"),
        gettext_noop("free"),
    ),
    ("IMPORT", -1): (
        gettext_noop("Now you are paid %(price)s per kWh."),
        gettext_noop("Now you are paid %(price)s per kWh until %(time)s."),
        gettext_noop("you are paid %(price)s on average"),
        gettext_noop("you are paid %(price)s"),
    ),
    ("EXPORT", 0): (
        gettext_noop("Now nothing is paid."),
        gettext_noop("Now nothing is paid until %(time)s."),
        gettext_noop("nothing is paid on average"),
        gettext_noop("nothing is paid"),
    ),
    ("EXPORT", -1): (
        gettext_noop("Now you pay %(price)s per kWh."),
        gettext_noop("Now you pay %(price)s per kWh until %(time)s."),
        gettext_noop("you pay %(price)s on average"),
        gettext_noop("you pay %(price)s"),
    ),
}
MEANINGS["EXPORT", 1] = MEANINGS["IMPORT", 1]
NOW, NOW_UNTIL, MEAN, ALONE = range(4)


def meaning(which: int, rate: Decimal, currency: str, direction: str, **words: str) -> str:
    """A price in words, where it is free or below zero: you are paid 3.19p on average."""
    shown = money.shown(rate, currency)
    said = gettext(MEANINGS[direction, (shown > 0) - (shown < 0)][which])
    return said % ({"price": money.price(abs(rate), currency)} | words)


@register.simple_tag
def rate_in_words(rate: Decimal, currency: str, direction: Any, unit: str = "kWh") -> str:
    """24.56p per kWh, you are paid 3.19p per kWh; "per kWh" is left out where it stands beside it."""
    price = per_kwh(abs(rate), currency) if unit else money.price(abs(rate), currency)
    return meaning(ALONE, rate, currency, "EXPORT" if direction == "EXPORT" else "IMPORT", price=price)


@register.simple_tag
def now_in_words(view: dict[str, Any], now: datetime) -> str:
    """Now 24.56p per kWh until 16:00."""
    end = until(view["until"], now, view["zone"]) if view["until"] else ""
    return meaning(NOW_UNTIL if end else NOW, view["now"].rate, view["currency"], view["tariff"].direction, time=end)


@register.simple_tag
def window_in_words(view: dict[str, Any], now: datetime) -> SafeString:
    """Cheapest 3 hours: today 12:00 to 15:00, 9.10p on average, 15.46p less than now."""
    asked, currency, direction = view["asked"], view["currency"], view["tariff"].direction
    window, hours = asked["window"], asked["hours"]
    if direction == "EXPORT":
        said = ngettext(
            "Best {hours} hour: <strong>{span}</strong>, {mean}.",
            "Best {hours} hours: <strong>{span}</strong>, {mean}.",
            hours,
        )
    else:
        said = ngettext(
            "Cheapest {hours} hour: <strong>{span}</strong>, {mean}.",
            "Cheapest {hours} hours: <strong>{span}</strong>, {mean}.",
            hours,
        )
    mean = meaning(MEAN, window.mean, currency, direction)
    if gain := asked["gain"]:
        if money.shown(window.mean, currency) < 0:
            compared = (
                gettext("%(mean)s, %(gain)s better than now")
                if gain > 0
                else gettext("%(mean)s, %(gain)s worse than now")
            )
        elif (gain > 0) == (direction == "EXPORT"):
            compared = gettext("%(mean)s, %(gain)s more than now")
        else:
            compared = gettext("%(mean)s, %(gain)s less than now")
        mean = compared % {"mean": mean, "gain": money.price(abs(gain), currency)}
    when = span(window.start, window.until, now, view["zone"])
    if window.until > window.end:
        when = gettext("any time from %(span)s") % {"span": when}
    return format_html(said, hours=hours, span=when, mean=mean)


@register.simple_tag
def cost_in_words(view: dict[str, Any]) -> str:
    """7.5 kWh then cost £0.56; of a price below zero, for 7.5 kWh you are then paid £0.56."""
    cost = view["asked"]["cost"]
    if view["tariff"].direction == "EXPORT":
        below_zero, said = (
            gettext("For %(energy)s kWh you then pay %(cost)s."),
            gettext("%(energy)s kWh then bring %(cost)s."),
        )
    else:
        below_zero, said = (
            gettext("For %(energy)s kWh you are then paid %(cost)s."),
            gettext("%(energy)s kWh then cost %(cost)s."),
        )
    words = {"energy": money.plain(view["asked"]["energy"]), "cost": money.cost(abs(cost), view["currency"])}
    return (below_zero if cost < 0 else said) % words


@register.filter
def ago(moment: datetime, now: datetime | None = None) -> str:
    """12 minutes ago, 3 hours ago; before this moment where no other one is given."""
    passed = (now or timezone.now()) - moment
    return format_timedelta(-max(passed, timedelta(seconds=1)), add_direction=True, locale=money.locale())


@register.filter
def plain_number(number: Decimal) -> str:
    return money.plain(number)


@register.filter
def local_day(moment: datetime, zone: tzinfo) -> str:
    return short_date(moment.astimezone(zone).date())


@register.filter
def long_date(day: date) -> str:
    """Monday 26 October 2026."""
    return format_date(day, pgettext("pattern of a date", "EEEE d MMMM y"), locale=money.locale())


@register.filter
def moment_of_year(at: datetime) -> str:
    """26 October 2026, 16:00; in UTC."""
    return format_datetime(at, pgettext("pattern of a date and time", "d MMMM y, HH:mm"), locale=money.locale())


@register.filter
def country(code: str) -> str:
    return money.locale().territories.get(code, code)


@register.simple_tag
def until(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day at a location, with the day if it is another one than now's: 16:00, midnight, tomorrow 07:00."""
    days = _days_ahead(moment, now, zone)
    if days == 1 and moment.astimezone(zone).time() == time.min:
        return gettext("midnight")
    if days == 0:
        return pgettext("a time of day in a sentence", "%(time)s") % {"time": local(moment, zone)}
    return when(moment, now, zone)


def _days_ahead(moment: datetime, now: datetime, zone: tzinfo) -> int:
    return (moment.astimezone(zone).date() - now.astimezone(zone).date()).days


# By its day: today, tomorrow, another; as a place in time, after "at", and with an end on the same day.
TIMES = {
    " ": (gettext_noop("today %(time)s"), gettext_noop("tomorrow %(time)s"), gettext_noop("%(day)s %(time)s")),
    " at ": (
        gettext_noop("today at %(time)s"),
        gettext_noop("tomorrow at %(time)s"),
        gettext_noop("%(day)s at %(time)s"),
    ),
    " to ": (
        gettext_noop("today %(time)s to %(end)s"),
        gettext_noop("tomorrow %(time)s to %(end)s"),
        gettext_noop("%(day)s %(time)s to %(end)s"),
    ),
}


@register.simple_tag
def when(moment: datetime, now: datetime, zone: tzinfo, joint: str = " ", end: str = "") -> str:
    """A time to come, by its day in a word: today 23:00, tomorrow 02:00; with a joint today at 23:00."""
    days = _days_ahead(moment, now, zone)
    said = gettext(TIMES[joint][days if days in (0, 1) else 2])
    return said % {"day": local_day(moment, zone), "time": local(moment, zone), "end": end}


@register.simple_tag
def span(start: datetime, end: datetime, now: datetime, zone: tzinfo) -> str:
    """A time to come with its end: today 15:00 to 18:00, today 23:00 to tomorrow 02:00."""
    if start.astimezone(zone).date() == end.astimezone(zone).date():
        return when(start, now, zone, " to ", local(end, zone))
    return gettext("%(start)s to %(end)s") % {"start": when(start, now, zone), "end": until(end, now, zone)}


@register.inclusion_tag("tariffs/_as_of.html")
def as_of(now: datetime, zone: ZoneInfo, until: datetime) -> dict[str, Any]:
    """When a page was made, and for how many seconds from here on it is true: no clock but ours has to be right."""
    return {
        "day": local_day(now, zone),
        "time": local(now, zone),
        "where": zone_in_words(zone, now),
        "seconds": max(1, ceil((until - timezone.now()).total_seconds())),
    }


@register.filter
def short_date(day: date) -> str:
    """Mon 26 Oct."""
    return format_skeleton("MMMEd", day, locale=money.locale())


@register.simple_tag
def all_rows(day: Day) -> list[Segment | Gap]:
    return [*day.past, *day.rows]
