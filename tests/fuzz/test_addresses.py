"""What stands in an address, and what people type into any form that one shows, whoever they are.

The addresses are those that there are, and the forms those that their pages have: a new one is tried without a line here.
"""

from html.parser import HTMLParser

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.core import mail
from django.test import Client
from hypothesis import strategies as st

from tariffs.models import Location
from tests.fuzz.conftest import TORTURE
from tests.fuzz.hostile import QUERY, encoded, filled, raw
from tests.test_accounts import code_of, mailed_code
from tests.test_doors import PASSWORD, address_of, every_address

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.fixture(autouse=True)
def verification(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True


class People:
    """Browsers by who sits there and how far they got; each is opened when it is first asked for."""

    def __init__(self, alice, bob, charlie, dave):
        self.alice, self.bob, self.charlie = alice, bob, charlie
        for user in (alice, bob, charlie, dave):
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        self.dave, self.secret = dave, generate_totp_secret()
        TOTP.activate(dave, self.secret)
        RecoveryCodes.activate(dave)
        self.browsers = {}

    def __getitem__(self, who):
        if who not in self.browsers:
            self.browsers[who] = browser = Client()
            getattr(self, who)(browser)
        return self.browsers[who]

    def sign_in(self, browser, user):
        browser.post("/account/login/", {"login": user.email, "password": PASSWORD})

    def the_owner(self, browser):
        self.sign_in(browser, self.alice)

    def staff(self, browser):
        self.sign_in(browser, self.charlie)

    def nobody(self, browser):
        pass

    def a_stranger(self, browser):
        self.sign_in(browser, self.bob)

    def asked_for_the_second_factor(self, browser):
        self.sign_in(browser, self.dave)

    def with_a_second_factor(self, browser):
        self.sign_in(browser, self.dave)
        browser.post("/account/second-factor/authenticate/", {"code": code_of(self.secret)})

    def asked_for_the_code_of_a_reset(self, browser):
        browser.post("/account/password/reset/", {"email": self.bob.email})

    def with_a_reset_password(self, browser):
        self.asked_for_the_code_of_a_reset(browser)
        browser.post("/account/password/reset/confirm/", {"code": mailed_code(mail.outbox[-1])})

    def asked_for_the_code_of_a_new_address(self, browser):
        browser.post("/account/signup/", {"email": "new@example.com", "password1": PASSWORD})

    EVERYBODY = [
        "the_owner",
        "staff",
        "with_a_second_factor",
        "nobody",
        "asked_for_the_second_factor",
        "asked_for_the_code_of_a_reset",
        "with_a_reset_password",
        "asked_for_the_code_of_a_new_address",
        "a_stranger",
    ]


@pytest.fixture
def people(alice, bob, charlie, django_user_model):
    return People(alice, bob, charlie, django_user_model.objects.create_user("dave@example.com", PASSWORD))


WELL_FILLED = {
    "login": "alice@example.com",
    "password": PASSWORD,
    "oldpassword": PASSWORD,
    "password1": "another horse battery",
    "password2": "another horse battery",
    "email": "new@example.com",
    "code": "000000",
}


class Forms(HTMLParser):
    """The forms of a page that are sent by POST: [(where it goes, {field: a good value})]."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.found.append((given.get("method", "get").lower(), given.get("action"), {}))
        elif self.found and tag in ("input", "select", "textarea", "button") and given.get("name"):
            name = given["name"]
            if tag == "button" or given.get("type") in ("submit", "radio", "checkbox"):
                self.found[-1][2].setdefault(name, given.get("value", "on"))
            else:
                self.found[-1][2][name] = WELL_FILLED.get(name, given.get("value") or "")

    @classmethod
    def on(cls, response):
        here = response.request["PATH_INFO"]
        page = response.content.decode() if response.headers.get("Content-Type", "").startswith("text/html") else ""
        return [(action or here, fields) for method, action, fields in cls(page).found if method == "post"]


def thing_of(name):
    """The id of something that an admin's address is about, 0 where there is none."""
    app, _, model = name.removeprefix("admin:").rpartition("_")[0].rpartition("_")
    try:
        return apps.get_model(app, model).objects.values_list("pk", flat=True).first() or 0
    except LookupError:
        return 0


def tried():
    """All addresses; without TORTURE a third of the admin's, whose lists and forms are Django's for each model."""
    for number, (name, route, entry) in enumerate(every_address()):
        if TORTURE or not name.startswith("admin:") or number % 3 == 0:
            yield pytest.param(name, route, entry, id=name)


@pytest.mark.parametrize(("name", "route", "entry"), list(tried()))
def test_nothing_in_an_address_or_a_form_breaks_a_page(examples, begun, people, name, route, entry, request, settings):
    if name == "account_confirm_email":  # which there is only where addresses are verified by links
        settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = False
    if name.startswith("connect_ui:"):
        begun.stands_at(begun.page("provider_select"))
        begun.stands_at(begun.page("session_redirect"))
        known = {"pk": begun.session.pk, "number": begun.session.newest - (name == "connect_ui:page")}
    else:
        request.getfixturevalue("saved")
        known = {"pk": Location.objects.get().pk, "object_id": thing_of(name)}
    where = address_of(name, route, entry, **known)

    @examples(80, st.sampled_from(People.EVERYBODY), filled(QUERY).map(encoded) | raw, st.data())
    def run(who, query, data):
        begun.client = people[who]
        with begun.example():
            page = begun.get(where, QUERY_STRING=query)
            for method in ("POST", "HEAD"):
                begun.fine(begun.client.generic(method, where, QUERY_STRING=query))
            for action, fields in Forms.on(page)[:1]:
                begun.post(action, data.draw(filled(fields)))
