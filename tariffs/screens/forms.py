import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..money import locale
from ..rates.windows import next_time

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
            raise ValidationError(gettext("Type the energy in kWh, above 0 and up to 1000."))
        return energy


def lengths() -> list[tuple[int, str]]:
    return [(n, ngettext("%(hours)s hour", "%(hours)s hours", n) % {"hours": n}) for n in HOURS]


class CheapestForm(forms.Form):
    """How long, before when on the location's clock, and for how much energy; all by GET, so that it can be kept.

    `deadline` in its cleaned data is the instant of the time of day that is typed, None without one.
    """

    def __init__(self, now: datetime.datetime, zone: ZoneInfo, *given: Any, **options: Any) -> None:
        self.now, self.zone = now, zone
        super().__init__(*given, **options)

    hours = forms.TypedChoiceField(
        label=_("For how long"),
        choices=lengths,
        coerce=int,
        error_messages={
            "invalid_choice": format_lazy(_("Choose one of {hours} hours."), hours=", ".join(map(str, HOURS)))
        },
    )
    before = forms.TimeField(
        label=_("Over by (optional)"),
        required=False,
        input_formats=["%H:%M"],
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        error_messages={"invalid": _("Type a time of day, for example 07:00.")},
    )
    kwh = EnergyField(
        label=_("Energy in kWh (optional)"),
        required=False,
        widget=forms.TextInput({"inputmode": "decimal", "size": 6, "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        hours, before = given.get("hours"), given.get("before")
        given["deadline"] = next_time(before, self.zone, self.now) if before else None
        if hours and before and given["deadline"] - self.now < datetime.timedelta(hours=hours):
            said = ngettext(
                "An hour does not fit between now and %(time)s. Choose fewer hours or a later time.",
                "%(hours)s hours do not fit between now and %(time)s. Choose fewer hours or a later time.",
                hours,
            )
            self.add_error("before", said % {"hours": hours, "time": f"{before:%H:%M}"})
        return given


def day_field(label: Any, **options: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": _("Choose a day."),
            "invalid": _("Type a day as year-month-day, for example 2026-10-25."),
        },
        **options,
    )


class DaysForm(forms.Form):
    """Days at a location, as far as rates can be expected for them; all its fields are days."""

    BACK, AHEAD = 366, 14  # days

    def __init__(self, today: datetime.date, data: Any) -> None:
        self.first, self.last = (today + datetime.timedelta(days=n) for n in (-self.BACK, self.AHEAD))
        super().__init__(data, label_suffix="")
        for field in self.fields.values():
            field.validators.append(self.in_reach)

    def in_reach(self, day: datetime.date) -> None:
        if not self.first <= day <= self.last:
            first, last = (format_date(limit, "medium", locale()) for limit in (self.first, self.last))
            raise ValidationError(gettext("Choose a day from %(first)s to %(last)s.") % {"first": first, "last": last})


class DateForm(DaysForm):
    date = day_field(_("Day"))


class SpanForm(DaysForm):
    """From one day to another, both included; without the second it is one day, without both today and tomorrow."""

    LONGEST = 90  # days that FlatPeak gives at once

    start = day_field(_("First day"), required=False)
    end = day_field(_("Last day"), required=False)

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        start, end = given.get("start"), given.get("end")
        if end and not start and not self.errors:
            self.add_error("start", gettext("Give the first day too."))
        elif start and end and end < start:
            self.add_error("end", gettext("The last day is before the first."))
        elif start and end and (end - start).days >= self.LONGEST:
            self.add_error("end", gettext("Choose %(days)s days at most.") % {"days": self.LONGEST})
        return given

    def days(self, today: datetime.date) -> list[datetime.date]:
        start = self.cleaned_data["start"] or today
        end = self.cleaned_data["end"] or (start if self.cleaned_data["start"] else today + datetime.timedelta(days=1))
        return [start + datetime.timedelta(days=n) for n in range((end - start).days + 1)]
