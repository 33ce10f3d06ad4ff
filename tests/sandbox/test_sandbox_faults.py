"""Faults: what each does over real HTTP, how it is set, and that it strikes as often as asked."""

import base64
import gzip
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox import __main__ as command, app, server as http_server, strikes
from sandbox.codec import loads
from sandbox.faults import AT_ONCE, FAULTS
from sandbox.server import make_server
from sandbox.wire import CALLS
from sandbox.world import World

from .conftest import Client

OWN = {"jwks", "logo", "provider_login", "provider_outcome", "home", "control"}


def setting(sandbox, call, fault, **fields):
    answer = sandbox.control(faults=[{"call": call, "fault": fault, **fields}])
    assert sandbox.status == 200, answer


def raw(sandbox, talk, timeout=30):
    """Send session_restore. Returns the response and its body as bytes."""
    connection = http.client.HTTPConnection(*sandbox.server.server_address, timeout=timeout)
    try:
        body = json.dumps({"connect_token": talk.token, "route": "session_restore"})
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def sign_in(client):
    """Send GET /login. Returns the status; the answer is in client.answer."""
    pair = base64.b64encode(b"acc_one:sk_test_one").decode()
    client.answer = client.call("GET", "/login", Authorization=f"Basic {pair}")
    return client.status


def provider(talk):
    return {"provider": {"id": talk.id_of("Ecotricity")}}


def fails_to_answer(talk):
    """Choose a provider, which leads to tariff_structure_select. Returns the class of the connection error."""
    with pytest.raises(ConnectionError) as caught:
        talk.send("provider_select", data=provider(talk))
    return type(caught.value)


# Before the work


@pytest.mark.parametrize(
    ("fault", "fields", "error"),
    [
        ("connection_reset", {}, ConnectionResetError),
        ("connection_closed", {}, http.client.RemoteDisconnected),
        ("silence", {"seconds": 0.1}, http.client.RemoteDisconnected),
    ],
)
def test_a_connection_that_breaks_before_the_work(sandbox, fault, fields, error):
    talk = sandbox.talk()
    setting(sandbox, "connect.provider_select", fault, **fields)
    assert fails_to_answer(talk) is error
    assert talk.go("session_restore").route == "provider_select"
    assert talk.go("provider_select", provider(talk)).route == "tariff_structure_select"
    assert sandbox.world.struck == {fault: 1}
    assert sandbox.world.counts["connect.provider_select"] == 2
    assert sandbox.world.counts["connect"] == 4


@pytest.mark.parametrize(
    ("fault", "fields", "status", "code", "header"),
    [
        ("status_401", {}, 401, "unauthorized", {}),
        ("status_403", {}, 403, "forbidden", {}),
        ("status_409", {}, 409, "conflict", {}),
        ("status_429", {}, 429, "rate_limit", {"Retry-After": None}),
        ("status_429", {"retry_after": 30}, 429, "rate_limit", {"Retry-After": "30"}),
        ("status_429", {"retry_after": "soon"}, 429, "rate_limit", {"Retry-After": "soon"}),
        ("status_500", {}, 500, "api_error", {}),
        ("server_error", {}, 400, "server_error", {}),
        ("status_502", {}, 502, None, {"Content-Type": "text/html; charset=utf-8"}),
        ("redirect", {}, 302, None, {"Location": "http://127.0.0.1:9/elsewhere"}),
        (
            "redirect",
            {"url": "https://elsewhere.example.com/"},
            302,
            None,
            {"Location": "https://elsewhere.example.com/"},
        ),
    ],
)
@pytest.mark.parametrize("call", ["connect.provider_select", "login"])
def test_an_answer_in_the_place_of_the_work(sandbox, call, fault, fields, status, code, header):
    talk, bearers = sandbox.talk(), len(sandbox.world.state["bearers"])
    setting(sandbox, call, fault, **fields)
    if call == "login":
        sign_in(sandbox)
    else:
        sandbox.answer = talk.send("provider_select", data=provider(talk))
    answer = sandbox.answer
    assert sandbox.status == status
    if code:
        assert (answer["object"], answer["code"], answer["context"]) == ("error", code, call)
    for name, value in header.items():
        assert sandbox.headers[name] == value
    assert len(sandbox.world.state["bearers"]) == bearers
    assert talk.go("session_restore").route == "provider_select"
    assert sandbox.world.struck == {fault: 1}


def test_nothing_listens_for_so_many_seconds_and_then_something_does_again(sandbox):
    kept = http.client.HTTPConnection(*sandbox.server.server_address, timeout=30)
    kept.request("GET", "/_sandbox")
    kept.getresponse().read()
    answer = sandbox.control(faults=[{"call": "*", "fault": "connection_refused", "seconds": 0.5}])
    began = time.monotonic()
    assert answer["faults"] == [{"call": "*", "fault": "connection_refused", "seconds": Decimal("0.5"), "left": 0}]
    assert answer["struck"] == {"connection_refused": 1}
    with pytest.raises(ConnectionRefusedError):
        sandbox.log_in()
    assert kept.sock.recv(1) == b""
    refused = 0
    while True:
        assert time.monotonic() - began < 30
        try:
            assert sandbox.log_in()["expires_in"] == 3600
            break
        except ConnectionRefusedError:
            refused += 1
    assert refused > 1
    assert time.monotonic() - began > 0.45
    assert sandbox.world.struck == {"connection_refused": 1}


def test_a_connection_that_becomes_idle_while_refusal_begins_is_ended_too():
    refused = threading.Event()

    class Late(set):
        def add(self, connection):
            assert refused.wait(30)
            super().add(connection)

    server = make_server(quiet=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    kept = http.client.HTTPConnection(*server.server_address, timeout=30)
    kept.connect()
    while not server.idle:
        time.sleep(0.01)
    server.idle = Late()
    kept.request("GET", "/_sandbox")
    kept.getresponse().read()
    server.world.set_faults([{"call": "*", "fault": "connection_refused", "seconds": 60}])
    refused.set()
    assert kept.sock.recv(1) == b""
    server.shutdown()
    thread.join(30)
    server.server_close()


def test_a_refusal_ends_at_once_when_it_is_turned_off_and_can_come_again(sandbox):
    for _ in range(20):
        sandbox.world.set_faults([{"call": "*", "fault": "connection_refused", "seconds": 60}])
        with pytest.raises(ConnectionRefusedError):
            sandbox.log_in()
        sandbox.world.set_faults([])
        assert sandbox.log_in()["expires_in"] == 3600


def test_a_server_that_refuses_connections_keeps_its_port(sandbox):
    sandbox.world.set_faults([{"call": "*", "fault": "connection_refused", "seconds": 60}])
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(sandbox.server.server_address)
    sandbox.world.set_faults([])
    assert sandbox.log_in()["expires_in"] == 3600


def test_a_server_that_refuses_connections_stops_at_once():
    server = make_server(quiet=True, faults=[{"call": "*", "fault": "connection_refused", "seconds": 60}])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with pytest.raises(ConnectionRefusedError):
        Client(server).log_in()
    server.shutdown()
    thread.join(30)
    assert not thread.is_alive()
    server.server_close()


def test_silence_ends_when_the_client_hangs_up_and_holds_up_nobody_else(sandbox, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(sandbox.server, "log", lambda line: over.set() if "withheld" in line else None)
    talk = sandbox.talk()
    setting(sandbox, "connect", "silence", seconds=3600)
    connection = http.client.HTTPConnection(*sandbox.server.server_address, timeout=30)
    body = json.dumps({"connect_token": talk.token, "route": "session_restore"})
    connection.request("POST", "/", body, {"Content-Type": "application/json"})
    while not sandbox.call("GET", "/_sandbox")["struck"]:
        """If a test hangs here, the silence keeps the lock, or there is none."""
    assert sandbox.log_in()["expires_in"] == 3600
    assert not over.is_set()
    connection.close()
    assert over.wait(30)


# After the work


@pytest.mark.parametrize(("fault", "fields"), [("answer_lost", {}), ("silence_after_work", {"seconds": 0.1})])
def test_an_answer_that_is_lost_after_the_work(sandbox, fault, fields):
    talk = sandbox.talk()
    setting(sandbox, "connect.provider_select", fault, **fields)
    assert fails_to_answer(talk) is http.client.RemoteDisconnected
    assert talk.go("session_restore").route == "tariff_structure_select"
    assert sandbox.world.struck == {fault: 1}


def test_a_slow_answer_comes_whole_in_a_few_bytes_at_a_time(sandbox, monkeypatch):
    talk, naps = sandbox.talk(), []
    setting(sandbox, "connect", "slow_answer")
    monkeypatch.setattr(http_server, "time", SimpleNamespace(sleep=naps.append, monotonic=lambda: 0))
    response, body = raw(sandbox, talk)
    assert loads(body) == talk.page
    assert int(response.headers["Content-Length"]) == len(body)
    assert set(naps) == {http_server.PAUSE}
    assert len(naps) > 500
    assert sum(naps) <= 30


@pytest.mark.parametrize(
    ("fault", "spoilt"),
    [
        ("empty_body", lambda body: b""),
        ("cut_json", lambda body: body[: len(body) // 2]),
        ("json_list", lambda body: b"[" + body + b"]"),
        ("html_type", lambda body: body),
        ("large_body", lambda body: body + b" " * (20 * 1024 * 1024 - len(body))),
        ("bad_gzip", None),
        ("deep_json", None),
    ],
)
def test_a_body_that_is_spoilt(sandbox, fault, spoilt):
    talk = sandbox.talk()
    _, right = raw(sandbox, talk)
    setting(sandbox, "connect", fault)
    response, body = raw(sandbox, talk)
    assert response.status == 200
    assert int(response.headers["Content-Length"]) == len(body)
    assert response.headers["Content-Type"] == ("text/html" if fault == "html_type" else "application/json")
    if spoilt:
        assert body == spoilt(right)
    if fault == "bad_gzip":
        assert response.headers["Content-Encoding"] == "gzip"
        with pytest.raises((OSError, EOFError)):
            gzip.decompress(body)
    if fault == "deep_json":
        assert body.count(b"[") - right.count(b"[") == 100_000
        assert loads(body.replace(b"[" * 100_000 + b"]" * 100_000, b"1")) == talk.page | {"deep": 1}
    assert raw(sandbox, talk)[1] == right
    assert sandbox.world.struck == {fault: 1}


def test_an_error_is_spoilt_as_well_but_has_no_fields_to_change(sandbox):
    sandbox.control(faults=[{"call": "rates", "fault": "missing_field"}, {"call": "rates", "fault": "empty_body"}])
    assert sandbox.rates("loc_unknown") == ""
    assert sandbox.status == 404
    assert sandbox.world.struck == {"empty_body": 1}
    assert [each.left for each in sandbox.world.faults] == [1, 0]


# One field


@pytest.mark.parametrize(
    ("call", "field", "first"),
    [
        ("login", "expires_in", "bearer_token"),
        ("token", "expires_in", "connect_token"),
        ("exchange", "location_id", "id"),
        ("rates", "next_update", "id"),
        ("location", "timezone", "id"),
        ("status", "tariff_status", "id"),
    ],
)
def test_a_field_of_an_answer_is_missing_or_of_another_type(sandbox, call, field, first):
    talk = sandbox.talk().by_hand("FIXED").act("SAVE")
    location = sandbox.exchange(talk.token)["location_id"]
    calls = {
        "login": sandbox.log_in,
        "token": sandbox.new_token,
        "exchange": lambda: sandbox.exchange(talk.token),
        "rates": lambda: sandbox.rates(location),
        "location": lambda: sandbox.api("GET", f"/locations/{location}"),
        "status": lambda: sandbox.api("GET", f"/locations/{location}/status"),
    }
    bearer, right = sandbox.bearer, calls[call]()
    for fields, changed in ({"field": field}, field), ({}, first):
        sandbox.bearer = bearer
        setting(sandbox, call, "missing_field", **fields)
        assert set(right) - set(calls[call]()) == {changed}
        sandbox.bearer = bearer
        setting(sandbox, call, "wrong_value", **fields)
        assert calls[call]()[changed] == ("text" if isinstance(right[changed], int | Decimal) else 7)
    setting(sandbox, call, "wrong_value", field=field, value=[None])
    sandbox.bearer = bearer
    assert calls[call]()[field] == [None]


def test_each_field_of_a_page_can_be_missing_or_wrong(sandbox):
    talk = sandbox.talk().by_hand("FIXED")
    right = talk.data
    assert len(right) == 5
    for field in right:
        setting(sandbox, "connect.session_restore", "missing_field", field=field)
        assert talk.go("session_restore").data == {name: value for name, value in right.items() if name != field}
        for value in (7, "text", [], None):
            setting(sandbox, "connect.session_restore", "wrong_value", field=field, value=value)
            assert talk.go("session_restore").data == right | {field: value}
    assert talk.go("session_restore").data == right
    assert sandbox.world.struck == {"missing_field": 5, "wrong_value": 20}


def test_a_field_can_be_deep_inside(sandbox):
    talk = sandbox.talk()
    setting(sandbox, "connect", "missing_field", field="providers.1.id")
    assert set(talk.go("session_restore").data["providers"][1]) == {"display_name", "logo_url"}
    setting(sandbox, "connect", "wrong_value", field="providers.0", value="a provider")
    assert talk.go("session_restore").data["providers"][0] == "a provider"
    assert isinstance(talk.go("session_restore").data["providers"][0], dict)


@pytest.mark.parametrize(
    "field", ["cost", "postal_address.street", "providers.99999", "providers.first", "providers.0.id.x"]
)
def test_a_fault_waits_for_an_answer_that_has_its_field(sandbox, field):
    talk = sandbox.talk()
    setting(sandbox, "connect", "missing_field", field=field)
    assert talk.go("session_restore").data["providers"]
    assert sandbox.world.struck == {}
    assert sandbox.world.faults[0].left == 1


@pytest.mark.parametrize(
    ("fault", "next_update"), [("next_update_past", "2000-01-01T00:00:00Z"), ("next_update_garbage", "soon")]
)
def test_rates_with_a_next_update_that_is_past_or_none(sandbox, fault, next_update):
    location = sandbox.fixed()
    right = sandbox.rates(location)
    setting(sandbox, "*", fault)
    sandbox.log_in()
    assert sandbox.rates(location) | {"id": right["id"]} == right | {"next_update": next_update}


# Pages


def test_a_route_that_nobody_knows(sandbox):
    talk = sandbox.talk()
    setting(sandbox, "connect.provider_select", "unknown_route")
    page = talk.go("provider_select", provider(talk)).page
    assert page["route"] == "page_from_the_future"
    assert talk.go("session_restore").page == page | {"route": "tariff_structure_select"}


@pytest.mark.parametrize(
    ("name", "field", "entry"),
    [
        (
            "Ecotricity",
            "providers",
            {"id": "prv_00000000000000000000c34f", "display_name": "Choice 49999", "logo_url": ""},
        ),
        ("SSE", "tariffs", {"id": "trt_00000000000000000000c34f", "name": "Choice 49999", "description": ""}),
    ],
)
def test_a_page_with_50_000_choices(sandbox, name, field, entry):
    talk = sandbox.talk()
    if field == "tariffs":
        talk.pick(name)
    right = talk.data[field]
    setting(sandbox, "connect", "many_choices")
    found = talk.go("session_restore").data[field]
    assert (len(found), len({each["id"] for each in found})) == (50_000, 50_000)
    assert found[: len(right)] == right
    assert found[-1] == entry
    setting(sandbox, "connect", "many_choices", count=len(right) + 2)
    assert len(talk.go("session_restore").data[field]) == len(right) + 2


def test_hostile_text_is_in_all_that_people_see_and_in_nothing_else(sandbox):
    talk = sandbox.talk()
    right = talk.data
    setting(sandbox, "connect", "hostile_text")
    found = talk.go("session_restore").data
    for name, old in right["postal_address"].items():
        assert found["postal_address"][name] == old + ("" if name == "country_code" else strikes.HOSTILE)
    for one, other in zip(right["providers"], found["providers"], strict=True):
        assert other == one | {"display_name": one["display_name"] + strikes.HOSTILE}
    for part in ("<script>", "\u202e", "\0", "\ud800", "\U0001f50c", "x" * 10_000):
        assert part in strikes.HOSTILE
    setting(sandbox, "connect", "hostile_text", text="!")
    talk.pick("Test: asks for the region")
    assert all(region.endswith("!") for region in talk.data["regions"])
    assert talk.data["currency_code"] == "GBP"


def test_hostile_text_is_in_what_the_other_calls_tell_people(sandbox):
    location = sandbox.fixed()
    calls = {
        "token": (sandbox.new_token, ["connect_token"]),
        "rates": (lambda: sandbox.rates(location), ["location_timezone", "currency_code"]),
        "location": (lambda: sandbox.api("GET", f"/locations/{location}"), ["timezone", "postal_address.city"]),
        "status": (
            lambda: sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]["commodity_import"],
            ["provider.display_name", "tariff.display_name", "tariff.structure_type"],
        ),
    }
    for name, (call, fields) in calls.items():
        setting(sandbox, name, "hostile_text", text="!")
        hostile, right = call(), call()
        for field in fields:
            told, old = hostile, right
            for step in field.split("."):
                told, old = told[step], old[step]
            assert told.endswith("!")
            assert name == "token" or told == old + "!"


def test_the_addresses_that_a_page_has_can_be_anybodys(sandbox):
    talk, talk_of_login = sandbox.talk().by_hand("FIXED"), sandbox.talk().pick("EDF")
    setting(sandbox, "connect", "foreign_callback")
    assert talk.go("session_restore").data["tariff"]["name"] == "Simple"
    assert talk.act("SAVE").data == {"callback_uri": "https://elsewhere.example.com/"}
    for url in ("javascript:alert(1)", "ftp://elsewhere.example.com/", "http://elsewhere.example.com/login"):
        for field in ("redirect_uri", "redirect_url"):
            sandbox.control(switches={"redirect_field": field})
            setting(sandbox, "*", "foreign_redirect", url=url)
            assert talk_of_login.go("session_restore").data == {field: url}
    setting(sandbox, "connect", "foreign_logo", url="data:image/svg+xml,x")
    assert {each["logo_url"] for each in sandbox.talk().data["providers"]} == {"data:image/svg+xml,x"}


def test_a_fault_of_a_page_leaves_what_the_sandbox_remembers_alone(sandbox):
    talk = sandbox.talk()
    right = talk.page
    for fault in ({"fault": "hostile_text"}, {"fault": "missing_field", "field": "postal_address.city"}):
        setting(sandbox, "connect", **fault)
        assert talk.go("session_restore").page != right
        assert talk.go("session_restore").page == right


# How often


def test_a_fault_strikes_so_many_times_and_the_others_after_it(sandbox):
    answer = sandbox.control(
        faults=[
            {"call": "login", "fault": "empty_body"},
            {"call": "login", "fault": "status_500", "times": 2},
            {"call": "*", "fault": "status_429", "retry_after": 5},
        ]
    )
    assert [each["left"] for each in answer["faults"]] == [1, 2, 1]
    assert [(sign_in(sandbox), sandbox.answer == "") for _ in range(5)] == [
        (500, False),
        (500, False),
        (429, False),
        (200, True),
        (200, False),
    ]
    answer = sandbox.call("GET", "/_sandbox")
    assert answer["faults"] == [
        {"call": "login", "fault": "empty_body", "times": 1, "left": 0},
        {"call": "login", "fault": "status_500", "times": 2, "left": 0},
        {"call": "*", "fault": "status_429", "times": 1, "retry_after": 5, "left": 0},
    ]
    assert answer["struck"] == {"status_500": 2, "status_429": 1, "empty_body": 1}
    assert answer["counts"]["login"] == 6


def test_a_fault_without_end_strikes_until_it_is_turned_off(sandbox):
    setting(sandbox, "login", "status_500", times=0)
    assert [sandbox.log_in()["code"] for _ in range(20)] == ["api_error"] * 20
    assert sandbox.world.faults[0].left is None
    assert sandbox.control(faults=[])["faults"] == []
    assert sandbox.log_in()["expires_in"] == 3600
    assert sandbox.world.struck == {"status_500": 20}


def test_a_fault_strikes_by_chance_and_by_the_same_one_with_the_same_seed(sandbox):
    def statuses(**seed):
        sandbox.control(faults=[{"call": "login", "fault": "status_500", "rate": 0.5}], **seed)
        return [sign_in(sandbox) for _ in range(40)]

    first = statuses(seed=7)
    assert set(first) == {200, 500}
    assert statuses(seed=7) == first
    assert statuses(seed=8) != first
    drawn = statuses()
    assert statuses(seed=int(sandbox.call("GET", "/_sandbox")["seed"])) == drawn
    setting(sandbox, "login", "status_500", rate=1)
    assert {sign_in(sandbox) for _ in range(20)} == {500}


def test_calls_at_the_same_time_meet_a_fault_exactly_so_often(sandbox):
    setting(sandbox, "login", "status_500", times=7)
    clients = [Client(sandbox.server) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(sign_in, clients)]
    assert found.count(500) == 7
    assert sandbox.world.struck == {"status_500": 7}
    assert (found.count(200), sandbox.world.counts["login"]) == (33, 41)


def test_every_flatpeak_call_and_none_of_the_sandboxs_own_can_have_faults(sandbox):
    assert {name for name, *_ in app.PATHS} - OWN == set(CALLS)
    for call in (*CALLS, "*", "connect.session_restore"):
        setting(sandbox, call, "status_500")
    setting(sandbox, "*", "status_500", times=0)
    assert "It is not FlatPeak" in sandbox.call("GET", "/")
    sandbox.call("POST", "/", "{")
    assert sandbox.status == 500
    sandbox.call("POST", "/", "[]")
    assert sandbox.status == 500


def test_a_reset_turns_faults_off(sandbox):
    setting(sandbox, "login", "status_500", times=0)
    sandbox.log_in()
    answer = sandbox.control(reset=True)
    assert (answer["faults"], answer["struck"]) == ([], {})
    assert sandbox.log_in()["expires_in"] == 3600


def test_faults_are_not_kept_in_the_state_file(tmp_path):
    path = tmp_path / "state.json"
    World(path, faults=[{"call": "login", "fault": "status_500"}])
    assert "status_500" not in path.read_text()
    assert World(path).faults == []


# What can be set


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        "login",
        ["login"],
        [{"call": "login"}],
        [{"fault": "silence"}],
        [{"call": "login", "fault": ["silence"]}],
        [{"call": "login", "fault": "laziness"}],
        [{"call": "home", "fault": "silence"}],
        [{"call": "connect.nowhere", "fault": "silence"}],
        [{"call": "rates", "fault": "many_choices"}],
        [{"call": "login", "fault": "hostile_text"}],
        [{"call": "login", "fault": "connection_refused"}],
        [{"call": "*", "fault": "connection_refused", "times": 2}],
        [{"call": "*", "fault": "connection_refused", "rate": 0.5}],
        [{"call": "connect", "fault": "next_update_past"}],
        [{"call": "login", "fault": "status_500", "seconds": 3}],
        [{"call": "login", "fault": "status_500", "colour": "red"}],
        [{"call": "login", "fault": "status_500", "times": 1, "rate": 0.5}],
        [{"call": "login", "fault": "status_500", "times": -1}],
        [{"call": "login", "fault": "status_500", "times": 1.5}],
        [{"call": "login", "fault": "status_500", "times": True}],
        [{"call": "login", "fault": "status_500", "times": "2"}],
        [{"call": "login", "fault": "status_500", "rate": 0}],
        [{"call": "login", "fault": "status_500", "rate": 1.1}],
        [{"call": "login", "fault": "silence", "seconds": 0}],
        [{"call": "login", "fault": "silence", "seconds": 1e9}],
        [{"call": "login", "fault": "status_429", "retry_after": -1}],
        [{"call": "login", "fault": "status_429", "retry_after": "1\r\nSet-Cookie: a=b"}],
        [{"call": "login", "fault": "redirect", "url": ""}],
        [{"call": "login", "fault": "missing_field", "field": ""}],
        [{"call": "connect", "fault": "many_choices", "count": 0}],
        [{"call": "connect", "fault": "hostile_text", "text": 7}],
        [{"call": "login", "fault": "silence"}, {"call": "login"}],
    ],
)
def test_a_wrong_fault_is_refused_with_a_sentence(sandbox, wrong):
    setting(sandbox, "login", "status_500")
    before = sandbox.call("GET", "/_sandbox")
    message = sandbox.control(faults=wrong)["message"]
    assert sandbox.status == 422
    assert message.endswith(".")
    assert sandbox.call("GET", "/_sandbox") == before
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        sandbox.world.set_faults(wrong)
    assert str(caught.value) == message
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        World(faults=wrong)
    assert str(caught.value) == message


@pytest.mark.parametrize("body", [{"seed": 7}, {"faults": [], "seed": "7"}, {"faults": [], "seed": None}])
def test_a_seed_is_a_number_and_goes_with_faults(sandbox, body):
    assert "seed" in sandbox.control(**body)["message"]
    assert sandbox.status == 422


def test_faults_can_be_start_options(monkeypatch, capsys):
    servers = []

    def made(**options):
        servers.append(make_server(**options))
        monkeypatch.setattr(servers[0], "serve_forever", lambda: None)
        return servers[0]

    monkeypatch.setattr(command, "make_server", made)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    one, other = '{"call": "login", "fault": "silence", "rate": 0.1}', '{"call": "rates", "fault": "redirect"}'
    assert command.main(["--port", "0", "--fault", one, "--fault", other, "--seed", "7"]) == 0
    assert [(each.call, each.name) for each in servers[0].world.faults] == [("login", "silence"), ("rates", "redirect")]
    assert servers[0].world.seed == 7
    capsys.readouterr()
    for wrong in ("login", "{", '{"call": "login"}'):
        assert command.main(["--port", "0", "--fault", wrong]) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_every_fault_does_something_and_is_documented(sandbox):
    does = [{AT_ONCE}, set(strikes.STOPS), set(strikes.ANSWERS), {*strikes.CHANGES, "unknown_route"}]
    assert set.union(*does) == set(FAULTS)
    assert sum(map(len, does)) == len(FAULTS)
    text, html = Path(app.__file__).with_name("README.md").read_text(encoding="utf-8"), sandbox.call("GET", "/")
    for name, each in FAULTS.items():
        takes = ", ".join(f"`{field}`" for field in each["takes"])
        assert f"| `{name}` | {takes} | {each['says']} |" in text
        assert f"<th scope=row>{name}<td>{each['says']}" in html
