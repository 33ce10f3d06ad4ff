"""How long a sign-in lasts, what asks for the password again, and who is locked out by failed tries."""

import re
import time
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from flatpeak_app.accounts import known as adapter_known
from tests.test_accounts import NEW, PASSWORD, is_signed_in, mailed_code, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def verified(settings, alice):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


@pytest.fixture
def limits(settings):
    settings.ACCOUNT_RATE_LIMITS = {}


@pytest.fixture
def put_on(monkeypatch):
    """Advance the clock."""
    ahead = timedelta()
    real = timezone.now

    def advance(**by):
        nonlocal ahead
        ahead += timedelta(**by)
        monkeypatch.setattr("django.utils.timezone.now", lambda: real() + ahead)

    return advance


# --- the password again

GUARDED = {
    "the data": lambda browser: browser.get("/account/data.json"),
    "a new address": lambda browser: browser.post("/account/email/", {"email": "new@example.com", "action_add": "1"}),
    "a second factor": lambda browser: browser.get("/account/second-factor/totp/activate/"),
}


@pytest.mark.parametrize("what", GUARDED)
def test_ten_minutes_after_the_sign_in_the_password_is_asked_for_again(verified, put_on, what):
    browser = signed_in(verified)
    put_on(minutes=11)
    response = GUARDED[what](browser)
    assert response["Location"].startswith("/account/reauthenticate/?next=")
    assert not mail.outbox
    browser.post(response["Location"], {"password": PASSWORD})
    assert "reauthenticate" not in GUARDED[what](browser).get("Location", "")


@pytest.mark.parametrize("what", GUARDED)
def test_who_has_just_signed_in_is_not_asked_for_the_password_again(verified, put_on, what):
    browser = signed_in(verified)
    put_on(minutes=9)
    assert "reauthenticate" not in GUARDED[what](browser).get("Location", "")


def test_the_password_is_changed_by_who_knows_it_and_an_account_deleted_by_who_gave_it_again(verified):
    browser = signed_in(verified)
    new = {"oldpassword": "wrong", "password1": "another horse battery", "password2": "another horse battery"}
    assert browser.post("/account/password/change/", new).status_code == 200
    assert browser.post("/account/delete/")["Location"].startswith("/account/reauthenticate/")
    assert authenticate(None, email=verified.email, password=PASSWORD) == verified


def test_a_new_password_is_told_however_many_mails_the_address_had_today(verified, settings):
    settings.MAILS_PER_DAY = 0
    browser = signed_in(verified)
    new = {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"}
    assert browser.post("/account/password/change/", new).status_code == 302
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]


def test_the_old_address_is_told_of_the_new_one(verified):
    browser = signed_in(verified)
    browser.post("/account/email/", {"email": "new@example.com", "action_add": "1"})
    browser.post("/account/confirm-email/", {"code": mailed_code(mail.outbox[0])})
    verified.refresh_from_db()
    assert verified.email == "new@example.com"
    assert [message.to for message in mail.outbox] == [["new@example.com"], ["alice@example.com"]]
    assert "new@example.com" in mail.outbox[1].body


# --- failed tries of others


def test_wrong_passwords_from_elsewhere_lock_no_browser_out_that_has_signed_in_before(alice, limits):
    mine = signed_in(alice)
    mine.post("/account/logout/")
    elsewhere = Client(REMOTE_ADDR="203.0.113.7")
    for n in range(6):
        response = elsewhere.post("/account/login/", {"login": alice.email, "password": f"wrong {n}"})
    assert response.status_code == 429
    assert Client(REMOTE_ADDR="203.0.113.8").post("/account/login/", {"login": alice.email}).status_code == 200
    stranger = Client(REMOTE_ADDR="203.0.113.8")
    assert stranger.post("/account/login/", {"login": alice.email, "password": PASSWORD}).status_code == 429
    assert mine.post("/account/login/", {"login": alice.email, "password": PASSWORD}).status_code == 302
    assert is_signed_in(mine)


def test_a_known_browser_is_known_to_its_own_account_alone_and_has_five_tries_too(alice, bob, limits):
    hers = signed_in(alice)
    hers.post("/account/logout/")
    elsewhere = Client(REMOTE_ADDR="203.0.113.7")
    for n in range(6):
        elsewhere.post("/account/login/", {"login": bob.email, "password": f"wrong {n}"})
    assert hers.post("/account/login/", {"login": bob.email, "password": PASSWORD}).status_code == 429
    for n in range(6):
        response = hers.post("/account/login/", {"login": alice.email, "password": f"wrong {n}"})
    assert response.status_code == 429


def test_a_cookie_that_somebody_made_up_makes_no_browser_known(alice, limits, settings):
    made_up = Client()
    for n in range(6):
        made_up.cookies[settings.KNOWN_COOKIE_NAME] = f"eyJhIjoiYiJ9:{n}:x"
        response = made_up.post("/account/login/", {"login": alice.email, "password": f"wrong {n}"})
    assert response.status_code == 429


def test_a_browser_is_known_for_a_year_and_by_its_last_five_accounts(
    alice, limits, settings, django_user_model, monkeypatch
):
    users = [django_user_model.objects.create_user(f"user{n}@example.com", PASSWORD) for n in range(5)]
    browser = Client()

    def known(user):
        request = RequestFactory().get("/")
        request.COOKIES = {name: cookie.value for name, cookie in browser.cookies.items()}
        return bool(adapter_known.browser_id(request, user.email))

    for user in (alice, *users[:4]):
        browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
        browser.post("/account/logout/")
    assert known(alice)
    browser.post("/account/login/", {"login": users[4].email, "password": PASSWORD})
    assert [known(user) for user in (alice, *users)] == [False, True, True, True, True, True]
    cookie = browser.cookies[settings.KNOWN_COOKIE_NAME]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"]) == (settings.KNOWN_COOKIE_AGE, True, "Lax")
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + settings.KNOWN_COOKIE_AGE + 5)
    assert not known(users[4])


def test_a_sign_up_is_as_much_work_for_a_known_address_as_for_a_new_one(verified):
    def work(email):
        mail.outbox.clear()
        with patch.object(MD5PasswordHasher, "encode", autospec=True, side_effect=MD5PasswordHasher.encode) as hashed:
            assert Client().post("/account/signup/", {"email": email, "password1": PASSWORD}).status_code == 302
        return hashed.call_count, len(mail.outbox)

    assert work(verified.email) == work("new@example.com") == (1, 1)


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_an_address_gets_so_many_mails_a_day_known_or_not(verified, settings, put_on, email):
    def reset(browser=None):
        return (browser or Client()).post("/account/password/reset/", {"email": email})

    settings.MAILS_PER_DAY = 3
    assert [reset().status_code for n in range(5)] == [302, 302, 302, 429, 429]
    assert "We have sent too many messages to this address today." in reset().content.decode()
    assert len(mail.outbox) == 3
    assert Client().post("/account/password/reset/", {"email": "other@example.com"}).status_code == 302
    put_on(days=1)
    assert reset().status_code == 302


def test_mails_that_others_asked_for_do_not_keep_a_known_browser_from_a_reset(verified, settings):
    mine = signed_in(verified)
    mine.post("/account/logout/")
    settings.MAILS_PER_DAY = 1
    reset = {"email": verified.email}
    assert [Client().post("/account/password/reset/", reset).status_code for n in range(2)] == [302, 429]
    assert mine.post("/account/password/reset/", reset).status_code == 302


def test_another_sign_in_gives_a_known_browser_no_more_mails(verified, settings):
    settings.MAILS_PER_DAY = 1
    statuses = []
    mine = Client()
    for _ in range(2):
        mine.post("/account/login/", {"login": verified.email, "password": PASSWORD})
        mine.post("/account/logout/")
        statuses.append(mine.post("/account/password/reset/", {"email": verified.email}).status_code)
    assert statuses == [302, 429]


def test_a_changed_password_is_reported_however_many_mails_were_sent_today(verified, settings):
    settings.MAILS_PER_DAY = 0
    new = {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"}
    assert signed_in(verified).post("/account/password/change/", new).status_code == 302
    assert [message.to for message in mail.outbox] == [[verified.email]]


# --- codes


def at_once(browser, address, codes):
    """Yield answers to concurrent guesses: each reads the session before another writes it."""
    session = browser.session
    before = dict(session.items())
    for code in codes:
        now = browser.session
        now.clear()
        now.update(before)
        now.save()
        yield browser.post(address, {"code": code})


def test_guesses_of_a_code_that_come_at_once_all_count(verified, client):
    client.post("/account/password/reset/", {"email": verified.email})
    right = mailed_code(mail.outbox[0])
    address = "/account/password/reset/confirm/"
    answers = list(at_once(client, address, ["AAAA-AAAA", "BBBB-BBBB", "CCCC-CCCC", right]))
    assert [answer.get("Location") for answer in answers] == [None, None, "/account/login/", "/account/login/"]


def test_guesses_of_the_code_of_a_new_account_that_come_at_once_all_count(verified, client):
    client.post("/account/signup/", NEW)
    right = mailed_code(mail.outbox[0])
    answers = list(at_once(client, "/account/confirm-email/", ["AAAA-AAAA", "BBBB-BBBB", "CCCC-CCCC", right]))
    assert [answer.get("Location") for answer in answers] == [None, None, "/account/login/", "/account/login/"]
    assert not is_signed_in(client)


# --- duration


def test_a_sign_in_ends_14_days_after_its_last_use(alice, put_on):
    browser = signed_in(alice)
    for _ in range(4):
        put_on(days=13)
        assert is_signed_in(browser)
    put_on(days=15)
    assert not is_signed_in(browser)


def test_a_sign_in_is_renewed_once_a_day_at_most(alice, put_on):
    browser = signed_in(alice)
    renewed = []
    for _ in range(4):
        put_on(hours=13)
        renewed.append("sessionid" in browser.get("/locations/").cookies)
    assert renewed == [False, True, False, True]


def test_a_sign_in_of_staff_ends_after_12_hours_however_much_it_is_used(charlie, put_on):
    browser = signed_in(charlie)
    put_on(hours=11)
    assert browser.get("/admin/").status_code == 200
    put_on(hours=2)
    assert browser.get("/admin/").status_code == 302
    assert not is_signed_in(browser)


def test_staff_end_the_sign_ins_of_a_customer(alice, bob, charlie):
    browsers = signed_in(alice), signed_in(alice)
    his, staff = signed_in(bob), signed_in(charlie)
    action = {"action": "sign_out", "_selected_action": [alice.pk]}
    page = staff.post("/admin/accounts/user/", action, follow=True)
    assert "2 sign-ins ended" in page.content.decode()
    assert [is_signed_in(browser) for browser in (*browsers, his, staff)] == [False, False, True, True]


def test_who_signs_out_leaves_nothing_of_the_site_in_the_browser(alice):
    browser = signed_in(alice)
    assert browser.post("/account/logout/")["Clear-Site-Data"] == '"cache", "storage"'
    browser = signed_in(alice)
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    assert browser.post("/account/delete/")["Clear-Site-Data"] == '"cache", "storage"'


def test_a_sign_up_that_nobody_confirms_is_deleted_after_a_week(verified, charlie, put_on, django_user_model):
    Client().post("/account/signup/", NEW)
    made_by_staff = django_user_model.objects.create_user("dave@example.com", PASSWORD)
    # Each has an address that is not confirmed, and is no sign-up: it has signed in, or is of the staff.
    used, clerk = (django_user_model.objects.create_user(f"{name}@example.com", PASSWORD) for name in ("used", "clerk"))
    for user, fact in ((used, {"last_login": timezone.now()}), (clerk, {"is_staff": True})):
        django_user_model.objects.filter(pk=user.pk).update(**fact)
        EmailAddress.objects.create(user=user, email=user.email, verified=False, primary=True)
    put_on(days=6)
    call_command("purge_sessions")
    assert django_user_model.objects.filter(email=NEW["email"]).exists()
    put_on(days=2)
    call_command("purge_sessions")
    assert set(django_user_model.objects.all()) == {verified, charlie, made_by_staff, used, clerk}
    mail.outbox.clear()
    assert Client().post("/account/signup/", NEW).status_code == 302
    assert re.search(r"^\d{3}-\d{3}-\d{3}$", mail.outbox[0].body, re.M)


# --- without a session


@pytest.mark.parametrize(
    "path", ["/account/data.json", f"/locations/{UUID(int=1)}/rates.csv", f"/locations/{UUID(int=1)}/rates.json"]
)
def test_a_program_without_a_session_gets_a_sentence_and_a_browser_the_sign_in(client, path):
    for accept in ("*/*", "application/json", ""):
        response = client.get(path, headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (401, "text/plain; charset=utf-8")
        said, ways = response.content.decode(), response["WWW-Authenticate"].split(", ")
        assert said.startswith("Sign in first" if "account" in path else "Send the key of a device")
        assert ways == [*(["Bearer"] if "account" not in path else []), 'Cookie cookie-name="sessionid"']
    browser = client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (browser.status_code, browser["Location"]) == (302, f"/account/login/?next={path}")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000"])
def test_a_laptops_address_in_numbers_leads_to_its_name(client, host):
    response = client.get("/locations/?a=1", headers={"Host": host})
    assert (response.status_code, response["Location"]) == (307, "http://localhost:8000/locations/?a=1")
    assert (
        client.get("/locations/", headers={"Host": "127.0.0.1:8001"})["Location"] == "/account/login/?next=/locations/"
    )


def test_in_production_no_host_leads_elsewhere(client, settings):
    settings.SITE_URL = "https://connect.example.com"
    assert client.get("/healthz", headers={"Host": "127.0.0.1:443"}).status_code != 307
    assert client.get("/", headers={"Host": "127.0.0.1:443"}).status_code != 307


def test_a_new_key_signs_nobody_out_while_the_earlier_one_is_a_fallback(client, alice, settings):
    client.force_login(alice)
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new key " * 6, [old]
    assert client.get("/locations/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []  # whoever has come back meanwhile has the new key in the session
    assert client.get("/locations/").status_code == 200
    settings.SECRET_KEY = "another key " * 6
    assert client.get("/locations/").status_code == 302
