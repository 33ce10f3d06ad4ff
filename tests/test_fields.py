"""Prices as they stand on a bill, other numbers, and countries."""

import json
import re
from decimal import Decimal

import pytest
import simplejson
from django import forms
from django.core.exceptions import ValidationError
from django.utils import translation

from connect_ui.fields import CountryField, countries, regions_of
from tariffs import typed as typed_numbers
from tariffs.fields import NumberField, RateField


def refused(field, text):
    with pytest.raises(ValidationError) as caught:
        field.clean(text)
    return caught.value.messages


# --- prices


@pytest.mark.parametrize("typed", ["0", "0.00", "-0", "-1", "−3", "-£0.01", "-24.5p"])
def test_a_price_is_above_zero(typed):
    assert refused(RateField(currency="GBP"), typed) == ["Enter a price above 0."]


@pytest.mark.parametrize(
    ("typed", "rate"),
    [("−3", "-0.03"), ("-3p", "-0.03"), ("-£0.03", "-0.03"), ("£-0.03", "-0.03"), ("- 1.234,5", "-12.345"), ("0", "0")],
)
def test_a_signed_price_may_be_below_zero(typed, rate):
    assert RateField(currency="GBP", signed=True).clean(typed) == Decimal(rate)


@pytest.mark.parametrize("typed", ["", "   ", None])
def test_an_empty_price_is_missing_or_none(typed):
    assert refused(RateField(currency="GBP"), typed) == ["This field is required."]
    assert RateField(currency="GBP", required=False).clean(typed) is None


@pytest.mark.parametrize(
    ("typed", "number"),
    [("24.555", "0.24555"), ("24,50", "0.2450"), ("100", "1.00"), ("£0.1", "0.1"), ("1.234,56789", "12.3456789")],
)
def test_a_price_goes_into_json_digit_for_digit(typed, number):
    assert simplejson.dumps(RateField(currency="GBP").clean(typed)) == number


@pytest.mark.parametrize(
    ("currency", "value", "shown"),
    [
        ("GBP", Decimal("0.24555"), "24.555"),
        ("GBP", Decimal("0.2450"), "24.5"),
        ("GBP", Decimal("1E+1"), "1000"),
        ("GBP", 1, "100"),
        ("GBP", Decimal("-0.00004"), "-0.004"),
        ("JPY", 31, "31"),
        ("XTS", Decimal("1.50"), "1.5"),
        ("GBP", 0, ""),
        ("GBP", Decimal("0.00"), ""),
        ("GBP", None, None),
        ("GBP", "24,5p", "24,5p"),
        ("GBP", True, True),
    ],
)
def test_a_price_is_shown_in_the_unit_of_bills(currency, value, shown):
    assert RateField(currency=currency).prepare_value(value) == shown


def test_a_surcharge_of_zero_is_shown():
    assert RateField(currency="GBP", signed=True).prepare_value(Decimal("0.0")) == "0"


@pytest.mark.parametrize("value", [Decimal("1E+999999"), Decimal("NaN"), Decimal("-Infinity"), 10**400])
def test_a_number_that_no_price_could_be_does_no_harm(value):
    assert RateField(currency="GBP").prepare_value(value) is value
    assert NumberField().prepare_value(value) is value


@pytest.mark.parametrize("currency", ["GBP", "EUR", "JPY", "CHF", "XTS"])
@pytest.mark.parametrize("value", [Decimal("0.24555"), Decimal("31"), Decimal("12.5")])
def test_a_price_that_is_shown_is_read_as_itself(currency, value):
    field = RateField(currency=currency)
    assert field.clean(field.prepare_value(value)) == value


@pytest.mark.parametrize(
    ("currency", "unit"),
    [
        ("GBP", "p per kWh"),
        ("EUR", "c per kWh"),
        ("SEK", "öre per kWh"),
        ("CHF", "Rp. per kWh"),
        ("JPY", "¥ per kWh"),
        ("XTS", "XTS per kWh"),
        ("", "per kWh"),
        ("<b>", "&lt;b&gt; per kWh"),
    ],
)
def test_the_unit_stands_beside_the_field_and_is_read_out_with_it(currency, unit):
    class Form(forms.Form):
        cost = RateField(currency=currency, help_text="On your bill.")

    html = str(Form({"cost": "abc"})["cost"])
    assert f'<span class="unit" id="id_cost_unit">{unit}</span>' in html
    assert 'aria-describedby="id_cost_helptext id_cost_error id_cost_unit"' in html
    assert 'value="abc"' in html
    assert 'inputmode="decimal"' in html


def test_two_prices_of_one_form_keep_their_own_units():
    pounds, euros = RateField(currency="GBP"), RateField(currency="EUR")
    assert (pounds.widget.unit, euros.widget.unit) == ("p per kWh", "c per kWh")
    assert "£" in json.loads(pounds.widget.attrs["data-units"])
    assert "£" not in json.loads(euros.widget.attrs["data-units"])


@pytest.mark.parametrize("typed", ["1" + " " * 20_000 + "1", "1" + " " * 40, "1" * 41])
def test_what_is_longer_than_any_price_is_refused_before_a_number_is_looked_for_in_it(typed, monkeypatch):
    monkeypatch.setattr(typed_numbers, "_plain", lambda text: pytest.fail("it was looked into"))
    assert refused(RateField(currency="GBP"), typed) == ["Enter a number, for example 24.5."]


# --- numbers


@pytest.mark.parametrize(
    ("typed", "number"), [("18.5", "18.5"), ("18,5", "18.5"), ("−2", "-2"), ("0", "0"), ("1 000", "1000")]
)
def test_a_number_is_typed_with_a_comma_or_a_point(typed, number):
    assert NumberField().clean(typed) == Decimal(number)


@pytest.mark.parametrize(
    ("value", "shown"), [(Decimal("18.50"), "18.5"), (0, "0"), (100, "100"), ("5,", "5,"), (None, None)]
)
def test_a_number_is_shown_plainly(value, shown):
    assert NumberField().prepare_value(value) == shown


# --- countries


def test_every_country_is_there_and_what_is_none_is_not():
    names = countries("en_GB")
    assert len(names) == 250  # the 249 of ISO 3166-1, and Kosovo
    assert (names["GB"], names["DE"], names["XK"]) == ("United Kingdom", "Germany", "Kosovo")
    assert not {"EU", "UN", "ZZ", "XA", "EZ", "001", "UK"} & set(names)
    assert countries("de")["DE"] == "Deutschland"


def test_countries_stand_where_a_reader_looks_for_them():
    german = list(countries("de").values())
    assert german.index("Norwegen") < german.index("Österreich") < german.index("Pakistan")


def test_likely_countries_stand_first_and_the_whole_list_follows():
    widget = CountryField().widget
    widget.likely = ["CH", "XX", "GB"]
    html = widget.render("country_code", "GB", {"id": "id_country_code", "aria-invalid": "true"})
    told = 'aria-invalid="true" autocomplete="country" id="id_country_code" name="country_code"'
    assert html.startswith(f"<select {told}><optgroup")
    first, rest = html.split("</optgroup>", 1)
    assert re.findall('value="(..)"', first) == ["CH", "GB"]
    assert len(re.findall('value="(..)"', rest)) == 250
    assert html.count(" selected") == 1
    assert '"GB" selected' in first
    assert '"DE" selected' in widget.render("country_code", "DE").split("</optgroup>", 1)[1]


@pytest.mark.parametrize("typed", ["XX", "EU", "United Kingdom", "G", "GBR", "\x00", "GB\x00", "<b>", "x" * 10_000])
def test_an_unknown_country_is_refused(typed):
    assert refused(CountryField(), typed)


def test_a_country_is_taken_and_a_missing_one_only_where_it_may_be():
    assert CountryField().clean(" GB ") == "GB"
    assert CountryField().clean("gb") == "GB"
    assert '"GB" selected' in CountryField().widget.render("country_code", " gb ")
    assert CountryField(required=False).clean("") == ""
    assert refused(CountryField(), "") == ["Choose a country from the list."]


@pytest.mark.parametrize("value", ["DE", "GB"])
def test_the_known_country_is_selected(value):
    assert CountryField().widget.render("country_code", value.lower()).count(" selected") == 1
    html = CountryField().widget.render("country_code", value)
    assert html.count("selected") == 1
    assert f'<option value="{value}" selected>' in html
    assert '<option value="">' not in html
    assert html.startswith('<select autocomplete="country" name="country_code">')


@pytest.mark.parametrize("value", ["", None, "XX", '"><script>', [], {}, 7, ["GB"]])
def test_nothing_is_selected_of_an_unknown_country(value):
    html = CountryField().widget.render("country_code", value)
    assert "selected" not in html
    assert '<option value="">Choose a country</option>' in html
    assert "<script" not in html


def test_countries_are_named_in_the_language_of_the_page():
    with translation.override("de"):
        assert '<option value="DE">Deutschland</option>' in CountryField().widget.render("country_code", "")


@pytest.mark.parametrize(
    ("header", "country"),
    [
        ("en-GB,en;q=0.9", "GB"),
        ("de", "DE"),
        ("de-AT;q=0.8", "AT"),
        ("de-AT,de;q=0.9,en-GB;q=0.8,en", "AT GB"),
        ("zh-Hant", "TW"),
        ("sv, en", "SE"),
        ("en-150", ""),
        ("*", ""),
        ("", ""),
        ("xx", ""),
        ("<script>-<script>", ""),
        ("-" * 10_000, ""),
        ("de-AT," * 10_000, "AT " * 33),
    ],
)
def test_the_country_is_guessed_from_the_browsers_languages(header, country):
    assert regions_of(header) == country.split()
