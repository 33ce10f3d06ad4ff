"""The form of an appliance: what it takes, by when, and in one run or in parts."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy as _

from ..appliances import Appliance
from ..fields import DurationField, EnergyField, PowerField, TimeField, in_hours, plain

SHORT = {"size": 6, "autocomplete": "off"}
DECIMAL = SHORT | {"inputmode": "decimal"}
THREE = ("duration", "kwh", "kw")


class ApplianceForm(forms.Form):
    """Duration, energy and power fit each other: what the customer changed holds, and the others follow.

    `minutes` and `watt_hours` in the cleaned data are what to store.
    """

    name = forms.CharField(
        label=_("Name"),
        max_length=Appliance._meta.get_field("name").max_length,
        error_messages={"required": _("Enter a name.")},
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    duration = DurationField(label=_("Duration in hours and minutes"), required=False, widget=forms.TextInput(SHORT))
    kwh = EnergyField(label=_("Energy in kWh"), required=False, widget=forms.TextInput(DECIMAL))
    kw = PowerField(label=_("Power in kW"), required=False, widget=forms.TextInput(DECIMAL))
    ready_by = TimeField(label=_("Ready by (optional)"), required=False)
    split = forms.BooleanField(label=_("It may pause while power is dear"), required=False)

    def __init__(self, appliance: Appliance, data: Any = None) -> None:
        self.shown: dict[str, Any] = {"duration": appliance.minutes, "kwh": appliance.kwh, "kw": appliance.kw}
        others = {name: getattr(appliance, name) for name in ("name", "ready_by", "split")}
        super().__init__(data, initial=self.shown | others, label_suffix="")
        if appliance.kind:
            del self.fields["name"]

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean(self) -> None:
        if not self.errors.keys() & {*THREE}:
            self.fit()

    def fit(self) -> None:
        """Work out the one of the three that follows; an error if it can't be, or if three new ones contradict each other."""
        given = {name: self.cleaned_data.get(name) for name in THREE}
        empty = [name for name in THREE if given[name] is None]
        changed = [name for name in THREE if given[name] != self.shown[name]]
        if len(empty) > 1:
            self.add_error(empty[0], _("Enter two of the three: duration, energy and power."))
            return
        if empty:
            follows = empty[0]
        elif len(changed) == 3:
            follows = ""
        elif len(changed) == 2:
            follows = next(name for name in THREE if name not in changed)
        else:
            follows = "duration" if changed in (["kwh"], ["kw"]) else "kw"
        self.work_out(follows, given)

    def work_out(self, follows: str, given: dict[str, Any]) -> None:
        minutes, kwh, kw = (given[name] for name in THREE)
        if follows == "duration":
            # The stored power, and not the rounded one that is shown.
            power = self.shown["kwh"] * 60 / self.shown["duration"] if kw == self.shown["kw"] else kw
            minutes = whole(kwh * 60 / power)
            if minutes > Appliance.LONGEST:
                self.add_error("duration", _("This takes more than 24 hours. Enter less energy or more power."))
        elif follows == "kwh":
            kwh = kw * minutes / 60
            if kwh > EnergyField.MOST:
                self.add_error("kwh", EnergyField.default_error_messages["invalid"])
        elif follows == "kw":
            if kwh * 60 / minutes > PowerField.MOST:
                self.add_error("kw", PowerField.default_error_messages["invalid"])
        elif abs(kw * minutes / 60 - kwh) > kwh / 50:  # of rounded numbers no more is to be expected
            said = gettext(
                "%(power)s kW for %(time)s hours are %(energy)s kWh. Change one of the three, or leave one empty."
            )
            energy = (kw * minutes / 60).quantize(Decimal("0.001"), ROUND_HALF_UP)
            self.add_error("kwh", said % {"power": plain(kw), "time": in_hours(minutes), "energy": plain(energy)})
        self.cleaned_data |= {"minutes": minutes, "watt_hours": whole(kwh * 1000)}

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("minutes", "watt_hours", "ready_by", "split")}


def whole(number: Decimal) -> int:
    """Rounded, 1 at least."""
    return max(1, int(number.to_integral_value(ROUND_HALF_UP)))
