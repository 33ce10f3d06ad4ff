"""One form per route of Connect that takes input; `templates/connect_ui/<route>.html` is its page."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db.models import QuerySet

from tariffs import money
from tariffs.connected import OPEN_ENDED
from tariffs.flatpeak import Rejected

from .fields import CountryField, NumberField, RateField, UnitInput
from .models import Page
from .search import search

JSON = dict[str, Any]
FORMS: dict[str, type["RouteForm"]] = {}


def answers(*routes: str) -> Callable[[type["RouteForm"]], type["RouteForm"]]:
    """Register a form for a route; a later release's name for the same route is one more argument."""

    def register(form: type["RouteForm"]) -> type["RouteForm"]:
        FORMS.update(dict.fromkeys(routes, form))
        return form

    return register


class RouteForm(forms.Form):
    """A page's form: the page's data becomes `initial`, what is typed becomes the `data` of the answer.

    `codes` names the field of those error codes that do not begin with a field's name.
    """

    required_css_class = "required"
    codes: dict[str, str] = {}

    def __init__(self, page: Page, data: Any = None, not_listed: dict[str, str] | None = None) -> None:
        self.page, self.not_listed = page, not_listed or {}
        super().__init__(data, label_suffix="")
        self.build()
        self.initial = self.from_data(page.data) | page.typed
        # Doubts about what was typed; they ask once, and the same answer sent again is taken.
        self.doubts: dict[str, str] = {}

    def build(self) -> None:
        """Fit the fields to the page."""

    def from_data(self, data: JSON) -> JSON:
        """The page's data as initial values, by field."""
        return {name: data[name] for name in self.fields if name in data}

    def to_data(self) -> JSON:
        """The answer's `data`, from `cleaned_data`."""
        raise NotImplementedError

    def said_back(self, data: JSON) -> list[str]:
        """What an answer's `data` means in plain words, for the page that follows it."""
        return []

    def typed(self) -> dict[str, str]:
        """What was entered, by field, to show again after going back."""
        return {name: self.data[name] for name in self.fields if name in self.data}

    def field_of(self, code: str) -> str | None:
        """The field that an error code of Connect belongs to, None where it concerns the page."""
        if self.codes.get(code) in self.fields:
            return self.codes[code]
        return max((name for name in self.fields if code.startswith(name)), key=len, default=None)

    def add_rejection(self, error: Rejected) -> None:
        self.full_clean()
        self.add_error(self.field_of(error.code), error.message or "FlatPeak did not take this answer.")


@answers("postal_address_capture")
class AddressForm(RouteForm):
    """Page data `{"postal_address": {address_line1, …, country_code}}` and the same shape back; "" where unknown."""

    address_line1 = forms.CharField(
        label="Street and number",
        max_length=200,
        widget=forms.TextInput({"autocomplete": "address-line1"}),
        error_messages={"required": "Type the street and the number."},
    )
    address_line2 = forms.CharField(
        label="Flat, floor or building (optional)",
        max_length=200,
        required=False,
        widget=forms.TextInput({"autocomplete": "address-line2"}),
    )
    city = forms.CharField(
        label="Town or city",
        max_length=100,
        widget=forms.TextInput({"autocomplete": "address-level2"}),
        error_messages={"required": "Type the town or city."},
    )
    state = forms.CharField(
        label="County, state or region (optional)",
        max_length=100,
        required=False,
        widget=forms.TextInput({"autocomplete": "address-level1"}),
    )
    post_code = forms.CharField(
        label="Postcode",
        max_length=20,
        widget=forms.TextInput({"autocomplete": "postal-code", "size": 10}),
        error_messages={"required": "Type the postcode."},
    )
    country_code = CountryField()
    codes = {"timezone_not_found": "city"}

    def from_data(self, data: JSON) -> JSON:
        address = data.get("postal_address")
        return super().from_data(address if isinstance(address, dict) else {})

    def to_data(self) -> JSON:
        return {"postal_address": dict(self.cleaned_data)}


class ListForm(RouteForm):
    """One of a list, by id; rendered by the page's own template, since 2,000 choices never go through a form."""

    key, items, name, missing = "", "", "", ""

    def build(self) -> None:
        self.fields[self.key] = forms.CharField(error_messages={"required": self.missing})
        offered = self.page.data.get(self.items)
        self.offered = [
            item
            for item in (offered if isinstance(offered, list) else [])
            if isinstance(item, dict) and item.get("id") and isinstance(item["id"], str)
        ]

    def from_data(self, data: JSON) -> JSON:
        return {}

    def clean(self) -> None:
        chosen = self.cleaned_data.get(self.key)
        if chosen and chosen not in {item["id"] for item in self.offered}:
            self.add_error(self.key, self.missing)

    def to_data(self) -> JSON:
        return {self.key: {"id": self.cleaned_data[self.key]}}

    def found(self, query: str) -> list[JSON]:
        return search(self.offered, query, lambda item: str(item.get(self.name) or ""))

    def field_of(self, code: str) -> str | None:
        return None


@answers("provider_select")
class ProviderForm(ListForm):
    """Page data `{"providers": [{id, display_name, logo_url}]}`; answer `{"provider": {"id"}}`."""

    key, items, name, missing = "provider", "providers", "display_name", "Choose your provider from the list."


@answers("tariff_select")
class TariffForm(ListForm):
    """Page data `{"provider", "tariffs": [{id, name, description}]}`; answer `{"tariff": {"id"}}`."""

    key, items, name, missing = "tariff", "tariffs", "name", "Choose your tariff from the list."


class NameForm(RouteForm):
    """Page data and answer `{<key>: {"name"}}`. A name that a search did not find stands in the field already."""

    key, label = "", ""

    def build(self) -> None:
        required = {"required": f"Type the name of your {self.key}."}
        self.fields[f"{self.key}_name"] = forms.CharField(label=self.label, max_length=200, error_messages=required)

    def from_data(self, data: JSON) -> JSON:
        named = data.get(self.key)
        name = named.get("name") if isinstance(named, dict) else ""
        return {f"{self.key}_name": name or self.not_listed.get(self.key, "")}

    def to_data(self) -> JSON:
        return {self.key: {"name": self.cleaned_data[f"{self.key}_name"]}}


@answers("provider_name_capture")
class ProviderNameForm(NameForm):
    key, label = "provider", "Name of your provider"


@answers("tariff_name_capture")
class TariffNameForm(NameForm):
    key, label = "tariff", "Name of your tariff"


@answers("tariff_structure_select")
class StructureForm(RouteForm):
    """Page data `{"options": ["FIXED", "TIME_OF_DAY", "MARKET"]}`; answer `{"options": [one]}`."""

    WORDS = {
        "FIXED": ("One price, all the time", "Every unit costs the same, day and night."),
        "TIME_OF_DAY": ("Different prices at different times", "For example a cheaper price at night."),
        "MARKET": ("A price that follows the market", "It changes every hour or half hour."),
    }
    codes = {"option_invalid": "options", "option_not_supported": "options"}
    options = forms.ChoiceField(error_messages={"required": "Choose how your price works."})

    def build(self) -> None:
        offered = self.page.data.get("options")
        self.offered = [name for name in self.WORDS if isinstance(offered, list) and name in offered]
        self.fields["options"].choices = [(name, self.WORDS[name][0]) for name in self.offered]  # type: ignore[attr-defined]

    def from_data(self, data: JSON) -> JSON:
        return {}

    def choices(self) -> list[tuple[str, str, str]]:
        return [(name, *self.WORDS[name]) for name in self.offered]

    def to_data(self) -> JSON:
        return {"options": [self.cleaned_data["options"]]}


class PriceForm(RouteForm):
    """What pages with prices share: the page's currency, and a question where the unit looks mistaken."""

    @property
    def currency(self) -> str:
        return str(self.page.data.get("currency_code") or "")

    def price_field(self, label: str, **options: Any) -> RateField:
        required = {"required": "Type the price of a kilowatt-hour."}
        return RateField(currency=self.currency, label=label, error_messages=required, **options)

    def doubt(self, name: str) -> None:
        """Ask about a price that looks a hundred times off; `sure` holds what was asked about before."""
        rate, usual = self.cleaned_data.get(name), money.unit(self.currency).ordinary
        if not rate or not usual or usual / 20 < rate < usual * 12:
            return
        likely = rate * 100 if rate < usual else rate / 100
        if not usual / 20 < likely < usual * 12:
            return
        self.doubts[name] = self.data[name]
        if self.data[name] not in self.data.getlist("sure"):  # type: ignore[attr-defined]
            self.add_error(
                name,
                f"{money.price(rate, self.currency)} per kWh is unusual. "
                f"Did you mean {money.price(likely, self.currency)}? Correct it, or continue if it really is so.",
            )

    def in_words(self, rate: Decimal) -> str:
        return f"{money.price(rate, self.currency)} ({money.exactly(rate, self.currency)}) per kWh"

    def year(self, rate: Decimal) -> str:
        use = money.unit(self.currency).year
        bill = "paid to you" if self.page.body.get("direction") == "EXPORT" else "to pay"
        return f"about {money.amount(rate * use, self.currency)} {bill} for {use:,} kWh in a year"


@answers("rate_fixed_capture")
class RateFixedForm(PriceForm):
    """A flat price: page data `{"currency_code": "GBP", "cost": Decimal("0.2815")}`, and `{"cost"}` back."""

    def build(self) -> None:
        self.fields["cost"] = self.price_field("Price per kWh")

    def clean(self) -> None:
        self.doubt("cost")

    def to_data(self) -> JSON:
        return {"cost": self.cleaned_data["cost"]}

    def said_back(self, data: JSON) -> list[str]:
        return [f"{self.in_words(data['cost'])}: {self.year(data['cost'])}."]


@answers("rate_tod_capture")
class RateTodForm(PriceForm):
    """Prices by time of day: `{"hours": [{valid_from "HH:mm:ss", valid_to, cost}]}` both ways.

    A period is typed as its beginning and its price, and ends where the next begins, so that a day has no gap.
    """

    MOST = 48
    codes = {"cost_value_zero": "cost_0", "cost_value_negative": "cost_0", "valid_from_invalid": "start_0"} | {
        "valid_to_invalid": "start_0"
    }

    def build(self) -> None:
        known = len(self.page.typed) // 2 or len(self.periods(self.page.data))
        asked = self.data.get("periods", "") if self.is_bound else ""
        more = 1 if self.is_bound and "add" in self.data else 0
        self.count = min(max(int(asked) + more if re.fullmatch(r"\d{1,2}", asked) else known, 2), self.MOST)
        for n in range(self.count):
            self.fields[f"start_{n}"] = forms.TimeField(
                label=f"Price {n + 1} begins at",
                required=False,
                input_formats=["%H:%M", "%H:%M:%S", "%H.%M"],
                widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
                error_messages={"invalid": "Type a time of day, for example 23:30."},
            )
            self.fields[f"cost_{n}"] = self.price_field(f"Price {n + 1} per kWh", required=False)

    @staticmethod
    def periods(data: JSON) -> list[JSON]:
        """The page's hours in order, with a night that Connect split at midnight as one period."""
        listed = data.get("hours")
        hours = [hour for hour in (listed if isinstance(listed, list) else []) if isinstance(hour, dict)]
        hours = sorted(hours, key=lambda hour: str(hour.get("valid_from")))
        if len(hours) > 2:
            first, last = hours[0], hours[-1]
            split = str(first.get("valid_from")).startswith("00:00") and str(last.get("valid_to")).startswith("00:00")
            if split and first.get("cost") == last.get("cost"):
                hours[0:1], hours[-1] = [], last | {"valid_to": first.get("valid_to")}
        return hours if len(hours) > 1 else []

    def from_data(self, data: JSON) -> JSON:
        initial: JSON = {}
        for n, period in enumerate(self.periods(data)):
            initial |= {f"start_{n}": str(period.get("valid_from") or "")[:5], f"cost_{n}": period.get("cost")}
        return initial

    @property
    def rows(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        return [(self[f"start_{n}"], self[f"cost_{n}"]) for n in range(self.count)]

    def clean(self) -> None:
        if "add" in self.data:  # a row more is asked for; whether the answer is whole is looked at when it is sent
            return
        begins: dict[Any, str] = {}
        for n in range(self.count):
            start, cost = (self.cleaned_data.get(f"{name}_{n}") for name in ("start", "cost"))
            if f"start_{n}" in self.errors or f"cost_{n}" in self.errors or (start is None and cost is None):
                continue
            if start is None:
                self.add_error(f"start_{n}", "When does this price begin?")
            elif cost is None:
                self.add_error(f"cost_{n}", "What does it cost from then on?")
            elif start in begins:
                self.add_error(f"start_{n}", "Another price begins at this time already.")
            else:
                begins[start] = f"cost_{n}"
                self.doubt(f"cost_{n}")
        if not self.errors and len(begins) < 2:
            raise ValidationError("Give at least two prices that begin at different times.")

    def to_data(self) -> JSON:
        given = sorted(
            (self.cleaned_data[f"start_{n}"], self.cleaned_data[f"cost_{n}"])
            for n in range(self.count)
            if self.cleaned_data.get(f"start_{n}") is not None
        )
        ends = [start for start, _ in given[1:]] + [given[0][0]]
        return {
            "hours": [
                {"valid_from": f"{start:%H:%M:%S}", "valid_to": f"{end:%H:%M:%S}", "cost": cost}
                for (start, cost), end in zip(given, ends, strict=True)
            ]
        }

    def said_back(self, data: JSON) -> list[str]:
        return [
            f"{hour['valid_from'][:5]} to {hour['valid_to'][:5]}: {self.in_words(hour['cost'])}"
            for hour in data["hours"]
        ] + ["If you used the same at every hour: " + self.year(self.mean(data["hours"])) + "."]

    @staticmethod
    def mean(hours: list[JSON]) -> Decimal:
        """The price of a kWh, hours counted by their length."""

        def minute(text: str) -> int:
            return int(text[:2]) * 60 + int(text[3:5])

        lengths = [(minute(h["valid_to"]) - minute(h["valid_from"])) % 1440 for h in hours]
        return sum((h["cost"] * length for h, length in zip(hours, lengths, strict=True)), Decimal(0)) / 1440


@answers("market_surcharge_capture")
class SurchargeForm(PriceForm):
    """`{"surcharge": {"fixed", "percentage"}}` both ways, `region` too where the page has `regions`; 18.5 is 18.5 %."""

    codes = {
        "surcharge_percentage_invalid": "percentage",
        "market_region_invalid": "region",
        "geo_location_not_found": "region",
    }

    def build(self) -> None:
        self.fields["fixed"] = self.price_field(
            "Fixed amount on top",
            signed=True,
            required=False,
            help_text="Leave it empty if there is none. A discount has a minus.",
        )
        self.fields["percentage"] = NumberField(
            label="Percentage on top",
            required=False,
            widget=UnitInput("%"),
            help_text="Taken of the market price and the fixed amount. Leave it empty if there is none.",
        )
        regions = self.page.data.get("regions")
        if isinstance(regions, list) and regions:
            choices = [("", ""), *((str(region), str(region)) for region in regions)]
            required = {"required": "Choose your region."}
            self.fields["region"] = forms.ChoiceField(label="Your region", choices=choices, error_messages=required)

    def from_data(self, data: JSON) -> JSON:
        surcharge = data.get("surcharge")
        surcharge = surcharge if isinstance(surcharge, dict) else {}
        return {name: surcharge.get(name) or "" for name in ("fixed", "percentage")} | {"region": data.get("region")}

    def clean_percentage(self) -> Decimal:
        percentage = self.cleaned_data["percentage"] or Decimal(0)
        if not -100 <= percentage <= 1000:
            raise ValidationError("Type a percentage between -100 and 1000.")
        return percentage

    def to_data(self) -> JSON:
        fixed = self.cleaned_data["fixed"] or Decimal(0)
        data: JSON = {"surcharge": {"fixed": fixed, "percentage": self.cleaned_data["percentage"]}}
        return data | ({"region": self.cleaned_data["region"]} if "region" in self.fields else {})

    def said_back(self, data: JSON) -> list[str]:
        surcharge = data["surcharge"]
        return [
            f"The market price plus {self.in_words(surcharge['fixed'])}, and {surcharge['percentage']} % on that sum."
        ]


@answers("contract_term_capture")
class ContractForm(RouteForm):
    """`{"contract_start_date", "contract_end_date"}`: midnight UTC of the day, year 1 for open-ended, null for unknown."""

    CHOICES = [("date", "It ends on a date"), ("open", "It has no end date"), ("unknown", "I don't know")]
    term = forms.ChoiceField(
        label="Does your contract end?",
        choices=CHOICES,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of the three."},
    )
    # Browsers make the year 27 of "27"; and the year 1 would say that there is no end.
    WHOLE_YEAR = MinValueValidator(date(1970, 1, 1), "Type the year with four digits.")
    contract_end_date = forms.DateField(
        label="Last day of the contract",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        validators=[WHOLE_YEAR],
    )
    contract_start_date = forms.DateField(
        label="First day (optional)",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        validators=[WHOLE_YEAR],
    )
    codes = {"date_format_invalid": "contract_end_date"}

    def from_data(self, data: JSON) -> JSON:
        initial: JSON = {name: utc_day(data.get(name)) for name in ("contract_end_date", "contract_start_date")}
        if initial["contract_end_date"]:
            initial["term"] = "date"
        elif str(data.get("contract_end_date")).startswith(OPEN_ENDED):
            initial["term"] = "open"
        return initial

    def clean(self) -> None:
        start, end = (self.cleaned_data.get(f"contract_{name}_date") for name in ("start", "end"))
        if self.cleaned_data.get("term") == "date" and "contract_end_date" not in self.errors:
            if not end:
                self.add_error("contract_end_date", "Give the date, or choose that you don't know it.")
            elif start and end < start:
                self.add_error("contract_end_date", "This is before the first day.")

    def to_data(self) -> JSON:
        start, end = (self.cleaned_data.get(f"contract_{name}_date") for name in ("start", "end"))
        ends = {"date": end and midnight(end), "open": f"{OPEN_ENDED}T00:00:00Z", "unknown": None}
        data: JSON = {"contract_end_date": ends[self.cleaned_data["term"]]}
        if start or self.page.data.get("contract_start_date"):
            data["contract_start_date"] = start and midnight(start)
        return data


def midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def utc_day(text: Any) -> date | None:
    """The day of a date from Connect, which is midnight UTC, wherever its reader is; None for none and open-ended."""
    if not isinstance(text, str) or text.startswith(OPEN_ENDED):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (ValueError, OverflowError):
        return None


def form_for(page: Page, data: Any = None, not_listed: dict[str, str] | None = None) -> RouteForm | None:
    """The form of a page, None for one that takes no input."""
    form = FORMS.get(page.route)
    return form(page, data, not_listed) if form else None


class StartForm(forms.Form):
    """Where the tariff is, and whether it is for buying or selling; or a stored location, whose country is known."""

    direction = forms.ChoiceField(
        label="What is the tariff for?",
        choices=[
            ("IMPORT", "Electricity that I buy"),
            ("EXPORT", "Electricity that I sell, for example from solar panels"),
        ],
        widget=forms.RadioSelect,
    )
    country_code = CountryField(required=False)
    location: Any = forms.ModelChoiceField(None, required=False, widget=forms.HiddenInput)

    def __init__(self, locations: QuerySet[Any], data: Any = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)
        self.fields["location"].queryset = locations  # type: ignore[attr-defined]

    def clean(self) -> None:
        if not self.cleaned_data.get("location") and not self.cleaned_data.get("country_code"):
            self.add_error("country_code", "Choose the country that you use electricity in.")
