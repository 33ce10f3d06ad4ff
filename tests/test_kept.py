"""What was typed comes back after a side door, to the person who typed it, and is in no address."""

import re

import pytest
from django.conf import settings
from django.test import Client

from connect_ui.models import ConnectSession, Page
from tests.walk import Walk

PASSWORD = "correct horse battery"
TYPED = {"address_line1": "7 Half Street", "city": "Leeds", "post_code": ""}
pytestmark = pytest.mark.django_db


@pytest.fixture
def walk(walk):
    """Alice's browser, which says where a form comes from as browsers do."""
    walk.client.defaults["HTTP_ORIGIN"] = settings.SITE_URL
    return walk


def sign_out(walk):
    """End the sign-in from elsewhere: the browser keeps its cookie of it."""
    walk.client.session.flush()


def sign_in(client, user, to):
    return client.post(
        f"/account/login/?next={to}", {"login": user.email, "password": PASSWORD, "next": to}, follow=True
    )


def value(html, name):
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', html)[0]
    return (re.search('value="([^"]*)"', found) or ["", ""])[1]


def shows_what_was_typed(response):
    html = response.content.decode()
    return (value(html, "address_line1"), value(html, "city")) == ("7 Half Street", "Leeds")


# --- the server got the form and did not take it


def test_who_was_signed_out_on_the_way_signs_in_and_finds_what_was_typed(walk, alice):
    page = walk.start().path
    sign_out(walk)
    walk.answer(**TYPED, country_code="GB")
    assert walk.path == "/account/login/"
    assert "Half" not in str(walk.response.redirect_chain)
    assert not Page.objects.exclude(typed={}).exists()
    response = sign_in(walk.client, alice, page)
    assert response.request["PATH_INFO"] == page
    assert shows_what_was_typed(response)
    walk.response = response
    assert walk.answer(**TYPED | {"post_code": "LS1 1UR"}, country_code="GB").route == "provider_select"
    assert not walk.client.cookies[settings.TYPED_COOKIE_NAME].value


def test_a_sign_out_drops_what_was_kept(walk, alice):
    walk.start()
    sign_out(walk)
    walk.answer(**TYPED, country_code="GB")
    assert walk.client.cookies[settings.TYPED_COOKIE_NAME].value
    walk.client.force_login(alice)
    walk.client.post("/account/logout/")
    assert not walk.client.cookies[settings.TYPED_COOKIE_NAME].value


def test_the_begin_of_a_conversation_comes_back_too_but_to_nobody_else(walk, alice, bob):
    html = walk.get("/connect/").response.content.decode()
    begun = {"direction": "EXPORT", "country_code": "CH", "person": value(html, "person")}
    sign_out(walk)
    walk.post("/connect/", begun)
    kept = walk.client.cookies[settings.TYPED_COOKIE_NAME].value
    assert "CH" not in sign_in(walk.client, bob, "/connect/").context["form"].initial.values()
    walk.client.logout()
    walk.client.cookies[settings.TYPED_COOKIE_NAME] = kept
    initial = sign_in(walk.client, alice, "/connect/").context["form"].initial
    assert (initial["direction"], initial["country_code"]) == ("EXPORT", "CH")


def test_another_person_on_the_same_browser_never_sees_it(walk, alice, bob):
    page = walk.start().path
    sign_out(walk)
    walk.answer(**TYPED, country_code="GB")
    assert sign_in(walk.client, bob, page).status_code == 404
    other = Walk(walk.client).start()
    assert not shows_what_was_typed(other.get(other.path).response)
    assert "Half" not in walk.client.cookies.output()


def test_it_is_kept_for_an_hour(walk, monkeypatch):
    page = walk.start().path
    walk.client.post("/theme/", TYPED | {"theme": "dark", "next": page})
    assert walk.client.cookies[settings.TYPED_COOKIE_NAME]["max-age"] == 3600
    assert shows_what_was_typed(walk.client.get(page))
    monkeypatch.setattr("connect_ui.kept.HOUR", -1)
    walk.client.post("/theme/", TYPED | {"theme": "dark", "next": page})
    assert not shows_what_was_typed(walk.client.get(page))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_another_site_fills_no_form(walk, origin):
    page = walk.start().path
    sign_out(walk)
    walk.client.post(page, TYPED, headers={"Origin": origin})
    assert settings.TYPED_COOKIE_NAME not in walk.client.cookies


def test_too_many_requests_lose_nothing(walk, settings):
    page = walk.start().path
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"connect_answer": 0}
    assert walk.answer(**TYPED, country_code="GB").response.status_code == 429
    assert shows_what_was_typed(walk.client.get(page))


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_of_ours_loses_nothing(walk, monkeypatch, status):
    from django.db import OperationalError

    page = walk.start().path
    walk.client.raise_request_exception = False

    def breaks(*_):
        raise OperationalError if status == 503 else ValueError

    monkeypatch.setattr("connect_ui.views.take", breaks)
    assert walk.answer(**TYPED, country_code="GB").response.status_code == status
    assert shows_what_was_typed(walk.client.get(page))


def test_a_form_that_was_open_too_long_is_shown_again_after_the_sign_in(alice, sandbox):
    client = Client(enforce_csrf_checks=True, headers={"Origin": settings.SITE_URL})
    client.force_login(alice)
    client.get("/connect/")
    csrf = client.cookies[settings.CSRF_COOKIE_NAME].value
    walk = Walk(client)
    page = walk.post("/connect/", {"direction": "IMPORT", "country_code": "GB", "csrfmiddlewaretoken": csrf}).path
    client.logout()
    client.post(page, TYPED | {"csrfmiddlewaretoken": "x" * 32})
    client.force_login(alice)
    assert shows_what_was_typed(client.get(page))


# --- another language and other colours, without JavaScript


@pytest.mark.parametrize(("path", "name", "choice"), [("/language/", "language", "de"), ("/theme/", "theme", "dark")])
def test_a_switch_in_the_footer_brings_along_what_was_typed(walk, path, name, choice):
    page = walk.start().path
    html = walk.response.content.decode()
    assert f'<button form="answer" formaction="{path}" name="{name}" value="{choice}"' in html
    assert f'<input type="hidden" name="next" value="{page}">' in html
    walk.post(path, TYPED | {name: choice, "next": page, "country_code": "GB"})
    assert walk.path == page
    assert shows_what_was_typed(walk.response)


def test_a_page_without_a_form_of_its_own_has_plain_switches(client):
    assert 'form="answer"' not in client.get("/account/login/").content.decode()


# --- the server keeps it with the page


def test_what_was_refused_is_there_after_leaving_and_coming_back(walk):
    page = walk.start().path
    walk.answer(**TYPED, country_code="GB")
    assert walk.errors().keys() == {"post_code"}
    walk.get("/locations/")
    assert shows_what_was_typed(walk.get(page).response)


def test_an_answer_to_a_question_that_was_answered_already_is_there_on_going_back(walk):
    page = walk.start().path
    walk.address()
    walk.post(page, TYPED | {"post_code": "LS1 1UR", "country_code": "GB", "newest": "1"})
    assert "You already answered that question" in walk.text
    assert shows_what_was_typed(walk.get(page).response)


def test_rows_that_were_added_are_there_after_a_reload(walk):
    walk.by_hand(structure="TIME_OF_DAY")
    rows = {"start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "9", "start_2": "12:00", "cost_2": ""}
    walk.answer(periods="3", **rows, add="1")
    assert walk.response.context["form"].count == 4
    form = walk.get(walk.path).response.context["form"]
    assert (form.count, form["start_2"].value()) == (3, "12:00")


def test_a_name_is_there_again_after_the_address_was_changed(walk):
    walk.to_providers().act("PROVIDER_MISSING", q="Villag")
    walk.act("ADDRESS_CHANGE", provider_name="Village Power")
    walk.address().act("PROVIDER_MISSING", q="")
    assert walk.route == "provider_name_capture"
    assert walk.response.context["form"]["provider_name"].value() == "Village Power"


def test_what_is_sent_when_the_conversation_has_timed_out_comes_back_in_the_new_one(walk):
    walk.start()
    ConnectSession.objects.update(state="expired", encrypted_token="")
    walk.answer(**TYPED, country_code="GB")
    assert walk.response.status_code == 410
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert walk.route == "postal_address_capture"
    assert shows_what_was_typed(walk.response)


def test_a_character_that_no_text_has_is_refused_and_the_rest_stays(walk):
    """PostgreSQL stores U+0000 in no text."""
    walk.start().address().act("PROVIDER_MISSING", q="Mine")
    walk.post(walk.path, {"newest": walk.session.newest, "provider_name": "Village\0 Power"})
    assert walk.response.status_code == 422
    assert walk.page.typed == {"provider_name": "Village Power"}
    walk.answer(provider_name="Village Power")
    assert walk.route == "tariff_structure_select"
