"""A conversation that took too long goes on in a new one, at the same question; and what is kept of it for how long."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from tariffs import flatpeak
from tariffs.models import Location

pytestmark = pytest.mark.django_db
State = ConnectSession.State


@pytest.fixture
def expire(walk, sandbox):
    """The token of the conversation in view is worth nothing from now on."""

    def expire():
        with sandbox.lock:
            sandbox.state["tokens"][walk.session.connect_token]["expires"] = "2020-01-01T00:00:00Z"

    return expire


# What is answered on the way to a stored tariff, page by page.
BY_HAND = [
    ("postal_address_capture", lambda walk: walk.address()),
    ("provider_select", lambda walk: walk.provider("Ecotricity")),
    ("tariff_structure_select", lambda walk: walk.answer(options="FIXED")),
    ("rate_fixed_capture", lambda walk: walk.answer(cost="28.15")),
    ("tariff_name_capture", lambda walk: walk.answer(tariff_name="Simple")),
    ("contract_term_capture", lambda walk: walk.answer(term="unknown")),
    ("summary_fixed_confirm", lambda walk: walk.act("SAVE")),
]


@pytest.mark.parametrize("at", range(len(BY_HAND)), ids=[route for route, _ in BY_HAND])
def test_at_every_page_it_goes_on_at_the_same_question(walk, expire, sandbox, at):
    walk.start()
    for route, answer in BY_HAND[:at]:
        assert walk.route == route
        answer(walk)
    route, answer = BY_HAND[at]
    expire()
    answer(walk)
    assert walk.response.status_code == 410
    assert "This page timed out" in walk.text
    old = walk.session
    assert (old.state, old.encrypted_token) == (State.EXPIRED, "")
    assert walk.post(f"/connect/{old.pk}/again/", {}).route == route
    assert walk.session.pk != old.pk
    for _, answer in BY_HAND[at:]:
        answer(walk)
    assert walk.route == "session_complete"
    assert Location.objects.count() == 1
    assert sandbox.counts["token"] == 2


@pytest.mark.parametrize(
    ("route", "typed", "shown"),
    [("rate_fixed_capture", {"cost": "28.17"}, "28.17"), ("tariff_name_capture", {"tariff_name": "Mine"}, "Mine")],
)
def test_what_was_typed_last_stands_in_the_form(walk, expire, route, typed, shown):
    walk.by_hand()
    if route == "tariff_name_capture":
        walk.answer(cost="28.15")
    assert walk.route == route
    expire()
    walk.answer(**typed)
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.route == route
    assert f'value="{shown}"' in walk.response.content.decode()


def test_a_name_that_was_not_listed_is_known_again(walk, expire):
    walk.to_providers().act("PROVIDER_MISSING", q="Example Energy")
    assert walk.route == "provider_name_capture"
    expire()
    walk.answer(provider_name="")
    walk.get(f"/connect/{walk.session.pk}/")
    walk.answer(provider_name="Example Energy")
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.route == "provider_name_capture"
    assert 'value="Example Energy"' in walk.response.content.decode()


def test_a_name_that_was_not_listed_stands_in_the_form_without_being_typed(walk, expire):
    walk.to_providers().act("PROVIDER_MISSING", q="Example Energy")
    expire()
    walk.post(f"/connect/{walk.session.pk}/", {})
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.route == "provider_name_capture"
    assert 'value="Example Energy"' in walk.response.content.decode()
    assert walk.session.not_listed == {"provider": "Example Energy"}


def test_what_was_begun_for_a_stored_location_goes_on_for_it(walk, expire, sandbox):
    walk.fixed()
    location = Location.objects.get()
    walk.post("/connect/", {"location": location.pk, "direction": "EXPORT"})
    assert walk.route == "provider_select"
    ConnectSession.objects.filter(pk=walk.session.pk).update(type="NON_COMMODITY")
    expire()
    walk.provider("Ecotricity")
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.route == "provider_select"
    new = walk.session
    assert (new.location, new.direction, new.type, new.country_code) == (location, "EXPORT", "NON_COMMODITY", "GB")
    token = sandbox.state["tokens"][new.connect_token]
    assert (token["location_id"], token["direction"], token["type"]) == (
        location.location_id,
        "EXPORT",
        "NON_COMMODITY",
    )


def test_where_connect_asks_something_else_now_it_goes_on_from_there(walk, expire, sandbox):
    walk.by_hand()
    expire()
    walk.answer(cost="28.15")
    old = walk.session
    Page.objects.filter(session=old, route="provider").update(answer={"data": {"provider": {"id": "gone"}}})
    assert walk.post(f"/connect/{old.pk}/again/", {}).route == "provider_select"
    assert walk.session.is_open


def test_where_the_provider_asks_for_a_sign_in_now_it_goes_on_there(walk, expire):
    walk.to_providers()
    login = next(each["id"] for each in walk.page.data["providers"] if each["display_name"] == "Octopus Energy")
    walk.provider("Ecotricity").answer(options="FIXED")
    expire()
    walk.answer(cost="28.15")
    Page.objects.filter(route="provider").update(answer={"data": {"provider": {"id": login}}})
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert (walk.response.status_code, walk.route) == (200, "session_redirect")


def test_a_login_at_the_provider_is_not_repeated(walk, expire, sandbox):
    walk.to_providers().provider("Octopus Energy")
    assert walk.route == "session_redirect"
    expire()
    walk.post(f"/connect/{walk.session.pk}/", {})
    walk.get(f"/connect/{walk.session.pk}/")
    assert walk.response.status_code == 410
    before = sandbox.counts["provider_outcome"]
    assert walk.post(f"/connect/{walk.session.pk}/again/", {}).route == "session_redirect"
    assert sandbox.counts["provider_outcome"] == before


def test_only_what_is_over_begins_again_and_only_for_its_owner(walk, client, bob, sandbox):
    walk.by_hand()
    session = walk.session
    walk.post(f"/connect/{session.pk}/again/", {})
    assert (walk.session.pk, sandbox.counts["token"]) == (session.pk, 1)
    assert client.get(f"/connect/{session.pk}/again/")["Location"] == f"/connect/{session.pk}/"
    client.force_login(bob)
    assert client.post(f"/connect/{session.pk}/again/").status_code == 404


def test_without_flatpeak_it_stays_where_it_is_and_says_so(walk, expire, monkeypatch):
    walk.by_hand()
    expire()
    walk.answer(cost="28.15")

    def down(body):
        raise flatpeak.Unavailable("POST /connect/tariff/token: no answer")

    monkeypatch.setattr(flatpeak, "create_connect_token", down)
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert "can't look up prices" in walk.text
    assert "Continue" in walk.text


@pytest.mark.parametrize("call", ["connect.session_restore", "connect.provider_select"])
def test_where_flatpeak_is_gone_again_half_way_the_next_press_leads_to_the_question(walk, expire, sandbox, call):
    walk.by_hand()
    expire()
    walk.answer(cost="28.15")
    old = walk.session.pk
    for fault in ("status_500", ""):
        with sandbox.lock:
            sandbox.set_faults([{"call": call, "fault": fault}] if fault else [])
        walk.post(f"/connect/{old}/again/", {})
        if fault:
            assert "can't look up prices" in walk.text
            assert "Continue" in walk.text
            assert ConnectSession.objects.get().pk == old
            assert not ConnectSession.objects.get().counted  # by the funnel, which has yet to count it
    assert walk.route == "rate_fixed_capture"
    assert 'value="28.15"' in walk.response.content.decode()


# --- purge_sessions


def purge():
    out = StringIO()
    call_command("purge_sessions", stdout=out)
    return out.getvalue().strip()


def age(**by):
    ConnectSession.objects.update(updated_at=timezone.now() - timedelta(**by))


def test_what_was_typed_is_deleted_after_so_many_days_and_the_rest_stays(walk, settings):
    settings.KEEP_TYPED_DAYS = 3
    walk.fixed()
    location = walk.session.location_id
    age(days=2)
    assert purge() == "0 closed, 0 pages deleted"
    age(days=3)
    pages = walk.session.pages.count()
    assert purge() == f"0 closed, {pages} pages deleted"
    assert walk.session.state == State.CONNECTED
    assert walk.session.location_id == location
    assert purge() == "0 closed, 0 pages deleted"
    walk.get(f"/connect/{walk.session.pk}/")
    assert walk.path == "/locations/"


def typed(session):
    """What is stored of what was typed: answers and form fields by route, and names that were searched for."""
    pages = [page for page in session.pages.all() if page.typed or "data" in (page.answer or {})]
    return {page.route: (page.answer, page.typed) for page in pages}, session.not_listed


@pytest.mark.parametrize("end", ["saved", "discarded"])
def test_what_was_typed_goes_with_the_end(walk, end):
    walk.to_providers().act("PROVIDER_MISSING", q="Mine").answer(provider_name="Mine").answer(options="FIXED")
    walk.answer(cost="28.15").name_and_term()
    assert typed(walk.session)[0].keys() > {"address", "provider_name", "fixed_price"}
    assert typed(walk.session)[1] == {"provider": "Mine"}
    if end == "discarded":
        walk.post(f"/connect/{walk.session.pk}/discard/", {})
    else:
        walk.act("SAVE")
    assert walk.session.is_over
    assert typed(walk.session) == ({}, {})


def test_what_was_typed_in_one_that_timed_out_stays_until_it_is_purged(walk, settings):
    settings.KEEP_TYPED_DAYS = 3
    walk.to_providers().act("PROVIDER_MISSING", q="Mine").answer(provider_name="Mine").answer(options="FIXED")
    ConnectSession.objects.update(expires_at=timezone.now())
    purge()
    age(days=2)
    purge()
    assert typed(walk.session)[0].keys() == {"address", "provider_name", "structure"}
    assert typed(walk.session)[1] == {"provider": "Mine"}
    age(days=3)
    purge()
    assert typed(walk.session) == ({}, {})


def test_an_unfinished_one_is_closed_when_its_token_expires_and_its_answers_go_later(walk, later, alice):
    walk.by_hand()
    ConnectSession.objects.update(not_listed={"provider": "Example Energy"})
    assert purge() == "0 closed, 0 pages deleted"
    later(hours=25)
    assert purge() == "1 closed, 0 pages deleted"
    assert (walk.session.state, walk.session.encrypted_token) == (State.EXPIRED, "")
    walk.get(f"/connect/{walk.session.pk}/")
    assert "Continue" in walk.text
    later(days=40)
    assert purge().startswith("0 closed, 4 pages")
    assert walk.session.not_listed == {}
    walk.client.force_login(alice)  # a sign-in does not last as long
    walk.get(f"/connect/{walk.session.pk}/")
    assert walk.response.status_code == 410


def test_what_flatpeak_owes_is_left_alone(walk, later, monkeypatch):
    def down(*told):
        raise flatpeak.Unavailable("GET /connect/tariff/token: no answer")

    monkeypatch.setattr(flatpeak, "exchange", down)
    walk.fixed()
    later(days=400)
    assert purge() == "0 closed, 0 pages deleted"
    assert walk.session.connect_token == walk.token
