"""Whether a price is low, usual or high for its tariff, and what of that is stored."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tariffs import rates
from tariffs.models import Customer, Location, RateDay, Tariff
from tariffs.rates import Segment
from tariffs.rates.levels import pieces, thresholds, word, worked_out
from tariffs.rates.outlook import outlook
from tariffs.storing import Connected, store

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
TODAY = NOW.date()


def hourly(*prices, start=datetime(2026, 11, 23, tzinfo=UTC), confidence="1"):
    """Segments of one hour each from midnight on; a pair is a price and its hours."""
    found, at = [], start
    for each in prices:
        price, hours = each if isinstance(each, tuple) else (each, 1)
        found.append(Segment(at, at + timedelta(hours=hours), Decimal(str(price)), Decimal(confidence)))
        at += timedelta(hours=hours)
    return found


def words(*prices):
    """The word of each price among these."""
    segments = hourly(*prices)
    tariff = Tariff(levels=["2026-11-23", 30, *thresholds(segments)])
    return [word(tariff, segment.rate) for segment in segments]


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ((1, 2, 3), ["low", "usual", "high"]),
        ((3, 1, 2), ["high", "low", "usual"]),
        (((10, 7), (25, 17)), ["low", "usual"]),  # a short night is low, and its day is what is usual
        (((10, 12), (25, 12)), ["low", "high"]),
        (((10, 17), (25, 7)), ["usual", "high"]),  # a short peak
        (((10, 7), (20, 10), (30, 7)), ["low", "usual", "high"]),
        ((-3, 0, 5), ["low", "usual", "high"]),
        (((10, 23), (900, 1)), ["usual", "high"]),  # one spike makes nothing else low
        ((20, 20, 20), ["", "", ""]),
        ((0, 0), ["", ""]),
    ],
)
def test_a_price_is_low_in_the_cheapest_third_of_the_time_and_high_in_the_dearest(prices, said):
    assert words(*prices) == said


def test_a_price_that_was_not_seen_yet_has_the_word_of_the_nearest_price():
    tariff = Tariff(levels=["2026-11-23", 30, *thresholds(hourly(10, 20, 30))])
    assert [word(tariff, Decimal(rate)) for rate in ("14.99", "15", "25", "25.01")] == ["low", "usual", "usual", "high"]


def test_a_price_beyond_those_of_a_tariff_of_one_price_is_low_or_high():
    tariff = Tariff(levels=["2026-11-23", 30, *thresholds(hourly(20, 20))])
    assert [word(tariff, Decimal(rate)) for rate in ("19", "20", "21")] == ["low", "", "high"]


def test_an_estimate_of_confidence_0_counts_for_nothing():
    assert thresholds(hourly(1, 2, 3, confidence="0")) is None
    assert thresholds(hourly(1, 2, 3, confidence="0.5")) == (Decimal("1.5"), Decimal("2.5"))
    assert word(Tariff(), Decimal(1)) == ""


def test_neighbours_of_one_word_are_one_piece_and_a_gap_parts_them():
    segments = hourly(1, 1, 2, 3, 3)
    tariff = Tariff(levels=["2026-11-23", 30, Decimal("1.5"), Decimal("2.5")])
    edges = [s.start for s in segments] + [segments[-1].end]
    assert pieces(tariff, segments) == [
        (edges[0], edges[2], "low"),
        (edges[2], edges[3], "usual"),
        (edges[3], edges[5], "high"),
    ]
    assert len(pieces(tariff, [segments[0], segments[0]._replace(start=edges[3], end=edges[4])])) == 2


@pytest.fixture
def tariff(alice):
    customer = Customer.objects.create(user=alice, customer_id="cus_1")
    location = Location.objects.create(customer=customer, location_id="loc_1", time_zone="Europe/London")
    return Tariff.objects.create(location=location, direction="IMPORT")


def remember(tariff, n, *prices, **changes):
    """The day `n` days before today is stored."""
    day = TODAY - timedelta(days=n)
    segments = hourly(*prices, start=rates.day_span(day, tariff.location.zone)[0])
    RateDay.objects.create(tariff=tariff, day=day, segments=rates.dump(segments), fetched_at=NOW, **changes)


def work_out(tariff, *prices):
    return worked_out(tariff, hourly(*prices), [TODAY, TODAY + timedelta(days=1)])


NEAR = (10, 20, 30) * 16  # today and tomorrow


def test_with_fewer_than_seven_days_prices_are_compared_with_today_and_tomorrow(tariff):
    for n in range(1, 6):
        remember(tariff, n, (1000, 24))
    assert work_out(tariff, *NEAR) == ["2026-11-23", 6, 15, 25]


def test_with_seven_days_they_are_compared_with_those_alone(tariff):
    for n in range(1, 7):
        remember(tariff, n, (100, 8), (200, 8), (300, 8))
    assert work_out(tariff, *(20,) * 24, *(9999,) * 24) == ["2026-11-23", 7, 150, 250]  # tomorrow has no part in it


def test_today_counts_once_although_an_earlier_answer_is_stored(tariff):
    for n in range(1, 7):
        remember(tariff, n, (20, 24))
    remember(tariff, 0, (9999, 24))
    assert work_out(tariff, *(20,) * 48) == ["2026-11-23", 7, 20, 20]


def test_once_seven_days_are_known_the_day_is_worked_out_once(tariff, django_assert_num_queries):
    for n in range(1, 7):
        remember(tariff, n, (20, 24))
    tariff.levels = work_out(tariff, *(20,) * 48)
    with django_assert_num_queries(0):
        assert work_out(tariff, *(50,) * 48) == tariff.levels


def test_days_count_for_thirty_days_and_not_of_a_former_contract(tariff):
    for n in range(1, 7):
        remember(tariff, n, (20, 24))
    remember(tariff, 29, (1, 24))
    remember(tariff, 30, (1, 24))
    remember(tariff, 7, (1, 24), former="The one before")
    remember(tariff, 8)  # nothing is known of it
    day, number, below, above = work_out(tariff, *(20,) * 48)
    assert (day, number) == ("2026-11-23", 8)
    assert below == Decimal("10.5")  # the mean of 1 and 20: 29 days ago is the only day at 1
    assert above == 20


def test_another_customers_days_count_for_nothing(tariff, bob):
    other = Customer.objects.create(user=bob, customer_id="cus_2")
    location = Location.objects.create(customer=other, location_id="loc_2", time_zone="Europe/London")
    theirs = Tariff.objects.create(location=location, direction="IMPORT")
    for n in range(1, 20):
        remember(theirs, n, (1000, 24))
    assert work_out(tariff, *NEAR) == ["2026-11-23", 1, 15, 25]


def test_once_seven_days_are_known_one_query_a_day_is_made(tariff):
    for n in range(1, 8):
        remember(tariff, n, (100, 24))
    tariff.levels = work_out(tariff, *NEAR)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert work_out(tariff, *NEAR) is tariff.levels
    assert not len(queries)
    tariff.levels[0] = "2026-11-22"
    with CaptureQueriesContext(connection) as queries:
        work_out(tariff, *NEAR)
    assert len(queries) == 1


def test_today_is_the_day_of_the_location(tariff):
    remember(tariff, 1, (100, 24))
    tomorrow = TODAY + timedelta(days=1)
    segments = hourly((10, 24), (20, 24))
    assert worked_out(tariff, segments, [tomorrow, date(2026, 11, 25)])[:2] == ["2026-11-24", 2]


def test_a_save_forgets_what_was_low_for_the_old_contract(tariff, alice):
    Tariff.objects.update(levels=["2026-11-23", 30, Decimal("0.1"), Decimal("0.2")])
    exchanged = {"customer_id": "cus_1", "location_id": "loc_1"}
    store(alice.pk, exchanged, Connected("IMPORT", "COMMODITY", "connected", {"name": "Another"}))
    assert Tariff.objects.get().levels is None


def test_thresholds_are_stored_to_the_last_digit(tariff):
    exact = [Decimal("0.123456789012345678901"), Decimal("123456789012345678.5")]
    Tariff.objects.update(levels=["2026-11-23", 30, *exact])
    assert Tariff.objects.get().levels[2:] == exact


# --- what somebody wants to know first


def test_the_best_time_is_the_cheapest_to_buy_and_the_dearest_to_sell():
    segments = hourly((20, 12), (30, 4), (10, 4), (20, 4))
    bought = outlook(Tariff(direction="IMPORT"), segments, NOW)
    assert (bought.now.rate, bought.next.rate) == (30, 10)
    assert (bought.best.start.hour, bought.best.mean) == (16, 10)
    sold = outlook(Tariff(direction="EXPORT"), segments, NOW)
    assert (sold.best.start, sold.best.mean) == (NOW, 30)
    assert sold.ahead[0].start == NOW


def test_there_is_no_best_time_if_the_price_is_the_same_or_too_little_is_known():
    assert outlook(Tariff(), hourly((20, 48)), NOW).best is None
    assert outlook(Tariff(), hourly((20, 13), 30), NOW).best is None
    nothing = outlook(Tariff(), [], NOW)
    assert (nothing.now, nothing.word, nothing.next, nothing.best, nothing.ahead) == (None, "", None, None, [])
