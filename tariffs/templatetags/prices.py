"""Template tags that say prices and times in words."""

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta
from django import template
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_lazy as _

from .. import money, times
from ..models import Tariff
from ..rates import day_span
from ..screens.chart import WORDS
from ..screens.day import Day

register = template.Library()
register.filter(money.plain)
register.filter(money.price)
register.filter("unsigned_cost", lambda sum, currency: money.cost(abs(sum), currency))
for name in ("local", "local_day", "long_date", "month_of_year", "moment_of_year", "of_day", "short_date"):
    register.filter(name, getattr(times, name))
register.filter(times.zone_in_words)
for tag in (times.span, times.until, times.when):
    register.simple_tag(tag)


@register.filter
def per_kwh(rate: Decimal, currency: str) -> str:
    """0.24555 → 24.56p per kWh."""
    return gettext("%(price)s per kWh") % {"price": money.price(rate, currency)}


@register.simple_tag
def clock_change(day: Day, zone: ZoneInfo) -> str:
    """What the change of the clocks on a day means for the table of that day."""
    start, end = day_span(day.date, zone)
    moments = (start + timedelta(minutes=15 * n) for n in range((end - start) // timedelta(minutes=15)))
    before = start.astimezone(zone).utcoffset()
    change = next((m for m in moments if m.astimezone(zone).utcoffset() != before), start)
    if day.change > timedelta():
        said = gettext("The clocks go back on this day: the time from %(time)s on comes twice.")
    else:
        said = gettext("The clocks go forward on this day, to %(time)s.")
    return said % {"time": times.clock(change, zone)}


@register.simple_tag
def contract_reason(tariff: Tariff, day: Day, now: datetime, zone: ZoneInfo) -> str:
    """The contract's end, if it is why a day has no prices or none at its end; else ""."""
    end = tariff.contract_end
    if not end or day.date < end - timedelta(days=1) or (day.all_rows and not day.known_until):
        return ""
    if day.date > end:
        over = end < now.astimezone(zone).date()
        said = gettext("The contract ended on %(day)s.") if over else gettext("The contract ends on %(day)s.")
        said += " " + gettext("There are no prices after that.")
    elif day.known_until:
        said = gettext("The last day of the contract is %(day)s, and its prices end here.")
    elif day.date == end:
        said = gettext("This is the last day of the contract, and we have no prices for it.")
    else:
        return ""
    return said % {"day": times.long_date(end)}


# What a price means, by direction and sign: now, without and with its end; and at any time, alone and as a mean.
NOW = {
    ("IMPORT", 1): (_("Now %(price)s per kWh."), _("Now %(price)s per kWh until %(time)s.")),
    ("IMPORT", 0): (_("Now free."), _("Now free until %(time)s.")),
    ("IMPORT", -1): (_("Now you are paid %(price)s per kWh."), _("Now you are paid %(price)s per kWh until %(time)s.")),
    ("EXPORT", 0): (_("Now nothing is paid."), _("Now nothing is paid until %(time)s.")),
    ("EXPORT", -1): (_("Now you pay %(price)s per kWh."), _("Now you pay %(price)s per kWh until %(time)s.")),
}
PRICE = {
    ("IMPORT", 1): ("%(price)s", _("%(price)s on average")),
    ("IMPORT", 0): (_("free"), _("free on average")),
    ("IMPORT", -1): (_("you are paid %(price)s"), _("you are paid %(price)s on average")),
    ("EXPORT", 0): (_("nothing is paid"), _("nothing is paid on average")),
    ("EXPORT", -1): (_("you pay %(price)s"), _("you pay %(price)s on average")),
}
# The one price of a tariff, by direction and sign.
ALWAYS = {
    ("IMPORT", 1): _("%(price)s per kWh at all times."),
    ("IMPORT", 0): _("Free at all times."),
    ("IMPORT", -1): _("You are paid %(price)s per kWh at all times."),
    ("EXPORT", 1): _("%(price)s per kWh at all times."),
    ("EXPORT", 0): _("Nothing is paid at any time."),
    ("EXPORT", -1): _("You pay %(price)s per kWh at all times."),
}
NOW["EXPORT", 1], PRICE["EXPORT", 1] = NOW["IMPORT", 1], PRICE["IMPORT", 1]


def sign(rate: Decimal, currency: str) -> int:
    """The sign of the rounded price: a hundredth of a penny is shown, and less is free."""
    shown = money.shown(rate, currency)
    return (shown > 0) - (shown < 0)


@register.simple_tag
def rate_in_words(rate: Decimal, currency: str, direction: Any, unit: str = "kWh") -> str:
    """24.56p per kWh, you are paid 3.19p per kWh; without a unit 24.56p."""
    price = per_kwh(abs(rate), currency) if unit else money.price(abs(rate), currency)
    said, _mean = PRICE["EXPORT" if direction == "EXPORT" else "IMPORT", sign(rate, currency)]
    return str(said) % {"price": price}


@register.simple_tag
def now_in_words(view: dict[str, Any], now: datetime) -> SafeString:
    """Now 24.56p per kWh until 16:00; with the price marked, so that it can be shown large."""
    rate, currency = view["now"].rate, view["currency"]
    end = times.until(view["until"], now, view["zone"]) if view["until"] else ""
    said = escape(NOW[view["tariff"].direction, sign(rate, currency)][bool(end)])
    price = format_html('<b class="price">{}</b>', money.price(abs(rate), currency))
    return mark_safe(said % {"price": price, "time": escape(end)})  # nosec B308 B703  # all parts are escaped


SIGNS = {"low": "▼", "usual": "●", "high": "▲"}


@register.simple_tag
def word_sign(word: str) -> str:
    """▼ low: a sign beside the word, so that neither stands for its colour alone; "" without a word."""
    if not word:
        return ""
    return format_html(
        '<span class="word {}"><span aria-hidden="true">{}</span> {}</span>', word, SIGNS[word], WORDS[word]
    )


MORE, LESS = _("%(mean)s, %(gain)s more than now"), _("%(mean)s, %(gain)s less than now")
BETTER, WORSE = _("%(mean)s, %(gain)s better than now"), _("%(mean)s, %(gain)s worse than now")


@register.simple_tag
def mean_in_words(view: dict[str, Any]) -> str:
    """The mean of the best time beside the price now: 9.10p on average, 15.46p less than now."""
    rate, gain = view["best"].mean, view["gain"]
    currency, direction = view["currency"], view["tariff"].direction
    kind = sign(rate, currency)
    mean = str(PRICE[direction, kind][1]) % {"price": money.price(abs(rate), currency)}
    if not gain:
        return mean
    better, worse = (BETTER, WORSE) if kind < 0 else (MORE, LESS) if direction == "EXPORT" else (LESS, MORE)
    return (better if gain > 0 else worse) % {"mean": mean, "gain": money.price(abs(gain), currency)}


@register.simple_tag
def one_price_in_words(view: dict[str, Any]) -> SafeString:
    """28.15p per kWh at all times; with the price marked, so that it can be shown large."""
    rate, currency = view["now"].rate, view["currency"]
    said = escape(ALWAYS[view["tariff"].direction, sign(rate, currency)])
    price = format_html('<b class="price">{}</b>', money.price(abs(rate), currency))
    return mark_safe(said % {"price": price})  # nosec B308 B703  # all parts are escaped


# The mean of a week or month against the one before it: more, less and the same.
AGAINST = {
    ("week", 1): _("%(mean)s on average, %(gain)s more than the week before."),
    ("week", -1): _("%(mean)s on average, %(gain)s less than the week before."),
    ("week", 0): _("%(mean)s on average, as the week before."),
    ("month", 1): _("%(mean)s on average, %(gain)s more than the month before."),
    ("month", -1): _("%(mean)s on average, %(gain)s less than the month before."),
    ("month", 0): _("%(mean)s on average, as the month before."),
}


@register.simple_tag
def compared_in_words(view: dict[str, Any], period: str) -> str:
    """20.09p per kWh on average, 1.20p less than the week before. 180 g CO₂ per kWh, 12 g less."""
    mean, more, currency = view["mean"], view["more"], view["currency"]
    if more is None:
        said = gettext("%(mean)s on average.") % {"mean": per_kwh(mean, currency)}
    else:
        words = AGAINST[period, (more > 0) - (more < 0)]
        said = words % {"mean": per_kwh(mean, currency), "gain": money.price(abs(more), currency)}
    carbon, earlier = view["carbon"], view["carbon_earlier"]
    if carbon is None:
        return said
    grams = {"carbon": money.plain(carbon)}
    if earlier is None or earlier == carbon:
        plain = gettext("%(carbon)s g CO₂ per kWh.") % grams
        return f"{said} {plain}"
    grams["difference"] = money.plain(abs(carbon - earlier))
    fuller = _("%(carbon)s g CO₂ per kWh, %(difference)s g more.")
    if carbon < earlier:
        fuller = _("%(carbon)s g CO₂ per kWh, %(difference)s g less.")
    return f"{said} {fuller % grams}"


@register.filter
def of(found: dict[Any, Any], key: Any) -> Any:
    return found.get(key)


@register.filter
def ago(moment: datetime, now: datetime | None = None) -> str:
    """12 minutes ago, 3 hours ago; before this moment where no other one is given."""
    passed = (now or timezone.now()) - moment
    return format_timedelta(-max(passed, timedelta(seconds=1)), add_direction=True, locale=money.locale())


@register.inclusion_tag("tariffs/_as_of.html")
def as_of(now: datetime, zone: ZoneInfo, until: datetime) -> dict[str, Any]:
    """When a page was made, and for how many seconds it is true: a duration, because the browser's clock may be wrong."""
    return {
        "day": times.local_day(now, zone),
        "time": times.local(now, zone),
        "where": times.zone_in_words(zone, now),
        "seconds": max(1, ceil((until - timezone.now()).total_seconds())),
    }
