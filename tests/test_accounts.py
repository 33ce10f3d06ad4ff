"""Accounts with e-mail addresses; every page needs a sign-in unless it says otherwise."""

import re
from unittest.mock import patch

import pytest
from allauth.account.forms import AddEmailForm
from allauth.account.internal.flows import manage_email
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.contrib.auth import authenticate
from django.core import mail
from django.db import DatabaseError, IntegrityError, transaction
from django.template.loader import render_to_string
from django.test import Client

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
NEW = {"email": "new@example.com", "password1": PASSWORD}


def test_who_signs_up_is_signed_in_and_has_no_user_name(client, django_user_model):
    response = client.post("/account/signup/", NEW, follow=True)
    assert response.request["PATH_INFO"] == "/connect/"  # the first question
    user = django_user_model.objects.get()
    assert (str(user), user.username) == ("new@example.com", None)


def test_a_sign_up_asks_for_an_address_and_a_password_by_name(client, alice):
    page = client.get("/account/signup/")
    assert [str(page.context["form"].fields[name].label) for name in NEW] == ["E-mail address", "Password"]
    client.force_login(alice)
    change = client.get("/account/email/")
    assert re.findall(r"<label[^>]*>([^<]+)</label>", change.content.decode()) == ["New e-mail address"]


def test_an_address_is_one_account_however_it_is_written(alice, django_user_model):
    with pytest.raises(IntegrityError), transaction.atomic():
        django_user_model.objects.create(email="ALICE@example.com")
    assert django_user_model.objects.create_user("Dave@Example.com").email == "dave@example.com"


def test_sign_in_and_out(client, alice):
    wrong = client.post("/account/login/", {"login": alice.email, "password": "wrong"})
    assert "not correct" in wrong.content.decode()
    response = client.post("/account/login/", {"login": alice.email, "password": "correct horse battery"}, follow=True)
    assert response.request["PATH_INFO"] == "/locations/"
    assert client.post("/account/logout/", follow=True).request["PATH_INFO"] == "/"
    assert client.get("/locations/").status_code == 302


def mailed_code(message):
    return re.search(r"^\d{3}-\d{3}-\d{3}$", message.body, re.M).group()


def test_codes_are_typed_on_a_numeric_keypad_and_an_app_on_this_phone_needs_no_camera(client, alice):
    client.post("/account/password/reset/", {"email": alice.email})
    assert 'inputmode="numeric"' in client.get("/account/password/reset/confirm/").content.decode()
    client.force_login(alice)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = client.get("/account/second-factor/totp/activate/").content.decode()
    secret = re.search(r"<code>(\w+)</code>", page)[1]
    assert re.search(rf'href="otpauth://totp/[^"]*secret={secret}', page)
    assert 'inputmode="numeric"' in page


def test_a_forgotten_password_is_reset_by_mail(client, alice):
    client.post("/account/password/reset/", {"email": alice.email})
    [message] = mail.outbox
    assert message.body.endswith("\n\nFlatPeak Connect\nlocalhost:8000")
    assert "http" not in message.body.replace("http://testserver", "").replace("example.com", "")
    code = mailed_code(message)
    response = client.post("/account/password/reset/confirm/", {"code": code}, follow=True)
    client.post(response.request["PATH_INFO"], {"password1": "another horse battery"})
    assert authenticate(None, email=alice.email, password="another horse battery") == alice


def test_neither_sign_in_nor_sign_up_nor_reset_tells_whether_an_address_is_known(client, alice, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True

    def told(address, **form):
        browser = Client()
        response = browser.post(f"/account/{address}/", form, follow=True)
        page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
        return response.status_code, response.request["PATH_INFO"], page.replace(email, "…")

    answers = []
    for email in (alice.email, "nobody@example.com"):
        answers.append(
            [
                told("login", login=email, password="wrong"),
                told("signup", email=email, password1=PASSWORD),
                told("password/reset", email=email),
            ]
        )
    known, unknown = answers
    assert known == unknown
    assert [path for _, path, _ in known] == [
        "/account/login/",
        "/account/confirm-email/",
        "/account/password/reset/confirm/",
    ]


@pytest.mark.parametrize("length", [254, 255, 320])
def test_an_address_that_is_too_long_for_its_column_is_an_error_at_the_field(client, alice, length, django_user_model):
    email = f"{'a' * (length - 12)}@example.com"
    answers = [client.post("/account/signup/", {"email": email, "password1": PASSWORD})]
    answers.append(signed_in(alice).post("/account/email/", {"action_add": "", "email": "x" + email[1:]}))
    for answer in answers:
        if length == 254:
            assert answer.status_code == 302
        else:
            assert list(answer.context["form"].errors) == ["email"]
            assert f"has {length}" in str(answer.context["form"].errors)
    assert django_user_model.objects.filter(email=email).exists() == (length == 254)


def test_the_admin_signs_in_where_everybody_does(client, charlie, alice):
    assert client.get("/admin/", follow=True).request["PATH_INFO"] == "/account/login/"
    client.force_login(alice)
    assert client.get("/admin/").status_code in (302, 403)
    client.force_login(charlie)
    assert client.get("/admin/").status_code == 200


def test_the_admin_changes_its_password_where_everybody_does(client, charlie):
    client.force_login(charlie)
    answer = client.post("/admin/password_change/", {"old_password": "a guess"})
    assert answer["Location"] == "/account/password/change/"


@pytest.mark.parametrize("address", ["/locations/", "/connect/", "/account/email/", "/account/password/change/"])
def test_sign_in_is_asked_for(client, address):
    assert client.get(address)["Location"].startswith("/account/login/?next=")


def test_the_front_page_is_open_and_leads_whoever_is_signed_in_on(client, alice):
    assert client.get("/").status_code == 200
    client.force_login(alice)
    assert client.get("/")["Location"] == "/locations/"


def test_every_answer_carries_the_headers_that_keep_it_safe(client, alice, sandbox):
    client.force_login(alice)
    response = client.get("/connect/")
    policy = response["Content-Security-Policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ):
        assert rule in policy
    assert "unsafe" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]
    assert "no-store" in client.get("/locations/")["Cache-Control"]


def test_the_banner_says_test_mode_and_leads_to_the_test_providers(client, settings, sandbox):
    assert f'href="{settings.FLATPEAK_CONNECT_URL}/"' in client.get("/").content.decode()
    settings.SANDBOX = False
    assert "Test mode" in client.get("/").content.decode()
    settings.FLATPEAK_LIVE_MODE = True
    assert "Test mode" not in client.get("/").content.decode()


def test_terms_and_privacy_are_linked_where_they_are_set(client, alice, settings):
    client.force_login(alice)
    assert "privacy notice" not in client.get("/connect/").content.decode()
    settings.TERMS_URL, settings.PRIVACY_URL = "/terms", "/privacy"
    page = client.get("/connect/").content.decode()
    assert 'href="/terms"' in page
    assert 'href="/privacy"' in page


def test_in_production_an_address_is_verified_by_a_code_before_anything_else(client, settings, django_user_model):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
    response = client.post("/account/signup/", NEW, follow=True)
    assert response.request["PATH_INFO"] == "/account/confirm-email/"
    assert client.get("/locations/").status_code == 302
    [message] = mail.outbox
    code = mailed_code(message)
    wrong = client.post("/account/confirm-email/", {"code": "AAAA-AAAA"})
    assert "This code is not correct" in wrong.content.decode()
    response = client.post("/account/confirm-email/", {"code": code}, follow=True)
    assert response.request["PATH_INFO"] == "/connect/"


def test_pages_that_are_not_there_and_requests_that_are_wrong_have_pages_of_ours(client, alice, settings):
    client.force_login(alice)
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "My locations" in response.content.decode()
    assert client.get("/connect/not-an-id/").status_code == 404
    assert "Sorry, something went wrong" in render_to_string("500.html")


def signed_in(user, **options):
    browser = Client(**options)
    browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
    return browser


def is_signed_in(browser):
    return browser.get("/locations/").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "http://testserver.evil.example/",
        "http://testserver/locations/",
        "https://[",
        "//[",
        "https://\u2100.example/",
        "\0/locations/",
    ],
)
def test_where_next_leads_only_a_path_of_ours_is_gone_to(client, alice, target):
    for door in ("login", "signup", "password/reset"):
        assert client.get(f"/account/{door}/", {"next": target}).status_code == 200
    for door, form in {
        "signup": NEW,
        "logout": {},
        "password/reset": {"email": "nobody@example.com"},
        "login": {"login": alice.email, "password": PASSWORD},
        "reauthenticate": {"password": PASSWORD},
    }.items():
        response = client.post(f"/account/{door}/", {**form, "next": target})
        leads = {"password/reset": "/account/password/reset/confirm/", "signup": "/connect/"}
        assert response["Location"] == leads.get(door, "/")
    assert client.get("/account/login/", {"next": target})["Location"] == "/"
    assert client.get("/account/reauthenticate/", {"next": target}).status_code == 200


def test_who_signs_in_again_on_the_way_is_back_where_they_were(client, alice):
    there = "/locations/?page=2"
    sign_in = client.get(there)["Location"]
    response = client.post(sign_in, {"login": alice.email, "password": PASSWORD})
    assert response["Location"] == there


def test_a_new_password_ends_every_session_but_the_one_at_hand(alice):
    here, elsewhere = signed_in(alice), signed_in(alice)
    new = {"oldpassword": PASSWORD, "password1": "another horse battery"}
    assert here.post("/account/password/change/", new).status_code == 302
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


def test_a_password_that_was_reset_ends_every_session(client, alice):
    elsewhere = signed_in(alice)
    client.post("/account/password/reset/", {"email": alice.email})
    there = client.post("/account/password/reset/confirm/", {"code": mailed_code(mail.outbox[0])}, follow=True)
    new = {"password1": "another horse battery"}
    client.post(there.request["PATH_INFO"], new)
    assert authenticate(None, email=alice.email, password="another horse battery") == alice
    assert not is_signed_in(elsewhere)


def test_a_new_address_is_taken_alike_whether_somebody_has_it_or_not(alice, bob, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
    for user in (alice, bob):
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)

    def told(email):
        response = signed_in(alice).post("/account/email/", {"email": email, "action_add": ""}, follow=True)
        page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
        return response.status_code, response.request["PATH_INFO"], page.replace(email, "…")

    assert told(bob.email) == told("nobody@example.com")


def test_one_session_or_all_others_are_ended_from_the_list(alice, bob):
    names = ("Firefox/145.0 Windows", "Safari/604.1 iPhone", "a library")
    here, phone, library = (signed_in(alice, headers={"user-agent": name}) for name in names)
    page = here.get("/account/sessions/").content.decode()
    heard = re.findall(r"<h2>([^<]+)</h2>\s*<p>(This browser\. )?Since ", page)
    assert sorted(heard) == [
        ("An unknown browser", ""),
        ("Firefox on Windows", "This browser. "),
        ("Safari on iPhone", ""),
    ]
    assert "145.0" not in page
    named = {"session": UserSession.objects.get(user_agent__contains="iPhone").pk}
    here.post("/account/sessions/", named)
    assert [is_signed_in(browser) for browser in (here, phone, library)] == [True, False, True]
    here.post("/account/sessions/")
    assert [is_signed_in(browser) for browser in (here, library)] == [True, False]
    assert "nowhere else" in here.get("/account/sessions/").content.decode()


def test_nobody_ends_the_session_of_somebody_else(alice, bob):
    hers, his = signed_in(alice), signed_in(bob)
    response = his.post("/account/sessions/", {"session": UserSession.objects.get(user=alice).pk})
    assert "There is a problem" in response.content.decode()
    assert is_signed_in(hers)


def code_of(secret):
    return format_hotp_value(hotp_value(secret, list(yield_hotp_counters_from_time())[1]))


@pytest.fixture
def protected(charlie, settings):
    """Charlie's browser, who is staff and has just set up a second factor, its secret, and the recovery codes."""
    settings.STAFF_MFA = True
    browser = signed_in(charlie)
    page = browser.get("/admin/", follow=True)
    assert page.request["PATH_INFO"] == "/account/second-factor/totp/activate/"
    assert "Set up a second factor here first" in page.content.decode()
    secret = page.context["form"].secret
    assert page.content.decode().count("<svg") == 2  # the site's mark and the code
    assert not re.search("data:|style=", page.content.decode())  # which the Content-Security-Policy forbids
    assert re.findall("<style>(.*?)</style>", page.content.decode()) == [settings.ACCOUNT_STYLE]  # which it allows
    codes = browser.post("/account/second-factor/totp/activate/", {"code": code_of(secret)}, follow=True)
    assert codes.request["PATH_INFO"] == "/account/second-factor/recovery-codes/"
    return browser, secret, codes.context["unused_codes"]


def test_staff_set_up_a_second_factor_before_the_admin_opens(protected):
    browser, _, codes = protected
    assert browser.get("/admin/").status_code == 200
    assert len(codes) == 10
    assert all(code in browser.get("/account/second-factor/recovery-codes/").content.decode() for code in codes)


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_a_second_factor_is_asked_for_at_every_sign_in_and_each_code_works_once(protected, charlie, kind):
    _, secret, codes = protected
    code = code_of(secret) if kind == "app" else codes[0]
    for works in (True, False):
        browser = signed_in(charlie)
        assert not is_signed_in(browser)
        browser.post("/account/second-factor/authenticate/", {"code": "000000"})
        assert not is_signed_in(browser)
        browser.post("/account/second-factor/authenticate/", {"code": code})
        assert is_signed_in(browser) == works


def test_without_the_setting_staff_need_no_second_factor(charlie, settings):
    assert not settings.STAFF_MFA
    assert signed_in(charlie).get("/admin/").status_code == 200


def test_the_admin_takes_a_second_factor_away_and_shows_no_secret_of_it(protected, charlie):
    browser, secret, _ = protected
    factor = Authenticator.objects.get(user=charlie, type=Authenticator.Type.TOTP)
    page = browser.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert secret not in page
    shown = re.findall(r'class="form-row field-(\w+)"', page)
    assert "type" in shown
    assert "data" not in shown
    browser.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.filter(pk=factor.pk).exists()


# --- two concurrent presses


@pytest.fixture
def not_known_yet(monkeypatch):
    """Hide an address from the first query, as if a concurrent request had not stored it yet."""
    known = manage_email.email_already_exists
    looks = iter([lambda email, **_: (email, False)])
    monkeypatch.setattr(manage_email, "email_already_exists", lambda *args, **more: next(looks, known)(*args, **more))


@pytest.mark.django_db(transaction=True)
def test_a_sign_up_pressed_twice_at_once_is_one_account(client, alice, not_known_yet, django_user_model):
    response = client.post("/account/signup/", {"email": alice.email, "password1": PASSWORD})
    assert response["Location"] == "/account/login/"
    assert django_user_model.objects.count() == 1


@pytest.mark.parametrize("button", ["action_send", "action_remove"])
def test_a_new_address_that_waits_can_have_its_mail_again_and_can_be_taken_back(client, alice, mailoutbox, button):
    client.force_login(alice)
    client.post("/account/email/", {"email": "new@example.com", "action_add": "1"})
    page = client.get("/account/email/").content.decode()
    assert "new@example.com waits to be confirmed" in page
    [form] = [form for form in page.split("<form")[1:] if f'name="{button}"' in form]
    [email] = re.findall(r'name="email" value="([^"]+)"', form)
    mailoutbox.clear()
    page = client.post("/account/email/", {"email": email, button: "1"}, follow=True).content.decode()
    assert ("new@example.com waits to be confirmed" in page) is (button == "action_send")
    assert (["new@example.com"] in [mail.to for mail in mailoutbox]) is (button == "action_send")


def test_a_new_address_asked_for_twice_at_once_is_one_and_the_old_one_signs_in_until_it_is_confirmed(client, alice):
    client.force_login(alice)
    change = {"email": "new@example.com", "action_add": "1"}
    assert client.post("/account/email/", change)["Location"] == "/account/email/"
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    waiting = EmailAddress.objects.filter(user=alice, verified=False)
    assert [address.email for address in waiting] == ["new@example.com"]
    waiting.update(verified=True)  # so that the second does not replace it, as if both had read before either wrote
    with patch.object(AddEmailForm, "clean_email", lambda form: form.cleaned_data["email"]):
        assert client.post("/account/email/", change)["Location"] == "/account/email/"
    assert EmailAddress.objects.filter(user=alice).count() == 2


def test_a_second_new_address_takes_the_place_of_the_first(client, alice):
    client.force_login(alice)
    for email in ("new@example.com", "newer@example.com"):
        client.post("/account/email/", {"email": email, "action_add": "1"})
    assert set(EmailAddress.objects.filter(user=alice).values_list("email", "verified")) == {
        ("alice@example.com", True),
        ("newer@example.com", False),
    }


def test_a_second_factor_that_is_switched_off_twice_is_off(client, alice):
    client.force_login(alice)
    assert client.post("/account/second-factor/totp/deactivate/")["Location"] == "/account/second-factor/"
    assert client.get("/account/second-factor/totp/deactivate/").status_code == 404


def test_recovery_codes_that_are_replaced_while_they_are_read_are_read_again(client, alice, monkeypatch):
    def replaced(request):
        raise DatabaseError("Save with update_fields did not affect any rows.")

    client.force_login(alice)
    monkeypatch.setattr("allauth.mfa.recovery_codes.internal.flows.view_recovery_codes", replaced)
    page = "/account/second-factor/recovery-codes/"
    assert client.get(page)["Location"] == page


def test_the_summary_says_which_field_is_empty(client):
    page = client.post("/account/login/", {}).content.decode()
    summary = page[page.index("There is a problem") :].partition("</div>")[0]
    assert re.findall(r">([^<>\n]+)</a>", summary) == ["Enter your e-mail address.", "Enter your password."]


def test_the_browser_is_told_what_account_fields_are_for(client, alice):
    def tokens(path):
        return re.findall(r'<input[^>]*autocomplete="([\w-]+)"', client.get(path).content.decode())

    assert tokens("/account/login/") == ["email", "current-password"]
    assert tokens("/account/signup/") == ["email", "new-password"]
    assert tokens("/account/password/reset/") == ["email"]
    client.force_login(alice)
    assert tokens("/account/email/") == ["email"]
    assert tokens("/account/password/change/") == ["current-password", "new-password"]
    assert tokens("/account/delete/") == []
    assert tokens(client.get("/account/delete/")["Location"]) == ["current-password"]
