"""A release that does not exist, as data: everything has another name, and it starts, goes back and ends in another way."""

import pytest
from django.test import Client

from connect_ui.models import ConnectSession, Page
from connect_ui.routes import ROUTES
from sandbox.release import Release as SandboxRelease
from tariffs.flatpeak import release
from tariffs.models import Tariff
from tests.walk import Walk

COLUMN = {
    "start": "open_talk",
    "resume": "resume_talk",
    "address": "where_is_it",
    "provider": "pick_company",
    "provider_name": "name_company",
    "tariff": "pick_contract",
    "tariff_name": "name_contract",
    "structure": "pick_price_model",
    "fixed_price": "one_price",
    "timed_prices": "clock_prices",
    "surcharge": "on_top_of_market",
    "contract": "until_when",
    "fixed_summary": "recap_of_one_price",
    "summary": "recap_of_prices",
    "pending": "company_is_slow",
    "failed": "company_said_no",
    "redirect": "leave_for",
    "end": "good_bye",
    "error": "trouble",
}
ACTIONS = {
    "SAVE": "KEEP",
    "EDIT": "CHANGE",
    "DISCONNECT": "CUT",
    "RECONNECT": "RETRY",
    "DISMISS_DIRECT": "TYPE_INSTEAD",
    "PROVIDER_MISSING": "OTHER_COMPANY",
    "TARIFF_MISSING": "OTHER_CONTRACT",
    "ADDRESS_CHANGE": "OTHER_PLACE",
}
BACK = {"BACK": "ONE_STEP_BACK"}
FIELDS = {
    "callback_uri": "done_url",
    "connect_web_uri": "login_return_url",
    "direction": "flow",
    "type": "product",
    "postal_address": "place",
    "customer_id": "person",
    "customer_reference_id": "your_person",
    "location_id": "home",
    "location_reference_id": "your_home",
    "connect_token": "ticket",
    "expires_in": "seconds_left",
    "live_mode": "real",
    "complete_action": "last_action",
    "is_tariff_processed": "ready",
    "tariff_available": "at_hand",
}
VERSION = "2031-01-01.made_up"


@pytest.fixture(autouse=True)
def made_up(sandbox, monkeypatch):
    """The sandbox speaks it, and says so to the app, which knows it."""
    rows = [row for row in ROUTES if "zero" in row.wire]
    for row in rows:
        monkeypatch.setitem(row.wire, "made_up", (COLUMN[row.name],))
    names = release.Names(ACTIONS | BACK), release.Names(FIELDS)
    monkeypatch.setattr(release, "KNOWN", (*release.KNOWN, release.Release("made_up", VERSION, *names)))
    theirs = {row.wire["zero"][0]: COLUMN[row.name] for row in rows}
    sandbox.speak(
        SandboxRelease(
            version=VERSION,
            routes=theirs,
            actions=ACTIONS,
            fields=FIELDS,
            start=COLUMN["start"],
            back=BACK["BACK"],
            ends_by_redirect=True,
        )
    )


def routes():
    return [page.body.get("route") for page in Page.objects.order_by("number")]


def test_a_whole_journey_from_the_sign_in_to_the_rates(alice, sandbox):
    walk = Walk(Client())
    walk.get("/connect/")
    walk.post(walk.path, {"login": alice.email, "password": "correct horse battery"})
    walk.start().address().act("PROVIDER_MISSING", q="Village Power")
    assert walk.route == "name_company"
    assert 'value="Village Power"' in walk.response.content.decode()
    walk.act("ADDRESS_CHANGE").address().provider("Ecotricity").answer(options="FIXED").answer(cost="28.15")
    assert walk.route == "name_contract"
    walk.act("BACK")
    assert walk.route == "one_price"
    assert 'value="28.15"' in walk.response.content.decode()
    walk.answer(cost="27.5").name_and_term("Simple", term="open")
    assert walk.route == "recap_of_one_price"
    assert "27.50p per kWh" in walk.text
    walk.act("SAVE")
    assert "Your tariff is connected." in walk.see().text
    assert walk.session.flatpeak_version == VERSION
    assert routes()[0] == "where_is_it"
    assert routes()[-1] == "leave_for"
    tariff = Tariff.objects.select_related("location__customer").get()
    assert (tariff.name, tariff.contract_open_ended) == ("Simple", True)
    assert tariff.location.location_id in sandbox.state["locations"]
    assert tariff.location.customer.customer_id in sandbox.state["customers"]
    assert walk.session.state == ConnectSession.State.CONNECTED
    assert "27.50p" in walk.get(f"/locations/{tariff.location.pk}/").text
    assert sandbox.counts["connect.open_talk"] == 1
    assert not set(sandbox.counts) & {f"connect.{name}" for row in ROUTES for name in row.wire.get("zero", ())}


def test_a_login_at_the_provider_comes_back_to_the_summary(walk, sandbox):
    walk.to_providers().provider("OVO Energy")
    assert walk.route == "leave_for"
    walk.log_in_at_provider()
    assert sandbox.counts["connect.resume_talk"] == 1
    walk.act("SAVE")
    assert "Your tariff is connected." in walk.see().text


def test_a_tariff_is_disconnected_by_another_name_of_the_action(walk):
    walk.fixed()
    location = Tariff.objects.get().location
    walk.start(location=location.pk)
    assert walk.route == "recap_of_one_price"
    walk.act("DISCONNECT")
    assert Tariff.objects.get().state == Tariff.State.DISCONNECTED


def test_back_leads_to_the_question_before_as_often_as_it_is_pressed(walk):
    walk.by_hand().answer(cost="28.15").act("BACK").act("BACK")
    assert walk.route == "pick_price_model"
    walk.act("BACK")
    assert walk.route == "pick_company"
    walk.act("BACK")
    assert walk.route == "where_is_it"
    assert walk.page.came_from is None
    assert "BACK" not in walk.page.actions
    walk.address().provider("Ecotricity").answer(options="FIXED")
    assert walk.route == "one_price"
    assert "You told us" not in walk.text


def test_a_conversation_that_expired_is_led_to_where_its_customer_went_back_to(walk, later):
    walk.by_hand().answer(cost="28.15").act("BACK")
    old = walk.session
    later(days=2)
    walk.answer(cost="27")
    assert walk.post(f"/connect/{old.pk}/again/", {}).route == "one_price"
    assert walk.session.pk != old.pk
