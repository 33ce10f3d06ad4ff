"""What a summary page says of a tariff, and that no page of Connect, however odd, breaks it."""

import logging
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from connect_ui.summary import describe
from connect_ui.templatetags.connect import logo
from tariffs import rates
from tariffs.models import Location
from tariffs.screens.chart import heading
from tests.test_faults import NIGHT_AND_DAY

NOW = datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
PROVIDER = {"id": "prv_1", "display_name": "Ecotricity", "logo_url": ""}
TARIFF = {"name": "Simple", "contract_end_date": "2027-06-15T00:00:00Z", "structure_type": "FIXED"}


def described(now=NOW, country="", **data):
    session = ConnectSession(country_code=country)
    return describe(Page(session=session, route="summary", body={"data": data}), now)


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
        "structure": "One price at all times",
        "contract": "until 15 June 2027",
        "now": Decimal("0.2815"),
        "currency": "GBP",
    }
    assert (found["chart"], found["days"], found["tiered"], found["reconnect"]) == (None, [], False, False)
    assert described(cost=1)["currency"] == described(cost=1, currency_code=None)["currency"] == ""


@pytest.mark.parametrize(
    ("tariff", "words"),
    [
        ({"structure_type": "TIME_OF_DAY"}, "Different prices at different times"),
        ({"structure": "MARKET"}, "A price that follows the market"),
        ({"structure_type": "FIXED", "structure": "MARKET"}, "One price at all times"),
        ({"structure_type": "DYNAMIC"}, "A price that changes often"),
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
        ("2027-06-15T00:00:00+13:00", "until 15 June 2027"),
        ("2027-06-15T00:00:00-07:00", "until 15 June 2027"),
        ("2026-05-01T00:00:00Z", "until 1 May 2026"),
        ("2026-04-30T00:00:00Z", "ended on 30 April 2026"),
        ("2019-03-31T00:00:00Z", "ended on 31 March 2019"),
        ("9999-12-31T23:00:00-05:00", "end date not known"),
        ("soon", "end date not known"),
        (None, "end date not known"),
        ([], "end date not known"),
    ],
)
def test_a_contract_ends_on_its_day_or_when_it_is_terminated_or_on_a_day_that_is_not_known(end, words):
    assert described(country="GB", tariff={"contract_end_date": end})["contract"] == words
    assert described(tariff={})["contract"] == "end date not known"


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
    listed = {
        "yesterday": day("2026-04-30", Decimal("0.9")),
        "today": day("2026-05-01", Decimal("0.1"), Decimal("0.1"), Decimal("0.2"), hours=8),
        "tomorrow": day("2026-05-02", Decimal("0.3"), hours=24),
    }
    found = described(currency_code="GBP", rates=listed)
    assert found["zone"].utcoffset(None) == timedelta(hours=1)
    assert [(day, [segment.rate for segment in segments]) for day, segments in found["days"]] == [
        (date(2026, 5, 1), [Decimal("0.1"), Decimal("0.2")]),
        (date(2026, 5, 2), [Decimal("0.3")]),
    ]
    assert found["now"] == Decimal("0.1")
    assert [text for _, text in found["chart"]["days"]] == ["Fri 1 May", "Sat 2 May"]
    assert (found["chart"]["lowest"].rate, found["chart"]["highest"].rate) == (Decimal("0.1"), Decimal("0.3"))


def test_one_price_for_all_hours_has_no_chart_no_table_and_no_time():
    listed = {
        name: day(first, Decimal("0.1"), hours=24)
        for name, first in (("today", "2026-05-01"), ("tomorrow", "2026-05-02"))
    }
    found = described(currency_code="GBP", rates=listed)
    assert (found["now"], found["at"], found["chart"], found["days"]) == (Decimal("0.1"), None, None, [])


def test_the_rate_of_now_comes_before_the_cost():
    assert described(cost=1, rates={"today": day("2026-05-01", Decimal("0.1"), hours=24)})["now"] == Decimal("0.1")
    assert described(cost=1, rates={"today": day("2026-05-01", Decimal("0.1"))})["now"] == 1


@pytest.mark.parametrize(
    ("days", "now", "words"),
    [
        (["2026-05-01"], "2026-05-01T11:00Z", "Today"),
        (["2026-05-01", "2026-05-02"], "2026-05-01T11:00Z", "Today and tomorrow"),
        (["2026-05-02"], "2026-05-01T11:00Z", "Tomorrow"),
        (["2026-05-01", "2026-05-02"], "2026-05-02T11:00Z", "Fri 1 May to Sat 2 May"),
        (["2026-05-01"], "2026-05-02T11:00Z", "Fri 1 May"),
        ([], "2026-05-01T11:00Z", ""),
    ],
)
def test_the_chart_is_headed_by_the_days_that_it_has(days, now, words):
    segments = rates.parse([entry for first in days for entry in day(first, Decimal("0.1"), hours=24)])
    assert heading(segments, ZoneInfo("Europe/London"), datetime.fromisoformat(now)) == words


def test_a_page_that_stays_as_it_is_says_days_and_the_time_by_the_clock():
    days = {
        "today": day("2026-05-01", Decimal("0.1"), hours=24),
        "tomorrow": day("2026-05-02", Decimal("0.3"), hours=24),
    }
    found = described(rates=days)
    assert (found["charted"], found["at"]) == ("Fri 1 May to Sat 2 May", NOW)
    assert described(cost=1)["at"] is None


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
        name: day(first, Decimal("0.1"), Decimal("0.2"), offset=offset, hours=12)
        for name, (first, offset) in {"today": today, "tomorrow": tomorrow}.items()
    }
    found = described(datetime.fromisoformat(now), rates=rates)
    assert [shown.day for shown, _ in found["days"]] == days
    assert [segments[0].start.astimezone(found["zone"]).hour for _, segments in found["days"]] == [0, 0]


CHANGES = [
    ("GB", "Europe/London", "2026-10-25"),
    ("GB", "Europe/London", "2026-03-29"),
    ("DE", "Europe/Berlin", "2026-10-25"),
    ("PT", "Atlantic/Azores", "2026-03-29"),
    ("US", "America/New_York", "2026-11-01"),
    ("US", "America/Los_Angeles", "2026-03-08"),
    ("CA", "America/St_Johns", "2026-11-01"),
    ("AU", "Australia/Adelaide", "2026-10-04"),
    ("AU", "Australia/Lord_Howe", "2026-04-05"),
    ("CL", "America/Santiago", "2026-09-06"),
]


def day_and_night(zone, first):
    """Two days of a tariff that changes its price at 07:00 and 23:00, as a page has them."""
    zone, dates = ZoneInfo(zone), [date.fromisoformat(first) + timedelta(days=n) for n in range(3)]
    found = {}
    for name, start, end in zip(("today", "tomorrow"), dates, dates[1:], strict=False):
        edges = [rates.day_span(start, zone)[0], *(datetime.combine(start, time(h), zone) for h in (7, 23))]
        edges = [edge.astimezone(UTC).astimezone(zone).isoformat() for edge in [*edges, rates.day_span(end, zone)[0]]]
        found[name] = [
            {"valid_from": a, "valid_to": b, "tariff": {"cost": cost}}
            for a, b, cost in zip(edges, edges[1:], (Decimal("0.1"), Decimal("0.3"), Decimal("0.1")), strict=False)
        ]
    return found, datetime.combine(dates[0], time(12), zone)


def hours_shown(found):
    zone = found["zone"]
    return [
        [(f"{s.start.astimezone(zone):%H}", f"{s.end.astimezone(zone):%H}") for s in segments]
        for _, segments in found["days"]
    ]


@pytest.mark.parametrize("before", [0, 1], ids=["today", "tomorrow"])
@pytest.mark.parametrize("start", ["in the country", "in another", "anywhere"])
@pytest.mark.parametrize(("country", "zone", "changed"), CHANGES)
def test_times_are_the_locations_on_the_day_of_a_clock_change(country, zone, changed, start, before):
    listed, now = day_and_night(zone, str(date.fromisoformat(changed) - timedelta(days=before)))
    session = ConnectSession(country_code={"in the country": country, "in another": "JP", "anywhere": ""}[start])
    page = Page(route="summary", body={"data": {"rates": listed}}, session=session)
    first = "01" if zone in ("America/Santiago", "Atlantic/Azores") else "00"  # where the clock skips midnight
    days = [[("00", "07"), ("07", "23"), ("23", "00")], [("00", "07"), ("07", "23"), ("23", "00")]]
    days[before][0] = (first, "07")
    if before:
        days[0][-1] = ("23", first)
    found = describe(page, now)
    assert hours_shown(found) == days
    assert found["charted"].count(" to ") == 1
    if start == "in the country":
        assert found["zone"].utcoffset(now) == ZoneInfo(zone).utcoffset(now)


def test_the_zone_of_a_location_that_is_known_comes_first():
    listed, now = day_and_night("Europe/London", "2026-10-25")
    location = Location(time_zone="Europe/Guernsey")
    page = Page(body={"data": {"rates": listed}}, session=ConnectSession(country_code="GB", location=location))
    assert describe(page, now)["zone"].key == "Europe/Guernsey"
    location.time_zone = "Asia/Tokyo"  # the customer has typed another address
    assert describe(page, now)["zone"].key == "Europe/London"
    location.time_zone = "Mars/Olympus"
    assert describe(page, now)["zone"].key == "Europe/London"


@pytest.mark.parametrize(("summer", "winter"), [("-04:00", -5), ("-10:00", -10)])
def test_of_the_zones_of_a_country_it_is_one_that_has_the_offset(summer, winter):
    listed = {"today": day("2026-05-01", Decimal("0.1"), Decimal("0.2"), offset=summer, hours=12)}
    zone = described(country="US", rates=listed)["zone"]
    assert zone.utcoffset(datetime(2026, 12, 1)) == timedelta(hours=winter)
    assert zone.utcoffset(datetime(2026, 5, 1)) == timedelta(hours=int(summer[:3]))


def test_an_offset_that_stays_the_old_one_after_the_change_is_read_as_the_countrys_time():
    listed = {"today": day("2026-10-25", Decimal("0.1"), Decimal("0.2"), hours=12)}  # 24 hours at +01:00
    page = Page(body={"data": {"rates": listed}}, session=ConnectSession(country_code="GB"))
    assert hours_shown(describe(page, datetime(2026, 10, 25, 12, tzinfo=UTC))) == [[("00", "11"), ("11", "23")]]


@pytest.mark.django_db
@pytest.mark.parametrize("noon", ["2027-03-28T12:00+01:00", "2027-10-31T12:00+00:00"])
def test_a_customer_who_connects_on_such_a_day_reads_their_own_hours(walk, alice, later, noon):
    later(seconds=(datetime.fromisoformat(noon) - timezone.now()).total_seconds())
    walk.client.force_login(alice)
    walk.by_hand(structure="TIME_OF_DAY").answer(**NIGHT_AND_DAY).name_and_term()
    assert walk.route == "summary_tou_confirm"
    table = walk.text.split("Every price as a table", 1)[1]
    assert (
        re.findall(r"(\d\d:\d\d) (\d\d:\d\d) \d+\.\d\dp", table)
        == [
            ("00:00", "07:00"),
            ("07:00", "23:00"),
            ("23:00", "00:00"),
        ]
        * 2
    )


@pytest.mark.parametrize("missing", [None, [], {}, "", 7, True, "absent"])
def test_a_day_without_rates_is_left_out(missing):
    rates = {"today": day("2026-05-01", Decimal("0.1"), Decimal("0.2"))} | (
        {} if missing == "absent" else {"tomorrow": missing}
    )
    assert [day for day, _ in described(rates=rates)["days"]] == [date(2026, 5, 1)]


def test_the_first_usable_day_tells_the_offset():
    rates = {"today": [{"valid_from": "soon"}], "tomorrow": day("2026-05-02", Decimal("0.1"), offset="-04:00")}
    assert described(rates=rates)["zone"].utcoffset(None) == timedelta(hours=-4)
    assert described(rates={"today": [{"valid_from": "2026-05-01T00:00:00"}]})["zone"] is UTC


def test_a_rate_of_many_years_is_shown_of_these_days_only():
    times = ["0001-01-01T00:00:00Z", "2026-05-01T11:00:00Z", "9999-12-31T00:00:00Z"]
    spans = zip(times, times[1:], (1, 2), strict=False)
    forever = [{"valid_from": start, "valid_to": end, "tariff": {"cost": cost}} for start, end, cost in spans]
    found = described(currency_code="GBP", rates={"today": forever, "tomorrow": []})
    assert found["now"] == 2
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
    assert (described()["contract"], described()["zone"]) == ("end date not known", UTC)
    assert describe(Page(session=ConnectSession(), body={"data": None}), NOW)["days"] == []
    assert described(**dict.fromkeys(NAMES, junk))["days"] == []
    for name in NAMES:
        assert described(**{name: junk})["chart"] is None
    for name in RATES:
        assert described(rates={name: junk})["days"] == []
        assert described(rates={name: [{"valid_from": junk, "valid_to": junk, "tariff": junk}]})["days"] == []
    for name in FACTS:
        assert described(tariff={name: junk}, provider={name: junk})["contract"] == "end date not known"


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
        ("Ørsted A/S", "O"),
        ("ßkraft", "S"),
        ("100Green", "1G"),
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
