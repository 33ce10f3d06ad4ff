"""A tariff that the customer changes: from then on its old rates are history, and nothing older is written over it."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs import details, flatpeak, storing
from tariffs.models import Erasure, Location, RateDay, Tariff, Wait
from tariffs.rates import days as history
from tariffs.rates.refresh import refresh

pytestmark = pytest.mark.django_db

IDS = {"customer_id": "cus_1", "location_id": "loc_1", "location_reference_id": ""}
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
TODAY = date(2026, 11, 23)


class Tariffs:
    """Alice's tariff of one price, as FlatPeak has it, and the calls for its rates."""

    def __init__(self, user_id):
        self.user_id, self.price, self.calls = user_id, "0.2815", []
        self.meanwhile = lambda: None

    def save(self, name, price="", state="connected", direction="IMPORT", **told):
        self.price = price or self.price
        facts = {"provider": "Example Energy", "name": name} | told
        about = storing.Connected(direction, "COMMODITY", state, facts)
        storing.store(self.user_id, IDS, about)
        Location.objects.update(time_zone="Europe/London", currency_code="GBP", address_line1="1 Example Street")
        return Tariff.objects.select_related("location").get()

    def rates(self, location_id, start, end, direction):
        self.calls.append((start, end))
        price, meanwhile, self.meanwhile = self.price, self.meanwhile, lambda: None
        meanwhile()
        if isinstance(price, Exception):
            raise price
        entry = {"valid_from": start.isoformat(), "valid_to": end.isoformat()}
        return {"data": [entry | {"tariff": {"rate": Decimal(price), "confidence": 1}}]}


@pytest.fixture
def tariffs(alice, monkeypatch, client):
    """It is half past twelve on Monday 23 November."""
    made = Tariffs(alice.pk)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    monkeypatch.setattr(flatpeak, "rates", made.rates)
    client.force_login(alice)
    return made


@pytest.fixture
def look(client, tariffs):
    def look(path="", name="", **query):
        path = name or f"/locations/{Location.objects.get().pk}/{path}"
        return " ".join(re.sub(r"<[^>]+>", " ", client.get(path, query).getvalue().decode()).split())

    return look


def every_reader(look):
    """What stands of today and later, wherever rates are shown."""
    span = {"start": "2026-11-23", "end": "2026-11-28"}
    return {
        "page": look(),
        "overview": look(name="/locations/"),
        "day": look("day/", date="2026-11-28"),
        "today": look("day/", date="2026-11-23"),
        "csv": look("rates.csv", **span),
        "json": look("rates.json", **span),
        "cheapest": look(direction="IMPORT", hours="2"),
        "everything": look(name="/account/data.json"),
    }


# --- old rates


def test_no_old_price_of_a_later_time_is_left_anywhere_once_the_tariff_has_changed(tariffs, look):
    tariffs.save("Simple", "0.2815")
    before = every_reader(look)
    assert all("28.15p" in said or "0.2815" in said for said in before.values()), before
    tariffs.save("Dearer", "0.31")
    after = every_reader(look)
    assert not any("28.15p" in said or "0.2815" in said for said in after.values()), after
    assert "31.00p" in after["page"]
    assert "31.00p" in after["day"]


def test_what_cannot_be_read_just_now_has_no_price_under_its_name(tariffs, look):
    tariffs.save("Simple", "0.2815")
    every_reader(look)
    tariffs.save("Agile", state="failed")
    tariffs.price = flatpeak.Rejected("GET /tariffs/rates", 422, {"code": "no_price_data"})
    after = every_reader(look)
    assert not any("28.15p" in said or "0.2815" in said for said in after.values()), after
    assert "Agile" in after["page"]


def test_after_a_disconnection_no_rate_of_a_later_time_is_stored(tariffs, look):
    tariffs.save("Simple", "0.2815")
    every_reader(look)
    tariffs.save("Simple", state="disconnected")
    assert not RateDay.objects.filter(day__gte=TODAY).exists()


def test_past_days_stay_as_history_of_the_tariff_they_belonged_to(tariffs, look):
    tariffs.save("Simple", "0.2815")
    look("day/", date="2026-11-20")
    tariffs.save("Dearer", "0.31")
    day = look("day/", date="2026-11-20")
    assert "28.15p" in day
    assert "Example Energy, Simple" in day
    assert "Dearer" not in day
    assert len(tariffs.calls) == 1
    week = look("week/", date="2026-11-23")
    assert "Example Energy, Dearer" in week


def test_which_days_are_past_is_said_by_the_locations_clock(tariffs):
    tariff = tariffs.save("Fixed")
    tariff.location.time_zone = "Pacific/Auckland"  # where it is the 24th
    history.store(tariff, [date(2026, 11, day) for day in (23, 24)], [], NOW)
    history.close(tariff, NOW)
    assert [day.day.day for day in tariff.days.all()] == [23]


def test_a_week_with_a_change_in_it_names_both_tariffs(tariffs, look, monkeypatch):
    tariffs.save("Simple", "0.2815")
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(days=2))
    look("week/", date="2026-11-23")
    tariffs.save("Dearer", "0.31")
    assert "Example Energy, Simple; Example Energy, Dearer" in look("week/", date="2026-11-23")


# --- lost updates


def test_an_answer_about_the_old_tariff_is_not_written_over_the_new_one(tariffs):
    tariff = tariffs.save("Simple", "0.2815")
    tariffs.meanwhile = lambda: tariffs.save("Dearer", "0.31")
    assert refresh(tariff, NOW)
    stored = Tariff.objects.get()
    assert not RateDay.objects.exists()
    assert (stored.rates, stored.due_at) == ("none", NOW)  # it is due still
    assert (tariff.name, tariff.rates) == ("Dearer", "none")
    assert refresh(stored, NOW)
    assert {row[2] for day in RateDay.objects.all() for row in day.segments} == {Decimal("0.31")}


def test_a_tariff_that_was_changed_after_it_was_read_is_not_asked_for_as_it_was(tariffs):
    old = tariffs.save("Simple", "0.2815")
    tariffs.save("Dearer", "0.31")
    assert not refresh(old, NOW)  # it is due at the same moment
    assert (tariffs.calls, old.name) == ([], "Dearer")


def test_who_asks_for_days_of_the_new_tariff_does_not_wait_for_an_answer_about_the_old_one(tariffs):
    old, days = tariffs.save("Simple", "0.2815"), [TODAY - timedelta(days=3), TODAY + timedelta(days=3)]

    def changed():
        assert not history.fetch(tariffs.save("Dearer", "0.31"), days, NOW)

    tariffs.meanwhile = changed
    history.fetch(old, days, NOW)
    assert {row[2] for day in RateDay.objects.all() for row in day.segments} == {Decimal("0.31")}


def test_a_refusal_of_the_old_tariff_says_nothing_of_the_new_one(tariffs):
    tariff = tariffs.save("Simple")
    tariffs.price = flatpeak.Rejected("GET /tariffs/rates", 422, {"code": "pending_connect"})
    tariffs.meanwhile = lambda: tariffs.save("Dearer", "0.31")
    refresh(tariff, NOW)
    assert Tariff.objects.values_list("state", "rates", "last_result").get() == ("connected", "none", "")
    assert not Wait.objects.exists()


def test_an_answer_that_came_after_another_had_taken_the_claim_over_is_not_written(tariffs):
    tariff = tariffs.save("Simple", "0.2815")
    later = NOW + timedelta(minutes=10)

    def taken_over():
        tariffs.price = "0.31"
        assert refresh(Tariff.objects.select_related("location").get(), later)

    tariffs.meanwhile = taken_over
    refresh(tariff, NOW)
    assert {row[2] for day in RateDay.objects.all() for row in day.segments} == {Decimal("0.31")}
    assert tariff.rates == "ok"


def test_a_past_day_that_was_asked_for_before_the_change_is_not_written_after_it(tariffs):
    tariff = tariffs.save("Simple", "0.2815")
    tariffs.meanwhile = lambda: tariffs.save("Dearer", "0.31")
    history.fetch(tariff, [TODAY - timedelta(days=3), TODAY + timedelta(days=3)], NOW)
    assert not RateDay.objects.exists()


@pytest.mark.parametrize("asking", ["refresh", "fetch"])
def test_a_location_that_is_deleted_while_its_rates_are_asked_for_is_no_error(tariffs, asking):
    tariff = tariffs.save("Simple", "0.2815")
    tariffs.meanwhile = lambda: Location.objects.all().delete()
    if asking == "refresh":
        refresh(tariff, NOW)
    else:
        history.fetch(tariff, [TODAY + timedelta(days=3)], NOW)
    assert not RateDay.objects.exists()
    assert not Tariff.objects.exists()


def told(monkeypatch, meanwhile, name="Simple", city="London"):
    """FlatPeak tells of a location and its tariff, and something happens before it answers."""

    def location(location_id):
        return {"timezone": "Europe/London", "currency_code": "GBP", "postal_address": {"city": city}}

    def status(location_id):
        meanwhile()
        tariff = {"status": "CONNECTED", "provider": {"display_name": "Example Energy"}, "tariff": {"name": name}}
        return {"tariff_status": {"commodity_import": tariff}}

    monkeypatch.setattr(flatpeak, "location", location)
    monkeypatch.setattr(flatpeak, "location_status", status)


ADDRESS = {
    "address_line1": "2 Other Street",
    "address_line2": "Flat 3",
    "city": "Leeds",
    "state": "West Yorkshire",
    "post_code": "LS1 1AA",
    "country_code": "gb",
}


def test_whatever_flatpeak_tells_of_a_location_and_its_tariff_is_stored(tariffs, monkeypatch):
    tariff = tariffs.save("Simple", contract_end="2027-06-15T00:00:00Z")
    more = {
        "id": "adr_1",
        "location_id": "loc_other",
        "building": "West",
    }  # which is not of an address, or not known here
    about = {"timezone": "Europe/Dublin", "currency_code": "EUR", "postal_address": ADDRESS | more}
    of_tariff = {
        "name": "Dearer",
        "structure_type": "MARKET",
        "contract_end_date": "0001-01-01T00:00:00Z",
        "tiered": True,
        "id": "tar_2",
    }
    provider = {"display_name": "Another", "logo_url": "https://example.com/another.svg"}
    status = {"status": "ERROR ", "provider": provider, "tariff": of_tariff}
    statuses = {"commodity_import": status, "commodity_export": {"status": "CONNECTED", "tariff": {"name": "Wrong"}}}
    monkeypatch.setattr(flatpeak, "location", lambda location_id: about)
    monkeypatch.setattr(flatpeak, "location_status", lambda location_id: {"tariff_status": statuses})
    Tariff.objects.update(state_since=NOW - timedelta(days=1))
    tariff.refresh_from_db(fields=["state_since"])
    details.complete(tariff)
    location = Location.objects.values().get()
    assert (location["id"], location["location_id"]) == (tariff.location.id, tariff.location.location_id)
    assert {name: location[name] for name in ADDRESS} == ADDRESS | {"country_code": "GB"}
    assert (location["time_zone"], location["currency_code"], location["told_at"]) == ("Europe/Dublin", "EUR", NOW)
    stored = Tariff.objects.get()
    assert (stored.provider, stored.name, stored.structure, stored.tiered) == ("Another", "Dearer", "MARKET", True)
    assert (stored.tariff_id, stored.logo_url) == ("tar_2", provider["logo_url"])
    assert (stored.contract_end, stored.contract_open_ended) == (None, True)
    assert (stored.state, stored.state_since) == ("failed", NOW)


def test_what_was_known_of_the_old_contract_is_not_known_of_the_new_one(tariffs):
    tariffs.save("Simple", contract_end="2027-06-15T00:00:00Z", structure="MARKET", tiered=True)
    known, before, later = Tariff.objects.values().get(), NOW - timedelta(days=1), NOW + timedelta(hours=1)
    found = {"tariff_id": "tar_1", "upgrade_since": before, "levels": ["2026-11-23", 7, Decimal("0.1"), Decimal("0.2")]}
    asked = {"rates": "failing", "rates_since": before, "attempts": 7, "last_result": "conflict"}
    about = {"state": "failed", "state_since": before, "due_at": later, "claimed_until": later}
    Tariff.objects.update(**found, **asked, **about)
    tariffs.save("Dearer")
    forgotten = {"tariff_id": "", "upgrade_since": None, "levels": None, "tiered": False, "contract_end": None}
    asked_anew = {"rates": "none", "rates_since": NOW, "attempts": 0, "last_result": "", "due_at": NOW}
    now_so = {"name": "Dearer", "state": "connected", "state_since": NOW, "claimed_until": None, "version": 2}
    assert Tariff.objects.values().get() == known | forgotten | asked_anew | now_so


def test_the_old_name_is_not_written_over_a_tariff_that_has_changed(tariffs, monkeypatch):
    tariff = tariffs.save("Simple")
    told(monkeypatch, lambda: tariffs.save("Dearer"))
    details.complete(tariff)
    assert Tariff.objects.get().name == tariff.name == "Dearer"


def test_of_two_questions_about_a_location_the_later_one_is_believed(tariffs, monkeypatch):
    tariff = tariffs.save("Simple")
    moments = iter([NOW, NOW + timedelta(seconds=1)])
    monkeypatch.setattr("django.utils.timezone.now", lambda: next(moments))

    def location(location_id):
        if not nested:
            nested.append(1)
            details.complete(Tariff.objects.select_related("location").get())
            return {"timezone": "Europe/London", "postal_address": {"city": "London"}}
        return {"timezone": "Europe/London", "postal_address": {"city": "Leeds"}}

    nested = []
    monkeypatch.setattr(flatpeak, "location", location)
    monkeypatch.setattr(flatpeak, "location_status", lambda location_id: {"tariff_status": {}})
    details.complete(tariff)
    assert Location.objects.get().city == tariff.location.city == "Leeds"


def test_a_location_that_is_deleted_while_flatpeak_tells_of_it_does_not_come_back(tariffs, monkeypatch):
    tariff = tariffs.save("Simple")

    def location(location_id):
        Location.objects.all().delete()
        return {"timezone": "Europe/London"}

    monkeypatch.setattr(flatpeak, "location", location)
    monkeypatch.setattr(flatpeak, "location_status", lambda location_id: {"tariff_status": {}})
    details.complete(tariff)
    assert not Location.objects.exists()


def test_a_deletion_that_another_call_has_done_stays_done(alice):
    slow = Erasure.objects.create(kind="location", flatpeak_id="loc_1", account="acc", requested_at=NOW)
    assert slow.claim()
    quick = Erasure.objects.get()
    assert quick.claim()
    quick.done_at = NOW
    quick.succeeded()
    assert quick.release("done_at")
    slow.put_off("500", NOW)
    assert not slow.release("done_at")
    assert Erasure.objects.get().done_at


def test_of_two_answers_about_a_past_day_the_one_asked_for_later_stays(tariffs):
    """One looks at a day and another at its week: their questions differ, and the day is in both answers."""
    tariff, days = tariffs.save("Simple", "0.2815"), [TODAY - timedelta(days=n) for n in (4, 3)]

    def look_at_the_week():
        tariffs.price = "0.31"
        history.fetch(tariff, days, NOW + timedelta(seconds=1))

    tariffs.meanwhile = look_at_the_week
    history.fetch(tariff, days[1:], NOW)
    assert {row[2] for day in RateDay.objects.all() for row in day.segments} == {Decimal("0.31")}


# --- steps


STEPS = "The price depends on how much you use. Shown is the lowest step."


def test_a_tariff_with_steps_says_so_wherever_a_price_stands_and_a_former_one_of_its_own_days(tariffs, look):
    tariffs.save("Steps", tiered=True)
    for path, query in (("", {}), ("day/", {"date": "2026-11-21"}), ("week/", {"date": "2026-11-23"})):
        assert STEPS in look(path, **query)
    assert "28.15p per kWh lowest step" in look(name="/locations/")
    assert '"tiered": true' in look("rates.json")
    tariffs.save("Flat", "0.31")
    look()
    for path, query in (("", {}), ("day/", {"date": "2026-11-12"}), ("day/", {"date": "2026-11-30"})):
        said = look(path, **query)
        assert STEPS not in said, path
        assert "31.00p" in said, path
    assert "lowest step" not in look(name="/locations/")
    assert '"tiered": false' in look("rates.json")
    assert STEPS in look("day/", date="2026-11-21")
    assert STEPS in look("week/", date="2026-11-21")


def test_a_past_day_of_a_former_tariff_has_no_steps_of_the_present_one(tariffs, look):
    tariffs.save("Flat")
    look("day/", date="2026-11-21")
    tariffs.save("Steps", "0.31", tiered=True)
    assert STEPS in look()
    assert STEPS not in look("day/", date="2026-11-21")
    assert "Flat" in look("day/", date="2026-11-21")
    assert STEPS in look("day/", date="2026-11-20")


def test_what_is_sold_in_steps_is_said_in_its_words(tariffs, look):
    tariffs.save("Steps", direction="EXPORT", tiered=True)
    assert "The price depends on how much you sell. Shown is the lowest step." in look()


def test_a_status_that_leaves_the_steps_or_the_end_out_takes_back_neither(tariffs, monkeypatch):
    tariff = tariffs.save("Steps", tiered=True, contract_end="2027-06-15T00:00:00Z")
    told = {"status": "CONNECTED", "tariff": {"display_name": "Steps"}}
    monkeypatch.setattr(flatpeak, "location", lambda location_id: {"timezone": "Europe/London"})
    monkeypatch.setattr(flatpeak, "location_status", lambda location_id: {"tariff_status": {"commodity_import": told}})
    details.complete(tariff)
    tariff = Tariff.objects.get()
    assert (tariff.tiered, tariff.contract_end) == (True, date(2027, 6, 15))
    told["tariff"]["tiered"] = False
    details.complete(tariff)
    assert not Tariff.objects.get().tiered


@pytest.mark.parametrize(
    ("told", "tiered"),
    [({"tiered": True}, True), ({"tiered": None}, False), ({"tiered": "true"}, False), ({"name": None}, True)],
)
def test_a_saved_tariff_has_steps_where_its_summary_says_so(tariffs, told, tiered):
    """The last has no summary: it is being read, and may well be the one that is known."""
    tariffs.save("Steps", tiered=True)
    tariffs.save(**{"name": "Steps"} | told)
    assert Tariff.objects.get().tiered is tiered


# --- in the sandbox


def test_a_tariff_with_steps_says_so_from_its_summary_on(walk):
    walk.to_providers().provider("Test: tiered").log_in_at_provider()
    assert STEPS in walk.text
    walk.act("SAVE")
    location = Location.objects.get()
    assert STEPS in walk.get(f"/locations/{location.pk}/").text
    assert "lowest step" in walk.get("/locations/").text
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"}).act("EDIT")
    walk.provider("Ecotricity").answer(options="FIXED").answer(cost="31").name_and_term("Dearer").act("SAVE")
    assert STEPS not in walk.get(f"/locations/{location.pk}/").text


def test_a_summary_of_what_is_sold_in_steps_says_so_in_its_words(walk):
    walk.to_providers(direction="EXPORT").provider("Test: tiered").log_in_at_provider()
    assert "The price depends on how much you sell. Shown is the lowest step." in walk.text


def test_a_customer_who_changes_the_price_sees_the_new_one_at_once(walk):
    walk.fixed("28.15")
    location = Location.objects.get()
    ahead = str(timezone.now().date() + timedelta(days=5))
    walk.get(f"/locations/{location.pk}/day/", data={"date": ahead})
    assert "28.15p" in walk.text
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"}).act("EDIT")
    walk.provider("Ecotricity").answer(options="FIXED").answer(cost="31").name_and_term("Dearer").act("SAVE")
    assert ConnectSession.objects.order_by("-started_at")[0].state == "connected"
    for path in (f"day/?date={ahead}", f"rates.csv?start={ahead}", f"rates.json?start={ahead}", ""):
        walk.get(f"/locations/{location.pk}/{path}")
        assert "28.15p" not in walk.text
        assert "0.2815" not in walk.text
        assert "31.00p" in walk.text or "0.31," in walk.text or '"rate": "0.31"' in walk.text
