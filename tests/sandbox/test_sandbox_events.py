"""Events: what is told and when, by every reading; signatures and keys; retries; the control."""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from sandbox import deliveries, signatures
from sandbox.anode import ANODE
from sandbox.server import make_server

from .conftest import Anode

ZERO = "2024-08-24.zero"
LAWFUL = {"connect_session.complete", "location.update", "location.create"}


class App:
    """An app that events are sent to. got: [(headers, body)], the oldest first. status: what it answers."""

    def __init__(self):
        self.got, self.status = [], 204
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                app.got.append((self.headers, body))
                self.send_response(app.status)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?a=1"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    @property
    def events(self):
        return [json.loads(body) for _, body in self.got]

    def types(self):
        return [each["type"] for each in self.events]

    def wait(self, number=1):
        """Wait until so many deliveries have come. Returns the last event."""
        until(lambda: len(self.got) >= number)
        return self.events[-1]


def until(is_so):
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def app():
    app = App()
    yield app
    app.server.shutdown()
    app.server.server_close()


@pytest.fixture(scope="module")
def made():
    """Keys, which take long to make: they are made once."""
    return [signatures._new() for _ in range(2)]


@pytest.fixture
def told(sandbox, app, made, monkeypatch):
    """The sandbox, which sends its events to the app."""
    spare = [key._replace(id=f"wsk_test_{number}") for number, key in enumerate(made)]
    monkeypatch.setattr(signatures, "_new", lambda: spare.pop())
    monkeypatch.setattr(sandbox.world.events, "keys", signatures.Keys())
    sandbox.control(events={"url": app.url})
    return sandbox


def quiet(sandbox, attempts=0):
    """Wait until so many attempts were made, and let the sandbox look a few times. Returns what it has sent."""
    until(lambda: sum(each["attempts"] for each in sandbox.control()["events"]["sent"]) >= attempts)
    time.sleep(0.15)
    return sandbox.control()["events"]["sent"]


def send(sandbox, **event):
    sandbox.control(events={"send": [{"type": "a.test", "data": {"a": 1}} | event]})


def valid(sandbox, headers, body):
    """Check a signature as an app does, by the published keys."""
    keys = {each["kid"]: each for each in sandbox.call("GET", "/jwks.json")["keys"]}
    read = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
    key = keys[headers["Flatpeak-Key-ID"]]
    n, e = (int.from_bytes(read(key[name]), "big") for name in ("n", "e"))
    scheme, _, signature = headers["Flatpeak-Signature"].partition("=")
    assert (scheme, headers["Flatpeak-Signature-Scheme"], "=" in signature) == ("v1", "v1", False)
    message = f"{headers['Flatpeak-Timestamp']}.".encode() + body
    try:
        RSAPublicNumbers(e, n).public_key().verify(read(signature), message, PSS(MGF1(SHA256()), 32), SHA256())
    except InvalidSignature:
        return False
    return True


# What is told


def test_a_tariff_that_is_connected_is_told_to_the_app(told, app):
    place = told.fixed()
    app.wait(2)
    assert sorted(app.types()) == ["location.create", "location.update"]
    event = app.events[-1]
    assert (event["object"], event["id"][:4], event["time_created"]) == ("event", "evt_", "2026-06-10T12:00:00.000Z")
    assert (event["data"]["id"], event["data"]["object"]) == (place, "location")
    assert quiet(told, 2)[-1]["status"] == 204


def test_nothing_is_sent_without_an_address_or_of_the_time_before_it(sandbox, app):
    sandbox.fixed()
    sandbox.control(events={"url": app.url})
    assert quiet(sandbox) == []
    sandbox.control(events={"url": ""})
    sandbox.fixed()
    assert quiet(sandbox) == []


@pytest.mark.parametrize(
    ("reading", "before", "after"), [("priced", 0, 1), ("located", 1, 1), ("twice", 1, 2), ("never", 0, 0)]
)
def test_the_end_of_a_pending_conversation_is_told_by_each_reading(told, app, reading, before, after):
    told.control(switches={"event_complete": reading, "pending_seconds": 60})
    Anode(told).talk().pick("EDF").log_in("unreachable")
    quiet(told, 2)
    assert app.types().count("connect_session.complete") == before
    told.control(advance=61)
    quiet(told, 3 + before)
    assert app.types().count("connect_session.complete") == after
    ends = [each["id"] for each in app.events if each["type"] == "connect_session.complete"]
    assert len(set(ends)) == after


@pytest.mark.parametrize("name", ["connect_session.complete", "connect.session.complete"])
@pytest.mark.parametrize("data", ["session", "fields", "no_location"])
def test_the_end_of_a_conversation_has_a_name_and_data_by_each_reading(told, app, name, data):
    told.control(switches={"event_complete_name": name, "event_complete_data": data})
    talk = Anode(told).talk().by_hand("FIXED")
    app.wait(3)
    (event,) = [each["data"] for each in app.events if each["type"] == name]
    (place,) = told.world.state["locations"]
    if data == "fields":
        assert event == {"connect_token": talk.token, "location_id": place}
    else:
        assert (event["id"], event["object"]) == (talk.token, "connect_session")
        assert event.get("location_id") == (place if data == "session" else None)


def test_zero_does_not_tell_the_end_of_a_conversation_and_anode_no_contract_that_ends_soon(told, app):
    place = told.saved(told.talk().pick("Test: contract ends in 8 days").log_in("approve"))
    app.wait(3)
    assert sorted(app.types()) == ["location.create", "location.update", "tariff.expiring"]
    told.control(advance=9 * 86400)
    told.log_in()
    app.wait(4)
    assert app.types()[-1] == "tariff.expired"
    data = app.events[-1]["data"]
    assert (data["location_id"], data["account_id"], data["live_mode"]) == (place, "acc_one", False)
    assert data["tariff_id"] in told.api("GET", f"/locations/{place}")["tariff_elements"]
    Anode(told).talk().pick("Test: contract ends in 8 days").log_in("approve")
    quiet(told, 7)
    assert set(app.types()[4:]) == LAWFUL


@pytest.mark.parametrize(("reading", "version"), [("object", ZERO), ("account", ANODE.version)])
def test_the_release_of_an_old_location_is_a_switch(told, app, reading, version):
    told.control(now="2026-06-10T11:59:00Z", switches={"event_release": reading})
    told.saved(told.talk().by_hand("MARKET"))
    app.wait(2)
    told.control(releases={"*": "anode"}, advance=120)
    assert app.wait(3)["type"] == "location.update"
    assert [headers["Flatpeak-Version"] for headers, _ in app.got] == [ZERO, ZERO, version]


@pytest.mark.parametrize("name", ["location.update", "locaiton.update"])
@pytest.mark.parametrize("data", ["location", "location_id"])
def test_a_changed_location_has_a_name_and_data_by_each_reading(told, app, name, data):
    told.control(switches={"event_location_name": name, "event_location_data": data})
    place = told.fixed()
    app.wait(2)
    (found,) = [each["data"] for each in app.events if each["type"] == name]
    assert (found == {"location_id": place}) == (data == "location_id")
    assert found.get("id", place) == place


def test_new_prices_of_a_market_are_told_once(told, app):
    told.control(now="2026-06-10T11:59:00Z")
    told.saved(told.talk().by_hand("MARKET"))
    app.wait(2)
    told.control(advance=120)
    assert app.wait(3)["type"] == "location.update"
    told.control(advance=3600)
    assert len(quiet(told)) == 3


def test_a_tariff_that_cannot_be_read_is_told_after_two_days(told, app):
    told.saved(told.talk().pick("EDF").log_in("unreadable"))
    app.wait(2)
    told.control(advance=47 * 3600)
    assert len(quiet(told)) == 2
    told.control(advance=3600)
    assert app.wait(3)["type"] == "tariff.fetch.failed"


def test_a_location_that_is_deleted_is_told(told, app):
    place = told.fixed()
    app.wait(2)
    told.api("DELETE", f"/locations/{place}")
    assert app.wait(3)["type"] == "location.delete"
    assert app.events[-1]["data"]["id"] == place


# Signatures


def test_every_delivery_is_signed_with_a_published_key(told, app):
    send(told)
    app.wait()
    headers, body = app.got[0]
    assert headers["Flatpeak-Version"] == ZERO
    assert headers["Content-Type"] == "application/json"
    assert headers["Flatpeak-Timestamp"] == "1781092800"
    assert valid(told, headers, body)
    assert not valid(told, headers, body + b" ")


def test_keys_can_be_rotated_and_the_old_ones_stay(told, app):
    send(told)
    app.wait()
    told.control(events={"rotate": True})
    send(told)
    app.wait(2)
    assert len({headers["Flatpeak-Key-ID"] for headers, _ in app.got}) == 2
    assert all(valid(told, *each) for each in app.got)


def test_a_key_can_be_missing_from_the_set_until_the_rotation(told, app):
    told.control(switches={"event_signature": "unlisted_key"})
    send(told)
    app.wait()
    with pytest.raises(KeyError):
        valid(told, *app.got[0])
    told.control(events={"rotate": True})
    assert valid(told, *app.got[0])


def test_the_set_of_keys_can_be_out_of_reach(told, app):
    told.control(switches={"event_signature": "no_jwks"})
    send(told)
    app.wait()
    assert app.got[0][0]["Flatpeak-Signature"].startswith("v1=")
    told.call("GET", "/jwks.json")
    assert told.status == 503


@pytest.mark.parametrize("missing", [False, True])
def test_unsigned_events_say_so(told, app, monkeypatch, missing):
    if missing:
        monkeypatch.setattr(signatures, "can_sign", lambda: False)
    else:
        told.control(switches={"event_signature": "none"})
    told.control(events={"rotate": True})
    send(told)
    app.wait()
    headers = app.got[0][0]
    assert headers["Flatpeak-Signature"] == "none"
    assert "Flatpeak-Timestamp" not in headers
    assert "Flatpeak-Key-ID" not in headers


def test_the_sandbox_runs_without_any_package():
    code = "from sandbox.server import make_server; make_server(events='http://127.0.0.1:9/').server_close()"
    subprocess.run([sys.executable, "-S", "-c", code], check=True, timeout=20)


# Delivery


def test_an_event_is_sent_again_as_documented_until_it_is_taken(told, app):
    app.status = 500
    send(told)
    quiet(told, 1)
    for number, seconds in enumerate((30, 3600, 6 * 3600, 12 * 3600), 2):
        told.control(advance=seconds - 1)
        assert quiet(told)[0]["attempts"] == number - 1
        told.control(advance=1)
        assert quiet(told, number)
    app.status = 202
    told.control(advance=24 * 3600)
    (sent,) = quiet(told, 6)
    assert (sent["status"], sent["attempts"], sent["due"]) == (202, 6, None)
    assert len({event["id"] for event in app.events}) == 1
    assert len({headers["Flatpeak-Timestamp"] for headers, _ in app.got}) == 6


def test_an_event_that_nobody_takes_is_given_up(told, app):
    app.server.shutdown()
    app.server.server_close()
    send(told)
    for number, seconds in enumerate(deliveries.RETRIES, 1):
        quiet(told, number)
        told.control(advance=seconds)
    (sent,) = quiet(told, 6)
    assert (sent["status"], sent["attempts"], sent["due"]) == (0, 6, None)


def test_an_app_that_takes_an_event_and_never_answers_is_given_up_soon(told, monkeypatch):
    monkeypatch.setattr(deliveries, "ANSWER_WITHIN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told.control(events={"url": f"http://127.0.0.1:{silent.getsockname()[1]}/hook"})
        send(told)
        (sent,) = quiet(told, 1)
    assert (sent["status"], sent["attempts"]) == (0, 1)


def test_the_control_sends_twice_and_replays(told, app):
    send(told, times=2, id="evt_twice", version="2099-01-01.later")
    app.wait(2)
    assert [event["id"] for event in app.events] == ["evt_twice"] * 2
    assert app.got[0][0]["Flatpeak-Version"] == "2099-01-01.later"
    told.control(advance=100, events={"replay": "evt_twice"})
    app.wait(3)
    (first, body), (last, same) = app.got[0], app.got[-1]
    assert body == same
    assert dict(last) == dict(first)


@pytest.mark.parametrize(
    "events",
    [
        {"url": "ftp://x"},
        {"url": 7},
        {"url": "http:///x"},
        {"send": {}},
        {"send": [{}]},
        {"send": [{"type": 1}]},
        {"send": [{"type": "a", "data": []}]},
        {"send": [{"type": "a", "times": 0}]},
        {"replay": "evt_unknown"},
        {"colour": "red"},
        [],
    ],
)
def test_the_control_refuses_wrong_events(sandbox, events):
    assert sandbox.control(events=events)["code"] in ("control_invalid", "data_json_invalid")
    assert sandbox.control()["events"] == {"url": "", "sent": []}


def test_only_the_newest_are_remembered(sandbox, monkeypatch):
    sandbox.control(events={"send": [{"type": "a", "times": 100}] * 11})
    sent = sandbox.control()["events"]["sent"]
    assert len(sent) == deliveries.MOST


def test_the_address_can_be_given_at_the_start_and_outlives_a_reset(app):
    server = make_server(quiet=True, events=app.url)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    with server.world.lock:
        server.world.reset()
        server.world.events.change({"send": [{"type": "a.test"}]})
    app.wait()
    server.shutdown()
    server.server_close()
    assert not server.world.events.thread.is_alive()
    with pytest.raises(ValueError, match="http"):
        make_server(events="nowhere")
