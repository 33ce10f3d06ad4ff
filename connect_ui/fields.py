"""Form fields for what a tariff is made of."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, core, dates
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy as _, pgettext

from tariffs import money
from tariffs.addresses import sortable
from tariffs.fields import NumberField, SignedInput
from tariffs.flatpeak import zone_named

# Codes that CLDR names and ISO 3166-1 does not have as countries.
NOT_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}


class PercentageField(NumberField):
    """18.5 is 18.5 %."""

    units = dict.fromkeys(["", "%", "٪", "percent", "percents", "prozent", "pourcent", "pourcents", "pct"], 0)
    LEAST, MOST = -100, 1000

    def __init__(self, **options: Any) -> None:
        wrong = gettext("Enter a percentage between −100 and 1000.")
        limits = [MinValueValidator(self.LEAST, wrong), MaxValueValidator(self.MOST, wrong)]
        super().__init__(widget=SignedInput("%"), validators=limits, **options)

    def is_likely(self, number: Decimal) -> bool:
        return self.LEAST <= number <= self.MOST


@lru_cache(maxsize=16)
def countries(language: str) -> dict[str, str]:
    """Codes and names of all countries, in the order of their names in that language."""
    names = Locale.parse(language).territories.items()
    found = [(code, name) for code, name in names if re.fullmatch("[A-Z]{2}", code) and code not in NOT_COUNTRIES]
    return dict(sorted(found, key=lambda item: sortable(item[1])))


def _options(offered: Mapping[str, str], chosen: str) -> SafeString:
    options = ((code, " selected" if chosen and code == chosen else "", name) for code, name in offered.items())
    return format_html_join("", '<option value="{}"{}>{}</option>', options)


@lru_cache(maxsize=512)
def _country_options(language: str, chosen: str, likely: tuple[str, ...]) -> SafeString:
    everywhere = countries(language)
    first = {code: everywhere[code] for code in likely if code in everywhere}
    unknown = _options({} if chosen else {"": gettext("Choose a country")}, "")
    if not first:
        return unknown + _options(everywhere, chosen)
    groups = [(gettext("Suggested"), _options(first, chosen))]
    groups.append((gettext("All countries"), _options(everywhere, "" if chosen in first else chosen)))
    return unknown + format_html_join("", '<optgroup label="{}">{}</optgroup>', groups)


class CountrySelect(forms.Select):
    """The 250 options as one cached string per choice: Django's own widget takes 25 ms to render them.

    The codes in `likely` stand first.
    """

    likely: Sequence[str] = ()

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        language = str(money.locale())
        value = country(value)
        known = value in countries(language)
        flat = forms.utils.flatatt(self.build_attrs(self.attrs, {"name": name} | (attrs or {})))
        options = _country_options(language, value if known else "", tuple(self.likely))
        return format_html("<select{}>{}</select>", flat, options)


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


def regions_of(languages: str) -> list[str]:
    """The countries of a browser's languages: GB for en-GB, DE for de. One that is not named counts for the first alone."""
    found = []
    for place, each in enumerate(languages[:200].split(",")):
        tag = each.split(";")[0].strip().replace("-", "_")
        parts = (tag if place else core.get_global("likely_subtags").get(tag, tag)).split("_")
        if len(parts) > 1 and len(parts[-1]) == 2:
            found.append(parts[-1].upper())
    return found
