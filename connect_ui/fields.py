"""Form fields for what a tariff is made of."""

import re
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from string import ascii_uppercase
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, core, dates, numbers
from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy as _, pgettext

from tariffs import money, rates
from tariffs.flatpeak import zone_named

NUMBER = re.compile(r"[+-]?(\d{1,6}([.,]\d{0,8})?|[.,]\d{1,8})")
LONGEST = 40  # characters of a typed number, with its unit and spaces
# What people type after a price, without spaces: a pattern that allows spaces takes quadratic time on many of them.
PER_KWH = re.compile(r"(/|per|pro|je|par|le)kwh$", re.I)
MINOR = r"p|pence|c|ct|cents?|¢|[oöø]re|rp\.?|gr"
# Codes that CLDR names and ISO 3166-1 does not have as countries.
NOT_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}


def packed(text: str) -> str:
    """The text without spaces, which have no meaning in a number."""
    return "".join(text.split())


class UnitInput(forms.TextInput):
    template_name = "forms/unit_input.html"

    def __init__(self, unit: str = "", attrs: dict[str, Any] | None = None) -> None:
        self.unit = unit
        own = {"inputmode": "decimal", "autocomplete": "off", "size": 8, "maxlength": LONGEST}
        super().__init__(own | (attrs or {}))

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"unit": self.unit}


class NumberField(forms.Field):
    """A number as people write it, with a comma or a point."""

    widget = UnitInput
    default_error_messages = {"invalid": _("Type a number, for example 24.5.")}

    def to_python(self, value: Any) -> Decimal | None:
        text = str(value or "")
        if len(text) > LONGEST:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return self.parse(text) if text.strip() else None

    def parse(self, text: str) -> Decimal:
        text = packed(text).replace("'", "").replace("\u2212", "-")
        if "." in text and "," in text:  # the last one separates decimals, the other one thousands
            thousands = "," if text.rindex(".") > text.rindex(",") else "."
            text = re.sub(rf"(?<=\d)[{thousands}](?=\d{{3}}(?!\d))", "", text)
        if not NUMBER.fullmatch(text):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return Decimal(text.replace(",", "."))

    def prepare_value(self, value: Any) -> Any:
        number = rates.number(value)
        return value if number is None else plain(number)


def plain(number: Decimal) -> str:
    """The number without an exponent or trailing zeros."""
    return f"{number.normalize():f}"


class RateField(NumberField):
    """A price per kWh, typed as it stands on a bill (24.5 pence), clean as a Decimal in major units (0.245)."""

    def __init__(self, *, currency: str = "", signed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.signed, self.unit = signed, money.unit(currency)
        self.symbol = packed(numbers.get_currency_symbol(currency, money.locale())) if currency else ""
        said = {"price": self.unit.suffix.strip()}
        bill = gettext("{price} per kWh, about {bill} a year at {use} kWh")
        self.widget.unit = gettext("%(price)s per kWh") % said if currency else gettext("per kWh")
        self.widget.attrs |= {
            "data-price": currency,
            "data-suffix": self.unit.suffix,
            "data-said": gettext("{price} per kWh"),
            "data-bill": bill.replace("{use}", money.plain(Decimal(self.unit.year))),
            "data-shift": self.unit.shift,
            "data-year": self.unit.year,
            "data-symbol": self.symbol,
        }

    def prepare_value(self, value: Any) -> Any:
        number = rates.number(value)
        if number is None:
            return value
        # Connect sends a price of 0 before one is given.
        return plain(number.scaleb(self.unit.shift)) if number or self.signed else ""

    def parse(self, text: str) -> Decimal:
        text, own = PER_KWH.sub("", packed(text)), packed(self.unit.suffix)
        # "£0.245" may be typed in the field for pence, and "$" for US$. But "24,5 c€" is in cents.
        for major in filter(None, (self.symbol, self.symbol.strip(ascii_uppercase))):
            if major in text and major != own and not text.endswith(own):
                return super().parse(text.replace(major, ""))
        minor = re.escape(own) + (f"|{MINOR}" if self.unit.shift else "")
        return super().parse(re.sub(rf"(?<=[\d.,])({minor})$", "", text, flags=re.I)).scaleb(-self.unit.shift)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.signed and value <= 0:
            raise forms.ValidationError(gettext("The price must be above 0."), code="invalid")


@lru_cache(maxsize=16)
def countries(language: str) -> dict[str, str]:
    """Codes and names of all countries, in the order of their names in that language."""
    names = Locale.parse(language).territories.items()
    found = [(code, name) for code, name in names if re.fullmatch("[A-Z]{2}", code) and code not in NOT_COUNTRIES]
    return dict(sorted(found, key=lambda item: item[1]))


@lru_cache(maxsize=512)
def _country_options(language: str, chosen: str) -> SafeString:
    offered = countries(language) if chosen else {"": gettext("Choose a country")} | countries(language)
    options = ((code, " selected" if chosen and code == chosen else "", name) for code, name in offered.items())
    return format_html_join("", '<option value="{}"{}>{}</option>', options)


class CountrySelect(forms.Select):
    """The 250 options as one cached string per choice: Django's own widget takes 25 ms to render them."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        language = str(money.locale())
        value = country(value)
        known = value in countries(language)
        flat = forms.utils.flatatt(self.build_attrs(self.attrs, {"name": name} | (attrs or {})))
        return format_html("<select{}>{}</select>", flat, _country_options(language, value if known else ""))


def country(code: Any) -> str:
    """A country's code in capitals, as ISO 3166 writes it; "" if it is no text."""
    return code.strip().upper() if isinstance(code, str) else ""


class CountryField(forms.CharField):
    widget = CountrySelect({"autocomplete": "country"})
    default_error_messages = {"required": _("Choose a country from the list.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(label=_("Country"), **options)

    def to_python(self, value: Any) -> str:
        return country(super().to_python(value))

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and value not in countries(str(money.locale())):
            raise forms.ValidationError(self.error_messages["required"], code="invalid")


@cache
def zones(code: str = "") -> tuple[ZoneInfo, ...]:
    """The time zones of a country, or of all countries."""
    found = core.get_global("zone_territories")
    return tuple(zone for name in found if code in ("", found[name]) and (zone := zone_named(name)))


def today_in(code: str, now: datetime) -> date:
    """Today's date in a country; the earlier one if its time zones differ."""
    return min(now.astimezone(zone).date() for zone in zones(code) or zones())


def in_words(day: date) -> str:
    """31 March 2019."""
    return dates.format_date(day, pgettext("pattern of a date", "d MMMM y"), money.locale())


def region_of(language: str) -> str:
    """The country of a browser's first language: GB for en-GB, DE for de; "" if none is known."""
    tag = language.split(",")[0].split(";")[0].strip().replace("-", "_")
    parts = core.get_global("likely_subtags").get(tag, tag).split("_")
    return parts[-1].upper() if len(parts) > 1 and len(parts[-1]) == 2 else ""
