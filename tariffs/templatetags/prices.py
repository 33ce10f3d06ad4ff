from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton, format_timedelta
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext

from .. import money
from ..chart import clock, local
from ..page import Day, Gap
from ..rates import Segment, day_span

register = template.Library()


@register.filter
def per_kwh(rate: Decimal, currency: str) -> str:
    """0.24555 → 24.56p per kWh."""
    return gettext("%(price)s per kWh") % {"price": money.price(rate, currency)}


register.filter("local", local)
register.filter("price", money.price)
register.filter("cost", money.cost)


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


# What a price means, by direction and by whether it is above, at or below zero: now, with and without its end, and as the
# mean of a time to come.
MEANINGS = {
    ("IMPORT", 1): (
        gettext_noop("Now %(price)s per kWh."),
        gettext_noop("Now %(price)s per kWh until %(time)s."),
        gettext_noop("%(price)s on average"),
    ),
    ("IMPORT", 0): (
        gettext_noop("Now free."),
        gettext_noop("Now free until %(time)s."),
        gettext_noop("free on average"),
    ),
    ("IMPORT", -1): (
        gettext_noop("Now you are paid %(price)s per kWh."),
        gettext_noop("Now you are paid %(price)s per kWh until %(time)s."),
        gettext_noop("you are paid %(price)s on average"),
    ),
    ("EXPORT", 0): (
        gettext_noop("Now nothing is paid."),
        gettext_noop("Now nothing is paid until %(time)s."),
        gettext_noop("nothing is paid on average"),
    ),
    ("EXPORT", -1): (
        gettext_noop("Now you pay %(price)s per kWh."),
        gettext_noop("Now you pay %(price)s per kWh until %(time)s."),
        gettext_noop("you pay %(price)s on average"),
    ),
}
MEANINGS["EXPORT", 1] = MEANINGS["IMPORT", 1]
NOW, NOW_UNTIL, MEAN = range(3)


def meaning(which: int, rate: Decimal, currency: str, direction: str, time: str = "") -> str:
    """A price in words, where it is free or below zero: you are paid 3.19p on average."""
    shown = money.rounded(rate.scaleb(money.unit(currency).shift), 2)
    said = gettext(MEANINGS[direction, (shown > 0) - (shown < 0)][which])
    return said % {"price": money.price(abs(rate), currency), "time": time}


@register.simple_tag
def now_in_words(view: dict[str, Any], now: datetime) -> str:
    """Now 24.56p per kWh until 16:00."""
    end = until(view["until"], now, view["zone"]) if view["until"] else ""
    return meaning(NOW_UNTIL if end else NOW, view["now"].rate, view["currency"], view["tariff"].direction, end)


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
    if asked["gain"]:
        if window.mean < 0:
            gain = gettext("%(mean)s, %(gain)s better than now")
        elif direction == "EXPORT":
            gain = gettext("%(mean)s, %(gain)s more than now")
        else:
            gain = gettext("%(mean)s, %(gain)s less than now")
        mean = gain % {"mean": mean, "gain": money.price(asked["gain"], currency)}
    return format_html(said, hours=hours, span=span(window.start, window.end, now, view["zone"]), mean=mean)


@register.filter
def ago(moment: datetime, now: datetime) -> str:
    """12 minutes ago, 3 hours ago."""
    return format_timedelta(moment - now, add_direction=True, locale=money.locale())


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
def moment(at: datetime) -> str:
    """26 October, 16:00; in UTC."""
    return format_datetime(at, pgettext("pattern of a date and time", "d MMMM, HH:mm"), locale=money.locale())


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


@register.filter
def short_date(day: date) -> str:
    """Mon 26 Oct."""
    return format_skeleton("MMMEd", day, locale=money.locale())


@register.simple_tag
def all_rows(day: Day) -> list[Segment | Gap]:
    return [*day.past, *day.rows]
