"""Someone else's login: a conversation goes on in the browser that went to it, or by the yes of the one that signed in."""

import json
import re
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.core import signing
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from connect_ui import logins
from connect_ui.models import ConnectSession, Page
from tariffs import flatpeak
from tariffs.models import Erasure, Location
from tests.walk import Walk, sign_in_at_provider

pytestmark = pytest.mark.django_db
State, Login = ConnectSession.State, ConnectSession.Login


@pytest.fixture
def login(walk):
    """Alice's conversation is at a provider's login, whose address she has, and may pass on."""
    walk.to_providers().provider("Octopus Energy")
    return walk.leave()


@pytest.fixture
def other():
    """A browser that has never been here, of somebody without an account."""
    return Walk(Client())


def callback(walk, sandbox):
    walk.get(f"/connect/callback/?fp_cot={walk.session.connect_token}")


def answers_earlier(walk, sandbox):
    """Connect takes no answer to an earlier page by now, and would be asked where it stands."""
    sandbox.set_faults([{"call": "connect.provider_select", "fault": "status_409"}])
    session = walk.session
    asked = session.pages.get(route="provider")
    listed = next(p["id"] for p in asked.data["providers"] if p["display_name"] == "Ecotricity")
    walk.post(f"/connect/{session.pk}/{asked.number}/", {"provider": listed, "newest": session.newest})
    sandbox.set_faults([])


def in_another_tab(walk, sandbox):
    Walk(walk.client).get("/connect/").get(f"/connect/{walk.session.pk}/")


def doubtful(walk, sandbox):
    ConnectSession.objects.update(doubtful=True)
    answers_earlier(walk, sandbox)


def address(path, method="get"):
    return lambda walk, sandbox: getattr(walk, method)(
        f"/connect/{walk.session.pk}/{path}", *([{}] if method == "post" else [])
    )


# Whatever the browser can ask for that has followed the link, and passed it on; the secret alone is not in it.
WAYS_ON = {
    "a reload": address(""),
    "I have signed in already": address("", "post"),
    "the page again": lambda walk, sandbox: walk.get(f"/connect/{walk.session.pk}/{walk.session.newest}/"),
    "another tab": in_another_tab,
    "the link again": lambda walk, sandbox: walk.client.get(f"/connect/{walk.session.pk}/{walk.session.newest}/login/"),
    "returned": address("returned/"),
    "called back": address("called-back/"),
    "callback": callback,
    "the return with a guess": lambda walk, sandbox: walk.get(
        f"/connect/{walk.session.pk}/return/{'x' * 43}/?fp_cot={walk.session.connect_token}"
    ),
    "the return with nothing": address("return/"),
    "confirm": address("confirm/"),
    "the yes of its own": lambda walk, sandbox: walk.post(f"/connect/{walk.session.pk}/confirm/", {"answer": "yes"}),
    "an earlier page": answers_earlier,
    "an earlier page, doubtful": doubtful,
    "begun again": address("again/", "post"),
}


def has_nothing_of(login_at, walk):
    """The conversation and its owner's pages have nothing of what a login brought."""
    assert not Location.objects.exists()
    assert not Page.objects.filter(route__startswith="summary_").exists()
    assert not Page.objects.filter(route="end").exists()
    assert walk.session.state == State.OPEN


@pytest.mark.parametrize("way", WAYS_ON)
def test_nothing_leads_on_before_or_after_somebody_else_signs_in(login, walk, sandbox, way):
    WAYS_ON[way](walk, sandbox)
    has_nothing_of(login, walk)
    sign_in_at_provider(login)  # and is not led back, or closes the browser before that
    for again in (way, *WAYS_ON):
        WAYS_ON[again](walk, sandbox)
        has_nothing_of(login, walk)


def test_what_connect_was_told_past_this_site_is_not_exchanged(login, walk, sandbox):
    """The token is in the link, and Connect asks for nothing else."""
    sign_in_at_provider(login)
    token = walk.session.connect_token
    flatpeak.answer(token, flatpeak.answer(token, "session_restore")["route"], action="SAVE")
    for way in WAYS_ON:
        if way not in ("an earlier page", "an earlier page, doubtful", "begun again"):  # which take another token
            WAYS_ON[way](walk, sandbox)
    assert not ConnectSession.objects.filter(due_at__isnull=False).exists()  # nothing is owed
    has_nothing_of(login, walk)
    assert "exchange" not in sandbox.counts


@pytest.mark.parametrize("way", WAYS_ON)
def test_nothing_leads_on_while_the_other_browser_is_asked(login, walk, sandbox, other, way):
    other.get(sign_in_at_provider(login))
    assert walk.session.login == Login.ASKED
    WAYS_ON[way](walk, sandbox)
    has_nothing_of(login, walk)


def test_the_secret_is_of_no_use_once_the_other_browser_has_brought_it(login, walk, other):
    back = sign_in_at_provider(login)
    other.get(back)
    walk.get(back)
    assert "Answer in your other browser" in walk.text
    has_nothing_of(login, walk)


def test_the_other_browser_is_asked_also_if_the_owner_has_brought_the_secret_before(login, walk, other):
    """As who has cancelled the login before, and caught the way back, can."""
    back = sign_in_at_provider(login)
    walk.get(back)
    assert walk.route.startswith("summary_")
    other.get(back)
    assert "Do you want to connect this tariff?" in other.text
    walk.act("SAVE")
    assert "Answer in your other browser" in walk.text
    assert not Location.objects.exists()
    other.post(other.path, {"answer": "no"})
    assert walk.get(f"/connect/{walk.session.pk}/").response.status_code == 410
    assert not Location.objects.exists()


def test_an_answer_that_is_under_way_when_the_other_browser_comes_is_not_kept(login, walk, other, monkeypatch):
    back = sign_in_at_provider(login)
    walk.get(back)
    send = flatpeak.answer

    def meanwhile(*arguments, **options):
        page = send(*arguments, **options)
        other.get(back)
        return page

    monkeypatch.setattr("tariffs.flatpeak.answer", meanwhile)
    walk.act("SAVE")
    monkeypatch.setattr("tariffs.flatpeak.answer", send)
    assert "Answer in your other browser" in walk.text
    assert not Location.objects.exists()
    other.post(other.path, {"answer": "yes"})
    walk.get(f"/connect/{walk.session.pk}/").act("SAVE")
    assert walk.route == "session_complete"
    assert Location.objects.count() == 1


# --- asked, in another browser


def test_it_shows_what_would_be_connected_and_for_whom_and_a_yes_lets_it_go_on(login, walk, other):
    other.get(sign_in_at_provider(login))
    assert other.path == f"/connect/{walk.session.pk}/confirm/"
    for said in ("Octopus Energy", "a•••@example.com", "London"):
        assert said in other.text
    for unsaid in ("alice", "1 Example Street", "N1 1AA"):
        assert unsaid not in other.text
    has_nothing_of(login, walk)
    other.post(other.path, {"answer": "yes"})
    assert "Thank you" in other.text
    has_nothing_of(login, walk)
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert walk.route.startswith("summary_")
    assert walk.act("SAVE").route == "session_complete"
    assert Location.objects.get().customer.user == walk.session.user


def test_who_said_yes_is_offered_to_sign_in_and_go_on_and_who_is_signed_in_is_not(login, walk, other, bob):
    offer = "This is my account: sign in and go on here"
    other.get(sign_in_at_provider(login)).post(other.path, {"answer": "yes"})
    assert offer in other.text
    other.client.force_login(bob)
    assert offer not in other.get(other.path).text


def test_prices_are_entered_instead_only_where_connect_offers_it(login, walk):
    path = f"/connect/{walk.session.pk}/{walk.session.newest}/"
    assert "Enter my prices instead" in walk.get(path).text
    listed = walk.session.pages.get(route="provider")
    listed.body["actions"] = []
    listed.save()
    assert "Enter my prices instead" not in walk.get(path).text


def test_the_page_that_waits_goes_on_by_itself_after_the_yes(login, walk, other):
    other.get(sign_in_at_provider(login))
    walk.get(f"/connect/{walk.session.pk}/")
    [onwards] = re.findall(r'http-equiv="refresh" content="10; url=([^"]+)"', walk.response.content.decode())
    assert "Answer in your other browser" in walk.get(onwards).text
    other.post(other.path, {"answer": "yes"})
    assert walk.get(onwards).route.startswith("summary_")


def test_a_no_ends_it_and_a_new_token_is_needed_to_go_on(login, walk, other, sandbox):
    back = sign_in_at_provider(login)
    other.get(back).post(other.path, {"answer": "no"})
    assert "Nothing was connected" in other.text
    old = walk.session
    assert (old.state, old.encrypted_token, old.last_error_code) == (State.EXPIRED, "", "login_declined")
    for way in ("", f"{old.newest}/"):
        assert walk.get(f"/connect/{old.pk}/{way}").response.status_code == 410
        assert "Somebody answered no" in walk.text
    walk.get(back)
    walk.get(f"/connect/callback/?fp_cot={walk.token}")
    assert not Location.objects.exists()
    other.post(other.path, {"answer": "yes"})
    assert walk.session.state == State.EXPIRED
    assert walk.post(f"/connect/{old.pk}/again/", {}).route == "session_redirect"
    assert sandbox.counts["token"] == 2
    assert walk.log_in_at_provider().route.startswith("summary_")


def test_looking_at_the_question_changes_nothing_and_anything_else_is_no_answer(login, walk, other):
    other.get(sign_in_at_provider(login))
    for act in (lambda: other.get(other.path), lambda: other.post(other.path, {"answer": "perhaps"})):
        act()
        assert "Do you want to connect this tariff?" in other.text
        assert walk.session.login == Login.ASKED


def test_only_a_browser_that_brought_the_secret_may_answer(login, walk, other, bob):
    other.get(sign_in_at_provider(login))
    strangers = [Client(), Client(), walk.client, Client()]
    strangers[1].force_login(bob)
    made_up = {logins.key(walk.session): logins.RETURNED}
    strangers[3].cookies[django_settings.LOGIN_COOKIE_NAME] = signing.get_cookie_signer("another").sign(
        json.dumps(made_up)
    )
    for stranger in strangers:
        assert stranger.get(other.path).status_code == 404
        assert stranger.post(other.path, {"answer": "yes"}).status_code == 404
    assert walk.session.login == Login.ASKED


def test_a_browser_that_was_asked_about_an_earlier_login_does_not_answer_for_the_next(login, walk, other):
    other.get(sign_in_at_provider(login))
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    Walk(Client()).get(sign_in_at_provider(walk.leave()))
    for answer in ("yes", "no"):
        other.post(other.path, {"answer": answer})
        assert "Nothing was connected" in other.text
        assert (walk.session.login, walk.session.state) == (Login.ASKED, State.OPEN)


def test_an_answer_from_another_site_is_refused(login, walk, other):
    other.client.handler.enforce_csrf_checks = True
    other.get(sign_in_at_provider(login))
    assert other.client.post(other.path, {"answer": "yes"}).status_code == 403
    assert walk.session.login == Login.ASKED


def test_who_signed_in_in_another_browser_of_their_own_goes_on_there(login, walk, other, alice):
    other.client.force_login(alice)
    other.get(sign_in_at_provider(login))
    assert "Do you want to connect this tariff?" in other.text
    assert other.post(other.path, {"answer": "yes"}).route.startswith("summary_")


def test_a_login_of_another_account_of_flatpeak_has_ended(login, walk, settings):
    back = sign_in_at_provider(login)
    settings.FLATPEAK_REALM = "acc_other"
    assert "This sign-in has ended" in walk.get(back).text


def test_the_cookie_remembers_the_logins_that_a_browser_left_for_last(walk):
    left = []
    for _ in range(logins.MOST + 1):
        walk.to_providers().provider("Octopus Energy")
        left.append(walk.leave())
    walk.get(sign_in_at_provider(left[0]))
    assert "Do you want to connect this tariff?" in walk.text
    for login in left[2:]:  # the answer to the first is the newest now
        assert walk.get(sign_in_at_provider(login)).route.startswith("summary_")


def test_who_comes_back_once_more_after_the_yes_is_asked_once_more(login, walk, other):
    """It may be from another login by the same token, whose holder can tell Connect of another provider past this site."""
    back = sign_in_at_provider(login)
    other.get(back).post(other.path, {"answer": "yes"})
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert "Do you want to connect this tariff?" in other.get(back).text
    assert "Answer in your other browser" in walk.act("SAVE").text
    other.post(other.path, {"answer": "yes"})
    walk.get(f"/connect/{walk.session.pk}/")
    assert walk.act("SAVE").route == "session_complete"


def test_where_two_other_browsers_have_the_secret_the_yes_of_neither_counts(login, walk, other, sandbox):
    """As who has given up the login before has: with a browser of their own they would answer for the victim."""
    second, back = Walk(Client()), walk.way_back(sandbox)
    for way in ("victim first", "victim last", "victim after the yes"):
        if way == "victim after the yes":
            second.get(back).post(second.path, {"answer": "yes"})
        elif way == "victim last":
            second.get(back)
        other.get(sign_in_at_provider(login))
        if way == "victim first":
            second.get(back)
        assert walk.session.login == Login.SPOILT, way
        for browser in (other, second):
            browser.get(back)
            browser.post(browser.path, {"answer": "yes"})
            assert "Nothing was connected" in browser.text
        for on in ("I have signed in already", "returned", "callback", "called back", "the page again"):
            WAYS_ON[on](walk, sandbox)
            has_nothing_of(login, walk)
        assert "More than one other browser" in walk.get(f"/connect/{walk.session.pk}/").text
        walk.post(f"/connect/{walk.session.pk}/again/", {})
        assert walk.route == "session_redirect"
        login, back = walk.leave(), walk.way_back(sandbox)
        other, second = Walk(Client()), Walk(Client())
    assert walk.get(sign_in_at_provider(login)).act("SAVE").route == "session_complete"


def test_a_saved_cookie_does_not_answer_for_who_comes_later(login, walk, other, sandbox):
    back, mine = walk.way_back(sandbox), Walk(Client())
    mine.get(back)
    saved = mine.client.cookies[django_settings.LOGIN_COOKIE_NAME].value
    mine.post(mine.path, {"answer": "yes"})
    other.get(sign_in_at_provider(login))
    mine.client.cookies[django_settings.LOGIN_COOKIE_NAME] = saved
    mine.post(f"/connect/{walk.session.pk}/confirm/", {"answer": "yes"})
    WAYS_ON["I have signed in already"](walk, sandbox)
    has_nothing_of(login, walk)


@pytest.mark.parametrize("who", ["bob", "nobody"])
def test_on_a_shared_computer_the_cookie_of_who_was_there_before_is_no_yes(login, walk, bob, who):
    """Alice followed the link there, and signed out; the link that she passes on is followed by the next one."""
    shared = Walk(Client())
    shared.client.cookies[django_settings.LOGIN_COOKIE_NAME] = walk.client.cookies[
        django_settings.LOGIN_COOKIE_NAME
    ].value
    if who == "bob":
        shared.client.force_login(bob)
    shared.get(sign_in_at_provider(login))
    assert "Do you want to connect this tariff?" in shared.text
    assert walk.session.login == Login.ASKED


def test_what_an_answer_under_way_made_at_flatpeak_is_deleted_after_a_no(login, walk, other, sandbox):
    token = walk.session.connect_token
    other.get(sign_in_at_provider(login))
    flatpeak.answer(token, flatpeak.answer(token, "session_restore")["route"], action="SAVE")
    assert len(sandbox.state["locations"]) == 1
    other.post(other.path, {"answer": "no"})
    call_command("erase_pending")
    call_command("erase_pending")
    assert not sandbox.state["locations"]


def test_a_way_back_without_its_last_slash_is_one(login, walk):
    walk.get(sign_in_at_provider(login).replace("/?", "?"))
    assert walk.route.startswith("summary_")


def test_who_comes_when_all_is_over_is_told_for_whom_it_was_connected(login, walk, other):
    back = sign_in_at_provider(login)
    walk.get(back).act("SAVE")
    other.get(back)
    assert "Your tariff is connected" in other.text
    assert "a•••@example.com" in other.text
    assert "alice" not in other.text


@pytest.mark.parametrize(
    "meanwhile", [{"return_digest": "of the next token"}, {"state": State.EXPIRED}, {"login": "back"}]
)
def test_an_answer_to_what_has_changed_meanwhile_changes_nothing(login, walk, meanwhile):
    ConnectSession.objects.update(login=Login.ASKED)
    read = walk.session
    ConnectSession.objects.update(**meanwhile)
    before = ConnectSession.objects.values().get()
    assert not logins.moves(read, Login.AGREED, Login.ASKED)
    logins.decline(read)
    assert ConnectSession.objects.values().get() == before
    assert not Erasure.objects.exists()


def test_what_is_unsettled_and_held_waits_for_its_token_to_expire_and_is_deleted_then(login, walk, later):
    ConnectSession.objects.update(login=Login.ASKED, due_at=timezone.now())
    call_command("exchange_pending")
    session = walk.session
    assert (session.state, session.due_at) == (State.OPEN, session.expires_at)
    later(days=1, minutes=1)
    call_command("exchange_pending")
    assert walk.session.state == State.EXPIRED
    assert Erasure.objects.get().kind == Erasure.Kind.CONVERSATION


def test_a_declined_login_that_connected_nothing_is_done_with_once_its_token_is_over(login, walk, later):
    ConnectSession.objects.update(login=Login.ASKED)
    logins.decline(walk.session)
    with pytest.raises(CommandError, match="1 tried, 1 failed"):
        call_command("erase_pending")
    assert Erasure.objects.get().last_result == "connect_incomplete"
    later(days=1, minutes=1)
    call_command("erase_pending")
    assert Erasure.objects.get().done_at


# --- in the same browser


def test_the_browser_that_went_there_goes_on_and_its_address_has_no_secret(login, walk):
    walk.get(sign_in_at_provider(login))
    assert walk.route.startswith("summary_")
    steps = [address for address, _ in walk.response.redirect_chain]
    assert steps[0] == f"/connect/{walk.session.pk}/returned/"
    assert not any("fp_cot" in step for step in steps)
    assert walk.act("SAVE").route == "session_complete"


def test_a_secret_that_was_used_lets_nobody_in_a_second_time(login, walk, sandbox):
    """Whoever has signed in once knows the secret: the next login in the conversation has another one."""
    back, token = walk.way_back(sandbox), walk.session.connect_token
    walk.get(sign_in_at_provider(login)).act("EDIT").provider("Octopus Energy")
    assert walk.route == "session_redirect"
    assert walk.session.connect_token != token
    second = walk.leave()
    sign_in_at_provider(second)
    before = walk.session.newest
    walk.get(back)
    assert (walk.session.newest, walk.session.login) == (before, Login.AWAY)
    assert walk.get(walk.way_back(sandbox)).route.startswith("summary_")


def test_a_login_that_was_cancelled_has_another_secret_the_next_time(login, walk, sandbox):
    back = walk.way_back(sandbox)
    walk.get(back)
    assert "did not finish signing in" in walk.text
    sign_in_at_provider(walk.leave())
    before = walk.session.newest
    walk.get(back)
    assert (walk.session.newest, walk.session.login) == (before, Login.AWAY)


def test_going_back_from_a_login_takes_another_token(login, walk, sandbox):
    """The one of the login may have somebody else's tariff by now."""
    token = walk.session.connect_token
    sign_in_at_provider(login)
    walk.get(f"/connect/{walk.session.pk}/").back()
    walk.provider("Ecotricity")
    assert walk.route == "tariff_structure_select"
    assert walk.session.connect_token != token
    walk.answer(options="FIXED").answer(cost="28.15").name_and_term().act("SAVE")
    assert walk.route == "session_complete"
    assert Location.objects.get().tariffs.get().provider == "Ecotricity"


def test_another_token_is_begun_as_the_first_one_was(walk, sandbox):
    sandbox.speak("anode")
    walk.to_providers().provider("OVO Energy").leave()
    walk.get(f"/connect/{walk.session.pk}/").back().provider("Ecotricity")
    assert walk.page.route == "structure"
    assert sandbox.counts["token"] == sandbox.counts["connect.session_start"] == 2
    assert "connect.session_restore" not in sandbox.counts


def test_going_back_from_a_login_keeps_a_refused_answer_at_its_field(login, walk, sandbox):
    walk.get(f"/connect/{walk.session.pk}/").back().back()
    token = walk.session.connect_token
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.postal_address_capture", "fault": "status_409"}])
    walk.address(city="Nowhere")
    assert (walk.response.status_code, walk.session.connect_token) == (422, token)
    with sandbox.lock:
        sandbox.set_faults([])
    assert walk.address(city="Leeds").route == "provider_select"


def test_a_login_whose_link_nobody_has_followed_is_left_by_the_same_token(walk, sandbox):
    walk.to_providers().provider("Octopus Energy").back().provider("Ecotricity")
    assert walk.route == "tariff_structure_select"
    assert sandbox.counts["token"] == 1


def test_a_connected_location_is_as_safe(walk, sandbox, other):
    walk.fixed()
    location = Location.objects.get()
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"})
    walk.act("EDIT").provider("Octopus Energy")
    other.get(sign_in_at_provider(walk.leave()))
    for way in ("a reload", "I have signed in already", "returned", "callback"):
        WAYS_ON[way](walk, sandbox)
        assert "Answer in your other browser" in walk.text
    assert location.tariffs.get().provider == "Ecotricity"
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.route == "session_redirect"
    assert "Nothing was connected" in other.get(other.path).text
    assert walk.log_in_at_provider().act("SAVE").route == "session_complete"


def test_the_link_leads_nowhere_while_an_answer_is_under_way(login, walk):
    link = f"/connect/{walk.session.pk}/{walk.session.newest}/login/"
    assert walk.client.get(link)["Location"].startswith("http")
    ConnectSession.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    assert walk.client.get(link)["Location"] == f"/connect/{walk.session.pk}/"


@pytest.mark.parametrize("meanwhile", [{"newest": 9}, {"claimed_until": "2099-01-01T00:00Z"}])
def test_the_link_leads_nowhere_if_the_conversation_goes_on_at_that_moment(login, walk, monkeypatch, meanwhile):
    def going_on(page):
        ConnectSession.objects.update(**meanwhile)
        return "https://login.example/"

    link = f"/connect/{walk.session.pk}/{walk.session.newest}/login/"
    monkeypatch.setattr(logins, "login_url", going_on)
    assert walk.client.get(link)["Location"] == f"/connect/{walk.session.pk}/"


def test_who_comes_back_to_another_account_of_flatpeak_is_told_that_it_is_over(login, walk, settings):
    back = sign_in_at_provider(login)
    for realm, live in (("acc_other", False), ("sandbox", True)):
        settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE = realm, live
        assert "This sign-in has ended" in walk.get(back).text
        assert walk.session.login == Login.AWAY


def test_the_town_that_is_shown_is_the_one_that_was_said_last(walk, other):
    walk.to_providers().act("ADDRESS_CHANGE").address(city="Leeds").provider("Octopus Energy")
    other.get(sign_in_at_provider(walk.leave()))
    assert "Leeds" in other.text
    assert "London" not in other.text


def test_a_page_that_was_opened_before_says_how_to_go_on(login, walk):
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert "Open the sign-in again" in walk.text
    assert "Go to the sign-in" in walk.text


def test_the_cookie_is_signed_and_no_script_reads_it(login, walk):
    cookie = walk.client.cookies[django_settings.LOGIN_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


def test_the_secret_is_nowhere_in_the_database(login, walk, sandbox):
    secret = walk.way_back(sandbox).split("/return/")[1].split("/")[0]
    assert len(secret) == 43
    session = ConnectSession.objects.values().get()
    assert secret not in str(session) + str(list(Page.objects.values()))
    assert session["return_digest"]


def test_the_answers_are_limited_by_the_clients_address(login, other, settings, empty_cache):
    settings.RATE_LIMITS = {"connect_ask": 3}
    other.get(sign_in_at_provider(login))
    found = [other.client.post(other.path, {}, REMOTE_ADDR=f"10.0.0.{n // 4}").status_code for n in range(8)]
    assert found == [302, 302, 302, 429] * 2
