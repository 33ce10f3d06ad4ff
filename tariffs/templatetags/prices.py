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
