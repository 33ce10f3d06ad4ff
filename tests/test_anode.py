"""Journeys in the release anode, from the first page to stored ids and rates.

Their source is FlatPeak's own pages about anode and what its web client relies on; docs/architecture.md tells which.
"""

import os
import re

import pytest
from django.core.management import CommandError, call_command

from connect_ui.models import ConnectSession
from tariffs.models import Erasure, Location, Tariff
from tests.walk import Walk

State = ConnectSession.State


@pytest.fixture(autouse=True)
def anode(sandbox):
    """The account of the tests is on anode."""
    sandbox.speak("anode")


@pytest.fixture
def by_hand(walk):
    """Alice at the summary of a fixed price that she typed."""
    return walk.by_hand().answer(cost="28.15").name_and_term("Simple", term="open")


def test_a_typed_price_is_connected_before_the_summary_and_stored_at_its_end(by_hand, sandbox):
    walk = by_hand
    assert walk.route == "tariff_summary"
    for said in ("Your tariff is connected", "28.15p per kWh", "Simple", "Until terminated"):
        assert said in walk.text
    assert not Location.objects.exists()
    sent = sandbox.counts["connect"]
    walk.act("CLOSE")
    assert sandbox.counts["connect"] == sent + 1  # FlatPeak is told
    assert "Your tariff is connected." in walk.see().text
    assert walk.session.state == State.CONNECTED
    tariff = Tariff.objects.select_related("location__customer").get()
    assert (tariff.name, tariff.contract_open_ended, tariff.state) == ("Simple", True, "connected")
    assert tariff.location.location_id in sandbox.state["locations"]
    assert tariff.location.customer.customer_id in sandbox.state["customers"]
    assert "28.15p" in walk.get(f"/locations/{tariff.location.pk}/").text


# --- each kind of provider


def test_a_login_comes_back_to_the_connected_tariff(walk, sandbox):
    walk.to_providers().provider("OVO Energy")
    assert walk.route == "session_redirect"
    walk.log_in_at_provider()
    assert sandbox.counts["connect.session_restore"] == 1
    assert "Your tariff is connected" in walk.text
    walk.act("CLOSE")
    assert Tariff.objects.get().provider == "OVO Energy"


@pytest.mark.parametrize("done", ["done", "closed browser"])
def test_a_tariff_that_is_still_read_is_stored_as_pending(walk, later, done):
    walk.to_providers().provider("EDF").log_in_at_provider("unreachable")
    assert walk.route == "tariff_connection_pending"
    assert "We are reading your tariff" in walk.text
    settle_by(walk, later, done)
    assert Tariff.objects.get().state == Tariff.State.PENDING


def test_a_tariff_that_could_not_be_read_is_connected_another_way(walk):
    walk.to_providers().provider("Test: cannot be read").log_in_at_provider().act("CLOSE")
    walk.start(location=Location.objects.get().pk)
    assert walk.page.route == "not_connected"
    assert Tariff.objects.get().state == Tariff.State.FAILED
    walk.act("EDIT")
    assert walk.page.route == "provider"


# --- the end


def settle_by(walk, later, how):
    if how == "done":
        walk.act("CLOSE")
    else:
        later(minutes=59)
        call_command("exchange_pending")
        assert walk.session.state == State.OPEN
        later(minutes=2)
        call_command("exchange_pending")
    assert walk.session.state == State.CONNECTED


def test_closing_the_browser_on_the_summary_is_normal(by_hand, later):
    settle_by(by_hand, later, "closed browser")
    assert Tariff.objects.get().name == "Simple"


def test_the_last_page_that_tells_of_a_tariff_counts(walk, later):
    walk.to_providers().provider("EDF").log_in_at_provider("unreachable").act("EDIT")
    assert walk.page.route == "provider"
    walk.provider("Ecotricity").answer(options="FIXED").answer(cost="28.15").name_and_term("Simple")
    assert walk.act("EDIT").page.route == "provider"
    settle_by(walk, later, "closed browser")
    tariff = Tariff.objects.get()
    assert (tariff.state, tariff.provider) == (Tariff.State.CONNECTED, "Ecotricity")


def test_a_page_that_stays_open_is_not_settled_and_one_in_ten_minutes_is_written(by_hand, later, client):
    session = by_hand.session
    due = session.due_at
    address = f"/connect/{session.pk}/{session.newest}/"
    assert 'data-wait="600"' in client.get(address).content.decode()
    assert by_hand.session.due_at == due
    for _ in range(9):
        later(minutes=10)
        client.get(address)
    call_command("exchange_pending")
    assert by_hand.session.state == State.OPEN
    assert by_hand.session.due_at > due
    assert by_hand.session.attempts == 0


def test_who_comes_back_after_that_is_told_that_it_is_connected(by_hand, later):
    later(minutes=61)
    call_command("exchange_pending")
    by_hand.act("EDIT")
    assert by_hand.path == f"/locations/{by_hand.session.location_id}/"
    assert "Your tariff is connected." in by_hand.see().text


def test_it_is_settled_before_the_token_expires_however_long_somebody_looks(by_hand, later, client):
    session = by_hand.session
    for _ in range(24 * 2 - 1):
        later(minutes=30)
        client.get(f"/connect/{session.pk}/{session.newest}/")
    call_command("exchange_pending")
    assert by_hand.session.state == State.OPEN
    later(minutes=16)
    call_command("exchange_pending")
    assert by_hand.session.state == State.CONNECTED


def test_a_refused_exchange_is_tried_until_the_token_expires_and_is_then_shown_to_the_operator(by_hand, later, sandbox):
    sandbox.set_faults([{"call": "exchange", "fault": "status_409", "times": 1000}])
    later(hours=2)
    with pytest.raises(CommandError):
        call_command("exchange_pending")
    assert (by_hand.session.state, by_hand.session.attempts > 0) == (State.OPEN, True)
    call_command("purge_sessions")
    assert by_hand.session.state == State.OPEN
    later(hours=23)
    call_command("purge_sessions")
    with pytest.raises(CommandError):
        call_command("exchange_pending")
    assert by_hand.session.state == State.OWED
    assert "Almost done" in by_hand.get(f"/connect/{by_hand.session.pk}/").text
    sandbox.set_faults([])
    later(hours=1)
    call_command("exchange_pending")
    assert by_hand.session.state == State.CONNECTED
    by_hand.get(f"/connect/{by_hand.session.pk}/")
    assert by_hand.path == f"/locations/{by_hand.session.location_id}/"


@pytest.mark.parametrize("pressed", ["CLOSE", "EDIT"])
def test_a_token_that_connect_refuses_on_the_summary_is_kept_for_the_exchange(by_hand, sandbox, later, pressed):
    token = sandbox.state["tokens"][by_hand.session.connect_token]
    token["expires"] = sandbox.now().isoformat()
    by_hand.act(pressed)
    assert by_hand.session.state == State.OWED
    assert "Almost done" in by_hand.text
    later(minutes=10)
    call_command("exchange_pending")
    assert by_hand.session.state == State.CONNECTED
    assert Tariff.objects.get().name == "Simple"


def test_deleting_an_unsettled_conversation_owes_its_erasure(by_hand, sandbox):
    [location] = sandbox.state["locations"]
    by_hand.session.delete()
    call_command("erase_pending")  # learns what the conversation made
    call_command("erase_pending")
    assert location not in sandbox.state["locations"]
    assert not Erasure.objects.filter(done_at=None).exists()


def test_leaving_before_anything_is_connected_leaves_nothing_behind(walk, sandbox):
    walk.by_hand()
    walk.act("CLOSE")
    assert walk.path == "/locations/"
    assert "Nothing was connected." in walk.text
    assert (walk.session.state, walk.session.due_at) == (State.LEFT, None)
    assert sandbox.counts["exchange"] == 0


@pytest.mark.parametrize("end", ["discarded", "expired", "deleted"])
def test_what_ends_before_anything_is_connected_leaves_nothing_to_erase(walk, later, end):
    walk.by_hand()
    if end == "discarded":
        walk.post(f"/connect/{walk.session.pk}/discard/", {})
    elif end == "expired":
        later(hours=25)
        call_command("purge_sessions")
    else:
        walk.session.delete()
    assert not Erasure.objects.exists()


def test_leaving_after_a_change_was_begun_keeps_what_is_connected(by_hand):
    by_hand.act("EDIT").act("CLOSE")
    assert by_hand.session.state == State.CONNECTED
    assert Tariff.objects.get().name == "Simple"


def test_back_from_the_summary_corrects_the_price_at_the_same_location(by_hand, sandbox):
    by_hand.act("BACK").act("BACK").act("BACK")
    assert by_hand.page.route == "fixed_price"
    by_hand.answer(cost="31").name_and_term("Dearer").act("CLOSE")
    assert Tariff.objects.get().name == "Dearer"
    assert len(sandbox.state["locations"]) == 1


@pytest.mark.parametrize("earlier", ["accept", "refuse"])
def test_an_earlier_page_is_answered_whether_connect_wants_that_or_back(walk, sandbox, earlier):
    sandbox.state["switches"]["earlier_answers"] = earlier
    walk.by_hand().answer(cost="28.15")
    walk.back().answer(cost="27.5")
    assert walk.page.route == "tariff_name"
    walk.name_and_term()
    assert "27.50p per kWh" in walk.text


def test_only_the_newest_page_goes_back_or_ends_at_flatpeak(walk):
    walk.by_hand().answer(cost="28.15")
    offered = re.compile('name="action" value="(BACK|CLOSE)"')
    assert offered.findall(walk.response.content.decode()) == ["BACK", "CLOSE"]
    walk.back()
    assert not offered.search(walk.response.content.decode())


def test_what_the_summary_does_not_offer_ends_nothing(by_hand):
    for action in ("SAVE", "NEVER_HEARD_OF"):
        by_hand.act(action)
        assert "can't do that here" in by_hand.text
        assert (by_hand.route, by_hand.session.state) == ("tariff_summary", State.OPEN)


def test_a_wrong_tariff_is_reported_once(by_hand):
    assert "This is not my tariff" in by_hand.text
    by_hand.act("WRONG_TARIFF_REPORT")
    assert "Thank you. We passed this on, and it will be checked." in by_hand.text
    assert by_hand.route == "tariff_summary"
    assert "This is not my tariff" not in by_hand.text


# --- settings


@pytest.fixture
def settings_of(by_hand):
    """Alice in the settings of her tariff."""
    by_hand.act("CLOSE")
    return by_hand.start(location=Location.objects.get().pk)


def test_settings_show_the_tariff_and_done_changes_nothing(settings_of, sandbox):
    assert settings_of.route == "tariff_summary"
    exchanges, version = sandbox.counts["exchange"], Tariff.objects.get().version
    settings_of.act("CLOSE")
    assert settings_of.path == f"/locations/{Location.objects.get().pk}/"
    assert (sandbox.counts["exchange"], Tariff.objects.get().version) == (exchanges, version)


def test_leaving_after_a_report_and_the_beginning_of_a_change_changes_nothing(settings_of, sandbox):
    exchanges, version = sandbox.counts["exchange"], Tariff.objects.get().version
    settings_of.act("WRONG_TARIFF_REPORT").act("EDIT").act("CLOSE")
    assert Tariff.objects.get().version == version
    assert settings_of.path == f"/locations/{Location.objects.get().pk}/"
    assert (settings_of.session.state, sandbox.counts["exchange"]) == (State.LEFT, exchanges)


def test_a_changed_tariff_ends_the_stored_rates_when_its_summary_arrives(settings_of):
    settings_of.get(f"/locations/{Location.objects.get().pk}/")
    settings_of.get(f"/connect/{settings_of.session.pk}/")
    version = Tariff.objects.get().version
    settings_of.act("EDIT").provider("Ecotricity").answer(options="FIXED").answer(cost="31").name_and_term("Dearer")
    tariff = Tariff.objects.get()
    assert (tariff.name, tariff.version > version) == ("Dearer", True)
    settings_of.act("CLOSE")
    assert (Tariff.objects.get().name, settings_of.session.state) == ("Dearer", State.CONNECTED)


@pytest.mark.parametrize("done", ["done", "closed browser"])
def test_a_tariff_that_is_changed_by_a_login_is_stored(settings_of, later, done):
    version = Tariff.objects.get().version
    settings_of.act("EDIT").provider("OVO Energy").log_in_at_provider()
    assert settings_of.page.route == "connected"
    settle_by(settings_of, later, done)
    tariff = Tariff.objects.get()
    assert (tariff.provider, tariff.version > version) == ("OVO Energy", True)


@pytest.mark.parametrize("done", ["done", "closed browser"])
def test_a_change_whose_answer_is_lost_is_stored(settings_of, sandbox, later, done):
    settings_of.act("EDIT").provider("Ecotricity").answer(options="FIXED").answer(cost="31").answer(
        tariff_name="Dearer"
    )
    sandbox.set_faults([{"call": "connect", "fault": "answer_lost"}])
    settings_of.answer(term="unknown")
    settings_of.answer(term="unknown")
    assert settings_of.page.route == "connected"
    settle_by(settings_of, later, done)
    assert Tariff.objects.get().name == "Dearer"


def test_disconnecting_ends_the_stored_rates_even_if_the_exchange_fails(settings_of, sandbox):
    sandbox.set_faults([{"call": "exchange", "fault": "status_500", "times": 1000}])
    settings_of.act("DISCONNECT")
    assert Tariff.objects.get().state == Tariff.State.DISCONNECTED
    assert settings_of.session.state == State.OWED


# --- what FlatPeak's sources disagree about

# From the sandbox's switches, which its README explains. Without TORTURE the first value of each.
READINGS = [
    (name, value)
    for name, values in {
        "version_header": ["not_login", "never"],
        "unknown_version": ["ignored"],
        "connect_release": ["start", "account"],
        "resume": ["restore", "start", "start_over"],
        "back_without_route": ["refuse"],
        "listed": ["back", "none", "close_unlisted"],
        "ending": ["no_token", "complete_tariff", "callback_url", "callback_uri", "bare"],
        "early_exchange": ["no_location"],
        "exchange_spends": [True],
        "second_exchange": ["403", "404", "422"],
        "exchange_field": ["tariff_available"],
        "connection_actions": ["old"],
        "disconnect_by": ["token"],
        "summary_route": ["tariffs_summary"],
        "report_action": ["WRONG_TARIFF"],
        "report_answer": ["error", "end"],
        "redirect_has_token": [False],
        "redirect_field": ["redirect_url"],
        "no_tariff_yet": ["address", "failed"],
        "market_order": ["surcharge_first", "no_surcharge", "region_alone"],
        "optional_pages": ["nameless", "always"],
        "contract_term": ["alone", "zeros_date"],
        "connect_error_status": ["422", "409", "200", "500_for_trouble"],
        "dead_token": ["page", "404"],
        "anode_paths": ["old", "old_exchange", "old_token", "exchange_by_id"],
        "anode_rates": ["answer"],
        "price_item": ["price.rate", "tariff.rate"],
        "price_next_update": [True],
        "earlier_answers": ["refuse"],
    }.items()
    for value in (values if "TORTURE" in os.environ else values[:1])
]


def walk_on(walk: Walk) -> Walk:
    """Answer whatever is asked until the tariff is connected or still read."""
    for _ in range(20):
        match walk.page.route:
            case "address":
                walk.address()
            case "provider":
                walk.provider("Ecotricity")
            case "structure":
                walk.answer(options="FIXED")
            case "fixed_price":
                walk.answer(cost="28.15")
            case "region":
                walk.answer(region=walk.page.data["regions"][0])
            case "surcharge":
                walk.answer(fixed="2.5", percentage="20", region=(walk.page.data.get("regions") or [""])[0])
            case "tariff_name":
                walk.answer(tariff_name="Simple")
            case "contract":
                walk.answer(term="open")
            case "redirect":
                walk.log_in_at_provider()
            case "not_connected":
                walk.act("EDIT" if "EDIT" in walk.page.actions else "RECONNECT")
            case _:
                return walk
    raise AssertionError(f"no end in sight at {walk.page.route}")


@pytest.fixture(params=READINGS, ids=lambda reading: f"{reading[0]} is {reading[1]}")
def reading(request, sandbox):
    name, value = request.param
    sandbox.state["switches"][name] = value
    return name


@pytest.mark.once
def test_every_reading_leads_to_stored_ids_and_rates(reading, walk, sandbox, later):
    """One customer with a typed price corrects it, then a login, a market price, a change, and a disconnection."""
    walk_on(walk.start())
    if "BACK" in walk.page.actions:
        walk_on(walk.act("BACK"))
    walk.act("CLOSE")
    settled(walk, later)
    assert len(sandbox.state["locations"]) == 1
    walk.get(f"/locations/{Location.objects.get().pk}/")
    assert "28.15p" in walk.text
    for provider in ("OVO Energy", "Test: asks for the region", "Test: cannot be read"):
        walk_on(walk.to_providers().provider(provider)).act("CLOSE")
        settled(walk, later)
    walk.to_providers().provider("EDF").log_in_at_provider("unreachable").act("CLOSE")
    settled(walk, later)
    stored = set(Location.objects.values_list("location_id", flat=True))
    assert stored == set(sandbox.state["locations"])
    location = Location.objects.order_by("created_at").first()
    walk_on(walk.start(location=location.pk).act("EDIT")).act("CLOSE")
    settled(walk, later)
    walk.start(location=location.pk).act("DISCONNECT")
    settled(walk, later)
    assert location.tariffs.get().state == Tariff.State.DISCONNECTED
    assert set(Location.objects.values_list("location_id", flat=True)) == stored
    assert not ConnectSession.objects.filter(state__in=[State.OPEN, State.OWED]).exists()


def settled(walk, later):
    """The conversation is over, at the latest when the worker has been at it."""
    if walk.session.state in (State.OPEN, State.OWED):
        later(minutes=61)
        call_command("exchange_pending")
    assert walk.session.state in (State.CONNECTED, State.DISCONNECTED, State.LEFT), walk.text
