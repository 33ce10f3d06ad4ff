"""Other tabs, other browsers and other people, while an answer or an exchange is under way."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs.models import Erasure, Location
from tests.races.conftest import HASHED
from tests.races.places import SECRET, code_of_app
from tests.races.servers import at_once, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
State = ConnectSession.State


def callback():
    """The address that FlatPeak sends the browser to at the end."""
    return f"/connect/callback/?fp_cot={ConnectSession.objects.get().connect_token}"


def under_way(call):
    """Begin a call that takes an answer or makes an exchange; its end, once it has claimed the conversation."""
    pool = ThreadPoolExecutor(1)
    end = pool.submit(call)
    wait_until(lambda: ConnectSession.objects.exclude(claimed_until=None).exists())
    pool.shutdown(wait=False)
    return end


def sign_out(tab):
    tab.get("/account/logout/").press()


@pytest.fixture
def owed(site, tab):
    """The customer has saved, and FlatPeak has not given the ids yet; it would now."""
    tab.walk_to("SAVE")
    address = callback()
    site.fault("exchange", "status_500")
    tab.answer()
    assert "Almost done" in tab.text
    site.control(faults=[])
    return address


def test_a_tab_that_waits_is_not_sent_to_a_question_that_is_an_earlier_one_when_it_gets_there(site, tab):
    tab.walk_to("options")
    before, other = site.sent, tab.another()
    site.delay(1500)
    end = under_way(tab.answer)
    other.get(tab.conversation)
    assert (other.is_waiting, other.path) == (True, tab.conversation)
    end.result()
    assert other.settle().path == tab.path
    assert site.sent == before + 1
    site.delay(0)
    other.finish()


@pytest.mark.parametrize("step", ["cost", "SAVE"])
def test_a_sign_out_in_another_tab_does_not_undo_the_answer_under_way(site, tab, step):
    tab.walk_to(step)
    before, other = site.sent, tab.another()
    site.delay(1500)
    end = under_way(tab.answer)
    sign_out(other)
    end.result()
    assert tab.path == "/account/login/"
    site.delay(0)
    tab.sign_in(tab.user).finish()
    assert site.sent == before + (1 if step == "SAVE" else 4)
    assert site.counts["exchange"] == 1


@pytest.mark.parametrize("gone", ["session", "all cookies"])
@pytest.mark.parametrize("step", ["provider", "SAVE"])
def test_who_answers_signed_out_signs_in_and_is_asked_again(site, tab, step, gone):
    tab.walk_to(step)
    asked, before = tab.path, site.sent
    tab.browser.cookies.clear(*(["127.0.0.1", "/", "sessionid"] if gone == "session" else []))
    tab.answer()
    assert tab.path == "/account/login/"
    tab.sign_in(tab.user)
    assert (tab.path, tab.step, site.sent) == (asked, step, before)
    tab.finish()


def test_a_page_from_before_the_sign_in_is_asked_again_with_what_was_typed(site, tab):
    tab.walk_to("cost")
    other, before = tab.another(), site.sent
    sign_out(other)
    other.get(tab.path).sign_in(tab.user)
    tab.press(cost="31.5")
    assert "This page timed out" in tab.text
    assert 'value="31.5"' in tab.page
    assert site.sent == before
    tab.finish()


def test_callbacks_at_once_are_one_exchange(site, tab, owed):
    before = site.counts["exchange"]
    site.delay(100)
    tabs = [tab.another() for _ in range(4)]
    at_once(*(lambda each=each: each.get(owed).settle() for each in tabs))
    for each in tabs:
        assert each.is_connected
        assert "fp_cot" not in each.query
    assert site.counts["exchange"] == before + 1
    assert tab.get(owed).path == tabs[0].path


def test_while_exchange_pending_makes_an_exchange_a_visit_and_a_callback_wait_for_it(site, tab, owed):
    before = site.counts["exchange"]
    ConnectSession.objects.update(due_at=timezone.now())
    site.delay(2000)
    end = under_way(lambda: site.manage("exchange_pending"))
    visit, back = tab.another(), tab.another()
    at_once(lambda: visit.get("/"), lambda: back.get(owed))
    assert end.result() == "exchanges: 1 tried, 0 failed, 0 left\n"
    site.delay(0)
    assert back.settle().is_connected
    assert "Ecotricity" in visit.get("/").text
    assert site.counts["exchange"] == before + 1


def test_an_exchange_that_staff_have_tried_again_several_times_beside_a_callback_is_one(
    site, tab, owed, django_user_model
):
    charlie = django_user_model.objects.create_superuser("charlie@example.com")
    charlie.password = HASHED
    charlie.save()
    TOTP.activate(charlie, SECRET)
    desk = site.tab().get("/account/login/?next=/admin/connect_ui/connectsession/").sign_in(charlie)
    desk.press(**code_of_app(desk))
    assert "1 conversation" in desk.text
    before = site.counts["exchange"]
    chosen = {"action": "try_again", "_selected_action": str(ConnectSession.objects.get().pk)}
    site.delay(300)
    desks, back = [desk.another() for _ in range(3)], tab.another()
    at_once(*(lambda each=each: each.press(**chosen) for each in desks), lambda: back.get(owed).settle())
    site.delay(0)
    site.manage("exchange_pending")
    assert site.counts["exchange"] == before + 1
    assert back.settle().is_connected
    assert site.statuses.keys() <= {200, 302}
    assert re.search("(1 is|0 are) due now", " ".join(each.text for each in desks))


def test_what_a_deletion_and_erase_pending_ask_for_at_once_is_asked_for_once(site, tab):
    tab.get("/connect/").finish()
    page = tab.get(f"/locations/{Location.objects.get().pk}/delete/")
    site.delay(1500)
    pool = ThreadPoolExecutor(1)
    deletion = pool.submit(page.press)
    wait_until(Erasure.objects.exists)
    said = [site.manage("erase_pending") for _ in range(2)]
    assert deletion.result().path == "/locations/"
    pool.shutdown()
    assert said[0].startswith("deletions: 0 tried, 0 failed, ")
    assert site.counts["delete_location"] == 1
    assert Erasure.objects.get().done_at


def test_returns_from_a_login_at_once_are_one_page(site, tab):
    tab.walk_to("provider").press(provider="Test: login approved")
    there = tab.browser.get(tab.url + f"{tab.path}login/", allow_redirects=False, timeout=30).headers["Location"]
    address = requests.get(f"{there}&back=1", allow_redirects=False, timeout=30).headers["Location"]
    site.delay(100)
    tabs = [tab.another() for _ in range(4)]
    at_once(*(lambda each=each: each.get(address.removeprefix(tab.url)).settle() for each in tabs))
    assert {(each.path, each.step) for each in tabs} == {(tab.path.replace("/3/", "/4/"), "SAVE")}
    assert ConnectSession.objects.get().newest == 4
    tabs[0].finish()


@pytest.mark.parametrize("first", ["answer", "callback"])
def test_a_callback_and_the_answer_that_ends_the_conversation_do_not_disturb_each_other(site, tab, first):
    tab.walk_to("SAVE")
    before, other, address = site.sent, tab.another(), callback()
    site.delay(1500)
    calls = {"answer": tab.answer, "callback": lambda: other.get(address)}
    end = under_way(calls.pop(first))
    calls.popitem()[1]()
    end.result()
    site.delay(0)
    tab.finish()
    assert other.settle().get().path == tab.path
    # In zero a callback that comes too soon is refused; in anode it finds the tariff connected, so nothing is left to send.
    assert site.sent == before + (first == "answer" or site.release == "zero")
    assert ConnectSession.objects.get().state == State.CONNECTED


def test_a_callback_after_the_last_answer_was_lost_finishes_the_conversation(site, tab):
    tab.walk_to("SAVE")
    before, address = site.sent, callback()
    site.control(faults=[{"call": "connect", "fault": "answer_lost"}])
    tab.answer()
    assert "We kept what you entered" in tab.text
    tab.get(address)
    assert tab.is_connected
    assert site.sent == before + 1
    assert Location.objects.get().tariffs.get().provider == "Ecotricity"


def test_a_callback_with_somebody_elses_token_shows_and_changes_nothing(site, tab, owed, people, django_user_model):
    bob = django_user_model.objects.create_user("bob@example.com")
    before = site.counts
    theirs = site.tab(bob).get(owed)
    assert site.statuses[404] == 1
    assert not re.search("Ecotricity|Example Street|customer0|28.15", theirs.text)
    assert site.counts == before
    assert ConnectSession.objects.get().state == State.OWED
    tab.get(owed)
    assert tab.is_connected


def test_a_callback_in_a_browser_that_is_not_signed_in_waits_for_the_sign_in(site, tab, owed):
    before = site.counts
    stranger = site.tab().get(owed)
    assert stranger.path == "/account/login/"
    assert "fp_cot" not in stranger.query
    assert (site.counts, ConnectSession.objects.get().state) == (before, State.OWED)
    stranger.sign_in(tab.user)
    assert stranger.is_connected
