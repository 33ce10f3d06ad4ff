"""Fields for numbers, prices and times of day, which are typed in as many ways as people know."""

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from babel import numbers
from django import forms
from django.templatetags.static import static
from django.utils.translation import gettext, gettext_lazy as _

from . import money, rates, typed


class UnitInput(forms.TextInput):
    template_name = "forms/unit_input.html"

    def __init__(self, unit: str = "", attrs: dict[str, Any] | None = None) -> None:
        self.unit = unit
        own = {"inputmode": "decimal", "autocomplete": "off", "size": 8, "maxlength": typed.LONGEST}
        super().__init__(own | (attrs or {}))

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"unit": self.unit}


class SignedInput(UnitInput):
    """An amount with a choice before it, since the decimal keypad of an iPhone has no minus. A typed minus counts too."""

    template_name = "forms/signed_input.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        text = str(value or "")
        context = super().get_context(name, text.removeprefix("-"), attrs)
        return context | {"discount": text.startswith("-")}

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        text = data.get(name)
        return f"-{text}" if text and data.get(f"{name}_sign") == "-" and not text.startswith("-") else text


class NumberField(forms.Field):
    """A number as people write it, with the words of `units` beside it (see `typed.read`)."""

    widget = UnitInput
    units: Mapping[str, int] = {"": 0}
    default_error_messages = {
        "invalid": _("Enter a number, for example 24.5."),
        "ambiguous": _("This could be two numbers. Enter %(first)s or %(second)s."),
    }

    def to_python(self, value: Any) -> Decimal | None:
        text = str(value or "")
        if not text.strip():
            return None
        found = typed.read(text, self.units)
        found = [number for number in found if self.is_likely(number)] or found
        if not found:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        if len(found) > 1:
            raise forms.ValidationError(self.error_messages["ambiguous"], "ambiguous", self.in_one_way(found))
        return found[0]

    def is_likely(self, number: Decimal) -> bool:
        """Whether it may be meant, if the text can also mean another number."""
        return True

    def in_one_way(self, found: list[Decimal]) -> dict[str, str]:
        """Two numbers as they can be typed without a second meaning: "1,445" is 1445 or 1.4450."""
        whole, exact = sorted((number.scaleb(-self.units[""]) for number in found), reverse=True)
        sign = numbers.get_decimal_symbol(money.locale())
        return {"first": f"{whole:f}", "second": f"{exact:f}0".replace(".", sign)}

    def prepare_value(self, value: Any) -> Any:
        number = rates.number(value)
        return value if number is None else plain(number)


def plain(number: Decimal) -> str:
    """The number without an exponent or trailing zeros."""
    return f"{number.normalize():f}"


class RateField(NumberField):
    """A price per kWh, typed as it stands on a bill (24.5 pence), clean as a Decimal in major units (0.245)."""

    def __init__(self, *, currency: str = "", signed: bool = False, **options: Any) -> None:
        super().__init__(**{"widget": SignedInput if signed else UnitInput} | options)
        self.currency, self.signed, self.unit = currency, signed, money.unit(currency)
        self.units = money.words(currency, money.locale())
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
            "data-usual": self.unit.ordinary or "",
            "data-units": json.dumps(self.units, ensure_ascii=False),
            "data-script": static("js/prices.js"),
        }

    def prepare_value(self, value: Any) -> Any:
        number = rates.number(value)
        if number is None:
            return value
        # Connect sends a price of 0 before one is given.
        return plain(number.scaleb(self.unit.shift)) if number or self.signed else ""

    def is_likely(self, number: Decimal) -> bool:
        return money.is_usual(number, self.currency)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.signed and value <= 0:
            raise forms.ValidationError(gettext("Enter a price above 0."), code="invalid")


class TimeField(forms.TimeField):
    """A time of day."""

    widget = forms.TimeInput({"type": "time"}, format="%H:%M")
    default_error_messages = {"invalid": _("Enter a time, for example 23:30.")}

    def to_python(self, value: Any) -> datetime.time | None:
        if value in self.empty_values:
            return None
        try:
            return typed.clock(str(value))
        except ValueError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class AmountField(NumberField):
    """A number above 0 and up to `MOST`."""

    MOST = 1000

    def is_likely(self, number: Decimal) -> bool:
        return 0 < number <= self.MOST

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.is_likely(value):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")


class EnergyField(AmountField):
    """An energy in kWh."""

    units = {"": 0, "kwh": 0, "wh": -3, "mwh": 3}
    default_error_messages = {"invalid": _("Enter the energy in kWh, above 0 and up to 1000.")}


class PowerField(AmountField):
    """A power in kW."""

    MOST = 100
    units = {"": 0, "kw": 0, "w": -3}
    default_error_messages = {"invalid": _("Enter the power in kW, above 0 and up to 100.")}


class DurationField(forms.Field):
    """A duration in whole minutes, a day at most; shown as hours and minutes, 2:30."""

    LONGEST = 24 * 60
    default_error_messages = {"invalid": _("Enter a duration up to 24 hours, for example 2:30.")}

    def to_python(self, value: Any) -> int | None:
        text = str(value or "")
        if not text.strip():
            return None
        found = next((minutes for minutes in typed.minutes(text) if 0 < minutes <= self.LONGEST), None)
        if found is None:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return found

    def prepare_value(self, value: Any) -> Any:
        return in_hours(value) if isinstance(value, int) else value


def in_hours(minutes: int) -> str:
    """2:30"""
    return f"{minutes // 60}:{minutes % 60:02}"
