"""Every fault of FlatPeak's, at every call, page and way in: what the customer sees, and that one more press gets on.

A cell is a fault at a call. CI runs a fixed share of the cells, `make torture` all of them, and those of answers and of the
exchange in anode too; the last line of a run counts.
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
from connect_ui.routes import Kind, theirs
from flatpeak_app.web.errors import RequestId
from tariffs.flatpeak import http
from tariffs.models import Customer, Erasure, Location, RateDay, Tariff

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.long]
State = ConnectSession.State

TORTURE = "TORTURE" in os.environ
EVERY = 1 if TORTURE else 19  # every so many cells are run


@pytest.fixture
def release(request, sandbox):
    sandbox.speak(request.param)


IN_BOTH = pytest.mark.parametrize("release", ["zero", "anode"] if TORTURE else ["zero"], indirect=True)


def share(cells):
    return [cell for number, cell in enumerate(cells) if number % EVERY == 0]


# --- the ways through the conversation: how to come to a page, and what to press there

NIGHT_AND_DAY = {"start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "10"}


def summary(walk):
    return walk.by_hand().answer(cost="28.15").name_and_term()


def inprogress(walk):
    return walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider()


# route, and after a slash which answer: (how to come there, how to answer, what was typed and has to be there still)
PAGES = {
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
    "market_surcharge_capture": (
        lambda w: w.to_providers().provider("Tomato Energy"),
        lambda w: w.answer(fixed="1.57", percentage="12.3"),
        ["1.57", "12.3"],
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
    "summary_fixed_confirm": (summary, lambda w: w.save(), ["28.15p"]),
    "summary_tou_confirm": (
        lambda w: w.by_hand(structure="TIME_OF_DAY").answer(**NIGHT_AND_DAY).name_and_term(),
        lambda w: w.save(),
        ["30.00p"],
    ),
    "summary_tariff_inprogress": (inprogress, lambda w: w.save(), []),
}
IN_ANODE = {Kind.SUMMARY: "summary_fixed_confirm", Kind.PENDING: "summary_tariff_inprogress"}


def way_at(walk):
    """The key in PAGES of the page in view, whose name is another one in anode."""
    return walk.route if walk.route in PAGES else IN_ANODE.get(walk.shows) or theirs(walk.page.route, "zero")


SUMMARIES = ("summary_fixed_confirm", "summary_tou_confirm", "summary_tariff_inprogress")

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
NEEDED = {
    "postal_address_capture": "providers",
    "provider_select": "options",
    "provider_select/tariffs": "tariffs",
    "provider_select/login": "redirect_uri",
    "provider_name_capture": "options",
    "tariff_select": "currency_code",
    "tariff_structure_select": "currency_code",
    "contract_term_capture": "cost",
}
LISTS = ("postal_address_capture", "provider_select/tariffs")
TEXTS = LOGOS = [way for way in PAGES if way not in (*SUMMARIES, "provider_select/login")]
SVG = "data:image/svg+xml,<svg onload='alert(1)'/>"


def name(cell):
    call, fault = cell
    return "-".join([call, *(str(value)[:20] for value in fault.values())])


def cells(faults, calls=PAGES):
    return [(call, fault) for fault in faults for call in calls]


def bearer_is_renewed(call, trouble):
    """A refused bearer is asked for anew at once, and the customer sees nothing of it."""
    return not call.startswith("connect.") and call != "login" and trouble["fault"] in ("status_401", "status_403")


# --- what holds in every cell


LINE = logging.Formatter(settings.LOGGING["formatters"]["line"]["format"], style="{")
REASON = re.compile(
    r"\S+ \S+ (INFO|WARNING|ERROR) [\w.]+ [0-9a-f]{32} "
    r"((GET|POST|DELETE|Connect)\b.*: \S|\d+ of \d+ rate segments were unusable)"
)
# What a line of the log may not have: what was typed, or is somebody's. The suite itself looks for tokens and keys.
TYPED = ("Example", "N1 1AA", "London", "28.15", "0.2815", "1.57", "12.3", "Simple", "alice@", "fp_cot", "?")


@pytest.fixture
def fault(sandbox, settings, caplog):
    """Set a fault for the next call; afterwards nothing is broken any more, and `told()` is how many lines the log has.

    Each line has the reason and the id of the request, and nothing of the customer's.
    """
    caplog.handler.addFilter(RequestId())

    @contextmanager
    def on(call, trouble):
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
    for _ in range(12):
        if walk.path.startswith("/connect/") and walk.response.context and walk.response.context.get("page"):
            if walk.shows is Kind.END:
                break
            if walk.shows is Kind.REDIRECT:
                walk.log_in_at_provider()
            else:
                PAGES[way_at(walk)][1](walk)
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


@IN_BOTH
@pytest.mark.parametrize("cell", share(cells(REFUSED + FAILED)), ids=name)
def test_an_answer_that_fails_is_kept_and_pressed_again(walk, sandbox, fault, cell, release):
    way, trouble = cell
    reach, answer, typed = PAGES[way]
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


SPOILT_CELLS = [
    *cells(SPOILT),
    *[
        (way, {"fault": kind, "field": field})
        for way, field in NEEDED.items()
        for kind in ("missing_field", "wrong_value")
    ],
    *cells([{"fault": "many_choices", "count": 50_000}], LISTS),
    *cells([{"fault": "hostile_text"}], TEXTS),
    *cells([{"fault": "foreign_logo"}, {"fault": "foreign_logo", "url": SVG}], LOGOS),
    *cells(
        [{"fault": "foreign_redirect"}, {"fault": "foreign_redirect", "url": "http://elsewhere.example.com/"}],
        ["provider_select/login"],
    ),
    *cells([{"fault": "foreign_callback"}], SUMMARIES),
]


@pytest.mark.parametrize("cell", share(SPOILT_CELLS), ids=name)
def test_a_spoilt_page_is_asked_for_again(walk, sandbox, fault, cell):
    way, trouble = cell
    reach, answer, _ = PAGES[way]
    reach(walk)
    route = way.partition("/")[0]
    assert walk.route == route
    with fault(f"connect.{route}", trouble):
        answer(walk)
    is_fine(walk)
    assert fault.struck == 1
    incomplete = walk.response.context.get("incomplete") or walk.route == "page_from_the_future"
    failed = walk.response.status_code != 200
    assert len(fault.lines) == bool(failed or incomplete), fault.lines
    assert walk.response.status_code in (200, 503)
    if trouble["fault"] == "many_choices":
        assert "Choice 49999" in walk.response.content.decode()
    if failed:
        says_what_to_do(walk)
    if walk.session.is_open and incomplete:
        assert "did not arrive" in walk.text or "does not know" in walk.text
    if walk.session.is_open and (incomplete or trouble["fault"] == "foreign_redirect"):
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    if walk.route == route:
        is_fine(answer(walk))
    to_the_end(walk)
    agrees(walk, sandbox)


# --- the beginning


STARTS = [
    *cells(REFUSED, ["login"]),
    *cells(FAILED, ["login", "token", "connect.session_restore"]),
    ("login", {"fault": "missing_field", "field": "bearer_token"}),
    ("login", {"fault": "wrong_value", "field": "bearer_token"}),
    ("login", {"fault": "wrong_value", "field": "bearer_token", "value": "\u20ac"}),
    ("token", {"fault": "missing_field", "field": "connect_token"}),
    ("token", {"fault": "wrong_value", "field": "connect_token"}),
    ("connect.session_restore", {"fault": "missing_field", "field": "postal_address"}),
    ("connect.session_restore", {"fault": "unknown_route"}),
]


@pytest.mark.parametrize("cell", share(STARTS), ids=name)
def test_a_start_that_fails_is_pressed_again(walk, sandbox, fault, cell):
    call, trouble = cell
    cache.clear()
    with fault(call, trouble):
        walk.start(direction="EXPORT")
    is_fine(walk)
    assert fault.struck == 1
    if trouble.get("field") != "postal_address":
        assert len(fault.lines) == 1, fault.lines
    if trouble["fault"] == "unknown_route":
        assert "does not know" in walk.text
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    elif call == "connect.session_restore" and trouble in FAILED:
        refused = trouble["fault"].startswith("status_4")
        assert f"FlatPeak did not {'let us begin' if refused else 'answer'}" in walk.text
        is_fine(walk.post(f"/connect/{walk.session.pk}/", {}))
    elif call != "connect.session_restore" and not bearer_is_renewed(call, trouble):
        assert walk.response.status_code in (502, 503)
        says_what_to_do(walk)
        assert re.search('value="EXPORT"[^>]* checked', walk.response.content.decode())
        assert not ConnectSession.objects.exists()
        walk.start(direction="EXPORT")
    assert walk.route == "postal_address_capture"
    to_the_end(walk)
    agrees(walk, sandbox)
    assert ConnectSession.objects.count() == 1


def test_a_token_that_is_not_one_is_over_at_once_and_begun_again(walk, sandbox, fault):
    with fault("token", {"fault": "hostile_text"}):
        walk.start()
    is_fine(walk)
    assert len(fault.lines) == 1
    assert "This took too long" in walk.text
    is_fine(walk.post(f"/connect/{walk.session.pk}/again/", {}))
    walk.token = walk.session.connect_token
    to_the_end(walk)
    agrees(walk, sandbox)


# --- back from the provider's login


RETURNS = cells(FAILED, ["returned", "pressed"])


@pytest.mark.parametrize("cell", share(RETURNS), ids=name)
def test_a_return_from_the_provider_that_fails_is_pressed_again(walk, sandbox, fault, cell):
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
    assert is_fine(walk).route == "session_redirect"
    says_what_to_do(walk)
    assert is_fine(walk.post(press, {})).route == "summary_tou_confirm"
    to_the_end(walk)
    agrees(walk, sandbox)


# --- the exchange


EXCHANGES = [
    *FAILED,
    {"fault": "missing_field", "field": "location_id"},
    {"fault": "wrong_value", "field": "location_id"},
    {"fault": "wrong_value", "field": "location_id", "value": ""},
]


@IN_BOTH
@pytest.mark.parametrize("cell", share([*cells(EXCHANGES, ["exchange"]), *cells(FAILED, ["login"])]), ids=name)
def test_an_exchange_that_fails_is_owed_and_made_later(walk, sandbox, fault, later, cell, release):
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


@pytest.mark.parametrize("cell", share(cells(REFUSED + EXCHANGES, ENTRIES)), ids=name)
def test_an_owed_exchange_that_fails_again_stays_owed_wherever_it_is_asked_for(
    walk, sandbox, fault, later, staff, cell
):
    entry, trouble = cell
    make, still_owed = ENTRIES[entry]
    summary(walk)
    with fault("exchange", {"fault": "answer_lost"}):
        walk.act("SAVE")
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


@pytest.mark.parametrize("cell", share(DETAILS), ids=name)
def test_details_that_fail_cost_nothing_and_come_later(walk, sandbox, fault, later, cell):
    call, trouble = cell
    summary(walk)
    with fault(call, trouble):
        walk.act("SAVE")
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
    {"fault": "wrong_value", "field": "data.0.tariff.rate"},
    {"fault": "wrong_value", "field": "data.0.valid_from"},
    {"fault": "wrong_value", "field": "next_update"},
    {"fault": "next_update_past"},
    {"fault": "next_update_garbage"},
    {"fault": "hostile_text"},
]
UNHEARD = ("next_update", "hostile")  # what begins so spoils nothing that is read


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


@pytest.mark.parametrize(
    "cell",
    share(
        [
            *[((view, "rates"), each) for view in VIEWS for each in REFUSED + RATES],
            *[((view, "login"), each) for view in VIEWS for each in FAILED],
        ]
    ),
    ids=lambda cell: name(("-".join(cell[0]), cell[1])),
)
def test_rates_that_fail_are_asked_for_again_soon(walk, sandbox, fault, later, cell):
    (view, call), trouble = cell
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
            assert trouble.get("field", "").startswith("data.") or "Please try again in a minute" in walk.text
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
    "page": (delete_location, "FlatPeak is asked again"),
    "account": (delete_account, "FlatPeak is asked again"),
    "erase_pending": (delete_again, "1 failed"),
}


@pytest.mark.parametrize(
    "cell",
    share(
        [
            *[((way, "delete_location"), each) for way in DELETIONS for each in REFUSED + FAILED],
            *[((way, "login"), each) for way in DELETIONS for each in FAILED],
            *[(("account", "delete_customer"), each) for each in FAILED],
        ]
    ),
    ids=lambda cell: name(("-".join(cell[0]), cell[1])),
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


@pytest.mark.parametrize("trouble", share(REFUSED + EXCHANGES), ids=lambda each: name(("owed", each)))
def test_what_an_owed_exchange_made_goes_with_the_account(walk, sandbox, fault, later, trouble):
    summary(walk)
    with fault("exchange", {"fault": "answer_lost"}):
        walk.act("SAVE")
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


AGAIN = ["login", "token", "connect.session_restore", "connect.postal_address_capture", "connect.provider_select"]


@pytest.mark.parametrize("cell", share([*cells(REFUSED, ["login"]), *cells(FAILED, AGAIN)]), ids=name)
def test_going_on_after_a_timeout_that_fails_is_pressed_again(walk, sandbox, fault, cell):
    call, trouble = cell
    walk.by_hand()
    with sandbox.lock:
        sandbox.state["tokens"].clear()
    walk.answer(cost="28.15")
    assert "This took too long" in walk.text
    again = f"/connect/{walk.session.pk}/again/"
    cache.clear()
    with fault(call, trouble):
        walk.post(again, {})
    is_fine(walk)
    assert (fault.struck, len(fault.lines)) == (1, 1), fault.lines
    if trouble in REJECTED and call in AGAIN[3:]:  # Connect does not take that answer again: it stands in the form
        assert walk.route == call.partition(".")[2]
        PAGES[walk.route][1](walk)
    elif not bearer_is_renewed(call, trouble):
        assert walk.response.status_code == 410
        says_what_to_do(walk)
        assert ConnectSession.objects.count() == 1
        is_fine(walk.post(again, {}))
    if trouble not in REJECTED or call not in AGAIN[3:]:
        assert walk.route == "rate_fixed_capture"
        assert 'value="28.15"' in walk.response.content.decode()
    walk.token = walk.session.connect_token
    to_the_end(walk)
    agrees(walk, sandbox)


# --- all of it


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
