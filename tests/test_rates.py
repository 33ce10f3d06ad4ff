"""Rates as plain data: what is a segment, where a local day begins, and that no digit is lost."""

import logging
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from tariffs import rates
from tariffs.models import Customer, Location, RateDay, Tariff
from tariffs.rates import Segment
from tariffs.rates.days import ask_again_at
from tariffs.rates.outlook import outlook
from tests.test_windows import ZONES, changes


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def entry(start, end, rate=Decimal("0.3"), **tariff):
    return {"valid_from": start, "valid_to": end, "tariff": {"rate": rate} | tariff}


def hour(n, rate="0.3", length=1):
    start = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=n)
    return Segment(start, start + timedelta(hours=length), Decimal(rate))


def hourly(n, rate=Decimal("0.3"), length=1):
    segment = hour(n, "0", length)
    return entry(segment.start.isoformat(), segment.end.isoformat(), rate)


# --- parse


def test_a_segment_is_read_with_its_confidence_and_carbon():
    [segment] = rates.parse(
        [
            entry("2026-05-01T00:00:00Z", "2026-05-01T00:30:00Z", Decimal("0.24555"), confidence=Decimal("0.8"))
            | {"carbon": {"intensity": 187, "relative": Decimal("0.4"), "confidence": 1}}
        ]
    )
    half = at("2026-05-01T00:30:00Z")
    assert segment == (half - timedelta(minutes=30), half, Decimal("0.24555"), Decimal("0.8"), Decimal(187))


def test_a_summary_calls_the_rate_a_cost():
    listed = {"valid_from": "2026-05-01T00:00:00Z", "valid_to": "2026-05-01T01:00:00Z", "tariff": {"cost": 1}}
    assert rates.parse([listed]) == [(at("2026-05-01T00:00:00Z"), at("2026-05-01T01:00:00Z"), 1, 1, None)]


@pytest.mark.parametrize(
    "price",
    [
        {"price": {"value": 1, "confidence": 1}},
        {"price": {"rate": 1}},
        {"tariff": {"rate": 1, "confidence": 1}},
        {"price": {"value": 1}, "tariff": {"rate": 2}},
    ],
)
def test_a_rate_is_read_by_the_names_of_each_release(price):
    listed = {"valid_from": "2026-05-01T00:00:00Z", "valid_to": "2026-05-01T01:00:00Z"} | price
    assert rates.parse([listed]) == [(at("2026-05-01T00:00:00Z"), at("2026-05-01T01:00:00Z"), 1, 1, None)]


@pytest.mark.parametrize("price", [{"price": {}}, {"price": None}, {"price": {"value": "1"}}, {"price": 1}, {}])
def test_an_entry_without_a_price_is_no_segment(price):
    listed = {"valid_from": "2026-05-01T00:00:00Z", "valid_to": "2026-05-01T01:00:00Z"} | price
    assert rates.parse([listed]) == []


def test_segments_come_out_in_order_whatever_order_they_came_in():
    assert rates.parse([hourly(2), hourly(0), hourly(1)]) == [hour(0), hour(1), hour(2)]


def test_duplicates_become_one():
    assert rates.parse([hourly(0), hourly(1), hourly(0)]) == [hour(0), hour(1)]


def test_of_two_that_overlap_the_later_start_wins():
    long, short = hourly(0, Decimal("0.1"), length=4), hourly(2, Decimal("0.2"), length=4)
    expected = [hour(0, "0.1", length=2), hour(2, "0.2", length=4)]
    assert rates.parse([long, short]) == rates.parse([short, long]) == expected


def test_where_the_later_one_ends_the_longer_one_holds_again():
    long, short = hourly(0, Decimal("0.1"), length=4), hourly(1, Decimal("0.2"))
    expected = [hour(0, "0.1"), hour(1, "0.2"), hour(2, "0.1", length=2)]
    assert rates.parse([long, short]) == rates.parse([short, long]) == expected


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(0, 3)), unique_by=lambda found: found[0]))
def test_every_minute_has_the_rate_of_the_latest_start_that_covers_it(found):
    def moment(n):
        return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=n)

    given_ = [entry(moment(a).isoformat(), moment(a + n).isoformat(), Decimal(rate)) for a, n, rate in found]
    parsed = rates.parse(given_)
    assert all(a.end <= b.start for a, b in pairwise(parsed))
    for minute in range(30):
        covering = [(a, Decimal(rate)) for a, n, rate in found if a <= minute < a + n]
        held = rates.current(parsed, moment(minute))
        assert (held and held.rate) == (max(covering)[1] if covering else None)


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=15, deadline=None)
@given(st.data(), st.lists(st.integers(-1800, 1800), min_size=2, max_size=12, unique=True))
def test_a_local_day_has_each_of_its_minutes_and_no_other(zone, data, cuts):
    day = data.draw(st.sampled_from(changes(zone)))
    zone, noon = ZoneInfo(zone), datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC)
    edges = [noon + timedelta(minutes=cut) for cut in sorted(cuts)]
    series = [Segment(a, b, Decimal(n)) for n, (a, b) in enumerate(pairwise(edges))]
    by_day = {day + timedelta(days=n): {} for n in range(-2, 3)}
    for segment in series:
        moment = segment.start
        while moment < segment.end:
            by_day[moment.astimezone(zone).date()][moment] = segment.rate
            moment += timedelta(minutes=1)
    for each, minutes in by_day.items():
        found = rates.clip(series, *rates.day_span(each, zone))
        assert sum((s.end - s.start for s in found), timedelta()) == timedelta(minutes=len(minutes))
        assert all(minutes[s.start] == minutes[s.end - timedelta(minutes=1)] == s.rate for s in found)


def test_times_with_mixed_offsets_are_the_same_instants():
    mixed = [
        entry("2026-05-01T02:00:00+02:00", "2026-05-01T01:00:00Z"),
        entry("2026-04-30T21:00:00-04:00", "2026-05-01T07:45:00+05:45"),
    ]
    assert rates.parse(mixed) == rates.parse([hourly(0), hourly(1)])
    assert all(s.start.tzinfo is UTC and s.end.tzinfo is UTC for s in rates.parse(mixed))


START, END = "2026-05-01T00:00:00Z", "2026-05-01T01:00:00Z"
UNUSABLE = {
    "no length": entry(START, START),
    "negative length": entry(END, START),
    "NaN": entry(START, END, Decimal("NaN")),
    "infinity": entry(START, END, Decimal("-Infinity")),
    "absurd": entry(START, END, Decimal("1E+6")),
    "a float": entry(START, END, float("nan")),
    "null": entry(START, END, None),
    "true": entry(START, END, True),
    "text": entry(START, END, "0.3"),
    "a list": entry(START, END, [Decimal("0.3")]),
    "a time without an offset": entry("2026-05-01T00:00:00", END),
    "a time that is none": entry("yesterday", END),
    "a time that is a number": entry(1777593600, END),
    "a time before all times": entry("0001-01-01T00:00:00+05:00", END),
    "no tariff": {"valid_from": START, "valid_to": END},
    "a tariff that is a list": {"valid_from": START, "valid_to": END, "tariff": []},
    "no rate": {"valid_from": START, "valid_to": END, "tariff": {}},
    "no times": {"tariff": {"rate": Decimal("0.3")}},
    "not an object": "0.3",
    "nothing": None,
}


@pytest.mark.parametrize("junk", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_a_segment_is_dropped_and_the_others_stay(junk):
    assert rates.parse([junk, hourly(5)]) == [hour(5)]


def test_dropped_segments_are_counted_in_one_line_of_the_log(caplog):
    with caplog.at_level(logging.WARNING, "tariffs.rates"):
        rates.parse([*UNUSABLE.values(), hourly(5)])
    assert [record.getMessage() for record in caplog.records] == [
        f"{len(UNUSABLE)} of {len(UNUSABLE) + 1} rate segments were unusable"
    ]


def test_nothing_is_logged_of_a_clean_list(caplog):
    rates.parse([hourly(5)])
    assert not caplog.records


@pytest.mark.parametrize("junk", [None, {}, {"valid_from": START}, "segments", 7, True, []])
def test_what_is_no_list_has_no_segments(junk):
    assert rates.parse(junk) == []


def test_a_confidence_that_is_none_counts_as_an_estimate():
    [segment] = rates.parse([entry(START, END, confidence=None)])
    assert segment.confidence == 0


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, Decimal(0)),
        (-3, Decimal(-3)),
        (Decimal("0.24555"), Decimal("0.24555")),
        (Decimal("999999.9"), Decimal("999999.9")),
        (Decimal("1E+999999"), None),
        (10**400, None),
        (Decimal("sNaN"), None),
        (False, None),
        ("1", None),
        (None, None),
    ],
)
def test_a_number_is_exact_or_none(value, number):
    assert rates.number(value) == number


# --- days


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/London", date(2026, 5, 1), "2026-04-30T23:00:00Z", 24),
        ("Europe/London", date(2026, 10, 25), "2026-10-24T23:00:00Z", 25),
        ("Europe/London", date(2026, 3, 29), "2026-03-29T00:00:00Z", 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00:00Z", 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30:00Z", 23.5),
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00:00Z", 23),
        ("America/Santiago", date(2026, 9, 5), "2026-09-05T04:00:00Z", 24),
        ("Asia/Kathmandu", date(2026, 5, 1), "2026-04-30T18:15:00Z", 24),
        ("Atlantic/Azores", date(2026, 10, 25), "2026-10-25T00:00:00Z", 25),
        ("UTC", date(2026, 12, 31), "2026-12-31T00:00:00Z", 24),
    ],
)
def test_a_local_day_is_as_long_as_the_clock_makes_it(zone, day, begins, hours):
    start, end = rates.day_span(day, ZoneInfo(zone))
    assert start == at(begins)
    assert end - start == timedelta(hours=hours)


@pytest.mark.parametrize("name", ["Asia/Calcutta", "Europe/Kiev", "America/Buenos_Aires"])
def test_a_time_zone_is_known_by_its_older_name_whatever_the_image_has(name, request):
    request.addfinalizer(zoneinfo.reset_tzpath)
    zoneinfo.reset_tzpath(to=[])
    zone = ZoneInfo.no_cache(name)
    assert rates.day_span(date(2026, 5, 1), zone)[0] < datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_day_begins_at_one_where_the_clock_skips_midnight():
    zone = ZoneInfo("America/Santiago")
    start, _ = rates.day_span(date(2026, 9, 6), zone)
    assert start.astimezone(zone).isoformat() == "2026-09-06T01:00:00-03:00"
    assert (start - timedelta(microseconds=1)).astimezone(zone).date() == date(2026, 9, 5)


@pytest.mark.parametrize("zone", ["Europe/London", "Australia/Lord_Howe", "America/Santiago", "Atlantic/Azores"])
def test_every_day_begins_where_the_day_before_ends(zone):
    days = [rates.day_span(date(2026, 1, 1) + timedelta(days=n), ZoneInfo(zone)) for n in range(365)]
    assert all(before[1] == after[0] for before, after in pairwise(days))
    assert days[-1][1] - days[0][0] == timedelta(days=365)


# --- clip, current, joined


def test_clipping_keeps_what_lies_between():
    start = hour(0).start
    cut = rates.clip(
        [hour(-2), hour(-1, length=2), hour(1), hour(2, length=9), hour(11)], start, start + timedelta(hours=4)
    )
    assert cut == [hour(0), hour(1), hour(2, length=2)]


def test_clipping_leaves_out_what_only_touches():
    assert rates.clip([hour(-1), hour(1)], hour(0).start, hour(0).end) == []


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        (hour(0).start - timedelta(microseconds=1), None),
        (hour(0).start, 0),
        (hour(1).start - timedelta(microseconds=1), 0),
        (hour(1).start, 1),
        (hour(1).end, None),
        (hour(3).start.astimezone(timezone(timedelta(hours=9))), 3),
    ],
)
def test_a_rate_holds_from_its_start_up_to_its_end(moment, found):
    segment = rates.current([hour(0), hour(1), hour(3)], moment)
    assert segment == (None if found is None else hour(found))


def test_touching_neighbours_of_one_rate_are_joined():
    assert rates.joined([hour(0, "0.3"), hour(1, "0.30"), hour(2, "0.3")]) == [hour(0, length=3)]


@pytest.mark.parametrize(
    "second",
    [
        hour(1, "0.30001"),
        hour(2),
        hour(1)._replace(confidence=Decimal("0.5")),
        hour(1)._replace(carbon=Decimal(200)),
    ],
)
def test_what_differs_or_does_not_touch_stays_apart(second):
    assert rates.joined([hour(0), second]) == [hour(0), second]


def test_nothing_joined_is_nothing():
    assert rates.joined([]) == rates.clip([], hour(0).start, hour(0).end) == []
    assert rates.current([], hour(0).start) is None


# --- storing

EXACT = ["0.24555", "-0.00004", "1E+2", "0", "7", "999999.99999", "0.30", "1E-8"]


@pytest.mark.django_db
def test_a_stored_day_comes_back_from_the_database_exactly(alice):
    customer = Customer.objects.create(user=alice)
    location = Location.objects.create(customer=customer, location_id="loc_1")
    tariff = Tariff.objects.create(location=location, direction="IMPORT")
    segments = [hour(n, rate) for n, rate in enumerate(EXACT)]
    segments += [hour(9)._replace(confidence=Decimal("0.85"), carbon=Decimal("187.5"))]
    RateDay.objects.create(tariff=tariff, day=date(2026, 5, 1), segments=rates.dump(segments), fetched_at=hour(0).start)
    stored = RateDay.objects.get().segments
    assert rates.load(stored) == segments
    assert not any(isinstance(value, float) for row in stored for value in row)


# --- what is known of them


def test_an_outlook_begins_now_and_what_is_over_is_no_part_of_it():
    over, present, later = hour(0, "0.5"), hour(1, length=2), hour(3)
    now = present.start + timedelta(minutes=30)
    ahead = [present._replace(start=now), later]
    assert outlook(Tariff(), [over, present, later], now) == (present, "", later, None, ahead)
    assert outlook(Tariff(), [over, present, later], present.end) == (later, "", None, None, [later])
    assert outlook(Tariff(), [over, present], later.start) == (None, "", None, None, [])


@pytest.mark.parametrize(
    ("after", "pause"),
    [
        (timedelta(seconds=-1), timedelta(minutes=15)),
        (timedelta(), timedelta(minutes=1)),
        (timedelta(minutes=9, seconds=59), timedelta(minutes=1)),
        (timedelta(minutes=10), timedelta(minutes=15)),
        (timedelta(minutes=16), timedelta(minutes=16)),
        (timedelta(hours=23), timedelta(hours=23)),
        (timedelta(days=6), timedelta(days=1)),
        (timedelta(days=7, seconds=-1), timedelta(days=1)),
        (timedelta(days=7), None),
    ],
)
def test_a_day_that_flatpeak_does_not_know_is_asked_for_less_and_less_often_and_not_after_a_week(after, pause):
    day = hour(0, length=24)
    asked_first = day.end + timedelta(days=30)  # somebody looks at an old day
    for since, now in ((day.start, day.end + after), (asked_first, asked_first + after)):
        if since == day.start or after >= timedelta():
            assert ask_again_at(None, (day.start, day.end), since, now) == (pause and now + pause)
