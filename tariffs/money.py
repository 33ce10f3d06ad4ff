"""Prices and sums as on a bill: the unit of a price, an ordinary price, and the use of an ordinary year."""

import re
from copy import copy
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from string import ascii_uppercase
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError, numbers
from django.utils.translation import get_language, pgettext_lazy


class Unit(NamedTuple):
    """`suffix` follows the number, which is the amount in major units times ten to the `shift`.

    A translation may space the suffix, or use another: 24.56c is 24,56 ct in German. `ordinary` is a common price for a
    household in major units per kWh, None if we know none.
    """

    suffix: Any  # a string, which is lazy in UNITS
    shift: int
    ordinary: Decimal | None = None
    year: int = 3500  # kWh a household uses in an ordinary year


UNITS = {
    "AUD": Unit(pgettext_lazy("follows a price", "c"), 2, Decimal("0.30"), 5500),
    "CAD": Unit(pgettext_lazy("follows a price", "¢"), 2, Decimal("0.15"), 10000),
    "CHF": Unit(pgettext_lazy("follows a price", " Rp."), 2, Decimal("0.27"), 4500),
    "DKK": Unit(pgettext_lazy("follows a price", " øre"), 2, Decimal("2.50"), 3500),
    "EUR": Unit(pgettext_lazy("follows a price", "c"), 2, Decimal("0.30"), 3500),
    "GBP": Unit(pgettext_lazy("follows a price", "p"), 2, Decimal("0.25"), 2700),
    "JPY": Unit(pgettext_lazy("follows a price", " ¥"), 0, Decimal(31), 4000),
    "NOK": Unit(pgettext_lazy("follows a price", " øre"), 2, Decimal("1.20"), 16000),
    "NZD": Unit(pgettext_lazy("follows a price", "c"), 2, Decimal("0.33"), 7000),
    "PLN": Unit(pgettext_lazy("follows a price", " gr"), 2, Decimal("1.00"), 2000),
    "SEK": Unit(pgettext_lazy("follows a price", " öre"), 2, Decimal("1.50"), 8000),
    "USD": Unit(pgettext_lazy("follows a price", "¢"), 2, Decimal("0.17"), 10500),
}


def unit(currency: str) -> Unit:
    found = UNITS.get(currency)
    if found:
        return found._replace(suffix=str(found.suffix))
    return Unit(f" {currency}", 0, Decimal(COMMON[currency]) if currency in COMMON else None)


# What people write for a currency beside its code, its sign and its name, and for its hundredth.
MAJOR = {
    "£ pound pounds": ["GBP"],
    "€ euro euros": ["EUR"],
    "$ dollar dollars": ["AUD", "CAD", "NZD", "USD"],
    "kr krona kronor kroner": ["DKK", "NOK", "SEK"],
    "fr sfr franken francs": ["CHF"],
    "zł zl złoty zloty": ["PLN"],
    "¥ 円 yen": ["JPY"],
    "r$ reais real": ["BRL"],
    "kč": ["CZK"],
    "ft": ["HUF"],
    "rp": ["IDR"],
    "₹ rs": ["INR"],
    "rm": ["MYR"],
    "lei leu": ["RON"],
    "tl ₺": ["TRY"],
    "r": ["ZAR"],
}
MINOR = {
    "p pence penny": ["GBP"],
    "c ct cts cent cents ¢ centime centimes": ["AUD", "CAD", "EUR", "NZD", "USD"],
    "øre öre ore": ["DKK", "NOK", "SEK"],
    "rp rappen ct cts c centime centimes": ["CHF"],
    "gr grosz grosze groszy": ["PLN"],
}
# A common price of a household in major units per kWh, where bills have no other unit.
COMMON = {
    "AED": "0.3", "BGN": "0.27", "BRL": "0.8", "CLP": "170", "CNY": "0.55", "COP": "850", "CZK": "6.5", "HKD": "1.4",
    "HUF": "40", "IDR": "1445", "ILS": "0.6", "INR": "7", "ISK": "20", "KRW": "150", "MXN": "2", "MYR": "0.45", "PHP": "11",
    "RON": "1.3", "RSD": "13", "SAR": "0.2", "SGD": "0.3", "THB": "4.2", "TRY": "3", "TWD": "3", "UAH": "4.3", "VND": "2200",
    "ZAR": "3.5",
}  # fmt: skip


@cache
def words(currency: str, where: Locale) -> dict[str, int]:
    """The words beside a typed price, in lower case and without spaces, with the power of ten to major units."""
    own, shift = unit(currency)[:2]
    found = {"": -shift}
    if not currency:
        return found
    major = [currency, numbers.get_currency_symbol(currency, where)]
    for count in (1, 2, 5):
        name = numbers.get_currency_name(currency, count, where)
        major += [name, *name.split()]
    major += [sign.strip(ascii_uppercase) for sign in major]  # $ of US$
    for power, given, table in ((0, major, MAJOR), (-shift, [own], MINOR)):
        more = " ".join(names for names, currencies in table.items() if currency in currencies and (shift or not power))
        found |= {"".join(word.split()).lower().strip("."): power for word in [*given, *more.split()] if word}
    return found


def is_usual(rate: Decimal, currency: str, lowest: int = 10) -> bool:
    """Whether a price is neither far above a common one of its currency, nor far below; True if none is known."""
    usual = unit(currency).ordinary
    return usual is None or usual / lowest <= abs(rate) <= usual * 5


def locale() -> Locale:
    return _locale(get_language() or "en-gb")


@cache  # one for each language
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "GB")


def rounded(value: Decimal, places: int) -> Decimal:
    """Round half up; never minus zero."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) + 0


def price(rate: Decimal | int, currency: str) -> str:
    """A rate in major units per kWh as on a bill: 0.24555 GBP is 24.56p. It is an int where JSON has a whole number."""
    return _price(rate, currency, locale())


@lru_cache(4096)  # a page says each price several times
def _price(rate: Decimal | int, currency: str, where: Locale) -> str:
    suffix, shift = unit(currency)[:2]
    return numbers.format_decimal(shown(rate, currency).scaleb(shift), "#,##0.00", where) + suffix


def shown(rate: Decimal | int, currency: str) -> Decimal:
    """The rate in major units, rounded as `price` says it. Calculate with this one to agree with what people read."""
    shift = unit(currency).shift
    return rounded(Decimal(rate).scaleb(shift), 2).scaleb(-shift)


def exactly(rate: Decimal | int, currency: str) -> str:
    """A rate in major units with all its decimals, at least two: £0.2815."""
    places = max(2, -int(Decimal(rate).normalize().as_tuple().exponent))
    return _with_places(Decimal(rate), currency, places)


def coins(value: Decimal, currency: str) -> Decimal:
    """A sum of money rounded to the smallest coin."""
    return rounded(value, numbers.get_currency_precision(currency))


def cost(value: Decimal, currency: str) -> str:
    """A sum of money to the smallest coin: £1.23."""
    return _with_sign(coins(value, currency), currency)


def amount(value: Decimal | int, currency: str) -> str:
    """A sum of money to the whole unit: £662."""
    return _with_places(rounded(Decimal(value), 0), currency, 0)


def _with_places(value: Decimal, currency: str, places: int) -> str:
    """In the pattern of the language, £0.25 or 0,25 €, with the given number of decimals."""
    pattern = copy(locale().currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return _with_sign(value, currency, pattern, currency_digits=False)


def _with_sign(value: Decimal, currency: str, pattern: Any = None, **options: Any) -> str:
    """A sum with its currency's sign, $ and not US$ or $US: a place has one currency. Letters have a space: CHF 4."""
    sign = numbers.get_currency_symbol(currency, locale())
    said = numbers.format_currency(value, currency, pattern, locale(), **options)
    said = said.replace(sign, sign.strip(ascii_uppercase) or sign)
    return re.sub(r"(?<=[^\W\d_])(?=\d)", "\xa0", said)


def plain(number: Decimal) -> str:
    """A number with all its digits: 2,700 or 2.5."""
    return numbers.format_decimal(number, locale=locale(), decimal_quantization=False)
