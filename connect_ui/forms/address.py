"""The form of the page that asks for an address, as the country of the address writes it."""

from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy as _

from tariffs import money
from tariffs.addresses import PARTS, Rules, rules
from tariffs.flatpeak import JSON, Rejected

from ..fields import CountryField, countries, country
from .base import LONGEST, RouteForm

# What a country calls each field, and what to do if it is empty, by the kinds of `Rules`.
NAMES = {
    "city": {
        "city": (_("Town or city"), _("Enter the town or city.")),
        "post_town": (_("Town or city"), _("Enter the town or city.")),
        "district": (_("District"), _("Enter the district.")),
        "suburb": (_("Suburb or town"), _("Enter the suburb or town.")),
    },
    "post_code": {
        "postal": (_("Postcode"), _("Enter the postcode.")),
        "zip": (_("ZIP code"), _("Enter the ZIP code.")),
        "eircode": (_("Eircode"), _("Enter the Eircode.")),
        "pin": (_("PIN code"), _("Enter the PIN code.")),
    },
    "state": {
        "area": (_("Area"), _("Choose the area.")),
        "county": (_("County"), _("Choose the county.")),
        "department": (_("Department"), _("Choose the department.")),
        "district": (_("District"), _("Choose the district.")),
        "do_si": (_("Province or city"), _("Choose the province or city.")),
        "emirate": (_("Emirate"), _("Choose the emirate.")),
        "island": (_("Island"), _("Choose the island.")),
        "oblast": (_("Region"), _("Choose the region.")),
        "parish": (_("Parish"), _("Choose the parish.")),
        "prefecture": (_("Prefecture"), _("Choose the prefecture.")),
        "province": (_("Province"), _("Choose the province.")),
        "state": (_("State"), _("Choose the state.")),
    },
}
LINES = {
    "": _("Flat, floor or building (optional)"),
    "district": _("District, flat or building (optional)"),
    "neighborhood": _("Neighbourhood, flat or building (optional)"),
    "suburb": _("Suburb, flat or building (optional)"),
    "townland": _("Townland, flat or building (optional)"),
    "village_township": _("Village, flat or building (optional)"),
}
AUTOCOMPLETE = {"city": "address-level2", "state": "address-level1", "post_code": "postal-code"}
LENGTHS = {"city": 100, "state": 100, "post_code": 20}
STREET = (_("Street and number"), _("Enter the street and the number."))


def text_field(
    label: Any, autocomplete: str, missing: Any = "", max_length: int = 200, **attrs: Any
) -> forms.CharField:
    """A text field. It is required if there is a sentence for when it is `missing`."""
    field = forms.CharField(label=label, max_length=max_length, required=bool(missing))
    field.widget, field.error_messages["required"] = forms.TextInput({"autocomplete": autocomplete} | attrs), missing
    field.widget.attrs |= field.widget_attrs(field.widget)
    return field


def place_field(name: str, rule: Rules) -> forms.CharField:
    """The city, state or post code of a country, required where the country's rules say so."""
    label, missing = map(str, NAMES[name][rule.kinds[name]])
    if name not in rule.order and name == "state":
        label = gettext("County, state or region (optional)")
    elif name in rule.order and name not in rule.required:
        label = gettext("%(field)s (optional)") % {"field": label}
    attrs: dict[str, Any] = {"size": 10} if name == "post_code" else {}
    if name == "post_code" and "".join(rule.examples).isdigit():
        attrs["inputmode"] = "numeric"
    field = text_field(label, AUTOCOMPLETE[name], missing if name in rule.required else "", LENGTHS[name], **attrs)
    if name == "state" and rule.states:
        choices = [("", _("Choose from the list")), *rule.states.items()]
        field.widget = forms.Select({"autocomplete": AUTOCOMPLETE[name]}, choices=choices)
        field.widget.is_required = field.required
    return field


class AddressForm(RouteForm):
    """Page data `{"postal_address": {address_line1, …, country_code}}` and the same shape back; "" if unknown.

    The country is known from the start of the conversation. The button named `change` leads to the choice of another one,
    and from there back to the form, as that country writes an address.
    """

    more = "change"
    codes = {"timezone_not_found": "city"}

    def __init__(self, page: Any, data: Any = None) -> None:
        self.given = {} if data is None else data
        stored = (page.typed, page.part("postal_address"), {"country_code": page.session.country_code})
        known = [self.given] if "country_code" in self.given else stored
        code = next(filter(None, (country(each.get("country_code")) for each in known)), "")
        self.country = code if code in countries("en") else ""
        self.rule = rules(self.country)
        changes = self.given.get(self.more, "")
        self.choosing = not self.country or changes == "country"
        super().__init__(page, None if changes and (self.country or changes == "country") else data)
        if not self.is_bound:
            self.initial.update({name: self.given[name] for name in self.fields if name in self.given})
            self.initial["country_code"] = self.country
            self.initial["state"] = self.rule.state(str(self.initial.get("state") or ""))
        if "state" in self.fields and self.rule.states and not changes:
            state = str(self["state"].value() or "")
            if state not in self.rule.states:  # a name that the list does not have must not get lost
                self.fields["state"].widget.choices += [(state, state)] if state else []

    def build(self) -> None:
        self.fields["country_code"] = CountryField()
        self.fields["country_code"].widget.likely = [self.page.session.country_code]
        stored = {**self.page.part("postal_address"), **self.page.typed}
        for name in dict.fromkeys([*self.rule.order, *NAMES]):
            if name == "address_line1":
                self.fields[name] = text_field(STREET[0], "address-line1", STREET[1])
                line2 = LINES[self.rule.kinds["address_line2"]]
                self.fields["address_line2"] = text_field(line2, "address-line2")
            elif self.choosing or name in self.rule.order or self.has_more(name, stored):
                self.fields[name] = place_field(name, self.rule)
        if "again" in {**self.given, **stored}:  # said of an address that is connected already
            self.fields["again"] = forms.CharField(required=False, widget=forms.HiddenInput)
        if self.choosing:
            self.choose()
        else:
            self.fields["country_code"].widget = forms.HiddenInput()

    def has_more(self, name: str, stored: JSON) -> bool:
        """Whether to show a field that the country's form does not have: it was shown before, or FlatPeak has filled it."""
        if self.more in self.given:
            return False
        return name in self.given if self.is_bound else stored.get(name, "") not in ("", self.rule.stands_in)

    def choose(self) -> None:
        """Ask for the country alone, and keep what was typed."""
        self.choosing = True
        for name, field in self.fields.items():
            if name == "country_code":
                field.widget = CountryField().widget
            else:
                field.required, field.widget = False, forms.HiddenInput()

    @property
    def country_name(self) -> str:
        return countries(str(money.locale()))[self.country]

    def from_data(self, data: JSON) -> JSON:
        return super().from_data(self.page.part("postal_address"))

    def typed(self) -> dict[str, str]:
        given = {name: str(self.given[name])[:LONGEST] for name in self.fields if name in self.given}
        return given | {"country_code": self.country} if given else {}

    def clean(self) -> None:
        if typed := self.cleaned_data.get("post_code"):
            self.cleaned_data["post_code"] = self.rule.post_code(typed) or typed
            if not self.rule.post_code(typed):
                said = gettext("%(field)s: most look like %(example)s. Change yours, or continue if it is right.")
                label, _missing = NAMES["post_code"][self.rule.kinds["post_code"]]
                self.ask_once("post_code", said % {"field": label, "example": self.rule.examples[0]})

    def field_of(self, code: str) -> str | None:
        return self.codes.get(code) or max(filter(code.startswith, PARTS), key=len, default=None)

    def add_rejection(self, error: Rejected) -> None:
        name = self.field_of(error.code)
        wanted = ["city", "state"] if error.code == "timezone_not_found" else [name]
        for each in wanted:
            if each in NAMES and each not in self.fields:
                self.fields[each] = place_field(each, self.rule)
        if name == "country_code":
            self.choose()
        super().add_rejection(error)

    def at_field(self, name: str, error: Rejected) -> str:
        if error.code == f"{name}_missing" and name in NAMES:
            return str(NAMES[name][self.rule.kinds[name]][1])
        return super().at_field(name, error)

    def to_data(self) -> JSON:
        address = {name: self.cleaned_data.get(name) or "" for name in PARTS}
        address["state"] = state = self.rule.state(address["state"])
        address["city"] = address["city"] or self.rule.stands_in or self.rule.states.get(state, state)
        return {"postal_address": address}
