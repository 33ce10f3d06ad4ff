"""Every fault of FlatPeak's, at every call, page and way in: what the customer sees, and that one more press gets on.

A cell is a fault at a call in a release. CI runs a fixed share of zero's cells, `make torture` all of both releases; the last
lines of a run count.
"""

import io
import json
import logging
import os
import re
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession
from connect_ui.routes import Kind
from flatpeak_app.web.errors import RequestId
from tariffs.flatpeak import http
from tariffs.models import Customer, Erasure, Location, RateDay, Tariff

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.long]
State = ConnectSession.State

TORTURE = "TORTURE" in os.environ
EVERY = 1 if TORTURE else 19  # every so many cells are run
RELEASES = ["zero", "anode"] if TORTURE else ["zero"]


@pytest.fixture(autouse=True)
def release(request, sandbox):
    sandbox.speak(request.param)
    return request.param


def share(cells):
    return [cell for number, cell in enumerate(cells) if number % EVERY == 0]


def name(cell):
    """The id of a cell, or of a release."""
    if isinstance(cell, str):
        return cell
    call, fault = cell
    return "-".join([*([call] if isinstance(call, str) else call), *(str(value)[:20] for value in fault.values())])


def each_of(cells):
    """Run a test with a share of the cells of each release; `cells` returns them."""
    found = [(release, cell) for release in RELEASES for cell in share(cells(release))]
    return pytest.mark.parametrize(("release", "cell"), found, indirect=["release"], ids=name)


in_each_release = pytest.mark.parametrize("release", RELEASES, indirect=True)


# --- the ways through the conversation: how to come to a page, and what to press there

NIGHT_AND_DAY = {"start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "10"}


def summary(walk):
    return walk.by_hand().answer(cost="28.15").name_and_term()


def inprogress(walk):
    return walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider()


def hours(walk):
    return walk.by_hand(structure="TIME_OF_DAY").answer(**NIGHT_AND_DAY).name_and_term()


def settings_of(walk):
    return walk.fixed().start(location=Location.objects.get().pk)


def failed(walk, actions="edit"):
    walk.sandbox.state["switches"]["connection_actions"] = actions
    walk.to_providers().provider("Test: cannot be read").log_in_at_provider().save()
    return walk.start(location=Location.objects.get().pk)


# route, and after a slash which answer: (how to come there, how to answer, what was typed and has to be there still)
SHARED = {
    "postal_address_capture": (lambda w: w.start(), lambda w: w.address(), ["1 Example Street", "N1 1AA"]),
    "provider_select": (lambda w: w.to_providers(), lambda w: w.provider("Ecotricity"), []),
    "provider_select/tariffs": (lambda w: w.to_providers(), lambda w: w.provider("SSE"), []),
    "provider_select/login": (lambda w: w.to_providers(), lambda w: w.provider("Octopus Energy"), []),
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
}
SURCHARGE = (
    lambda w: w.to_providers().provider("Tomato Energy"),
    lambda w: w.answer(fixed="1.57", percentage="12.3"),
    ["1.57", "12.3"],
)
SAVED = {
    "zero": {
        "summary_fixed_confirm": (summary, lambda w: w.save(), ["28.15p"]),
        "summary_tou_confirm": (hours, lambda w: w.save(), ["30.00p"]),
        "summary_tariff_inprogress": (inprogress, lambda w: w.save(), []),
    },
    "anode": {
        "tariff_summary": (summary, lambda w: w.save(), ["28.15p"]),
        "tariff_summary/hours": (hours, lambda w: w.save(), ["30.00p"]),
        "tariff_connection_pending": (inprogress, lambda w: w.save(), []),
    },
}
CHANGED = {
    "tariff_summary/edit": (summary, lambda w: w.act("EDIT"), ["28.15p"]),
    "tariff_summary/settings": (settings_of, lambda w: w.act("EDIT"), ["28.15p"]),
    "tariff_connection_pending/edit": (inprogress, lambda w: w.act("EDIT"), []),
    "tariff_connection_failed": (failed, lambda w: w.act("EDIT"), []),
    "tariff_connection_failed/old": (lambda w: failed(w, "old"), lambda w: w.act("RECONNECT"), []),
}
WAYS = {
    "zero": SHARED | {"market_surcharge_capture": SURCHARGE} | SAVED["zero"],
    "anode": SHARED
    | {
        "provider_select/region": (
            lambda w: w.to_providers(),
            lambda w: w.provider("Test: asks for the region"),
            [],
        ),
        "region_select": (
            lambda w: w.to_providers().provider("Test: asks for the region"),
            lambda w: w.answer(region="South Wales"),
            ['South Wales" selected'],
        ),
        "surcharge_capture": SURCHARGE,
        "rate_fixed_capture/back": (lambda w: w.by_hand(), lambda w: w.act("BACK"), []),
    }
    | SAVED["anode"]
    | CHANGED,
}
PAGES, SUMMARIES = WAYS["zero"], SAVED["zero"]  # for tests that are about pages, in whatever release
# What a call has for a name, where that depends on the release.
CALLED = {
    "zero": {"connect.start": "connect.session_restore"},
    "anode": {"connect.start": "connect.session_start", "rates": "prices"},
}

# --- the faults

REFUSED = [{"fault": "connection_refused", "seconds": 60}]  # meets whichever call comes first
REJECTED = [
    {"fault": "status_401"},
    {"fault": "status_403"},
    {"fault": "status_409"},
    {"fault": "status_429"},
    {"fault": "status_429", "retry_after": "7"},
]
STOPPED = [
    {"fault": "connection_reset"},
    {"fault": "connection_closed"},
    {"fault": "silence", "seconds": 1},
    *REJECTED,
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
FAILED = STOPPED + LOST
CONNECT = {"zero": FAILED, "anode": [*FAILED, {"fault": "server_error"}]}  # at calls of Connect's
SPOILT = [
    {"fault": "html_type"},
    {"fault": "missing_field"},
    {"fault": "wrong_value"},
    {"fault": "wrong_value", "value": None},
    {"fault": "wrong_value", "value": [1, "a", {"b": None}]},
    {"fault": "wrong_value", "value": {"id": 5}},
    {"fault": "unknown_route"},
]
# What the page that follows an answer can't be without.
IN_BOTH = {
    "postal_address_capture": "providers",
    "provider_select": "options",
    "provider_select/tariffs": "tariffs",
    "provider_name_capture": "options",
    "tariff_select": "currency_code",
    "tariff_structure_select": "currency_code",
}
NEEDED = {
    "zero": IN_BOTH | {"provider_select/login": "redirect_uri", "contract_term_capture": "cost"},
    "anode": IN_BOTH
    | {"provider_select/login": "redirect_url", "provider_select/region": "regions", "region_select": "currency_code"}
    | {"contract_term_capture": "currency_code", "rate_fixed_capture/back": "options"}
    | dict.fromkeys(SAVED["anode"], "redirect_url")
    | dict.fromkeys(CHANGED, "providers"),
}
LISTS = ("postal_address_capture", "provider_select/tariffs")
SVG = "data:image/svg+xml,<svg onload='alert(1)'/>"


def cells(faults, calls):
    return [(call, fault) for fault in faults for call in calls]


def bearer_is_renewed(call, trouble):
    """A refused bearer is asked for anew at once, and the customer sees nothing of it."""
    return not call.startswith("connect.") and call != "login" and trouble["fault"] in ("status_401", "status_403")


def asked_otherwise(release, trouble):
    """Connect may refuse one of anode's two routes that start and resume, so the other one is tried at once."""
    return release == "anode" and trouble in REJECTED and trouble["fault"] != "status_429"


# --- what holds in every cell


LINE = logging.Formatter(settings.LOGGING["formatters"]["line"]["format"], style="{")
REASON = re.compile(
    r"\S+ \S+ (INFO|WARNING|ERROR) [\w.]+ [0-9a-f]{32} "
    r"((GET|POST|DELETE|Connect)\b.*: \S|\d+ of \d+ rate segments were unusable)"
)
# What a line of the log may not have: what was typed, or is somebody's. The suite itself looks for tokens and keys.
TYPED = ("Example", "N1 1AA", "London", "28.15", "0.2815", "1.57", "12.3", "Simple", "alice@", "fp_cot", "?")


@pytest.fixture
def fault(sandbox, settings, caplog, release):
    """Set a fault for the next call; afterwards nothing is broken any more, and `told()` is how many lines the log has.

    Each line has the reason and the id of the request, and nothing of the customer's.
    """
    caplog.handler.addFilter(RequestId())

    @contextmanager
    def on(call, trouble):
        call = CALLED[release].get(call, call)
        caplog.clear()
        patient = settings.FLATPEAK_READ_TIMEOUT
        if trouble.get("seconds") == 1:
            settings.FLATPEAK_READ_TIMEOUT = 0.5
        everything = trouble in REFUSED
        with sandbox.lock:
            sandbox.struck.clear()
            sandbox.set_faults([{"call": "*" if everything else call, **trouble}])
        with caplog.at_level(logging.INFO):
            yield
        on.struck = sandbox.struck[trouble["fault"]]
        with sandbox.lock:
            sandbox.set_faults([])
        settings.FLATPEAK_READ_TIMEOUT = patient
        on.lines = [LINE.format(record) for record in caplog.records]
        for line in on.lines:
            assert REASON.match(line), line
            assert "\n" not in line, line
            assert not [text for text in TYPED if text in line], line

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
    ways = WAYS[walk.session.spoken.name]
    for _ in range(12):
        if walk.path.startswith("/connect/") and walk.response.context and walk.response.context.get("page"):
            if walk.shows is Kind.END:
                break
            if walk.shows is Kind.REDIRECT:
                walk.log_in_at_provider()
            else:
                ways[walk.route][1](walk)
    assert walk.shows is Kind.END, walk.text


def agrees(walk, sandbox):
    """FlatPeak and this site know one and the same location, connected once."""
    assert Location.objects.count() == Tariff.objects.count() == Customer.objects.count() == 1
    with sandbox.lock:
        saved = {key: place for key, place in sandbox.state["locations"].items() if any(place["tariffs"].values())}
    assert list(saved) == [Location.objects.get().location_id]
    assert walk.session.state == State.CONNECTED
    assert walk.session.encrypted_token == ""


# --- answers


@each_of(lambda release: cells(REFUSED + CONNECT[release], WAYS[release]))
def test_an_answer_that_fails_is_kept_and_pressed_again(walk, sandbox, fault, release, cell):
    way, trouble = cell
    reach, answer, typed = WAYS[release][way]
    reach(walk)
    route, page = walk.route, walk.page.route
    with fault(f"connect.{route}", trouble):
        answer(walk)
    assert (fault.struck, len(fault.lines)) == (1, 1), fault.lines
    is_fine(walk)
    assert walk.page.route == page
    assert walk.response.status_code == (422 if trouble in REJECTED else 503)
    says_what_to_do(walk)
    assert "set on purpose" not in walk.text
    assert ("again in 7 seconds" in walk.text) == ("retry_after" in trouble)
    for text in typed:
        assert text in walk.response.content.decode()
    counted = sandbox.counts[f"connect.{route}"]
    is_fine(answer(walk))
    assert walk.page.route != page
    assert sandbox.counts[f"connect.{route}"] == counted + (trouble not in LOST)
    to_the_end(walk)
    agrees(walk, sandbox)


def spoilt_cells(release):
    ways, summaries = WAYS[release], SAVED[release]
    foreign = [{"fault": "foreign_redirect"}, {"fault": "foreign_redirect", "url": "http://elsewhere.example.com/"}]
    texts = [way for way in ways if way not in (*summaries, "provider_select/login")]
    return [
        *cells(SPOILT, ways),
        *[
            (way, {"fault": kind, "field": field})
            for way, field in NEEDED[release].items()
            for kind in ("missing_field", "wrong_value")
        ],
        *cells([{"fault": "many_choices", "count": 50_000}], LISTS),
        *cells([{"fault": "hostile_text"}, {"fault": "foreign_logo"}, {"fault": "foreign_logo", "url": SVG}], texts),
        *cells(foreign, ["provider_select/login"]),
        *cells([{"fault": "foreign_callback"}] if release == "zero" else foreign, summaries),
    ]


@each_of(spoilt_cells)
def test_a_spoilt_page_is_asked_for_again(walk, sandbox, fault, release, cell):
    way, trouble = cell
    reach, answer, _ = WAYS[release][way]
    reach(walk)
    route = way.partition("/")[0]
    assert walk.route == route
    with fault(f"connect.{route}", trouble):
        answer(walk)
    is_fine(walk)
    assert fault.struck == 1
    incomplete = (walk.response.context or {}).get("incomplete") or walk.route == "page_from_the_future"
    failed = walk.response.status_code >= 400
    assert len(fault.lines) == bool(failed or incomplete), fault.lines
    assert walk.response.status_code in (200, 302, 503)
    if trouble["fault"] == "many_choices":
        assert "Choice 49999" in walk.response.content.decode()
    if failed:
        says_what_to_do(walk)
    if walk.session.is_open and incomplete:
        assert "Part of this page is missing." in walk.text or "This question is new to us" in walk.text
    # Of these pages nothing leads on: the link, or the regions, which are sent by their names.
    astray = trouble["fault"] == "foreign_redirect" or (way.endswith("/region") and trouble["fault"] == "hostile_text")
    if walk.session.is_open and (incomplete or astray):
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    if walk.route == route:
        is_fine(answer(walk))
    to_the_end(walk)
    agrees(walk, sandbox)


# --- the beginning


STARTS = [
    *cells(REFUSED, ["login"]),
    *cells(FAILED, ["login", "token"]),
    ("login", {"fault": "missing_field", "field": "bearer_token"}),
    ("login", {"fault": "wrong_value", "field": "bearer_token"}),
    ("login", {"fault": "wrong_value", "field": "bearer_token", "value": "\u20ac"}),
    ("token", {"fault": "missing_field", "field": "connect_token"}),
    ("token", {"fault": "wrong_value", "field": "connect_token"}),
    ("connect.start", {"fault": "missing_field", "field": "postal_address"}),
    ("connect.start", {"fault": "unknown_route"}),
]


@each_of(lambda release: STARTS + cells(CONNECT[release], ["connect.start"]))
def test_a_start_that_fails_is_pressed_again(walk, sandbox, fault, release, cell):
    call, trouble = cell
    cache.clear()
    with fault(call, trouble):
        walk.start(direction="EXPORT")
    is_fine(walk)
    assert fault.struck == 1
    if trouble.get("field") != "postal_address":
        twice = call == "connect.start" and asked_otherwise(release, trouble)
        assert len(fault.lines) == 1 + twice, fault.lines
    if trouble["fault"] == "unknown_route":
        assert "This question is new to us" in walk.text
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    elif call == "connect.start" and trouble in CONNECT[release]:
        refused = trouble["fault"].startswith("status_4")
        assert ("We couldn't start" if refused else "We got no answer") in walk.text
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    elif call != "connect.start" and not bearer_is_renewed(call, trouble):
        assert walk.response.status_code in (502, 503)
        says_what_to_do(walk)
        assert re.search('value="EXPORT"[^>]* checked', walk.response.content.decode())
        assert not ConnectSession.objects.exists()
        walk.start(direction="EXPORT")
    assert walk.route == "postal_address_capture"
    to_the_end(walk)
    agrees(walk, sandbox)
    assert ConnectSession.objects.count() == 1


@in_each_release
def test_a_token_that_is_not_one_is_over_at_once_and_begun_again(walk, sandbox, fault, release):
    with fault("token", {"fault": "hostile_text"}):
        walk.start()
    is_fine(walk)
    assert len(fault.lines) == (2 if release == "anode" else 1)  # asked by each of the routes that start
    assert "This page timed out" in walk.text
    is_fine(walk.post(f"/connect/{walk.session.pk}/again/", {}))
    walk.token = walk.session.connect_token
    to_the_end(walk)
    agrees(walk, sandbox)


# --- back from the provider's login


@each_of(lambda release: cells(CONNECT[release], ["returned", "pressed"]))
def test_a_return_from_the_provider_that_fails_is_pressed_again(walk, sandbox, fault, release, cell):
    way, trouble = cell
    walk.to_providers().provider("Octopus Energy")
    press = f"/connect/{walk.session.pk}/"
    with ExitStack() as stack:
        set_it = lambda: stack.enter_context(fault("connect.session_restore", trouble))  # noqa: E731
        if way == "returned":
            walk.log_in_at_provider(meanwhile=set_it)
        else:
            walk.log_in_at_provider(meanwhile=lambda: sandbox.set_faults([{"call": "connect", "fault": "status_500"}]))
            set_it()
            walk.post(press, {})
    assert (fault.struck, len(fault.lines)) == (1, 1), fault.lines
    if not asked_otherwise(release, trouble):
        assert is_fine(walk).route == "session_redirect"
        says_what_to_do(walk)
        walk.post(press, {})
    assert is_fine(walk).shows is Kind.SUMMARY
    to_the_end(walk)
    agrees(walk, sandbox)


# --- the exchange


EXCHANGES = [
    *FAILED,
    {"fault": "missing_field", "field": "location_id"},
    {"fault": "wrong_value", "field": "location_id"},
    {"fault": "wrong_value", "field": "location_id", "value": ""},
]


@each_of(lambda release: [*cells(EXCHANGES, ["exchange"]), *cells(FAILED, ["login"])])
def test_an_exchange_that_fails_is_owed_and_made_later(walk, sandbox, fault, later, cell):
    call, trouble = cell
    summary(walk)
    cache.clear()
    with fault(call, trouble):
        walk.save()
    is_fine(walk)
    assert (fault.struck, len(fault.lines)) == (1, 1), fault.lines
    assert walk.shows is Kind.END
    if not bearer_is_renewed(call, trouble):
        assert walk.session.state == State.OWED
        assert "Almost done" in walk.text
        assert "Nothing is lost" in walk.text
        assert not Location.objects.exists()
        later(minutes=16)
        is_fine(walk.get(walk.path))
    agrees(walk, sandbox)


def run(command):
    out = io.StringIO()
    try:
        call_command(command, stdout=out)
    except CommandError as error:
        return str(error)
    return out.getvalue()


def by_action(walk, staff):
    chosen = {"action": "try_again", "_selected_action": [walk.session.pk]}
    staff.post(reverse("admin:connect_ui_connectsession_changelist"), chosen)
    return run("exchange_pending")


# How an owed exchange is made, and what is said where it is still owed.
ENTRIES = {
    "front page": (lambda walk, staff: walk.get("/").text, "Being finished"),
    "conversation": (lambda walk, staff: walk.get(f"/connect/{walk.session.pk}/").text, "Nothing is lost"),
    "callback": (
        lambda walk, staff: walk.get("/connect/callback/", data={"fp_cot": walk.token}).text,
        "Nothing is lost",
    ),
    "exchange_pending": (lambda walk, staff: run("exchange_pending"), "1 tried, 1 failed"),
    "admin": (by_action, "1 tried, 1 failed"),
}


@pytest.fixture
def staff(charlie):
    client = Client()
    client.force_login(charlie)
    return client


@each_of(lambda release: cells(REFUSED + EXCHANGES, ENTRIES))
def test_an_owed_exchange_that_fails_again_stays_owed_wherever_it_is_asked_for(
    walk, sandbox, fault, later, staff, cell
):
    entry, trouble = cell
    make, still_owed = ENTRIES[entry]
    summary(walk)
    with fault("exchange", {"fault": "answer_lost"}):
        walk.save()
    later(minutes=2)
    with fault("exchange", trouble):
        said = make(walk, staff)
    assert (fault.struck, len(fault.lines)) == (1, 1), fault.lines
    if not bearer_is_renewed("exchange", trouble):
        assert still_owed in said
        assert walk.session.state == State.OWED
        assert not Location.objects.exists()
        later(minutes=16)
        make(walk, staff)
    agrees(walk, sandbox)


# --- details and rates


DETAILS = [
    *cells(FAILED, ["location", "status"]),
    ("location", {"fault": "missing_field", "field": "timezone"}),
    ("location", {"fault": "wrong_value", "field": "timezone"}),
    ("location", {"fault": "wrong_value", "field": "timezone", "value": "Mars/Olympus"}),
    ("location", {"fault": "wrong_value", "field": "postal_address"}),
    ("location", {"fault": "wrong_value", "field": "currency_code", "value": {"a": 1}}),
    ("location", {"fault": "hostile_text"}),
    ("status", {"fault": "missing_field", "field": "tariff_status"}),
    ("status", {"fault": "wrong_value", "field": "tariff_status"}),
    ("status", {"fault": "wrong_value", "field": "tariff_status.commodity_import.provider", "value": [1]}),
    ("status", {"fault": "hostile_text"}),
]
HARMLESS = ("postal_address", "currency_code", "tariff_status.commodity_import.provider")


@each_of(lambda release: DETAILS)
def test_details_that_fail_cost_nothing_and_come_later(walk, sandbox, fault, later, cell):
    call, trouble = cell
    summary(walk)
    with fault(call, trouble):
        walk.save()
    is_fine(walk)
    told = trouble.get("field") not in HARMLESS and not (call == "status" and trouble["fault"] == "hostile_text")
    assert (fault.struck, len(fault.lines)) == (1, told), fault.lines
    agrees(walk, sandbox)
    later(minutes=16)
    is_fine(walk.get(f"/locations/{walk.session.location_id}/"))
    assert walk.price == "28.15p"
    assert Location.objects.get().time_zone == "Europe/London"


RATES = [
    *FAILED,
    {"fault": "missing_field", "field": "data"},
    {"fault": "wrong_value", "field": "data"},
    {"fault": "wrong_value", "field": "data.0.valid_from"},
    {"fault": "wrong_value", "field": "next_update"},
    {"fault": "next_update_past"},
    {"fault": "next_update_garbage"},
    {"fault": "hostile_text"},
]
UNHEARD = ("next_update", "hostile")  # what begins so spoils nothing that is read
PRICES = {"zero": ["tariff.rate"], "anode": ["price.value", "price.rate", "tariff.rate"]}


def rate_faults(release):
    return [*RATES, *({"fault": "wrong_value", "field": f"data.0.{price}"} for price in PRICES[release])]


def yesterday():
    return timezone.now().date() - timedelta(days=1)


# The pages and files that ask for rates; of what day; "rates" and "list" are today's and tomorrow's.
VIEWS = {
    "rates": lambda: "",
    "list": lambda: None,
    "day": lambda: f"day/?date={yesterday()}",
    "week": lambda: f"week/?date={yesterday() - timedelta(days=7)}",
    "rates.csv": lambda: "rates.csv",
    "rates.json": lambda: f"rates.json?start={yesterday()}",
}


def has_price(walk, view):
    text = walk.response.content.decode()
    return ("0.2815" if "." in view else "28.15p") in text


@each_of(
    lambda release: [
        *[((view, "rates"), each) for view in VIEWS for each in REFUSED + rate_faults(release)],
        *[((view, "login"), each) for view in VIEWS for each in FAILED],
    ]
)
def test_rates_that_fail_are_asked_for_again_soon(walk, sandbox, fault, later, cell):
    (view, call), trouble = cell
    price = trouble.get("field", "").removeprefix("data.0.")
    sandbox.state["switches"]["price_next_update"] = "next_update" in str(trouble)
    if price in PRICES["anode"]:
        sandbox.state["switches"]["price_item"] = price
    walk.fixed()
    location = f"/locations/{walk.session.location_id}/"

    def look_at():
        return walk.get("/locations/" if view == "list" else location + VIEWS[view]())

    later(seconds=5)
    if view in ("day", "week", "rates.json"):
        walk.get(location)  # which leaves only other days to be asked for
        RateDay.objects.all().delete()
    cache.clear()
    with fault(call, trouble):
        look_at()
    is_fine(walk)
    unheard = trouble["fault"].startswith(UNHEARD) or trouble.get("field") == "next_update"
    assert (fault.struck, len(fault.lines)) == (1, not unheard), fault.lines
    if not has_price(walk, view):
        assert not unheard
        assert not bearer_is_renewed(call, trouble)
        if "." in view:
            assert walk.response.status_code in (200, 503)
            assert trouble.get("field", "").startswith("data.") or "Try again in a minute" in walk.text
        elif view == "list":
            assert "price not known" in walk.text
        else:
            says_what_to_do(walk)
    if trouble.get("field", "").startswith("data."):
        later(minutes=16)
    later(seconds=61)
    if trouble in REJECTED or trouble.get("field", "").startswith("data."):
        cache.clear()  # as time does
    is_fine(look_at())
    assert has_price(walk, view), walk.text
    assert not RateDay.objects.values("tariff", "day").distinct().count() - RateDay.objects.count()


@in_each_release
def test_ones_data_is_taken_away_without_flatpeak(walk, sandbox, fault):
    walk.fixed()
    cache.clear()
    with fault("*", {"fault": "connection_refused", "seconds": 60}):
        response = walk.client.get("/account/data.json")
        assert json.loads(b"".join(response.streaming_content))["locations"]
    assert fault.lines == []


# --- deletions


def delete_location(walk):
    return walk.post(f"/locations/{Location.objects.get().pk}/delete/", {}).text


def delete_account(walk):
    walk.client.post("/account/reauthenticate/", {"password": "correct horse battery"})
    return walk.post("/account/delete/", {}).text


def delete_again(walk):
    return run("erase_pending")


# How it is deleted, and what is said where FlatPeak has not done so yet.
DELETIONS = {
    "page": (delete_location, "also deleting your data at FlatPeak"),
    "account": (delete_account, "also deleting your data at FlatPeak"),
    "erase_pending": (delete_again, "1 failed"),
}


@each_of(
    lambda release: [
        *[((way, "delete_location"), each) for way in DELETIONS for each in REFUSED + FAILED],
        *[((way, "login"), each) for way in DELETIONS for each in FAILED],
        *[(("account", "delete_customer"), each) for each in FAILED],
    ]
)
def test_a_deletion_that_fails_is_done_later(walk, sandbox, fault, later, cell, alice):
    (way, call), trouble = cell
    delete, still_owed = DELETIONS[way]
    walk.fixed()
    if way == "erase_pending":
        with fault("delete_location", {"fault": "connection_reset"}):
            delete_location(walk)
        later(minutes=3)
    cache.clear()
    with fault(call, trouble):
        said = delete(walk)
    is_fine(walk)
    assert fault.struck == 1
    assert not Location.objects.exists()
    owed = Erasure.objects.filter(done_at=None).exists()
    # A deletion is answered without a body, so what spoils a body spoils nothing.
    heard = owed or bearer_is_renewed(call, trouble)
    assert len(fault.lines) == heard, fault.lines
    assert (still_owed in said) == owed
    later(days=2)
    run("erase_pending")
    assert not Erasure.objects.filter(done_at=None).exists()
    with sandbox.lock:
        assert not sandbox.state["locations"]
        assert not (way == "account" and sandbox.state["customers"])
    assert run("erase_pending").startswith("deletions: 0 tried, 0 failed")


@each_of(lambda release: cells(REFUSED + EXCHANGES, ["owed"]))
def test_what_an_owed_exchange_made_goes_with_the_account(walk, sandbox, fault, later, cell):
    _, trouble = cell
    summary(walk)
    with fault("exchange", {"fault": "answer_lost"}):
        walk.save()
    with fault("exchange", trouble):
        delete_account(walk)
    is_fine(walk)
    assert fault.struck == 1
    for _ in range(3):
        later(days=2)
        run("erase_pending")
    assert not Erasure.objects.filter(done_at=None).exists()
    with sandbox.lock:
        assert not sandbox.state["locations"]
        assert not sandbox.state["customers"]


# --- a conversation that took too long


ASKED = ["connect.postal_address_capture", "connect.provider_select"]
AGAIN = ["connect.start", *ASKED]


@each_of(
    lambda release: [
        *cells(REFUSED, ["login"]),
        *cells(FAILED, ["login", "token"]),
        *cells(CONNECT[release], AGAIN),
    ]
)
def test_going_on_after_a_timeout_that_fails_is_pressed_again(walk, sandbox, fault, release, cell):
    call, trouble = cell
    walk.by_hand()
    with sandbox.lock:
        sandbox.state["tokens"].clear()
    walk.answer(cost="28.15")
    assert "This page timed out" in walk.text
    again = f"/connect/{walk.session.pk}/again/"
    cache.clear()
    with fault(call, trouble):
        walk.post(again, {})
    is_fine(walk)
    lines = 1 + (call == "connect.start" and asked_otherwise(release, trouble))
    assert (fault.struck, len(fault.lines)) == (1, lines), fault.lines
    if trouble in REJECTED and call in ASKED:  # Connect does not take that answer again: it stands in the form
        assert walk.route == call.partition(".")[2]
        WAYS[release][walk.route][1](walk)
    elif not bearer_is_renewed(call, trouble):
        assert walk.response.status_code == 410
        says_what_to_do(walk)
        assert ConnectSession.objects.count() == 1
        is_fine(walk.post(again, {}))
    if trouble not in REJECTED or call not in ASKED:
        assert walk.route == "rate_fixed_capture"
        assert 'value="28.15"' in walk.response.content.decode()
    walk.token = walk.session.connect_token
    to_the_end(walk)
    agrees(walk, sandbox)


# --- all of it


@in_each_release
def test_when_flatpeak_is_down_pages_are_quick_and_health_is_green(walk, sandbox, client, monkeypatch):
    """After a few calls without an answer no request waits for FlatPeak, but one in each pause."""
    monkeypatch.setattr(http, "PAUSE", 300)  # twenty answers may take a busy machine longer than one of five seconds
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
