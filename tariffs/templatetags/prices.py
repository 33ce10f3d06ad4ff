from datetime import date, datetime, tzinfo
from decimal import Decimal

from babel.dates import format_date, format_datetime
from django import template

from .. import money

register = template.Library()


@register.filter
def per_kwh(rate: Decimal, currency: str) -> str:
    """0.24555 → 24.56p per kWh."""
    return f"{money.price(rate, currency)} per kWh"


register.filter("price", money.price)
register.filter("cost", money.cost)


@register.filter
def local(moment: datetime, zone: tzinfo) -> str:
    """The time of day at a location."""
    return format_datetime(moment.astimezone(zone), "HH:mm", locale=money.locale())


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
    """The time of day at a location, with the day if it is another one than now's."""
    other_day = moment.astimezone(zone).date() != now.astimezone(zone).date()
    return f"{local_day(moment, zone)}, {local(moment, zone)}" if other_day else local(moment, zone)


@register.simple_tag
def moment(when: datetime, now: datetime, zone: tzinfo) -> str:
    """A time to come, by its day in a word: today 23:00, tomorrow 02:00."""
    days = (when.astimezone(zone).date() - now.astimezone(zone).date()).days
    word = {0: "today", 1: "tomorrow"}.get(days) or local_day(when, zone)
    return f"{word} {local(when, zone)}"


@register.simple_tag
def span(start: datetime, end: datetime, now: datetime, zone: tzinfo) -> str:
    """A time to come with its end: today 15:00 to 18:00, today 23:00 to tomorrow 02:00."""
    same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
    return f"{moment(start, now, zone)} to {local(end, zone) if same_day else moment(end, now, zone)}"
