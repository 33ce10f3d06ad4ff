"""`check_flatpeak --walk`, in each release over HTTP: what it finds, what it writes, and that it leaves nothing behind."""

import json
import re
import stat
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from connect_ui.models import ConnectSession
from flatpeak_app.operations.walk import expected, steps
from flatpeak_app.operations.walk.expected import NUMBER, differences, other_values
from flatpeak_app.operations.walk.transcript import Transcript
from sandbox import anode, pages
from sandbox.pages import Action
from tariffs import flatpeak
from tariffs.models import Customer, Erasure
from tests import scan

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PROGRESS = re.compile(
    r"Signed in|The conversation is in|There are no rates yet|Deleted the|Pages: |FlatPeak |All calls are in"
)


@pytest.fixture(params=["zero", "anode"])
def release(request, sandbox):
    sandbox.speak(request.param)
    return request.param


@pytest.fixture
def in_anode(sandbox):
    sandbox.speak("anode")


@pytest.fixture
def run(sandbox, tmp_path, monkeypatch, capsys):
    """Walk, and return what was printed: the differences, all lines, and the error at the end."""
    monkeypatch.setattr(steps, "time", SimpleNamespace(sleep=sandbox.advance))

    def walk():
        error = ""
        try:
            call_command("check_flatpeak", "--walk", "--transcript", tmp_path / "calls.jsonl")
        except CommandError as raised:
            error = str(raised)
        lines = capsys.readouterr().out.splitlines()
        found = [line for line in lines if not PROGRESS.match(line)]
        assert bool(error) == bool(found)
        assert not found or f": {len(found)}." in error
        return SimpleNamespace(differences=found, lines=lines, error=error)

    return walk


@pytest.fixture
def calls(tmp_path):
    """Return the lines of the transcript."""
    return lambda: [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]


def is_clean(sandbox):
    return not sandbox.state["locations"] and not sandbox.state["customers"]


# --- nothing differs


def test_the_sandbox_answers_as_the_app_expects_and_nothing_is_left(run, release, sandbox):
    found = run()
    assert (found.differences, found.error) == ([], "")
    assert "FlatPeak answered as this app expects." in found.lines
    assert is_clean(sandbox)
    assert [sandbox.counts[call] for call in ("exchange", "delete_location", "delete_customer")] == [1, 1, 1]
    assert not any(model.objects.exists() for model in (ConnectSession, Customer, Erasure))
    [walked] = [line for line in found.lines if line.startswith("Pages: ")]
    told = ["postal_address_capture", "provider_select", "provider_name_capture", "tariff_structure_select"]
    for name in (*told, "rate_fixed_capture", "tariff_name_capture", "contract_term_capture"):
        assert name in walked
    assert walked.endswith({"zero": "session_complete.", "anode": "tariff_summary, session_redirect."}[release])


def test_it_goes_back_once_where_that_is_offered(run, in_anode, calls):
    run()
    [back] = [call for call in calls() if (call["sent"] or {}).get("action") == "BACK"]
    assert back["came"]["route"] == "rate_fixed_capture"


def test_the_transcript_has_every_call_and_nothing_that_is_secret(run, release, calls, tmp_path, settings):
    run()
    path = tmp_path / "calls.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = next(call for call in calls() if call["call"].startswith("POST /connect"))
    assert {"zero": "direction", "anode": "tariff_direction"}[release] in made["sent"]
    assert made["release"].endswith(release)
    sent = [call["sent"] for call in calls() if call["call"] == "Connect"]
    assert {"connect_token": "", "route": "rate_fixed_capture", "data": {"cost": 0.2815}} in sent
    assert [call["call"] for call in calls()][-2:] == ["DELETE /locations", "DELETE /customers"]
    text = path.read_text()
    assert not scan.SECRET.search(text)
    for secret in ("Example Street", "N1 1AA", settings.FLATPEAK_ACCOUNT_ID, settings.FLATPEAK_API_KEY, "fp_cot"):
        assert secret not in text
    assert not re.search(r"(loc|cus|acc)_[0-9a-f]{6}", text)


def test_a_token_of_any_form_is_hidden(tmp_path):
    with Transcript(tmp_path / "calls.jsonl", ["Mill Lane"]) as transcript:
        transcript.add("POST /connect/token", {}, 200, "", {"connect_token": "odd/token 1", "live_mode": False})
        came = {"data": {"callback_uri": "https://app.example/done?fp_cot=odd%2Ftoken+1&a=1", "note": "1 Mill Lane"}}
        transcript.add("Connect", {"connect_token": "odd/token 1"}, 200, "", came)
        transcript.add("GET /login", None, 200, "", {"bearer_token": "any", "account_id": "7", "city": "Leeds"})
    text = (tmp_path / "calls.jsonl").read_text()
    for secret in ("odd", "Mill Lane", "any", '"7"', "Leeds"):
        assert secret not in text
    assert "https://app.example/done?a=1" in text


# --- what differs is told


def field(call, name):
    return {"call": call, "fault": "missing_field", "field": name}


def value(call, name, other):
    return {"call": call, "fault": "wrong_value", "field": name, "value": other, "times": 0}


ELSEWHERE = "http://localhost:8000/connect/callback/?fp_cot=cot_of_another"
FUTURE = "page_from_the_future: this app does not know this page"
CHANGED = [
    (field("connect.postal_address_capture", "providers"), "provider_select: lacks data.providers (list)"),
    (field("connect.provider_name_capture", "options"), "tariff_structure_select: lacks data.options (list)"),
    (value("connect.postal_address_capture", "providers", "many"), "provider_select: data.providers is text, not list"),
    ({"call": "connect.rate_fixed_capture", "fault": "unknown_route"}, FUTURE),
    (field("token", "expires_in"), "POST /connect/token: lacks expires_in (number)"),
    (field("exchange", "customer_reference_id"), "GET /connect/token: lacks customer_reference_id (text)"),
    (field("exchange", "customer_id"), "GET /connect/token: lacks customer_id (text)"),
    (
        value("exchange", "is_tariff_processed", False),
        "GET /connect/token: is_tariff_processed is false, not true",
    ),
    (value("location", "currency_code", "EUR"), "GET /locations: currency_code is EUR, not GBP"),
    (
        value("status", "tariff_status.commodity_import.status", "ERROR"),
        "GET /locations/status: tariff_status.commodity_import.status is ERROR, not CONNECTED",
    ),
    (field("prices", "location_timezone"), "POST /prices: lacks location_timezone (text)"),
    (value("prices", "live_mode", True), "POST /prices: live_mode is true, not false"),
    (value("prices", "data.0.price.value", 0.3), "POST /prices: the price is 0.3, not 0.2815 as typed"),
    (
        value("connect.contract_term_capture", "rates.today.0.tariff.cost", 28.15),
        "tariff_summary: the price is 28.15, not 0.2815 as typed",
    ),
    (
        value("connect.tariff_name_capture", "cost", 0),
        "rate_fixed_capture: data.cost is 0, not 0.2815",
    ),
    (
        value("connect.tariff_summary", "redirect_url", ELSEWHERE),
        "session_redirect: data.redirect_url lacks fp_cot with the connect token",
    ),
]


@pytest.mark.parametrize(("fault", "told"), CHANGED, ids=[told for _, told in CHANGED])
def test_an_answer_that_is_changed_is_told_in_one_line(run, in_anode, sandbox, fault, told):
    if fault["call"] == "prices" and fault["fault"] == "missing_field":
        fault = fault | {"times": 0}
    sandbox.set_faults([fault])
    if told.startswith("tariff_structure_select"):  # the form has nothing to choose from, so the walk ends there
        assert run().differences[0] == told
    else:
        assert run().differences == [told]
    assert is_clean(sandbox)


@pytest.mark.parametrize("table", [pages.PAGES, anode.OWN], ids=["zero", "anode"])
def test_an_action_without_a_button_is_told(run, sandbox, monkeypatch, table):
    sandbox.speak("zero" if table is pages.PAGES else "anode")
    page = table["provider_select"]
    more = replace(page, actions={**page.actions, "SOLAR": Action("provider_select")})
    monkeypatch.setitem(table, "provider_select", more)
    assert run().differences == ["provider_select: offers SOLAR, which has no button in this app"]


@pytest.mark.parametrize(
    ("switch", "reading", "told"),
    [
        ("ending", "complete_tariff", "complete_tariff: is the end, where this app expects session_redirect"),
        ("ending", "bare", "a page without a route: is the end, where this app expects session_redirect"),
        ("ending", "no_token", "session_redirect: data.redirect_url lacks fp_cot with the connect token"),
        ("summary_route", "tariffs_summary", "tariffs_summary: this app expects the name tariff_summary"),
        ("anode_paths", "old_token", "POST /connect/token: 404, so this app took another path"),
        ("price_item", "tariff.rate", "POST /prices: lacks data.0.price (object)"),
        ("price_item", "price.rate", "POST /prices: lacks data.0.price.value (number)"),
        ("exchange_field", "tariff_available", "GET /connect/token: lacks is_tariff_processed (true or false)"),
        ("contract_term", "zeros_date", ""),
        ("listed", "close_unlisted", "tariff_summary: does not offer CLOSE"),
        ("earlier_answers", "refuse", ""),
    ],
)
def test_another_reading_of_flatpeaks_sources_is_told(run, in_anode, sandbox, switch, reading, told):
    sandbox.state["switches"][switch] = reading
    assert run().differences == ([told] if told else [])
    assert is_clean(sandbox)


@pytest.mark.parametrize("code", ["pending_connect", "no_tariff_connected", "no_price_data"])
def test_rates_that_are_not_there_yet_are_waited_for(run, sandbox, monkeypatch, code):
    told, working = [flatpeak.Rejected("", 422, {"code": code})], flatpeak.rates

    def late(*asked):
        if told:
            raise told.pop()
        return working(*asked)

    monkeypatch.setattr(flatpeak, "rates", late)
    assert run().differences == []
    assert not told


def test_a_refused_answer_is_told_and_the_next_one_given(run, release, sandbox):
    sandbox.set_faults([{"call": "connect.contract_term_capture", "fault": "status_409"}])
    [told] = run().differences
    assert re.fullmatch(r"contract_term_capture: refuses the answer: 409 \w+", told)
    assert is_clean(sandbox)


@pytest.mark.parametrize("first", ["OVO Energy", "Ecotricity"])
def test_providers_are_tried_in_turn_if_none_can_be_named(run, release, sandbox, monkeypatch, first):
    table = pages.PAGES if release == "zero" else anode.OWN
    page = table["provider_select"]

    def listed(session):
        return sorted(page.holds["providers"](session), key=lambda each: each["display_name"] != first)

    monkeypatch.setitem(table, "provider_select", replace(page, actions={}, holds={**page.holds, "providers": listed}))
    found = run()
    assert found.differences == ["provider_select: does not offer PROVIDER_MISSING"]
    [walked] = [line for line in found.lines if line.startswith("Pages: ")]
    assert ("provider_select, session_redirect" in walked) == (first == "OVO Energy")  # which has a login
    assert is_clean(sandbox)


def test_a_live_account_is_refused_before_anything_is_made(run, sandbox, settings, tmp_path):
    settings.FLATPEAK_LIVE_MODE = True
    with pytest.raises(CommandError, match=r"needs test mode\. We made nothing"):
        call_command("check_flatpeak", "--walk", "--transcript", tmp_path / "calls.jsonl")
    assert (sandbox.counts["login"], sandbox.counts["token"]) == (1, 0)
    assert not (tmp_path / "calls.jsonl").exists()


def test_a_sign_in_that_says_live_is_refused_whatever_the_key(sandbox, tmp_path):
    sandbox.set_faults([value("login", "live_mode", True)])
    with pytest.raises(CommandError, match="needs test mode"):
        call_command("check_flatpeak", "--walk", "--transcript", tmp_path / "calls.jsonl")
    assert sandbox.counts["token"] == 0


def test_a_transcript_that_cannot_be_written_is_told_before_anything_is_made(sandbox, tmp_path):
    with pytest.raises(CommandError, match="can't write"):
        call_command("check_flatpeak", "--walk", "--transcript", tmp_path)
    assert sandbox.counts["token"] == 0
    with pytest.raises(CommandError, match="needs --walk"):
        call_command("check_flatpeak", "--transcript", tmp_path / "calls.jsonl")


def test_the_transcript_is_in_var_unless_a_path_is_given(run, settings, tmp_path, capsys, sandbox):
    settings.VAR_DIR = tmp_path / "var"
    call_command("check_flatpeak", "--walk")
    [path] = (tmp_path / "var").iterdir()
    assert f"All calls are in {path}" in capsys.readouterr().out


# --- a walk that stops halfway


@pytest.mark.parametrize("call", ["connect.tariff_summary", "location", "prices"])
def test_what_a_stopped_walk_made_is_deleted(run, in_anode, sandbox, call):
    sandbox.set_faults([{"call": call, "fault": "status_500", "times": 0}])
    [told] = run().differences
    assert "500" in told
    assert (sandbox.counts["delete_location"], sandbox.counts["delete_customer"]) == (1, 1)
    assert is_clean(sandbox)


def test_ctrl_c_deletes_too(run, release, sandbox, monkeypatch):
    def interrupted(location_id):
        raise KeyboardInterrupt

    monkeypatch.setattr(flatpeak, "location_status", interrupted)
    assert run().differences == ["The walk was interrupted."]
    assert sandbox.counts["delete_location"] == 1
    assert is_clean(sandbox)


def test_a_walk_that_stops_before_anything_was_made_says_so(run, release, sandbox):
    sandbox.set_faults([{"call": "connect.provider_select", "fault": "unknown_route"}])
    found = run()
    assert found.differences == [FUTURE]
    assert any("so nothing was deleted" in line for line in found.lines)


def test_what_could_not_be_deleted_is_told(run, release, sandbox):
    sandbox.set_faults([{"call": "delete_location", "fault": "status_500"}])
    [told] = run().differences
    assert re.match(r"The location loc_\w+ was not deleted \(.*500.*\): delete it at FlatPeak", told)
    sandbox.set_faults([{"call": each, "fault": "status_500", "times": 0} for each in ("location", "exchange")])
    told = run().differences
    assert "It is not known what the walk has made" in told[-1]
    assert "check-" in told[-1]


# --- what is expected


def test_every_release_has_its_expectations():
    names = {each.name for each in flatpeak.KNOWN}
    assert all(set(table) == names for table in (expected.PAGE, expected.VALUES, expected.LAST, expected.RATES))


def test_differences_are_told_in_words():
    answer = {"data": {"name": None, "items": [], "cost": True}, "id": 7}
    kinds = {
        "id": str,
        "data.name": str,
        "data.cost": NUMBER,
        "data.items.0.x": NUMBER,
        "gone": bool,
        "gone.more": list,
    }
    assert list(differences(answer, kinds)) == [
        "id is number, not text",
        "data.name is null, not text",
        "data.cost is true, not number",
        "lacks gone (true or false)",
    ]
    assert list(other_values({"status": "CONNECTED ", "flag": True}, {"status": "CONNECTED", "flag": False})) == [
        "flag is true, not false"
    ]
    assert list(differences([], {"id": str})) == ["lacks id (text)"]
