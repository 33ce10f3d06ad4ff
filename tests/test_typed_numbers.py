"""What a typed number means: one table for the forms and for the script."""

import datetime
import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from connect_ui.fields import PercentageField
from tariffs import money, typed
from tariffs.fields import EnergyField, RateField, TimeField

TABLE = json.loads(Path(__file__).with_name("typed_numbers.json").read_text())
ROWS = [(currency, language, text, means) for currency, language, texts, means in TABLE for text in texts]


def field_for(currency):
    return (
        PercentageField(required=False)
        if currency == "%"
        else RateField(currency=currency, signed=True, required=False)
    )


@pytest.mark.parametrize(("currency", "language", "text", "means"), ROWS, ids=lambda value: ascii(value)[:50])
def test_a_number_is_read_as_people_write_it(currency, language, text, means):
    with translation.override(language):
        field = field_for(currency)
        if len(means) == 1:
            assert field.clean(text) == Decimal(means[0])
        elif means:
            with pytest.raises(ValidationError, match=r"This could be two numbers|Das können zwei Zahlen"):
                field.clean(text)
            assert sorted(typed.read(text, field.units)) == sorted(map(Decimal, means))
        elif text:
            with pytest.raises(ValidationError, match="Enter a number"):
                field.clean(text)


@pytest.mark.parametrize(
    ("language", "currency", "text", "said"),
    [
        ("en-gb", "XTS", "1,445", "Enter 1445 or 1.4450."),
        ("de", "XTS", "1.445", "1445 oder 1,4450"),
        ("en-gb", "GBP", "1,234", "Enter 1234 or 1.2340."),
    ],
)
def test_it_asks_which_of_two_numbers_is_meant_in_a_way_that_can_be_typed(language, currency, text, said):
    with translation.override(language):
        field = RateField(currency=currency)
        with pytest.raises(ValidationError, match=said):
            field.clean(text)
        for one, meant in zip(
            said.replace("Enter ", "").rstrip(".").replace("oder", "or").split(" or "), "hl", strict=True
        ):
            found = typed.read(one, field.units)
            assert len(found) == 1
            assert (found[0].scaleb(money.unit(currency).shift) > 100) == (meant == "h")


def test_what_is_as_long_as_a_text_may_be_is_read():
    for text, read, found in (
        ("1", typed.read, [1]),
        ("7", typed.clock, datetime.time(7)),
        ("2:30", typed.minutes, [150]),
    ):
        text = text.rjust(typed.LONGEST)
        assert (read(text, {"": 0}) if read is typed.read else read(text)) == found
    assert typed.minutes("2:30".rjust(typed.LONGEST + 1)) == []
    with pytest.raises(ValueError, match="no time of day"):
        typed.clock("7".rjust(typed.LONGEST + 1))


def test_what_is_longer_than_any_number_is_not_looked_into():
    assert typed.read("1" * (typed.LONGEST + 1), {"": 0}) == []
    assert typed.read("1" + " " * 20_000 + "1", {"": 0}) == []


# --- times of day


@pytest.mark.parametrize(
    ("texts", "time"),
    [
        (
            "7 07 7:00 07:00 7.00 7h 7h00 07.00 0700 700 7am 7:00am 7.00|a.m. 7|Uhr 7:00|Uhr 7|h|00 ٧:٠٠ 07:00:00 7o'clock",
            "07:00",
        ),
        (
            "23:30 23.30 23h30 2330 23,30 23|30 11:30pm 11.30|pm 11:30|P.M. 23:30|Uhr 23|h|30 ２３：３０ \u200e23:30",
            "23:30",
        ),
        ("0 00:00 24:00 24 12am 0h 2400 12:00|AM", "00:00"),
        ("12 12:00 12pm 12:00|p.m. 12h", "12:00"),
        ("23:30:15", "23:30:15"),
    ],
)
def test_a_time_of_day_is_read_as_people_type_it(texts, time):
    for text in texts.split():
        assert TimeField().clean(text.replace("|", " ")) == datetime.time.fromisoformat(time), text


@pytest.mark.parametrize(
    "text",
    [
        "25:00",
        "24:01",
        "7:60",
        "23:59:60",
        "13pm",
        "0am",
        "abc",
        "7:0",
        "7:000",
        "-7",
        "7:",
        ":",
        "1e5",
        "07:00:0",
        "12345",
        "7:00xm",
    ],
)
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(ValidationError, match="Enter a time"):
        TimeField().clean(text)


# --- energy


@pytest.mark.parametrize(
    ("text", "kwh"),
    [("7,5", "7.5"), ("7.5 kWh", "7.5"), ("7500 Wh", "7.5"), ("٧٫٥", "7.5"), ("1,445", "1.445"), ("1000", "1000")],
)
def test_an_energy_is_read_as_people_type_it(text, kwh):
    assert EnergyField().clean(text) == Decimal(kwh)


@pytest.mark.parametrize("text", ["0", "-1", "1001", "abc", "7 kW", "7 Wh 3"])
def test_what_is_no_energy_is_refused(text):
    with pytest.raises(ValidationError):
        EnergyField().clean(text)
