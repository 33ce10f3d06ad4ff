"""The language of pages and mails: the chosen one on every device, else the browser's."""

import re

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import trans_real

from tariffs.models import Customer, Location, Tariff, Wait
from tariffs.notices import send_due
from tests.pseudo import latin
from tests.walk import Walk

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


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


def test_no_page_is_in_the_language_of_whoever_came_before(client):
    client.get("/", headers={"accept-language": "de"})
    assert translation.get_language() == "en-gb"
    refused = client.get("/", headers={"accept-language": "fr", "host": "evil.example"})
    assert (refused.status_code, language_of(refused)) == (400, "fr")


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


def test_the_choice_of_one_person_is_not_that_of_others(client, alice, bob):
    client.force_login(alice)
    choose(client, "de")
    bob.refresh_from_db()
    assert bob.language == ""


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
    assert "Ihr Code für ein neues Passwort" in known.body
    assert "Il n’y a pas de compte" in unknown.body


def test_who_chose_none_is_written_to_in_the_language_they_last_signed_in_with(alice):
    browser = Client(headers={"accept-language": "fr-FR"})
    browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    Client().post("/account/password/reset/", {"email": alice.email})
    assert "Votre code" in mail.outbox[-1].body
    alice.refresh_from_db()
    assert (alice.language, alice.seen_language) == ("", "fr")


def test_the_message_after_signing_in_is_in_the_accounts_language(client, alice):
    alice.language = "fr"
    alice.save()
    page = client.post("/account/login/", {"login": alice.email, "password": PASSWORD}, follow=True)
    assert "Vous êtes connecté avec alice@example.com." in page.content.decode()


def test_the_mail_that_prices_are_there_is_in_the_language_of_who_waits(alice):
    alice.language = "de"
    alice.save()
    location = Location.objects.create(customer=Customer.objects.create(user=alice), location_id="loc_1")
    tariff = Tariff.objects.create(location=location, direction="IMPORT", provider="Badenova", rates="ok")
    Wait.objects.create(tariff=tariff, since=timezone.now())
    assert send_due(Wait.objects.get())
    [message] = mail.outbox
    assert message.subject == "Ihre Strompreise sind da"
    assert "wir haben Ihren Tarif bei Badenova gelesen." in message.body
    assert translation.get_language() == "en-gb"


def test_no_english_text_is_looked_for_in_empty_catalogs(client):
    fallback = trans_real.DjangoTranslation(settings.LANGUAGE_CODE)._fallback
    while fallback:
        assert set(fallback._catalog) == {""}, "it has texts, so it is needed"
        fallback = fallback._fallback
    assert trans_real.translation(settings.LANGUAGE_CODE)._fallback is None


def test_the_administration_is_in_english(client, charlie):
    charlie.language = "fr"
    charlie.save()
    client.force_login(charlie)
    assert '<html lang="en-gb"' in client.get("/admin/").content.decode()


@pytest.mark.parametrize("language", ["de", "fr"])
def test_no_text_of_the_account_pages_is_the_same_as_in_english(client, alice, language):
    def texts(browser, path, asked, **form):
        method = browser.post if form else browser.get
        html = method(path, form or {}, headers={"accept-language": asked}, follow=True).content.decode()
        return {text for text in re.findall(r">\s*([^<>{}]*[a-z]{4}[^<>{}]*?)\s*<", html) if " " in text}

    shared = {"FlatPeak Connect"}
    for browser, paths in (
        (Client(), ["login", "signup", "password/reset", "confirm-email/no-such-key", "password/reset/done"]),
        (client, ["email", "password/change", "sessions", "second-factor", "second-factor/totp/activate", "logout"]),
    ):
        if browser is client:
            client.force_login(alice)
            client.post("/account/reauthenticate/", {"password": PASSWORD})
        for path in paths:
            for form in ({}, {"login": "x", "email": "x", "password": "x", "password1": "x", "code": "x"}):
                english, other = (texts(browser, f"/account/{path}/", asked, **form) for asked in ("en-GB", language))
                assert english & other <= shared, path
        shared |= {"alice@example.com"}


# --- Every text of every page

# Names, units, input, and languages' own names.
NAMES = "FlatPeak Connect kWh CSV JSON GBP Ecotricity Simple Example Street London Octopus Energy com alice example UTC Test"


def test_every_text_of_the_pages_and_of_their_errors_goes_through_gettext(arabic, client, alice, sandbox):
    client.force_login(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "ar"
    walk, pages = Walk(client), {}

    def see(response, name=""):
        html = response.content.decode()
        assert '<html lang="ar" dir="rtl">' in html
        name = name or response.request["PATH_INFO"]
        if found := latin(re.sub(r"[0-9a-f-]{32,36}", "", html)) - set(NAMES.split()):  # ids are no text
            pages[name] = found

    visitor = Client(headers={"accept-language": "ar"})
    for door in ("", "account/login/", "account/signup/", "account/password/reset/"):
        see(visitor.get(f"/{door}"))
        if door:
            see(visitor.post(f"/{door}", {}), f"{door} empty")
    wrong = {"login": "nobody@example.com", "password": "x"}
    see(visitor.post("/account/login/", wrong), "wrong password")
    for place in ("", "password/change/", "sessions/", "second-factor/", "delete/", "logout/", "reauthenticate/"):
        see(client.get(f"/account/{place or 'email/'}", follow=True))
    see(client.get("/nowhere/"))
    see(client.get("/locations/"))
    see(client.get("/connect/"))
    see(client.post("/connect/", {}), "start empty")

    def seen():
        see(walk.response, walk.route)
        return walk

    walk.start()
    seen().answer()
    seen().address()
    seen().act("PROVIDER_MISSING")
    seen().answer()
    seen().answer(provider_name="Simple")
    seen().answer(options="TIME_OF_DAY")
    seen().answer(periods="2", start_0="07:00", cost_0="x")
    seen().answer(periods="2", start_0="07:00", cost_0="30", start_1="23:00", cost_1="9.5")
    seen().answer(tariff_name="")
    seen().answer(tariff_name="Simple")
    seen().answer()
    seen().answer(term="date")
    seen().answer(term="unknown")
    seen().act("SAVE")
    location = f"/locations/{walk.session.location_id}/"
    for place in (
        "",
        "day/",
        "week/",
        "delete/",
        "?direction=IMPORT&hours=2&kwh=3",
        "?direction=IMPORT&kwh=x&before=x",
    ):
        see(client.get(location + place), place or "rates")
    see(client.get("/locations/"), "my locations")
    walk.by_hand(structure="FIXED").answer(cost="0.28")
    seen().answer(cost="28.15")
    seen()
    walk.by_hand(structure="MARKET")
    seen().answer(percentage="9999", fixed="x")
    seen().answer(percentage="5", fixed="")
    seen()
    assert pages == {}
