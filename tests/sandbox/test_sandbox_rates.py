"""Rates are plausible, the same each time, and in the right time zone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.rates import Market, instant, segments

from .conftest import ADDRESS, HOURS

BERLIN = ADDRESS | {"country_code": "DE", "city": "Berlin", "post_code": "10115"}


def hours_of(rows):
    moments = [[datetime.fromisoformat(row[name]) for name in ("valid_from", "valid_to")] for row in rows]
    return [(end - begin) / timedelta(hours=1) for begin, end in moments]


def by_hand(sandbox, structure, **body):
    talk = sandbox.talk(**body)
    country = body.get("postal_address", ADDRESS)["country_code"]
    location = sandbox.saved(talk.by_hand(structure, "Montana" if country == "DE" else "Ecotricity", country))
    sandbox.control(advance=2)
    return location


def test_a_fixed_price_is_one_segment_with_all_that_belongs_to_it(sandbox):
    location = by_hand(sandbox, "FIXED")
    answer = sandbox.rates(location)
    assert answer.pop("id").startswith("rts_")
    assert answer == {
        "object": "tariff_rate",
        "live_mode": False,
        "location_id": location,
        "location_timezone": "Europe/London",
        "currency_code": "GBP",
        "direction": "IMPORT",
        "last_updated": "2026-06-10T12:00:00Z",
        "next_update": "2026-06-16T23:00:00Z",
        "request": {
            "start_time": "2026-06-10T00:00:00Z",
            "end_time": "2026-06-11T00:00:00Z",
            "direction": "IMPORT",
            "include_tariff": True,
            "include_carbon": False,
        },
        "data": [
            {
                "valid_from": "2026-06-10T00:00:00Z",
                "valid_to": "2026-06-11T00:00:00Z",
                "tariff": {"rate": Decimal("0.2815"), "confidence": 1},
            }
        ],
        "time_created": "2026-06-10T12:00:02Z",
        "account_id": "acc_one",
    }


def test_rates_begin_now_if_nothing_is_said(sandbox):
    location = by_hand(sandbox, "FIXED")
    assert sandbox.rates(location, start=None)["data"][0]["valid_from"] == "2026-06-10T12:00:02Z"


def test_rates_are_not_sure_of_themselves_for_two_seconds(sandbox):
    location = sandbox.fixed()
    assert sandbox.rates(location)["data"][0]["tariff"]["confidence"] == 0
    sandbox.control(advance=1.9)
    assert sandbox.rates(location)["data"][0]["tariff"]["confidence"] == 0
    sandbox.control(advance=0.1)
    assert sandbox.rates(location)["data"][0]["tariff"]["confidence"] == 1


def test_day_and_night_follow_local_time_and_the_ends_of_the_question(sandbox):
    rows = sandbox.rates(by_hand(sandbox, "TIME_OF_DAY"), "2026-06-10T05:15:00Z", "2026-06-11T05:00:00Z")["data"]
    assert [(row["valid_from"][11:16], row["valid_to"][11:16], str(row["tariff"]["rate"])) for row in rows] == [
        ("05:15", "06:00", "0.125"),
        ("06:00", "22:00", "0.31"),
        ("22:00", "05:00", "0.125"),
    ]


def test_the_answer_speaks_in_the_offset_of_the_question(sandbox):
    location = by_hand(sandbox, "TIME_OF_DAY")
    times = ("2026-06-10T00:00:00+01:00", "2026-06-11T00:00:00+01:00")
    rows = sandbox.rates(location, *times)["data"]
    assert [row["valid_from"] for row in rows] == [f"2026-06-10T{hour}:00:00+01:00" for hour in ("00", "07", "23")]
    assert sandbox.rates(location, None, times[1])["data"][0]["valid_from"].endswith("+01:00")


@pytest.mark.parametrize(
    ("day", "night", "step_count"), [("2026-03-29", 7, 23), ("2026-10-25", 9, 25), ("2026-06-10", 8, 24)]
)
def test_a_clock_change_makes_the_night_shorter_or_longer(sandbox, day, night, step_count):
    begin = instant(datetime.fromisoformat(day).date(), "00:00", "Europe/London")
    end = instant(begin.date() + timedelta(days=2 if begin.hour else 1), "00:00", "Europe/London")
    sandbox.control(now=f"{day}T20:00:00Z")
    sandbox.log_in()
    span = (begin.isoformat(), end.isoformat())
    rows = sandbox.rates(by_hand(sandbox, "TIME_OF_DAY"), *span)["data"]
    assert hours_of(rows) == [night - 1, 16, 1]
    assert len(sandbox.rates(by_hand(sandbox, "MARKET"), *span)["data"]) == step_count


def test_a_period_that_begins_in_the_skipped_hour_begins_when_the_clock_changes():
    hours = [{"valid_from": a, "valid_to": b, "cost": Decimal(c)} for a, b, c in [
        ("00:00:00", "01:15:00", 1), ("01:15:00", "01:45:00", 2), ("01:45:00", "02:00:00", 3), ("02:00:00", "00:00:00", 4),
    ]]  # fmt: skip
    market = Market("x", "Europe/London", 30, "13:00", Decimal(1))
    start, end = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)
    found = segments({"structure": "TIME_OF_DAY", "hours": hours}, market, "IMPORT", start, end, start)
    assert [(each.valid_from.hour, each.valid_from.minute, each.rate) for each in found] == [(0, 0, 1), (1, 0, 4)]


def test_half_hours_in_gb_are_known_to_the_end_of_the_day_and_tomorrows_from_13_00(sandbox):
    location = sandbox.saved(sandbox.talk().pick("Octopus Energy").log_in("approve"))
    sandbox.control(now="2026-06-10T11:59:00Z")
    sandbox.log_in()
    ask = ("2026-06-10T11:10:00Z", "2026-06-12T00:00:00Z")
    before = sandbox.rates(location, *ask)
    assert before["data"][0]["valid_from"] == "2026-06-10T11:10:00Z"
    assert before["data"][0]["valid_to"] == "2026-06-10T11:30:00Z"
    assert before["data"][-1]["valid_to"] == "2026-06-10T23:00:00Z"
    assert (before["last_updated"], before["next_update"]) == ("2026-06-09T12:00:00Z", "2026-06-10T12:00:00Z")
    sandbox.control(now="2026-06-10T12:00:00Z")
    sandbox.log_in()
    after = sandbox.rates(location, *ask)
    assert after["data"][-1]["valid_to"] == "2026-06-11T23:00:00Z"
    assert after["next_update"] == "2026-06-11T12:00:00Z"
    assert after["data"][: len(before["data"])] == before["data"]
    assert sandbox.rates(location, "2026-06-12T00:00:00Z", "2026-06-13T00:00:00Z")["code"] == "no_price_data"


def test_hours_in_the_eu_are_known_to_the_end_of_tomorrow_from_13_00(sandbox):
    location = by_hand(sandbox, "MARKET", postal_address=BERLIN)
    sandbox.control(now="2026-06-10T10:59:00Z")
    sandbox.log_in()
    rows = sandbox.rates(location, end="2026-06-14T00:00:00Z")["data"]
    assert set(hours_of(rows)) == {1}
    assert rows[-1]["valid_to"] == "2026-06-10T22:00:00Z"
    sandbox.control(now="2026-06-10T11:00:00Z")
    sandbox.log_in()
    answer = sandbox.rates(location, end="2026-06-14T00:00:00Z")
    assert answer["data"][-1]["valid_to"] == "2026-06-11T22:00:00Z"
    assert (answer["currency_code"], answer["location_timezone"]) == ("EUR", "Europe/Berlin")


@pytest.mark.parametrize(("name", "hours"), [("Test: half hours", 0.5), ("Test: quarter hours", 0.25)])
def test_a_login_can_bring_finer_steps(sandbox, name, hours):
    talk = sandbox.talk(postal_address=BERLIN).pick(name, "DE").log_in("approve")
    assert set(hours_of(sandbox.rates(sandbox.saved(talk))["data"])) == {hours}


def market_rates(sandbox, fixed, percentage, direction="IMPORT"):
    talk = sandbox.talk(direction=direction).pick("Test: market only")
    talk.go("market_surcharge_capture", {"surcharge": {"fixed": fixed, "percentage": percentage}})
    talk.go("tariff_name_capture", {"tariff": {"name": "M"}}).go("contract_term_capture")
    answer = sandbox.rates(sandbox.saved(talk), "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", direction=direction)
    return [row["tariff"]["rate"] for row in answer["data"]]


def test_the_surcharge_is_fixed_first_then_the_percentage_of_the_result(sandbox):
    plain, with_surcharge = market_rates(sandbox, 0, 0), market_rates(sandbox, Decimal("0.1"), 20)
    assert all(
        abs((one + Decimal("0.1")) * Decimal("1.2") - other) <= Decimal("0.00002")
        for one, other in zip(plain, with_surcharge, strict=True)
    )


def test_market_prices_vary_are_negative_at_times_and_lower_for_export(sandbox):
    imported, exported = market_rates(sandbox, 0, 0), market_rates(sandbox, 0, 0, "EXPORT")
    assert len(imported) == 31 * 24
    assert 5 < sum(rate < 0 for rate in imported) < 100
    assert len(set(imported)) > 500
    assert max(imported) < Decimal("0.5")
    assert all(-rate.as_tuple().exponent <= 5 for rate in imported)
    assert all(out < into for into, out in zip(imported, exported, strict=True) if into)


def test_providers_pay_less_than_they_ask(sandbox):
    prices = []
    for direction in ("IMPORT", "EXPORT"):
        talk = sandbox.talk(direction=direction).pick("SSE")
        prices.append(talk.go("tariff_select", {"tariff": {"id": talk.data["tariffs"][0]["id"]}}).data["cost"])
    assert prices[1] < prices[0] / 2


def test_the_same_question_has_the_same_answer(sandbox):
    location = by_hand(sandbox, "MARKET")
    one, other = (sandbox.rates(location, include_carbon="true")["data"] for _ in range(2))
    assert one == other


def test_carbon_comes_by_the_hour_even_for_a_fixed_price(sandbox):
    location = by_hand(sandbox, "FIXED")
    ask = ("2026-06-10T00:10:00Z", "2026-06-10T23:50:00Z")
    rows = sandbox.rates(location, *ask, include_carbon="true", include_tariff="false")["data"]
    assert len(rows) == 24
    assert all(set(row) == {"valid_from", "valid_to", "carbon"} for row in rows)
    assert (rows[0]["valid_from"], rows[-1]["valid_to"]) == ask
    for row in rows:
        assert 0 <= row["carbon"]["relative"] <= 1
        assert 40 <= row["carbon"]["intensity"] <= 400


def test_rates_end_with_the_contract(sandbox):
    location = sandbox.saved(sandbox.talk().pick("Test: contract ends in 8 days").log_in("approve"))
    rows = sandbox.rates(location, end="2026-07-01T00:00:00Z")["data"]
    assert rows[-1]["valid_to"] == "2026-06-18T00:00:00Z"
    assert sandbox.rates(location, "2026-06-18T00:00:00Z", "2026-07-01T00:00:00Z")["code"] == "no_price_data"


def test_an_open_end_is_no_end(sandbox):
    talk = sandbox.talk().by_hand("FIXED")
    talk.go("contract_term_capture", {"contract_end_date": "0001-01-01T00:00:00Z"})
    assert sandbox.rates(sandbox.saved(talk))["data"]


def test_a_provider_without_prices(sandbox):
    location = sandbox.saved(sandbox.talk().by_hand("FIXED", "Test: no prices"))
    assert sandbox.rates(location)["code"] == "no_price_data"
    assert sandbox.rates(location)["type"] == "api_error"


def test_a_period_echoed_in_two_halves_prices_the_same(sandbox):
    whole = sandbox.rates(by_hand(sandbox, "TIME_OF_DAY"))["data"]
    talk = sandbox.talk().by_hand("TIME_OF_DAY")
    halves = [HOURS[1] | {"valid_from": "00:00:00"}, HOURS[0], HOURS[1] | {"valid_to": "00:00:00"}]
    talk.go("rate_tod_capture", {"hours": halves}).go("contract_term_capture")
    location = sandbox.saved(talk)
    sandbox.control(advance=2)
    rows = sandbox.rates(location)["data"]
    assert [row["tariff"]["rate"] for row in rows] == [
        Decimal("0.125"),
        Decimal("0.31"),
        Decimal("0.125"),
        Decimal("0.125"),
    ]
    assert rows[0] == whole[0]
