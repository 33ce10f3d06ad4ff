"""The exchange: the ids are stored once, for one user, whenever FlatPeak gives them."""

import io
import logging

import pytest
from django.core.management import CommandError, call_command

from connect_ui.models import ConnectSession
from tariffs import details, flatpeak, storing
from tariffs.models import Customer, Location, Tariff
from tests.walk import Walk

pytestmark = pytest.mark.django_db
State = ConnectSession.State


@pytest.fixture
def exchange_fails(monkeypatch):
    working = flatpeak.exchange

    def switch(error=None):
        def fail(*told):
            raise error

        monkeypatch.setattr(flatpeak, "exchange", fail if error else working)

    return switch


DOWN = flatpeak.Unavailable("GET /connect/tariff/token: no answer (ReadTimeout)")


def test_a_callback_twice_or_late_changes_nothing(walk, sandbox):
    walk.fixed()
    before = sandbox.counts["exchange"]
    for _ in range(2):
        walk.get("/connect/callback/", data={"fp_cot": walk.token})
        assert "Your tariff is connected." in walk.see().text
    assert sandbox.counts["exchange"] == before == 1
    assert (Location.objects.count(), Tariff.objects.count(), Customer.objects.count()) == (1, 1, 1)


def test_where_the_tariff_was_deleted_since_its_end_leads_to_the_location_and_says_nothing(walk):
    walk.fixed().see()
    Tariff.objects.all().delete()
    walk.get(f"/connect/{walk.session.pk}/")
    assert walk.path == f"/locations/{walk.session.location_id}/"
    assert "Your tariff is" not in walk.see().text


def test_the_callback_address_leads_at_once_to_one_without_the_token(walk, client):
    walk.fixed()
    response = client.get("/connect/callback/", {"fp_cot": walk.token})
    assert response["Location"] == f"/connect/{walk.session.pk}/called-back/"


def test_a_callback_before_the_end_is_not_the_end(walk, sandbox):
    walk.by_hand()
    walk.get("/connect/callback/", data={"fp_cot": walk.token})
    assert walk.route == "rate_fixed_capture"
    assert walk.session.state == State.OPEN
    assert walk.answer(cost="28.15").route == "tariff_name_capture"


def test_an_exchange_that_fails_stays_owed_and_the_next_visit_finishes_it(walk, exchange_fails, later):
    exchange_fails(DOWN)
    walk.fixed()
    assert "Almost done" in walk.text
    assert 'http-equiv="refresh"' in walk.response.content.decode()
    assert walk.session.state == State.OWED
    walk.get("/locations/")
    assert "Being finished" in walk.text
    exchange_fails()
    walk.get(f"/connect/{walk.session.pk}/")
    assert "Almost done" in walk.text  # it was asked a moment ago
    later(minutes=2)
    walk.get(f"/connect/{walk.session.pk}/")
    assert "Your tariff is connected." in walk.see().text


def test_the_next_visit_to_the_front_page_finishes_it_too_and_a_head_does_not(walk, exchange_fails, later, client, bob):
    exchange_fails(DOWN)
    walk.fixed()
    exchange_fails()
    later(minutes=2)
    client.head("/")
    assert walk.session.state == State.OWED
    alice = walk.session.user
    client.force_login(bob)
    client.get("/")
    assert walk.session.state == State.OWED
    client.force_login(alice)
    walk.get("/")
    assert walk.path == f"/locations/{walk.session.location_id}/"
    assert "1 Example Street" in walk.see().text
    assert "Being finished" not in walk.get("/locations/").text


def test_exchange_pending_finishes_what_is_owed(walk, exchange_fails, later):
    exchange_fails(DOWN)
    walk.fixed()
    exchange_fails()

    def run():
        out = io.StringIO()
        call_command("exchange_pending", stdout=out)
        return out.getvalue()

    assert run() == "exchanges: 0 tried, 0 failed, 0 left\n"
    exchange_fails(DOWN)
    later(minutes=2)
    with pytest.raises(CommandError, match="exchanges: 1 tried, 1 failed, 0 left"):
        run()
    exchange_fails()
    later(minutes=2)
    assert run() == "exchanges: 1 tried, 0 failed, 0 left\n"
    assert walk.session.state == State.CONNECTED
    assert walk.session.tariff.name == "Simple"


def test_what_another_account_of_flatpeak_owes_is_not_this_ones(walk, exchange_fails, later, settings):
    exchange_fails(DOWN)
    walk.fixed()
    exchange_fails()
    later(minutes=2)
    for realm, live in (("acc_real", False), ("sandbox", True)):
        settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE = realm, live
        out = io.StringIO()
        call_command("exchange_pending", stdout=out)
        assert out.getvalue() == "exchanges: 0 tried, 0 failed, 0 left\n"


def test_an_exchange_that_is_refused_stays_owed_and_is_reported_once(walk, caplog, sandbox):
    walk.by_hand().answer(cost="28.15").name_and_term()
    with sandbox.lock:
        sandbox.set_faults([{"call": "exchange", "fault": "status_409"}])
    with caplog.at_level(logging.INFO):
        walk.act("SAVE")
    assert walk.session.state == State.OWED
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("GET /connect/tariff/token: 409 conflict, request req_")
    assert record.getMessage().endswith(f", for session {walk.session.pk}")


def test_an_exchange_under_way_is_not_made_twice(walk, exchange_fails, later, sandbox):
    exchange_fails(DOWN)
    walk.fixed()
    exchange_fails()
    later(minutes=2)
    before = sandbox.counts["exchange"]
    assert ConnectSession.objects.get().claim()
    call_command("exchange_pending", stdout=io.StringIO())
    walk.get("/connect/callback/", data={"fp_cot": walk.token})
    assert sandbox.counts["exchange"] == before


def test_the_second_field_name_for_processed_is_understood(walk, sandbox):
    sandbox.state["switches"]["exchange_field"] = "tariff_available"
    walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider().act("SAVE")
    assert Tariff.objects.get().state == Tariff.State.PENDING


def test_details_that_fail_are_fetched_with_the_rates(walk, monkeypatch, sandbox):
    def fail(location_id):
        raise DOWN

    monkeypatch.setattr(flatpeak, "location", fail)
    walk.fixed()
    location = Location.objects.get()
    assert location.time_zone == ""
    monkeypatch.undo()
    assert "28.15p" in walk.see().text


def test_one_customer_is_one_customer_at_flatpeak_too(walk):
    walk.fixed().fixed(cost="30")
    assert (Customer.objects.count(), Location.objects.count()) == (1, 2)


@pytest.mark.parametrize("which", ["location_id", "customer_id"])
def test_an_id_of_another_user_is_stored_for_neither_and_reported(walk, client, bob, monkeypatch, caplog, which):
    walk.fixed()
    location = Location.objects.get()
    theirs = {"location_id": location.location_id, "customer_id": location.customer.customer_id}
    working = flatpeak.exchange
    monkeypatch.setattr(flatpeak, "exchange", lambda *told: working(*told) | {which: theirs[which]})
    client.force_login(bob)
    bobs = Walk(client).fixed()
    assert "This address is in another account" in bobs.text
    assert bobs.session.state == State.CONFLICT
    assert "is stored for another user" in caplog.text
    assert Location.objects.get().customer.user.email == "alice@example.com"
    assert not Customer.objects.filter(user=bob).exclude(customer_id="").exists()


def test_ids_of_another_account_are_shown_and_never_sent(walk, sandbox, settings):
    walk.fixed()
    location = Location.objects.get()
    settings.FLATPEAK_REALM = "acc_real"
    before = sum(sandbox.counts.values())
    walk.get("/locations/")
    assert "Belongs to the sandbox" in walk.text
    walk.get(f"/locations/{location.pk}/")
    assert "belongs to the sandbox" in walk.text
    assert sum(sandbox.counts.values()) == before
    walk.start()
    token = list(sandbox.state["tokens"].values())[-1]
    assert not token.get("customer_id")
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"})
    assert walk.response.status_code == 422


def test_storing_again_is_the_same(alice):
    ids = {"customer_id": "cus_1", "location_id": "loc_1"}
    about = storing.Connected(
        "IMPORT", "COMMODITY", "connected", {"provider": "P" * 400, "contract_end": "2027-06-15T00:00:00Z"}
    )
    first, second = (storing.store(alice.pk, ids, about) for _ in range(2))
    assert first == second
    assert len(second.provider) == 300
    assert not second.contract_open_ended
    assert str(Tariff.objects.get().contract_end) == "2027-06-15"


@pytest.mark.parametrize(
    ("end", "day", "open_ended"),
    [
        ("0001-01-01T00:00:00Z", None, True),
        ("nonsense", None, False),
        ("2027-06-15T00:00:00Z", "2027-06-15", False),
        ("2027-06-15T00:00:00.000Z", "2027-06-15", False),
        ("2027-06-15", "2027-06-15", False),
        ("0001-01-01", None, True),
    ],
)
def test_a_contract_has_an_end_none_or_an_unknown_one(alice, end, day, open_ended):
    facts = details.facts({"tariff": {"contract_end_date": end}})
    about = storing.Connected("IMPORT", "COMMODITY", "connected", facts)
    tariff = storing.store(alice.pk, {"customer_id": "cus_1", "location_id": "loc_1"}, about)
    assert (tariff.contract_end and str(tariff.contract_end), tariff.contract_open_ended) == (day, open_ended)


@pytest.mark.parametrize("state", ["connected", "pending", "disconnected"])
def test_the_end_of_an_old_contract_is_not_the_new_ones(alice, state):
    ids = {"customer_id": "cus_1", "location_id": "loc_1"}
    ended = details.facts({"tariff": {"contract_end_date": "2019-03-31T00:00:00Z"}})
    unknown = details.facts({"tariff": {"contract_end_date": None}})
    storing.store(alice.pk, ids, storing.Connected("IMPORT", "COMMODITY", "connected", ended))
    storing.store(alice.pk, ids, storing.Connected("IMPORT", "COMMODITY", state, unknown))
    assert (Tariff.objects.get().contract_end is None) is (state != "disconnected")


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("fault", ["missing_field", "wrong_value"])
def test_an_exchange_without_a_customer_id_stores_the_location(walk, sandbox, fault, value):
    more = {"value": value} if fault == "wrong_value" else {}
    with sandbox.lock:
        sandbox.set_faults([{"call": "exchange", "fault": fault, "field": "customer_id", "times": 2} | more])
    walk.fixed()
    assert "Your tariff is connected." in walk.see().text
    assert Customer.objects.get().locations.get().location_id
    walk.fixed()
    assert Customer.objects.get().locations.count() == 2


def test_an_exchange_without_a_customer_id_leaves_one_that_is_known(alice):
    about = storing.Connected("IMPORT", "COMMODITY", "connected", {})
    first = storing.store(alice.pk, {"customer_id": "cus_1", "location_id": "loc_1"}, about)
    assert storing.store(alice.pk, {"customer_id": "", "location_id": "loc_1"}, about) == first
    assert Customer.objects.get().customer_id == "cus_1"


@pytest.mark.parametrize("taken", [{"user": "bob"}, {"account": "acc_real"}, {"live_mode": True}], ids=str)
def test_an_id_is_written_to_no_customer_of_another_user_account_or_mode(alice, bob, taken):
    facts = {"user": alice, "account": "sandbox", "live_mode": False} | taken
    other = Customer.objects.create(**facts | {"user": bob if facts["user"] == "bob" else alice})
    for customer_id in ("", "cus_1"):
        about = storing.Connected("IMPORT", "COMMODITY", "connected", {})
        tariff = storing.store(alice.pk, {"customer_id": customer_id, "location_id": "loc_1"}, about)
        assert tariff.location.customer != other
        assert tariff.location.customer.user == alice
    other.refresh_from_db()
    assert other.customer_id == ""


def test_a_country_in_small_letters_is_stored_in_capitals(walk, monkeypatch):
    working = flatpeak.location

    def small(location_id):
        found = working(location_id)
        return found | {"postal_address": found["postal_address"] | {"country_code": "gb"}}

    monkeypatch.setattr(flatpeak, "location", small)
    walk.fixed()
    assert Location.objects.get().country_code == "GB"


def test_two_who_store_the_same_at_once_end_with_one(alice, monkeypatch):
    """The other request's rows appear between the look and the write."""
    ids = {"customer_id": "cus_1", "location_id": "loc_1"}
    about = storing.Connected("IMPORT", "COMMODITY", "connected", {})
    working, calls = storing._store, []

    def race(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            working(*arguments)
            from django.db import IntegrityError

            raise IntegrityError
        return working(*arguments)

    monkeypatch.setattr(storing, "_store", race)
    storing.store(alice.pk, ids, about)
    assert (Location.objects.count(), Tariff.objects.count(), Customer.objects.count()) == (1, 1, 1)


def test_the_token_is_in_no_page_row(walk):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider().act("SAVE")
    token = walk.token
    assert all(token not in str(page.body) + str(page.answer) for page in walk.session.pages.all())


@pytest.mark.parametrize(("processed", "state"), [(True, "connected"), (False, "disconnected")])
def test_a_lost_disconnection_counts_if_flatpeak_has_no_tariff(walk, sandbox, monkeypatch, processed, state):
    walk.fixed().start(location=Location.objects.get().pk)
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect", "fault": "answer_lost"}])
    walk.act("DISCONNECT")
    assert walk.session.doubtful
    working, told = flatpeak.exchange, {"is_tariff_processed": processed, "complete_action": ""}
    monkeypatch.setattr(flatpeak, "exchange", lambda *call: working(*call) | told)
    walk.get("/connect/callback/", data={"fp_cot": walk.token})
    assert Tariff.objects.get().state == state


@pytest.mark.parametrize("call", ["answer", "exchange"])
def test_a_session_that_is_deleted_while_flatpeak_answers_stays_deleted_and_is_no_error(walk, monkeypatch, call):
    walk.by_hand().answer(cost="28.15").name_and_term()
    working = getattr(flatpeak, call)

    def meanwhile(*arguments, **options):
        answer = working(*arguments, **options)
        ConnectSession.objects.all().delete()
        return answer

    monkeypatch.setattr(flatpeak, call, meanwhile)
    walk.act("SAVE")
    assert walk.response.status_code == 404
    assert not ConnectSession.objects.exists()
