"""The pages "My locations", rates and other days: what they show, and when they ask FlatPeak."""

import re
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone as tzinfo_of
from decimal import Decimal
from html import unescape
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tariffs import flatpeak, rates
from tariffs.details import complete
from tariffs.models import Customer, Location, RateDay, Tariff
from tariffs.rates.refresh import make_due, refresh
from tariffs.screens import sections, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def tariff(alice):
    """Alice's tariff in London. Its rates are due."""
    location = Location.objects.create(
        customer=Customer.objects.create(user=alice, customer_id="cus_1"),
        location_id="loc_1",
        address_line1="1 Example Street",
        time_zone="Europe/London",
        currency_code="GBP",
    )
    return Tariff.objects.create(location=location, direction="IMPORT", provider="Example Energy", name="Simple")


class Asked(list):
    """The calls for rates; `answer` is what FlatPeak answers."""

    answer = None

    def __call__(self, location_id, start, end, direction):
        self.append((location_id, start, end, direction))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(start, end)


@pytest.fixture
def asked(monkeypatch):
    asked = Asked()
    asked.answer = hourly
    monkeypatch.setattr(flatpeak, "rates", asked)
    monkeypatch.setattr(flatpeak, "location", lambda location_id: pytest.fail("location was not to be asked"))
    return asked


def hourly(start, end, confidence=1, next_update="2100-01-01T00:00:00Z"):
    hours = int((end - start).total_seconds() // 3600)
    return {
        "next_update": next_update,
        "data": [
            {
                "valid_from": (start + timedelta(hours=n)).isoformat(),
                "valid_to": (start + timedelta(hours=n + 1)).isoformat(),
                "tariff": {"rate": Decimal(n) / 100, "confidence": Decimal(confidence)},
                "carbon": {"intensity": 100 + n},
            }
            for n in range(hours)
        ],
    }


def refused(code):
    return flatpeak.Rejected("GET /tariffs/rates", 422, {"code": code})


NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def timezone_of(hours):
    return tzinfo_of(timedelta(hours=hours))


def at(monkeypatch, moment):
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)


@pytest.fixture
def noon(monkeypatch, tariff):
    at(monkeypatch, NOW)
    Tariff.objects.update(due_at=NOW, rates_since=NOW)
    tariff.refresh_from_db()


@pytest.fixture
def look(noon, tariff, asked, client, alice):
    """Open the rates page with a query, and return its text."""

    def look(status=200, **query):
        client.force_login(alice)
        caches["html"].clear()  # the clock stands still, so a changed answer may leave the cache key as it was
        response = client.get(f"/locations/{tariff.location_id}/", query)
        assert response.status_code == status
        return (
            " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()).replace(" ,", ",").replace(" .", ".")
        )

    return look


# --- asking


def test_a_tariff_that_was_saved_since_it_was_read_is_not_asked_for_by_its_old_row(noon, tariff, asked):
    Tariff.objects.update(version=F("version") + 1)
    assert not refresh(tariff, NOW)
    assert asked == []
    assert refresh(tariff, NOW)  # it was read again


def test_today_and_tomorrow_are_asked_for_in_the_locations_time_zone(noon, tariff, asked):
    Location.objects.update(time_zone="Pacific/Auckland")
    tariff = Tariff.objects.select_related("location").get()
    assert refresh(tariff, NOW)
    midnight = datetime(2026, 11, 23, 11, tzinfo=UTC)  # the 24 November begins there
    assert asked == [("loc_1", midnight, midnight + timedelta(days=2), "IMPORT")]
    assert [str(d.day) for d in RateDay.objects.order_by("day")] == ["2026-11-24", "2026-11-25"]


@pytest.mark.parametrize(
    ("month", "day", "hours", "tomorrows"),
    [(10, 24, 49, 25), (10, 25, 49, 24), (3, 28, 47, 23), (3, 29, 47, 24), (5, 1, 48, 24)],
)
def test_today_and_tomorrow_are_one_question_however_long_they_are(noon, tariff, asked, month, day, hours, tomorrows):
    now = datetime(2026, month, day, 11, tzinfo=UTC)
    Tariff.objects.update(due_at=now)
    refresh(Tariff.objects.get(), now)
    assert [end - start for _, start, end, _ in asked] == [timedelta(hours=hours)]
    today, tomorrow = (len(day.segments) for day in RateDay.objects.order_by("day"))
    assert (today, tomorrow) == (hours - tomorrows, tomorrows)


def test_rates_are_stored_exactly(noon, tariff, asked):
    asked.answer = lambda start, end: {
        "data": [
            {
                "valid_from": "2026-11-23T00:00:00Z",
                "valid_to": "2026-11-25T00:00:00Z",
                "tariff": {"rate": Decimal("0.24555"), "confidence": 1},
            }
        ]
    }
    refresh(tariff, NOW)
    segments = rates.load(RateDay.objects.get(day="2026-11-23").segments)
    assert [(s.rate, s.end, s.carbon) for s in segments] == [
        (Decimal("0.24555"), datetime(2026, 11, 24, tzinfo=UTC), None)
    ]


def test_flatpeak_is_asked_again_from_next_update_on(noon, tariff, asked):
    asked.answer = lambda start, end: hourly(start, end, next_update="2026-11-23T16:00:00Z")
    refresh(tariff, NOW)
    assert not refresh(tariff, datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC))
    assert refresh(tariff, datetime(2026, 11, 23, 16, tzinfo=UTC))
    assert len(asked) == 2
    assert RateDay.objects.count() == 2


def test_a_new_answer_takes_the_place_of_all_that_was_stored_but_when_it_was_first_asked_for(noon, tariff, asked):
    asked.answer = lambda start, end: hourly(start, end - timedelta(hours=2), next_update="2026-11-23T13:00:00Z")
    refresh(tariff, NOW)
    first, later = list(tariff.days.order_by("day")), NOW + timedelta(hours=1)
    assert [(row.ask_at is None, row.fetched_at, row.tiered) for row in first] == [
        (True, NOW, False),
        (False, NOW, False),
    ]
    Tariff.objects.update(tiered=True)
    tariff.refresh_from_db()
    asked.answer = hourly
    refresh(tariff, later)
    for before, after in zip(first, tariff.days.order_by("day"), strict=True):
        assert (after.fetched_at, after.ask_at, after.tiered, after.since) == (later, None, True, before.since)
    assert len(after.segments) == len(before.segments) + 2


def test_at_local_midnight_the_old_tomorrow_is_today_without_a_call(look, asked, monkeypatch):
    asked.answer = lambda start, end: hourly(start, end, next_update="2026-11-24T16:00:00Z")
    assert "Now 12.00p per kWh until 13:00." in look()
    at(monkeypatch, datetime(2026, 11, 24, tzinfo=UTC))
    page = look()
    assert "Now 24.00p per kWh until 01:00." in page
    assert "Wed 25 Nov: not published yet. We check again today at 16:00." in page
    assert len(asked) == 1


@pytest.mark.parametrize("next_update", ["2026-11-25T00:00:00Z", "2026-11-30T12:00:00Z"])
def test_a_new_local_day_is_asked_for_though_next_update_is_far(noon, tariff, asked, next_update):
    asked.answer = lambda start, end: hourly(start, end, next_update=next_update)
    refresh(tariff, NOW)
    assert tariff.due_at == datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize("next_update", ["nonsense", "2020-01-01T00:00:00Z", 7])
def test_without_a_usable_next_update_a_quarter_of_an_hour_passes(noon, tariff, asked, next_update):
    asked.answer = lambda start, end: hourly(start, end, next_update=next_update)
    refresh(tariff, NOW)
    assert tariff.due_at == NOW + timedelta(minutes=15)


TODAY, HALF, TOMORROW = 24, 30, 48  # hours of rates, from midnight on


@pytest.mark.parametrize(
    ("hours", "confidence", "clock", "due"),
    [
        (TOMORROW, 1, (12, 30), (24, 0)),
        (TODAY, 1, (9, 0), (13, 5)),
        (HALF, 1, (9, 0), (13, 5)),
        (TODAY, 1, (13, 5), (14, 5)),
        (TODAY, 1, (23, 30), (24, 0)),
        (TOMORROW, "0.5", (12, 30), (12, 45)),
        (TOMORROW, "0.5", (23, 50), (24, 0)),
        (0, 1, (12, 30), (12, 45)),
    ],
)
def test_where_flatpeak_does_not_say_when_it_is_asked_once_tomorrow_is_published(
    noon, tariff, asked, hours, confidence, clock, due
):
    def answer(start, end):
        found = hourly(start, start + timedelta(hours=hours), confidence)
        del found["next_update"]
        return found

    midnight, asked.answer = datetime(2026, 11, 23, tzinfo=UTC), answer
    now = midnight + timedelta(hours=clock[0], minutes=clock[1])
    Tariff.objects.update(due_at=now)
    tariff.refresh_from_db()
    refresh(tariff, now)
    assert tariff.due_at == midnight + timedelta(hours=due[0], minutes=due[1])


@pytest.mark.parametrize(("dropped", "minutes"), [(range(12, 13), 15), (range(48), 15), (range(11), 690)])
def test_a_price_of_today_that_could_not_be_read_is_asked_for_soon(noon, tariff, asked, dropped, minutes):
    asked.answer = lambda start, end: {
        "next_update": "2026-11-24T00:00:00Z",
        "data": [None if n in dropped else entry for n, entry in enumerate(hourly(start, end)["data"])],
    }
    refresh(tariff, NOW)
    assert tariff.due_at == NOW + timedelta(minutes=minutes)


def test_a_change_that_flatpeak_tells_makes_the_rates_due_and_a_call_under_way_void(noon, tariff, asked):
    def answer(start, end):
        assert make_due(tariff.location.location_id) == 1
        return hourly(start, end)

    asked.answer = answer
    refresh(tariff, NOW)
    assert not tariff.days.exists()
    assert tariff.is_due(NOW)
    assert tariff.attempts == 0
    asked.answer = hourly
    refresh(tariff, NOW)
    assert tariff.days.count() == 2


def test_a_change_makes_nothing_due_elsewhere_or_where_no_rates_are_read(noon, tariff, settings):
    assert make_due("loc_of_nobody") == 0
    settings.FLATPEAK_REALM, here = "acc_other", settings.FLATPEAK_REALM
    assert make_due(tariff.location.location_id) == 0
    settings.FLATPEAK_REALM = here
    Tariff.objects.update(state=Tariff.State.DISCONNECTED, due_at=None)
    assert make_due(tariff.location.location_id) == 0


def test_an_answer_of_confidence_0_is_asked_for_again_within_10_seconds(noon, tariff, asked, client, alice):
    asked.answer = lambda start, end: hourly(start, end, confidence=0)
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "are estimates until" in page
    assert '<meta http-equiv="refresh" content="5">' in page
    tariff.refresh_from_db()
    assert NOW < tariff.due_at <= NOW + timedelta(seconds=10)


def test_an_estimate_is_asked_for_less_often_the_longer_it_stays_one(noon, tariff, asked, monkeypatch):
    asked.answer = lambda start, end: hourly(start, end, confidence=0)
    moment, times = NOW, []
    while moment < NOW + timedelta(minutes=45):
        at(monkeypatch, moment)
        if refresh(Tariff.objects.select_related("location").get(), moment):
            times.append(int((moment - NOW).total_seconds()))
        moment += timedelta(seconds=5)
    assert times == [0, 5, 15, 35, 75, 155, 315, 635, 1275, 2175]
    asked.answer = hourly
    refresh(Tariff.objects.select_related("location").get(), NOW + timedelta(hours=1))
    assert Tariff.objects.get().rates == "ok"


def test_a_pending_tariff_whose_prices_are_an_estimate_is_still_pending(noon, tariff, asked, client, alice):
    Tariff.objects.update(state="pending")
    asked.answer = lambda start, end: hourly(start, end, confidence=0)
    client.force_login(alice)
    assert "are estimates until" in client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert Tariff.objects.get().state == "pending"


def test_who_comes_while_the_first_answer_is_under_way_is_told_and_looks_again(noon, tariff, asked, client, alice):
    client.force_login(alice)
    pages = []

    def look_meanwhile(start, end):
        pages.append(client.get(f"/locations/{tariff.location_id}/").content.decode())
        return hourly(start, end)

    asked.answer = look_meanwhile
    client.get(f"/locations/{tariff.location_id}/")
    assert len(asked) == 1
    assert "We are getting the prices." in pages[0]
    assert '<meta http-equiv="refresh" content="5">' in pages[0]
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "12.00p" in page
    assert 'http-equiv="refresh"' not in page


def midnight_gap(monkeypatch, asked, tariff):
    """Midnight: the known rates end, and new ones are due, since nothing of the new day was published before."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    refresh(tariff, NOW)
    RateDay.objects.filter(day="2026-11-24").update(segments=[])
    Tariff.objects.update(due_at=now)
    asked.clear()
    at(monkeypatch, now)


WHEREVER = {
    "": "We are getting the prices.",
    "day/?date=2026-11-24": "We are getting these prices.",
    "day/?date=2026-11-25": "We are getting these prices.",
    "week/?date=2026-11-24": "We are getting these prices.",
    "rates.csv": "We are getting these rates.",
    "rates.json": "We are getting these rates.",
    "/locations/": "being fetched",
}
NEVER = ("has no prices", "We check again", "Not published yet", "price not known")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limited", [False, True], ids=["", "of whom no more is asked"])
def test_whoever_comes_after_midnight_while_somebody_asks_is_told_so_on_every_page(
    noon, tariff, asked, client, alice, monkeypatch, limited
):
    midnight_gap(monkeypatch, asked, tariff)
    under_way, done = threading.Event(), threading.Event()

    def slow(start, end):
        if threading.current_thread() is somebody:  # the other thread looks at a week, which lacks other days too
            under_way.set()
            assert done.wait(60)
        return hourly(start, end)

    def ask():
        try:
            assert refresh(Tariff.objects.select_related("location").get(), timezone.now())
        finally:
            connection.close()

    asked.answer = slow
    somebody = threading.Thread(target=ask)
    somebody.start()
    try:
        assert under_way.wait(60)
        client.force_login(alice)
        if limited:
            for name in ("views", "downloads"):
                monkeypatch.setattr(f"tariffs.screens.{name}.is_too_often", lambda *what: True)
        for path, words in WHEREVER.items():
            answer = client.get(path if path.startswith("/") else f"/locations/{tariff.location_id}/{path}")
            text = answer.content.decode()
            assert words in text, path
            assert answer.status_code != 429, path
            assert not [each for each in NEVER if each in text], path
    finally:
        done.set()
        somebody.join()
    assert len([start for _, start, *_ in asked if start.day == 24]) == 1
    for path, words in WHEREVER.items():
        address = path if path.startswith("/") else f"/locations/{tariff.location_id}/{path}"
        assert words not in client.get(address).content.decode(), path
    assert Tariff.objects.get().claimed_until is None


def test_a_question_whose_asker_died_is_under_way_no_longer_than_its_claim(
    noon, tariff, asked, client, alice, monkeypatch
):
    midnight_gap(monkeypatch, asked, tariff)
    asked.answer = lambda start, end: sys.exit()
    with pytest.raises(SystemExit):
        refresh(Tariff.objects.select_related("location").get(), timezone.now())
    claim = Tariff.objects.get().claimed_until
    client.force_login(alice)
    address = f"/locations/{tariff.location_id}/day/?date=2026-11-24"
    assert "We are getting these prices." in client.get(address).content.decode()
    at(monkeypatch, claim)
    asked.answer = hourly
    assert "We are asking" not in client.get(address).content.decode()
    assert "23.00p" in client.get(address).content.decode()


def test_a_tariff_that_is_changed_meanwhile_is_asked_for_anew(noon, tariff, asked):
    def changed(start, end):
        mine = Tariff.objects.get()
        mine.version += 1
        mine.set_rates("none")
        mine.claimed_until, mine.due_at = None, NOW
        mine.save()
        return hourly(start, end)

    asked.answer = changed
    refresh(tariff, NOW)
    assert (tariff.claimed_until, tariff.due_at) == (None, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "failed"}, "We couldn’t read your provider’s data."),
        ({"rates": "pending"}, "We are still reading your tariff."),
        ({"state": "disconnected"}, "This tariff was disconnected"),
    ],
)
def test_what_takes_longer_than_a_question_is_said_while_one_is_under_way(look, changes, words):
    Tariff.objects.update(due_at=NOW + timedelta(seconds=9), claimed_until=NOW + timedelta(seconds=9), **changes)
    page = look()
    assert words in page
    assert "being fetched" not in page


def test_a_day_that_is_asked_for_says_so_beside_the_one_that_is_known(look, client, tariff, asked):
    asked.answer = lambda start, end: hourly(start, end - timedelta(days=1))
    look()
    Tariff.objects.update(due_at=NOW + timedelta(seconds=9), claimed_until=NOW + timedelta(seconds=9))
    page = look()
    assert "Now 12.00p" in page
    assert "We are getting the prices. This page updates itself." in page
    assert '<meta http-equiv="refresh" content="5">' in client.get(f"/locations/{tariff.location_id}/").content.decode()


def test_who_comes_while_known_rates_are_asked_for_again_does_not_wait(noon, tariff, asked, client, alice):
    client.force_login(alice)
    client.get(f"/locations/{tariff.location_id}/")
    Tariff.objects.update(due_at=NOW)
    pages = []

    def look_meanwhile(start, end):  # answers only when the other view is done
        pages.append(client.get(f"/locations/{tariff.location_id}/").content.decode())
        return hourly(start, end)

    asked.answer = look_meanwhile
    client.get(f"/locations/{tariff.location_id}/")
    assert len(asked) == 2
    assert "12.00p" in pages[0]


def test_a_pending_tariff_is_asked_for_ever_less_often_and_at_last_every_15_minutes(noon, tariff, asked, monkeypatch):
    monkeypatch.setattr("tariffs.rates.refresh.complete", lambda tariff: None)
    asked.answer = refused("pending_connect")
    moment, times = NOW, []
    while moment < NOW + timedelta(minutes=60):
        at(monkeypatch, moment)
        if refresh(Tariff.objects.select_related("location").get(), moment):
            times.append(int((moment - NOW).total_seconds() // 60))
        moment += timedelta(seconds=20)
    assert times == [0, 1, 3, 7, 15, 30, 45]
    tariff.refresh_from_db()
    assert (tariff.rates, tariff.last_result, tariff.state) == ("pending", "pending_connect", "pending")
    assert tariff.rates_since == NOW


def test_rates_that_arrive_make_a_pending_tariff_a_connected_one(noon, tariff, asked, monkeypatch):
    completed = []
    monkeypatch.setattr("tariffs.rates.refresh.complete", completed.append)
    asked.answer = refused("pending_connect")
    refresh(tariff, NOW)
    asked.answer = hourly
    refresh(tariff, NOW + timedelta(minutes=1))
    tariff.refresh_from_db()
    assert (tariff.state, tariff.rates) == ("connected", "ok")
    assert completed == [tariff]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (refused("no_tariff_connected"), "no_tariff_connected", "This tariff is no longer connected"),
        (refused("no_price_data"), "no_price_data", "There are no prices for this tariff yet"),
        (flatpeak.Unavailable("GET /tariffs/rates: no answer"), "unavailable", "can't get new prices right now"),
    ],
)
def test_what_went_wrong_is_said_and_asked_again_after_a_minute(noon, tariff, asked, client, alice, error, code, words):
    asked.answer = error
    client.force_login(alice)
    assert words in client.get(f"/locations/{tariff.location_id}/").content.decode()
    tariff.refresh_from_db()
    assert (tariff.rates, tariff.last_result) == ("failing", code)
    assert tariff.due_at == NOW + timedelta(minutes=1)
    client.get(f"/locations/{tariff.location_id}/")
    assert len(asked) == 1


@pytest.fixture
def set_zone(noon, tariff, asked, monkeypatch):
    """Set the location's time zone at FlatPeak, and return the calls that ask for it."""
    calls = []

    def set_zone(zone):
        answer = {"timezone": zone, "currency_code": "GBP"}
        monkeypatch.setattr(flatpeak, "location", lambda location_id: calls.append(location_id) or answer)
        monkeypatch.setattr(flatpeak, "location_status", lambda location_id: {"tariff_status": {}})
        return calls

    Location.objects.update(time_zone="")
    return set_zone


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Mars/Olympus", "We don’t know this address’s time zone (Mars/Olympus)."),
        ("Europe", "We don’t know this address’s time zone (Europe)."),
        ("two\nlines", "We don’t know this address’s time zone."),
        ("x" * 300, "We don’t know this address’s time zone."),
        (None, "We don’t know this address’s time zone."),
    ],
)
def test_an_unknown_time_zone_is_said_and_asked_for_again_after_a_quarter_of_an_hour(
    look, set_zone, asked, client, tariff, caplog, zone, words
):
    calls = set_zone(zone)
    page = look()
    assert words in page
    assert "check again every 15 minutes" in page
    assert "in a minute" not in page
    assert "time zone not known" in client.get("/locations/").content.decode()
    kept = Tariff.objects.get()
    assert (kept.rates, kept.last_result, kept.due_at) == ("failing", "unknown_zone", NOW + timedelta(minutes=15))
    assert (len(calls), asked) == (1, [])
    assert "unknown time zone" in caplog.text


def test_a_time_zone_that_is_known_at_last_brings_the_prices(look, set_zone, asked, monkeypatch):
    set_zone("Mars/Olympus")
    look()
    set_zone("Europe/London")
    at(monkeypatch, NOW + timedelta(minutes=15))
    assert "12.00p per kWh" in look()
    assert Location.objects.get().time_zone == "Europe/London"


def test_an_unknown_time_zone_does_not_replace_a_known_one(noon, tariff, asked, set_zone):
    set_zone("Mars/Olympus")
    Location.objects.update(time_zone="Europe/London")
    complete(Tariff.objects.select_related("location").get())
    assert Location.objects.get().time_zone == "Europe/London"


@pytest.mark.parametrize("path", ["day/?date=2026-11-20", "week/?date=2026-11-20", "day/"])
def test_other_days_say_that_the_time_zone_is_not_known(set_zone, tariff, asked, client, alice, path):
    set_zone("Mars/Olympus")
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/{path}").content.decode()
    assert "time zone (Mars/Olympus)" in page
    assert "in a minute" not in page
    assert "FlatPeak has no prices" not in page
    assert asked == []


@pytest.mark.parametrize("query", ["", "?start=2026-11-20"])
def test_a_download_says_that_the_time_zone_is_not_known(set_zone, tariff, client, alice, query):
    set_zone("Mars/Olympus")
    client.force_login(alice)
    for form in ("csv", "json"):
        response = client.get(f"/locations/{tariff.location_id}/rates.{form}{query}")
        assert response.status_code == 503
        assert "time zone, so there are no rates" in response.content.decode()


def test_details_that_fail_again_later_lose_nothing(noon, tariff, asked, monkeypatch):
    def fail(tariff):
        raise flatpeak.Unavailable("GET /locations: no answer")

    monkeypatch.setattr("tariffs.rates.refresh.complete", fail)
    Tariff.objects.update(state="pending")
    refresh(Tariff.objects.select_related("location").get(), NOW)
    assert Tariff.objects.get().state == "connected"


def test_a_disconnected_tariff_is_not_asked_for(noon, tariff, asked):
    Tariff.objects.update(state="disconnected")
    assert not refresh(Tariff.objects.get(), NOW)
    assert asked == []


def test_a_tariff_disconnected_while_flatpeak_answers_stays_disconnected(noon, tariff, asked):
    def disconnect_meanwhile(start, end):
        Tariff.objects.update(state="disconnected")
        return hourly(start, end)

    asked.answer = disconnect_meanwhile
    refresh(tariff, NOW)
    assert Tariff.objects.get().state == "disconnected"


def test_of_two_who_look_at_once_one_asks(noon, tariff, asked):
    first, second = (Tariff.objects.select_related("location").get() for _ in range(2))
    assert refresh(first, NOW)
    assert not refresh(second, NOW)
    assert second.rates == "ok"
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_however_many_threads_look_at_once_one_asks(tariff, asked):
    from django.db import connection

    now = timezone.now()
    gate, results = threading.Barrier(8), []

    def look():
        mine = Tariff.objects.select_related("location").get()
        gate.wait()
        results.append(refresh(mine, now))
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert len(asked) == 1


# --- showing


def test_the_rates_page_shows_price_chart_and_table(noon, tariff, asked, client, alice):
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert '<b class="price">12.00p</b>' in page  # the price of the hour from 12:00
    assert "<svg" in page
    assert page.count("<caption>") == 1  # tomorrow's is on its own tab
    assert 'aria-current="time"' in page
    assert "Mon 23 Nov, every price" in page


def flat(carbon):
    """An answer of half hours with a night and a day price, each with its carbon intensity."""

    def answer(start, end):
        return {
            "data": [
                {
                    "valid_from": (start + timedelta(minutes=30 * n)).isoformat(),
                    "valid_to": (start + timedelta(minutes=30 * (n + 1))).isoformat(),
                    "tariff": {"rate": Decimal("0.095") if n < 30 else Decimal("0.30"), "confidence": 1},
                    "carbon": {"intensity": carbon(n)},
                }
                for n in range(int((end - start).total_seconds() // 1800))
            ]
        }

    return answer


@pytest.mark.parametrize(("carbon", "rows"), [(lambda n: 100, 2), (lambda n: n, 50)])
def test_neighbours_are_one_row_where_price_and_carbon_are_equal_and_one_until_anyhow(
    noon, tariff, asked, client, alice, carbon, rows
):
    asked.answer = flat(carbon)
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert 'Now <b class="price">9.50p</b> per kWh until 15:00.' in page
    page = client.get(f"/locations/{tariff.location_id}/day/").content.decode()
    assert page.count('<th scope="row">') == rows


def test_a_day_that_is_known_to_its_end_does_not_say_until_when(look):
    assert "Known until" not in look()


def test_the_carbon_intensity_has_a_column_where_a_part_of_the_day_has_one(look_at, asked):
    asked.answer = flat(lambda n: 123 if n == 40 else None)
    assert "20:00 20:30 30.00p 123 20:30 00:00 30.00p " in look_at("day")


def test_a_price_that_holds_as_far_as_known_has_no_until_and_one_that_ends_tomorrow_names_the_day(look, asked):
    for changes, words in (
        (NOW - timedelta(days=2), " at all times"),
        (NOW + timedelta(hours=20), " until tomorrow 08:30"),
    ):
        asked.answer = lambda start, end, changes=changes: {
            "data": [
                {"valid_from": a.isoformat(), "valid_to": b.isoformat(), "tariff": {"rate": rate, "confidence": 1}}
                for a, b, rate in ((start, changes, Decimal("0.1")), (max(start, changes), end, Decimal("0.2")))
                if a < b
            ]
        }
        Tariff.objects.update(due_at=NOW)
        assert f"p per kWh{words}." in look()


def test_a_price_that_ends_with_the_known_prices_has_no_until(look, asked):
    night = NOW - timedelta(hours=4)
    asked.answer = lambda start, end: {
        "data": [
            {"valid_from": a.isoformat(), "valid_to": b.isoformat(), "tariff": {"rate": rate, "confidence": 1}}
            for a, b, rate in ((start, night, Decimal("0.1")), (night, end, Decimal("0.2")))
        ]
    }
    assert "Now 20.00p per kWh." in look()


@pytest.mark.parametrize(("left", "stopped"), [(-1, False), (0, True), (1, True), (2, False)])
def test_a_contract_has_stopped_if_it_ends_by_tomorrow_and_has_no_more_prices(noon, tariff, left, stopped):
    tariff.contract_end, tariff.rates = NOW.date() + timedelta(days=left), "ok"
    assert shown.contract_of(tariff, [], NOW) == {"over": left < 0, "stopped": stopped}
    price = rates.Segment(NOW, NOW + timedelta(hours=1), Decimal("0.2"))
    assert shown.contract_of(tariff, [price], NOW)["stopped"] is False


def test_tomorrow_that_is_not_published_is_said(noon, tariff, asked, client, alice):
    asked.answer = lambda start, end: hourly(start, end - timedelta(days=1))
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "Tue 24 Nov: not published yet. We check again tomorrow at 00:00." in page
    assert "<figcaption>Today: " in page  # the chart leaves out the day without rates


def test_where_today_is_not_known_the_chart_is_tomorrows(look, asked, client, tariff):
    asked.answer = lambda start, end: hourly(start + timedelta(days=1), end)
    look()
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "<figcaption>Tomorrow: 0.00p to 23.00p per kWh</figcaption>" in page
    assert re.findall(r'dy="-38">([^<]+)', page) == ["Tue 24 Nov"]
    assert 'class="now"' not in page


@pytest.mark.parametrize(("zone", "hour"), [("Pacific/Auckland", 12), ("Pacific/Honolulu", 3), ("Europe/London", 12)])
def test_today_and_tomorrow_are_shown_where_they_are_not_those_of_utc(
    look, asked, client, tariff, monkeypatch, zone, hour
):
    at(monkeypatch, now := NOW.replace(hour=hour))
    Location.objects.update(time_zone=zone)
    Tariff.objects.update(due_at=now)
    page, hour = look(), now.astimezone(ZoneInfo(zone)).hour
    assert f"Now {hour}.00p per kWh until {hour + 1:02}:00." in page
    assert "Today and tomorrow: 0.00p to 47.00p per kWh" in page
    assert f"{hour}.00p per kWh" in client.get("/locations/").content.decode()


def test_days_are_shown_in_order_in_whatever_order_they_were_stored(look, asked):
    look()  # the browser's first page, which contains its style
    page = look()
    days = list(RateDay.objects.order_by("-day"))
    RateDay.objects.all().delete()
    for day in days:
        day.pk, day._state.adding = None, True
        day.save()
    assert look() == page


def test_a_price_that_ends_at_this_moment_has_one_row(look_at, monkeypatch):
    at(monkeypatch, now := NOW.replace(minute=0))
    Tariff.objects.update(due_at=now)
    assert look_at("day").count(" 11:00 12:00 11.00p ") == 1


def test_a_disconnected_tariff_whose_contract_has_ended_is_connected_again(look):
    Tariff.objects.update(state="disconnected", rates="ok", contract_end="2026-11-01")
    page = look()
    assert "Connect this tariff again" in page
    assert "Connect the new contract" not in page


def test_a_time_without_a_price_is_a_row_of_the_table(look, asked, client, tariff):
    asked.answer = lambda start, end: {
        "data": [each for n, each in enumerate(hourly(start, end)["data"]) if n not in (13, 14, 24)]
    }
    assert "13:00 15:00 not known 15:00 16:00 15.00p 115" in look()
    assert "From To Price per kWh g CO₂ 00:00 01:00 not known 01:00 02:00 25.00p 125" in look(day="tomorrow")


def test_a_price_that_is_not_known_now_is_no_number(noon, tariff, asked, client, alice):
    asked.answer = lambda start, end: hourly(start, end - timedelta(hours=40))
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "We don't know the price right now." in page
    assert 'class="price"' not in page
    assert "price not known" in client.get("/locations/").content.decode()


def test_when_flatpeak_is_down_the_last_known_rates_are_shown_as_such(noon, tariff, asked, client, alice):
    refresh(tariff, NOW)
    Tariff.objects.update(due_at=NOW)
    RateDay.objects.update(fetched_at=NOW - timedelta(hours=2))
    asked.answer = flatpeak.Unavailable("GET /tariffs/rates: no answer")
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "These are the last known prices, from 2 hours ago." in page
    assert "12.00p" in page


def test_prices_are_as_old_as_the_oldest_of_those_shown(noon, tariff, asked, client, alice):
    refresh(tariff, NOW)
    Tariff.objects.update(due_at=NOW)
    RateDay.objects.filter(day="2026-11-23").update(fetched_at=NOW - timedelta(hours=5))
    RateDay.objects.create(tariff=tariff, day="2026-11-22", fetched_at=NOW - timedelta(hours=9))
    asked.answer = flatpeak.Unavailable("GET /tariffs/rates: no answer")
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "These are the last known prices, from 5 hours ago." in page


def test_a_failed_tariff_says_what_to_do(noon, tariff, asked, client, alice):
    Tariff.objects.update(state="failed", due_at=NOW + timedelta(hours=1))
    client.force_login(alice)
    assert "We couldn’t read your provider’s data." in client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert "could not be read" in client.get("/locations/").content.decode()


@pytest.mark.parametrize("read", [{"rates": "pending"}, {"state": "pending"}], ids=["its prices", "the tariff"])
def test_the_list_says_that_it_is_still_read(noon, tariff, client, alice, read):
    Tariff.objects.update(**read, due_at=NOW + timedelta(hours=1))
    client.force_login(alice)
    assert "being read" in client.get("/locations/").content.decode()


def test_a_head_asks_nothing(noon, tariff, asked, client, alice):
    client.force_login(alice)
    assert client.head(f"/locations/{tariff.location_id}/").status_code == 200
    assert client.head("/locations/").status_code == 200
    assert asked == []


def test_my_locations_lists_mine_with_the_price_now(noon, tariff, asked, client, alice, bob):
    client.force_login(alice)
    page = client.get("/locations/").content.decode()
    assert "1 Example Street" in page
    assert "12.00p per kWh" in page
    client.force_login(bob)
    page = client.get("/locations/").content.decode()
    assert "1 Example Street" not in page
    assert "You have no locations yet" in page


@pytest.mark.parametrize("elsewhere", [{"account": "acc_other"}, {"live_mode": True}], ids=str)
def test_a_stored_price_of_another_account_or_mode_is_shown_nowhere(noon, tariff, asked, client, alice, elsewhere):
    client.force_login(alice)
    client.get("/locations/")
    assert b"12.00p" in client.get("/locations/").content
    Location.objects.update(**elsewhere)
    Tariff.objects.update(**elsewhere, due_at=NOW)
    for path in ("", f"{tariff.location_id}/"):
        page = client.get(f"/locations/{path}")
        assert page.status_code == 200
        assert b"12.00p" not in page.content
    rates_page = page.content.decode()
    assert "Manage this tariff" not in rates_page
    assert "Add what I sell" not in rates_page
    assert len(asked) == 1


def test_what_is_paid_and_what_is_sold_are_asked_for_stored_and_shown_apart(noon, tariff, client, alice, monkeypatch):
    Tariff.objects.create(location=tariff.location, direction="EXPORT", due_at=NOW, provider="Buyer")
    calls = []

    def answer(location_id, start, end, direction):
        calls.append(direction)
        entry = {"valid_from": start.isoformat(), "valid_to": end.isoformat()}
        return {"data": [entry | {"tariff": {"rate": Decimal("0.3" if direction == "IMPORT" else "0.05")}}]}

    monkeypatch.setattr(flatpeak, "rates", answer)
    client.force_login(alice)
    path, prices = f"/locations/{tariff.location_id}/", {"IMPORT": "30.00p", "EXPORT": "5.00p"}
    for query in ("", "day/?date=2026-11-20&", "week/?date=2026-11-12&"):
        for direction, other in (("IMPORT", "EXPORT"), ("EXPORT", "IMPORT")):
            page = client.get(f"{path}{query or '?'}direction={direction}").content.decode()
            part = page.split('<div class="tariff">')[1].split("<footer")[0]
            assert prices[direction] in part
            assert prices[other] not in part
            assert f"direction={direction}" in part
            assert f"direction={other}" not in part
            assert 'aria-current="true">' + ("What you pay" if direction == "IMPORT" else "What you are paid") in page
        assert sorted(calls) == ["EXPORT", "IMPORT"]
        calls.clear()
    for direction, cost in (("IMPORT", "0.3"), ("EXPORT", "0.05")):
        taken = client.get(f"{path}rates.json", {"direction": direction}).json()
        assert (taken["direction"], {row["rate"] for row in taken["rates"]}) == (direction, {cost})
    listed = re.sub(r"<[^>]+>|\s+", " ", client.get("/locations/").content.decode())
    assert re.search(r"30\.00p per kWh \S.*, buy.* 5\.00p per kWh Buyer.*, sell", re.sub(" +", " ", listed))


def test_what_is_bought_comes_first_and_a_change_of_the_direction_keeps_the_day(noon, tariff, asked, client, alice):
    sold = Tariff.objects.create(location=tariff.location, direction="EXPORT", due_at=NOW)
    Tariff.objects.filter(pk=tariff.pk).delete()
    Tariff.objects.create(location=sold.location, direction="IMPORT", due_at=NOW)  # stored after what is sold
    client.force_login(alice)
    for address, kept in (
        ("", ""),
        ("?day=tomorrow", "&day=tomorrow"),
        ("day/?date=2026-11-20", "&date=2026-11-20"),
        ("week/?date=2026-11-12", "&date=2026-11-09"),
        ("month/?date=2026-10-12", "&date=2026-10-01"),
    ):
        page = client.get(f"/locations/{tariff.location_id}/{address}").content.decode()
        tabs = page.split('aria-label="Direction">')[1].split("</nav>")[0]
        links = [unescape(link) for link in re.findall('href="([^"]+)"', tabs)]
        assert links == [f"?direction=IMPORT{kept}", f"?direction=EXPORT{kept}"]


@pytest.mark.parametrize(("connected", "missing"), [("IMPORT", "EXPORT"), ("EXPORT", "IMPORT")])
def test_the_direction_that_is_missing_can_be_added(noon, tariff, asked, client, alice, connected, missing):
    Tariff.objects.update(direction=connected)
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/").content.decode()
    [form] = [
        form for form in page.split("<form")[1:] if f"Add what I {'sell' if missing == 'EXPORT' else 'buy'}" in form
    ]
    assert re.findall(r'name="(location|direction)" value="([^"]+)"', form) == [
        ("location", str(tariff.location_id)),
        ("direction", missing),
    ]


def test_somebody_elses_location_is_a_404_and_staff_may_look(
    noon, tariff, asked, client, bob, charlie, django_user_model
):
    address = f"/locations/{tariff.location_id}/"
    assert client.get(address)["Location"].startswith("/account/login/")
    client.force_login(bob)
    assert client.get(address).status_code == 404
    client.force_login(charlie)
    page = client.get(address).content.decode()
    assert "1 Example Street" in page
    assert "Manage this tariff" not in page
    django_user_model.objects.update(is_superuser=False)
    assert client.get(address).status_code == 404


def add_locations(alice, count):
    customer = Customer.objects.get(user=alice)
    for n in range(count):
        location = Location.objects.create(
            customer=customer, location_id=f"loc_more{n}", time_zone="Europe/London", currency_code="GBP"
        )
        tariff = Tariff.objects.create(
            location=location, direction="IMPORT", due_at=timezone.now() + timedelta(days=1), provider=f"P{n}"
        )
        RateDay.objects.create(tariff=tariff, day=timezone.now().date(), segments=[], fetched_at=timezone.now())


def test_my_locations_costs_the_same_queries_for_one_and_for_thirty(tariff, client, alice, django_assert_num_queries):
    Tariff.objects.update(due_at=timezone.now() + timedelta(days=1))
    client.force_login(alice)
    with django_assert_num_queries(5):
        client.get("/locations/")
    add_locations(alice, 30)
    with django_assert_num_queries(5):
        client.get("/locations/")
    with django_assert_num_queries(4):
        client.get(f"/locations/{tariff.location_id}/")


def test_my_locations_are_in_the_order_of_their_beginning_with_what_is_bought_first(tariff, client, alice):
    add_locations(alice, 2)
    Tariff.objects.create(location=tariff.location, direction="EXPORT", provider="Sold", due_at=tariff.due_at)
    Tariff.objects.update(due_at=timezone.now() + timedelta(days=1))
    client.force_login(alice)
    page = client.get("/locations/").content.decode()
    names = re.findall(r'<span class="tariff-name">(\w+)', page)
    assert names == ["Example", "Sold", "P0", "P1"]
    assert page.count('<li class="location">') == 3


def test_the_rates_page_costs_five_queries_at_most_however_many_segments(
    noon, tariff, asked, client, alice, django_assert_max_num_queries
):
    step = timedelta(days=2) / 2016
    asked.answer = lambda start, end: prices(*[str(n % 71) for n in range(2016)], each=step, first=start)(start, end)
    sells = Tariff.objects.create(location=tariff.location, direction="EXPORT", due_at=NOW)
    for each in (tariff, sells):
        refresh(each, NOW)
    client.force_login(alice)
    with django_assert_max_num_queries(5):
        assert client.get(f"/locations/{tariff.location_id}/").content.count(b'class="bar ') >= 1008


def test_one_view_of_my_locations_asks_for_a_few_tariffs_at_most(noon, tariff, asked, client, alice):
    add_locations(alice, 10)
    Tariff.objects.update(due_at=NOW)
    client.force_login(alice)
    client.get("/locations/")
    assert len(asked) == 3


def test_tariffs_that_are_not_read_keep_no_other_of_my_locations_from_being_asked_for(
    noon, tariff, asked, client, alice
):
    add_locations(alice, 6)
    Tariff.objects.filter(provider__in=["P0", "P1", "P2"]).update(state="disconnected", due_at=NOW - timedelta(days=1))
    Tariff.objects.filter(provider__in=["P3", "P4", "P5"]).update(due_at=NOW + timedelta(minutes=1))
    client.force_login(alice)
    client.get("/locations/")
    assert [location for location, *_ in asked] == ["loc_1"]


def test_tariffs_that_fail_keep_no_other_of_my_locations_from_being_asked_for(
    noon, tariff, asked, client, alice, monkeypatch
):
    add_locations(alice, 6)
    Tariff.objects.update(due_at=NOW)
    asked.answer = flatpeak.Unavailable("GET /tariffs/rates: no answer")
    client.force_login(alice)
    for minutes in range(3):
        at(monkeypatch, NOW + timedelta(minutes=minutes))
        client.get("/locations/")
    assert {location for location, *_ in asked} == {"loc_1", *(f"loc_more{n}" for n in range(6))}


def test_a_hostile_name_is_shown_as_text(noon, tariff, asked, client, alice):
    Tariff.objects.update(name="<script>alert(1)</script>", provider="<b>")
    Location.objects.update(address_line1="<img src=x onerror=alert(1)>")
    client.force_login(alice)
    for address in ("/locations/", f"/locations/{tariff.location_id}/"):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


# --- the cheapest time


def prices(*cents, each=timedelta(hours=1), first=None):
    """An answer of hourly rates in pence, from the current hour on."""

    def answer(start, end):
        begin = first or NOW.replace(minute=0)
        edges = [begin + n * each for n in range(len(cents) + 1)]
        return {
            "next_update": "2026-11-23T16:00:00Z",
            "data": [
                {
                    "valid_from": edges[n].isoformat(),
                    "valid_to": edges[n + 1].isoformat(),
                    "tariff": {"rate": Decimal(cent) / 100, "confidence": 1},
                }
                for n, cent in enumerate(cents)
            ],
        }

    return answer


def test_the_cheapest_three_hours_are_said_with_what_they_save(look, asked):
    asked.answer = prices("24.5", "30", "30", "5", "5.5", "6", "30", "30")
    page = look()
    assert "Cheapest 3 hours: today 15:00 to 18:00, 5.50p on average, 19.00p less than now." in page


def test_a_window_over_midnight_names_both_days(look, asked):
    asked.answer = prices(*["20"] * 11, "5", "5", "5", *["20"] * 5)
    assert "Cheapest 3 hours: today 23:00 to tomorrow 02:00" in look()


@pytest.mark.parametrize(
    ("direction", "cents", "words"),
    [
        (
            "IMPORT",
            ["30", *["9.5"] * 6, "30"],
            "Cheapest 3 hours: any time from today 13:00 to 19:00, 9.50p on average",
        ),
        ("EXPORT", ["9", *["30"] * 6, "9"], "Best 3 hours: any time from today 13:00 to 19:00, 30.00p on average"),
        ("IMPORT", [*["9.5"] * 6, "30"], "Cheapest 3 hours: any time from today 12:30 to 18:00, 9.50p on average."),
        ("IMPORT", ["30", *["9.5"] * 3, "30"], "Cheapest 3 hours: today 13:00 to 16:00, 9.50p"),
        ("IMPORT", [*["30"] * 11, *["9.5"] * 8, "30"], "any time from today 23:00 to tomorrow 07:00, 9.50p"),
        ("IMPORT", [*["30"] * 8, *["9.5"] * 4, "30"], "any time from today 20:00 to midnight, 9.50p"),
    ],
)
def test_where_the_price_stays_the_same_for_longer_any_time_of_it_will_do(look, asked, direction, cents, words):
    Tariff.objects.update(direction=direction)
    asked.answer = prices(*cents)
    assert words in look()


def test_a_tariff_of_two_prices_says_the_whole_night(look, asked, monkeypatch, tariff):
    """It is 01:33, and the price stays the same until 07:00."""
    now = NOW.replace(hour=1, minute=33)
    at(monkeypatch, now)
    Tariff.objects.update(due_at=now)
    asked.answer = by_clock((0, 7, "9.5"), (7, 23, "30"), (23, 24, "9.5"))
    page = look()
    assert (
        "Now 9.50p per kWh until 07:00. ▼ low Then 30.00p. "
        "Cheapest 3 hours: any time from today 01:33 to 07:00, 9.50p on average." in page
    )


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2026-10-24T20:00Z", "any time from today 23:00 to tomorrow 07:00"),  # nine hours, since the clock goes back
        ("2026-03-28T21:00Z", "any time from today 23:00 to tomorrow 07:00"),  # seven hours, since it goes forward
        ("2026-10-25T00:30Z", "any time from today 01:30 BST to 07:00"),
        ("2026-10-25T01:30Z", "any time from today 01:30 GMT to 07:00"),
    ],
)
def test_such_a_night_may_be_the_one_of_a_clock_change(look, asked, monkeypatch, now, words):
    moment = datetime.fromisoformat(now)
    at(monkeypatch, moment)
    Tariff.objects.update(due_at=moment)

    def answer(start, end):
        zone, edges = ZoneInfo("Europe/London"), [start]
        for day in (moment.astimezone(zone).date() + timedelta(days=n) for n in (-1, 0, 1, 2)):
            edges += [datetime.combine(day, datetime.min.time().replace(hour=h), zone).astimezone(UTC) for h in (7, 23)]
        edges = sorted({edge for edge in edges if start <= edge < end} | {start, end})
        return {
            "data": [
                {
                    "valid_from": a.isoformat(),
                    "valid_to": b.isoformat(),
                    "tariff": {"rate": Decimal("0.3" if 7 <= a.astimezone(zone).hour < 23 else "0.1")},
                }
                for a, b in pairwise(edges)
            ]
        }

    asked.answer = answer
    assert words in look()


@pytest.mark.parametrize(
    ("direction", "cents", "words"),
    [
        ("IMPORT", ["29.284", *["19.816"] * 3], "19.82p on average, 9.46p less than now."),
        ("EXPORT", ["19.816", *["29.284"] * 3], "29.28p on average, 9.46p more than now."),
        ("IMPORT", ["19.824", *["19.816"] * 3], "19.82p on average."),
    ],
)
def test_the_difference_is_that_of_the_prices_that_are_shown(look, asked, direction, cents, words):
    Tariff.objects.update(direction=direction)
    asked.answer = prices(*cents)
    assert words in look()


@pytest.mark.parametrize(
    ("direction", "cents", "words"),
    [
        ("EXPORT", ["30", *["18"] * 3], "Best 3 hours: today 12:30 to 15:30, 20.00p on average, 10.00p less than now."),
        ("IMPORT", ["10", *["34"] * 3], "30.00p on average, 20.00p more than now."),
        ("EXPORT", ["3", *["-9"] * 3], "you pay 7.00p on average, 10.00p worse than now."),
        ("IMPORT", ["-9", *["-3"] * 3], "you are paid 4.00p on average, 5.00p worse than now."),
        ("IMPORT", [*["20"] * 4, "40"], "20.00p on average."),
    ],
)
def test_a_time_that_is_worse_than_now_says_so(look, asked, direction, cents, words):
    Tariff.objects.update(direction=direction)
    asked.answer = prices(*cents)
    assert words in look()


@pytest.mark.parametrize(
    ("direction", "cent", "words"),
    [
        ("IMPORT", "-3.19", "you are paid 3.19p"),
        ("IMPORT", "0", "free"),
        ("EXPORT", "-3.19", "you pay 3.19p"),
        ("EXPORT", "0", "nothing is paid"),
        ("IMPORT", "3.19", "3.19p"),
    ],
)
def test_a_price_below_zero_is_said_in_words_wherever_it_stands_alone(
    look, asked, client, alice, monkeypatch, direction, cent, words
):
    Tariff.objects.update(direction=direction)
    asked.answer = prices("10", cent, "10", "20", "30")
    assert f" Then {words}. " in look()
    at(monkeypatch, NOW + timedelta(minutes=30))
    per = " per kWh" if "3.19" in words else ""
    assert f'<span class="tariff-price">{words}{per} <' in client.get("/locations/").content.decode()


@pytest.mark.parametrize(
    ("direction", "cents", "words"),
    [
        ("IMPORT", ["-5", *["-7"] * 3], "you are paid 7.00p on average, 2.00p better than now."),
        ("IMPORT", ["5", *["-7"] * 3], "you are paid 7.00p on average, 12.00p better than now."),
        ("IMPORT", ["5", *["2"] * 3], "2.00p on average, 3.00p less than now."),
        ("EXPORT", ["-5", *["-3"] * 3], "you pay 3.00p on average, 2.00p better than now."),
        ("EXPORT", ["-5", *["2"] * 3], "2.00p on average, 7.00p more than now."),
    ],
)
def test_what_is_saved_is_said_so_that_it_is_true_below_zero_too(look, asked, direction, cents, words):
    Tariff.objects.update(direction=direction)
    asked.answer = prices(*cents)
    assert words in look()


def test_what_is_sold_looks_for_the_dearest(look, asked):
    Tariff.objects.update(direction="EXPORT")
    asked.answer = prices("10", "5", "15", "15", "15", "5")
    assert "Best 3 hours: today 14:00 to 17:00, 15.00p on average, 5.00p more than now." in look(direction="EXPORT")


def test_a_direction_that_is_not_there_shows_the_one_that_is(look, asked):
    asked.answer = prices("10", "20", "30", "40")
    for direction in ("EXPORT", "SIDEWAYS", ""):
        assert "Cheapest 3 hours" in look(direction=direction)


# --- in words


def test_what_comes_next_and_where_the_price_stands_are_said(look, asked):
    asked.answer = prices("10", "30", "20")
    page = look()
    assert "Now 10.00p per kWh until 13:00. ▼ low Then 30.00p. " in page
    for cents, word in ((("30", "10", "20"), "high"), (("20", "10", "30"), "usual")):
        asked.answer = prices(*cents)
        Tariff.objects.update(due_at=NOW)
        assert re.search(rf"[▲●] {word}\b", look().split("Now ", 1)[1][:80])


@pytest.mark.parametrize(
    ("direction", "cents", "words"),
    [
        ("IMPORT", "-3.19", "Now you are paid 3.19p per kWh until 13:00."),
        ("IMPORT", "0", "Now free until 13:00."),
        ("IMPORT", "-0.004", "Now free until 13:00."),
        ("EXPORT", "-3.19", "Now you pay 3.19p per kWh until 13:00."),
        ("EXPORT", "0", "Now nothing is paid until 13:00."),
    ],
)
def test_free_and_negative_prices_are_said_as_such(look, asked, direction, cents, words):
    Tariff.objects.update(direction=direction)
    asked.answer = prices(cents, "10", "20", "30", "40", "50")
    assert words in look()


def by_clock(*periods):
    """An answer of prices by UTC hour, the same on both days."""

    def answer(start, end):
        edges = []
        day = start
        while day < end:
            edges += [(day + timedelta(hours=a), day + timedelta(hours=b), cent) for a, b, cent in periods]
            day += timedelta(days=1)
        return {
            "data": [
                {
                    "valid_from": a.isoformat(),
                    "valid_to": b.isoformat(),
                    "tariff": {"rate": Decimal(cent) / 100, "confidence": 1},
                }
                for a, b, cent in edges
            ]
        }

    return answer


def test_one_price_is_one_line_without_chart(look, asked, client, tariff):
    asked.answer = by_clock((0, 24, "28.15"))
    page = look()
    assert "28.15p per kWh at all times. A usual year of 2,700 kWh costs about £760." in page
    assert "Now" not in page
    assert "<svg viewBox" not in client.get(f"/locations/{tariff.location_id}/").content.decode()
    asked.answer = lambda start, end: by_clock((0, 24, "28.15"))(start, end - timedelta(days=1))
    Tariff.objects.update(due_at=NOW)
    assert "28.15p per kWh at all times." in look()
    Tariff.objects.update(direction="EXPORT")
    page = look()
    assert "28.15p per kWh at all times." in page
    assert "usual year" not in page


def test_the_chart_ends_at_midnight_if_tomorrow_is_not_known(look, asked, client, tariff):
    for days, names in ((2, ["Mon 23 Nov", "Tue 24 Nov"]), (1, ["Mon 23 Nov"])):
        asked.answer = lambda start, end, days=days: hourly(start, start + timedelta(days=days))
        Tariff.objects.update(due_at=NOW)
        look()
        html = client.get(f"/locations/{tariff.location_id}/").content.decode()
        assert re.findall(r'dy="-38">([^<]+)<', html) == names
        assert html.count('<line class="day"') == days


def test_two_or_three_periods_are_a_line_each_and_a_night_is_one(look, asked, client, tariff):
    asked.answer = by_clock((0, 7, "9.5"), (7, 16, "30"), (16, 23, "40"), (23, 24, "9.5"))
    page = look()
    for line in ("07:00 to 16:00: 30.00p per kWh", "16:00 to 23:00: 40.00p per kWh", "23:00 to 07:00: 9.50p per kWh"):
        assert line in page
    asked.answer = by_clock((0, 6, "1"), (6, 12, "2"), (12, 18, "3"), (18, 24, "4"))
    Tariff.objects.update(due_at=NOW)
    look()
    assert 'class="periods"' not in client.get(f"/locations/{tariff.location_id}/").content.decode()


def test_a_day_that_is_known_in_part_says_until_when(look, asked):
    asked.answer = prices(*[str(n) for n in range(35)])
    assert "Known until 23:00." in look(day="tomorrow")


def test_prices_shorter_than_an_hour_are_folded_to_hours_and_lead_to_every_price(look, client, asked, tariff):
    asked.answer = half_hours
    page = look()
    assert "Mon 23 Nov, by the hour" in page
    assert "Average by the hour From To Price per kWh 00:00 01:00 0.50p 01:00 02:00 2.50p" in page
    html = client.get(f"/locations/{tariff.location_id}/").content.decode()
    tomorrow = client.get(f"/locations/{tariff.location_id}/", {"day": "tomorrow"}).content.decode()
    for page, day in ((html, "Monday 23"), (tomorrow, "Tuesday 24")):
        [path] = re.findall('href="([^"]*)#every">Every price', page)
        html = client.get(unescape(path)).content.decode()
        assert "by the hour</summary>" in html
        every = " ".join(re.sub(r"<[^>]+>", " ", html.split('id="every">')[1]).split())
        assert every.startswith(f"{day} November 2026 From To Price per kWh 00:00 00:30 ")


def test_the_tab_of_tomorrow_shows_tomorrow_alone(look, client, asked, tariff):
    page = look(day="tomorrow")
    assert "Now 12.00p" in page
    assert "Tomorrow: 24.00p to 47.00p per kWh" in page
    assert "Mon 23 Nov, every price" not in page
    asked.answer = lambda start, end: hourly(start, end - timedelta(days=1))
    Tariff.objects.update(due_at=NOW)
    page = look(day="tomorrow")
    assert "Tue 24 Nov: not published yet." in page
    assert "Mon 23 Nov, every price" not in page
    html = client.get(f"/locations/{tariff.location_id}/", {"day": "tomorrow"}).content.decode()
    assert 'aria-current="page">Tomorrow</a>' in html
    assert "<svg viewBox" not in html


@pytest.mark.parametrize(("cheap", "named"), [("IMPORT", "cheapest"), ("EXPORT", "best")])
def test_the_best_time_is_shaded_and_named_in_the_chart(look, client, tariff, asked, cheap, named):
    Tariff.objects.update(direction=cheap)
    look()
    html = client.get(f"/locations/{tariff.location_id}/").content.decode()
    assert html.count('class="named"') == 1
    assert f'text-anchor="middle">{named}</text>' in html


# --- the two days when the clocks change


def test_the_repeated_hour_comes_twice_with_the_zones_name(look, asked, monkeypatch, client, tariff):
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    at(monkeypatch, now)
    Tariff.objects.update(due_at=now)

    def half_hours(start, end):
        assert end - start == timedelta(hours=49)
        return prices(*[str(n) for n in range(98)], each=timedelta(minutes=30), first=start)(start, end)

    asked.answer = half_hours
    page = look(day="tomorrow")
    assert "The clocks go back on this day: the time from 01:00 on comes twice." in page
    html = client.get(f"/locations/{tariff.location_id}/day/", {"date": "2026-10-25"}).content.decode()
    names = re.findall(r'<th scope="row">(0[12]:[03]0[^<]*)</th>', html.split("<caption>Sunday 25 October 2026", 1)[1])
    assert names == ["01:00 BST", "01:30 BST", "01:00 GMT", "01:30 GMT", "02:00", "02:30"]
    assert html.count('<th scope="row">') == 25 + 50  # the hours, and every price


def test_the_short_day_says_that_an_hour_is_skipped(look, asked, monkeypatch):
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    at(monkeypatch, now)
    Tariff.objects.update(due_at=now)
    asked.answer = lambda start, end: prices(*[str(n) for n in range(47)], first=start)(start, end)
    assert "The clocks go forward on this day, to 02:00." in look(day="tomorrow")


def half_hours(start, end, zone=None, order=lambda entries: entries):
    """Half hours priced by their number; their times use the given UTC offsets in turn."""
    count, zones = int((end - start) / timedelta(minutes=30)), zone or [UTC]
    edges = [start + timedelta(minutes=30 * n) for n in range(count + 1)]
    entries = [
        {
            "valid_from": edges[n].astimezone(zones[n % len(zones)]).isoformat(),
            "valid_to": edges[n + 1].astimezone(zones[(n + 1) % len(zones)]).isoformat(),
            "tariff": {"rate": Decimal(n % 50) / 100, "confidence": 1},
        }
        for n in range(count)
    ]
    return {"next_update": "2100-01-01T00:00:00Z", "data": order(entries)}


JUNK = [
    {"valid_from": "2026-11-23T10:00:00Z", "valid_to": "2026-11-23T10:00:00Z", "tariff": {"rate": 9}},
    {"valid_from": "2026-11-23T11:00:00Z", "valid_to": "2026-11-23T10:00:00Z", "tariff": {"rate": 9}},
    {"valid_from": "2026-11-23T10:00:00Z", "valid_to": "2026-11-23T12:00:00Z", "tariff": {"rate": Decimal("NaN")}},
    {"valid_from": "2026-11-23T10:00:00Z", "valid_to": "2026-11-23T12:00:00Z", "tariff": {"rate": None}},
    {"valid_from": "then", "valid_to": "2026-11-23T12:00:00Z", "tariff": {"rate": 9}},
    None,
]


@pytest.mark.parametrize(
    ("zones", "order"),
    [
        ([timezone_of(5.75)], None),
        ([UTC, timezone_of(-3.5), timezone_of(13)], None),
        ([UTC], lambda entries: entries[::-1]),
        ([timezone_of(1)], lambda entries: [*entries[10:], *JUNK, *entries[:20], *entries[5:7]]),
    ],
    ids=["another offset", "mixed offsets", "backwards", "with duplicates and junk"],
)
@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kathmandu", "America/Santiago"])
def test_the_same_series_is_the_same_page_however_it_is_written(view, asked, zone, zones, order):
    def shown():
        Tariff.objects.update(due_at=NOW)
        caches["html"].clear()
        return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", view())

    view()  # the browser's first page, which contains its style
    Location.objects.update(time_zone=zone)
    asked.answer = half_hours
    plain = shown()
    asked.answer = lambda start, end: half_hours(start, end, zones, order or (lambda entries: entries))
    assert shown() == plain
    assert "<svg" in plain


@pytest.mark.parametrize(
    ("zone", "day", "rows", "first", "last"),
    [
        ("Europe/London", "2026-10-25", 50, "00:00", "23:30"),
        ("Europe/London", "2026-03-29", 46, "00:00", "23:30"),
        ("Australia/Lord_Howe", "2026-04-05", 49, "00:00", "23:30"),
        ("America/Santiago", "2026-09-06", 46, "01:00", "23:30"),
        ("America/Santiago", "2026-04-04", 50, "00:00", "23:30 -04"),
        ("America/New_York", "2026-11-01", 50, "00:00", "23:30"),
        ("Asia/Kathmandu", "2026-11-01", 48, "00:00", "23:30"),
    ],
)
def test_a_day_is_from_local_midnight_to_local_midnight(
    noon, tariff, asked, client, alice, monkeypatch, zone, day, rows, first, last
):
    at(monkeypatch, datetime(2026, 11, 23, tzinfo=UTC))
    Location.objects.update(time_zone=zone)
    asked.answer = half_hours
    client.force_login(alice)
    page = client.get(f"/locations/{tariff.location_id}/day/", {"date": day}).content.decode()
    begins = re.findall(r'<th scope="row">([^<]+)</th>', page.split("Every price", 1)[1])
    assert (len(begins), begins[0], begins[-1]) == (rows, first, last)
    assert len(set(begins)) == rows
    assert page.count('class="bar ') == rows


# --- other days


@pytest.fixture
def look_at(noon, tariff, asked, client, alice):
    def look_at(kind, status=200, **query):
        client.force_login(alice)
        response = client.get(f"/locations/{tariff.location_id}/{kind}/", query)
        assert response.status_code == status
        return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()).replace(" .", ".")

    return look_at


@pytest.mark.parametrize(
    ("date", "others"),
    [
        ("2026-11-23", ["2026-11-22", "2026-11-24"]),
        ("2025-11-22", ["2025-11-22", "2025-11-23"]),  # the first that may be asked for
        ("2026-12-07", ["2026-12-06", "2026-12-07"]),  # the last
    ],
)
def test_no_link_leads_to_a_day_that_is_refused(look_at, client, tariff, date, others):
    look_at("day", date=date)
    page = client.get(f"/locations/{tariff.location_id}/day/", {"date": date}).content.decode()
    assert re.findall(r'href="\?direction=IMPORT&amp;date=([\d-]+)"', page) == others


def test_what_is_bought_and_what_is_sold_keep_their_own_prices_on_other_days(look_at, tariff):
    sold = Tariff.objects.create(location=tariff.location, direction="EXPORT", provider="Sold", name="")
    start, end = rates.day_span(datetime(2026, 11, 20).date(), ZoneInfo("Europe/London"))
    for of, rate in ((tariff, "0.31"), (sold, "0.07")):
        segments = rates.dump([rates.Segment(start, end, Decimal(rate))])
        RateDay.objects.create(tariff=of, day="2026-11-20", segments=segments, fetched_at=NOW)
    buying, selling = (look_at("day", date="2026-11-20", direction=each) for each in ("IMPORT", "EXPORT"))
    assert ("31.00p" in buying, "7.00p" in buying) == (True, False)
    assert ("31.00p" in selling, "7.00p" in selling) == (False, True)


def test_a_past_day_is_asked_for_once_and_kept(look_at, asked):
    for _ in range(2):
        page = look_at("day", date="2026-11-20")
        assert "Friday 20 November 2026" in page
        assert "23.00p" in page
    assert [(start.isoformat(), end - start) for _, start, end, _ in asked] == [
        ("2026-11-20T00:00:00+00:00", timedelta(days=1))
    ]


def test_a_past_day_without_prices_is_not_asked_for_again(look_at, asked, empty_cache):
    asked.answer = lambda start, end: {"data": []}
    for _ in range(2):
        assert "There are no prices for this day." in look_at("day", date="2026-11-20")
        cache.clear()
    assert len(asked) == 1


@pytest.mark.parametrize("dropped", [1, 24])
def test_a_past_day_of_which_a_price_could_not_be_read_is_asked_for_again_for_a_week(
    look_at, asked, monkeypatch, dropped
):
    Tariff.objects.update(due_at=NOW + timedelta(days=30), rates="ok")
    asked.answer = lambda start, end: {"data": [None] * dropped + hourly(start, end)["data"][dropped:]}
    assert hours_until_final(look_at, asked, monkeypatch)[:5] == [0, 0.25, 0.5, 1, 2]
    assert len(asked) == 15
    asked.answer = hourly
    RateDay.objects.update(ask_at=NOW)
    assert "0.00p" in look_at("day", date="2026-11-20")
    assert RateDay.objects.get().ask_at is None


def test_a_day_to_come_without_prices_is_asked_for_again_later(look_at, asked, monkeypatch):
    asked.answer = lambda start, end: {"data": []}
    for minutes, calls in ((0, 1), (14, 1), (15, 2)):
        at(monkeypatch, NOW + timedelta(minutes=minutes))
        look_at("day", date="2026-11-26")
        assert len(asked) == calls


def hours_until_final(look_at, asked, monkeypatch, date="2026-11-20"):
    """The hours after now at which FlatPeak is asked for a day that is opened every two hours or more often."""
    hours = []
    for hour in [quarter / 4 for quarter in range(3 * 4)] + list(range(4, 10 * 24, 2)):
        at(monkeypatch, NOW + timedelta(hours=hour))
        before = len(asked)
        look_at("day", date=date)
        hours += [hour] * (len(asked) - before)
    return hours


def test_a_past_day_that_is_an_estimate_is_asked_for_ever_less_often_for_seven_days(look_at, asked, monkeypatch):
    Tariff.objects.update(due_at=NOW + timedelta(days=30), rates="ok")
    asked.answer = lambda start, end: hourly(start, end, confidence=0)
    hours = hours_until_final(look_at, asked, monkeypatch)
    assert hours == [0, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 56, 80, 104, 128, 152, 176]
    assert "estimate" in look_at("day", date="2026-11-20")


def test_an_estimate_of_a_past_day_gives_way_to_the_price_within_minutes(look_at, asked, monkeypatch):
    asked.answer = lambda start, end: hourly(start, end, confidence="0.5")
    assert "estimate" in look_at("week", date="2026-11-16")
    asked.answer = hourly
    at(monkeypatch, NOW + timedelta(seconds=59))
    look_at("week", date="2026-11-16")
    assert len(asked) == 1
    for minutes in (1, 2, 60 * 24):
        at(monkeypatch, NOW + timedelta(minutes=minutes))
        assert "estimate" not in look_at("week", date="2026-11-16")
    assert len(asked) == 2


def test_one_segment_that_is_an_estimate_keeps_a_day_from_being_final(look_at, asked, monkeypatch):
    asked.answer = lambda start, end: {
        "data": hourly(start, end)["data"][:23] + hourly(start, end, confidence="0.9")["data"][23:]
    }
    look_at("day", date="2026-11-20")
    at(monkeypatch, NOW + timedelta(minutes=1))
    look_at("day", date="2026-11-20")
    assert len(asked) == 2


def test_a_day_that_was_an_estimate_ahead_is_asked_for_again_when_it_is_over(look_at, asked, monkeypatch):
    Tariff.objects.update(due_at=NOW + timedelta(days=30), rates="ok")
    asked.answer = lambda start, end: hourly(start, end, confidence="0.5")
    look_at("day", date="2026-11-26")
    asked.answer = hourly
    at(monkeypatch, NOW + timedelta(days=9))
    assert "estimate" not in look_at("day", date="2026-11-26")
    assert len(asked) == 2


def test_a_day_that_had_a_gap_while_it_lasted_is_asked_for_again_when_it_is_over(look_at, asked, monkeypatch):
    asked.answer = lambda start, end: hourly(start, NOW.replace(hour=20, minute=0))
    assert "23.00p" not in look_at("day", date="2026-11-23")
    asked.answer = hourly
    at(monkeypatch, NOW + timedelta(days=3))
    assert "23.00p" in look_at("day", date="2026-11-23")
    assert len(asked) == 2
    at(monkeypatch, NOW + timedelta(days=4))
    look_at("day", date="2026-11-23")
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("hours", "date", "words"),
    [
        (0, "2026-11-24", "Not published yet. We check again today at 16:00."),
        (12, "2026-11-25", "Not published yet. We check again today at 00:45."),  # it was never asked for
        (0, "2026-11-26", "There are no prices for this day."),
    ],
)
def test_tomorrow_is_not_published_yet_rather_than_without_prices(look_at, asked, monkeypatch, hours, date, words):
    next_update = NOW + timedelta(hours=hours + (0.25 if hours else 3.5))
    asked.answer = lambda start, end: (
        {"data": []}
        if start.day == 26
        else hourly(start, NOW.replace(hour=0) + timedelta(days=1), next_update=next_update.isoformat())
    )
    look_at("day", date="2026-11-23")
    at(monkeypatch, NOW + timedelta(hours=hours))
    page = look_at("day", date=date)
    assert words in page
    assert ("has no prices" in page) is ("has no prices" in words)
    assert len(asked) == (2 if date == "2026-11-26" else 1)


def test_a_week_is_shown_by_day_and_asks_in_one_call(look_at, asked):
    page = look_at("week", date="2026-11-19")
    assert "The week from Monday 16 November 2026" in page
    assert re.search(r"Tue 17 Nov (\d+\.50)p (\d+\.00)p (\d+\.00)p", page)
    assert len(asked) == 1
    assert asked[0][2] - asked[0][1] == timedelta(days=14)  # with the week before


def test_a_week_and_a_month_are_compared_with_the_one_before(look_at, asked):
    """Each hour costs as many pence as the day of the month, and has as many grams."""

    def answer(start, end):
        answered = hourly(start, end)
        for entry in answered["data"]:
            day = datetime.fromisoformat(entry["valid_from"]).astimezone(ZoneInfo("Europe/London")).day
            entry |= {"tariff": {"rate": Decimal(day) / 100, "confidence": 1}, "carbon": {"intensity": 100 + day}}
        return answered

    asked.answer = answer
    page = look_at("week", date="2026-11-18")
    assert "19.00p per kWh on average, 7.00p more than the week before. 119 g CO₂ per kWh, 7 g more." in page
    assert "Mon 16 Nov 16.00p 16.00p 16.00p 116" in page
    page = look_at("month", date="2026-10-18")
    assert "October 2026" in page
    assert "16.01p per kWh on average, 0.51p more than the month before. 116 g CO₂ per kWh." in page
    assert "Sat 31 Oct 31.00p" in page
    page = look_at("week", date="2026-11-02")  # after the one from 26 October to 1 November
    assert "5.00p per kWh on average, 19.57p less than the week before. 105 g CO₂ per kWh, 20 g less." in page
    asked.clear()
    look_at("month", date="2026-11-18")
    assert max(end for _, _, end, _ in asked) == datetime(2026, 11, 25, tzinfo=UTC)  # not beyond tomorrow


def test_without_the_week_before_a_week_is_compared_with_nothing(look_at, asked):
    asked.answer = lambda start, end: by_clock((0, 24, "10"))(start + timedelta(days=7), end)
    assert "10.00p per kWh on average. " in look_at("week", date="2026-11-19")


def test_a_day_has_the_carbon_of_its_known_prices(look_at, asked):
    asked.answer = lambda start, end: flat(lambda n: 100 if n < 24 else None)(start, end)
    assert "Thu 5 Nov 100" not in look_at("week", date="2026-11-19")


@pytest.mark.parametrize(("kind", "first", "last"), [("day", "19", "19"), ("week", "16", "22")])
def test_what_is_shown_of_other_days_can_be_taken_away_and_no_other(look_at, client, tariff, kind, first, last):
    look_at(kind, date="2026-11-19")
    page = client.get(f"/locations/{tariff.location_id}/{kind}/", {"date": "2026-11-19"}).content.decode()
    for form in ("csv", "json"):
        path = reverse(f"tariffs:rates_{form}", args=[tariff.location_id])
        assert f'"{path}?direction=IMPORT&amp;start=2026-11-{first}&amp;end=2026-11-{last}"' in page


def test_today_and_tomorrow_are_asked_for_only_when_they_are_due(look_at, asked):
    asked.answer = lambda start, end: hourly(start, end - timedelta(days=1), next_update="2026-11-23T16:00:00Z")
    for kind, date in (("day", "2026-11-24"), ("day", "2026-11-23"), ("week", "2026-11-23")):
        look_at(kind, date=date)
        cache.clear()
    spans = [(start.day, end.day) for _, start, end, _ in asked]
    assert spans == [(23, 25), (16, 30)]


def test_a_week_says_which_days_are_an_estimate(look_at, asked):
    asked.answer = lambda start, end: {
        "data": hourly(start, end)["data"][:198] + hourly(start, end, confidence="0.5")["data"][198:216]
    }
    page = look_at("week", date="2026-11-19")
    assert "Mon 16 Nov 179.50p 168.00p 191.00p" in page
    assert "Tue 17 Nov 203.50p estimate 192.00p 215.00p" in page


def test_an_estimate_is_said_at_the_price(look, asked):
    asked.answer = lambda start, end: hourly(start, end, confidence="0.9")
    assert "Now 12.00p per kWh until 13:00. ▼ low an estimate Then 13.00p." in look()


def test_a_mean_counts_each_rate_by_its_length(look_at, asked):
    asked.answer = lambda start, end: by_clock((0, 18, "10"), (18, 24, "30"))(start, end)
    assert "Tue 17 Nov 15.00p 10.00p 30.00p" in look_at("week", date="2026-11-17")


def test_a_day_not_known_is_no_number(look_at, asked):
    asked.answer = lambda start, end: by_clock((0, 24, "10"))(start, start + timedelta(days=8))
    assert "Tue 17 Nov not known" in look_at("week", date="2026-11-17")


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("2026-02-30", "Enter a day as year-month-day"),
        ("yesterday", "Enter a day as year-month-day"),
        ("", "Choose a day."),
        ("2020-01-01", "Choose a day from 22 Nov 2025 to 7 Dec 2026."),
        ("9999-12-31", "Choose a day from"),
        ("0001-01-01", "Choose a day from"),
    ],
)
@pytest.mark.parametrize("kind", ["day", "week", "month"])
def test_a_day_that_is_none_or_out_of_range_gets_a_sentence_and_no_call(look_at, asked, kind, date, words):
    assert words in look_at(kind, 400, date=date)
    assert asked == []


def test_without_a_date_it_is_today(look_at):
    assert "Monday 23 November 2026" in look_at("day")


def test_when_flatpeak_is_down_the_page_says_what_is_missing(look_at, asked):
    asked.answer = flatpeak.Unavailable("GET /tariffs/rates: no answer")
    for _ in range(2):  # every look asks again
        assert "We can't get the missing prices right now." in look_at("day", date="2026-11-20")
    assert len(asked) == 2
    asked.answer = lambda start, end: by_clock((0, 24, "10"))(start, end)
    assert "10.00p" in look_at("day", date="2026-11-20")


def test_when_flatpeak_refuses_it_is_left_alone_for_a_minute_and_the_page_says_so(look_at, asked):
    asked.answer = flatpeak.Rejected("GET /tariffs/rates", 429, {})
    for _ in range(2):
        assert "We can't get the missing prices right now." in look_at("day", date="2026-11-20")
    assert len(asked) == 1
    cache.clear()
    asked.answer = lambda start, end: by_clock((0, 24, "10"))(start, end)
    assert "10.00p" in look_at("day", date="2026-11-20")


def test_when_flatpeak_has_no_prices_for_a_day_that_is_an_answer(look_at, asked):
    asked.answer = refused("no_price_data")
    for _ in range(2):
        assert "There are no prices for this day." in look_at("day", date="2026-11-20")
    assert len(asked) == 1


def test_a_422_that_is_about_the_question_is_no_answer_about_prices(look_at, asked):
    asked.answer = refused("time_range_invalid")
    for _ in range(2):
        page = look_at("day", date="2026-11-20")
        assert "We can't get the missing prices right now." in page
        assert "FlatPeak has no prices" not in page
    assert len(asked) == 1
    assert not RateDay.objects.exists()


def test_the_code_counts_and_not_the_status(look_at, asked):
    asked.answer = flatpeak.Rejected("GET /tariffs/rates", 409, {"code": "no_price_data"})
    assert "There are no prices for this day." in look_at("day", date="2026-11-20")


@pytest.mark.parametrize("date", ["2026-11-20", "2026-11-23", "2026-11-26"])
def test_who_looks_at_a_day_while_it_is_asked_for_is_told_that_it_is(look_at, asked, date):
    seen = []

    def answer(start, end):
        if not seen:
            seen.append("")
            seen[0] = look_at("day", date=date)
        return hourly(start, end)

    asked.answer = answer
    page = look_at("day", date=date)
    assert "We are getting these prices. Check again in a minute." in seen[0]
    assert "FlatPeak has no prices" not in seen[0]
    assert "We are asking" not in page
    assert len(asked) == 1


def test_a_day_of_a_tariff_that_is_still_being_read_is_not_said_to_have_no_prices(look_at, asked):
    Tariff.objects.update(state="pending")
    asked.answer = refused("pending_connect")
    for _ in range(2):
        assert "We are getting these prices." in look_at("day", date="2026-11-20")
    assert len(asked) == 1


def test_other_days_ask_nothing_by_head_and_show_strangers_nothing(noon, tariff, asked, client, alice, bob):
    client.force_login(alice)
    assert client.head(f"/locations/{tariff.location_id}/day/", {"date": "2026-11-20"}).status_code == 200
    client.force_login(bob)
    for kind in ("day", "week", "month"):
        assert client.get(f"/locations/{tariff.location_id}/{kind}/", {"date": "2026-11-20"}).status_code == 404
    assert asked == []


def test_a_disconnected_tariff_keeps_its_past_and_asks_nothing(look_at, asked):
    look_at("day", date="2026-11-20")
    Tariff.objects.update(state="disconnected")
    assert "23.00p" in look_at("day", date="2026-11-20")
    look_at("day", date="2026-11-19")
    assert len(asked) == 1


# --- cached for the minute


@pytest.fixture
def made(monkeypatch):
    """The tariffs whose section was rendered, and not taken from the cache."""
    made = []

    def view_of(tariff, *rest):
        made.append(tariff)
        return shown.view_of(tariff, *rest)

    monkeypatch.setattr(sections, "view_of", view_of)
    return made


@pytest.fixture
def view(noon, tariff, asked, client, alice):
    client.force_login(alice)
    return lambda **query: client.get(f"/locations/{tariff.location_id}/", query).content.decode()


def test_a_second_look_in_the_same_minute_makes_nothing(view, made, monkeypatch, django_assert_num_queries):
    view()
    at(monkeypatch, NOW + timedelta(seconds=59))
    with django_assert_num_queries(4):
        assert 'Now <b class="price">12.00p' in view()
    assert len(made) == 1
    at(monkeypatch, NOW + timedelta(seconds=60))
    view()
    assert len(made) == 2


def test_an_answer_of_flatpeaks_is_seen_at_once(view, made, asked, monkeypatch):
    asked.answer = lambda start, end: hourly(start, end, confidence=0)
    assert 'Now <b class="price">12.00p' in view()
    at(monkeypatch, NOW + timedelta(seconds=5))
    asked.answer = lambda start, end: hourly(start - timedelta(hours=3), end)
    assert 'Now <b class="price">15.00p' in view()


def test_what_is_kept_is_not_shown_in_another_language_currency_or_time_zone(view, client, tariff, settings):
    assert 'Now <b class="price">12.00p</b> per kWh until 13:00' in view()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    assert 'Jetzt <b class="price">12,00' in view()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en-gb"
    Location.objects.update(currency_code="EUR")
    assert 'Now <b class="price">12.00c' in view()
    Location.objects.update(time_zone="Europe/Berlin")
    assert "until 14:00" in view()


def test_a_price_that_changes_within_the_minute_is_not_kept_longer(view, made, asked, monkeypatch):
    edge = NOW + timedelta(seconds=30)
    asked.answer = lambda start, end: {
        "next_update": "2100-01-01T00:00:00Z",
        "data": [
            {"valid_from": a.isoformat(), "valid_to": b.isoformat(), "tariff": {"rate": rate, "confidence": 1}}
            for a, b, rate in ((start, edge, Decimal("0.1")), (edge, end, Decimal("0.2")))
        ],
    }
    assert 'Now <b class="price">10.00p' in view()
    at(monkeypatch, edge - timedelta(microseconds=1))
    assert 'Now <b class="price">10.00p' in view()
    at(monkeypatch, edge)
    assert 'Now <b class="price">20.00p' in view()
    assert len(made) == 2


def test_what_is_kept_for_one_tariff_is_not_shown_for_another(view, made, tariff, client):
    view()
    other = Tariff.objects.create(
        location=tariff.location, direction="EXPORT", provider="Other", due_at=NOW + timedelta(days=1)
    )
    assert "Other" not in view()
    assert "Other" in view(direction="EXPORT")
    assert [each.pk for each in made] == [tariff.pk, other.pk]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_look_at_the_same_moment_one_makes_the_section(view, made, tariff, alice, monkeypatch):
    view()
    caches["html"].clear()
    slow = shown.chart
    monkeypatch.setattr(shown, "chart", lambda *facts: time.sleep(0.05) or slow(*facts))

    def look():
        client = Client()
        client.force_login(alice)
        seen.append(client.get(f"/locations/{tariff.location_id}/").content.decode())
        connection.close()

    seen, threads = [], [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [text.count('Now <b class="price">12.00p') for text in seen] == [1] * 8
    assert len(made) == 2


# --- for how long it is true

QUARTER, HALF, DAYS_END = 900, 1800, 41_400  # seconds


def falling(start, end, **options):
    """An answer in which each hour is cheaper than the one before, so the cheapest time is the last."""
    answer = hourly(start, end, **options)
    for n, entry in enumerate(answer["data"]):
        entry["tariff"]["rate"] = Decimal(99 - n) / 100
    return answer


def one_price(start, end, next_update="2100-01-01T00:00:00Z"):
    entry = {"valid_from": start.isoformat(), "valid_to": end.isoformat(), "tariff": {"rate": Decimal("0.2")}}
    return {"data": [entry], "next_update": next_update}


def peak(start, end):
    """An answer in which the best three hours to sell begin at 14:00, where the price does not change."""
    return prices("10", "10", "10", "10", "40", "5", "5")(start, end)


@pytest.fixture
def true_for(noon, tariff, client, alice):
    """The seconds for which a page says that it is true."""

    def true_for(path="", **query):
        client.force_login(alice)
        at_location = "" if path.startswith("/") else f"/locations/{tariff.location_id}/"
        text = client.get(at_location + path, query).content.decode()
        [seconds] = re.findall(r'data-until="(\d+)"', text)
        return int(seconds)

    return true_for


@pytest.mark.parametrize(
    ("date", "seconds"), [("2026-11-23", 600), ("2026-11-24", 600), ("2026-11-22", DAYS_END), ("2026-11-25", DAYS_END)]
)
def test_only_the_pages_of_today_and_tomorrow_change_when_there_may_be_new_prices(true_for, asked, date, seconds):
    asked.answer = lambda start, end: one_price(start, end, next_update="2026-11-23T12:40:00Z")
    assert true_for("day/", date=date) == seconds


def refused_for(seconds):
    return flatpeak.Rejected("GET /tariffs/rates", 429, {}, seconds)


@pytest.mark.parametrize("path", ["", "/locations/", "day/", "week/"])
@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (falling, HALF),
        (lambda start, end: falling(start, end, next_update="2026-11-23T12:30:01Z"), 60),
        (lambda start, end: falling(start, end, next_update="2026-11-23T12:40:00Z"), 600),
        (one_price, DAYS_END),
        (lambda start, end: one_price(start, end, next_update="2026-11-23T16:00:00Z"), 12_600),
        (lambda start, end: one_price(start, NOW + timedelta(minutes=2)), 120),
        (lambda start, end: hourly(start, end, confidence=0), 5),
        (refused("pending_connect"), 30),
        (flatpeak.Unavailable("GET /tariffs/rates: no answer"), 60),
        (refused_for(1), 60),
        (refused_for(100), 100),
        (refused_for(3600), QUARTER),
    ],
)
def test_a_page_is_true_until_a_price_the_day_or_what_is_known_changes(true_for, asked, path, answer, seconds):
    asked.answer = answer
    of_a_day = path in ("day/", "week/") and isinstance(answer, Exception)  # the page says "Try again in a minute."
    found = true_for(path)
    if path == "" and len({segment[2] for day in RateDay.objects.all() for segment in day.segments}) > 1:
        seconds = min(seconds, 300)  # a run that begins now costs something else by then
    assert found == (min(seconds, 60) if of_a_day else seconds)


@pytest.mark.parametrize(
    ("now", "hours"),
    [("2026-10-24T23:00:00Z", 25), ("2026-03-29T00:00:00Z", 23), ("2026-05-01T10:30:00Z", 12.5)],
)
@pytest.mark.parametrize("path", ["", "/locations/", "day/"])
def test_the_day_that_is_today_ends_at_local_midnight(true_for, asked, monkeypatch, path, now, hours):
    asked.answer = one_price
    now = datetime.fromisoformat(now)
    at(monkeypatch, now)
    Tariff.objects.update(due_at=now, rates_since=now)
    assert true_for(path) == hours * 3600


@pytest.mark.parametrize(
    ("answer", "minutes"),
    [
        (peak, 90),
        (falling, 5),  # the best time begins now, at every look
    ],
)
def test_the_best_time_is_true_until_it_begins_or_fits_no_longer(true_for, asked, answer, minutes):
    Tariff.objects.update(direction="EXPORT")
    asked.answer = answer
    assert true_for() == minutes * 60


def test_a_day_that_is_over_is_true_until_the_choice_of_days_changes(true_for, asked):
    asked.answer = falling
    assert true_for("day/", date="2026-11-20") == DAYS_END
    assert true_for("week/", date="2026-11-12") == DAYS_END


def test_a_tariff_that_is_disconnected_changes_no_more(true_for, asked):
    asked.answer = falling
    true_for()
    Tariff.objects.update(state="disconnected")
    assert true_for() == true_for("/locations/") == DAYS_END


def test_a_list_is_true_as_long_as_each_of_its_locations_and_then_asks_what_is_due_still(
    true_for, asked, tariff, monkeypatch
):
    asked.answer = one_price
    true_for()
    location = tariff.location
    location.pk, location.location_id, location.time_zone = None, "loc_2", "Asia/Kathmandu"
    location._state.adding = True
    location.save()
    Tariff.objects.create(location=location, direction="IMPORT", due_at=NOW, rates_since=NOW)
    assert true_for("/locations/") == 20_700  # midnight in Kathmandu
    Tariff.objects.update(due_at=NOW)
    monkeypatch.setattr("tariffs.screens.views.ASKED_PER_LIST", 1)
    assert true_for("/locations/") == 60


@pytest.mark.parametrize(
    ("zone", "made"),
    [
        ("Europe/London", "As of Mon 23 Nov, 12:30. All times are in London (UTC)."),
        ("Asia/Kathmandu", "As of Mon 23 Nov, 18:15. All times are in Kathmandu (UTC+05:45)."),
        ("", "As of Mon 23 Nov, 12:30. All times are in UTC."),
    ],
)
def test_each_page_says_when_it_was_made_on_the_locations_clock(look, look_at, client, tariff, zone, made):
    Location.objects.update(time_zone=zone)
    if not zone:
        Tariff.objects.update(due_at=NOW + timedelta(hours=1))
    assert made in look()
    assert made in look_at("day") if zone else True
    assert made in " ".join(client.get("/locations/").content.decode().split())


def test_my_locations_in_several_zones_were_made_at_one_time(look, client, tariff, alice):
    look()
    location = tariff.location
    location.pk, location.location_id, location.time_zone = None, "loc_2", "Asia/Kathmandu"
    location._state.adding = True
    location.save()
    Tariff.objects.create(location=location, direction="IMPORT", due_at=NOW + timedelta(hours=1))
    assert "As of Mon 23 Nov, 12:30. All times are in UTC." in client.get("/locations/").content.decode()


def test_a_page_brought_up_to_date_asks_flatpeak_no_more_than_a_look(look, look_at, asked, monkeypatch):
    asked.answer = falling
    for minutes in (0, 30, 90):
        at(monkeypatch, NOW + timedelta(minutes=minutes))
        look()
        look_at("day")
    assert len(asked) == 1
