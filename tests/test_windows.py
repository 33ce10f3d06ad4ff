"""The cheapest time: against a search over every minute, in zones that change their clocks."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from tariffs.rates import Segment, current, day_span
from tariffs.rates.windows import best, next_time

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ZONES = [
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]


def hourly(*rates, start=NOON):
    return [Segment(start + n * HOUR, start + (n + 1) * HOUR, Decimal(rate)) for n, rate in enumerate(rates)]


def hours(segments, number, start=NOON, end=NOON + timedelta(days=2), dearest=False):
    return best(segments, number * HOUR, start, end, dearest)


def test_it_is_the_lowest_mean_and_for_what_is_sold_the_highest():
    segments = hourly("0.3", "0.1", "0.2", "0.1", "0.4")
    assert hours(segments, 2)[:2] == (NOON + HOUR, NOON + 3 * HOUR)
    assert hours(segments, 2).mean == Decimal("0.15")
    assert hours(segments, 1, dearest=True)[:2] == (NOON + 4 * HOUR, NOON + 5 * HOUR)


def test_of_equal_means_the_earliest_is_taken():
    assert hours(hourly("0.1", "0.2", "0.1", "0.2", "0.1"), 2).start == NOON
    assert hours(hourly("0.1", "0.1", "0.1"), 1, dearest=True).start == NOON


def test_equal_is_equal_to_the_last_digit():
    exact = hourly("0.28150000000000003", "0.28150000000000002", "0.28150000000000004", "0.28150000000000001")
    assert hours(exact, 1).start == NOON + 3 * HOUR
    assert hours(exact, 2).start == NOON


def test_it_may_begin_now_or_end_with_a_segment_or_with_the_deadline():
    now = NOON + 20 * MINUTE
    assert hours(hourly("0.1", "0.2", "0.3"), 1, start=now).start == now
    assert hours(hourly("0.3", "0.2", "0.1"), 2, start=now).end == NOON + 3 * HOUR
    deadline = NOON + 150 * MINUTE
    assert hours(hourly("0.3", "0.2", "0.1"), 1, start=now, end=deadline).end == deadline


def test_it_never_crosses_a_gap_and_is_none_where_nothing_is_long_enough():
    segments = hourly("0.1", "0.9") + hourly("0.1", "0.8", "0.7", start=NOON + 3 * HOUR)
    assert hours(segments, 2).start == NOON + 3 * HOUR
    assert hours(segments, 3).mean == (Decimal("0.1") + Decimal("0.8") + Decimal("0.7")) / 3
    assert hours(segments, 4) is None
    assert hours([], 1) is None
    assert hours(segments, 1, end=NOON + 59 * MINUTE) is None


def test_negative_rates_are_the_cheapest():
    assert hours(hourly("0", "-0.05", "0.1"), 1) == (NOON + HOUR, NOON + 2 * HOUR, Decimal("-0.05"), NOON + 2 * HOUR)


@pytest.mark.parametrize(
    ("rates", "number", "start", "until"),
    [
        (["0.3", "0.1", "0.1", "0.1", "0.3"], 2, 1, 4),
        (["0.3", "0.1", "0.1", "0.3"], 2, 1, 3),
        (["0.2", "0.2", "0.2"], 2, 0, 3),
        (["0.1", "0.1", "0.3", "0.1", "0.1", "0.1"], 1, 0, 2),  # the same price on two spans: the first
        (["0.1", "0.3", "0.1", "0.3", "0.1", "0.3"], 2, 0, 6),  # any two hours have one of each
        (["0.3", "0.1", "0.1", "0.2", "0.4"], 3, 1, 4),
    ],
)
def test_it_is_known_until_when_it_costs_the_same(rates, number, start, until):
    window = hours(hourly(*rates), number)
    assert (window.start, window.until) == (NOON + start * HOUR, NOON + until * HOUR)
    sold = hours([s._replace(rate=-s.rate) for s in hourly(*rates)], number, dearest=True)
    assert sold == window._replace(mean=-window.mean)


def test_it_costs_the_same_from_now_on_and_up_to_the_deadline_and_never_across_a_gap():
    segments = hourly("0.1", "0.1", "0.1", "0.1") + hourly("0.1", "0.1", start=NOON + 5 * HOUR)
    now, deadline = NOON + 33 * MINUTE, NOON + 210 * MINUTE
    assert hours(segments, 1, start=now).until == NOON + 4 * HOUR
    window = hours(segments, 1, start=now, end=deadline)
    assert (window.start, window.end, window.until) == (now, now + HOUR, deadline)


def changes(zone):
    """The days of 2026 on which a zone changes its clocks, each with the day before and the day after."""
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    noon = [datetime.combine(day, time(12), ZoneInfo(zone)) for day in year]
    changed = [today.date() for today, before in zip(noon[1:], noon, strict=False) if today.dst() != before.dst()]
    return [day + timedelta(days=n) for day in changed for n in (-1, 0, 1)] or year[90:93]


def test_the_days_that_are_tried_have_both_changes_of_clock():
    around = {zone: changes(zone) for zone in ZONES}
    assert {zone: len(found) for zone, found in around.items()} == dict.fromkeys(ZONES, 6) | {"Asia/Kathmandu": 3}
    assert date(2026, 10, 25) in around["Europe/London"]
    assert date(2026, 9, 6) in around["America/Santiago"]


@st.composite
def days(draw, zone):
    """A local day at or beside a change of clock, cut into segments at whole minutes, some of them missing."""
    start, end = day_span(draw(st.sampled_from(changes(zone))), ZoneInfo(zone))
    cuts = draw(st.lists(st.integers(1, (end - start) // MINUTE - 1), min_size=1, max_size=12, unique=True))
    edges = [start, *(start + cut * MINUTE for cut in sorted(cuts)), end]
    rates = st.integers(-50, 50).map(lambda cents: Decimal(cents) / 100)
    segments = [Segment(a, b, draw(rates)) for a, b in pairwise(edges) if draw(st.integers(0, 9))]
    now = start + draw(st.integers(0, (end - start) // MINUTE)) * MINUTE
    deadline = now + draw(st.integers(0, 24 * 60)) * MINUTE
    return segments, now, deadline


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 3, 4, 6, 8]), st.booleans())
def test_no_minute_to_begin_at_gives_a_better_window(zone, data, number, dearest):
    segments, now, deadline = data.draw(days(zone))
    length, by_minute = number * 60, {}
    moment = now
    while moment < deadline:
        found = current(segments, moment)
        by_minute[moment] = found.rate if found else None
        moment += MINUTE
    rates = list(by_minute.values())
    sums = [
        (sum(rates[n : n + length]), n) for n in range(len(rates) - length + 1) if None not in rates[n : n + length]
    ]
    window = hours(segments, number, start=now, end=deadline, dearest=dearest)
    if not sums:
        assert window is None
        return
    total, first = min(sums, key=lambda found: (-found[0] if dearest else found[0], found[1]))
    assert window.mean == total / length
    assert window.start == now + first * MINUTE
    assert window.end - window.start == number * HOUR
    same = first
    while (total, same + 1) in sums:
        same += 1
    assert window.until == now + same * MINUTE + number * HOUR


@pytest.mark.parametrize(
    ("zone", "now", "clock", "expected"),
    [
        ("Europe/London", "2026-05-01T11:00:00Z", time(7), "2026-05-02T06:00:00Z"),
        ("Europe/London", "2026-05-01T05:59:00Z", time(7), "2026-05-01T06:00:00Z"),
        ("Europe/London", "2026-05-01T06:00:00Z", time(7), "2026-05-02T06:00:00Z"),
        ("Europe/London", "2026-10-25T00:15:00Z", time(1, 30), "2026-10-25T00:30:00Z"),
        ("Europe/London", "2026-10-25T00:45:00Z", time(1, 30), "2026-10-25T01:30:00Z"),
        ("Europe/London", "2026-10-25T01:45:00Z", time(1, 30), "2026-10-26T01:30:00Z"),
        ("Europe/London", "2026-03-28T23:00:00Z", time(1, 30), "2026-03-29T01:00:00Z"),
        ("Europe/London", "2026-03-29T00:30:00Z", time(1, 59), "2026-03-29T01:00:00Z"),
        ("Europe/London", "2026-03-29T01:00:00Z", time(1, 30), "2026-03-30T00:30:00Z"),
        ("America/Santiago", "2026-09-06T03:00:00Z", time(0, 30), "2026-09-06T04:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z", time(2, 15), "2026-10-03T15:30:00Z"),
    ],
)
def test_a_time_of_day_is_the_next_one_on_the_local_clock(zone, now, clock, expected):
    found = next_time(clock, ZoneInfo(zone), datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(expected)
