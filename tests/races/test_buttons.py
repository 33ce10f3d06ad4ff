"""Every button of every page, as the pages have them, pressed at the same moment as itself."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import resolve

from connect_ui.models import ConnectSession
from connect_ui.routes import ROUTES, Kind
from tariffs.models import Erasure, Location
from tests.races.forms import forms
from tests.races.places import PLACES, releases_of
from tests.races.servers import RELEASES, TORTURE, at_once
from tests.test_doors import RULES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
TEMPLATES = Path(settings.BASE_DIR, "templates")
TIMES = [2, 4] if TORTURE else [2]
# Without TORTURE one place of each kind: these send another answer by the same form to the same view as a place that stays.
ALIKE = {
    *(f"connect_ui/{name}" for name in ("provider_name", "tariff", "structure", "fixed_price", "region", "surcharge")),
    *("connect_ui/tariff_name", "connect_ui/contract", "connect_ui/fixed_summary", "connect_ui/unknown"),
}
SHARE = [place for place in PLACES if TORTURE or place not in ALIKE]
PLACED = [(release, place) for release in RELEASES for place in SHARE if release in (releases_of(place) or RELEASES)]

# What all presses of a button together ask FlatPeak for, by the address that its form goes to.
ONE_ANSWER, ONE_RESTORE = {"answers": [1]}, {"restores": [1, 2, 3, 4]}
# The page of a tariff gives one answer to each new conversation.
CONVERSATION_EACH = {
    "conversations": TIMES,
    "restores": TIMES,
    "answers": [0, *TIMES, *(3 * times for times in TIMES)],
}
ASKED = {
    "connect_ui:page": ONE_ANSWER,
    "connect_ui:newest": ONE_RESTORE,
    "connect_ui:start": CONVERSATION_EACH,
    "connect_ui:again": CONVERSATION_EACH
    | {"conversations": [0, *TIMES], "restores": [1, 2, 3, 4]}
    | {"answers": [0, 2, *(3 * times for times in TIMES)]},
    "connect_ui:confirm": {},
    "connect_ui:discard": {},
    "tariffs:mails": {},
    "tariffs:devices": {},
    "tariffs:run": {},
    "tariffs:wrong_price": {},
    "tariffs:delete": {"delete_location": [1]},
    "account_delete": {"delete_location": [1], "delete_customer": [1]},
    "account_login": {},
    "account_logout": {},
    "set_language": {},
    "set_theme": {},
    "account_signup": {},
    "account_reauthenticate": {},
    "account_email": {},
    "account_change_password": {},
    "account_reset_password": {},
    "account_confirm_password_reset_code": {},
    "account_complete_password_reset": {},
    "usersessions_list": {},
    "mfa_authenticate": {},
    "mfa_reauthenticate": {},
    "mfa_activate_totp": {},
    "mfa_deactivate_totp": {},
    "mfa_generate_recovery_codes": {},
}
# Addresses that take a POST, and to which no button leads.
WITHOUT_BUTTON = {
    "account_confirm_login_code",  # a sign-in by code is off
    "account_email_verification_sent",  # without a code that is asked for, it leads to the e-mail addresses
    "account_set_password",  # everybody has a password
}


def buttons_of(page):
    """Each form and button that does something of its own; of a list to choose from, the first."""
    found = {}
    for form in forms(page):
        for button in form.buttons:
            words = (
                button.name if button.name in ("provider", "tariff", "options", "language", "theme") else button.words
            )
            found.setdefault((form.address, form.fields.get("direction"), words), (form, button))
    own = [pressed for (_, _, words), pressed in found.items() if words not in ("Sign out", "language", "theme")]
    return own or list(found.values())


def asked(site):
    counts = site.counts
    return {
        "answers": site.sent,
        "restores": site.restores,
        "conversations": ConnectSession.objects.count(),
        "delete_location": counts["delete_location"],
        "delete_customer": counts["delete_customer"],
    }


def race(site, tab, address, data, times):
    """Press it so many times at once; what must be so then."""
    before, view = asked(site), resolve(address).view_name
    site.statuses.clear()
    site.delay(50)
    tabs = [tab.another() for _ in range(times)]
    at_once(*(lambda each=each: each.ask("POST", address, data).settle() for each in tabs))
    site.delay(0)
    assert site.statuses.keys() <= {200, 302}, [each.text for each in tabs]
    after = asked(site)
    made = {name: count - before[name] for name, count in after.items() if count > before[name]}
    sends = not {"add", "change", "search"} & data.keys()  # one more price to type, another country, a search
    expected = ASKED[view] if sends else {}
    if "PROVIDER_MISSING" in data.values() and made.get(
        "restores"
    ):  # leaves a login: a new token, and the address again
        expected = {"restores": [1], "answers": [2]}
    assert made.keys() == {name for name, counts in expected.items() if 0 not in counts or name in made}
    assert all(count in expected[name] for name, count in made.items()), made
    if view in ("connect_ui:page", "connect_ui:newest", "connect_ui:confirm"):
        assert len({each.path for each in tabs}) == 1
    if view == "connect_ui:start" or "conversations" in made:
        assert (made["conversations"], len({each.path for each in tabs})) == (times, times)
    # In anode somebody may have connected a tariff with the token that a new one replaces.
    leaves = "PROVIDER_MISSING" in data.values() and "restores" in made
    replaced = site.release == "anode" and (leaves or (view == "connect_ui:again" and "conversations" not in made))
    of_tokens = Erasure.objects.filter(kind=Erasure.Kind.CONVERSATION)
    assert of_tokens.count() == (replaced or data.get("answer") == "no")
    others = Erasure.objects.exclude(pk__in=of_tokens)
    assert others.count() == made.get("delete_location", 0) + made.get("delete_customer", 0)
    assert not others.filter(done_at=None).exists()


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(("release", "place"), PLACED, indirect=["release"])
def test_every_button_of_a_page_pressed_several_times_at_once_is_pressed_once(
    site, people, record_property, place, times
):
    """Those to sign out and to choose a language, which every page has, are pressed where there is no other."""
    go, typed = PLACES[place]
    for number, user in enumerate(people(8), 1):
        tab = site.tab(user)
        tab.user = user
        go(tab)
        assert_in_view(place, tab)
        buttons = buttons_of(tab.page)
        form, button = buttons[number - 1]
        race(site, tab, *tab.sent_by(form, button, **(typed(tab) if callable(typed) else typed)), times)
        if place in ("tariffs/delete_location", "account/delete"):
            Erasure.objects.all().delete()
            assert not Location.objects.exists()
        if number == len(buttons):
            break
    assert number == len(buttons)
    record_property("races", number)


def assert_in_view(place, tab):
    template = TEMPLATES / f"{place}.html"
    words = re.findall(r"<button[^>]*>([A-Z][^<{]+)<", template.read_text()) if template.exists() else []
    assert not words or any(each in tab.text for each in words), tab.text


def test_every_template_with_a_button_has_its_place():
    with_button = {
        str(each.relative_to(TEMPLATES).with_suffix(""))
        for each in TEMPLATES.rglob("*.html")
        if re.search(r'<button|element button type="submit"|_action.html|_try_again.html', text := each.read_text())
        and set(re.findall(r'method="(\w+)"', text)) != {"get"}
        and each.name[0] != "_"
        and "elements" not in each.parts
    }
    shown = {f"connect_ui/{each.name}" for each in ROUTES if each.kind not in (Kind.SENT, Kind.END)}
    # tests/test_mail_trouble.py has the mail server that is down. An address is confirmed by a code, not by a link. The
    # template of "failed" shows anode's page too. tests/test_wanted_mails.py presses the button of a link in a mail.
    others = {"account/unsent", "account/email_confirm", "connect_ui/not_connected", "tariffs/stop_mails"}
    assert (with_button | shown) - PLACES.keys() == others


def test_every_address_that_takes_a_form_is_known():
    of_the_owner = {name: rules[2] for name, rules in RULES.items() if "admin" not in name}
    takes = {name for name, rule in of_the_owner.items() if not rule.endswith(("404", "405"))}
    assert takes - ASKED.keys() == WITHOUT_BUTTON
