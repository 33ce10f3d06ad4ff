"""Production's log: one line per request and per call to FlatPeak, with the request's id."""

import io
import json
import logging
import re
from datetime import datetime

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as product
from django.core.cache import cache
from django.test import Client
from django.utils.module_loading import import_string

from flatpeak_app.web.errors import RequestId

pytestmark = pytest.mark.django_db

GIVEN = "0123456789abcdef" * 2


@pytest.fixture
def trusted(settings):
    """A proxy that sets X-Request-ID."""
    settings.TRUST_REQUEST_ID = True


@pytest.fixture
def log():
    """Return production's log lines since the last call."""
    options = dict(product.LOGGING["formatters"]["json"])
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(import_string(options.pop("()"))(**options))
    handler.addFilter(RequestId())
    logging.getLogger().addHandler(handler)

    def lines():
        text = handler.stream.getvalue()
        handler.stream.seek(0)
        handler.stream.truncate()
        return [json.loads(line) for line in text.splitlines()]

    yield lines
    logging.getLogger().removeHandler(handler)


def without_times(line):
    assert datetime.fromisoformat(line.pop("time")).tzinfo
    assert 0 <= line.pop("ms") < 10_000
    return line


def test_a_request_is_one_line_with_its_view_and_user_and_no_address(walk, alice, log, trusted):
    walk.fixed()
    log()
    location = walk.session.location_id
    response = walk.client.get(f"/locations/{location}/?day=2026-10-01", headers={"X-Request-ID": GIVEN})
    assert response["X-Request-ID"] == GIVEN
    *calls, line = log()
    assert without_times(line) == {
        "level": "INFO",
        "logger": "flatpeak_app.requests",
        "request_id": GIVEN,
        "message": line["message"],
        "method": "GET",
        "view": "tariffs:rates",
        "status": 200,
        "user": alice.pk,
    }
    assert re.fullmatch(rf"GET tariffs:rates 200 in \d+ ms, user {alice.pk}", line["message"])
    assert [call["call"] for call in calls] == ["GET /tariffs/rates"]
    assert {call["request_id"] for call in calls} == {GIVEN}


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("get", "/", ("GET", "home", 200)),
        ("get", "/locations/", ("GET", "tariffs:locations", 302)),
        ("get", "/nowhere/1%20Example%20Street/?fp_cot=secret", ("GET", "other", 404)),
        ("post", "/offline/", ("POST", "offline", 405)),
    ],
)
def test_whoever_asks_what_is_a_line_of_the_same_form(client, log, method, path, told):
    getattr(client, method)(path)
    [line] = log()
    assert (line["method"], line["view"], line["status"]) == told
    assert line["user"] is None
    assert not re.search("Example|fp_cot|secret", json.dumps(line))


def test_a_method_that_nobody_knows_is_not_repeated(client, log):
    client.generic("COT-SECRET", "/")
    assert [line["method"] for line in log()] == ["other"]


def test_a_sign_in_is_a_line_with_who_it_was(client, alice, log):
    client.post("/account/login/", {"login": alice.email, "password": "correct horse battery"})
    assert [(line["view"], line["status"], line["user"]) for line in log()] == [("account_login", 302, alice.pk)]


def test_an_error_that_nobody_caught_is_its_traceback_and_the_line(client, alice, log, monkeypatch):
    reason = " ".join(["a", "reason"])  # assembled, so that no line of code has it

    def broken(*_, **__):
        raise ValueError(reason)

    monkeypatch.setattr("tariffs.screens.views.render", broken)
    client.force_login(alice)
    client.raise_request_exception = False
    response = client.get("/locations/?q=secret")
    error, line = log()
    assert (error["logger"], error["level"]) == ("django.request", "ERROR")
    assert "in broken" in error["exc_info"]
    assert "ValueError" in error["exc_info"]
    assert reason not in json.dumps(error)  # messages may quote an address
    assert "secret" not in json.dumps(error)  # Django's line carries the request
    assert error["request_id"] == line["request_id"] == response["X-Request-ID"]
    assert (line["status"], line["user"]) == (500, alice.pk)


def test_a_call_to_flatpeak_is_one_line_whatever_becomes_of_it(walk, sandbox, log):
    walk.start()
    log()
    for fault, told in {
        "": ("INFO", "ok", 200),
        "status_409": ("INFO", "rejected", 409),
        "status_500": ("WARNING", "unusable", 500),
        "json_list": ("WARNING", "unusable", 200),
        "connection_reset": ("WARNING", "no_answer", 0),
    }.items():
        with sandbox.lock:
            sandbox.set_faults([{"call": "connect", "fault": fault}] if fault else [])
        walk.client.post(f"/connect/{walk.session.pk}/")  # asks where Connect stands
        line, request = log()
        assert (line["level"], line["outcome"], line["status"]) == told, fault
        assert (line["call"], line["logger"]) == ("Connect", "tariffs.flatpeak")
        assert line["request_id"] == request["request_id"]
        assert 0 <= line["ms"] < 5000
        # FlatPeak gives a request id in errors only.
        assert re.fullmatch(r"req_\w+" if fault.startswith("status_") else "", line["flatpeak_request_id"])
        assert line["flatpeak_request_id"] in line["message"]


# --- failed sign-ins


ELSEWHERE = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7"}  # through one of our proxies


def failed(log):
    """(client, account, outcome) of each failed sign-in."""
    lines = [line for line in log() if line["logger"] == "flatpeak_app.accounts.failures"]
    for line in lines:
        assert not re.search("alice|example.com|guess|000000|198.51.100.9", json.dumps(line), re.I)
        assert all(line[name] in line["message"] for name in ("client", "account", "outcome"))
    return [(line["client"], line["account"], line["outcome"]) for line in lines]


@pytest.fixture
def limited(settings):
    settings.ACCOUNT_RATE_LIMITS, settings.ALLAUTH_TRUSTED_PROXY_COUNT = {}, 1


def test_each_failed_sign_in_is_a_line_with_its_address_and_a_digest_of_the_account(client, alice, log, limited):
    def sign_in(email, password="guess"):
        client.post("/account/login/", {"login": email, "password": password}, headers=ELSEWHERE)

    for email in (alice.email, f" {alice.email.upper()} ", alice.email, alice.email, alice.email, alice.email):
        sign_in(email)
    sign_in("nobody@example.com")
    *of_alice, of_nobody = failed(log)
    assert [outcome for _, _, outcome in of_alice] == ["wrong_password"] * 5 + ["too_many"]
    assert {client for client, _, _ in (*of_alice, of_nobody)} == {"203.0.113.7"}
    [account] = {account for _, account, _ in of_alice}
    assert re.fullmatch("[0-9a-f]{20}", account)
    assert of_nobody[1:] == (of_nobody[1], "wrong_password")
    assert of_nobody[1] != account
    cache.clear()
    sign_in(alice.email, "correct horse battery")
    assert failed(log) == []


def test_whoever_guesses_once_signed_in_is_such_a_line_too(client, alice, charlie, log, limited):
    client.post("/account/login/", {"login": alice.email, "password": "guess"}, headers=ELSEWHERE)
    [(_, account, _)] = failed(log)
    cache.clear()

    def post(path, times=1, **form):
        for _ in range(times):
            client.post(path, form, headers=ELSEWHERE)
        lines = failed(log)
        assert {line[:2] for line in lines} == {("203.0.113.7", account)}
        cache.clear()
        return [outcome for _, _, outcome in lines]

    client.force_login(alice)
    tried = ["wrong_password"] * 5 + ["too_many"]
    assert post("/account/reauthenticate/", 6, password="guess", login="bob@example.com") == tried
    new = {"password1": "guess of mine", "password2": "guess of mine"}
    assert post("/account/password/change/", oldpassword="guess", **new) == ["wrong_password"]
    TOTP.activate(alice, generate_totp_secret())
    tried = ["wrong_code"] * 5 + ["too_many"]
    assert post("/account/second-factor/reauthenticate/", 6, code="000000") == tried
    client.logout()
    client.post("/account/login/", {"login": alice.email, "password": "correct horse battery"})
    assert post("/account/second-factor/authenticate/", 6, code="000000") == tried
    client.logout()
    client.post("/account/password/reset/", {"email": alice.email}, headers=ELSEWHERE)
    assert post("/account/password/reset/confirm/", 4, code="000000") == ["wrong_code"] * 3


def test_a_code_guessed_for_an_account_that_there_is_not_is_such_a_line_too(client, log, limited):
    client.post("/account/password/reset/", {"email": "nobody@example.com"}, headers=ELSEWHERE)
    client.post("/account/password/reset/confirm/", {"code": "000000"}, headers=ELSEWHERE)
    client.post("/account/login/", {"login": "nobody@example.com", "password": "guess"}, headers=ELSEWHERE)
    (_, by_code, code), (_, by_password, password) = failed(log)
    assert by_code == by_password
    assert (code, password) == ("wrong_code", "wrong_password")


def test_the_docs_say_what_a_firewall_looks_for(client, log, limited):
    [pattern] = re.findall(r"`failregex = (.*)`", (product.BASE_DIR / "docs" / "operations.md").read_text())
    client.post("/account/login/", {"login": "nobody@example.com", "password": "guess"}, headers=ELSEWHERE)
    [line] = [json.dumps(line) for line in log() if "client" in line]
    assert re.search(pattern.replace("<HOST>", r"(\S+)"), line)[1] == "203.0.113.7"


# --- the id of a request


@pytest.mark.parametrize(
    "sent", [GIVEN, GIVEN.upper(), "01234567-89ab-4def-8123-456789abcdef"], ids=["hex", "capitals", "hyphens"]
)
def test_the_id_of_a_proxy_that_is_trusted_is_kept(client, log, trusted, sent):
    assert client.get("/", headers={"X-Request-ID": sent})["X-Request-ID"] == sent
    assert [line["request_id"] for line in log()] == [sent]


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "cot_0123",
        "1 Example Street",
        GIVEN + "0",
        GIVEN + "\n",
        f"{{{GIVEN}}}",
        f"urn:uuid:{GIVEN}",
        "-" * 4000 + GIVEN,
        "0_1" + GIVEN[3:],
        "²" * 32,
    ],
    ids=repr,
)
def test_what_is_no_id_is_replaced(client, log, trusted, sent):
    made = client.get("/", headers={"X-Request-ID": sent})["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert made != GIVEN
    assert [line["request_id"] for line in log()] == [made]


def test_an_id_is_made_whatever_is_sent_unless_the_proxy_is_trusted(client, log):
    made = client.get("/", headers={"X-Request-ID": GIVEN})["X-Request-ID"]
    assert made != GIVEN
    assert [line["request_id"] for line in log()] == [made]


def test_a_form_without_its_token_names_the_id_to_give_to_support():
    response = Client(enforce_csrf_checks=True).post("/account/login/")
    assert response.status_code == 403
    assert f"Reference: {response['X-Request-ID']}" in response.content.decode()


@pytest.mark.parametrize("fault", ["unknown_route", "status_500"], ids=["unknown", "stalled"])
def test_where_a_conversation_stops_its_id_is_the_reference_and_in_the_log(walk, sandbox, log, fault):
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.session_restore", "fault": fault}])
    walk.start()
    assert f"Reference: {walk.session.pk}" in walk.text
    if fault == "unknown_route":
        assert str(walk.session.pk) in json.dumps(log())


def test_the_docs_show_lines_as_they_are(walk, sandbox, log):
    text = (product.BASE_DIR / "docs" / "operations.md").read_text().partition("## Log\n")[2].partition("\n## ")[0]
    shown = [json.loads(line) for line in re.findall(r"^    (\{.*?\})$", text, re.M | re.S)]
    walk.start()
    log()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect", "fault": "status_500"}])
    walk.client.post(f"/connect/{walk.session.pk}/{walk.session.newest}/", walk.ADDRESS | {"newest": 1})
    call, request = log()
    assert [list(line) for line in shown] == [list(request), list(call)]
    assert [line["status"] for line in shown] == [request["status"], call["status"]]


def test_a_mail_to_the_operator_that_fails_is_tried_again_after_minutes(settings, monkeypatch):
    settings.ADMINS = [("Operator", "operator@example.com")]
    tries, kept = [], {}

    def fails(*_):
        tries.append(1)
        raise OSError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fails)
    monkeypatch.setattr(cache, "set", lambda key, value, seconds: kept.update({key: seconds}))
    for _ in range(3):
        logging.getLogger("tariffs").error("it broke")
    assert len(tries) == 1
    assert list(kept.values()) == [300]
