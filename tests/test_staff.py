"""What staff see of others is behind a second factor, shown in this very session, and kept encrypted."""

import io
import json
import re
from html import unescape

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.management import CommandError, call_command
from django.test import Client

from tariffs.models import Location

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
SET_UP, SHOW = "/account/second-factor/totp/activate/", "/account/second-factor/reauthenticate/"


def signed_in(user):
    browser = Client()
    browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
    return browser


def code_of(secret):
    return format_hotp_value(hotp_value(secret, list(yield_hotp_counters_from_time())[1]))


def enrol(browser):
    """The secret and the recovery codes of a second factor that is set up now."""
    form = {"password": PASSWORD, "next": SET_UP}
    secret = browser.post("/account/reauthenticate/", form, follow=True).context["form"].secret
    codes = browser.post(SET_UP, {"code": code_of(secret)}, follow=True)
    return secret, codes.context["unused_codes"]


@pytest.fixture
def others(walk, settings):
    """Pages of a location of Alice's, and the site asking staff for a second factor."""
    walk.by_hand().answer(cost="28.17").name_and_term("Simple").act("SAVE")
    settings.STAFF_MFA = True
    here = f"/locations/{Location.objects.get().pk}/"
    return [
        here,
        f"{here}day/",
        f"{here}week/",
        f"{here}rates.csv?direction=IMPORT",
        f"{here}rates.json?direction=IMPORT",
    ]


def test_staff_without_a_second_factor_see_no_page_of_others(others, charlie):
    browser = signed_in(charlie)
    assert [browser.get(page).status_code for page in others] == [404] * len(others)
    enrol(browser)
    assert [browser.get(page).status_code for page in others] == [200] * len(others)


def test_staff_are_led_to_no_page_that_only_its_owner_has(others, charlie):
    browser = signed_in(charlie)
    enrol(browser)
    for page in others[:3]:
        html = browser.get(page).content.decode()
        assert "/connect/start/" not in html
        for link in {unescape(link) for link in re.findall(r'href="(/locations/[^"#]*)', html)}:
            assert browser.get(link).status_code == 200, link


def test_a_session_from_before_the_second_factor_is_asked_for_it(others, charlie):
    older, browser = signed_in(charlie), signed_in(charlie)
    _, codes = enrol(browser)
    assert [older.get(page).status_code for page in others] == [404] * len(others)
    asked = older.get("/admin/tariffs/location/", follow=True)
    assert asked.request["PATH_INFO"] == SHOW
    shown = older.post(SHOW, {"code": codes[0], "next": "/admin/tariffs/location/"})
    assert shown["Location"] == "/admin/tariffs/location/"
    assert [older.get(page).status_code for page in ("/admin/", *others)] == [200] * (len(others) + 1)


def test_a_second_factor_that_was_replaced_is_shown_again(others, charlie):
    browser = signed_in(charlie)
    enrol(browser)
    Authenticator.objects.all().delete()
    other = signed_in(charlie)
    enrol(other)
    assert browser.get("/admin/").status_code == 302
    assert browser.get(others[0]).status_code == 404


def test_staff_without_a_second_factor_set_one_up_though_others_have_one(others, charlie, bob):
    Authenticator.objects.create(user=bob, type=Authenticator.Type.TOTP, data={})
    asked = signed_in(charlie).get("/admin/tariffs/location/", follow=True)
    assert asked.request["PATH_INFO"] == SET_UP


def test_a_second_factor_that_is_another_persons_now_opens_nothing(others, charlie, bob):
    browser = signed_in(charlie)
    enrol(browser)
    assert browser.get("/admin/").status_code == 200
    Authenticator.objects.update(user=bob)
    assert browser.get("/admin/").status_code == 302
    assert browser.get(others[0]).status_code == 404


def test_staff_see_what_is_their_own_without_a_second_factor(others, alice):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    assert [signed_in(alice).get(page).status_code for page in others] == [200] * len(others)


def test_a_second_factor_is_stored_encrypted(charlie):
    secret, codes = enrol(signed_in(charlie))
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert not [code for code in codes if code in stored]
    seed = Authenticator.objects.get(type="recovery_codes").data["seed"]
    assert seed.startswith("gAAAA")  # Fernet's


def test_without_its_key_no_code_fits_a_second_factor(charlie, settings, caplog):
    secret, codes = enrol(signed_in(charlie))
    settings.TOKEN_KEYS = ["another key that has nothing to do with the first of them"]
    for code in (code_of(secret), codes[0], code_of("")):
        browser = signed_in(charlie)
        browser.post("/account/second-factor/authenticate/", {"code": code})
        assert "_auth_user_id" not in browser.session
    assert "its key is missing in TOKEN_KEYS" in caplog.text


def test_second_factors_follow_to_a_new_key(charlie, settings):
    _, codes = enrol(signed_in(charlie))
    old, new = settings.TOKEN_KEYS[0], "another key that has nothing to do with the first of them"
    settings.TOKEN_KEYS = [new, old]
    call_command("rotate_keys", stdout=io.StringIO())
    settings.TOKEN_KEYS = [new]
    browser = signed_in(charlie)
    browser.post("/account/second-factor/authenticate/", {"code": codes[0]})
    assert "_auth_user_id" in browser.session
    settings.TOKEN_KEYS = [old]
    with pytest.raises(CommandError, match="can't decrypt 2 secrets"):
        call_command("rotate_keys", stdout=io.StringIO())
