"""The geometry of the price chart: in proportion, inside its frame, and readable with any rates."""

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from tariffs.rates import Segment, day_span
from tariffs.screens.chart import chart
from tariffs.times import zone_in_words

LONDON = ZoneInfo("Europe/London")
MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)


def segments(*rates, minutes=60, start=MIDNIGHT):
    """Touching segments of equal length."""
    step = timedelta(minutes=minutes)
    return [Segment(start + n * step, start + (n + 1) * step, Decimal(rate)) for n, rate in enumerate(rates)]


def drawn(found, zone=UTC, currency="GBP", now=MIDNIGHT, start=None, end=None):
    return chart(found, start or found[0].start, end or found[-1].end, zone, currency, now)


def day_of(day, zone, rate="0.25"):
    start, end = day_span(day, zone)
    return drawn([Segment(start, end, Decimal(rate))], zone, now=start)


def words(labels):
    return [text for _, text, *_ in labels]


def boxes(seen):
    """The bars, each as its two edges, its zero and its end, from left to right."""
    return [edges(seen, path) for _, path, _ in seen["bars"]]


def edges(seen, path):
    """What the template's transformation makes of a path."""
    start, zero, level, width, back = map(float, re.findall(r"[-\d.]+", path))
    assert zero == back == 0
    left = seen["left"] + seen["quarter"] * start
    return left, left + seen["quarter"] * width, seen["zero"], seen["zero"] + level


def test_without_segments_there_is_no_chart():
    assert chart([], MIDNIGHT, MIDNIGHT + timedelta(days=1), UTC, "GBP", MIDNIGHT) is None


def test_now_is_marked_from_the_charts_first_moment_to_before_its_last():
    found = segments(1, 2)
    begin, end, moment = found[0].start, found[-1].end, timedelta(microseconds=1)
    for now, marked in ((begin - moment, False), (begin, True), (end - moment, True), (end, False)):
        assert (drawn(found, now=now)["now"] is not None) is marked


def test_widths_are_in_proportion_to_durations():
    first, second, third = segments("0.1", "0.2", "0.3")
    quarter = first._replace(end=first.start + timedelta(minutes=15))
    half = second._replace(start=quarter.end, end=quarter.end + timedelta(minutes=30))
    whole = third._replace(start=half.end, end=half.end + timedelta(minutes=75))
    seen = drawn([quarter, half, whole])
    widths = [right - left + 1 for left, right, *_ in boxes(seen)]
    total = seen["right"] - seen["left"]
    assert widths == [pytest.approx(total * share, abs=0.15) for share in (1 / 8, 1 / 4, 5 / 8)]
    assert boxes(seen)[0][0] == pytest.approx(seen["left"], abs=0.05)
    assert boxes(seen)[-1][1] + 1 == pytest.approx(seen["right"], abs=0.15)


def test_bars_have_the_widths_too_but_for_a_gap():
    first, _, third = segments("0.1", "0.2", "0.3")
    seen = drawn([first._replace(end=first.start + timedelta(minutes=30)), third])
    (start, half, *_), (gap, end, *_) = boxes(seen)
    total = seen["right"] - seen["left"]
    assert [start, half + 1, gap, end + 1] == [
        pytest.approx(seen["left"] + total * share, abs=0.1) for share in (0, 1 / 6, 2 / 3, 1)
    ]


@pytest.mark.parametrize(
    ("minutes", "days", "gap"), [(60, 1, 1), (20, 1, 1), (15, 1, 0.4), (5, 1, 0.4), (30, 2, 0.4), (5, 2, 0)]
)
def test_thin_bars_have_thinner_gaps_and_the_thinnest_none(minutes, days, gap):
    """Of all bars of a chart the thinnest counts."""
    thin = segments("0.1", "0.2", "0.3", minutes=minutes, start=MIDNIGHT + timedelta(hours=20))
    thick = Segment(MIDNIGHT, thin[0].start, Decimal("0.4"))
    seen = drawn([thick, *thin], end=MIDNIGHT + timedelta(days=days))
    per_minute = (seen["right"] - seen["left"]) / days / 1440
    assert [right - left for left, right, *_ in boxes(seen)] == [
        pytest.approx(length * per_minute - gap, abs=0.02) for length in (1200, minutes, minutes, minutes)
    ]


def test_heights_are_in_proportion_to_rates():
    low, high, negative = (zero - level for _, _, zero, level in boxes(drawn(segments("0.1", "0.3", "-0.2"))))
    assert high == pytest.approx(3 * low, abs=2)
    assert negative == pytest.approx(-2 * low, abs=2)


def test_bars_begin_on_zero():
    seen = drawn(segments("0.1", "-0.2"))
    assert [zero for _, _, zero, _ in boxes(seen)] == [pytest.approx(seen["zero"], abs=0.05)] * 2


def test_each_bar_has_its_word_and_reads_it_out():
    found = segments("0.1", "0.2", "0.3", "0.1")
    said = {Decimal("0.1"): "low", Decimal("0.2"): "usual", Decimal("0.3"): "high"}
    seen = chart(found, found[0].start, found[-1].end, UTC, "GBP", MIDNIGHT, said.__getitem__)
    assert [word for word, *_ in seen["bars"]] == ["low", "usual", "high", "low"]
    assert seen["words"] == ["low", "usual", "high"]
    assert [title.rpartition(", ")[2] for _, _, title in seen["bars"]] == ["low", "usual", "high", "low"]
    seen = chart(found[2:], found[2].start, found[-1].end, UTC, "GBP", MIDNIGHT, said.__getitem__)
    assert seen["words"] == ["low", "high"]
    assert drawn(found)["words"] == []


def test_a_time_is_shaded_where_it_is_and_its_name_stays_inside():
    found = segments(*["0.1"] * 24)
    for begin, length in ((0, 3), (10, 3), (21, 3), (22, 4)):
        start = MIDNIGHT + timedelta(hours=begin)
        named = (start, start + timedelta(hours=length), "cheapest")
        seen = chart(found, found[0].start, found[-1].end, UTC, "GBP", MIDNIGHT, named=named)
        x, width, middle, name = seen["named"]
        per_hour = (seen["right"] - seen["left"]) / 24
        assert x == pytest.approx(seen["left"] + begin * per_hour, abs=0.02)
        assert width == pytest.approx(min(length, 24 - begin) * per_hour, abs=0.02)
        assert name == "cheapest"
        half = 7.5 * len(name) / 2
        inside = max(seen["left"] + half, min(x + width / 2, seen["width"] - half))
        assert middle == pytest.approx(inside, abs=0.02)
    assert drawn(found)["named"] is None
    after = (found[-1].end, found[-1].end + timedelta(hours=3), "cheapest")
    assert chart(found, found[0].start, found[-1].end, UTC, "GBP", MIDNIGHT, named=after)["named"] is None


def test_an_estimate_is_drawn_again_and_said():
    sure, unsure, more = segments("0.1", "-0.2", "0.3")
    seen = drawn([sure, unsure._replace(confidence=Decimal("0.99")), more])
    assert edges(seen, seen["estimated"]) == boxes(seen)[1]
    assert [title.endswith("an estimate") for _, _, title in seen["bars"]] == [False, True, False]
    assert drawn([sure])["estimated"] == ""


def test_a_gap_is_left_blank():
    first, _, third = segments("0.1", "0.2", "0.3")
    seen = drawn([first, third])
    (_, end, *_), (begin, *_) = boxes(seen)
    assert begin - end > 100


def test_equal_neighbours_are_one_bar():
    seen = drawn(segments("0.1", "0.1", "0.2"))
    assert len(seen["bars"]) == 2


SHAPES = {
    "one": ["0.25"],
    "one below zero": ["-0.25"],
    "all equal": ["0.25"] * 24,
    "all zero": ["0"] * 24,
    "minus zero": ["-0"] * 3,
    "all negative": ["-0.01", "-0.3"],
    "around zero": ["-0.07", "0", "0.31"],
    "tiny": ["0.00001", "0.00002"],
    "tiny and negative": ["-0.00004"],
    "below what is shown": ["1E-9"],
    "huge": ["999999", "-999999"],
    "one peak": ["0.1", "5000", "0.1"],
}


@pytest.mark.parametrize("rates", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("currency", ["GBP", "JPY", "XTS", ""])
def test_every_shape_is_finite_and_inside_its_frame(rates, currency):
    seen = drawn(segments(*rates), currency=currency)
    for begin, end, _, level in boxes(seen):
        assert all(map(math.isfinite, (begin, end, level)))
        assert seen["left"] - 0.05 <= begin < end <= seen["right"] + 0.05
        assert seen["top"] <= level <= seen["bottom"]
    assert seen["top"] <= seen["zero"] <= seen["bottom"]
    assert 2 <= len(seen["rows"]) <= 8
    assert all(seen["top"] <= y <= seen["bottom"] for y, _ in seen["rows"])
    assert seen["zero"] in [y for y, _ in seen["rows"]]
    assert len(set(words(seen["rows"]))) == len(seen["rows"])
    assert not any(text.startswith("-0") and not text.strip("-0.pc ¥XTS") for text in words(seen["rows"]))


@pytest.mark.parametrize(
    ("rates", "currency", "expected"),
    [
        (["0.2481"], "GBP", ["0p", "5p", "10p", "15p", "20p", "25p"]),
        (["0.31"], "EUR", ["0c", "10c", "20c", "30c", "40c"]),
        (["-0.07", "0.31"], "GBP", ["-10p", "0p", "10p", "20p", "30p", "40p"]),
        (["0.012"], "GBP", ["0.0p", "0.5p", "1.0p", "1.5p"]),
        (["31"], "JPY", ["0 ¥", "10 ¥", "20 ¥", "30 ¥", "40 ¥"]),
        (["0", "0"], "GBP", ["0p", "1p"]),
        (["1.6"], "SEK", ["0 öre", "50 öre", "100 öre", "150 öre", "200 öre"]),
    ],
)
def test_the_ticks_are_round(rates, currency, expected):
    assert words(drawn(segments(*rates), currency=currency)["rows"]) == expected


def test_the_ticks_are_numbers_of_the_language():
    with translation.override("de"):
        assert words(drawn(segments("0.012"), currency="EUR")["rows"])[1] == "0,5\xa0ct"
        assert words(drawn(segments("4000"), currency="JPY")["rows"])[1] == "1.000\xa0¥"


def test_the_title_of_a_bar_says_when_and_how_much():
    [(_, _, title)] = drawn(segments("0.24555"), zone=timezone(timedelta(hours=1)))["bars"]
    assert title == "Fri 01:00 to 02:00: 24.56p"
    [(_, _, half), *_] = drawn(segments("0.1", "0.2", minutes=30))["bars"]
    assert half == "Fri 00:00 to 00:30: 10.00p"
    [*_, (_, _, quarter)] = drawn(segments("0.1", "0.2", minutes=15))["bars"]
    assert quarter == "Fri 00:15: 20.00p"
    with translation.override("de"):
        [(_, _, title)] = drawn(segments("0.24555"), currency="EUR")["bars"]
        assert title == "Fr. 00:00 bis 01:00: 24,56\xa0ct"


def test_the_extremes_and_the_present_are_named():
    found = segments("0.2", "0.1", "0.3")
    seen = drawn(found, now=MIDNIGHT + timedelta(minutes=90))
    assert (seen["lowest"], seen["highest"]) == (found[1], found[2])
    assert seen["now"] == pytest.approx((seen["left"] + seen["right"]) / 2, abs=0.02)


@pytest.mark.parametrize(("hours", "shown"), [(-1, False), (0, True), (2, True), (3, False)])
def test_the_present_is_marked_only_inside(hours, shown):
    seen = drawn(segments("0.2", "0.1", "0.3"), now=MIDNIGHT + timedelta(hours=hours))
    assert (seen["now"] is not None) is shown


# --- hours and days


@pytest.mark.parametrize(
    ("zone", "day", "gaps"),
    [
        ("Europe/London", date(2026, 5, 1), [6, 6, 6]),
        ("Europe/London", date(2026, 3, 29), [5, 6, 6]),
        ("Asia/Kathmandu", date(2026, 5, 1), [6, 6, 6]),
        ("Australia/Lord_Howe", date(2026, 10, 4), [5.5, 6, 6]),
    ],
)
def test_hours_stand_where_the_clock_shows_them(zone, day, gaps):
    seen = day_of(day, ZoneInfo(zone))
    start, end = day_span(day, ZoneInfo(zone))
    per_hour = (seen["right"] - seen["left"]) / ((end - start).total_seconds() / 3600)
    places = [x for x, *_ in seen["hours"]]
    assert words(seen["hours"]) == ["00:00", "06:00", "12:00", "18:00"]
    assert [b - a for a, b in pairwise(places)] == [pytest.approx(g * per_hour, abs=0.02) for g in gaps]
    assert seen["days"] == [(seen["left"], f"{day:%a} {day.day} {day:%b}")]


def test_an_hour_is_labelled_that_is_just_before_the_end():
    seen = drawn(segments("0.1"), end=MIDNIGHT + timedelta(hours=6, minutes=5))
    assert words(seen["hours"]) == ["00:00", "06:00"]


def test_a_day_without_midnight_has_its_name_and_its_other_hours():
    seen = day_of(date(2026, 9, 6), ZoneInfo("America/Santiago"))
    assert words(seen["hours"]) == ["06:00", "12:00", "18:00"]
    assert seen["days"] == [(seen["left"], "Sun 6 Sept")]


@pytest.mark.parametrize(
    ("zone", "day", "twice", "first", "apart"),
    [
        ("Europe/London", date(2026, 10, 25), "01:00", 1, 1),
        ("Europe/Berlin", date(2026, 10, 25), "02:00", 2, 1),
        ("Australia/Lord_Howe", date(2026, 4, 5), "01:30", 1.5, 0.5),
        ("Atlantic/Azores", date(2026, 10, 25), "00:00", 0, 1),
    ],
)
def test_the_time_that_comes_twice_is_labelled_twice_and_touches_nothing(zone, day, twice, first, apart):
    seen = day_of(day, ZoneInfo(zone))
    start, end = day_span(day, ZoneInfo(zone))
    per_hour = (seen["right"] - seen["left"]) / ((end - start).total_seconds() / 3600)
    (once, once_words, once_anchor), (again, again_words, again_anchor), *others = seen["hours"]
    assert (once_words, once_anchor, again_words, again_anchor) == (twice, "end", twice, "start")
    assert once == pytest.approx(seen["left"] + first * per_hour, abs=0.02)
    assert again - once == pytest.approx(apart * per_hour, abs=0.02)
    assert words(others) == ["06:00", "12:00", "18:00"]
    assert others[0][0] - again >= 55


def test_hours_are_labelled_where_the_first_rate_begins_in_the_middle_of_one():
    seen = drawn(segments(*["0.1"] * 20, start=MIDNIGHT + timedelta(hours=13, minutes=37, seconds=5)))
    assert words(seen["hours"]) == ["18:00", "00:00", "06:00"]
    assert words(seen["days"]) == ["Sat 2 May"]


def test_two_days_have_two_names():
    start, end = day_span(date(2026, 10, 24), LONDON)[0], day_span(date(2026, 10, 25), LONDON)[1]
    seen = drawn(segments(*["0.1"] * 49, start=start), LONDON, end=end)
    assert words(seen["days"]) == ["Sat 24 Oct", "Sun 25 Oct"]
    assert words(seen["hours"]) == ["00:00", "06:00", "12:00", "01:00", "01:00", "12:00", "18:00"]


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 10, 24), date(2026, 5, 1)])
def test_no_two_hours_touch(day):
    start, end = day_span(day, LONDON)[0], day_span(day + timedelta(days=1), LONDON)[1]
    wide = 35  # the width of five characters at 13 px
    left = {"start": 0, "middle": wide / 2, "end": wide}
    seen = drawn(segments(*["0.1"] * 47, start=start), LONDON, end=end)
    spans = [(x - left[anchor], x - left[anchor] + wide) for x, _, anchor in seen["hours"]]
    assert len(spans) >= 7
    assert all(a[1] < b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize("currency", ["GBP", "SEK", "CLP"])
@pytest.mark.parametrize(
    "rates",
    [
        ("0.1", "0.2", "0.3"),
        ("-0.3", "0", "0.1"),
        ("0.001", "5", "0.001"),
        ("-0.2", "-0.1"),
        ("-0.002", "-0.001", "-0.3"),
    ],
)
def test_the_lowest_and_the_highest_are_marked_inside_of_the_frame_and_apart(rates, currency):
    seen = drawn(segments(*rates), currency=currency)
    boxes = []
    for x, y, text in seen["marks"]:
        half = 7 * len(text) / 2
        assert seen["left"] - 1 < x - half
        assert x + half < seen["width"]
        assert seen["top"] - 8 < y < seen["height"] - 17
        boxes.append((x - half, x + half, y - 10, y))
    low, high = boxes
    assert low[0] > high[1] or high[0] > low[1] or low[2] > high[3] or high[2] > low[3]


@pytest.mark.parametrize(
    ("low", "high", "below"),
    [("0.1", "0.3", True), ("0.001", "0.3", False), ("0", "0.3", False), ("-0.1", "0.3", True), ("-0.3", "-0.1", True)],
)
def test_a_mark_stands_at_the_middle_of_its_bar_the_lowest_below_it_if_there_is_room(low, high, below):
    middle = sorted({low, high, "0.2" if high == "0.3" else "-0.2"}, key=Decimal)[1]
    for first in (10, 0, 22):  # the lowest comes first and the highest next, in the middle and at the edges
        rates = [middle] * 24
        rates[first : first + 2] = low, high
        seen = drawn(segments(*rates))
        per_hour = (seen["right"] - seen["left"]) / 24
        levels = {
            title.split(": ")[1]: level for (_, _, title), (*_, level) in zip(seen["bars"], boxes(seen), strict=True)
        }
        for (x, y, text), hour, cost in zip(seen["marks"], (first, first + 1), (low, high), strict=True):
            assert text == f"{Decimal(cost) * 100:.2f}p"
            half = 7.5 * len(text) / 2
            place = seen["left"] + (hour + 0.5) * per_hour
            assert x == pytest.approx(max(seen["left"] + half, min(place, seen["width"] - half)), abs=0.02)
            under = levels[text] + 14 if cost == low and below else min(levels[text], seen["zero"]) - 5
            assert y == pytest.approx(under, abs=0.6)


def test_a_lowest_price_below_zero_is_marked_at_its_trough():
    seen = drawn(segments("0.1", "-0.3", "0.1"))
    (_, y, words), _ = seen["marks"]
    assert words == "-30.00p"
    assert y > seen["bottom"]


def test_equal_prices_have_no_marks():
    assert drawn(segments("0.1", "0.1"))["marks"] == []


@pytest.mark.parametrize(("currency", "cents"), [("SEK", "2.5"), ("CLP", "250"), ("XTS", "-99999")])
def test_a_long_unit_has_its_room_beside_the_frame(currency, cents):
    seen = drawn(segments(cents, "0.1"), currency=currency)
    assert all(7 * len(words) + 4 <= seen["left"] for _, words in seen["rows"])
    assert boxes(seen)[0][0] == pytest.approx(seen["left"], abs=0.05)


def test_the_time_that_comes_twice_is_read_out_with_the_zones_name():
    start, end = day_span(date(2026, 10, 25), LONDON)
    seen = drawn(segments(*[f"0.{n}" for n in range(10, 35)], start=start), LONDON, end=end)
    assert [title for _, _, title in seen["bars"][1:3]] == [
        "Sun 01:00 BST to 01:00 GMT: 11.00p",
        "Sun 01:00 GMT to 02:00: 12.00p",
    ]


@pytest.mark.parametrize("minutes", [30, 5])
def test_a_days_chart_is_small_however_many_its_segments(minutes):
    found = segments(*[Decimal(n * 7919 % 4001 - 500) / 10000 for n in range(24 * 60 // minutes)], minutes=minutes)
    names = {"chart": drawn(found), "heading": "The day", "hatch": "IMPORT", "currency": "GBP", "zone": LONDON}
    assert len(render_to_string("tariffs/_chart.html", names).encode()) < 60_000


def test_days_now_and_the_named_time_are_drawn_over_the_whole_height():
    found = segments(*["0.1"] * 24)
    named = (found[3].start, found[6].start, "cheapest")
    seen = chart(found, MIDNIGHT, found[-1].end, UTC, "GBP", found[5].start, named=named)
    names = {"chart": seen, "heading": "The day", "hatch": "IMPORT", "currency": "GBP", "zone": UTC}
    page = render_to_string("tariffs/_chart.html", names)
    (top, height), lines = (
        re.search(r'<rect class="named"[^>]* y="(\d+)"[^>]* height="(\d+)"', page).groups(),
        re.findall(r'<line class="(?:day|now)"[^>]* y1="(\d+)" y2="(\d+)"', page),
    )
    assert lines == [(top, str(int(top) + int(height)))] * 2
    assert re.findall(r'<line class="grid"[^>]* y1="(\d+\.?\d*)"', page)[0] == f"{lines[0][1]}.0"


def test_a_week_is_labelled_by_days_alone():
    seen = drawn(segments(*["0.1", "0.2"] * 84))
    assert seen["hours"] == []
    assert words(seen["days"]) == ["Fri", "Sat", "Sun", "Mon", "Tue", "Wed", "Thu"]


def test_a_week_is_read_out_by_day():
    days = segments(*["0.15"] * 7, minutes=24 * 60)
    seen = drawn([days[0], days[2], days[3]._replace(confidence=Decimal(0)), *days[4:]])
    assert [title for _, _, title in seen["bars"][:3]] == [
        "Fri 1 May: 15.00p on average",
        "Sun 3 May: 15.00p on average",
        "Mon 4 May: 15.00p on average, an estimate",
    ]
    assert len(seen["bars"]) == 6  # days of one price are a bar each


def test_a_month_is_labelled_on_mondays():
    seen = drawn(segments(*["0.15"] * 31, minutes=24 * 60))
    assert words(seen["days"]) == ["4 May", "11 May", "18 May", "25 May"]


@pytest.mark.parametrize("month", range(1, 13))
def test_the_name_of_a_day_stays_inside_of_the_frame(month):
    start = datetime(2026, month, 1, tzinfo=UTC)
    seen = drawn(segments(*["0.15"] * 30, minutes=24 * 60, start=start))
    ends = [(x, x + 3 + 7.5 * len(name)) for x, name in seen["days"] if name]
    assert ends[-1][1] <= seen["width"]
    assert all(one[1] < other[0] for one, other in pairwise(ends))
    assert words(seen["days"])[-1] == "" if month == 11 else len(ends) >= 3  # 30 November is a Monday


# --- time zones


@pytest.mark.parametrize(
    ("zone", "month", "language", "words"),
    [
        (ZoneInfo("Europe/London"), 1, "en", "London (UTC)"),
        (ZoneInfo("Europe/London"), 7, "fr", "Londres (UTC+01:00)"),
        (ZoneInfo("America/Los_Angeles"), 7, "de", "Los Angeles (UTC-07:00)"),
        (ZoneInfo("America/St_Johns"), 1, "fr", "Saint-Jean de Terre-Neuve (UTC-03:30)"),
        (ZoneInfo("GB"), 1, "en", "London (UTC)"),
        (ZoneInfo("UTC"), 1, "en", "UTC"),
        (timezone(timedelta(hours=2)), 1, "en", "UTC+02:00"),
        (UTC, 1, "en", "UTC"),
    ],
)
def test_a_time_zone_is_named_by_its_place_and_offset(zone, month, language, words):
    with translation.override(language):
        assert zone_in_words(zone, datetime(2026, month, 15, tzinfo=UTC)) == words
