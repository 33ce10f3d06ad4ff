"""The client: what each call sends, what it raises, and what it never lets out."""

import json
import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from tariffs import flatpeak
from tariffs.flatpeak import bearer, http
from tests.races.servers import at_once

pytestmark = pytest.mark.django_db

BEARER = "bearer_" + 40 * "0"


@pytest.fixture
def double(settings):
    """A FlatPeak that answers what a test tells it to: `answers` maps a path to (status, body), `seen` are the requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        answers = {"/login": (200, {"bearer_token": BEARER, "expires_in": 3600, "live_mode": False})}
        seen = []

        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            self.seen.append((self.command, path, query, dict(self.headers), body.decode()))
            answer = self.answers.get(path, (404, {"message": "Not Found"}))
            status, content = answer.pop(0) if isinstance(answer, list) else answer
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Set-Cookie", "of=somebody")
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET

        def log_message(self, *arguments):
            pass

    Handler.answers, Handler.seen = dict(Handler.answers), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    settings.FLATPEAK_API_URL = settings.FLATPEAK_CONNECT_URL = f"http://127.0.0.1:{server.server_port}"
    yield Handler
    server.shutdown()
    server.server_close()


PAGE = {"route": "provider_select", "connect_token": "x", "data": {}}


def paths(double):
    return [path for _, path, *_ in double.seen]


def test_one_login_serves_all_calls_until_shortly_before_it_expires(double, settings, monkeypatch):
    settings.FLATPEAK_VERSION, kept = "2024-08-24.zero", []
    monkeypatch.setattr(cache, "set", lambda key, value, seconds: kept.append(seconds))
    double.answers["/locations/loc_1"] = (200, {"timezone": "Europe/London"})
    flatpeak.location("loc_1")
    assert kept == [3540]
    monkeypatch.undo()
    flatpeak.location("loc_1")
    flatpeak.location("loc_1")
    assert paths(double).count("/login") == 2


@pytest.mark.parametrize("name", ["FLATPEAK_ACCOUNT_ID", "FLATPEAK_API_KEY", "FLATPEAK_API_URL"])
def test_a_bearer_is_of_no_other_account_key_or_host(double, settings, name):
    double.answers["/locations/loc_1"] = (200, {"timezone": "Europe/London"})
    settings.FLATPEAK_ACCOUNT_ID, settings.FLATPEAK_API_KEY = "acc_1", "secret"
    flatpeak.location("loc_1")
    url = settings.FLATPEAK_API_URL.replace("127.0.0.1", "localhost")
    setattr(settings, name, url if name == "FLATPEAK_API_URL" else "another")
    flatpeak.location("loc_1")
    assert paths(double).count("/login") == 2


def test_the_login_is_basic_and_the_rest_has_the_bearer_and_a_release(double, settings):
    settings.FLATPEAK_ACCOUNT_ID, settings.FLATPEAK_API_KEY = "acc_1", "secret"
    double.answers["/locations/loc_1"] = (200, {"timezone": "Europe/London"})
    flatpeak.location("loc_1")
    settings.FLATPEAK_VERSION = "2025-09-14.anode"
    flatpeak.location("loc_1")
    login, first, second = (headers for *_, headers, _ in double.seen)
    assert login["Authorization"] == "Basic YWNjXzE6c2VjcmV0"
    assert first["Authorization"] == f"Bearer {BEARER}"
    assert first["Flatpeak-Version"] == "2024-08-24.zero"
    assert second["Flatpeak-Version"] == "2025-09-14.anode"
    assert "Flatpeak-Version" not in login


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_bearer_is_renewed_once(double, status):
    double.answers["/login"] = [(200, {"bearer_token": f"bearer_{n}", "expires_in": 3600}) for n in range(3)]
    double.answers["/locations/loc_1"] = [(status, {"message": "no"}), (200, {"timezone": "UTC"})]
    assert flatpeak.location("loc_1")["timezone"] == "UTC"
    assert paths(double).count("/login") == 2
    double.answers["/locations/loc_1"] = (status, {"message": "no"})
    with pytest.raises(flatpeak.Rejected):
        flatpeak.location("loc_1")
    assert paths(double).count("/login") == 3


def test_a_bearer_that_another_worker_renewed_is_used(double, monkeypatch):
    old = bearer.token()
    monkeypatch.setattr(cache, "get", lambda key: "bearer_new")
    assert bearer.token(refused=old) == "bearer_new"
    assert paths(double) == ["/login"]


def test_of_requests_that_need_a_bearer_at_once_one_signs_in(double):
    double.answers["/login"] = [(200, {"bearer_token": f"bearer_{n}", "expires_in": 3600}) for n in range(8)]
    assert at_once(*[bearer.token] * 8) == ["bearer_0"] * 8
    assert at_once(*[lambda: bearer.token(refused="bearer_0")] * 8) == ["bearer_1"] * 8
    assert paths(double) == ["/login"] * 2


def test_those_who_waited_for_a_sign_in_that_failed_fail_as_well_and_do_not_try(double, monkeypatch, caplog):
    trying, waiting = threading.Event(), threading.Event()
    clock = SimpleNamespace(perf_counter=time.perf_counter, sleep=lambda seconds: waiting.set() or time.sleep(seconds))
    monkeypatch.setattr(bearer, "time", clock)
    monkeypatch.setattr(bearer, "new_bearer", lambda: trying.set() or not waiting.wait(30) or {}["no bearer"])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bearer.token)
        assert trying.wait(30)
        second = pool.submit(bearer.token)
        with pytest.raises(KeyError):
            first.result()
        with pytest.raises(flatpeak.Unavailable, match="came to nothing"):
            second.result()
    assert caplog.messages == ["GET /login: not tried, as another request's came to nothing"]
    monkeypatch.undo()
    assert bearer.token() == BEARER


def test_connect_gets_no_credentials_and_decimals_as_numbers(double):
    double.answers["/"] = (200, PAGE)
    flatpeak.answer("cot_1", "rate_fixed_capture", {"cost": Decimal("0.24555")})
    [(method, path, _, headers, body)] = double.seen
    assert (method, path) == ("POST", "/")
    assert "Authorization" not in headers
    assert "Flatpeak-Version" not in headers
    assert (headers["Accept"], headers["Content-Type"]) == ("application/json", "application/json")
    assert body == '{"connect_token": "cot_1", "route": "rate_fixed_capture", "data": {"cost": 0.24555}}'


def test_an_action_is_sent_without_data_and_a_restore_with_neither(double):
    double.answers["/"] = (200, PAGE)
    flatpeak.answer("cot_1", "summary_fixed_confirm", action="SAVE")
    flatpeak.answer("cot_1", "session_restore")
    action, restore = (json.loads(body) for *_, body in double.seen)
    assert action == {"connect_token": "cot_1", "route": "summary_fixed_confirm", "action": "SAVE"}
    assert restore == {"connect_token": "cot_1", "route": "session_restore"}


def test_numbers_arrive_exactly(double):
    double.answers["/"] = (200, b'{"route": "r", "data": {"cost": 0.28150000000000003, "n": 3}}')
    assert flatpeak.answer("cot_1", "session_restore")["data"] == {"cost": Decimal("0.28150000000000003"), "n": 3}


def test_text_arrives_without_what_postgresql_refuses(double):
    double.answers["/"] = (200, b'{"route": "r", "data": {"a\\u0000": ["b\\u0000c", "\\ud800d"]}}')
    assert flatpeak.answer("cot_1", "session_restore")["data"] == {"a": ["bc", "d"]}


def test_a_cookie_of_one_conversation_does_not_travel_in_another(double):
    double.answers["/"] = (200, PAGE)
    flatpeak.answer("cot_1", "session_restore")
    flatpeak.answer("cot_2", "session_restore")
    assert not any("Cookie" in headers for *_, headers, _ in double.seen)


def test_the_environments_proxy_is_asked_and_no_password_of_its_netrc_goes_to_flatpeak(
    double, settings, monkeypatch, tmp_path
):
    proxy = settings.FLATPEAK_CONNECT_URL
    (tmp_path / "netrc").write_text("default login alice password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", proxy)
    settings.FLATPEAK_CONNECT_URL = "http://connect.example.com"
    double.answers["http://connect.example.com/"] = (200, PAGE)
    assert flatpeak.answer("cot_a", "session_restore")["route"] == "provider_select"
    [(_, address, _, headers, _)] = double.seen
    assert address == "http://connect.example.com/"
    assert "Authorization" not in headers


def test_rates_are_asked_for_between_two_instants(double):
    double.answers["/tariffs/rates/loc_1"] = (200, {"data": []})
    start = datetime.fromisoformat("2026-10-25T00:00:00+01:00")
    flatpeak.rates("loc_1", start, datetime(2026, 10, 27, tzinfo=UTC), "EXPORT")
    query = double.seen[-1][2]
    assert "start_time=2026-10-24T23%3A00%3A00Z&end_time=2026-10-27T00%3A00%3A00Z" in query
    assert "direction=EXPORT&include_tariff=true&include_carbon=true" in query


ERROR = {
    "object": "error",
    "type": "invalid_request",
    "code": "city_missing",
    "message": "Where?",
    "request_id": "req_1",
}


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (422, ERROR, "city_missing", "Where?"),
        (200, ERROR, "city_missing", "Where?"),
        (409, ERROR, "city_missing", "Where?"),
        (429, {"object": "error", "type": "rate_limit"}, "", ""),
        (404, {"message": "Not Found"}, "", "Not Found"),
        (400, b"<html>no</html>", "", ""),
        (400, ["a list"], "", ""),
    ],
)
def test_a_refusal_says_why_in_both_error_shapes(double, status, body, code, message):
    double.answers["/"] = (status, body)
    with pytest.raises(flatpeak.Rejected) as caught:
        flatpeak.answer("cot_1", "session_restore")
    assert (caught.value.status, caught.value.code, caught.value.message) == (status, code, message)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, ERROR),
        (502, b"<html>bad gateway</html>"),
        (302, {}),
        (200, b""),
        (200, b'{"route": "r"'),
        (200, ["a list"]),
        (200, {"no": "route"}),
        (200, {"route": 3}),
        (200, {"route": "r", "data": "text"}),
        (200, b'{"route": NaN}'),
        (200, b"[" * 100_000),
        (200, b'{"route": "r", "data": {"cost": 1e9999999999999999999999}}'),
        (200, b'{"route": "r", "data": {"cost": 1e1001}}'),
        (200, b'{"route": "r", "data": {"cost": 1e-1001}}'),
        (200, b'{"route": "r", "data": {"list": ' + b"[" * 60 + b"]" * 60 + b"}}"),
        (200, b'{"route": "r", "data": ' + b'{"a":' * 60 + b"1" + b"}" * 61),
        (200, json.dumps(PAGE | {"more": "x" * http.MAX_BODY}).encode()),
    ],
)
def test_an_unusable_answer_is_unavailable_and_not_followed_and_in_one_line_of_the_log(double, status, body, caplog):
    double.answers["/"] = (status, body)
    caplog.set_level(logging.INFO)
    with pytest.raises(flatpeak.Unavailable) as caught:
        flatpeak.answer("cot_1", "session_restore")
    assert caplog.messages == [str(caught.value)]
    assert paths(double) == ["/"]


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda: flatpeak.exchange("cot_1", flatpeak.ZERO), "/connect/tariff/token"),
        (lambda: flatpeak.create_connect_token({}), "/connect/tariff/token"),
        (lambda: flatpeak.location_status("loc_1"), "/locations/loc_1/status"),
        (lambda: flatpeak.new_bearer(), "/login"),
    ],
)
def test_an_answer_without_what_it_is_for_is_unavailable(double, call, path):
    double.answers[path] = [(200, {"bearer_token": BEARER}), (200, {})] if path == "/login" else (200, {})
    if path == "/login":
        call()
    with pytest.raises(flatpeak.Unavailable, match="without"):
        call()


def test_a_host_that_is_not_there_is_unavailable(settings):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.FLATPEAK_CONNECT_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(flatpeak.Unavailable, match="ConnectionError"):
            flatpeak.answer("cot_1", "session_restore")


def test_a_host_that_never_answers_is_unavailable_after_the_timeout(settings):
    settings.FLATPEAK_READ_TIMEOUT = 0.05
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.FLATPEAK_CONNECT_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(flatpeak.Unavailable, match="Timeout"):
            flatpeak.answer("cot_1", "session_restore")


@pytest.fixture
def dripping(settings):
    """A host that sends a byte of its answer every 10 ms: `part` says of what, and it never comes to its end."""
    settings.FLATPEAK_READ_TIMEOUT = 0.1
    stop = threading.Event()
    parts = {
        "head": (b"HTTP/1.1 200 OK\r\n", b"X-Padding: " + b"a" * 500),
        "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b" " * 500),
        "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 90),
    }

    def serve(part):
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.recv(64 * 1024)
            at_once, slowly = parts[part]
            connection.sendall(at_once)
            for byte in slowly:
                connection.sendall(bytes([byte]))
                if stop.wait(0.01):
                    return

    def drip(part):
        threading.Thread(target=serve, args=[part], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.FLATPEAK_CONNECT_URL = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield drip
        stop.set()


@pytest.mark.parametrize("part", ["head", "body", "chunks"])
def test_an_answer_that_drips_in_is_not_waited_for_beyond_the_timeout(dripping, part):
    dripping(part)
    with pytest.raises(flatpeak.Unavailable, match=r"ConnectionError|Timeout"):
        flatpeak.answer("cot_1", "session_restore")


@pytest.fixture
def silent(settings):
    """A port at which nobody listens; each try is counted by the breaker as one that had no answer."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.FLATPEAK_CONNECT_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
        yield settings.FLATPEAK_CONNECT_URL


def tried(times):
    """How many of some calls were tried."""
    found = 0
    for _ in range(times):
        with pytest.raises(flatpeak.Unavailable) as error:
            flatpeak.answer("cot_1", "session_restore")
        found += "not tried" not in str(error.value)
    return found


def test_a_host_that_does_not_answer_is_left_alone_but_for_one_call_per_pause(silent):
    assert tried(http.FAILURES) == http.FAILURES
    assert tried(10) == 1
    cache.delete(f"flatpeak-silent:{silent.removeprefix('http://')}:tried")  # the pause is over
    assert tried(10) == 1


@pytest.fixture
def minutes(monkeypatch):
    """Put the cache's clock on."""
    real, ahead = time.time, 0

    def advance(minutes):
        nonlocal ahead
        ahead += 60 * minutes

    for module in ("base", "locmem"):
        monkeypatch.setattr(f"django.core.cache.backends.{module}.time", SimpleNamespace(time=lambda: real() + ahead))
    return advance


@pytest.mark.skipif("CACHE_URL" in os.environ, reason="a Redis has a clock of its own")
def test_a_host_stays_left_alone_until_it_answers_however_long_that_takes(silent, minutes):
    assert tried(http.FAILURES) == http.FAILURES
    for _ in range(3):
        minutes(2)
        assert tried(10) == 1
    minutes(600)
    assert flatpeak.silent()["connect"]


@pytest.mark.skipif("CACHE_URL" in os.environ, reason="a Redis has a clock of its own")
def test_failures_count_together_while_less_than_a_minute_lies_between_them(silent, minutes):
    for _ in range(http.FAILURES):
        assert tried(1) == 1
        minutes(0.9)
    assert tried(10) == 1


@pytest.mark.skipif("CACHE_URL" in os.environ, reason="a Redis has a clock of its own")
def test_a_few_failures_are_forgotten_a_minute_after_the_last(silent, minutes):
    for _ in range(3):
        assert tried(http.FAILURES - 1) == http.FAILURES - 1
        minutes(1.1)


def test_all_is_well_after_the_first_answer(double, settings):
    double.answers["/"] = (200, PAGE)
    key = f"flatpeak-silent:{settings.FLATPEAK_CONNECT_URL.removeprefix('http://')}"
    cache.set(key, http.FAILURES)
    assert flatpeak.answer("cot_1", "session_restore")["route"] == "provider_select"
    cache.set(f"{key}:tried", True)
    assert flatpeak.answer("cot_1", "session_restore")["route"] == "provider_select"


def test_a_worker_that_found_a_host_well_looks_again_after_a_second(double, settings, monkeypatch):
    key, looks = f"flatpeak-silent:{settings.FLATPEAK_CONNECT_URL.removeprefix('http://')}", []
    monkeypatch.setattr(cache, "get", lambda name, default: looks.append(name) or default)
    double.answers["/"] = (200, PAGE)
    flatpeak.answer("cot_1", "session_restore")
    flatpeak.answer("cot_1", "session_restore")
    assert looks == [key]
    http._Breaker.well_until[key] -= 1  # a second later
    flatpeak.answer("cot_1", "session_restore")
    assert looks == [key, key]


def test_one_host_that_does_not_answer_does_not_close_the_other(double, silent, settings):
    settings.FLATPEAK_CONNECT_URL = silent
    assert tried(http.FAILURES + 2) == http.FAILURES + 1
    assert flatpeak.new_bearer()["bearer_token"] == BEARER


def test_an_error_is_an_answer(double):
    double.answers["/"] = (500, {})
    for _ in range(http.FAILURES + 5):
        with pytest.raises(flatpeak.Unavailable):
            flatpeak.answer("cot_1", "session_restore")
    assert len(double.seen) == http.FAILURES + 5


def test_failures_are_logged_without_token_key_id_or_query(double, caplog):
    caplog.set_level(logging.INFO)
    double.answers["/connect/tariff/token"] = (500, {})
    double.answers["/tariffs/rates/loc_secret"] = (422, ERROR)
    with pytest.raises(flatpeak.Unavailable):
        flatpeak.exchange("cot_" + 24 * "a", flatpeak.ZERO)
    with pytest.raises(flatpeak.Rejected):
        flatpeak.rates("loc_secret", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "IMPORT")
    assert caplog.messages == [
        "GET /connect/tariff/token: unusable answer (500)",
        "GET /tariffs/rates: 422 city_missing, request req_1",
    ]


HOSTILE_WORDS = [
    "two\nlines",
    "a\ttab",
    "a sentence, with 1 Example Street",
    "cot_" + 24 * "a",
    "city_missing\n",
    "\u202eturned",
    65 * "x",
    ["a list"],
    {"an": "object"},
]


@pytest.mark.parametrize("status", [200, 422, 500])
@pytest.mark.parametrize("hostile", HOSTILE_WORDS, ids=repr)
def test_what_is_no_short_word_gets_into_no_line_of_the_log(double, caplog, hostile, status):
    double.answers["/"] = (status, ERROR | dict.fromkeys(("code", "request_id", "type"), hostile))
    caplog.set_level(logging.INFO)
    with pytest.raises(flatpeak.FlatPeakError) as caught:
        flatpeak.answer("cot_1", "session_restore")
    said = "unusable answer (500)" if status == 500 else f"{status} no code, request unknown"
    assert caplog.messages == [f"Connect: {said}"] == [str(caught.value)]


def test_a_call_with_a_purpose_says_so_and_its_refusal_is_an_error(double, caplog):
    caplog.set_level(logging.INFO)
    token = "/connect/tariff/token"
    with flatpeak.purpose("a test"):
        for answer in ([(403, {}), (422, ERROR)], (429, {}), (500, {"request_id": "req_2"})):
            double.answers[token] = answer
            with pytest.raises(flatpeak.FlatPeakError):
                flatpeak.create_connect_token({})
        for answer in ((404, {"message": "Not Found"}), (409, ERROR)):
            double.answers["/locations/loc_1"] = answer
            with pytest.raises(flatpeak.Rejected):
                flatpeak.delete_location("loc_1")
    with pytest.raises(flatpeak.FlatPeakError):
        flatpeak.create_connect_token({})
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"POST {token}: 403 no code, request unknown, for a test"),  # the bearer is renewed
        ("ERROR", f"POST {token}: 422 city_missing, request req_1, for a test"),
        ("INFO", f"POST {token}: 429 no code, request unknown, for a test"),
        ("WARNING", f"POST {token}: unusable answer (500), request req_2, for a test"),
        ("INFO", "DELETE /locations: 404 no code, request unknown, for a test"),
        ("ERROR", "DELETE /locations: 409 city_missing, request req_1, for a test"),
        ("WARNING", f"POST {token}: unusable answer (500), request req_2"),
    ]


def test_connections_are_kept_alive_per_thread(double):
    double.answers["/"] = (200, PAGE)
    ports = []
    double.do_POST = lambda self: (ports.append(self.client_address[1]), double.do_GET(self))
    for _ in range(3):
        flatpeak.answer("cot_1", "session_restore")
    assert len(set(ports)) == 1


def test_calls_are_recorded_without_credentials_also_those_that_fail(double, settings):
    settings.FLATPEAK_VERSION, calls = "2024-08-24.zero", []
    double.answers |= {"/": (200, PAGE), "/locations/loc_1": (404, {"message": "Not Found"})}
    with flatpeak.recording(lambda *call: calls.append(call)):
        flatpeak.answer("cot_1", "session_restore")
        with pytest.raises(flatpeak.Rejected):
            flatpeak.location("loc_1")
        settings.FLATPEAK_CONNECT_URL = "http://127.0.0.1:1"
        with pytest.raises(flatpeak.Unavailable):
            flatpeak.answer("cot_1", "session_restore")
    flatpeak.new_bearer()
    sent = {"connect_token": "cot_1", "route": "session_restore"}
    assert calls == [
        ("Connect", sent, 200, "", PAGE),
        ("GET /login", None, 200, "", {"bearer_token": BEARER, "expires_in": 3600, "live_mode": False}),
        ("GET /locations", None, 404, "", {"message": "Not Found"}),
        ("Connect", sent, 0, "", None),
    ]


# --- check_flatpeak


@pytest.mark.parametrize(("release", "start"), [("zero", "session_restore"), ("anode", "session_start")])
def test_check_flatpeak_says_what_it_found(sandbox, capsys, release, start):
    sandbox.raise_to("*", release)
    call_command("check_flatpeak")
    said = capsys.readouterr().out
    assert "test mode" in said
    assert f".{release}." in said
    assert sandbox.counts[f"connect.{start}"] == 1


def test_check_flatpeak_tells_wrong_credentials_from_a_host_that_is_not_there(sandbox, settings):
    settings.FLATPEAK_API_KEY = "nonsense"
    with pytest.raises(CommandError, match="Check FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY"):
        call_command("check_flatpeak")
    settings.FLATPEAK_API_URL = "http://127.0.0.1:1"
    with pytest.raises(CommandError, match="can't reach"):
        call_command("check_flatpeak")


TOKEN = (200, {"connect_token": "cot_1", "expires_in": 60})


@pytest.mark.parametrize(
    ("page", "release"),
    [
        ({"route": "postal_address_capture", "actions": ["BACK", "CLOSE"], "data": {}}, "2025-09-14.anode"),
        ({"route": "provider_select", "type": "COMMODITY", "data": {}}, "2025-09-14.anode"),
        ({"route": "provider_select", "data": {}}, "2024-08-24.zero"),
        ({"route": "provider_select", "actions": [{}, []], "type": [], "data": {}}, "2024-08-24.zero"),
    ],
)
def test_the_first_page_tells_the_release_that_no_header_did(double, page, release):
    double.answers["/"] = (200, page)
    assert flatpeak.shown(flatpeak.ZERO.version, flatpeak.answer("cot_1", "session_restore")) == release
    assert flatpeak.told() == (release if release.endswith("anode") else "")


def test_check_flatpeak_tells_a_page_that_is_not_known(double):
    double.answers |= {"/connect/tariff/token": TOKEN, "/": (200, {"route": "postal_address_input", "data": {}})}
    with pytest.raises(CommandError, match=r"does not know the page postal_address_input of release 2024-08-24\.zero"):
        call_command("check_flatpeak")


def test_check_flatpeak_tells_a_conversation_that_does_not_open(double):
    double.answers |= {"/connect/tariff/token": (404, {"message": "Not Found"}), "/": (500, {})}
    with pytest.raises(CommandError, match="Leave FLATPEAK_VERSION empty"):
        call_command("check_flatpeak")
    double.answers["/connect/tariff/token"] = TOKEN
    with pytest.raises(CommandError, match="Check FLATPEAK_CONNECT_URL"):
        call_command("check_flatpeak")
