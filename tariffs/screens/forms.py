"""The questions for a day and for a span of days."""

import datetime
from typing import Any

from babel.dates import format_date
from django import forms
from django.utils.translation import gettext, gettext_lazy as _

from ..money import locale

INVALID = _("Enter a day as year-month-day, for example 2026-10-25.")


def day_field(label: Any, **options: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": _("Choose a day."), "invalid": INVALID},
        **options,
    )


class DaysForm(forms.Form):
    """A form of days, each within the time for which FlatPeak may have rates."""

    BACK, AHEAD = 366, 14  # days

    def __init__(self, today: datetime.date, data: Any) -> None:
        self.first, self.last = (today + datetime.timedelta(days=n) for n in (-self.BACK, self.AHEAD))
        super().__init__(data, label_suffix="")
        for field in self.fields.values():
            field.validators.append(self.in_reach)

    def in_reach(self, day: datetime.date) -> None:
        if not self.first <= day <= self.last:
            first, last = (format_date(limit, "medium", locale()) for limit in (self.first, self.last))
            raise forms.ValidationError(_("Choose a day from %(first)s to %(last)s.") % {"first": first, "last": last})


class DateForm(DaysForm):
    date = day_field(_("Day"))


class SpanForm(DaysForm):
    """The first and the last day. Without the last it is one day, without both it is today and tomorrow."""

    LONGEST = 90  # days in one answer of FlatPeak

    start = day_field(_("First day"), required=False)
    end = day_field(_("Last day"), required=False)

    def clean(self) -> None:
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if end and not start and not self.errors:
            self.add_error("start", gettext("Enter the first day too."))
        elif start and end and end < start:
            self.add_error("end", gettext("The last day must be after the first day."))
        elif start and end and (end - start).days >= self.LONGEST:
            self.add_error("end", gettext("Choose no more than %(days)s days.") % {"days": self.LONGEST})

    def days(self, today: datetime.date) -> list[datetime.date]:
        start = self.cleaned_data["start"] or today
        end = self.cleaned_data["end"] or (start if self.cleaned_data["start"] else today + datetime.timedelta(days=1))
        return [start + datetime.timedelta(days=n) for n in range((end - start).days + 1)]
