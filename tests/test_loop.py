"""The loop: one POST to Connect per accepted answer, nothing lost, and every page at an address of its own."""

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from tariffs import flatpeak
from tariffs.flatpeak import calls
from tariffs.models import Customer, Location
from tariffs.queue import claim_end
from tests.walk import Walk, sign_in_at_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def unreachable(monkeypatch):
    """FlatPeak's Connect does not answer, until `unreachable()` is called again with False."""
    working = flatpeak.answer

    def switch(on=True):
        def nothing(*arguments, **options):
            raise flatpeak.Unavailable("Connect: no answer (ConnectTimeout)")

        for place in (flatpeak, calls):
            monkeypatch.setattr(place, "answer", nothing if on else working)

    return switch


def posts(sandbox):
    return sandbox.counts["connect"]


# --- one answer, one POST


def test_an_answer_is_one_post_and_a_reload_none(walk, sandbox):
    walk.by_hand()
    before = posts(sandbox)
    walk.answer(cost="28.15")
    assert posts(sandbox) == before + 1
    walk.get(walk.path).get(walk.path)
    assert posts(sandbox) == before + 1


def test_the_start_is_one_token_and_one_post(walk, sandbox):
    walk.start()
    assert (sandbox.counts["token"], posts(sandbox)) == (1, 1)


def test_no_head_and_no_stranger_reaches_flatpeak(walk, sandbox, client):
    walk.to_providers().provider("Octopus Energy")
    session, before = walk.session, sum(sandbox.counts.values())
    for path in ("", "returned/", "called-back/", f"{session.newest}/", f"{session.newest}/login/"):
        client.head(f"/connect/{session.pk}/{path}")
    client.head("/connect/")
    client.head("/connect/callback/", {"fp_cot": session.connect_token})
    client.head(walk.way_back(sandbox))
    client.logout()
    response = client.get("/connect/callback/", {"fp_cot": session.connect_token})
    assert response.status_code == 302
    assert client.get(response["Location"])["Location"].startswith("/account/login/")
    assert sum(sandbox.counts.values()) == before


def test_a_double_click_leads_on_to_what_the_first_one_led_to(walk, sandbox):
    walk.by_hand()
    page, newest = walk.page, walk.session.newest
    walk.answer(cost="28.15")
    before = posts(sandbox)
    walk.post(f"/connect/{page.session_id}/{page.number}/", {"cost": "28.15", "newest": newest})
    assert walk.route == "tariff_name_capture"
    assert "answered already" not in walk.text
    walk.name_and_term()
    before += 2
    walk.post(f"/connect/{page.session_id}/{page.number}/", {"cost": "28.15", "newest": newest})
    assert walk.route == "tariff_name_capture"  # not the newest page, which somebody in another tab may have come to
    assert posts(sandbox) == before


def test_another_answer_to_an_answered_page_is_not_sent_and_says_so(walk, sandbox):
    walk.by_hand()
    page, newest = walk.page, walk.session.newest
    walk.answer(cost="28.15")
    before = posts(sandbox)
    walk.post(f"/connect/{page.session_id}/{page.number}/", {"cost": "30", "newest": newest})
    assert walk.route == "tariff_name_capture"
    assert "already answered that question, so we sent nothing" in walk.text
    assert posts(sandbox) == before


def test_who_asks_where_connect_stands_while_somebody_else_does_waits_too(walk, monkeypatch):
    walk.start()
    monkeypatch.setattr(ConnectSession, "claim", lambda session, held=False: False)
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert "One moment" in walk.text


def test_while_an_answer_is_under_way_others_wait_on_a_page_that_reloads(walk, sandbox):
    walk.by_hand()
    page = walk.page
    ConnectSession.objects.update(claimed_until=claim_end())
    before = posts(sandbox)
    walk.answer(cost="28.15")
    assert "One moment" in walk.text
    assert f'content="2; url=/connect/{page.session_id}/"' in walk.response.content.decode()
    walk.get(f"/connect/{page.session_id}/{page.number}/")
    assert "One moment" in walk.text
    assert posts(sandbox) == before
    ConnectSession.objects.update(claimed_until=None)
    assert walk.get(f"/connect/{page.session_id}/").route == "rate_fixed_capture"


def test_two_who_claim_at_the_same_time_are_one(walk):
    walk.by_hand()
    first, second = (ConnectSession.objects.get() for _ in range(2))
    assert first.claim()
    assert not second.claim()
    assert not ConnectSession.objects.get().claim()  # nor may who reads it while it is held
    first.release()
    assert not second.claim()  # whether the answer is doubtful may have changed since it was read
    second.refresh_from_db()
    assert second.claim()


def test_what_has_gone_on_since_it_was_read_is_not_claimed(walk, sandbox):
    """An answer, a login that is left for, its way back, and another token for it."""
    session = walk.by_hand().session
    walk.answer(cost="28.15")
    assert not session.claim()
    session = walk.to_providers().provider("Octopus Energy").session
    login = walk.leave()
    assert not session.claim(held=True)
    session = walk.session
    walk.client.get(sign_in_at_provider(login))
    assert not session.claim(held=True)
    session = walk.session
    walk.post(f"/connect/{session.pk}/again/", {})
    assert not session.claim(held=True)
    assert walk.session.claim(held=True)


def columns(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.fixture
def claims(monkeypatch):
    """The claims that were held; when each ends, all columns are stored as it left them."""
    held = []
    claimed = ConnectSession.claimed

    @contextmanager
    def checked(session, *arguments, **options):
        try:
            with claimed(session, *arguments, **options) as mine:
                yield mine
        finally:
            held.append(session.state)
            assert not mine or columns(ConnectSession.objects.get(pk=session.pk)) == columns(session)

    monkeypatch.setattr(ConnectSession, "claimed", checked)
    return held


def test_whatever_a_step_changes_of_a_conversation_is_stored(walk, sandbox, claims, unreachable):
    walk.start().address().act("PROVIDER_MISSING", q="Mine").answer(provider_name="Mine").answer(options="FIXED")
    walk.answer(cost="0.0000001", sure="0.0000001")  # which Connect refuses
    unreachable()
    walk.answer(cost="28.15")
    unreachable(False)
    walk.answer(cost="28.15").name_and_term("Simple", term="open")
    walk.back().answer(term="unknown").act("SAVE")
    assert walk.route == "session_complete"
    walk.to_providers().provider("Octopus Energy").log_in_at_provider("decline")
    walk.provider("Octopus Energy").log_in_at_provider().act("SAVE")
    walk.post("/connect/", {"location": Location.objects.earliest("created_at").pk, "direction": "IMPORT"})
    walk.act("DISCONNECT").by_hand()
    with sandbox.lock:
        sandbox.state["tokens"][walk.session.connect_token]["expires"] = "2020-01-01T00:00:00Z"
    walk.answer(cost="28.15")
    assert walk.session.state == "expired"
    with sandbox.lock:
        sandbox.set_faults([{"call": "exchange", "fault": "status_409"}])
    walk.fixed()
    ConnectSession.objects.update(due_at=timezone.now())
    walk.get(f"/connect/{walk.session.pk}/")
    assert walk.session.state == "connected"
    assert set(claims) == {"open", "owed", "connected", "disconnected", "expired"}


def test_who_has_lost_the_claim_writes_nothing(walk):
    session = walk.by_hand().session
    assert session.claim()
    taken_over = timezone.now() + timedelta(minutes=5)
    ConnectSession.objects.update(claimed_until=taken_over)
    session.last_route = "provider"
    assert not session.keep()
    assert not session.release()
    session.refresh_from_db()
    assert (session.claimed_until, session.last_route == "provider") == (taken_over, False)


def test_a_claim_that_nobody_can_be_behind_is_taken_over_and_connect_is_asked_first(walk, sandbox):
    walk.by_hand()
    ConnectSession.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    before = dict(sandbox.counts)
    walk.answer(cost="28.15")
    assert walk.route == "tariff_name_capture"
    assert sandbox.counts["connect.session_restore"] == before["connect.session_restore"] + 1


# --- errors


def test_it_keeps_the_form_when_connect_rejects_the_price(walk):
    walk.by_hand(provider="Test: refuses cost_value_zero").answer(cost="28.15")
    assert walk.response.status_code == 422
    assert walk.errors().keys() == {"cost"}
    assert 'value="28.15"' in walk.response.content.decode()
    assert walk.session.last_error_code == "cost_value_zero"
    assert walk.answer(cost="28.15").route == "tariff_name_capture"


def test_an_error_of_an_unknown_code_stands_at_the_top(walk):
    walk.to_providers().provider("Test: unknown error code")
    assert (walk.route, walk.response.status_code) == ("provider_select", 422)
    assert walk.errors().keys() == {"__all__"}
    assert walk.provider("Ecotricity").route == "tariff_structure_select"


@pytest.mark.parametrize("code", ["city_missing", "address_line1_missing", "post_code_missing", "country_code_invalid"])
def test_an_address_error_of_connect_stands_at_its_field(walk, code):
    walk.start().address(address_line1=f"Test: {code}")
    assert walk.errors().keys() == {code.rsplit("_", 1)[0]}
    assert walk.address().route == "provider_select"


def test_an_unusual_price_is_questioned_once(walk):
    walk.by_hand().answer(cost="0.2815")
    assert walk.route == "rate_fixed_capture"
    sure = re.findall(r'name="sure" value="([^"]*)"', walk.response.content.decode())
    assert sure == ["0.2815"]
    assert walk.answer(cost="0.2815", sure=sure).route == "tariff_name_capture"


def test_a_wrong_input_never_leaves_the_server(walk, sandbox):
    walk.start()
    before = posts(sandbox)
    walk.address(city="")
    assert walk.errors().keys() == {"city"}
    walk.address(country_code="XX")
    assert walk.errors().keys() == {"country_code"}
    assert posts(sandbox) == before
    walk.address()
    before = posts(sandbox)
    walk.answer(provider="prv_" + 24 * "0")
    assert walk.errors().keys() == {"provider"}
    assert "Choose your provider from the list." in walk.text
    walk.act("SAVE")
    assert "can't do that here" in walk.text
    assert posts(sandbox) == before


@pytest.mark.parametrize("provider", ["Test: api error", "Test: not JSON"])
def test_an_unusable_answer_keeps_the_input_and_a_second_press_goes_on(walk, provider):
    walk.to_providers().provider(provider)
    assert (walk.route, walk.response.status_code) == ("provider_select", 503)
    assert "We kept what you entered" in walk.text
    assert walk.provider(provider).route == "tariff_structure_select"


def test_a_rate_limit_is_said_and_a_second_press_goes_on(walk):
    walk.to_providers().provider("Test: rate limit")
    assert walk.response.status_code == 422
    assert walk.provider("Test: rate limit").route == "tariff_structure_select"


def test_an_answer_that_was_lost_on_its_way_back_is_not_sent_twice(walk, sandbox):
    walk.to_providers().provider("Test: answer lost")
    assert (walk.route, walk.response.status_code) == ("provider_select", 503)
    before = sandbox.counts["connect.provider_select"]
    walk.provider("Test: answer lost")
    assert walk.route == "tariff_structure_select"
    assert sandbox.counts["connect.provider_select"] == before


def test_an_answer_that_never_arrived_is_sent_again(walk, unreachable):
    walk.by_hand()
    unreachable()
    walk.answer(cost="28.15")
    assert walk.response.status_code == 503
    assert 'value="28.15"' in walk.response.content.decode()
    walk.answer(cost="28.15")
    assert walk.response.status_code == 503
    unreachable(False)
    assert walk.answer(cost="28.15").route == "tariff_name_capture"


def test_an_expired_token_says_so_and_lets_start_again(walk):
    walk.to_providers().provider("Test: token expires here")
    assert walk.response.status_code == 410
    assert "This page timed out" in walk.text
    assert walk.session.state == ConnectSession.State.EXPIRED
    assert walk.get(f"/connect/{walk.session.pk}/").response.status_code == 410


def test_an_unknown_page_is_kept_and_said_plainly_and_reported(walk, caplog):
    walk.to_providers().provider("Test: unknown page")
    assert "is new to us (“sandbox_unknown_page”)" in walk.text
    assert "unknown route 'sandbox_unknown_page'" in caplog.text
    assert Page.objects.get(route="sandbox_unknown_page").number == walk.session.newest
    assert walk.post(f"/connect/{walk.session.pk}/", {}).route == "provider_select"


def test_the_error_page_says_what_flatpeak_says_and_lets_go_on(walk):
    walk.to_providers().provider("Test: error page")
    assert walk.route == "error"
    assert "test of the error page" in walk.text
    assert walk.post(f"/connect/{walk.session.pk}/", {}).route == "provider_select"


def test_a_conversation_without_its_first_page_can_be_tried_again(walk, unreachable):
    unreachable()
    walk.start()
    assert "We got no answer" in walk.text
    walk.post(walk.path, {})
    assert "We got no answer" in walk.text
    unreachable(False)
    assert walk.post(walk.path, {}).route == "postal_address_capture"


def test_where_flatpeak_refuses_the_first_question_its_reason_is_given(walk, monkeypatch):
    def refuse(*arguments, **options):
        error = {"code": "direction_not_served", "message": "Exports are not served in this country."}
        raise flatpeak.Rejected("Connect", 422, error)

    monkeypatch.setattr(flatpeak, "answer", refuse)
    walk.start()
    assert "We couldn't start" in walk.text
    assert "Exports are not served in this country." in walk.text
    assert "Exports are not served in this country." in walk.post(walk.path, {}).text


def test_without_a_token_the_start_page_says_so_and_keeps_the_choice(walk, monkeypatch):
    def refuse(body):
        raise flatpeak.Rejected("POST /connect/tariff/token", 422, {})

    def fail(body):
        raise flatpeak.Unavailable("POST /connect/tariff/token: no answer")

    for broken, status, words in ((refuse, 502, "could not start"), (fail, 503, "can't look up prices")):
        monkeypatch.setattr(flatpeak, "create_connect_token", broken)
        walk.start(country="DE")
        assert (walk.response.status_code, ConnectSession.objects.count()) == (status, 0)
        assert words in walk.text
        assert 'value="DE" selected' in walk.response.content.decode()


def test_once_connect_was_asked_the_next_answer_is_one_post_again(walk, sandbox, unreachable):
    walk.by_hand()
    unreachable()
    walk.answer(cost="28.15")
    unreachable(False)
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert walk.route == "rate_fixed_capture"
    before = posts(sandbox)
    assert walk.answer(cost="28.15").route == "tariff_name_capture"
    assert posts(sandbox) == before + 1
    unreachable()
    walk.answer(tariff_name="Simple")
    unreachable(False)
    before = posts(sandbox)
    assert walk.answer(tariff_name="Simple").route == "contract_term_capture"
    assert posts(sandbox) == before + 2  # it is asked first where it stands
    walk.answer(term="unknown")
    assert posts(sandbox) == before + 3


def test_what_was_typed_on_a_page_that_is_left_stays_if_the_answer_does_not_arrive(walk, sandbox, unreachable):
    sandbox.speak("anode")
    walk.by_hand()
    unreachable()
    walk.act("BACK", cost="28.15")
    assert walk.response.status_code == 503
    assert 'value="28.15"' in walk.response.content.decode()
    assert 'value="28.15"' in walk.get(walk.path).response.content.decode()


# --- back


def test_a_tariff_that_is_being_read_is_not_given_up_for_another_answer_to_an_earlier_page(walk, sandbox):
    sandbox.state["switches"]["earlier_answers"] = "refuse"
    walk.to_providers().provider("EDF").log_in_at_provider("unreachable")
    pending = walk.page
    walk.get(f"/connect/{walk.session.pk}/1/").address(city="Leeds")
    assert (walk.page, walk.page.route, sandbox.counts["token"]) == (pending, "pending", 1)


def test_where_connect_refuses_an_answer_to_an_earlier_page_a_new_token_is_led_there(walk, sandbox):
    sandbox.state["switches"]["earlier_answers"] = "refuse"
    walk.by_hand().answer(cost="28.15").back().back()
    assert walk.route == "tariff_structure_select"
    walk.answer(options="TIME_OF_DAY")
    assert walk.route == "rate_tod_capture"
    assert sandbox.counts["token"] == 2
    assert walk.back().route == "tariff_structure_select"


def test_back_leads_to_the_page_that_was_answered_and_not_to_the_one_before_it_in_time(walk):
    walk.by_hand().answer(cost="28.15").back().back()
    assert walk.answer(options="TIME_OF_DAY").route == "rate_tod_capture"
    assert walk.back().route == "tariff_structure_select"


# --- search


def test_the_search_works_without_script_and_asks_flatpeak_nothing(walk, sandbox):
    sent = dict(walk.to_providers() and sandbox.counts)
    walk.answer(search="1", q="octopus")
    assert [p["display_name"] for p in walk.response.context["found"]] == ["Octopus Energy"]
    assert walk.response.status_code == 200
    assert not walk.response.context["form"].errors
    walk.answer(search="1", q="another one")
    assert "We found nothing for “another one”" in walk.text
    assert dict(sandbox.counts) == sent
    assert walk.session.newest == walk.page.number


def test_what_is_searched_for_never_goes_into_an_address(walk):
    html = walk.to_providers().response.content.decode()
    assert re.findall(r'<form method="(\w+)"[^>]*role="search"', html) == ["post"]
    assert walk.get(walk.path, data={"q": "octopus"}).response.context["query"] == ""


def test_an_earlier_list_is_searched_where_it_is(walk):
    walk.to_providers().provider("Ecotricity").back()
    walk.answer(search="1", q="octopus")
    assert [p["display_name"] for p in walk.response.context["found"]] == ["Octopus Energy"]


# --- start


def test_the_country_is_preset_from_the_browsers_language(walk):
    for language, country in (("de-AT,de;q=0.9", "AT"), ("fr", "FR"), ("en-GB,en", "GB")):
        walk.get("/connect/", headers={"accept-language": language})
        assert f'value="{country}" selected' in walk.response.content.decode()


def test_the_start_page_offers_to_go_on_where_one_stopped(walk):
    walk.to_providers().provider("Ecotricity")
    session = walk.session
    walk.get("/connect/")
    assert f'href="/connect/{session.pk}/"' in walk.response.content.decode()
    assert "Ecotricity" in walk.text
    assert walk.get(f"/connect/{session.pk}/").route == "tariff_structure_select"


def test_the_start_page_offers_the_three_newest_of_ones_own_that_can_go_on(walk, bob, settings):
    made = [walk.start().session for _ in range(8)]
    expired, older, oldest, away, live, bobs, ended, newest = made
    now = timezone.now()
    for n, session in enumerate(made):
        ConnectSession.objects.filter(pk=session.pk).update(started_at=now + timedelta(minutes=n))
    ConnectSession.objects.filter(pk=oldest.pk).update(started_at=now - timedelta(hours=1))
    ConnectSession.objects.filter(pk=expired.pk).update(expires_at=now)
    ConnectSession.objects.filter(pk=away.pk).update(account="acc_other")
    ConnectSession.objects.filter(pk=live.pk).update(live_mode=True)
    ConnectSession.objects.filter(pk=bobs.pk).update(user=bob)
    ConnectSession.objects.filter(pk=ended.pk).update(state="expired")

    def offered():
        walk.get("/connect/")
        return re.findall(r'<a href="/connect/([0-9a-f-]{36})/"', walk.response.content.decode())

    assert offered() == [str(each.pk) for each in (newest, older, oldest)]
    ConnectSession.objects.filter(pk=ended.pk).update(state="owed")
    assert offered() == [str(each.pk) for each in (newest, ended, older)]


def test_a_customer_whom_flatpeak_knows_is_named_to_it_by_its_own_id(walk, monkeypatch):
    walk.fixed()
    customer, told, create = Customer.objects.get(), [], flatpeak.create_connect_token
    monkeypatch.setattr(flatpeak, "create_connect_token", lambda body: told.append(body) or create(body))
    walk.start().start(location=Location.objects.get().pk)
    assert [body["customer_id"] for body in told] == [customer.customer_id] * 2
    assert [body["customer_reference_id"] for body in told] == [str(customer.pk)] * 2
    assert [body.get("location_id") for body in told] == [None, Location.objects.get().location_id]


def test_the_token_is_made_with_what_flatpeak_needs_to_know(walk, sandbox, settings):
    walk.start(direction="EXPORT", country="DE")
    token = next(iter(sandbox.state["tokens"].values()))
    assert (token["direction"], token["type"]) == ("EXPORT", "COMMODITY")
    assert token["postal_address"]["country_code"] == "DE"
    assert re.fullmatch(f"{settings.SITE_URL}/connect/{walk.session.pk}/return/[\\w-]{{43}}/", token["connect_web_uri"])
    assert token["callback_uri"] == f"{settings.SITE_URL}/connect/callback/"


# --- whose


def test_a_strangers_conversation_is_a_404_like_an_unknown_one(walk, client, bob):
    walk.by_hand()
    session, unknown = walk.session, "00000000-0000-4000-8000-000000000000"
    client.force_login(bob)
    for path in ("", f"{session.newest}/", f"{session.newest}/login/", "returned/", "called-back/"):
        assert client.get(f"/connect/{session.pk}/{path}").status_code == 404
        assert client.get(f"/connect/{unknown}/{path}").status_code == 404
    assert client.post(f"/connect/{session.pk}/{session.newest}/", {"cost": "1"}).status_code == 404
    assert client.get("/connect/callback/", {"fp_cot": session.connect_token}, follow=True).status_code == 404


def test_a_strangers_location_cannot_be_managed(walk, client, bob, sandbox):
    walk.fixed()
    location = walk.session.location
    client.force_login(bob)
    before = sandbox.counts["token"]
    Walk(client).post("/connect/", {"location": location.pk, "direction": "IMPORT"})
    assert (ConnectSession.objects.filter(user=bob).count(), sandbox.counts["token"]) == (0, before)


def test_coming_back_with_an_unknown_token_leads_home(client, db):
    assert client.get("/connect/callback/", {"fp_cot": "cot_unknown"})["Location"] == "/"
    assert client.get("/connect/callback/")["Location"] == "/"


# --- the provider's login


@pytest.mark.parametrize("field", ["redirect_uri", "redirect_url"])
@pytest.mark.parametrize("has_token", [True, False])
def test_the_login_link_has_the_token_once_however_connect_writes_the_address(walk, sandbox, client, field, has_token):
    sandbox.state["switches"] |= {"redirect_field": field, "redirect_has_token": has_token}
    walk.to_providers().provider("Octopus Energy")
    session = walk.session
    assert "fp_cot" not in str(Page.objects.get(route="redirect").body)
    location = client.get(f"/connect/{session.pk}/{session.newest}/login/")["Location"]
    assert location.count("fp_cot=") == 1
    assert location.endswith(session.connect_token)


def test_a_login_that_was_not_finished_shows_the_same_page_and_says_so(walk, sandbox):
    walk.to_providers().provider("Octopus Energy").leave()
    session = walk.session
    walk.get(walk.way_back(sandbox))
    assert walk.route == "session_redirect"
    assert "did not finish signing in" in walk.text
    assert walk.session.newest == session.newest


def test_who_asks_where_connect_stands_before_leaving_for_the_login_stays_there(walk, sandbox):
    walk.to_providers().provider("Octopus Energy")
    page = walk.page
    walk.post(f"/connect/{walk.session.pk}/", {})
    assert (walk.page, walk.session.newest, sandbox.counts["token"]) == (page, page.number, 1)
    assert not list(walk.response.context["messages"])


def test_who_comes_back_while_connect_is_asked_already_is_not_told_how_that_ended(walk, sandbox, monkeypatch):
    walk.to_providers().provider("Octopus Energy").leave()
    monkeypatch.setattr(ConnectSession, "claim", lambda session, held=False: False)
    walk.get(walk.way_back(sandbox))
    assert walk.route == "session_redirect"
    assert not list(walk.response.context["messages"])


def test_coming_back_twice_asks_connect_once(walk, sandbox):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider()
    before = posts(sandbox)
    walk.get(walk.way_back(sandbox))
    assert walk.route.startswith("summary_")
    assert posts(sandbox) == before


def test_a_login_on_a_plain_http_address_is_left_alone_outside_the_sandbox(walk, settings, client):
    walk.to_providers().provider("Octopus Energy")
    settings.SANDBOX = False
    session = walk.session
    assert client.get(f"/connect/{session.pk}/{session.newest}/login/")["Location"] == f"/connect/{session.pk}/"


def test_a_return_that_flatpeak_does_not_answer_can_be_tried_again(walk, unreachable, sandbox):
    walk.to_providers().provider("Octopus Energy").leave()
    unreachable()
    walk.get(walk.way_back(sandbox))
    assert walk.route == "session_redirect"
    assert "can't look up prices" in walk.text
    unreachable(False)
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.log_in_at_provider("approve").route.startswith("summary_")


def test_a_login_that_went_well_is_not_repeated_where_its_return_was_not_answered(walk, unreachable, sandbox):
    walk.to_providers().provider("Octopus Energy")
    back = sign_in_at_provider(walk.leave())
    unreachable()
    walk.get(back)
    unreachable(False)
    assert walk.post(f"/connect/{walk.session.pk}/again/", {}).route.startswith("summary_")
    assert sandbox.counts["token"] == 1


# --- another account


def test_a_conversation_of_another_account_is_shown_as_such(walk, settings, sandbox):
    walk.by_hand()
    settings.FLATPEAK_REALM = "acc_real"
    before = posts(sandbox)
    walk.answer(cost="28.15")
    assert walk.response.status_code == 410
    assert "changed its account at FlatPeak" in walk.text
    assert posts(sandbox) == before


# --- queries


def queries(django_assert_max_num_queries, most, act):
    with django_assert_max_num_queries(1000) as context:
        act()
    kept = [
        q["sql"]
        for q in context.captured_queries
        if not q["sql"].startswith(("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT"))
    ]
    assert len(kept) <= most, "\n".join(kept)


def test_pages_and_answers_cost_few_queries(walk, client, django_assert_max_num_queries):
    walk.by_hand()
    session = walk.session
    address = f"/connect/{session.pk}/{session.newest}/"
    queries(django_assert_max_num_queries, 3, lambda: client.get(address))
    queries(django_assert_max_num_queries, 7, lambda: client.post(address, {"cost": "28.15", "newest": session.newest}))
    walk.get(f"/connect/{session.pk}/").name_and_term()
    session.refresh_from_db()
    address = f"/connect/{session.pk}/{session.newest}/"
    queries(django_assert_max_num_queries, 4, lambda: client.get(address))  # a summary reads what led to it
    queries(
        django_assert_max_num_queries, 22, lambda: client.post(address, {"action": "SAVE", "newest": session.newest})
    )
    queries(django_assert_max_num_queries, 5, lambda: client.get(f"/connect/{session.pk}/{session.newest + 1}/"))


def test_who_comes_back_signed_out_is_asked_signs_in_and_goes_on(walk, client, alice):
    walk.to_providers().provider("Octopus Energy")
    walk.log_in_at_provider("approve", meanwhile=lambda: client.post("/account/logout/"))
    assert "Do you want to connect this tariff?" in walk.text
    walk.post(walk.path, {"answer": "yes"})
    [onwards] = re.findall(r'<a href="([^"]+)">This is my account', walk.response.content.decode())
    assert walk.get(onwards).path == "/account/login/"
    assert "Octopus" not in walk.text
    address = walk.response.redirect_chain[-1][0]
    walk.post(address, {"login": alice.email, "password": "correct horse battery"})
    assert walk.post(onwards, {}).route.startswith("summary_")
