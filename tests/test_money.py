"""A price as on a bill: in the unit that people use, rounded half up, or with all its digits."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given, strategies as st

from tariffs import money, times
from tariffs.templatetags import prices


@pytest.mark.parametrize(
    ("rate", "currency", "words"),
    [
        ("0.24555", "GBP", "24.56p"),
        ("0.24545", "GBP", "24.55p"),
        ("-0.24555", "GBP", "-24.56p"),
        ("0.2455499999", "GBP", "24.55p"),
        ("0", "GBP", "0.00p"),
        ("-0.00004", "GBP", "0.00p"),
        ("-0", "GBP", "0.00p"),
        ("0.00005", "GBP", "0.01p"),
        ("12.5", "GBP", "1,250.00p"),
        ("1E+2", "GBP", "10,000.00p"),
        ("0.3012", "EUR", "30.12c"),
        ("1.5", "SEK", "150.00 öre"),
        ("1.5", "NOK", "150.00 øre"),
        ("0.27", "CHF", "27.00 Rp."),
        ("0.17", "USD", "17.00¢"),
        ("31", "JPY", "31.00 ¥"),
        ("1.005", "XTS", "1.01 XTS"),
        ("2.5", "", "2.50 "),
    ],
)
def test_a_price_stands_in_the_unit_of_bills(rate, currency, words):
    assert money.price(Decimal(rate), currency) == words


@pytest.mark.parametrize(
    ("rate", "currency", "words"),
    [
        ("0.2815", "GBP", "£0.2815"),
        ("0.24555", "GBP", "£0.24555"),
        ("0.28150", "GBP", "£0.2815"),
        ("0.3", "EUR", "€0.30"),
        ("-0.03", "GBP", "-£0.03"),
        ("0.00000001", "GBP", "£0.00000001"),
        ("1E+2", "GBP", "£100.00"),
        ("0", "GBP", "£0.00"),
        ("1234.5", "XTS", "XTS1,234.50"),
        ("0.5", "", "0.50"),
    ],
)
def test_exactly_keeps_every_digit_and_at_least_two(rate, currency, words):
    assert money.exactly(Decimal(rate), currency).replace("\xa0", "") == words


@pytest.mark.parametrize(
    ("value", "currency", "words"),
    [
        ("662.4", "GBP", "£662"),
        ("662.5", "GBP", "£663"),
        ("-0.4", "GBP", "£0"),
        ("-81", "EUR", "-€81"),
        ("19200", "NOK", "NOK19,200"),
        ("12.6", "", "13"),
    ],
)
def test_an_amount_is_whole(value, currency, words):
    assert money.amount(Decimal(value), currency).replace("\xa0", "") == words


RATES = st.decimals(-50, 50, places=6) | st.decimals(-1, 1, places=9)


@given(RATES, RATES, st.sampled_from(["GBP", "EUR", "JPY", "SEK", "XTS", ""]))
def test_the_difference_of_two_prices_is_that_of_what_is_shown_of_them(a, b, currency):
    def read(rate):
        return Decimal(money.price(rate, currency).removesuffix(money.unit(currency).suffix).replace(",", ""))

    assert read(money.shown(a, currency) - money.shown(b, currency)) == read(a) - read(b)
    assert money.price(money.shown(a, currency), currency) == money.price(a, currency)


@given(st.decimals(-1000, 1000, places=5), st.sampled_from(["GBP", "EUR", "JPY"]))
def test_a_sum_is_rounded_as_it_is_shown(value, currency):
    assert money.cost(money.coins(value, currency), currency) == money.cost(value, currency)


@pytest.mark.parametrize(
    ("value", "currency", "words"), [("1.005", "GBP", "£1.01"), ("-1.005", "GBP", "-£1.01"), ("2.5", "JPY", "¥3")]
)
def test_a_sum_is_rounded_half_up(value, currency, words):
    assert money.cost(Decimal(value), currency) == words


@pytest.mark.parametrize("words", [money.price, money.exactly, money.amount])
def test_a_whole_number_of_json_reads_as_the_same_decimal(words):
    assert words(31, "JPY") == words(Decimal(31), "JPY")
    assert words(0, "GBP") == words(Decimal(0), "GBP")


def test_every_currency_with_an_ordinary_price_can_be_doubted():
    for code, unit in money.UNITS.items():
        assert unit.suffix.strip(), code
        assert unit.year > 0, code
        assert unit.ordinary, code
    assert money.unit("XTS") == (" XTS", 0, None, 3500)


@pytest.mark.parametrize(
    ("language", "territory"),
    [("en-gb", "United Kingdom"), ("de", "Vereinigtes Königreich"), ("xx-yy", "United Kingdom")],
)
def test_the_language_of_the_page_is_babels_too(language, territory):
    with translation.override(language):
        assert money.locale().territories["GB"] == territory


def test_without_a_language_it_is_british_english():
    with translation.override(None):
        assert str(money.locale()) == "en_GB"
    with translation.override("not a language"):
        assert str(money.locale()) == "en_GB"


def test_a_comma_separates_the_decimals_where_people_write_it():
    with translation.override("de"):
        assert money.price(Decimal("0.24555"), "EUR") == "24,56\xa0ct"
        assert money.exactly(Decimal("0.2815"), "EUR") == "0,2815\xa0€"
        assert money.amount(Decimal("1985.4"), "EUR") == "1.985\xa0€"
    with translation.override("fr"):
        assert money.price(Decimal("0.24555"), "EUR") == "24,56\xa0c€"
        assert money.cost(Decimal("3.96"), "GBP") == "3,96\xa0£"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-gb", ["£4", "$4", "CHF\xa04", "-$4", "$4"]),
        ("de", ["4\xa0£", "4\xa0$", "4\xa0CHF", "-4\xa0$", "4\xa0$"]),
        ("fr", ["4\xa0£", "4\xa0$", "4\xa0CHF", "-4\xa0$", "4\xa0$"]),
    ],
)
def test_a_sum_has_the_sign_that_people_write(language, said):
    sums = [(4, "GBP"), (4, "USD"), (4, "CHF"), (-4, "USD"), (4, "CAD")]
    with translation.override(language):
        assert [money.amount(value, currency) for value, currency in sums] == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-gb", ["00:00", "07:05", "18:00", "18:30"]),
        ("de", ["00:00", "07:05", "18:00", "18:30"]),
        ("fr", ["0\xa0h", "7\xa0h\xa005", "18\xa0h", "18\xa0h\xa030"]),
    ],
)
def test_a_time_of_day_is_written_as_in_the_language(language, said):
    moments = [datetime(2026, 5, 1, hour, minute, tzinfo=UTC) for hour, minute in ((0, 0), (7, 5), (18, 0), (18, 30))]
    with translation.override(language):
        assert [times.clock(moment, UTC) for moment in moments] == said


def test_the_filters_say_prices_and_times():
    moment, zone = datetime(2026, 10, 25, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    assert prices.per_kwh(Decimal("0.24555"), "GBP") == "24.56p per kWh"
    assert times.local(moment, zone) == "00:30"
    assert times.local_day(moment, zone) == "Mon 26 Oct"
    assert times.long_date(moment.astimezone(zone).date()) == "Monday 26 October 2026"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 5, 1, 14, 0, tzinfo=UTC), "15:00"),
        (datetime(2026, 5, 1, 22, 59, tzinfo=UTC), "23:59"),
        (datetime(2026, 5, 1, 23, 0, tzinfo=UTC), "midnight"),
    ],
)
def test_a_time_of_another_day_is_said_with_its_day(moment, words):
    now = datetime(2026, 4, 30, 23, 30, tzinfo=UTC)
    assert times.until(moment, now, ZoneInfo("Europe/London")) == words
