"""One line of the log for each request and for each call to FlatPeak, as production writes it, and its id."""

import io
import json
import logging
import re
from datetime import datetime

import pytest
from django.conf import settings as product
from django.test import Client
from django.utils.module_loading import import_string

from flatpeak_app.errors import RequestId

pytestmark = pytest.mark.django_db

GIVEN = "0123456789abcdef" * 2


@pytest.fixture
def log():
    """The lines that production would have written since it was last called."""
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


def test_a_request_is_one_line_with_its_view_and_user_and_no_address(walk, alice, log):
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
    def broken(*_, **__):
        raise ValueError("a reason")

    monkeypatch.setattr("tariffs.views.with_days", broken)
    client.force_login(alice)
    client.raise_request_exception = False
    response = client.get("/locations/?q=secret")
    error, line = log()
    assert (error["logger"], error["level"]) == ("django.request", "ERROR")
    assert "in broken" in error["exc_info"]
    assert "secret" not in json.dumps(error)  # Django hangs the request on its line
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
        # FlatPeak names a request in its errors alone.
        assert re.fullmatch(r"req_\w+" if fault.startswith("status_") else "", line["flatpeak_request_id"])
        assert line["flatpeak_request_id"] in line["message"]


# --- the id of a request


@pytest.mark.parametrize(
    "sent", [GIVEN, GIVEN.upper(), "01234567-89ab-4def-8123-456789abcdef"], ids=["hex", "capitals", "hyphens"]
)
def test_the_id_of_a_proxy_is_kept(client, log, sent):
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
def test_what_is_no_id_is_replaced(client, log, sent):
    made = client.get("/", headers={"X-Request-ID": sent})["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)
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


def test_the_readme_shows_lines_as_they_are(walk, sandbox, log):
    text = (product.BASE_DIR / "README.md").read_text().partition("### Logs")[2].partition("### Metrics")[0]
    shown = [json.loads(line) for line in re.findall(r"^    (\{.*?\})$", text, re.M | re.S)]
    walk.start()
    log()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect", "fault": "status_500"}])
    walk.client.post(f"/connect/{walk.session.pk}/{walk.session.newest}/", walk.ADDRESS | {"newest": 1})
    call, request = log()
    assert [list(line) for line in shown] == [list(request), list(call)]
    assert [line["status"] for line in shown] == [request["status"], call["status"]]
