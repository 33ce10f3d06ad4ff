"""The account pages, their mails and messages are in our words and say what they are about."""

import re
from html import unescape
from pathlib import Path

import allauth
import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from django.utils.module_loading import import_string

from flatpeak_app.accounts.adapter import Accounts, SecondFactor
from flatpeak_app.accounts.browsers import named
from flatpeak_app.accounts.forms import FIELDS
from tests.test_accounts import PASSWORD, signed_in

pytestmark = pytest.mark.django_db

THEIRS = Path(allauth.__file__).parent / "templates"
# Of sign-ins that are turned off (by phone, passkey or mailed link, a browser that is trusted, several addresses, an account
# without a password), of links where we mail codes, and of pages that only extend or are only extended.
NEVER_SHOWN = re.compile(
    r"phone|login_code|webauthn|passkey|trust|password_set|account/email\.html|warn_no_email|signup_closed"
    r"|password_reset_key|password_reset_done|verification_sent|verified_email_required"
    r"|/base_(?!message|notification)|/base\.html|already_logged_in|email_confirmation_signup"
)


def test_each_text_of_allauths_that_can_be_seen_has_one_of_ours_in_its_place():
    found = [path for app in ("account", "mfa", "usersessions") for path in (THEIRS / app).rglob("*.*")]
    seen = [
        path.relative_to(THEIRS) for path in found if not NEVER_SHOWN.search(str(path)) and "trans" in path.read_text()
    ]
    assert len(seen) > 40
    assert [str(name) for name in seen if not (django_settings.BASE_DIR / "templates" / name).exists()] == []


@pytest.mark.parametrize(("theirs", "ours"), [(DefaultAccountAdapter, Accounts), (DefaultMFAAdapter, SecondFactor)])
def test_each_error_of_allauths_has_one_of_ours_in_its_place(theirs, ours):
    never = re.compile("phone|username|select_only_one")
    same = {code for code, text in theirs.error_messages.items() if ours.error_messages[code] is text}
    assert {code for code in same if not never.search(code)} == set()


@pytest.mark.parametrize("path", [*django_settings.ACCOUNT_FORMS.values(), *django_settings.MFA_FORMS.values()])
def test_each_field_has_our_label_and_our_error(path):
    fields = import_string(path).base_fields.keys() - {"remember", "password2", "username"}  # left out by settings
    assert fields <= FIELDS.keys()


def test_a_new_password_is_typed_once_after_a_hint_of_one_sentence(client, alice):
    client.force_login(alice)
    page = client.get("/account/password/change/").content.decode()
    assert re.findall(r'type="password" name="(\w+)"', page) == ["oldpassword", "password1"]
    assert "8 characters or more, and nothing that is easy to guess." in page
    short = client.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": "x"})
    assert list(short.context["form"].errors) == ["password1"]


# --- headings


@pytest.fixture
def factor(alice):
    TOTP.activate(alice, generate_totp_secret())
    RecoveryCodes.activate(alice)


def agree(response):
    html = unescape(response.content.decode())
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", html)[1].strip()
    assert html.count("<h1") == 1
    assert re.search("<title>(.*?)</title>", html)[1] == f"{heading} – {django_settings.BRAND_NAME}"
    return heading


LANGUAGES = [code for code, _ in django_settings.LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_heading_and_the_title_of_the_doors_agree(client, alice, settings, language):
    asked = {"accept-language": language}
    headings = {
        agree(client.get(f"/account/{path}/", headers=asked))
        for path in ("login", "signup", "password/reset", "password/reset/done", "inactive", "confirm-email/x")
    }
    settings.ACCOUNT_EMAIL_VERIFICATION, settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = "mandatory", True
    client.post("/account/password/reset/", {"email": alice.email})
    headings.add(agree(client.get("/account/password/reset/confirm/", headers=asked)))
    code = re.search(r"^\d{3}-\d{3}-\d{3}$", mail.outbox[0].body, re.M)[0]
    chosen = client.post("/account/password/reset/confirm/", {"code": code}, headers=asked, follow=True)
    headings.add(agree(chosen))
    new = Client(headers=asked)
    sent = new.post("/account/signup/", {"email": "new@example.com", "password1": PASSWORD}, follow=True)
    assert agree(sent) in headings  # both ask for a mailed code
    assert len(headings) == 8


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("has", ["a second factor", "none"])
def test_the_heading_and_the_title_of_the_account_agree(client, alice, request, language, has):
    client.force_login(alice)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    paths = ["email", "password/change", "sessions", "second-factor", "logout", "delete", "reauthenticate"]
    if has == "none":
        paths.append("second-factor/totp/activate")
    else:
        request.getfixturevalue("factor")
        paths += [
            f"second-factor/{at}"
            for at in ("totp/deactivate", "recovery-codes", "recovery-codes/generate", "reauthenticate")
        ]
    headings = [agree(client.get(f"/account/{path}/", headers={"accept-language": language})) for path in paths]
    assert len(set(headings)) == len(paths)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_heading_and_the_title_of_the_question_for_a_code_agree(client, alice, factor, language):
    form = {"login": alice.email, "password": PASSWORD}
    answer = client.post("/account/login/", form, headers={"accept-language": language}, follow=True)
    assert answer.request["PATH_INFO"] == "/account/second-factor/authenticate/"
    agree(answer)


# --- browsers

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
MOBILE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"{WINDOWS}; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Windows"),
        (f"{WINDOWS}) {WEBKIT} Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS}) {WEBKIT} Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS}) {WEBKIT} Safari/537.36 OPR/124.0.0.0", "Opera on Windows"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Safari/537.36", "Chrome on ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Mobile Safari/537.36", "Chrome on Android"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Mobile Safari/537.36 EdgA/142.0", "Edge on Android"),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 SamsungBrowser/29.0 Chrome/136.0 Safari/537.36",
            "Samsung Internet on Android",
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "Firefox on Android"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {MOBILE} Version/26.0 Safari/605.1.15", "Safari on Mac"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {MOBILE} Version/26.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {MOBILE} CriOS/142.0 Safari/604.1",
            "Chrome on iPhone",
        ),
        (f"Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) {MOBILE} FxiOS/145.0 Safari/605.1.15", "Firefox on iPad"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0)", "A browser on Windows"),
        ("Firefox/1.0", "Firefox"),
        ("curl/8.17.0", "An unknown browser"),
        ("<script>", "An unknown browser"),
        ("", "An unknown browser"),
    ],
)
def test_a_browser_has_its_name_and_its_system(user_agent, name):
    assert named(user_agent) == name


def test_a_mail_about_a_change_names_the_browser_and_the_way_out(alice, settings):
    browser = signed_in(alice, headers={"user-agent": f"{WINDOWS}; rv:145.0) Gecko/20100101 Firefox/145.0"})
    browser.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": "another horse battery"})
    [message] = mail.outbox
    assert message.subject == "Your password was changed"
    assert "Where: Firefox on Windows, from 127.0.0.1\n" in message.body
    assert f"{settings.SITE_URL}/account/password/reset/" in message.body
    assert "Mozilla" not in message.body


def test_without_script_the_list_names_the_zone_of_its_times(alice):
    page = signed_in(alice).get("/account/sessions/").content.decode()
    assert re.search(
        r'Since <time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">\d+ \w+ \d{4}, \d\d:\d\d UTC</time>, from', page
    )
