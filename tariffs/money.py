"""How a price per kWh stands on a bill: the unit people use for it, and what an ordinary price and year look like."""

from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import NamedTuple

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal, get_currency_precision
from django.utils.translation import get_language


class Unit(NamedTuple):
    """`suffix` follows the number; the number is the major amount times ten to the `shift`.

    `ordinary` is a common household price in major units per kWh, None where a wrong unit cannot be told from it.
    """

    suffix: str
    shift: int
    ordinary: Decimal | None = None
    year: int = 3500  # kWh a household uses in an ordinary year


UNITS = {
    "AUD": Unit("c", 2, Decimal("0.30"), 5500),
    "CAD": Unit("¢", 2, Decimal("0.15"), 10000),
    "CHF": Unit(" Rp.", 2, Decimal("0.27"), 4500),
    "DKK": Unit(" øre", 2, Decimal("2.50"), 3500),
    "EUR": Unit("c", 2, Decimal("0.30"), 3500),
    "GBP": Unit("p", 2, Decimal("0.25"), 2700),
    "JPY": Unit(" ¥", 0, None, 4000),
    "NOK": Unit(" øre", 2, Decimal("1.20"), 16000),
    "NZD": Unit("c", 2, Decimal("0.33"), 7000),
    "PLN": Unit(" gr", 2, Decimal("1.00"), 2000),
    "SEK": Unit(" öre", 2, Decimal("1.50"), 8000),
    "USD": Unit("¢", 2, Decimal("0.17"), 10500),
}


def unit(currency: str) -> Unit:
    return UNITS.get(currency) or Unit(f" {currency}", 0)


def locale() -> Locale:
    return _locale(get_language() or "en-gb")


@cache  # one per language of the site
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "GB")


def rounded(value: Decimal, places: int) -> Decimal:
    """Half up, and never minus zero."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) + 0


def price(rate: Decimal | int, currency: str) -> str:
    """A rate in major units per kWh as it stands on a bill: 0.24555 GBP is 24.56p. A whole number of JSON is an int."""
    return _price(rate, currency, locale())


@lru_cache(4096)  # a page says each of its prices several times
def _price(rate: Decimal | int, currency: str, where: Locale) -> str:
    suffix, shift = unit(currency)[:2]
    return format_decimal(rounded(Decimal(rate).scaleb(shift), 2), "#,##0.00", where) + suffix


def exactly(rate: Decimal | int, currency: str) -> str:
    """A rate in major units with every digit it has, at least two: £0.2815."""
    places = max(2, -int(Decimal(rate).normalize().as_tuple().exponent))
    return format_currency(rate, currency, "¤#,##0." + "0" * places, locale(), currency_digits=False)


def cost(value: Decimal, currency: str) -> str:
    """A sum of money to the smallest coin: £1.23."""
    return format_currency(rounded(value, get_currency_precision(currency)), currency, locale=locale())


def amount(value: Decimal | int, currency: str) -> str:
    """A sum of money to the whole unit: £662."""
    return format_currency(rounded(Decimal(value), 0), currency, "¤#,##0", locale(), currency_digits=False)
