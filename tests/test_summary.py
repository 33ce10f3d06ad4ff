"""What a summary page says of a tariff, and that no page of Connect, however odd, breaks it."""

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from connect_ui.models import Page
from connect_ui.summary import describe
from connect_ui.templatetags.connect import logo

NOW = datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
PROVIDER = {"id": "prv_1", "display_name": "Ecotricity", "logo_url": ""}
TARIFF = {"name": "Simple", "contract_end_date": "2027-06-15T00:00:00Z", "structure_type": "FIXED"}


def described(now=NOW, **data):
    return describe(Page(route="summary_tou_confirm", body={"data": data}), now)


def day(first, *costs, offset="+01:00", hours=1):
    """A day's list of rates of one length, its times at an offset."""
    start = datetime.fromisoformat(f"{first}T00:00:00{offset}")
    step = timedelta(hours=hours)
    return [
        {
            "valid_from": (start + n * step).isoformat(),
            "valid_to": (start + (n + 1) * step).isoformat(),
            "tariff": {"cost": cost, "confidence": 1},
        }
        for n, cost in enumerate(costs)
    ]


# --- facts


def test_a_fixed_price_is_described():
    found = described(provider=PROVIDER, tariff=TARIFF, currency_code="GBP", cost=Decimal("0.2815"))
    assert {name: found[name] for name in ("provider", "name", "structure", "contract", "now", "currency")} == {
        "provider": "Ecotricity",
        "name": "Simple",
        "structure": "One price, all the time",
        "contract": "until 15 June 2027",
        "now": Decimal("0.2815"),
        "currency": "GBP",
    }
    assert (found["chart"], found["days"], found["tiered"], found["reconnect"]) == (None, [], False, False)


@pytest.mark.parametrize(
    ("tariff", "words"),
    [
        ({"structure_type": "TIME_OF_DAY"}, "Different prices at different times"),
        ({"structure": "MARKET"}, "A price that follows the market"),
        ({"structure_type": "FIXED", "structure": "MARKET"}, "One price, all the time"),
        ({"structure_type": "DYNAMIC"}, "DYNAMIC"),
        ({}, None),
    ],
)
def test_the_structure_is_said_in_words(tariff, words):
    assert described(tariff=tariff)["structure"] == words


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("2027-06-15T00:00:00Z", "until 15 June 2027"),
        ("2027-06-15T01:00:00+01:00", "until 15 June 2027"),
        ("0001-01-01T00:00:00Z", "until terminated"),
        ("9999-12-31T23:00:00-05:00", "until terminated"),
        ("soon", "until terminated"),
        (None, "until terminated"),
        ([], "until terminated"),
    ],
)
def test_a_contract_ends_on_its_day_or_when_it_is_terminated(end, words):
    assert described(tariff={"contract_end_date": end})["contract"] == words
    assert described(tariff={})["contract"] == "until terminated"


@pytest.mark.parametrize(
    ("cost", "now"),
    [
        (31, Decimal(31)),
        (0, Decimal(0)),
        (Decimal("-0.03"), Decimal("-0.03")),
        (Decimal("1E+30"), None),
        (Decimal("NaN"), None),
        (10**400, None),
        (True, None),
        ("0.3", None),
        ({}, None),
        (None, None),
    ],
)
def test_the_price_is_a_number_or_not_shown(cost, now):
    assert described(cost=cost)["now"] == now


@pytest.mark.parametrize(
    ("value", "shown"), [(True, True), (False, False), ("true", False), (None, False), ([1], False)]
)
def test_what_a_tariff_is_noted_for_counts_when_it_is_true(value, shown):
    found = described(tariff={"tiered": value, "reconnect_required": value})
    assert (found["tiered"], found["reconnect"]) == (shown, shown)


# --- rates


def test_today_and_tomorrow_are_a_chart_and_tables_in_the_locations_time():
    rates = {
        "yesterday": day("2026-04-30", Decimal("0.9")),
        "today": day("2026-05-01", Decimal("0.1"), Decimal("0.1"), Decimal("0.2"), hours=8),
        "tomorrow": day("2026-05-02", Decimal("0.3"), hours=24),
    }
    found = described(currency_code="GBP", rates=rates)
    assert found["zone"].utcoffset(None) == timedelta(hours=1)
    assert [(day, [segment.rate for segment in segments]) for day, _, segments in found["days"]] == [
        (date(2026, 5, 1), [Decimal("0.1"), Decimal("0.2")]),
        (date(2026, 5, 2), [Decimal("0.3")]),
    ]
    assert found["now"] == Decimal("0.1")
    assert [text for _, text in found["chart"]["days"]] == ["Fri 1 May", "Sat 2 May"]
    assert (found["chart"]["lowest"].rate, found["chart"]["highest"].rate) == (Decimal("0.1"), Decimal("0.3"))


def test_the_rate_of_now_comes_before_the_cost():
    assert described(cost=1, rates={"today": day("2026-05-01", Decimal("0.1"), hours=24)})["now"] == Decimal("0.1")
    assert described(cost=1, rates={"today": day("2026-05-01", Decimal("0.1"))})["now"] == 1


@pytest.mark.parametrize(
    ("today", "tomorrow", "now", "days"),
    [
        (("2026-10-25", "+01:00"), ("2026-10-26", "+00:00"), "2026-10-25T12:00:00Z", [25, 26]),
        (("2026-03-28", "+00:00"), ("2026-03-29", "+00:00"), "2026-03-28T12:00:00Z", [28, 29]),
        (("2026-03-29", "+00:00"), ("2026-03-30", "+01:00"), "2026-03-29T12:00:00Z", [29, 30]),
    ],
)
def test_each_day_has_its_own_date_when_the_clock_changes(today, tomorrow, now, days):
    rates = {
        name: day(first, Decimal("0.1"), offset=offset, hours=12)
        for name, (first, offset) in {"today": today, "tomorrow": tomorrow}.items()
    }
    shown = described(datetime.fromisoformat(now), rates=rates)["days"]
    assert [found.day for found, *_ in shown] == days
    assert [segments[0].start.astimezone(zone).hour for _, zone, segments in shown] == [0, 0]


@pytest.mark.parametrize("missing", [None, [], {}, "", 7, True, "absent"])
def test_a_day_without_rates_is_left_out(missing):
    rates = {"today": day("2026-05-01", Decimal("0.1"))} | ({} if missing == "absent" else {"tomorrow": missing})
    assert [day for day, *_ in described(rates=rates)["days"]] == [date(2026, 5, 1)]


def test_the_first_usable_day_tells_the_offset():
    rates = {"today": [{"valid_from": "soon"}], "tomorrow": day("2026-05-02", Decimal("0.1"), offset="-04:00")}
    assert described(rates=rates)["zone"].utcoffset(None) == timedelta(hours=-4)
    assert described(rates={"today": [{"valid_from": "2026-05-01T00:00:00"}]})["zone"] is UTC


def test_a_rate_of_many_years_is_shown_of_these_days_only():
    forever = [{"valid_from": "0001-01-01T00:00:00Z", "valid_to": "9999-12-31T00:00:00Z", "tariff": {"cost": 1}}]
    found = described(currency_code="GBP", rates={"today": forever, "tomorrow": []})
    assert found["now"] == 1
    assert len(found["chart"]["hours"]) <= 24
    assert len(found["chart"]["days"]) <= 6


JUNK = [
    None,
    True,
    7,
    Decimal("0.5"),
    "",
    "abc",
    "<script>",
    [],
    {},
    [None, 5, "x", [], {}],
    {"a": {"b": [1]}},
    "x" * 10_000,
]
NAMES = ["provider", "tariff", "rates", "currency_code", "cost", "market_rates_source", "connection_type"]
RATES = ["yesterday", "today", "tomorrow"]
FACTS = ["name", "display_name", "structure_type", "structure", "contract_end_date", "tiered", "reconnect_required"]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk)[:12])
def test_nothing_on_a_page_breaks_its_description(junk):
    assert (described()["contract"], described()["zone"]) == ("until terminated", UTC)
    assert describe(Page(body={"data": None}), NOW)["days"] == []
    assert described(**dict.fromkeys(NAMES, junk))["days"] == []
    for name in NAMES:
        assert described(**{name: junk})["chart"] is None
    for name in RATES:
        assert described(rates={name: junk})["days"] == []
        assert described(rates={name: [{"valid_from": junk, "valid_to": junk, "tariff": junk}]})["days"] == []
    for name in FACTS:
        assert described(tariff={name: junk}, provider={name: junk})["contract"] == "until terminated"


def test_unusable_rates_are_logged_without_what_they_hold(caplog):
    with caplog.at_level(logging.WARNING, "tariffs.rates"):
        described(rates={"today": ["a secret"]})
    assert caplog.records
    assert "secret" not in caplog.text


# --- providers


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Octopus Energy", "OE"),
        ("E.ON SE", "E"),
        ("Ørsted A/S", "OA"),
        ("ßkraft", "S"),
        ("100Green", "1"),
        ("🔌", "?"),
        ("", "?"),
        (None, "?"),
        (7, "7"),
        ({}, "?"),
        ("<script>", "S"),
    ],
)
def test_a_provider_without_a_logo_has_two_letters(name, letters):
    assert f'aria-hidden="true">{letters}</span>' in logo(name)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://logos.flatpeak.com/a.svg", True),
        ("https://a.b.flatpeak.com/a.svg?x=1", True),
        ("https://cdn.example.com/a.svg", True),
        ("https://flatpeak.com/a.svg", False),
        ("https://evilflatpeak.com/a.svg", False),
        ("https://flatpeak.com.evil.example/a.svg", False),
        ("http://logos.flatpeak.com/a.svg", False),
        ("https://sub.cdn.example.com/a.svg", False),
        ("//logos.flatpeak.com/a.svg", False),
        ("/a.svg", False),
        ("javascript:alert(1)", False),
        ("data:image/svg+xml,<svg/>", False),
        ("https://[logos.flatpeak.com/a.svg", False),
        ("https://\u2100.flatpeak.com/a.svg", False),
        ("x" * 10_000, False),
        ("", False),
        (None, False),
        (7, False),
        ([], False),
        ({}, False),
    ],
)
def test_a_logo_is_loaded_from_configured_hosts_only(url, allowed, settings):
    settings.LOGO_HOSTS = ["https://*.flatpeak.com", "https://cdn.example.com"]
    assert ("<img" in logo("Example", url)) is allowed
