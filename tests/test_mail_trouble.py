"""A mail server that is down or refuses an address: what the page says, and that nothing half-done remains."""

import re
import smtplib

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from tests.test_accounts import NEW, PASSWORD, mailed_code, signed_in

pytestmark = pytest.mark.django_db

REFUSED = "This address did not accept our message."


@pytest.fixture(autouse=True)
def verified(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True


@pytest.fixture
def confirmed(alice):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


@pytest.fixture
def mail_server(monkeypatch):
    """Raise the list's first error at each attempt to send, until it is removed."""
    trouble = []
    send = EmailBackend.send_messages

    def send_or_fail(backend, messages):
        for error in trouble:
            raise error(messages[0].to[0])
        return send(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send_or_fail)
    return trouble


def gone(email):
    return ConnectionRefusedError(f"no route for {email}")


def refused(email):
    return smtplib.SMTPRecipientsRefused({email: (550, f"no such user {email}".encode())})


def busy(email):
    return smtplib.SMTPRecipientsRefused({email: (451, b"try again later")})


def confirmation(message):
    return {"code": mailed_code(message)}


def sent_again(browser, response):
    """Press the page's button and return the answer."""
    [form] = re.findall(r'<form method="post">(.*?)</form>', response.content.decode(), re.S)
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    assert "Send again" in form
    return browser.post(response.request["PATH_INFO"], dict(fields))


SENDS_MAIL = {
    "sign-up": ("/account/signup/", NEW),
    "sign-up with a known address": ("/account/signup/", {"email": "alice@example.com", "password1": PASSWORD}),
    "reset": ("/account/password/reset/", {"email": "alice@example.com"}),
    "reset of an unknown address": ("/account/password/reset/", {"email": "nobody@example.com"}),
    "sign-in before the address is confirmed": ("/account/login/", {"login": "bob@example.com", "password": PASSWORD}),
    "change of address": ("/account/email/", {"email": "new@example.com", "action_add": "1"}),
}


@pytest.fixture(params=SENDS_MAIL)
def post(request, confirmed, bob, client):
    address, form = SENDS_MAIL[request.param]
    if address == "/account/email/":
        client.post("/account/login/", {"login": confirmed.email, "password": PASSWORD})
    return lambda: client.post(address, form)


def rows(django_user_model):
    return set(django_user_model.objects.values_list("email")), set(
        EmailAddress.objects.values_list("email", "verified")
    )


@pytest.mark.parametrize("error", [gone, busy, lambda email: smtplib.SMTPServerDisconnected(email)])
def test_a_mail_server_that_is_down_is_a_503_whose_button_sends_again(
    client, post, mail_server, error, django_user_model, caplog
):
    before = rows(django_user_model)
    mail_server.append(error)
    response = post()
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert "no-store" in response["Cache-Control"]
    users, addresses = rows(django_user_model)
    assert (users, addresses - {("bob@example.com", False)}) == before
    assert "@" not in caplog.text
    mail_server.clear()
    assert sent_again(client, response).status_code == 302
    assert len(mail.outbox) == 1


def test_an_address_that_the_mail_server_refuses_is_an_error_at_the_field(
    client, post, mail_server, django_user_model, caplog
):
    before = rows(django_user_model)
    mail_server.append(refused)
    response = post()
    assert response.status_code == 200
    assert REFUSED in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    users, addresses = rows(django_user_model)
    assert (users, addresses - {("bob@example.com", False)}) == before
    assert "@" not in caplog.text
    assert "account_login" not in client.session  # allauth's started sign-in
    assert client.get("/account/signup/").status_code in (200, 302)
    mail_server.clear()
    assert post().status_code == 302
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("error", [smtplib.SMTPNotSupportedError, lambda email: "ü".encode("ascii")])
def test_an_address_that_the_mail_server_can_not_write_is_an_error_at_the_field(client, mail_server, error):
    mail_server.append(error)
    response = client.post("/account/signup/", NEW)
    assert response.status_code == 200
    assert REFUSED in str(response.context["form"].errors["email"])


def test_a_confirmation_that_was_not_sent_counts_for_no_limit(client, bob, mail_server, settings):
    settings.ACCOUNT_RATE_LIMITS = {}  # allauth's own
    mail_server.append(gone)
    form = {"login": bob.email, "password": PASSWORD}
    assert client.post("/account/login/", form).status_code == 503
    mail_server.clear()
    assert client.post("/account/login/", form).status_code == 302
    assert len(mail.outbox) == 1


def test_an_address_that_was_refused_can_sign_up_later(client, mail_server, django_user_model):
    mail_server.append(refused)
    client.post("/account/signup/", NEW)
    mail_server.clear()
    client.post("/account/signup/", NEW)
    assert client.post("/account/confirm-email/", confirmation(mail.outbox[0]))["Location"] == "/connect/"
    assert django_user_model.objects.get().email == "new@example.com"


def test_a_password_changes_though_its_mail_can_not_be_sent(confirmed, mail_server, caplog):
    browser = signed_in(confirmed)
    mail_server.append(gone)
    new = {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"}
    assert browser.post("/account/password/change/", new).status_code == 302
    assert authenticate(None, email=confirmed.email, password="another horse battery") == confirmed
    assert "@" not in caplog.text
