import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

HOURS = (1, 2, 3, 4, 6, 8)


class EnergyField(forms.CharField):
    """kWh, typed with a comma or a point."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        text = str(super().to_python(value) or "").replace(",", ".")
        if not text:
            return None
        try:
            energy = Decimal(text) if len(text) < 10 else Decimal(0)
        except InvalidOperation:
            energy = Decimal(0)
        if not (energy.is_finite() and 0 < energy <= 1000):
            raise ValidationError("Type the energy in kWh, above 0 and up to 1000.")
        return energy


class CheapestForm(forms.Form):
    """How long, before when on the location's clock, and for how much energy; all by GET, so that it can be kept."""

    hours = forms.TypedChoiceField(
        label="For how long",
        choices=[(n, f"{n} hour{'s' * (n > 1)}") for n in HOURS],
        coerce=int,
        error_messages={"invalid_choice": f"Choose one of {', '.join(map(str, HOURS))} hours."},
    )
    before = forms.TimeField(
        label="Over by (optional)",
        required=False,
        input_formats=["%H:%M"],
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        error_messages={"invalid": "Type a time of day, for example 07:00."},
    )
    kwh = EnergyField(
        label="Energy in kWh (optional)",
        required=False,
        widget=forms.TextInput({"inputmode": "decimal", "size": 6, "autocomplete": "off"}),
    )


class DateForm(forms.Form):
    """A day at a location, as far as rates can be expected for it."""

    BACK, AHEAD = 366, 14  # days

    date = forms.DateField(
        label="Day",
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": "Choose a day.",
            "invalid": "Type a day as year-month-day, for example 2026-10-25.",
        },
    )

    def __init__(self, today: datetime.date, data: Any) -> None:
        self.first, self.last = (today + datetime.timedelta(days=n) for n in (-self.BACK, self.AHEAD))
        super().__init__(data, label_suffix="")

    def clean_date(self) -> datetime.date:
        day = self.cleaned_data["date"]
        if not self.first <= day <= self.last:
            raise ValidationError(f"Choose a day from {self.first} to {self.last}.")
        return day
