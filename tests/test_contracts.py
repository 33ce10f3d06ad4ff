"""Contracts that end: their last day, by both readings of FlatPeak's date, and the time after it."""

import os
import re
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, product
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tariffs.models import Tariff, Wait
from tariffs.notices import send_due
from tariffs.rates.refresh import refresh

pytestmark = pytest.mark.django_db

AGAIN = re.compile(r"ask(ed)? again|again in|again by|again after|minute")
LAST = date(2026, 6, 15)  # of the contract, a Monday
PLACES = {
    "London": ("Europe/London", {"country": "GB"}, {}),
    "Auckland": ("Pacific/Auckland", {"country": "NZ"}, {"country_code": "NZ", "city": "Auckland"}),
    "San Francisco": (
        "America/Los_Angeles",
        {"country": "US"},
        {"country_code": "US", "city": "San Francisco", "state": "CA", "post_code": "94105"},
    ),
}


@pytest.fixture
def clock(sandbox, monkeypatch):
    """Put every clock to an instant, where it stands still."""

    def put(moment):
        with sandbox.lock:
            sandbox.set_now(moment)
            sandbox.freeze(True)
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)

    put(datetime(2026, 6, 10, 12, tzinfo=UTC))
    return put


@pytest.fixture
def switch(sandbox):
    def switch(**switches):
        with sandbox.lock:
            sandbox.state["switches"] |= switches

    return switch


@pytest.fixture
def contract(walk, clock):
    """A contract by hand at a place; a function puts every clock to a time there, by the days after the last, and looks."""

    def contract(place, end=LAST):
        zone, start, address = PLACES[place]
        walk.start(**start).address(**address).act("PROVIDER_MISSING").answer(provider_name="Village Power")
        walk.answer(options="FIXED").answer(cost="28.15").answer(tariff_name="Simple")
        walk.answer(term="date", contract_end_date=str(end), sure=str(end)).act("SAVE")
        tariff = Tariff.objects.get()
        assert tariff.location.time_zone == zone

        def look(days, hour):
            local = datetime(LAST.year, LAST.month, LAST.day, hour, 30, tzinfo=ZoneInfo(zone)) + timedelta(days=days)
            clock(local.astimezone(UTC))
            return walk.get(f"/locations/{tariff.location_id}/").text

        look.path = f"/locations/{tariff.location_id}/"
        return look

    return contract


@pytest.mark.parametrize("place", PLACES)
def test_the_last_day_has_prices_where_it_belongs_to_the_contract(walk, contract, switch, place):
    switch(last_day="included")
    look = contract(place)
    for hour in (0, 12, 23):
        text = look(0, hour)
        assert walk.price
        assert "The contract ends on Monday 15 June 2026. There are no prices after that." in text
        assert "Connect the new contract" not in text


WHY_NONE = [
    ("London", 0, 12, "The last day of this contract is Monday 15 June 2026, and its prices ended today at 01:00."),
    ("Auckland", 0, 11, "The last day of the contract is Monday 15 June 2026, and its prices end here."),
    (
        "Auckland",
        0,
        15,
        "The last day of this contract is Monday 15 June 2026, and its prices ended today at 12:00.",
    ),
    ("San Francisco", -1, 16, "The last day of the contract is Monday 15 June 2026, and its prices end here."),
    (
        *("San Francisco", -1, 18),
        "The last day of this contract is Monday 15 June 2026, and its prices ended today at 17:00.",
    ),
    (
        "San Francisco",
        0,
        9,
        "The last day of this contract is Monday 15 June 2026, and there are no prices for it.",
    ),
]
AFTER = ["no_price_data", "no_tariff_connected", "empty"]  # what FlatPeak may say of the time after a contract
TORTURE = "TORTURE" in os.environ


@pytest.mark.parametrize(
    ("place", "days", "hour", "words", "after"),
    [
        (*why, after)
        for why, last in zip(WHY_NONE, cycle(AFTER), strict=False)
        for after in (AFTER if TORTURE else [last])
    ],
)
def test_the_page_says_why_the_last_day_has_no_prices(walk, contract, switch, place, days, hour, words, after):
    switch(last_day="excluded", after_contract=after)
    text = contract(place)(days, hour)
    assert words in text
    assert ("Connect the new contract" in text) is not bool(walk.price)
    assert "not known" not in text
    assert walk.price or not AGAIN.search(text)


# Every fifth has each place, each answer and both readings.
@pytest.mark.parametrize(
    ("place", "after", "last_day"), [*product(PLACES, AFTER, ["included", "excluded"])][:: 1 if TORTURE else 5]
)
def test_after_its_end_the_page_offers_to_connect_the_new_one(walk, contract, switch, place, after, last_day):
    switch(last_day=last_day, after_contract=after)
    look = contract(place)
    for days in (1, 2, 30):
        text = look(days, 9)
        assert "Village Power, Simple, ended on Monday 15 June 2026" in text
        assert "This contract ended on Monday 15 June 2026, so there are no prices. If you have a new contract" in text
        assert not AGAIN.search(text)
    assert Tariff.objects.get().rates == "ended"
    assert "contract ended" in walk.get("/locations/").text
    for path, words in {"day/": "There are no prices after that", "week/": "There are no prices after that"}.items():
        assert words in walk.get(look.path + path).text
    content = walk.client.get(look.path + "rates.json").json()
    assert (content["contract_end"], content["rates"]) == ("2026-06-15", [])
    assert not AGAIN.search(walk.get(look.path + "?direction=IMPORT&hours=3").text)
    direction, location = "IMPORT", Tariff.objects.get().location_id
    walk.post("/connect/", {"location": location, "direction": direction})
    assert walk.route == "summary_fixed_confirm"
    assert "Ended on 15 June 2026" in walk.text
    walk.act("EDIT").act("PROVIDER_MISSING").answer(provider_name="Town Power").answer(options="FIXED")
    walk.answer(cost="30").name_and_term().act("SAVE").get(look.path)
    assert "ended" not in walk.text
    assert walk.price


def test_a_contract_that_ended_long_ago_is_asked_for_once_a_day(walk, contract, clock):
    look = contract("London", date(2019, 3, 31))
    assert "This contract ended on Sunday 31 March 2019, so there are no prices." in look(0, 9)
    asked = []
    start = timezone.now()
    for quarter in range(24 * 4 * 3):
        clock(start + timedelta(minutes=15 * quarter))
        tariff = Tariff.objects.select_related("location").get()
        if refresh(tariff, timezone.now()):
            asked.append(quarter / 4)
    assert asked == [0.25, 24.25, 48.25]


def test_prices_that_go_on_after_the_end_are_shown_with_a_warning(walk, contract):
    look = contract("London")
    look(-3, 9)
    Tariff.objects.update(contract_end="2026-06-01")
    text = walk.get(look.path).text
    assert walk.price
    assert "This contract ended on Monday 1 June 2026. The prices shown may no longer be yours." in text
    assert "Connect the new contract" in text
    assert "contract ended" in walk.get("/locations/").text


@pytest.mark.parametrize("after", ["no_price_data", "empty"])
def test_a_later_end_that_flatpeak_learns_of_is_found_out(walk, contract, switch, sandbox, clock, after):
    switch(after_contract=after)
    look = contract("London")
    assert "This contract ended on Monday 15 June 2026" in look(1, 9)
    [place] = sandbox.state["locations"].values()
    place["tariffs"]["commodity_import"]["end"] = "2027-06-15T00:00:00Z"
    look(2, 9)
    clock(timezone.now() + timedelta(minutes=1))
    assert "until Tuesday 15 June 2027" in walk.get(look.path).text
    assert walk.price


def test_the_end_is_looked_up_again_while_prices_go_on_after_it(walk, contract):
    look = contract("London", date(2027, 6, 15))
    look(-3, 9)
    Tariff.objects.update(contract_end="2026-06-01")
    assert "until Tuesday 15 June 2027" in look(-1, 9)


def test_an_event_that_comes_while_the_end_is_looked_up_is_not_put_off(contract, monkeypatch):
    look = contract("London", date(2019, 3, 31))
    look(0, 9)
    Tariff.objects.update(due_at=timezone.now())
    told = timezone.now() - timedelta(seconds=1)

    def extended(tariff):
        tariff.contract_end = None
        Tariff.objects.update(due_at=told)

    monkeypatch.setattr("tariffs.rates.refresh.complete", extended)
    assert refresh(Tariff.objects.select_related("location").get(), timezone.now())
    assert Tariff.objects.get().due_at == told


def test_an_end_that_turns_out_to_be_later_is_asked_for_in_a_minute_and_makes_no_other_tariff_due(
    contract, monkeypatch
):
    look = contract("London", date(2019, 3, 31))
    look(0, 9)
    Tariff.objects.update(due_at=timezone.now())
    bought, due = Tariff.objects.select_related("location").get(), []
    sold = Tariff.objects.create(location=bought.location, direction="EXPORT", due_at=None)

    def extended(tariff):
        tariff.contract_end = None
        due.append(tariff.due_at)
        Tariff.objects.filter(pk=sold.pk).update(due_at=tariff.due_at)

    monkeypatch.setattr("tariffs.rates.refresh.complete", extended)
    now = timezone.now()
    assert refresh(bought, now)
    assert Tariff.objects.get(pk=bought.pk).due_at == now + timedelta(minutes=1)
    assert Tariff.objects.get(pk=sold.pk).due_at == due[0]


@pytest.mark.parametrize(
    ("zone", "utc", "left"),
    [
        ("Pacific/Auckland", "2026-06-14T11:59", 1),
        ("Pacific/Auckland", "2026-06-14T12:00", 0),
        ("Pacific/Auckland", "2026-06-15T12:00", -1),
        ("America/Los_Angeles", "2026-06-15T06:59", 1),
        ("America/Los_Angeles", "2026-06-16T06:59", 0),
        ("America/Los_Angeles", "2026-06-16T07:00", -1),
        ("Mars/Olympus", "2026-06-15T23:59", 0),
    ],
)
def test_a_contract_ends_by_its_locations_day(contract, zone, utc, left):
    contract("London")
    tariff = Tariff.objects.get()
    tariff.location.time_zone = zone
    assert tariff.days_left(datetime.fromisoformat(utc).replace(tzinfo=UTC)) == left


def test_who_waits_for_the_prices_of_a_contract_that_has_ended_is_told_by_mail(walk, contract, clock, mailoutbox):
    look = contract("London", date(2019, 3, 31))
    Tariff.objects.update(state="pending")
    Wait.objects.create(tariff=Tariff.objects.get(), since=timezone.now())
    look(0, 9)
    assert Tariff.objects.get().state == "connected"
    assert send_due(Wait.objects.get())
    assert mailoutbox[-1].subject == "Your electricity contract has ended"
    assert "Its contract ends on Sunday 31 March 2019, so there are no prices." in mailoutbox[-1].body
    assert not Wait.objects.exists()
