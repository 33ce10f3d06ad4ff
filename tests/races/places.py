"""Where the buttons are: every page that has one, by the name of its template, and how a customer gets there."""

import re
from collections.abc import Callable
from typing import Any

import requests
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time

from connect_ui.routes import ROUTES
from tariffs.models import Location
from tests.races.servers import ANSWERS, PASSWORD, Tab

SECRET = "JBSWY3DPEHPK3PXP"
TIMES = {"start_0": "00:00", "cost_0": "11", "start_1": "07:00", "cost_1": "28"}


def to(step: str, **then: str) -> Callable[[Tab], Any]:
    """On the way by hand to a page of STEPS, and on by one more press."""
    return lambda tab: tab.walk_to(step).press(**then) if then else tab.walk_to(step)


def back_from_login(provider: str) -> Callable[[Tab], Any]:
    def go(tab: Tab) -> None:
        to("provider", provider=provider)(tab)
        there = tab.browser.get(tab.url + f"{tab.path}login/", allow_redirects=False, timeout=30).headers["Location"]
        back = requests.get(f"{there}&back=1", allow_redirects=False, timeout=30).headers["Location"]
        tab.get(back.removeprefix(tab.url))

    return go


def at_login(tab: Tab) -> str:
    """Once its link was followed; where the login leads back to, if it is made."""
    to("provider", provider="Octopus Energy")(tab)
    there = tab.browser.get(tab.url + f"{tab.path}login/", allow_redirects=False, timeout=30).headers["Location"]
    tab.get()
    back = requests.post(there, {"outcome": "approve"}, allow_redirects=False, timeout=30).headers["Location"]
    return back.removeprefix(tab.url)


def asked(tab: Tab) -> None:
    tab.site.tab().get(at_login(tab))
    tab.get()


def another_browser(tab: Tab) -> None:
    back = at_login(tab)
    tab.browser.cookies.clear()
    tab.get(back)


def by_time_of_day(tab: Tab) -> None:
    to("options", options="TIME_OF_DAY")(tab)
    tab.press(**TIMES).answer().answer()


def connected(tab: Tab, page: str = "") -> Tab:
    """To a page of the customer's one location."""
    tab.get("/connect/").finish()
    return tab.get(f"/locations/{Location.objects.get(customer__user=tab.user).pk}/{page}")


def connected_before(tab: Tab) -> None:
    connected(tab).get("/connect/").walk_to("address_line1")
    tab.press(**{name: value for name, value in ANSWERS["address_line1"].items() if name != "again"})


def failed(tab: Tab) -> None:
    back_from_login("Test: cannot be read")(tab)
    tab.press(action="SAVE").settle()
    tab.get(f"/locations/{Location.objects.get(customer__user=tab.user).pk}/").get(
        f"/locations/{Location.objects.get(customer__user=tab.user).pk}/tariff/"
    ).press_on("Check or change it")


def first_page_missing(tab: Tab) -> None:
    tab.get("/connect/")
    tab.site.fault("connect", "status_500")
    tab.answer()
    tab.site.control(faults=[])


def incomplete(tab: Tab) -> None:
    tab.walk_to("address_line1")
    tab.site.control(faults=[{"call": "connect", "fault": "missing_field", "field": "providers"}])
    tab.answer()


def expired(tab: Tab) -> None:
    tab.walk_to("cost")
    tab.site.control(advance=90_000)
    tab.answer()


def confirmed(page: str) -> Callable[[Tab], Any]:
    """A page that asks for the password again first."""
    return lambda tab: tab.get(page).press(password=PASSWORD)


def with_second_factor(page: str) -> Callable[[Tab], Any]:
    def go(tab: Tab) -> None:
        TOTP.activate(tab.user, SECRET)
        tab.get(page)

    return go


def signed_out(page: str) -> Callable[[Tab], Any]:
    def go(tab: Tab) -> None:
        tab.browser.cookies.clear()
        tab.get(page)

    return go


def second_factor_asked(tab: Tab) -> None:
    TOTP.activate(tab.user, SECRET)
    signed_out("/account/login/")(tab)
    tab.sign_in(tab.user)


def address_changing(tab: Tab) -> None:
    tab.get("/account/email/").press(email=f"new-{tab.user.email}", action_add="1")
    tab.get("/account/email/")


def code_mailed(tab: Tab) -> None:
    signed_out("/account/password/reset/")(tab)
    tab.press(email=tab.user.email)


def password_to_be_set(tab: Tab) -> None:
    code_mailed(tab)
    tab.press(code=mailed_code(tab)["code"])


def other_browser(tab: Tab) -> None:
    tab.site.tab().get("/account/login/").sign_in(tab.user)
    signed_out("/account/sessions/")(tab)
    tab.sign_in(tab.user)


def mailed_code(tab: Tab) -> dict[str, str]:
    return {"code": re.findall(r"^\d{3}-\d{3}-\d{3}$", tab.site.app.output, re.MULTILINE)[-1]}


def code_of_app(tab: Tab) -> dict[str, str]:
    shown = re.search(
        r'id="authenticator_secret"[^>]*value="(\w+)"|value="(\w+)"[^>]*id="authenticator_secret"', tab.page
    )
    secret = (shown[1] or shown[2]) if shown else SECRET
    return {"code": format_hotp_value(hotp_value(secret, list(yield_hotp_counters_from_time())[1]))}


# Where a page is, and what is typed there before a button is pressed.
PLACES: dict[str, tuple[Callable[[Tab], Any], Any]] = {
    "base": (lambda tab: tab.get("/locations/"), {}),
    # Connect's pages, by route
    "connect_ui/address": (to("address_line1"), ANSWERS["address_line1"]),
    "connect_ui/provider": (to("provider"), {}),
    "connect_ui/provider_name": (to("provider", action="PROVIDER_MISSING"), {"provider_name": "Example"}),
    "connect_ui/tariff": (to("provider", provider="SSE"), {}),
    "connect_ui/structure": (to("options"), {}),
    "connect_ui/fixed_price": (to("cost"), ANSWERS["cost"]),
    "connect_ui/timed_prices": (to("options", options="TIME_OF_DAY"), TIMES),
    "connect_ui/region": (to("provider", provider="Test: asks for the region"), {"region": "London"}),
    "connect_ui/surcharge": (
        to("provider", provider="Tomato Energy"),
        {"fixed": "1", "percentage": "5"},
    ),
    "connect_ui/tariff_name": (to("tariff_name"), ANSWERS["tariff_name"]),
    "connect_ui/contract": (to("term"), ANSWERS["term"]),
    "connect_ui/fixed_summary": (to("SAVE"), {}),
    "connect_ui/summary": (by_time_of_day, {}),
    "connect_ui/connected": (to("SAVE"), {}),
    "connect_ui/pending": (back_from_login("Test: pending for 2 minutes"), {}),
    "connect_ui/connecting": (back_from_login("Test: pending for 2 minutes"), {}),
    "connect_ui/failed": (failed, {}),
    "connect_ui/redirect": (at_login, {}),
    "connect_ui/error": (to("provider", provider="Test: error page"), {}),
    "connect_ui/unknown": (to("provider", provider="Test: unknown page"), {}),
    # around them
    "connect_ui/start": (lambda tab: tab.get("/connect/"), ANSWERS["direction"]),
    "connect_ui/stalled": (first_page_missing, {}),
    "connect_ui/page": (incomplete, {}),
    "connect_ui/expired": (expired, {}),
    "connect_ui/asked": (asked, {}),
    "connect_ui/confirm": (another_browser, {}),
    "connect_ui/already": (connected_before, {}),
    "tariffs/rates": (connected, {}),
    "tariffs/tariff": (lambda tab: connected(tab, "tariff/"), {}),
    "tariffs/run": (lambda tab: connected(tab, "run/"), {"name": "Sauna", "duration": "1:30", "kwh": "9", "kw": "6"}),
    "tariffs/mails": (lambda tab: connected(tab, "mails/"), {}),
    "tariffs/devices": (lambda tab: connected(tab, "devices/"), {"name": "evcc"}),
    "tariffs/wrong_price": (lambda tab: connected(tab, "wrong-price/"), {"said": "My bill has another price."}),
    # deletions
    "tariffs/delete_location": (lambda tab: connected(tab, "delete/"), {}),
    "account/delete": (lambda tab: confirmed("/account/delete/")(connected(tab)), {}),
    # the account
    "account/login": (signed_out("/account/login/"), lambda tab: {"login": tab.user.email, "password": PASSWORD}),
    "account/signup": (
        signed_out("/account/signup/"),
        lambda tab: {"email": f"new-{tab.user.email}", "password1": PASSWORD},
    ),
    "account/logout": (lambda tab: tab.get("/account/logout/"), {}),
    "account/reauthenticate": (lambda tab: tab.get("/account/delete/"), {"password": PASSWORD}),
    "account/email_change": (address_changing, lambda tab: {"email": f"other-{tab.user.email}"}),
    "account/password_change": (
        lambda tab: tab.get("/account/password/change/"),
        {"oldpassword": PASSWORD, "password1": "another long battery", "password2": "another long battery"},
    ),
    "account/password_reset": (signed_out("/account/password/reset/"), lambda tab: {"email": tab.user.email}),
    "account/confirm_password_reset_code": (code_mailed, mailed_code),
    "account/password_reset_from_key": (
        password_to_be_set,
        {"password1": "another long battery", "password2": "another long battery"},
    ),
    "usersessions/usersession_list": (other_browser, {}),
    "mfa/authenticate": (second_factor_asked, code_of_app),
    "mfa/reauthenticate": (with_second_factor("/account/second-factor/reauthenticate/"), code_of_app),
    "mfa/totp/activate_form": ((lambda tab: tab.get("/account/second-factor/totp/activate/")), code_of_app),
    "mfa/totp/deactivate_form": (with_second_factor("/account/second-factor/totp/deactivate/"), {}),
    "mfa/recovery_codes/generate": (with_second_factor("/account/second-factor/recovery-codes/generate/"), {}),
}


def releases_of(place: str) -> set[str]:
    """The releases that show the page, by the table of routes; none for a page that is not Connect's."""
    rows = [each for each in ROUTES if place in (f"connect_ui/{each.name}", each.template.removesuffix(".html"))]
    return {release for each in rows for release in each.wire}
