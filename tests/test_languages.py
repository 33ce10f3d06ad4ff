"""The language of pages and mails: as chosen, on every device; else as the browser asks."""

import re

import pytest
from django.core import mail
from django.test import Client

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def three(settings):
    settings.LANGUAGES = [("en-gb", "English"), ("de", "Deutsch"), ("fr", "Français")]


def language_of(response):
    return re.search(r'<html lang="([\w-]+)"', response.content.decode()).group(1)


def choose(browser, language, **form):
    return browser.post("/language/", {"language": language, "next": "/account/login/"} | form)


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en-gb"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr-CA", "fr"),
        ("en-US,de;q=0.9", "en-gb"),
        ("nl,fr;q=0.4,de;q=0.8", "de"),
        ("nl", "en-gb"),
        ("de" * 5000, "en-gb"),
    ],
)
def test_without_a_choice_it_is_what_the_browser_asks_for(client, asked, language):
    response = client.get("/", headers={"accept-language": asked})
    assert language_of(response) == response["Content-Language"] == language
    assert "Accept-Language" in response["Vary"]


def test_a_choice_leads_back_to_the_page_and_is_kept_without_an_account(client):
    page = client.get("/account/login/?next=/locations/")
    assert 'name="next" value="/account/login/?next=/locations/"' in page.content.decode()
    response = choose(client, "fr", next="/account/login/?next=/locations/")
    assert response["Location"] == "/account/login/?next=/locations/"
    cookie = response.cookies["django_language"]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"]) == (365 * 24 * 3600, True, "Lax")
    assert language_of(client.get("/", headers={"accept-language": "de"})) == "fr"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example", ""]
)
def test_a_choice_leads_to_this_site_alone(client, target):
    assert choose(client, "de", next=target)["Location"] == "/"


@pytest.mark.parametrize("language", ["nl", "xx", "../de", "", "\0"])
def test_a_language_that_is_not_offered_changes_nothing(client, alice, language):
    client.force_login(alice)
    assert choose(client, language).status_code == 302
    alice.refresh_from_db()
    assert alice.language == ""
    assert language_of(client.get("/locations/")) == "en-gb"


def test_the_switch_names_each_language_in_itself_and_marks_the_one_in_use(client):
    html = client.get("/", headers={"accept-language": "de"}).content.decode()
    switch = re.search(r'<form class="switch"[^>]*/language/.*?</form>', html, re.DOTALL).group()
    buttons = re.findall(
        r'<button name="language" value="([\w-]+)" lang="([\w-]+)"( aria-current="true")?>(\w+)<', switch
    )
    assert buttons == [
        ("en-gb", "en-gb", "", "English"),
        ("de", "de", ' aria-current="true"', "Deutsch"),
        ("fr", "fr", "", "Français"),
    ]


def test_the_choice_of_somebody_signed_in_holds_on_every_device(client, alice):
    client.force_login(alice)
    assert choose(client, "de", next="/locations/")["Location"] == "/locations/"
    phone = Client(headers={"accept-language": "fr"})
    assert language_of(phone.get("/")) == "fr"
    phone.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert language_of(phone.get("/locations/")) == "de"
    phone.post("/account/logout/")
    assert language_of(phone.get("/")) == "fr"


def test_a_choice_made_before_signing_in_is_the_accounts_unless_that_has_one(alice):
    for chosen, expected in (("fr", "fr"), ("de", "fr")):
        browser = Client()
        choose(browser, chosen)
        browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
        assert language_of(browser.get("/locations/")) == expected
    alice.refresh_from_db()
    assert alice.language == "fr"


def test_what_a_browser_asks_for_is_no_choice(client, alice):
    client.force_login(alice)
    assert language_of(client.get("/locations/", headers={"accept-language": "de"})) == "de"
    assert language_of(client.get("/locations/", headers={"accept-language": "fr"})) == "fr"


def test_the_way_back_has_no_connect_token_and_nothing_that_was_posted(client, alice):
    client.force_login(alice)
    page = client.get("/connect/nowhere/?fp_cot=abc").content.decode()
    assert 'name="next" value="/connect/nowhere/"' in page
    page = client.post("/connect/?a=b", {}).content.decode()
    assert 'name="next" value="/connect/"' in page


def test_a_mail_is_in_the_language_of_who_gets_it(client, alice):
    alice.language = "de"
    alice.save()
    client.post("/account/password/reset/", {"email": alice.email}, headers={"accept-language": "fr"})
    client.post("/account/password/reset/", {"email": "nobody@example.com"}, headers={"accept-language": "fr"})
    known, unknown = mail.outbox
    assert "Bitte geben Sie ihn" in known.body
    assert "Vous recevez" in unknown.body


def test_who_chose_none_is_written_to_in_the_language_they_last_signed_in_with(alice):
    browser = Client(headers={"accept-language": "fr-FR"})
    browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    Client().post("/account/password/reset/", {"email": alice.email})
    assert "Veuillez" in mail.outbox[-1].body
    alice.refresh_from_db()
    assert (alice.language, alice.seen_language) == ("", "fr")


def test_the_message_after_signing_in_is_in_the_accounts_language(client, alice):
    alice.language = "fr"
    alice.save()
    page = client.post("/account/login/", {"login": alice.email, "password": PASSWORD}, follow=True)
    assert "Connexion avec alice@example.com réussie." in page.content.decode()
