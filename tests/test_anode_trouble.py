"""Anode with an answer that is lost, an impatient or forgetful customer, and a login that went to somebody else."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.models import Erasure, Location, Tariff
from tests.test_raised_account import press
from tests.walk import sign_in_at_provider

State = ConnectSession.State


@pytest.fixture(autouse=True)
def anode(sandbox):
    sandbox.speak("anode")


def on(walk, typed):
    walk.chosen, walk.structure, walk.outcome = "Ecotricity", "FIXED", "approve"
    press(walk, typed)


def lose_the_next_answer(sandbox):
    sandbox.set_faults([{"call": "connect", "fault": "answer_lost"}])


def press_again(walk, action, later):
    walk.act(action)


def ask_where_it_stands(walk, action, later):
    walk.post(f"/connect/{walk.session.pk}/", {})


def come_by_the_callback(walk, action, later):
    walk.get("/connect/callback/", data={"fp_cot": walk.token})
    walk.post(f"/connect/{walk.session.pk}/", {})


def leave_it_to_the_worker(walk, action, later):
    later(minutes=61)
    call_command("exchange_pending")


WAYS = [press_again, ask_where_it_stands, come_by_the_callback]


def test_every_answer_of_a_journey_is_lost_once(walk, sandbox):
    walk.start()
    typed, routes = set(), []
    for _ in range(30):
        if walk.session.state != State.OPEN:
            break
        before = walk.session.newest
        lose_the_next_answer(sandbox)
        on(walk, set())
        assert walk.session.newest == before
        on(walk, typed)
        routes.append(walk.page.route)
    assert routes == ["provider", "structure", "fixed_price", "tariff_name", "contract", "connected", "end"]
    assert walk.session.state == State.CONNECTED
    assert [Location.objects.get().location_id] == list(sandbox.state["locations"])


@pytest.mark.parametrize("status", ["400", "422", "409", "200", "500_for_trouble"])
def test_trouble_of_flatpeaks_own_is_no_refusal_whatever_its_status(walk, sandbox, status):
    sandbox.state["switches"]["connect_error_status"] = status
    walk.to_providers().provider("Test: api error")
    assert (walk.route, walk.response.status_code, walk.session.doubtful) == ("provider_select", 503, True)
    walk.provider("Test: api error")
    assert (walk.route, sandbox.counts["connect.session_restore"]) == ("tariff_structure_select", 1)


@pytest.mark.parametrize("go_on", WAYS)
@pytest.mark.parametrize(("page", "action"), [("address", "BACK"), ("address", "CLOSE"), ("provider", "CLOSE")])
def test_whoever_leaves_before_anything_is_connected_has_left_though_the_answer_was_lost(
    walk, sandbox, later, page, action, go_on
):
    walk.start() if page == "address" else walk.to_providers()
    lose_the_next_answer(sandbox)
    walk.act(action)
    go_on(walk, action, later)
    assert walk.session.state == State.LEFT, walk.text
    assert "Nothing was connected." in walk.text


@pytest.mark.parametrize("go_on", [*WAYS, leave_it_to_the_worker])
def test_whoever_is_done_is_connected_though_the_answer_was_lost(walk, sandbox, later, go_on):
    walk.by_hand().answer(cost="28.15").name_and_term()
    lose_the_next_answer(sandbox)
    walk.act("CLOSE")
    go_on(walk, "CLOSE", later)
    assert walk.session.state == State.CONNECTED, walk.text
    assert Tariff.objects.get().name == "Simple"


@pytest.fixture
def settings_of(walk):
    walk.by_hand().answer(cost="28.15").name_and_term().act("CLOSE")
    return walk.start(location=Location.objects.get().pk)


@pytest.mark.parametrize("go_on", WAYS)
def test_a_disconnection_whose_answer_was_lost_is_one(settings_of, sandbox, later, go_on):
    lose_the_next_answer(sandbox)
    settings_of.act("DISCONNECT")
    go_on(settings_of, "DISCONNECT", later)
    assert Tariff.objects.get().state == Tariff.State.DISCONNECTED
    assert settings_of.session.state == State.DISCONNECTED


@pytest.mark.parametrize("go_on", WAYS)
def test_settings_that_are_left_are_left_though_the_answer_was_lost(settings_of, sandbox, later, go_on):
    version = Tariff.objects.get().version
    lose_the_next_answer(sandbox)
    settings_of.act("CLOSE")
    go_on(settings_of, "CLOSE", later)
    assert settings_of.session.state in (State.LEFT, State.CONNECTED)
    assert Tariff.objects.get().state == Tariff.State.CONNECTED
    assert Tariff.objects.get().version - version <= 1


@pytest.mark.parametrize("url", [None, 7, "javascript:alert(1)", "https://elsewhere.example.com/"])
@pytest.mark.parametrize(
    ("provider", "action", "state"),
    [
        ("OVO Energy", "CLOSE", State.CONNECTED),
        ("OVO Energy", "DISCONNECT", State.DISCONNECTED),
        ("Test: pending for 2 minutes", "CLOSE", State.CONNECTED),
        ("Ecotricity", "CLOSE", State.LEFT),
        ("", "BACK", State.LEFT),
    ],
)
def test_leaving_is_the_end_whatever_address_is_named(walk, sandbox, provider, action, state, url):
    walk.to_providers().provider(provider) if provider else walk.start()
    if provider not in ("", "Ecotricity"):
        walk.log_in_at_provider()
    fault = {"call": "connect", "fault": "wrong_value", "field": "redirect_url", "value": url}
    sandbox.set_faults([fault])
    walk.act(action)
    assert walk.session.state == state
    assert sandbox.counts["token"] == 1


# --- the callback


def test_a_callback_that_is_opened_too_early_changes_nothing(walk, sandbox):
    for go in (lambda: walk.start(), lambda: walk.address(), lambda: walk.provider("Ecotricity")):
        go()
        route = walk.page.route
        walk.get("/connect/callback/", data={"fp_cot": walk.token})
        assert (walk.page.route, walk.session.state) == (route, State.OPEN)
    assert not Location.objects.exists()


def test_a_callback_that_is_opened_twice_or_by_somebody_else_stores_once(walk, bob):
    walk.by_hand().answer(cost="28.15").name_and_term()
    stranger = Client()
    for signed_in in (False, True):
        if signed_in:
            stranger.force_login(bob)
        stranger.get("/connect/callback/", {"fp_cot": walk.token}, follow=True)
        assert walk.session.state == State.OPEN
    for _ in range(2):
        walk.get("/connect/callback/", data={"fp_cot": walk.token})
        assert "Your tariff is connected." in walk.see().text
    assert Tariff.objects.get().version == 1
    assert Location.objects.get().customer.user == walk.session.user


# --- two at once


def test_done_pressed_while_a_worker_settles_waits_and_then_finds_it_connected(walk, later):
    walk.by_hand().answer(cost="28.15").name_and_term()
    session, path = walk.session, walk.path
    done = {"action": "CLOSE", "newest": session.newest}
    with session.claimed() as mine:
        assert mine
        assert "One moment" in walk.post(path, done).text
    later(minutes=61)
    call_command("exchange_pending")
    walk.post(path, done)
    assert "Your tariff is connected." in walk.see().text
    assert Tariff.objects.get().version == 1


def test_done_in_an_old_tab_sends_nothing_while_another_tab_changes_the_tariff(walk):
    walk.by_hand().answer(cost="28.15").name_and_term()
    number, newest = walk.page.number, walk.session.newest
    walk.act("EDIT").provider("Ecotricity")
    walk.post(f"/connect/{walk.session.pk}/{number}/", {"action": "CLOSE", "newest": newest})
    assert (walk.page.route, walk.session.state) == ("structure", State.OPEN)
    walk.answer(options="FIXED").answer(cost="31").name_and_term("Dearer").act("CLOSE")
    assert Tariff.objects.get().name == "Dearer"


def test_the_browsers_back_after_the_end_leads_to_the_end(walk):
    walk.by_hand().answer(cost="28.15").name_and_term()
    summary = walk.path
    walk.act("CLOSE")
    assert "Your tariff is connected." in walk.get(summary).see().text
    walk.post(summary, {"action": "DISCONNECT", "newest": walk.session.newest})
    assert Tariff.objects.get().state == Tariff.State.CONNECTED


# --- a login that somebody else finished


def passed_on(walk, bob):
    """Alice's link to the login was passed on to Bob, who signed in at the provider and came back in his browser."""
    back = sign_in_at_provider(walk.leave())
    his = Client()
    his.force_login(bob)
    return his.get(back, follow=True)


@pytest.mark.parametrize("where", ["new", "settings"])
@pytest.mark.parametrize("then", ["nothing", "callback", "asks", "done in the old tab"])
def test_what_somebody_else_signed_in_to_is_never_stored(walk, bob, later, sandbox, where, then):
    summary = ""
    if where == "settings":
        walk.by_hand().answer(cost="28.15").name_and_term()
        summary = walk.path
        walk.act("EDIT")
    else:
        walk.to_providers()
    walk.provider("OVO Energy")
    passed_on(walk, bob)
    if then == "callback":
        walk.get("/connect/callback/", data={"fp_cot": walk.token})
    elif then == "asks":
        walk.post(f"/connect/{walk.session.pk}/", {})
    elif then == "done in the old tab" and summary:
        walk.post(summary, {"action": "CLOSE", "newest": walk.session.newest})
    for _ in range(4):
        later(hours=8)
        call_command("exchange_pending")
    call_command("purge_sessions")
    assert not Tariff.objects.filter(provider="OVO Energy").exists()
    for _ in range(3):
        later(hours=25)
        call_command("erase_pending")
    known = set(Location.objects.values_list("location_id", flat=True))
    assert set(sandbox.state["locations"]) == known  # nothing of Bob's is left at FlatPeak either


def approve_and_close_the_tab(walk):
    """The link to the login is followed, wherever, and nobody comes back from it; the owner says that they signed in."""
    sign_in_at_provider(walk.leave())
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert "You don't seem to have signed in yet." in walk.text


def end_with_the_token(walk, later, press):
    later(hours=25)
    if press:
        walk.post(f"/connect/{walk.session.pk}/", {})
    for command in ("exchange_pending", "exchange_pending", "purge_sessions", "erase_pending", "erase_pending"):
        call_command(command)


@pytest.mark.parametrize("press", [False, True])
@pytest.mark.parametrize("changed", [False, True])
def test_a_login_that_nobody_comes_back_from_leaves_nothing_at_flatpeak(walk, sandbox, later, changed, press):
    if changed:
        walk.by_hand().answer(cost="28.15").name_and_term().act("EDIT").provider("OVO Energy")
    else:
        walk.to_providers().provider("OVO Energy")
    approve_and_close_the_tab(walk)
    assert sandbox.state["locations"]
    end_with_the_token(walk, later, press)
    assert (walk.session.state, Location.objects.count()) == (State.EXPIRED, 0)
    assert not sandbox.state["locations"]


def test_who_comes_back_from_the_login_after_all_is_connected(walk, sandbox):
    walk.to_providers().provider("OVO Energy")
    approve_and_close_the_tab(walk)
    walk.get(walk.way_back(sandbox)).act("CLOSE")
    assert [Location.objects.get().location_id] == list(sandbox.state["locations"])


@pytest.mark.parametrize("done", [True, False])
def test_who_leaves_after_going_back_from_a_login_waits_for_no_exchange(walk, sandbox, later, done):
    walk.by_hand().answer(cost="28.15").name_and_term().act("EDIT").provider("OVO Energy").leave()
    walk.back().provider("Ecotricity")
    if done:
        walk.act("CLOSE")
        assert "Nothing was connected." in walk.text
    end_with_the_token(walk, later, press=False)
    assert walk.session.state == (State.LEFT if done else State.EXPIRED)
    assert not sandbox.state["locations"]


# --- a tariff that FlatPeak connected, and of which no page came


def lost(walk, sandbox):
    lose_the_next_answer(sandbox)
    walk.answer(term="open")


def killed(walk, sandbox):
    lost(walk, sandbox)
    past = timezone.now() - timedelta(minutes=1)
    ConnectSession.objects.update(doubtful=False, claimed_until=past)  # nobody was there to note it, or to give it back


def killed_just_now(walk, sandbox):
    lost(walk, sandbox)
    ConnectSession.objects.update(doubtful=False, claimed_until=timezone.now() + timedelta(minutes=2))


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("how", [lost, killed, killed_just_now])
def test_it_is_erased_if_nobody_comes_back(walk, sandbox, later, how, deleted):
    walk.by_hand().answer(cost="28.15").answer(tariff_name="Simple")
    how(walk, sandbox)
    assert sandbox.state["locations"]
    if deleted:
        walk.session.user.delete()
    for _ in range(2):
        later(hours=25)
        for command in ("exchange_pending", "purge_sessions", "erase_pending", "erase_pending"):
            call_command(command)
    assert not sandbox.state["locations"]
    assert not Erasure.objects.filter(done_at=None).exists()


def test_it_is_stored_for_who_comes_back_in_time(walk, sandbox, later):
    walk.by_hand().answer(cost="28.15").answer(tariff_name="Simple")
    killed(walk, sandbox)
    later(hours=23)
    call_command("exchange_pending")
    call_command("purge_sessions")
    walk.post(f"/connect/{walk.session.pk}/", {}).act("CLOSE")
    assert [Location.objects.get().location_id] == list(sandbox.state["locations"])


def test_a_login_that_was_made_unseen_is_erased_too(walk, sandbox, later):
    walk.to_providers().provider("OVO Energy")
    sign_in_at_provider(walk.leave())
    flatpeak.answer(walk.token, "session_restore")  # FlatPeak's own clock, as it were
    assert sandbox.state["locations"]
    end_with_the_token(walk, later, press=False)
    assert not sandbox.state["locations"]


# --- deletions in the middle


def test_a_location_that_is_deleted_while_its_settings_are_open_stays_deleted(settings_of, sandbox):
    page, newest = settings_of.path, settings_of.session.newest
    settings_of.client.post(f"/locations/{Location.objects.get().pk}/delete/", {})
    assert settings_of.client.post(page, {"action": "EDIT", "newest": newest}).status_code == 404
    settings_of.get("/connect/callback/", data={"fp_cot": settings_of.token})
    assert not Location.objects.exists()
    assert not sandbox.state["locations"]


def test_an_account_that_is_deleted_at_the_summary_leaves_nothing_at_flatpeak(walk, sandbox, later):
    walk.by_hand().answer(cost="28.15").name_and_term()
    walk.session.user.delete()
    for _ in range(3):
        later(hours=1)
        call_command("erase_pending")
    assert not sandbox.state["locations"]
    assert not sandbox.state["customers"]
