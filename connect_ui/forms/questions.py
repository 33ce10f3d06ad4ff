"""The form that begins a conversation, and those of pages that ask for a choice, a name or a date."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy as _

from tariffs import details
from tariffs.flatpeak import JSON

from ..fields import CountryField, in_words, today_in
from ..search import gist, search
from .base import RouteForm

MIDNIGHT = "T00:00:00Z"  # follows a date


class StartForm(forms.Form):
    """Where the tariff is, and whether it is for buying or selling; or a stored location, whose country is known."""

    keeps = True
    direction = forms.ChoiceField(
        label=_("What is the tariff for?"),
        choices=[
            ("IMPORT", _("Electricity I buy")),
            ("EXPORT", _("Electricity I sell, for example from solar panels")),
        ],
        widget=forms.RadioSelect,
    )
    country_code = CountryField(required=False)
    location: Any = forms.ModelChoiceField(None, required=False, widget=forms.HiddenInput)
    instead = forms.UUIDField(required=False, widget=forms.HiddenInput)  # the conversation that this one replaces

    def __init__(
        self, locations: QuerySet[Any], data: Any = None, likely: Sequence[str] = (), typed: JSON | None = None
    ) -> None:
        initial = {"direction": "IMPORT", "country_code": likely[0] if likely else ""}
        super().__init__(data, label_suffix="", initial=initial | (typed or {}))
        self.fields["location"].queryset = locations  # type: ignore[attr-defined]
        self.fields["country_code"].widget.likely = likely

    def clean(self) -> None:
        if not self.cleaned_data.get("location") and not self.cleaned_data.get("country_code"):
            self.add_error("country_code", gettext("Choose the country where you use electricity."))


class ListForm(RouteForm):
    """One item of a list, by id. The page's own template renders it: 2,000 choices would be slow in a form."""

    keeps = False
    key, items, name = "", "", ""
    missing: Any = ""

    def build(self) -> None:
        self.fields[self.key] = forms.CharField(error_messages={"required": self.missing})
        self.offered = [each for each in self.page.parts(self.items) if isinstance(each.get("id"), str) and each["id"]]

    def clean(self) -> None:
        chosen = self.cleaned_data.get(self.key)
        if chosen and chosen not in {item["id"] for item in self.offered}:
            self.add_error(self.key, str(self.missing))

    def to_data(self) -> JSON:
        return {self.key: {"id": self.cleaned_data[self.key]}}

    def called(self, item: JSON) -> str:
        return str(item.get(self.name) or "")

    def found(self, query: str) -> list[JSON]:
        return search(self.offered, query, self.called)

    def field_of(self, code: str) -> str | None:
        return None


class ProviderForm(ListForm):
    """Page data `{"providers": [{id, display_name, logo_url}]}`; answer `{"provider": {"id"}}`."""

    key, items, name = "provider", "providers", "display_name"
    missing = _("Choose your provider from the list.")
    FIRST = 6
    first: list[JSON] = []  # the providers that come before FlatPeak's order

    def put_first(self, names: list[str]) -> None:
        """Put up to FIRST providers with these names before the others, in the order of the names."""
        place = {gist(name): at for at, name in reversed(list(enumerate(names))) if gist(name)}
        named = [item for item in self.offered if gist(self.called(item)) in place] if place else []
        self.first = sorted(named, key=lambda item: place[gist(self.called(item))])[: self.FIRST]
        moved = {id(item) for item in self.first}
        self.offered = self.first + [item for item in self.offered if id(item) not in moved]


class TariffForm(ListForm):
    """Page data `{"provider", "tariffs": [{id, name, description}]}`; answer `{"tariff": {"id"}}`."""

    key, items, name = "tariff", "tariffs", "name"
    missing = _("Choose your tariff from the list.")


class NameForm(RouteForm):
    """Page data and answer `{<key>: {"name"}}`. A name that was searched for in vain is filled in."""

    key = ""
    label: Any = ""
    missing: Any = ""

    def build(self) -> None:
        required = {"required": self.missing}
        self.fields[f"{self.key}_name"] = forms.CharField(label=self.label, max_length=200, error_messages=required)

    def from_data(self, data: JSON) -> JSON:
        searched = self.page.session.not_listed.get(self.key, "")
        return {f"{self.key}_name": self.page.part(self.key).get("name") or searched}

    def to_data(self) -> JSON:
        return {self.key: {"name": self.cleaned_data[f"{self.key}_name"]}}


class ProviderNameForm(NameForm):
    key, label, missing = "provider", _("Name of your provider"), _("Enter the name of your provider.")


class TariffNameForm(NameForm):
    key, label, missing = "tariff", _("Name of your tariff"), _("Enter the name of your tariff.")


class StructureForm(RouteForm):
    """Page data `{"options": ["FIXED", "TIME_OF_DAY", "MARKET"]}`; answer `{"options": [one]}`."""

    MORE = {
        "FIXED": _("You pay the same price day and night."),
        "TIME_OF_DAY": _("For example, a lower price at night."),
        "MARKET": _("It changes every hour or half hour."),
    }
    codes = {"option_invalid": "options", "option_not_supported": "options"}
    options = forms.ChoiceField(error_messages={"required": _("Choose how your price works.")})

    def build(self) -> None:
        options = self.page.data.get("options")
        offered = [name for name in self.MORE if isinstance(options, list) and name in options]
        self.choices = [(name, details.STRUCTURES[name], self.MORE[name]) for name in offered]
        self.fields["options"].choices = [(name, words) for name, words, _more in self.choices]  # type: ignore[attr-defined]

    def to_data(self) -> JSON:
        return {"options": [self.cleaned_data["options"]]}


def region_field(regions: Any) -> forms.ChoiceField:
    """A list of market regions as Connect names them."""
    named = [str(region) for region in regions] if isinstance(regions, list) else []
    return forms.ChoiceField(
        label=_("Your region"),
        choices=[("", _("Choose a region")), *((region, region) for region in named)],
        error_messages={"required": _("Choose your region.")},
    )


class RegionForm(RouteForm):
    """Page data `{"regions": [name], "region"}`; answer `{"region": name}`."""

    codes = dict.fromkeys(["market_region_invalid", "geo_location_not_found"], "region")

    def build(self) -> None:
        self.fields["region"] = region_field(self.page.data.get("regions"))

    def to_data(self) -> JSON:
        return {"region": self.cleaned_data["region"]}


def _day(label: Any) -> forms.DateField:
    # A browser sends the year 27 for "27", and FlatPeak takes the year 1 for a contract without an end.
    whole_year = MinValueValidator(date(1970, 1, 1), _("Enter the year with four digits, for example 2027."))
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget, validators=[whole_year])


class ContractForm(RouteForm):
    """`{"contract_start_date", "contract_end_date"}`: midnight UTC of the day, or null if unknown.

    How a contract without an end is told differs by release.
    """

    term = forms.ChoiceField(
        label=_("Does your contract end?"),
        choices=[
            ("date", _("Yes, on a date I know")),
            ("open", _("No, it has no end date")),
            ("unknown", _("I don't know")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose an answer.")},
    )
    contract_end_date = _day(_("Last day of the contract"))
    contract_start_date = _day(_("First day (optional)"))
    codes = {"date_format_invalid": "contract_end_date"}

    def from_data(self, data: JSON) -> JSON:
        open_ended, end = details.is_open_ended(data), details.day_told(data.get("contract_end_date"))
        start = details.day_told(data.get("contract_start_date"))
        term = "date" if end else "open" if open_ended else None
        return {"term": term, "contract_end_date": end, "contract_start_date": start}

    def clean(self) -> None:
        start, end = (self.cleaned_data.get(f"contract_{name}_date") for name in ("start", "end"))
        if self.cleaned_data.get("term") == "date" and "contract_end_date" not in self.errors:
            if not end:
                self.add_error("contract_end_date", gettext("Enter the date, or choose “I don't know”."))
            elif start and end < start:
                self.add_error("contract_end_date", gettext("The last day must be after the first day."))
            elif end < today_in(self.page.session.country_code, timezone.now()):
                said = gettext("%(day)s is in the past. Change the date, or continue if your contract ended then.")
                self.ask_once("contract_end_date", said % {"day": in_words(end)})

    def field_of(self, code: str) -> str | None:
        # Where no date is asked for, none can be corrected.
        return super().field_of(code) if self.data.get("term") == "date" else None

    def to_data(self) -> JSON:
        start, end = (self.cleaned_data.get(f"contract_{name}_date") for name in ("start", "end"))
        term, open_ended = self.cleaned_data["term"], self.page.session.spoken.open_ended
        data: JSON = {"contract_end_date": f"{end}{MIDNIGHT}" if end and term == "date" else None}
        if start or self.page.data.get("contract_start_date"):
            data["contract_start_date"] = start and f"{start}{MIDNIGHT}"
        return data | dict(open_ended) if term == "open" else data
