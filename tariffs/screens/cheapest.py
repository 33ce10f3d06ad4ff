"""The cheapest time ahead, or the dearest for what is sold: the question and its answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _, ngettext

from .. import money
from ..fields import NumberField, TimeField
from ..models import Tariff
from ..rates import Segment
from ..rates.windows import best, next_time
from ..times import of_day

HOURS = (1, 2, 3, 4, 6, 8)
WRONG_HOURS = format_lazy(_("Choose one of {hours} hours."), hours=", ".join(map(str, HOURS)))
WRONG_ENERGY = _("Enter the energy in kWh, above 0 and up to 1000.")


class EnergyField(NumberField):
    """An energy in kWh, above 0 and up to 1000."""

    units = {"": 0, "kwh": 0, "wh": -3, "mwh": 3}

    def is_likely(self, number: Decimal) -> bool:
        return 0 < number <= 1000

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.is_likely(value):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")


class CheapestForm(forms.Form):
    """For how long, until when on the location's clock, and for how much energy. A GET, so that its answer has an address.

    It is bound if the query is about this tariff. `deadline` in the cleaned data is the instant of the typed time of day,
    None without one.
    """

    def __init__(self, tariff: Tariff, query: QueryDict, now: datetime) -> None:
        self.now, self.zone = now, tariff.location.local_zone
        asked = query if query.get("direction") == tariff.direction else None
        super().__init__(asked, initial={"hours": 3}, label_suffix="", auto_id=f"id_{tariff.direction}_%s")

    hours = forms.TypedChoiceField(
        label=_("For how long"),
        choices=lambda: [(n, ngettext("%(hours)s hour", "%(hours)s hours", n) % {"hours": n}) for n in HOURS],
        coerce=int,
        error_messages={"invalid_choice": WRONG_HOURS},
    )
    before = TimeField(label=_("Finished by (optional)"), required=False)
    kwh = EnergyField(
        label=_("Energy in kWh (optional)"),
        required=False,
        error_messages={"invalid": WRONG_ENERGY},
        widget=forms.TextInput({"inputmode": "decimal", "size": 6, "autocomplete": "off"}),
    )

    def clean(self) -> None:
        given = self.cleaned_data
        hours, before = given.get("hours"), given.get("before")
        given["deadline"] = next_time(before, self.zone, self.now) if before else None
        if hours and before and given["deadline"] - self.now < timedelta(hours=hours):
            said = ngettext(
                "There is less than an hour until %(time)s. Choose a later time.",
                "There are fewer than %(hours)s hours until %(time)s. Choose fewer hours or a later time.",
                hours,
            )
            self.add_error("before", said % {"hours": hours, "time": of_day(before)})


def cheapest(view: dict[str, Any], ahead: Sequence[Segment], form: CheapestForm, now: datetime) -> dict[str, Any]:
    """The answer for `tariffs/_cheapest.html`; for three hours if nothing valid was asked."""
    tariff, currency = view["tariff"], view["currency"]
    asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
    hours, deadline, energy = asked.get("hours", 3), asked.get("deadline"), asked.get("kwh")
    known = ahead[-1].end if ahead else None
    sells = tariff.direction == "EXPORT"
    window = best(ahead, timedelta(hours=hours), now, deadline or known or now, dearest=sells)
    others = {name: form.data[name] for name in ("before", "kwh") if asked.get(name)}
    mean = money.shown(window.mean, currency) if window else None
    gain = money.shown(view["now"].rate, currency) - mean if mean is not None and view["now"] else None
    return {
        "form": form,
        "hours": hours,
        "deadline": deadline,
        "window": window,
        "same": len({segment.rate for segment in ahead}) == 1,
        # From the rounded prices, as people read them; below zero where now is the better time.
        "gain": -gain if gain and sells else gain,
        "energy": energy,
        "cost": money.coins(energy * mean, currency) if energy and mean is not None else None,
        "known": known,
        "links": [(n, f"?{urlencode({'direction': tariff.direction, 'hours': n} | others)}") for n in HOURS],
    }


def changes_of_answer(asked: dict[str, Any], now: datetime) -> list[datetime]:
    """When the answer changes: its time begins, or it is too late to begin."""
    window, deadline = asked["window"], asked["deadline"]
    if asked["same"] and not deadline:  # the answer names no time
        return []
    length = timedelta(hours=asked["hours"])
    moments = [at for at in (window.start, window.until - length) if at > now] if window else []
    if window and not moments:  # the best time begins now, and does so at every later look
        moments = [now + timedelta(minutes=5)]
    return [*moments, deadline - length] if deadline else moments
