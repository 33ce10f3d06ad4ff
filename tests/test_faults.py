"""Every fault of FlatPeak's, at every call and every page: what the customer sees, and that one more press gets on.

A cell is a fault at a call. CI runs a fixed share of the cells, `make torture` all of them.
"""

import logging
import os
import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs.models import Customer, Location, RateDay, Tariff

pytestmark = [pytest.mark.django_db, pytest.mark.long]
State = ConnectSession.State

EVERY = 1 if "TORTURE" in os.environ else 7  # every so many cells are run


def share(cells):
    return [cell for number, cell in enumerate(cells) if number % EVERY == 0]


# --- the ways through the conversation: how to come to a page, and what to press there

NIGHT_AND_DAY = {"start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "10"}


def summary(walk):
    return walk.by_hand().answer(cost="28.15").name_and_term()


def inprogress(walk):
    return walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider()


# route: (how to come there, how to answer, what was typed and has to be there still)
PAGES = {
    "postal_address_capture": (lambda w: w.start(), lambda w: w.address(), ["1 Example Street", "N1 1AA"]),
    "provider_select": (lambda w: w.to_providers(), lambda w: w.provider("Ecotricity"), []),
    "provider_name_capture": (
        lambda w: w.to_providers().act("PROVIDER_MISSING"),
        lambda w: w.answer(provider_name="Example Energy"),
        ["Example Energy"],
    ),
    "tariff_select": (lambda w: w.to_providers().provider("SSE"), lambda w: w.tariff(), []),
    "tariff_structure_select": (
        lambda w: w.to_providers().provider("Ecotricity"),
        lambda w: w.answer(options="FIXED"),
        [],
    ),
    "rate_fixed_capture": (lambda w: w.by_hand(), lambda w: w.answer(cost="28.15"), ["28.15"]),
    "rate_tod_capture": (
        lambda w: w.by_hand(structure="TIME_OF_DAY"),
        lambda w: w.answer(**NIGHT_AND_DAY),
        ["07:00", "23:00", 'value="30"', 'value="10"'],
    ),
    "market_surcharge_capture": (
        lambda w: w.to_providers().provider("Tomato Energy"),
        lambda w: w.answer(fixed="1.5", percentage="12"),
        ["1.5", "12"],
    ),
    "tariff_name_capture": (
        lambda w: w.by_hand().answer(cost="28.15"),
        lambda w: w.answer(tariff_name="Simple"),
        ["Simple"],
    ),
    "contract_term_capture": (
        lambda w: w.by_hand().answer(cost="28.15").answer(tariff_name="Simple"),
        lambda w: w.answer(term="unknown"),
        ["checked"],
    ),
    "summary_fixed_confirm": (summary, lambda w: w.act("SAVE"), ["28.15p"]),
    "summary_tou_confirm": (
        lambda w: w.by_hand(structure="TIME_OF_DAY").answer(**NIGHT_AND_DAY).name_and_term(),
        lambda w: w.act("SAVE"),
        ["30.00p"],
    ),
    "summary_tariff_inprogress": (inprogress, lambda w: w.act("SAVE"), []),
}

STOPPED = [
    {"fault": "connection_reset"},
    {"fault": "connection_closed"},
    {"fault": "silence", "seconds": 1},
    {"fault": "status_401"},
    {"fault": "status_403"},
    {"fault": "status_409"},
    {"fault": "status_429"},
    {"fault": "status_429", "retry_after": "7"},
    {"fault": "status_500"},
    {"fault": "status_502"},
    {"fault": "redirect"},
]
LOST = [
    {"fault": "answer_lost"},
    {"fault": "silence_after_work", "seconds": 1},
    {"fault": "slow_answer", "seconds": 1},
    {"fault": "empty_body"},
    {"fault": "cut_json"},
    {"fault": "json_list"},
    {"fault": "large_body"},
    {"fault": "bad_gzip"},
    {"fault": "deep_json"},
]
SPOILT = [
    {"fault": "html_type"},
    {"fault": "missing_field"},
    {"fault": "wrong_value"},
    {"fault": "wrong_value", "value": None},
    {"fault": "wrong_value", "value": [1, "a", {"b": None}]},
    {"fault": "wrong_value", "value": {"id": 5}},
    {"fault": "unknown_route"},
    {"fault": "many_choices"},
    {"fault": "hostile_text"},
    {"fault": "foreign_logo"},
    {"fault": "foreign_logo", "url": "data:image/svg+xml,<svg onload='alert(1)'/>"},
    {"fault": "foreign_redirect"},
    {"fault": "foreign_redirect", "url": "http://elsewhere.example.com/"},
    {"fault": "foreign_callback"},
]


def name(cell):
    call, fault = cell
    return f"{call}-{'-'.join(str(value)[:12] for value in fault.values())}"


def cells(*families):
    return [(route, fault) for family in families for fault in family for route in PAGES]


# --- what holds in every cell


@pytest.fixture
def fault(sandbox, settings, caplog):
    """Set a fault for the next call; afterwards nothing is broken any more, and the log has said why."""

    @contextmanager
    def on(call, fault, logged=True):
        caplog.clear()
        if "seconds" in fault:
            settings.FLATPEAK_READ_TIMEOUT = 0.2
        with sandbox.lock:
            sandbox.set_faults([{"call": call, **fault}])
        with caplog.at_level(logging.INFO):
            yield
        struck = sandbox.struck[fault["fault"]]
        with sandbox.lock:
            sandbox.set_faults([])
        said = [record for record in caplog.records if record.name == "tariffs.flatpeak"]
        if logged and struck:
            assert said, "nothing in the log"
        assert not any(record.exc_info for record in caplog.records)
        settings.FLATPEAK_READ_TIMEOUT = 5

    return on


def is_fine(walk):
    assert walk.response.status_code != 500
    assert "Traceback" not in walk.text
    return walk


def says_what_to_do(walk):
    """A sentence in a box or at a field, of the page that was answered."""
    body = walk.response.content.decode()
    found = re.findall(r'class="(?:problem|note|errorlist)[^"]*"[^>]*>(.*?)</(?:section|div|ul|p)>', body, re.DOTALL)
    assert any(len(re.sub(r"<[^>]+>", "", text).split()) >= 4 for text in found), walk.text
    return True


def to_the_end(walk):
    """Answer whatever is asked until the tariff is saved."""
    for _ in range(12):
        if walk.path.startswith("/connect/") and walk.response.context and walk.response.context.get("page"):
            if walk.route == "session_complete":
                break
            PAGES[walk.route][1](walk)
    assert walk.route == "session_complete", walk.text


def agrees(walk, sandbox):
    """FlatPeak and this site know one and the same location, connected once."""
    assert Location.objects.count() == Tariff.objects.count() == Customer.objects.count() == 1
    with sandbox.lock:
        saved = {key: place for key, place in sandbox.state["locations"].items() if any(place["tariffs"].values())}
    assert list(saved) == [Location.objects.get().location_id]
    assert walk.session.state == State.CONNECTED
    assert walk.session.encrypted_token == ""


@pytest.mark.parametrize("cell", share(cells(STOPPED, LOST)), ids=name)
def test_an_answer_that_fails_is_kept_and_pressed_again(walk, sandbox, fault, cell):
    route, trouble = cell
    reach, answer, typed = PAGES[route]
    reach(walk)
    assert walk.route == route
    with fault(f"connect.{route}", trouble):
        answer(walk)
    assert sandbox.struck[trouble["fault"]] == 1
    is_fine(walk)
    assert walk.route == route
    assert walk.response.status_code in (422, 503)
    says_what_to_do(walk)
    for text in typed:
        assert text in walk.response.content.decode()
    counted = sandbox.counts[f"connect.{route}"]
    is_fine(answer(walk))
    assert walk.route != route
    taken = trouble in LOST
    assert sandbox.counts[f"connect.{route}"] == counted + (not taken)
    to_the_end(walk)
    agrees(walk, sandbox)


@pytest.mark.parametrize("cell", share(cells(SPOILT)), ids=name)
def test_a_spoilt_page_is_asked_for_again(walk, sandbox, fault, cell):
    route, trouble = cell
    reach, answer, _ = PAGES[route]
    reach(walk)
    assert walk.route == route
    with fault(f"connect.{route}", trouble, logged=False):
        answer(walk)
    is_fine(walk)
    assert walk.response.status_code in (200, 422, 503)
    if walk.session.is_open and walk.response.context.get("page"):
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    if walk.route == route:
        is_fine(answer(walk))
    to_the_end(walk)
    agrees(walk, sandbox)


# --- the other calls


STARTS = [(call, each) for call in ("login", "token", "connect.session_restore") for each in STOPPED + LOST]


@pytest.mark.parametrize("cell", share(STARTS), ids=name)
def test_a_start_that_fails_is_pressed_again(walk, sandbox, fault, cell):
    call, trouble = cell
    cache.clear()
    with fault(call, trouble):
        walk.start(direction="EXPORT")
    is_fine(walk)
    refused_bearer = call == "token" and trouble["fault"] in ("status_401", "status_403")  # asked for anew at once
    if refused_bearer:
        assert walk.route == "postal_address_capture"
    elif call == "connect.session_restore":
        assert "FlatPeak did not answer" in walk.text
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    else:
        assert walk.response.status_code in (502, 503)
        says_what_to_do(walk)
        assert re.search('value="EXPORT"[^>]* checked', walk.response.content.decode())
        assert not ConnectSession.objects.exists()
        walk.start(direction="EXPORT")
    assert walk.route == "postal_address_capture"
    to_the_end(walk)
    agrees(walk, sandbox)
    assert ConnectSession.objects.count() == 1


EXCHANGES = [
    *STOPPED,
    *LOST,
    {"fault": "missing_field", "field": "location_id"},
    {"fault": "wrong_value", "field": "location_id"},
    {"fault": "wrong_value", "field": "customer_id", "value": None},
]


@pytest.mark.parametrize("trouble", share(EXCHANGES), ids=lambda each: name(("exchange", each)))
def test_an_exchange_that_fails_is_owed_and_made_later(walk, sandbox, fault, later, trouble):
    summary(walk)
    with fault("exchange", trouble, logged=False):
        walk.act("SAVE")
    is_fine(walk)
    assert walk.route == "session_complete"
    if trouble["fault"] not in ("status_401", "status_403"):  # with these the bearer is renewed, and it is asked again
        assert walk.session.state == State.OWED
        assert "Almost done" in walk.text
        assert not Location.objects.exists()
        later(minutes=16)
        is_fine(walk.get(walk.path))
    agrees(walk, sandbox)


DETAILS = [
    *[(call, each) for call in ("location", "status") for each in STOPPED + LOST],
    ("location", {"fault": "missing_field", "field": "timezone"}),
    ("location", {"fault": "wrong_value", "field": "timezone"}),
    ("location", {"fault": "wrong_value", "field": "timezone", "value": "Mars/Olympus"}),
    ("location", {"fault": "wrong_value", "field": "postal_address"}),
    ("location", {"fault": "wrong_value", "field": "currency_code", "value": {"a": 1}}),
    ("status", {"fault": "missing_field", "field": "tariff_status"}),
    ("status", {"fault": "wrong_value", "field": "tariff_status"}),
    ("status", {"fault": "wrong_value", "field": "tariff_status.commodity_import.provider", "value": [1]}),
]


@pytest.mark.parametrize("cell", share(DETAILS), ids=name)
def test_details_that_fail_cost_nothing_and_come_later(walk, sandbox, fault, later, cell):
    call, trouble = cell
    summary(walk)
    with fault(call, trouble, logged=False):
        walk.act("SAVE")
    is_fine(walk)
    agrees(walk, sandbox)
    later(minutes=16)
    is_fine(walk.get(f"/locations/{walk.session.location_id}/"))
    assert walk.price == "28.15p"
    assert Location.objects.get().time_zone == "Europe/London"


RATES = [
    *STOPPED,
    *LOST,
    {"fault": "missing_field", "field": "data"},
    {"fault": "wrong_value", "field": "data"},
    {"fault": "wrong_value", "field": "data.0.tariff.rate"},
    {"fault": "wrong_value", "field": "data.0.valid_from"},
    {"fault": "wrong_value", "field": "next_update"},
    {"fault": "next_update_past"},
    {"fault": "next_update_garbage"},
]


@pytest.mark.parametrize("trouble", share(RATES), ids=lambda each: name(("rates", each)))
def test_rates_that_fail_are_asked_for_again_later(walk, sandbox, fault, later, trouble):
    walk.fixed()
    rates = f"/locations/{walk.session.location_id}/"
    later(seconds=5)
    with fault("rates", trouble, logged=False):
        walk.get(rates)
    is_fine(walk)
    if walk.price != "28.15p":
        says_what_to_do(walk)
    later(minutes=16)
    is_fine(walk.get(rates))
    assert walk.price == "28.15p"
    assert RateDay.objects.filter(day=timezone.now().date()).count() == 1


def test_when_flatpeak_is_down_pages_are_quick_and_health_is_green(walk, sandbox, client):
    """After a few calls without an answer no request waits for FlatPeak, but one in five seconds."""
    walk.by_hand()
    with sandbox.lock:
        sandbox.set_faults([{"call": "*", "fault": "connection_closed", "times": 0}])
    for _ in range(20):
        walk.answer(cost="28.15")
        assert walk.response.status_code == 503
    assert sandbox.struck["connection_closed"] <= 7
    assert client.get("/healthz").status_code == 200
    with sandbox.lock:
        sandbox.set_faults([])
    cache.clear()
    walk.answer(cost="28.15")
    assert walk.route == "tariff_name_capture"
    assert timezone.now() - ConnectSession.objects.get().updated_at < timedelta(minutes=5)
