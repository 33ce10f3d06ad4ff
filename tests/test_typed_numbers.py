"""What a typed number means: one table for the forms and for the script."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from connect_ui.fields import PercentageField, RateField
from tariffs import money, typed

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
            with pytest.raises(ValidationError, match=r"This can mean two numbers|Das kann zwei Zahlen"):
                field.clean(text)
            assert sorted(typed.read(text, field.units)) == sorted(map(Decimal, means))
        elif text:
            with pytest.raises(ValidationError, match="Type a number"):
                field.clean(text)


@pytest.mark.parametrize(
    ("language", "currency", "text", "said"),
    [
        ("en-gb", "XTS", "1,445", "Type 1445 or 1.4450."),
        ("de", "XTS", "1.445", "1445 oder 1,4450"),
        ("en-gb", "GBP", "1,234", "Type 1234 or 1.2340."),
    ],
)
def test_it_asks_which_of_two_numbers_is_meant_in_a_way_that_can_be_typed(language, currency, text, said):
    with translation.override(language):
        field = RateField(currency=currency)
        with pytest.raises(ValidationError, match=said):
            field.clean(text)
        for one, meant in zip(
            said.replace("Type ", "").rstrip(".").replace("oder", "or").split(" or "), "hl", strict=True
        ):
            found = typed.read(one, field.units)
            assert len(found) == 1
            assert (found[0].scaleb(money.unit(currency).shift) > 100) == (meant == "h")


def test_what_is_longer_than_any_number_is_not_looked_into():
    assert typed.read("1" * (typed.LONGEST + 1), {"": 0}) == []
    assert typed.read("1" + " " * 20_000 + "1", {"": 0}) == []
