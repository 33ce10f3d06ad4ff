"""FlatPeak's events: who may send one, what is kept of it, and what a worker makes of it."""

import json
import logging
import socket
import time
from datetime import timedelta
from itertools import permutations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession
from flatpeak_app.operations.events import COMPLETE, handle
from flatpeak_app.operations.queues import EVENTS, Run
from sandbox.codec import dumps
from sandbox.events import between, see
from tariffs import flatpeak
from tariffs.flatpeak import signatures
from tariffs.models import Erasure, Event, Location, Tariff, Wait
from tests.walk import Walk

pytestmark = pytest.mark.django_db
PATH = "/flatpeak/events/"
State = ConnectSession.State


class Sender:
    """FlatPeak, which signs with the sandbox's keys and has no cookie."""

    def __init__(self, sandbox):
        self.client, self.keys, self.number = Client(enforce_csrf_checks=True), sandbox.events.keys, 0

    def body(self, type, data, **more):
        self.number += 1
        said = {"id": f"evt_{self.number}", "object": "event", "type": type, "data": data}
        return json.dumps(said | {"time_created": timezone.now().isoformat()} | more).encode()

    def signed(self, body, age=timedelta()):
        return self.keys.headers(body, timezone.now() - age, "signed")

    def deliver(self, body, headers):
        return self.client.post(PATH, body, content_type="application/json", headers=headers)

    def send(self, type, data, **more):
        body = self.body(type, data, **more)
        response = self.deliver(body, self.signed(body))
        assert response.status_code == 204
        assert response.content == b""
        return Event.objects.order_by("-received_at")[0]


@pytest.fixture
def sender(sandbox, settings):
    settings.FLATPEAK_EVENTS = True
    return Sender(sandbox)


@pytest.fixture
def place(walk):
    """FlatPeak's id of a connected location, whose rates are not due."""
    walk.fixed()
    location = Location.objects.get()
    walk.get(f"/locations/{location.pk}/")
    assert not is_due(Tariff.objects.get())
    return location.location_id


def is_due(tariff):
    tariff.refresh_from_db()
    return tariff.due_at is not None and tariff.due_at <= timezone.now()


def work():
    run = Run(EVENTS)
    run.work()
    return run.tried, run.failed


def about(tariff):
    return {"location_id": tariff.location.location_id, "tariff_id": tariff.tariff_id, "live_mode": False}


# Who may send


def test_there_is_no_such_address_unless_it_is_switched_on(client, sandbox, settings):
    sender = Sender(sandbox)
    body = sender.body("location.update", {})
    assert sender.deliver(body, sender.signed(body)).status_code == 404
    assert client.get(PATH).status_code == 404
    settings.FLATPEAK_EVENTS = True
    assert client.get(PATH).status_code == 405
    assert sender.deliver(body, sender.signed(body)).status_code == 204


WRONG = {
    "no signature": {"Flatpeak-Signature": None},
    "none": {"Flatpeak-Signature": "none"},
    "a scheme from the future": {"Flatpeak-Signature": "v2=YWJj"},
    "no base64": {"Flatpeak-Signature": "v1=!!!!"},
    "a cut signature": {"Flatpeak-Signature": "v1=YWJj"},
    "an empty signature": {"Flatpeak-Signature": "v1="},
    "no time": {"Flatpeak-Timestamp": None},
    "no number": {"Flatpeak-Timestamp": "-100000000"},
    "a time in other digits": {"Flatpeak-Timestamp": "١٧٨١٠٩٢٨٠٠"},
    "another time": {"Flatpeak-Timestamp": "1"},
    "no key": {"Flatpeak-Key-ID": None},
    "an unknown key": {"Flatpeak-Key-ID": "wsk_live_1"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_flatpeak_has_not_signed_is_refused(sender, wrong):
    body = sender.body("location.update", {"id": "loc_1"})
    headers = {name: value for name, value in (sender.signed(body) | wrong).items() if value is not None}
    assert sender.deliver(body, headers).status_code == 401
    assert not Event.objects.exists()


@pytest.mark.parametrize("where", ["a body", "a time", "a key"])
def test_a_signature_is_of_one_body_time_and_key(sender, where):
    body = sender.body("location.update", {"id": "loc_1"})
    headers = sender.signed(body)
    if where == "a body":
        body += b" "
    elif where == "a time":
        headers["Flatpeak-Timestamp"] = str(int(headers["Flatpeak-Timestamp"]) - 1)
    else:
        sender.keys.rotate()
        headers["Flatpeak-Key-ID"] = sender.keys.listed[-1].id
    assert sender.deliver(body, headers).status_code == 401


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(hours=71), 204),
        (timedelta(hours=73), 401),
        (-timedelta(minutes=4), 204),
        (-timedelta(minutes=6), 401),
    ],
)
def test_a_signature_lasts_for_all_of_flatpeaks_attempts(sender, age, status):
    body = sender.body("location.update", {"id": "loc_1"})
    assert sender.deliver(body, sender.signed(body, age)).status_code == status


@pytest.mark.parametrize(("debug", "status"), [(True, 204), (False, 401)])
def test_an_unsigned_event_is_taken_while_debugging_only(sender, settings, debug, status):
    settings.DEBUG = debug
    body = sender.body("location.update", {"id": "loc_1"})
    assert sender.deliver(body, {"Flatpeak-Signature": "none"}).status_code == status
    wrong = sender.signed(body) | {"Flatpeak-Signature": "v1=YWJj"}
    assert sender.deliver(body, wrong).status_code == 401


def test_the_keys_are_fetched_once_and_again_for_an_unknown_one_once_a_minute(sender, sandbox, later, empty_cache):
    def deliver(**changed):
        body = sender.body("location.update", {"id": "loc_1"})
        return sender.deliver(body, sender.signed(body) | changed).status_code

    assert [deliver(), deliver()] == [204, 204]
    assert sandbox.counts["jwks"] == 1
    sender.keys.rotate()
    assert [deliver(), deliver()] == [401, 401]  # a minute has not passed
    assert sandbox.counts["jwks"] == 1
    signatures.cache.delete(signatures.ASKED)  # it has
    forged = {"Flatpeak-Key-ID": "wsk_live_1"}
    assert [deliver(), deliver(), deliver(**forged), deliver(**forged)] == [204, 204, 401, 401]
    assert sandbox.counts["jwks"] == 2


def test_keys_are_kept_for_an_hour_and_are_asked_for_anew_after_a_minute(sender, monkeypatch):
    body, kept = sender.body("location.update", {"id": "loc_1"}), {}
    monkeypatch.setattr(signatures.cache, "set", lambda key, value, seconds: kept.update({key: seconds}))
    assert sender.deliver(body, sender.signed(body)).status_code == 204
    assert kept == {signatures.KEYS: 3600, signatures.ASKED: 60}


def test_an_event_is_sent_again_if_the_keys_cannot_be_had(sender, sandbox):
    body = sender.body("location.update", {"id": "loc_1"})
    headers = sender.signed(body)
    sandbox.state["switches"]["event_signature"] = "no_jwks"
    assert [sender.deliver(body, headers).status_code for _ in range(3)] == [503] * 3
    assert sandbox.counts["jwks"] == 1
    sandbox.state["switches"]["event_signature"] = "signed"
    signatures.cache.delete(signatures.ASKED)
    assert sender.deliver(body, headers).status_code == 204


def test_silent_keys_are_not_waited_for_longer_than_flatpeak_waits_for_us(sender, settings, monkeypatch):
    monkeypatch.setattr(signatures, "SECONDS", 0.4)
    body = sender.body("location.update", {"id": "loc_1"})
    headers = sender.signed(body)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.FLATPEAK_API_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        assert sender.deliver(body, headers).status_code == 503
        assert time.monotonic() - began < settings.FLATPEAK_READ_TIMEOUT
    assert signatures.SECONDS < 10


def test_keys_that_are_no_keys_are_left_out(sender, monkeypatch):
    listed = sender.keys.public()["keys"]
    odd = [None, "key", {}, {**listed[0], "kty": "EC"}, {**listed[0], "n": "AQAB"}, {**listed[0], "e": "Aw"}]
    odd += [{**listed[0], "n": 7}, {**listed[0], "n": "§"}, {**listed[0], "kid": None}]
    monkeypatch.setattr(signatures, "ask", lambda *call, **options: {"keys": odd})
    assert signatures.published_keys() == {}
    monkeypatch.setattr(signatures, "ask", lambda *call, **options: {"keys": odd + listed})
    assert set(signatures.published_keys()) == {key["kid"] for key in listed}


@pytest.mark.parametrize("answer", [{}, {"keys": None}, {"keys": {}}], ids=str)
def test_an_answer_without_a_list_of_keys_is_as_good_as_none(sender, monkeypatch, answer):
    body = sender.body("location.update", {"id": "loc_1"})
    headers = sender.signed(body)
    monkeypatch.setattr(sender.keys, "public", lambda: answer)
    assert sender.deliver(body, headers).status_code == 503


# What is kept


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'"text"',
        b"\xff",
        b'{"a":' * 9999,
        b'{"type": "location.update"}',
        b'{"id": "evt_1"}',
        b'{"id": 7, "type": "location.update"}',
        b'{"id": "evt_1", "type": ["location.update"]}',
        b'{"id": "evt 1", "type": "location.update"}',
        b'{"id": "' + b"e" * 101 + b'", "type": "location.update"}',
    ],
)
def test_what_is_no_event_is_refused(sender, body):
    assert sender.deliver(body, sender.signed(body)).status_code == 400
    assert not Event.objects.exists()


def test_a_body_that_is_too_long_is_not_read(sender, settings, sandbox):
    body = sender.body("location.update", {"id": "loc_1", "more": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    assert sender.deliver(body, sender.signed(body)).status_code == 400
    assert sandbox.counts["jwks"] == 0


@pytest.mark.parametrize(
    "data", [{}, None, [], "text", {"id": 7, "location_id": ["loc_1"], "tariff_id": {}}, {"id": "\0"}]
)
@pytest.mark.parametrize("type", ["location.update", *COMPLETE, "tariff.expired", "invoice.from.the.future"])
def test_odd_data_is_stored_and_harms_nobody(sender, type, data):
    event = sender.send(type, data)
    assert (event.location_id, event.tariff_id, event.session) == ("", "", None)
    work()
    event.refresh_from_db()
    assert event.handled_at
    assert event.last_result in ("unknown", "ignored")


def test_an_event_is_stored_once(sender, place):
    body = sender.body("location.update", {"id": place})
    assert [sender.deliver(body, sender.signed(body)).status_code for _ in range(3)] == [204] * 3
    assert Event.objects.count() == 1
    assert work() == (1, 0)
    assert sender.deliver(body, sender.signed(body)).status_code == 204
    assert work() == (0, 0)


def test_an_event_of_an_unknown_type_is_stored_and_asks_for_nothing(sender, place):
    event = sender.send("invoice.created", {"id": "inv_1", "location_id": place})
    assert (event.type, event.location_id, event.last_result) == ("invoice.created", place, "ignored")
    assert event.handled_at
    assert work() == (0, 0)


def test_an_event_is_of_the_account_and_mode_in_use(sender, settings):
    settings.FLATPEAK_REALM = "acc_other"
    body = sender.body("location.update", {"id": "loc_1"})
    sender.deliver(body, sender.signed(body) | {"Flatpeak-Version": "2025-09-14.anode"})
    event = Event.objects.get()
    assert (event.account, event.live_mode, event.flatpeak_version) == ("acc_other", False, "2025-09-14.anode")
    settings.FLATPEAK_REALM = "sandbox"
    assert work() == (0, 0)


def test_no_token_and_no_address_is_kept_or_logged(sender, walk, caplog):
    walk.start()
    address = {"address_line1": "7 Secret Street", "post_code": "N1 1AA"}
    with caplog.at_level(logging.DEBUG):
        event = sender.send(COMPLETE[0], {"id": walk.token, "postal_address": address, "email": "alice@example.com"})
        event = Event.objects.filter(pk=event.pk).values().get()
        sender.deliver(b"{" + walk.token.encode(), sender.signed(b"{" + walk.token.encode()))
        sender.deliver(sender.body(COMPLETE[0], {"id": walk.token}), {"Flatpeak-Signature": "none"})
        work()
    assert event["session"] == walk.session.pk
    for text in (f"{event}", caplog.text):
        for secret in (walk.token, walk.token[4:], "Secret", "N1 1AA", "alice@"):
            assert secret not in text
    assert caplog.text.count("an event was refused") == 2


def test_an_event_is_taken_with_two_queries_at_most(sender, walk):
    walk.start()
    sender.send("location.update", {"id": "loc_1"})
    with CaptureQueriesContext(connection) as queries:
        body = sender.body(COMPLETE[0], {"id": walk.token})
        sender.deliver(body, sender.signed(body))
    assert len(queries) <= 2


# The end of a conversation


def lost_at_the_end(walk, sandbox, later):
    """A conversation whose last answer was lost, and that the customer has left."""
    walk.by_hand().answer(cost="28.15").name_and_term()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect", "fault": "answer_lost"}])
    walk.act("SAVE")
    assert walk.session.state == State.OPEN
    return walk.session


@pytest.mark.parametrize("type", COMPLETE)
@pytest.mark.parametrize("field", ["id", "connect_token"])
def test_a_conversation_that_was_left_at_its_end_is_settled(sender, walk, sandbox, later, type, field):
    lost_at_the_end(walk, sandbox, later)
    sender.send(type, {field: walk.token, "location_id": "loc_x"} if field == "id" else {field: walk.token})
    assert work() == (0, 0)  # the customer may still be there
    assert walk.session.state == State.OPEN
    assert sandbox.counts["exchange"] == 0
    later(minutes=16)
    work()
    assert walk.session.state == State.CONNECTED
    assert Tariff.objects.get().name == "Simple"
    assert Event.objects.get().last_result == "done"


def test_an_owed_exchange_is_made_at_once(sender, walk, sandbox, later, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *call: (_ for _ in ()).throw(flatpeak.Unavailable("down")))
        walk.fixed()
    assert walk.session.state == State.OWED
    sender.send(COMPLETE[0], {"id": walk.token})
    later(minutes=2)
    assert work() == (1, 0)
    assert walk.session.state == State.CONNECTED


def test_a_conversation_that_is_over_stays_as_it_is_and_its_rates_become_due(sender, walk, place, sandbox):
    before = ConnectSession.objects.values().get()
    exchanges = sandbox.counts["exchange"]
    for _ in range(2):
        sender.send(COMPLETE[0], {"id": walk.token})
        assert work() == (1, 0)
    assert is_due(Tariff.objects.get())
    assert ConnectSession.objects.values().get() == before
    assert sandbox.counts["exchange"] == exchanges


def test_a_conversation_without_a_location_is_tried_until_its_token_expires(sender, walk, later):
    walk.by_hand()
    event = sender.send(COMPLETE[0], {"id": walk.token})
    for hours in (0, 1, 8):
        later(hours=hours)
        work()
        event.refresh_from_db()
        assert (event.last_result, event.handled_at) == ("busy", None)
    assert walk.session.state == State.OPEN
    later(hours=24)
    work()
    event.refresh_from_db()
    assert event.handled_at
    assert Location.objects.count() == 0


def test_a_conversation_is_found_by_its_location_if_the_event_names_no_token(sender, walk, place, sandbox, later):
    location = Location.objects.get()
    walk.post("/connect/", {"location": str(location.pk), "direction": "IMPORT"})
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect", "fault": "answer_lost"}])
    walk.act("SAVE")
    assert walk.session.state == State.OPEN
    sender.send(COMPLETE[0], {"location_id": place})
    later(minutes=16)
    work()
    assert walk.session.state == State.CONNECTED


def test_a_conversation_that_is_held_for_a_login_is_left_alone(sender, walk, sandbox, later):
    walk.start()
    ConnectSession.objects.update(login=ConnectSession.Login.ASKED)
    sender.send(COMPLETE[0], {"id": walk.token})
    later(minutes=16)
    work()
    assert sandbox.counts["exchange"] == 0
    assert (walk.session.state, walk.session.due_at) == (State.OPEN, None)
    assert Event.objects.get().handled_at


def test_an_event_about_an_unknown_conversation_asks_for_nothing(sender, sandbox):
    sender.send(COMPLETE[0], {"id": "cot_elsewhere", "location_id": "loc_elsewhere"})
    assert work() == (1, 0)
    assert Event.objects.get().last_result == "unknown"


def test_a_conversation_that_is_not_known_makes_the_rates_of_its_location_due(sender, place):
    sender.send(COMPLETE[0], {"location_id": place})
    assert work() == (1, 0)
    assert is_due(Tariff.objects.get())
    assert Event.objects.get().last_result == "done"
    sender.send(COMPLETE[0], {"location_id": "loc_x"})
    assert work() == (1, 0)
    assert Event.objects.get(location_id="loc_x").last_result == "unknown"


def test_an_event_leaves_alone_who_still_looks_at_the_summary(sender, walk, sandbox, later):
    sandbox.speak("anode")
    walk.by_hand().answer(cost="28.15").name_and_term()
    for _ in range(2):
        later(minutes=10)
        walk.get(f"/connect/{walk.session.pk}/{walk.session.newest}/")
    sender.send(COMPLETE[0], {"id": walk.token})
    work()
    assert (walk.session.state, sandbox.counts["exchange"]) == (State.OPEN, 0)
    later(minutes=16)
    work()
    assert walk.session.state == State.CONNECTED


# A location and its tariffs


@pytest.mark.parametrize("type", ["location.update", "locaiton.update"])
@pytest.mark.parametrize("field", ["id", "location_id"])
def test_a_changed_location_makes_its_rates_due(sender, place, type, field):
    sender.send(type, {field: place})
    assert work() == (1, 0)
    assert is_due(Tariff.objects.get())
    assert Event.objects.get().last_result == "done"


def test_a_call_under_way_may_have_asked_before_the_change_so_its_answer_is_not_stored(sender, place):
    tariff = Tariff.objects.get()
    tariff.claim()
    sender.send("location.update", {"id": place})
    assert work() == (1, 0)
    tariff.succeeded(timezone.now() + timedelta(days=1))
    assert not tariff.release()
    assert is_due(tariff)


def test_a_disconnected_tariff_is_not_woken(sender, place):
    Tariff.objects.update(state=Tariff.State.DISCONNECTED, due_at=None)
    sender.send("location.update", {"id": place})
    work()
    assert Tariff.objects.get().due_at is None


def test_buying_and_selling_are_told_apart_by_flatpeaks_id(sender, walk, place):
    walk.post("/connect/", {"location": str(Location.objects.get().pk), "direction": "EXPORT"})
    walk.provider("Ecotricity").answer(options="FIXED").answer(cost="11").name_and_term("Sold").act("SAVE")
    buys, sells = (Tariff.objects.get(direction=direction) for direction in ("IMPORT", "EXPORT"))
    assert buys.tariff_id[:4] == sells.tariff_id[:4] == "trf_"
    assert buys.tariff_id != sells.tariff_id
    sender.send("tariff.connection.upgrade", about(sells))
    assert work() == (1, 0)
    buys.refresh_from_db()
    sells.refresh_from_db()
    assert (buys.upgrade_since, bool(sells.upgrade_since)) == (None, True)


def test_a_better_connection_is_told_until_the_tariff_is_connected_again(sender, walk, place):
    tariff = Tariff.objects.select_related("location").get()
    page = f"/locations/{tariff.location.pk}/"
    said = "Your provider now has a sign-in for this tariff"
    assert said not in walk.get(page).text
    sender.send("tariff.connection.upgrade", about(tariff))
    work()
    assert said in walk.get(page).text
    walk.post("/connect/", {"location": str(tariff.location.pk), "direction": "IMPORT"}).act("SAVE")
    tariff.refresh_from_db()
    assert tariff.upgrade_since is None
    assert said not in walk.get(page).text


def test_a_better_connection_is_not_told_of_a_tariff_that_is_disconnected(walk, place):
    Tariff.objects.update(upgrade_since=timezone.now())
    for path in ("", "tariff/"):
        page, said = f"/locations/{Location.objects.get().pk}/{path}", "Your provider now has a sign-in for this tariff"
        Tariff.objects.update(state=Tariff.State.CONNECTED)
        assert said in walk.get(page).text
        Tariff.objects.update(state=Tariff.State.DISCONNECTED)
        assert said not in walk.get(page).text


def test_a_contract_that_ended_has_its_last_day_from_the_event_if_flatpeak_names_none(sender, walk, place):
    tariff = Tariff.objects.select_related("location").get()
    event = sender.send("tariff.expired", about(tariff))
    work()
    tariff.refresh_from_db()
    assert tariff.contract_end == event.told_at.astimezone(tariff.location.local_zone).date()
    assert is_due(tariff)


@pytest.mark.parametrize(("zone", "hour", "ahead"), [("Pacific/Kiritimati", 12, 1), ("Pacific/Pago_Pago", 5, -1)])
def test_the_last_day_of_a_contract_is_that_of_its_location(sender, place, monkeypatch, zone, hour, ahead):
    monkeypatch.setattr("tariffs.details.complete", lambda tariff: None)
    Location.objects.update(time_zone=zone)
    told = (timezone.now() - timedelta(days=2)).replace(hour=hour)
    sender.send("tariff.expired", about(Tariff.objects.get()), time_created=told.isoformat())
    work()
    assert Tariff.objects.get().contract_end == told.date() + timedelta(days=ahead)


@pytest.mark.parametrize("type", ["tariff.expired", "tariff.fetch.failed", "tariff.connection.upgrade"])
def test_an_event_is_not_believed_of_a_tariff_that_is_saved_while_it_is_handled(sender, place, monkeypatch, type):
    Tariff.objects.update(state=Tariff.State.PENDING, state_since=timezone.now() - timedelta(days=2))

    def saved_meanwhile(tariff):
        Tariff.objects.update(version=tariff.version + 1)

    monkeypatch.setattr("tariffs.details.complete", saved_meanwhile)
    sender.send(type, about(Tariff.objects.get()))
    work()
    tariff = Tariff.objects.get()
    assert (tariff.contract_end, tariff.state, tariff.upgrade_since) == (None, Tariff.State.PENDING, None)


def test_a_contract_keeps_the_last_day_that_flatpeak_names(sender, walk):
    walk.to_providers().provider("Test: contract ends in 8 days").log_in_at_provider()
    walk.act("SAVE")
    tariff = Tariff.objects.select_related("location").get()
    known = tariff.contract_end
    assert known
    Tariff.objects.update(contract_end=None)
    for type in ("tariff.expiring", "tariff.expired"):
        sender.send(type, about(tariff))
        work()
        tariff.refresh_from_db()
        assert tariff.contract_end == known


def test_a_pending_tariff_that_flatpeak_gave_up_has_failed_and_one_connected_since_has_not(sender, place, later):
    tariff = Tariff.objects.select_related("location").get()
    Tariff.objects.update(state=Tariff.State.PENDING, state_since=timezone.now())
    Wait.begin(tariff, timezone.now() - timedelta(hours=49))
    Wait.objects.update(due_at=None)
    old = (timezone.now() - timedelta(minutes=5)).isoformat()
    sender.send("tariff.fetch.failed", about(tariff), time_created=old)
    work()
    tariff.refresh_from_db()
    assert tariff.state == Tariff.State.PENDING
    later(minutes=1)
    sender.send("tariff.fetch.failed", about(tariff))
    work()
    tariff.refresh_from_db()
    assert tariff.state == Tariff.State.FAILED
    assert Wait.objects.get().due_at


def test_a_pending_tariff_whose_id_flatpeak_does_not_tell_is_meant_too(sender, place, monkeypatch):
    Tariff.objects.update(state=Tariff.State.PENDING, state_since=timezone.now() - timedelta(days=2), tariff_id="")
    told = {"tariff_status": {"commodity_import": {"status": "NOT_CONNECTED"}}}
    monkeypatch.setattr(flatpeak, "location_status", lambda location_id: told)
    tariff = Tariff.objects.select_related("location").get()
    sender.send("tariff.fetch.failed", about(tariff) | {"tariff_id": "trf_unknown"})
    work()
    tariff.refresh_from_db()
    assert tariff.state == Tariff.State.FAILED


def test_a_connected_tariff_fails_only_if_its_status_says_so(sender, place):
    tariff = Tariff.objects.select_related("location").get()
    sender.send("tariff.fetch.failed", about(tariff))
    work()
    tariff.refresh_from_db()
    assert tariff.state == Tariff.State.CONNECTED


def test_an_event_about_a_tariff_that_was_replaced_changes_nothing(sender, place):
    tariff = Tariff.objects.select_related("location").get()
    for type in ("tariff.expired", "tariff.fetch.failed", "tariff.connection.upgrade"):
        sender.send(type, about(tariff) | {"tariff_id": "trf_before"})
    work()
    tariff.refresh_from_db()
    assert (tariff.contract_end, tariff.state, tariff.upgrade_since) == (None, Tariff.State.CONNECTED, None)


def test_events_in_any_order_and_twice_end_alike(sender, place):
    tariff = Tariff.objects.select_related("location").get()
    types = ("location.update", "tariff.expired", "tariff.connection.upgrade")
    before = Tariff.objects.values().get()
    events = [sender.send(type, about(tariff) | {"id": place}) for type in types]
    found = []
    for order in [*permutations(events), events * 2]:
        Tariff.objects.update(**before)
        Event.objects.update(due_at=timezone.now(), handled_at=None, attempts=0)
        for event in order:
            event.refresh_from_db()
            handle(event)
        tariff.refresh_from_db()
        assert is_due(tariff)
        found.append((tariff.contract_end, tariff.state, tariff.upgrade_since, tariff.version))
    assert len(set(found)) == 1


# FlatPeak fails


def test_an_event_is_handled_later_if_flatpeak_fails(sender, place, sandbox, later):
    tariff = Tariff.objects.select_related("location").get()
    event = sender.send("tariff.expiring", about(tariff))
    with sandbox.lock:
        sandbox.set_faults([{"call": "status", "fault": "status_500"}])
    assert work() == (1, 1)
    event.refresh_from_db()
    assert (event.last_result, event.handled_at) == ("unavailable", None)
    assert work() == (0, 0)
    later(minutes=2)
    assert work() == (1, 0)


def test_an_event_about_what_is_gone_at_flatpeak_is_over(sender, place, sandbox):
    with sandbox.lock:
        sandbox.state["locations"].clear()
    sender.send("tariff.expiring", about(Tariff.objects.select_related("location").get()))
    assert work() == (1, 0)
    assert Event.objects.get().last_result == "gone"


@pytest.mark.parametrize(("status", "is_over"), [(404, True), (422, True), (409, False), (429, False)])
def test_only_a_refusal_that_says_there_is_nothing_is_the_end(sender, place, monkeypatch, status, is_over):
    def refuse(tariff):
        raise flatpeak.Rejected("", status, {})

    monkeypatch.setattr("tariffs.details.complete", refuse)
    event = sender.send("tariff.expiring", about(Tariff.objects.get()))
    assert handle(event) is is_over
    event.refresh_from_db()
    assert (event.due_at is None, event.last_result == "gone") == (is_over, is_over)


def test_of_two_workers_one_handles_an_event(sender, place):
    event = sender.send("location.update", {"id": place})
    same = Event.objects.get()
    assert (handle(event), handle(same)) == (True, None)


def test_the_command_handles_what_is_due(sender, place, capsys):
    sender.send("location.update", {"id": place})
    call_command("handle_events")
    assert capsys.readouterr().out == "events: 1 tried, 0 failed, 0 left\n"


# Staff, and how long it is kept


def test_staff_have_an_event_handled_again_and_the_log_says_who(sender, place, client, charlie):
    event = sender.send("location.update", {"id": place})
    work()
    tariff = Tariff.objects.get()
    tariff.succeeded(timezone.now() + timedelta(days=1))
    tariff.save()
    client.force_login(charlie)
    path = reverse("admin:tariffs_event_changelist")
    assert "location.update" in client.get(path).content.decode()
    answer = client.post(path, {"action": "handle_again", "_selected_action": [event.pk]}, follow=True)
    assert "1 is due now." in answer.content.decode()
    assert work() == (1, 0)
    assert is_due(tariff)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (charlie, str(event.pk), "Handled again.")


def test_staff_who_may_only_look_do_not(sender, place, client, charlie, django_user_model):
    event = sender.send("location.update", {"id": place})
    work()
    django_user_model.objects.filter(pk=charlie.pk).update(is_superuser=False)
    charlie.user_permissions.set(Permission.objects.filter(codename="view_event"))
    client.force_login(charlie)
    path = reverse("admin:tariffs_event_changelist")
    assert "Handle again" not in client.get(path).content.decode()
    client.post(path, {"action": "handle_again", "_selected_action": [event.pk]})
    assert work() == (0, 0)
    assert not LogEntry.objects.exists()


def test_an_event_that_is_late_needs_somebody(sender, place, client, charlie, sandbox, later):
    with sandbox.lock:
        sandbox.set_faults([{"call": "status", "fault": "status_500", "times": 0}])
    sender.send("tariff.expiring", about(Tariff.objects.select_related("location").get()))
    work()
    client.force_login(charlie)
    path = reverse("admin:connect_ui_attention")
    assert 'value="event"' not in client.get(path).content.decode()
    later(hours=2)
    client.force_login(charlie)  # the sign-in is older by now
    Event.objects.update(last_result="busy")
    assert 'value="event"' not in client.get(path).content.decode()  # it waits for a customer
    Event.objects.update(last_result="unavailable")
    shown = client.get(path).content.decode()
    assert 'value="event"' in shown
    assert "tariff.expiring" in shown
    client.post(path, {"again": "event"})
    assert Event.objects.get().attempts == 0


def test_events_are_kept_for_thirty_days(sender, later, capsys):
    sender.send("location.update", {"id": "loc_1"})
    later(days=29, hours=23)
    sender.send("location.update", {"id": "loc_1"})
    call_command("purge_sessions")
    assert Event.objects.count() == 2
    later(hours=2)
    call_command("purge_sessions")
    assert "1 event deleted" in capsys.readouterr().out
    assert Event.objects.count() == 1


def test_events_go_with_the_location_and_with_the_conversation(sender, walk, place):
    walk.start()
    kept = sender.send("location.update", {"id": "loc_other"})
    for type, data in (("location.update", {"id": place}), (COMPLETE[0], {"id": walk.token})):
        sender.send(type, data)
    Location.objects.get().delete()
    ConnectSession.objects.all().delete()
    assert Event.objects.get() == kept
    assert Erasure.objects.exists()


def test_customers_get_their_events_with_their_data(sender, walk, place):
    sender.send("location.update", {"id": "loc_other"})
    walk.start()
    sender.send("location.update", {"id": place})
    sender.send(COMPLETE[0], {"id": walk.token})
    answer = walk.client.get("/account/data.json")
    events = json.loads(b"".join(answer.streaming_content))["events"]
    assert [each["type"] for each in events] == ["location.update", COMPLETE[0]]


# From end to end, over real HTTP


@pytest.fixture
def told(live_server, transactional_db, sandbox, settings):
    """The sandbox, which sends its events to the app."""
    settings.FLATPEAK_EVENTS = True
    with sandbox.lock:
        sandbox.events.change({"url": live_server.url + PATH})
    return sandbox.events


def until(is_so):
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_sandbox_tells_the_app_and_the_app_asks_it(told, client, alice):
    client.force_login(alice)
    walk = Walk(client).fixed()
    place = Location.objects.get().location_id
    until(lambda: len(told.sent) >= 2 and all(each.status == 204 for each in told.sent))
    assert {(each.type, each.location_id) for each in Event.objects.all()} == {
        ("location.create", place),
        ("location.update", place),
    }
    walk.get(f"/locations/{Location.objects.get().pk}/")
    tried, failed = work()
    assert (tried, failed) == (1, 0)
    assert is_due(Tariff.objects.get())


def test_an_event_with_an_unknown_key_is_taken_once_the_key_is_published(told, sandbox, monkeypatch):
    sandbox.state["switches"]["event_signature"] = "unlisted_key"
    with sandbox.lock:
        told.change({"send": [{"type": "location.update", "data": {"id": "loc_1"}}]})
    until(lambda: told.sent[-1].status == 401)
    with sandbox.lock:
        told.change({"rotate": True})
        sandbox.state["switches"]["event_signature"] = "signed"
        signatures.cache.delete(signatures.ASKED)
        sandbox.advance(30)
    until(lambda: told.sent[-1].status == 204)
    assert told.sent[-1].attempts == 2
    assert Event.objects.count() == 1


def test_an_event_that_is_sent_twice_and_replayed_is_stored_once(told, sandbox):
    with sandbox.lock:
        told.change({"send": [{"type": "location.update", "data": {"id": "loc_1"}, "id": "evt_twice", "times": 2}]})
    until(lambda: [each.status for each in told.sent] == [204, 204])
    with sandbox.lock:
        told.change({"replay": "evt_twice"})
    until(lambda: [each.status for each in told.sent] == [204, 204, 204])
    assert Event.objects.count() == 1


# In anode, by every reading of what FlatPeak's documentation leaves open


READINGS = {
    "event_complete": ["priced", "located", "twice", "never"],
    "event_complete_name": ["connect.session.complete"],
    "event_complete_data": ["fields", "no_location"],
    "event_release": ["account"],
    "event_location_name": ["locaiton.update"],
    "event_location_data": ["location_id"],
}


@pytest.mark.parametrize("reading", [(name, value) for name, values in READINGS.items() for value in values])
def test_who_closes_the_browser_on_the_summary_has_the_tariff_soon(sender, walk, sandbox, later, reading):
    name, value = reading
    sandbox.speak("anode")
    sandbox.state["switches"] |= {name: value}
    with sandbox.lock:
        sandbox.events.seen = see(sandbox)
    walk.by_hand().answer(cost="28.15").name_and_term("Simple", term="open")
    with sandbox.lock:
        told = list(between(sandbox, sandbox.events.seen, see(sandbox)))
    kinds = [each.type for each in told]
    assert sum(kind in COMPLETE for kind in kinds) == {"never": 0, "twice": 2}.get(value, 1)
    for each in told * 2:  # twice, and out of order
        sender.send(each.type, json.loads(dumps(each.data)))
    work()
    assert walk.session.state == State.OPEN  # the customer may still be there
    later(minutes=16)
    work()
    assert walk.session.state == (State.OPEN if value == "never" else State.CONNECTED)
    if value != "never":
        assert sandbox.counts["exchange"] == 1
        assert is_due(Tariff.objects.get(name="Simple"))
        assert not Event.objects.filter(handled_at=None).exists()
