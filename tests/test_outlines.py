"""Each page has the outline that it should: every link, form, field and sentence, and what a screen reader is told."""

import re
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.core.cache import caches
from django.http import QueryDict
from django.shortcuts import render
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession
from connect_ui.routes import form_for
from flatpeak_app.accounts.models import User
from tariffs.models import Location, Tariff, Wish
from tariffs.rates import Segment
from tests.outline import differences, hold, outline
from tests.test_customer_page import fill
from tests.test_rates_pages import NOW, asked, noon, tariff
from tests.test_templates import DATA, PROVIDER, page, shown

__all__ = ["asked", "noon", "shown", "tariff"]  # fixtures
PASSWORD = "correct horse battery"

# --- the pages of a conversation


@pytest.mark.parametrize("route", DATA)
def test_a_page_of_a_conversation(shown, route):
    hold("conversation", route, outline(shown(page(route))))


def differs(shown, route, how, html):
    """Hold what differs from the page without anything special."""
    hold("conversation", f"{route}, {how}", differences(outline(shown(page(route))), outline(html)))


SOLD = ["provider_select", "rate_fixed_capture", "summary_tou_confirm"]


@pytest.mark.parametrize("route", SOLD)
def test_a_page_about_what_is_sold(shown, route):
    differs(shown, route, "sold", shown(page(route, direction="EXPORT")))


@pytest.mark.parametrize(
    ("route", "typed"),
    [
        ("rate_fixed_capture", "cost=abc"),
        ("rate_fixed_capture", "cost=0.28"),
        ("rate_tod_capture", "periods=2&start_0=25:00&cost_0=10&start_1=&cost_1=abc"),
        ("market_surcharge_capture", "fixed=abc&percentage=5&region="),
        ("contract_term_capture", "start=2026-06-16&end=2025-01-01"),
        ("postal_address_capture", "address_line1=&city=&post_code="),
    ],
)
def test_a_page_with_what_was_typed_wrong(shown, route, typed):
    differs(shown, route, typed, shown(page(route), form=form_for(page(route), QueryDict(typed))))


@pytest.mark.parametrize("route", ["provider_select", "tariff_select"])
def test_a_list_with_a_choice_that_was_made_and_actions(shown, route):
    listed = {
        "providers": [PROVIDER, PROVIDER | {"id": "prv_2", "display_name": "E.ON"}],
        "tariffs": [{"id": "trt_1", "name": "Simple"}, {"id": "trt_2", "name": "Extra", "description": "7 h"}],
    }
    actions = ["PROVIDER_MISSING", "TARIFF_MISSING", "ADDRESS_CHANGE"]
    typed = {"provider": "prv_2", "tariff": "trt_2"}
    data = DATA[route] | {name: listed[name] for name in DATA[route].keys() & listed.keys()}
    hold("conversation", f"{route} chosen", outline(shown(page(route, data, typed, actions=actions), query="e")))
    hold("conversation", f"{route} not found", outline(shown(page(route, data, typed, actions=actions), query="zzz")))


@pytest.mark.parametrize("route", [name for name in DATA if name.startswith(("summary", "tariff"))])
def test_a_summary_with_all_that_can_be_done(shown, route):
    actions = ["SAVE", "EDIT", "WRONG_TARIFF_REPORT", "DISMISS_DIRECT", "RECONNECT", "DISCONNECT", "BACK", "CLOSE"]
    differs(shown, route, "all actions", shown(page(route, actions=actions), account="sandbox"))


# --- the pages around the questions


def rendered(rf, user, template, status=200, **context):
    request = rf.get("/here/")
    request.user = user
    return outline(render(request, template, context, status=status).content.decode())


OPEN = {"expires_at": NOW, "newest": 2, "account": "sandbox"}
FRAMES = {
    "stalled": [{}, {"last_error_code": "city_missing"}],
    "expired": [{}, {"last_error_code": ConnectSession.DECLINED}, {"account": "acc_other"}],
    "wait": [{}],
    "asked": [{"login": "asked"}, {"login": "claimed"}],
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_page_without_a_question(rf, name):
    for n, columns in enumerate(FRAMES[name]):
        session = ConnectSession(**OPEN | columns)
        text = rendered(rf, User(email="alice@example.com"), f"connect_ui/{name}.html", session=session)
        hold("conversation", f"{name} {n + 1}", text)


@pytest.mark.parametrize("says", ["asks", "agreed", "connected", "nothing"])
def test_the_question_in_another_browser(rf, says):
    context = {"session": ConnectSession(**OPEN, provider="Ecotricity"), "says": says}
    context |= {"account": "a•••@example.com", "town": "London"}
    hold("conversation", f"confirm: {says}", rendered(rf, AnonymousUser(), "connect_ui/confirm.html", **context))
    context |= {"session": ConnectSession(**OPEN), "town": ""}
    text = rendered(rf, User(email="alice@example.com"), "connect_ui/confirm.html", **context)
    hold("conversation", f"confirm: {says}, signed in", text)


@pytest.mark.django_db
@pytest.mark.parametrize("direction", ["IMPORT", "EXPORT"])
def test_the_question_about_an_address_that_is_connected(rf, tariff, direction):
    asked = page("postal_address_capture")
    session = asked.session = ConnectSession(**OPEN, direction=direction)
    context = {"session": session, "page": asked, "form": form_for(asked), "tariff": tariff}
    text = rendered(rf, tariff.location.customer.user, "connect_ui/already.html", **context)
    hold("conversation", f"already: {direction}", text)


@pytest.mark.django_db
@pytest.mark.parametrize("login", ["", "away"])
def test_the_pages_before_and_after_a_login(shown, alice, login):
    columns = {
        "connect_token": "token",
        "provider": "Ecotricity",
        "expires_at": NOW,
        "account": "sandbox",
        "login": login,
    }
    session = ConnectSession.objects.create(user=alice, **columns)
    providers = {"provider": PROVIDER, "providers": [PROVIDER, PROVIDER | {"id": "prv_2", "display_name": "E.ON"}]}
    pages = [page("provider_select", providers, actions=["PROVIDER_MISSING"], typed={"provider": "prv_1"})]
    pages += [page("session_redirect"), page("provider_select", providers, actions=["PROVIDER_MISSING"])]
    for number, each in enumerate(pages, 1):
        each.session, each.number, each.came_from = session, number, number - 1 or None
        each.save()
    for each, newest, at in ((pages[1], 2, "redirect"), (pages[1], 3, "provider"), (pages[2], 3, "provider")):
        html = shown(each, pk=session.pk, newest=newest, last_route=at, **columns)
        hold("conversation", f"login {login!r}, page {each.number} of {newest}", outline(html))


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["open", "owed", "disconnected", "conflict", "expired"])
def test_the_end_of_a_conversation(shown, tariff, state):
    html = shown(page("session_complete"), state=state, account="sandbox", location=tariff.location, tariff=tariff)
    differs(shown, "session_complete", state, html)


def without_person(answer):
    text = re.sub(r"\d+ seconds? ago", "just now", outline(answer.content.decode()))
    return re.sub(r'name="person" value="[^"]+"', 'name="person" value="…"', text)


def test_what_can_be_gone_on_with(client, alice, settings):
    settings.TERMS_URL, settings.PRIVACY_URL = "/terms", "/privacy"
    client.force_login(alice)
    soon = timezone.now() + timedelta(hours=1)
    for n, (state, provider) in enumerate([("open", "Ecotricity"), ("owed", "")]):
        ConnectSession.objects.create(
            user=alice, state=state, expires_at=soon, connect_token=f"token {n}", provider=provider
        )
    for path in ("/connect/", "/locations/?all"):
        html = client.get(path).content.decode()
        hold(
            "conversation",
            f"not finished, {path}",
            re.sub(r'name="person" value="[^"]+"', 'name="person"', outline(html)),
        )
    html = client.post("/connect/", {"direction": "SIDEWAYS"}).content.decode()
    hold("conversation", "begin with an error", re.sub(r'name="person" value="[^"]+"', 'name="person"', outline(html)))


# --- the pages of a location

LATER = NOW + timedelta(hours=1)
PRICES = [Segment(NOW, LATER, Decimal(rate), Decimal(1)) for rate in ("0.125", "0.3")]
STATES = {
    "bought": {},
    "sold": {"direction": "EXPORT"},
    "with an end": {"contract_end": date(2027, 6, 15)},
    "until terminated": {"contract_open_ended": True},
    "ended": {"contract_end": date(2026, 11, 20)},
    "disconnected": {"state": "disconnected", "state_since": NOW - timedelta(days=3)},
    "failed": {"state": "failed"},
    "pending": {"state": "pending", "rates": "pending"},
    "in steps": {"tiered": True},
    "with a new sign-in": {"upgrade_since": NOW},
    "with nothing to read": {"last_result": "no_price_data", "rates": "failing", "due_at": LATER},
    "without a connection": {"last_result": "no_tariff_connected", "rates": "failing", "due_at": LATER},
}


@pytest.fixture
def hers(noon, tariff, asked, client, alice):
    """The path of Alice's location at noon, whose prices were read."""
    client.force_login(alice)
    path = f"/locations/{tariff.location_id}/"
    client.get(path)
    return path


def look(client, group, name, path):
    answer = client.get(path)
    assert answer.status_code == 200
    hold(group, name, outline(answer.content.decode()))


@pytest.mark.parametrize("state", STATES)
def test_a_tariff_in_each_state(hers, client, state):
    pages = {"prices": hers, "tariff": f"{hers}tariff/", "list": "/locations/?all"}
    before = {name: outline(client.get(path).content.decode()) for name, path in pages.items()}
    Tariff.objects.update(**STATES[state])
    caches["html"].clear()
    for name, path in pages.items():
        text = outline(client.get(path).content.decode())
        hold("location", f"{name}, {state}", differences(before[name], text) if STATES[state] else text)


@pytest.mark.parametrize(
    "path", ["?day=tomorrow", "day/", "day/?date=2026-11-20", "week/", "month/", "mails/", "delete/"]
)
def test_the_other_pages_of_a_location(hers, client, path):
    look(client, "location", path, hers + path)


@pytest.mark.parametrize("path", ["", "?direction=EXPORT&day=tomorrow", "week/?direction=EXPORT", "mails/"])
def test_a_location_that_buys_and_sells(hers, client, tariff, path):
    Tariff.objects.create(
        location=tariff.location, direction="EXPORT", provider="Example Solar", name="Sun", due_at=NOW
    )
    Wish.objects.create(tariff=tariff, kind="below", limit="0.125")
    look(client, "location", f"both: {path}", hers + path)


@pytest.mark.parametrize("account", ["sandbox", "acc_other"])
def test_a_location_of_another_account(hers, client, settings, account):
    Location.objects.update(account=account)
    settings.FLATPEAK_REALM = "acc_mine"
    look(client, "location", f"prices of {account}", hers)
    look(client, "location", f"list with {account}", "/locations/?all")


def test_the_pages_for_appliances(hers, client, tariff, alice):
    for run in ("new", "car"):
        look(client, "location", f"run/?run={run}", f"{hers}run/?run={run}")


def test_the_page_for_a_wrong_price(hers, client):
    look(client, "location", "wrong-price/", f"{hers}wrong-price/?direction=IMPORT")
    look(client, "location", "wrong-price/ without a price", f"{hers}wrong-price/?direction=IMPORT&date=2026-11-01")


# --- the pages of an account


def account(client, name, path, data=None):
    answer = client.get(f"/account/{path}") if data is None else client.post(f"/account/{path}", data, follow=True)
    text = outline(answer.content.decode())
    text = re.sub(r'datetime="[^"]+" \| [^|]+? UTC', 'datetime="…" | … UTC', text)
    hold("account", name, re.sub(r"confirm-email/[^/\"]{9,}/", "confirm-email/KEY/", text))
    return answer


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["login", "signup", "password/reset", "inactive", "confirm-email/x"])
def test_a_door(client, settings, path):
    settings.SUPPORT_EMAIL = "help@example.com"
    account(client, path, f"{path}/?next=/connect/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["login", "signup", "password/reset"])
def test_a_door_with_errors(client, path):
    account(client, f"{path} with errors", f"{path}/", {"next": "/connect/"})


def test_the_doors_with_a_code(client, alice, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION, settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = "mandatory", True
    account(client, "code for a password", "password/reset/", {"email": alice.email})
    code = re.search(r"^\d{3}-\d{3}-\d{3}$", mail.outbox[0].body, re.M)[0]
    account(client, "wrong code for a password", "password/reset/confirm/", {"code": "111"})
    account(client, "new password", "password/reset/confirm/", {"code": code})
    account(Client(), "code for an address", "signup/", {"email": "new@example.com", "password1": PASSWORD})


@pytest.mark.parametrize("has", ["a second factor", "none"])
def test_the_account(client, alice, has):
    client.force_login(alice)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    paths = ["email", "password/change", "sessions", "second-factor", "logout", "delete", "reauthenticate"]
    if has == "none":
        activate = client.get("/account/second-factor/totp/activate/")
        text = outline(activate.content.decode().replace(activate.context["form"].secret, "SECRET"))
        hold("account", "second-factor/totp/activate", text)
    else:
        TOTP.activate(alice, generate_totp_secret())
        RecoveryCodes.activate(alice)
        paths += [f"second-factor/{at}" for at in ("totp/deactivate", "recovery-codes/generate", "reauthenticate")]
        codes = client.get("/account/second-factor/recovery-codes/")
        html = codes.content.decode()
        for code in codes.context["unused_codes"]:
            html = html.replace(code, "CODE")
        hold("account", "second-factor/recovery-codes", outline(html))
    for path in paths:
        account(client, f"{path}, {has}", f"{path}/")


def test_an_account_with_a_new_address_and_another_browser(client, alice):
    for browser in (client, Client(headers={"user-agent": "Firefox/145.0 Windows"})):
        browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    client.post("/account/email/", {"email": "new@example.com", "action_add": "1"})
    client.get("/account/email/")  # shows the message
    account(client, "email with a new address", "email/")
    text = outline(client.get("/account/sessions/").content.decode())
    text = re.sub(r'datetime="[^"]+" \| [^|]+? UTC', 'datetime="…" | … UTC', text)
    hold("account", "sessions of two", re.sub(r'name="session" value="\d+"', 'name="session" value="1"', text))


def test_the_question_for_a_code(client, alice):
    TOTP.activate(alice, generate_totp_secret())
    account(client, "code for a sign-in", "login/", {"login": alice.email, "password": PASSWORD})


# --- the pages of the site


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500", "503", "offline", "account/unsent"])
def test_a_page_for_when_something_is_wrong(rf, name):
    hold(
        "site",
        name,
        rendered(rf, AnonymousUser(), f"{name}.html", request_id="REFERENCE", sent=[("email", "alice@example.com")]),
    )


@pytest.mark.django_db
def test_the_front_page(client):
    hold("site", "home", outline(client.get("/").content.decode()))


@pytest.mark.parametrize("wish", ["tomorrow", "below", "above", None])
def test_the_page_that_ends_a_mail(rf, wish):
    context = {"wish": wish and Wish(kind=wish), "done": False, "forged": False}
    hold("site", f"stop_mails: {wish}", rendered(rf, AnonymousUser(), "tariffs/stop_mails.html", **context))
    if wish == "below":
        for how in ("done", "forged"):
            text = rendered(rf, AnonymousUser(), "tariffs/stop_mails.html", **context | {how: True})
            hold("site", f"stop_mails: {how}", text)


# --- mails

BEST = SimpleNamespace(start=NOW + timedelta(hours=8), end=NOW + timedelta(hours=11), mean=Decimal("0.14"))
MAILS = {
    "arrived": [{}],
    "ended": [{}],
    "ends": [{"days": 1}, {"days": 30}],
    "late": [{}],
    "login": [{}],
    "over": [{}],
    "unread": [{}],
    "tomorrow": [
        {"lowest": PRICES[low], "highest": PRICES[high], "best": best, "known_until": until}
        for low, high, best, until in ((0, 0, None, None), (0, 1, None, NOW), (0, 1, BEST, None))
    ],
    "limit": [
        {"wish": Wish(kind=kind, limit="0.2"), "now": PRICES[0], "now_until": until, "until": until, "best": best}
        for kind, until, best in (
            ("below", None, None),
            ("below", LATER, BEST),
            ("above", None, BEST),
            ("above", LATER, None),
        )
    ],
}


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_about_a_tariff(noon, tariff, name):
    tariff.contract_end = date(2026, 12, 31)
    for direction in ("IMPORT", "EXPORT") if name in ("tomorrow", "limit") else ("IMPORT",):
        for n, more in enumerate(MAILS[name], 1):
            context = {"tariff": tariff, "link": "LINK", "stop": "STOP", "at": NOW, "zone": tariff.location.zone} | more
            context |= {"day": date(2026, 11, 24)} if name == "tomorrow" else {}
            tariff.direction = direction
            hold("mails", f"{name} {n}, {direction}", render_to_string(f"tariffs/mail/{name}.txt", context))
    tariff.provider = tariff.name = tariff.location.address_line1 = ""
    hold("mails", f"{name} without names", render_to_string(f"tariffs/mail/{name}.txt", context))


def mailed(name):
    [message] = mail.outbox
    mail.outbox.clear()
    text = f"To: {message.to}\n{message.subject}\n\n{message.body}"
    text = re.sub(r"\b[\w]{3,4}(-[\w]{3,4}){1,2}$", "CODE", text, flags=re.MULTILINE)
    hold("mails", name, re.sub("^When: .*$", "When: TIME", text, flags=re.MULTILINE))


def test_a_mail_about_an_account(client, alice, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION, settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = "mandatory", True
    client.post("/account/password/reset/", {"email": "nobody@example.com"})
    mailed("a reset without an account")
    client.post("/account/signup/", {"email": alice.email, "password1": PASSWORD})
    mailed("a sign-up with an account")
    Client().post("/account/signup/", {"email": "new@example.com", "password1": PASSWORD})
    mailed("a sign-up")
    browser = Client(headers={"user-agent": "Firefox/145.0 Windows"})
    browser.post("/account/password/reset/", {"email": alice.email})
    code = re.search(r"^\d{3}-\d{3}-\d{3}$", mail.outbox[0].body, re.M)[0]
    mailed("a reset")
    browser.post("/account/password/reset/confirm/", {"code": code}, follow=True)
    browser.post("/account/password/reset/complete/", {"password1": "battery horse correct"})
    mailed("a password that was reset")


@pytest.mark.parametrize("factor", ["totp_activated", "totp_deactivated", "recovery_codes_generated"])
def test_a_mail_about_a_second_factor(factor):
    context = {"timestamp": "TIME", "browser": "BROWSER", "ip": "IP", "reset_url": "RESET"}
    context["current_site"] = SimpleNamespace(name="SITE", domain="DOMAIN")
    for part in ("subject", "message"):
        hold("mails", f"{factor} {part}", render_to_string(f"mfa/email/{factor}_{part}.txt", context))


CHANGED = {"from_email": "FROM", "to_email": "TO", "deleted_email": "DELETED"}


@pytest.mark.parametrize("name", ["password_changed", "email_changed", "email_deleted", "email_confirm"])
def test_a_mail_about_a_change(name):
    context = {"timestamp": "TIME", "browser": "BROWSER", "ip": "IP", "reset_url": "RESET"} | CHANGED
    context["current_site"] = SimpleNamespace(name="SITE", domain="DOMAIN")
    for part in ("subject", "message"):
        hold("mails", f"{name} {part}", render_to_string(f"account/email/{name}_{part}.txt", context))


# --- the pages of the operator


TIME = r"\d{4}-\d\d-\d\d(( | \| |\+)\d\d(:|%3A)\d\d[^ &|\n]*)?"


def operators(client, name, path):
    html = client.get(path).content.decode()
    main = re.search(r'<div id="content-main">.*?</div>\s*<br', html, re.DOTALL)[0]
    text = outline(f"<main>{main}></main>")
    hold("admin", name, re.sub(r"/\d+/(change|customer)/", r"/N/\1/", re.sub(TIME, "TIME", text)))


def test_a_page_of_the_operator(client, charlie, django_user_model):
    alice = django_user_model.objects.create_user("alice@example.com", pk=700)
    client.force_login(charlie)
    for name in ("connect_ui_attention", "connect_ui_funnel"):
        operators(client, f"{name}, empty", reverse(f"admin:{name}"))
    fill(alice)
    for name in ("connect_ui_attention", "connect_ui_funnel"):
        operators(client, name, reverse(f"admin:{name}"))
    operators(client, "customer", reverse("admin:customer", args=[alice.pk]))
    operators(client, "a customer without anything", reverse("admin:customer", args=[charlie.pk]))


# --- what is around every page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/account/login/", "/account/signup/", "/locations/", "/connect/", "/account/email/"])
def test_what_is_around_a_page(client, alice, settings, path):
    settings.TERMS_URL, settings.PRIVACY_URL, settings.IMPRINT_URL = "/terms", "/privacy", "/imprint"
    settings.SUPPORT_EMAIL = "help@example.com"
    if path not in ("/account/login/", "/account/signup/"):
        client.force_login(alice)
    client.cookies["theme"] = "dark"
    html = client.get(path).content.decode()
    hold("around", f"header of {path}", outline(html, "header"))
    if path in ("/account/login/", "/connect/"):
        for part in ("head", "aside", "footer"):
            hold("around", f"{part} of {path}", outline(html, part))
        frame = "\n".join(re.findall("<(?:html|body)[^>]*>", html))
        hold("around", f"frame of {path}", re.sub(r'data-person="[^"]+"', 'data-person="…"', frame))
