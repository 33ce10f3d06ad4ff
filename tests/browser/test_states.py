"""Check every page with `fits`; with TORTURE in every state, otherwise in one of each kind.

`make shots` also takes pictures of each into var/shots: phone and desktop, light and dark, in each language. Then
tests/sheets.py joins them.
"""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from connect_ui.models import ConnectSession, Page
from flatpeak_app.accounts.models import User
from tariffs.models import DeviceKey, Location, Tariff
from tariffs.rates.refresh import UNKNOWN_ZONE
from tests.browser.conftest import TORTURE
from tests.browser.fits import NARROW, fits
from tests.test_faults import NIGHT_AND_DAY, PAGES
from tests.walk import Walk, sign_in_at_provider

pytestmark = [pytest.mark.browser, pytest.mark.long]
SHOTS = os.environ.get("SHOTS")  # the folder for the pictures, which are optional
SCREENS = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}
# Lay out the part below the view too, since a picture shows the whole page.
SHOW_ALL = 'document.querySelectorAll(".choices li").forEach((each) => (each.style.contentVisibility = "visible"))'


class Stage:
    """Brings the server into a state, of which a customer's browser then opens a page."""

    def __init__(self, walk, sandbox, later, settings, charlie):
        self.walk, self.sandbox, self.later, self.settings, self.charlie = walk, sandbox, later, settings, charlie

    def fault(self, call, fault, **more):
        with self.sandbox.lock:
            self.sandbox.set_faults([{"call": call, "fault": fault, **more}])

    @property
    def location(self):
        return f"/locations/{Location.objects.get().pk}/"

    @property
    def session(self):
        return f"/connect/{self.walk.session.pk}/"


# The path to open, or a function that brings the server into the state and returns the path. If a name ends with "refused",
# the form is sent as it is; with "twice", with an address that is connected already.
SENT = ("refused", "twice")
SEARCHED = {"connect found": "EDF Energy", "connect nothing found": "Bulb"}
VISITOR = {
    "home": "/",
    "sign-in": "/account/login/",
    "sign-in refused": "/account/login/",
    "sign-up": "/account/signup/",
    "sign-up refused": "/account/signup/",
    "password reset": "/account/password/reset/",
    "password reset refused": "/account/password/reset/",
    "status 404 signed out": "/nowhere/",
    "offline": "/offline/",
}


def route(name):
    def reach(stage):
        PAGES[name][0](stage.walk)
        return stage.walk.path

    return reach


def to_provider(name, log_in=False):
    def reach(stage):
        stage.walk.to_providers().provider(name)
        if log_in:
            stage.walk.log_in_at_provider()
        return stage.walk.path

    return reach


def address_in(country):
    """The address page of a country; that asks for the country if it is ""."""

    def reach(stage):
        stage.walk.start(country=country or "GB")
        if not country:
            Page.objects.update(body={"data": {}})
            ConnectSession.objects.update(country_code="")
        return stage.walk.path

    return reach


def at_login(stage):
    stage.walk.to_providers().provider("Octopus Energy")
    return stage.walk.leave()


def declined(stage):
    stage.walk.get(sign_in_at_provider(at_login(stage), "decline"))
    return stage.walk.path


def left(stage):
    at_login(stage)
    stage.walk.post(stage.session, {})
    return stage.session


def confirm(*answers, by_owner=()):
    """The page of another browser that came back from the login and answered. The owner does `by_owner` before that."""

    def reach(stage):
        other, back = Walk(Client()), sign_in_at_provider(at_login(stage))
        for action in by_owner:
            stage.walk.get(back).act(action)
        other.get(back)
        for answer in answers:
            other.post(other.path, {"answer": answer})
        stage.walk.client.cookies[django_settings.LOGIN_COOKIE_NAME] = other.client.cookies[
            django_settings.LOGIN_COOKIE_NAME
        ].value
        return other.path

    return reach


def other_browsers(stage):
    back = sign_in_at_provider(at_login(stage))
    for _ in range(2):
        Walk(Client()).get(back)
    return stage.session


def other_browser(*answers):
    """The page that the owner sees meanwhile."""
    return lambda stage: confirm(*answers)(stage) and stage.session


def saved(path="", **start):
    def reach(stage):
        stage.walk.fixed(**start)
        return stage.location + path

    return reach


def unfinished(stage):
    """One location with both directions, and three conversations that were left."""
    both_directions(stage)
    stage.walk.by_hand().start().to_providers().provider("Octopus Energy")
    return "/locations/"


def market(path=""):
    def reach(stage):
        stage.walk.to_providers().provider("Octopus Energy").log_in_at_provider().act("SAVE")
        return stage.location + path

    return reach


def tiered(path=""):
    def reach(stage):
        to_provider("Test: tiered", log_in=True)(stage)
        stage.walk.act("SAVE")
        return stage.location + path

    return reach


def complete(stage):
    return stage.walk.fixed().path


def owed(stage):
    stage.fault("exchange", "status_500")
    return stage.walk.fixed().path


def owed_for_long(stage):
    path = owed(stage)
    Page.objects.update(shown_at=timezone.now() - timedelta(hours=2))
    return path


def conflict(stage):
    session = stage.walk.fixed().session
    ConnectSession.objects.update(state=ConnectSession.State.CONFLICT)
    return f"/connect/{session.pk}/{session.newest}/"


def disconnected(stage):
    complete(stage)
    stage.walk.post("/connect/", {"location": Location.objects.get().pk, "direction": "IMPORT"})
    return stage.walk.act("DISCONNECT").path


def disconnected_rates(stage):
    disconnected(stage)
    return stage.location


def expired(stage):
    path = route("rate_fixed_capture")(stage)
    ConnectSession.objects.update(state=ConnectSession.State.EXPIRED)
    return path


def stalled(stage):
    stage.fault("connect", "status_500")
    stage.walk.start()
    return stage.session


def waiting(stage):
    path = route("rate_fixed_capture")(stage)
    ConnectSession.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    return path


def most_chosen(stage):
    stage.settings.POPULAR_PROVIDERS = {"GB": ["Octopus Energy", "British Gas", "EDF"]}
    return stage.walk.to_providers().path


def incomplete(stage):
    stage.walk.start()
    stage.fault("connect.postal_address_capture", "missing_field", field="providers")
    return stage.walk.address().path


def pending(stage):
    to_provider("Test: pending for 2 minutes", log_in=True)(stage)
    stage.walk.act("SAVE")
    return stage.location


def failed(stage):
    to_provider("Test: cannot be read", log_in=True)(stage)
    stage.walk.act("SAVE")
    return stage.location


def failed_summary(stage):
    failed(stage)
    stage.walk.get(stage.location)
    return stage.walk.post("/connect/", {"location": Location.objects.get().pk, "direction": "IMPORT"}).path


def day_and_night(stage):
    stage.walk.by_hand(structure="TIME_OF_DAY").answer(**NIGHT_AND_DAY).name_and_term().act("SAVE")
    return stage.location


def market_wrong(stage):
    stage.walk.get(market()(stage))
    return f"{stage.location}wrong-price/"


def market_device(stage):
    stage.walk.get(market()(stage))
    DeviceKey.make(Location.objects.get(), "evcc")
    return f"{stage.location}devices/"


def day_and_night_wrong(stage):
    stage.walk.get(day_and_night(stage))
    return f"{stage.location}wrong-price/"


def both_directions(stage):
    market()(stage)
    location = Location.objects.get().pk
    stage.walk.post("/connect/", {"location": location, "direction": "EXPORT"})
    if stage.walk.route == "postal_address_capture":
        stage.walk.address()
    stage.walk.provider("Ecotricity").answer(options="FIXED").answer(cost="15").name_and_term().act("SAVE")
    return stage.location


def out_of_reach(stage):
    path = market()(stage)
    stage.later(hours=6)
    stage.fault("rates", "status_500")
    return path


def contract_ended(stage):
    stage.walk.by_hand().answer(cost="28.15").answer(tariff_name="Simple")
    return stage.walk.answer(term="date", contract_end_date="2019-03-31", sure="2019-03-31").path


def contract_ended_rates(stage):
    contract_ended(stage)
    stage.walk.act("SAVE")
    return stage.location


def last_day(stage):
    contract_ended_rates(stage)
    Tariff.objects.update(contract_end=timezone.now().date(), rates=Tariff.Rates.ENDED)
    return stage.location


def zone_unknown(stage):
    complete(stage)
    Location.objects.update(time_zone="Mars/Olympus")
    later = timezone.now() + timedelta(minutes=15)
    Tariff.objects.update(rates=Tariff.Rates.FAILING, last_result=UNKNOWN_ZONE, due_at=later)
    return stage.location


def thirty(stage):
    complete(stage)
    first = Location.objects.get()
    tariff = first.tariffs.get()
    for number in range(2, 31):
        first.pk, first.location_id = None, f"loc_{number:024x}"
        first.address_line1 = f"{number} Example Street"
        first._state.adding = True
        first.save()
        tariff.pk, tariff.location = None, first
        tariff._state.adding = True
        tariff.save()
    return "/locations/"


def confirmed(path):
    """The page for a customer who has just confirmed the password."""

    def reach(stage):
        stage.walk.client.post("/account/reauthenticate/", {"password": "correct horse battery"})
        return path

    return reach


def sessions(stage):
    """The list of sign-ins of a customer who is signed in at a desktop and on a phone."""
    form = {"login": "alice@example.com", "password": "correct horse battery"}
    stage.walk.client.logout()
    for client, name in ((Client(), "Safari/604.1 iPhone"), (stage.walk.client, "Firefox/145.0 Windows")):
        client.post("/account/login/", form, headers={"user-agent": name})
    return "/account/sessions/"


def with_factor(path):
    """The page for a customer who has a second factor, and has just confirmed the password."""

    def reach(stage):
        alice = User.objects.get(email="alice@example.com")
        TOTP.activate(alice, generate_totp_secret())
        RecoveryCodes.activate(alice)
        return confirmed(path)(stage)

    return reach


def signed_out(reach):
    def reach_signed_out(stage):
        stage.walk.client.logout()
        return reach(stage)

    return reach_signed_out


def mailed_code(stage):
    stage.walk.post("/account/password/reset/", {"email": "alice@example.com"})
    return "/account/password/reset/confirm/"


def code_asked(stage):
    with_factor("/")(stage)
    stage.walk.client.logout()
    stage.walk.post("/account/login/", {"login": "alice@example.com", "password": "correct horse battery"})
    return "/account/second-factor/authenticate/"


def new_password(stage):
    mailed_code(stage)
    code = re.search(r"^\d{3}-\d{3}-\d{3}$", mail.outbox[-1].body, re.M)[0]
    return stage.walk.post("/account/password/reset/confirm/", {"code": code}).path


def in_admin(path, made=complete):
    def reach(stage):
        made(stage)
        stage.walk.client.force_login(stage.charlie)
        return f"/admin/{path}"

    return reach


def raising(status):
    def reach(stage):
        stage.settings.ROOT_URLCONF = "tests.browser.raising"
        return f"/raise/{status}/"

    return reach


CUSTOMER = {
    "no location": "/locations/",
    "one location": lambda stage: saved()(stage) and "/locations/",
    "one location, unfinished": unfinished,
    "thirty locations": thirty,
    "location deleted": saved("delete/"),
    "tariff": saved("tariff/"),
    "tariff failed": lambda stage: stage.walk.get(failed(stage)) and stage.location + "tariff/",
    "start": "/connect/",
    "start unfinished": lambda stage: route("rate_fixed_capture")(stage) and "/connect/",
    **{f"connect {name}": route(name) for name in PAGES if "/" not in name},
    "connect address, no country": address_in(""),
    "connect address, no country refused": address_in(""),
    "connect address in Japan": address_in("JP"),
    "connect address in the United States refused": address_in("US"),
    **{
        f"connect {name} refused": route(name)
        for name in (
            "postal_address_capture",
            "provider_name_capture",
            "rate_fixed_capture",
            "rate_tod_capture",
            "tariff_name_capture",
            "contract_term_capture",
        )
    },
    "connect session_redirect": to_provider("Octopus Energy"),
    "connect session_redirect left": left,
    "connect session_redirect declined": declined,
    "connect other browser asked": other_browser(),
    "connect other browser no": other_browser("no"),
    "connect two other browsers": other_browsers,
    "connect confirm": confirm(),
    "connect confirm yes": confirm("yes"),
    "connect confirm no": confirm("no"),
    "connect confirm late": confirm(by_owner=["SAVE"]),
    "connect most chosen": most_chosen,
    "connect found": most_chosen,
    "connect nothing found": most_chosen,
    "connect region": to_provider("Test: asks for the region"),
    "connect address twice": lambda stage: saved()(stage) and stage.walk.start().path,
    "connect long names": to_provider("Test: long names"),
    "connect error": to_provider("Test: error page"),
    "connect unknown": to_provider("Test: unknown page"),
    "connect market login": to_provider("Test: login approved", log_in=True),
    "connect incomplete": incomplete,
    "connect failed": failed_summary,
    "connect expired": expired,
    "connect stalled": stalled,
    "connect waiting": waiting,
    "complete": complete,
    "complete owed": owed,
    "complete conflict": conflict,
    "complete disconnected": disconnected,
    "rates one price": saved(),
    "rates sold": saved(direction="EXPORT"),
    "rates day and night": day_and_night,
    "rates market": market(),
    "rates tomorrow": market("?day=tomorrow"),
    "rates both": both_directions,
    "rates tiered": tiered(),
    "rates tiered week": tiered("week/"),
    "location tiered": lambda stage: tiered()(stage) and "/locations/",
    "connect tiered": to_provider("Test: tiered", log_in=True),
    "rates pending": pending,
    "rates disconnected": disconnected_rates,
    "rates old": out_of_reach,
    "rates zone unknown": zone_unknown,
    "rates not updated": market(),
    "connect contract ended": contract_ended,
    "rates contract ended": contract_ended_rates,
    "rates last day": last_day,
    "rates week": market("week/"),
    "rates month": market("month/"),
    "rates day": market("day/"),
    "rates wrong price": market_wrong,
    "rates wrong price refused": day_and_night_wrong,
    "rates mails": market("mails/"),
    "rates devices": market("devices/"),
    "rates devices with a key": market_device,
    "rates devices refused": market("devices/"),
    "rates run": market("run/?run=car"),
    "rates run refused": market("run/?run=new"),
    "account": "/account/email/",
    "account password": "/account/password/change/",
    "account sessions": sessions,
    "account second factor": "/account/second-factor/",
    "account second factor on": confirmed("/account/second-factor/totp/activate/"),
    "account sign-out": "/account/logout/",
    "account second factor off": with_factor("/account/second-factor/totp/deactivate/"),
    "account recovery codes": with_factor("/account/second-factor/recovery-codes/"),
    "account recovery codes new": with_factor("/account/second-factor/recovery-codes/generate/"),
    "account with a second factor": with_factor("/account/second-factor/"),
    "account code again": with_factor("/account/second-factor/reauthenticate/"),
    "sign-in code": code_asked,
    "sign-in code refused": code_asked,
    "password reset code": signed_out(mailed_code),
    "password reset new": signed_out(new_password),
    "link too old": "/account/confirm-email/x/",
    "account password again": "/account/delete/",
    "account deleted": confirmed("/account/delete/"),
    "admin": in_admin(""),
    "admin locations": in_admin("tariffs/location/"),
    "admin conversations": in_admin("connect_ui/connectsession/"),
    "admin funnel": in_admin("connect_ui/connectsession/funnel/"),
    "admin attention": in_admin("connect_ui/connectsession/attention/", owed_for_long),
    **{f"status {status}": raising(status) for status in ("400", "403", "403-csrf", "429", "500", "503")},
    "status 404": "/nowhere/",
}


@pytest.fixture
def stage(walk, sandbox, later, settings, charlie):
    settings.STAFF_MFA = False
    return Stage(walk, sandbox, later, settings, charlie)


def look_at(visit, name, path):
    """Open the page, in the state of its name."""
    if not name.endswith(SENT):
        visit.page.add_init_script("window.fetch = () => new Promise(() => {})")  # keeps a waiting page from going on
    visit.open(path)
    if name in SEARCHED:
        visit.page.get_by_role("searchbox").fill(SEARCHED[name])
    if name.endswith("twice"):
        visit.fill(**{field: text for field, text in Walk.ADDRESS.items() if field != "country_code"})
    if name.endswith(SENT):
        visit.leave_by(visit.main.locator("form[method=post] .button:not(.quiet)").first)
    if name.endswith("refused"):
        expect(visit.page.get_by_role("alert").first).to_be_visible()
    if name.endswith("not updated"):
        visit.page.locator(".late").evaluate("note => (note.hidden = false)")
    return visit


# States of a page that differ by their words from one that stays, or have less on it.
ALIKE = {
    *("sign-in", "sign-up refused", "password reset refused", "sign-in code refused"),
    *("one location", "tariff failed", "start", "connect address, no country refused", "connect address in Japan"),
    *(f"connect {name} refused" for name in ("provider_name_capture", "rate_fixed_capture", "tariff_name_capture")),
    *("connect session_redirect left", "connect session_redirect declined", "connect other browser no"),
    *("connect two other browsers", "connect confirm no", "connect confirm late", "connect most chosen"),
    *("connect tiered", "connect contract ended", "complete conflict", "complete disconnected"),
    *("rates sold", "rates market", "rates tiered week", "location tiered", "rates disconnected", "rates not updated"),
    *("rates zone unknown", "rates contract ended", "rates last day", "rates wrong price"),
    *("status 400", "status 403", "status 403-csrf", "status 429", "status 503"),
    *("no location", "location deleted", "one location, unfinished", "start unfinished", "complete owed"),
    *(
        "connect tariff_select",
        "connect tariff_name_capture",
        "connect summary_tariff_inprogress",
        "connect long names",
    ),
    *("connect contract_term_capture refused", "connect confirm yes", "connect incomplete", "connect expired"),
    *("connect stalled", "rates tomorrow", "rates old", "rates pending", "rates day", "rates devices", "rates run"),
    *("account recovery codes new", "account second factor off", "account code again", "account password again"),
    *("password reset new", "link too old", "account deleted"),
}
ADMIN = {name for name in CUSTOMER if name.startswith("admin")}  # Django's own pages, for the pictures alone
STATES = [name for name in (*VISITOR, *CUSTOMER) if SHOTS or name not in (ADMIN if TORTURE else ADMIN | ALIKE)]
# Links that stand by themselves or in a list; one within a sentence is as high as its line.
SMALL_LINKS = """() => [...document.querySelectorAll('main a')]
    .filter(e => e.checkVisibility() && (e.offsetHeight < 24 || e.offsetWidth < 24))
    .map(e => e.outerHTML)"""


def test_every_state_that_is_left_out_is_one():
    assert (VISITOR | CUSTOMER).keys() > ALIKE


def begins_in_view(visit):
    """The first field is in view on a phone, and each link is large enough for a finger."""
    visit.page.set_viewport_size({"width": 360, "height": 640})
    field = visit.page.locator("main input:not([type=hidden])").first
    if field.count():
        box = field.bounding_box()
        assert box["y"] + box["height"] <= 640
    assert visit.page.evaluate(SMALL_LINKS) == []


@pytest.mark.parametrize("name", STATES)
def test_a_page_in_this_state_fits_everybody(name, stage, open_visit, site, watch):
    state = CUSTOMER.get(name) or VISITOR[name]
    watch.expected |= {f"/raise/{status}/" for status in (500, 503)}
    path = state(stage) if callable(state) else state
    watch.expected.add(path)

    def visit(**options):
        visit = open_visit(**NARROW | options)
        if name in CUSTOMER:
            for cookie in (django_settings.SESSION_COOKIE_NAME, django_settings.LOGIN_COOKIE_NAME):
                if given := stage.walk.client.cookies.get(cookie):
                    visit.page.context.add_cookies([{"name": cookie, "value": given.value, "url": site}])
        return visit

    if name not in ADMIN:
        shown = fits(look_at(visit(), name, path))
        if name.startswith(("account", "sign-", "password reset")) and not name.endswith("refused"):
            begins_in_view(shown)
    for language, _ in django_settings.LANGUAGES if SHOTS else ():
        for screen, viewport in SCREENS.items():
            visit_there = look_at(visit(viewport=viewport, locale=language), name, path)
            visit_there.page.evaluate(SHOW_ALL)
            for scheme in ("light", "dark"):
                visit_there.page.emulate_media(color_scheme=scheme)
                file = Path(SHOTS) / f"{language} {screen} {scheme}" / f"{name}.png"
                visit_there.page.screenshot(path=file, full_page=True, animations="disabled")
