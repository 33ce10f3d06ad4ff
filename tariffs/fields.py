"""Fields for numbers and times of day, which are typed in as many ways as people know."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from babel import numbers
from django import forms
from django.utils.translation import gettext_lazy as _

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
