from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from django import template

from .. import money
from ..chart import clock, local
from ..page import Day, Gap
from ..rates import Segment, day_span

register = template.Library()


@register.filter
def per_kwh(rate: Decimal, currency: str) -> str:
    """0.24555 → 24.56p per kWh."""
    return f"{money.price(rate, currency)} per kWh"


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
        return f"The clocks go back on this day: the time from {clock(change, zone)} on comes twice."
    return f"The clocks go forward on this day, to {clock(change, zone)}."


@register.simple_tag
def paid(rate: Decimal, currency: str, direction: str, per: str = " per kWh") -> str:
    """A price in words, where it is free or below zero: you are paid 3.19p per kWh."""
    shown = money.rounded(rate.scaleb(money.unit(currency).shift), 2)
    if not shown:
        return "free" if direction == "IMPORT" else "nothing is paid"
    if shown < 0:
        return f"you {'are paid' if direction == 'IMPORT' else 'pay'} {money.price(-rate, currency)}{per}"
    return f"{money.price(rate, currency)}{per}"


@register.filter
def ago(moment: datetime, now: datetime) -> str:
    """12 minutes ago, 3 hours ago."""
    return format_timedelta(moment - now, add_direction=True, locale=money.locale())


@register.filter
def plain_number(number: Decimal) -> str:
    return format_decimal(number, locale=money.locale())


@register.filter
def local_day(moment: datetime, zone: tzinfo) -> str:
    return format_datetime(moment.astimezone(zone), "EEE d MMM", locale=money.locale())


@register.filter
def long_date(day: date) -> str:
    return format_date(day, "EEEE d MMMM y", locale=money.locale())


@register.filter
def country(code: str) -> str:
    return money.locale().territories.get(code, code)


@register.simple_tag
def until(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day at a location, with the day if it is another one than now's: 16:00, midnight, tomorrow 07:00."""
    days = _days_ahead(moment, now, zone)
    if days == 1 and moment.astimezone(zone).time() == time.min:
        return "midnight"
    return local(moment, zone) if days == 0 else when(moment, now, zone)


def _days_ahead(moment: datetime, now: datetime, zone: tzinfo) -> int:
    return (moment.astimezone(zone).date() - now.astimezone(zone).date()).days


@register.simple_tag
def when(moment: datetime, now: datetime, zone: tzinfo, joint: str = " ") -> str:
    """A time to come, by its day in a word: today 23:00, tomorrow 02:00; with a joint today at 23:00."""
    word = {0: "today", 1: "tomorrow"}.get(_days_ahead(moment, now, zone)) or local_day(moment, zone)
    return f"{word}{joint}{local(moment, zone)}"


@register.simple_tag
def span(start: datetime, end: datetime, now: datetime, zone: tzinfo) -> str:
    """A time to come with its end: today 15:00 to 18:00, today 23:00 to tomorrow 02:00."""
    same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
    return f"{when(start, now, zone)} to {local(end, zone) if same_day else until(end, now, zone)}"


@register.filter
def short_date(day: date) -> str:
    return format_date(day, "EEE d MMM", locale=money.locale())


@register.simple_tag
def all_rows(day: Day) -> list[Segment | Gap]:
    return [*day.past, *day.rows]
