"""The forms of pages that ask for prices."""

import re
from datetime import time
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django import forms
from django.utils.translation import gettext

from tariffs import money
from tariffs.fields import RateField, TimeField
from tariffs.flatpeak import JSON
from tariffs.times import of_day

from ..fields import PercentageField
from .base import RouteForm
from .questions import region_field


class PriceForm(RouteForm):
    """A form with prices: they are in the page's currency, and one in the wrong unit is questioned."""

    @property
    def currency(self) -> str:
        return str(self.page.data.get("currency_code") or "")

    def price_field(self, label: str, **options: Any) -> RateField:
        required = {"required": gettext("Enter the price of a kilowatt-hour.")}
        return RateField(currency=self.currency, label=label, error_messages=required, **options)

    @property
    def sells(self) -> bool:
        return bool(self.page.body.get("direction") == "EXPORT")

    def doubt(self, name: str) -> None:
        """Ask about a price that is far from what is usual for the currency. Less is paid for sold electricity."""
        rate, lowest = self.cleaned_data.get(name), 50 if self.sells else 10
        if not rate or money.is_usual(rate, self.currency, lowest):
            return
        sentences = [gettext("%(price)s per kWh would cost about %(bill)s a year.")]
        if self.sells:
            sentences = [gettext("%(price)s per kWh would pay you about %(bill)s a year.")]
        likely = [near for shift in (-2, 2) if money.is_usual(near := rate.scaleb(shift), self.currency, lowest)]
        if likely and money.unit(self.currency).shift:  # the price is in pounds, and was typed as pence, or the reverse
            sentences.append(gettext("Did you mean %(likely)s?") % {"likely": money.price(likely[0], self.currency)})
        self.question(name, sentences, rate, rate)

    def question(self, name: str, sentences: list[str], rate: Decimal, year: Decimal) -> None:
        """Ask once about a value, with the bill of an ordinary year at a price per kWh."""
        bill = money.amount(abs(year) * money.unit(self.currency).year, self.currency)
        values = {"price": money.price(rate, self.currency), "bill": bill}
        asked = [sentences[0] % values, *sentences[1:], gettext("Change it, or continue if it is right.")]
        self.ask_once(name, " ".join(asked))

    def in_words(self, rate: Decimal) -> str:
        prices = {"price": money.price(rate, self.currency), "exact": money.exactly(rate, self.currency)}
        return gettext("%(price)s (%(exact)s) per kWh") % prices

    def year(self, rate: Decimal, bought: str, sold: str) -> str:
        """One of two sentences with the bill of an ordinary year at a price per kWh."""
        use, sentence = money.unit(self.currency).year, sold if self.sells else bought
        values = {"bill": money.amount(rate * use, self.currency), "use": money.plain(Decimal(use))}
        return sentence % (values | {"price": self.in_words(rate)})


class FixedPriceForm(PriceForm):
    """One price for all hours: page data `{"currency_code": "GBP", "cost": Decimal("0.2815")}`, answer `{"cost"}`."""

    def build(self) -> None:
        self.fields["cost"] = self.price_field(gettext("Price per kWh"))

    def clean(self) -> None:
        self.doubt("cost")

    def said_back(self, data: JSON) -> list[str]:
        bought = gettext("%(price)s. You pay about %(bill)s for %(use)s kWh a year.")
        sold = gettext("%(price)s. You get about %(bill)s for %(use)s kWh a year.")
        return [self.year(data["cost"], bought, sold)]


class TimedPricesForm(PriceForm):
    """Prices by time of day: `{"hours": [{valid_from "HH:mm:ss", valid_to, cost}]}` both ways.

    The customer types when each period begins and what it costs. It ends when the next one begins, so a day has no gap.
    """

    more = "add"
    MOST = 48
    codes = dict.fromkeys(["cost_value_zero", "cost_value_negative"], "cost_0")
    codes |= dict.fromkeys(["valid_from_invalid", "valid_to_invalid"], "start_0")

    def build(self) -> None:
        known = len(self.page.typed) // 2 or len(self.periods())
        asked = self.data.get("periods", "") if self.is_bound else ""
        more = 1 if self.is_bound and "add" in self.data else 0
        self.count = min(max(int(asked) + more if re.fullmatch(r"\d{1,2}", asked) else known, 2), self.MOST)
        for n in range(self.count):
            begins = gettext("Price %(n)s starts at") % {"n": n + 1}
            self.fields[f"start_{n}"] = TimeField(label=begins, required=False)
            self.fields[f"cost_{n}"] = self.price_field(gettext("Price %(n)s per kWh") % {"n": n + 1}, required=False)

    def periods(self) -> list[JSON]:
        """The page's periods in order; two of equal cost that meet at midnight are joined, since Connect may split one."""
        hours = sorted(self.page.parts("hours"), key=lambda hour: str(hour.get("valid_from")))
        if len(hours) > 2:
            first, last = hours[0], hours[-1]
            split = str(first.get("valid_from")).startswith("00:00") and str(last.get("valid_to")).startswith("00:00")
            if split and first.get("cost") == last.get("cost"):
                hours[0:1], hours[-1] = [], last | {"valid_to": first.get("valid_to")}
        return hours if len(hours) > 1 else []

    def from_data(self, data: JSON) -> JSON:
        initial: JSON = {}
        for n, period in enumerate(self.periods()):
            initial |= {f"start_{n}": str(period.get("valid_from") or "")[:5], f"cost_{n}": period.get("cost")}
        return initial

    @property
    def rows(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        return [(self[f"start_{n}"], self[f"cost_{n}"]) for n in range(self.count)]

    def clean(self) -> None:
        if "add" in self.data:  # the customer wants one more row, and is not done yet
            return
        begins: dict[Any, str] = {}
        for n in range(self.count):
            start, cost = (self.cleaned_data.get(f"{name}_{n}") for name in ("start", "cost"))
            if f"start_{n}" in self.errors or f"cost_{n}" in self.errors or (start is None and cost is None):
                continue
            if start is None:
                self.add_error(f"start_{n}", gettext("When does this price start?"))
            elif cost is None:
                self.add_error(f"cost_{n}", gettext("What is the price from then?"))
            elif start in begins:
                self.add_error(f"start_{n}", gettext("Another price already starts at this time."))
            else:
                begins[start] = f"cost_{n}"
                self.doubt(f"cost_{n}")
        if not self.errors and len(begins) < 2:
            raise forms.ValidationError(gettext("Enter at least two prices that start at different times."))

    def to_data(self) -> JSON:
        typed = [(self.cleaned_data.get(f"start_{n}"), self.cleaned_data.get(f"cost_{n}")) for n in range(self.count)]
        given = sorted((start, cost) for start, cost in typed if start is not None)
        hours = [
            {"valid_from": f"{start:%H:%M:%S}", "valid_to": f"{end:%H:%M:%S}", "cost": cost}
            for (start, cost), (end, _cost) in pairwise([*given, given[0]])
        ]
        return {"hours": hours}

    def said_back(self, data: JSON) -> list[str]:
        line = gettext("%(start)s to %(end)s: %(price)s")
        bought = gettext("If you use the same amount every hour, you pay about %(bill)s for %(use)s kWh a year.")
        sold = gettext("If you sell the same amount every hour, you get about %(bill)s for %(use)s kWh a year.")
        return [
            line % {"start": of_day(start), "end": of_day(end), "price": self.in_words(h["cost"])}
            for h in data["hours"]
            for start, end in [(time.fromisoformat(h["valid_from"]), time.fromisoformat(h["valid_to"]))]
        ] + [self.year(self.mean(data["hours"]), bought, sold)]

    @staticmethod
    def mean(hours: list[JSON]) -> Decimal:
        """The mean price of a kWh, weighted by the length of each period."""

        def minute(text: str) -> int:
            return int(text[:2]) * 60 + int(text[3:5])

        lengths = [(minute(h["valid_to"]) - minute(h["valid_from"])) % 1440 for h in hours]
        return sum((h["cost"] * length for h, length in zip(hours, lengths, strict=True)), Decimal(0)) / 1440


class SurchargeForm(PriceForm):
    """`{"surcharge": {"fixed", "percentage"}}` both ways, and `region` if the page has `regions`; 18.5 is 18.5 %."""

    codes = {"surcharge_percentage_invalid": "percentage"}
    codes |= dict.fromkeys(["market_region_invalid", "geo_location_not_found"], "region")

    def build(self) -> None:
        self.fields["fixed"] = self.price_field(
            gettext("Fixed amount per kWh"),
            signed=True,
            required=False,
            help_text=gettext("Leave this empty if there is none."),
        )
        self.fields["percentage"] = PercentageField(
            label=gettext("Percentage"),
            required=False,
            help_text=gettext("Applies to the market price plus the fixed amount. Leave this empty if there is none."),
        )
        regions = self.page.data.get("regions")
        if isinstance(regions, list) and regions:
            self.fields["region"] = region_field(regions)

    def from_data(self, data: JSON) -> JSON:
        surcharge = self.page.part("surcharge")
        return {name: surcharge.get(name) or "" for name in ("fixed", "percentage")} | {"region": data.get("region")}

    def clean(self) -> None:
        fixed, percentage = (self.cleaned_data.get(name) or Decimal(0) for name in ("fixed", "percentage"))
        usual = money.unit(self.currency).ordinary
        if usual and abs(fixed) > 2 * usual:
            more = gettext("%(price)s more for each kWh would cost you about %(bill)s a year.")
            less = gettext("%(price)s off each kWh would save you about %(bill)s a year.")
            self.question("fixed", [more if fixed > 0 else less], abs(fixed), fixed)
        if usual and abs(percentage) > 60:
            more = gettext("This percentage would add about %(bill)s a year.")
            less = gettext("This percentage would take off about %(bill)s a year.")
            self.question("percentage", [more if percentage > 0 else less], usual, usual * percentage / 100)

    def to_data(self) -> JSON:
        data: JSON = {"surcharge": {name: self.cleaned_data[name] or Decimal(0) for name in ("fixed", "percentage")}}
        return data | ({"region": self.cleaned_data["region"]} if "region" in self.fields else {})

    def said_back(self, data: JSON) -> list[str]:
        surcharge = data["surcharge"]
        if surcharge["fixed"] < 0:
            said = gettext("The market price minus %(price)s, then %(percentage)s%% of the result on top.")
        else:
            said = gettext("The market price plus %(price)s, then %(percentage)s%% of the result on top.")
        prices = {"price": self.in_words(abs(surcharge["fixed"])), "percentage": money.plain(surcharge["percentage"])}
        return [said % prices]
