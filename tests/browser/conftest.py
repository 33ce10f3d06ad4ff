import os
import shutil

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Error, expect, sync_playwright

from tests.browser.visit import Visit
from tests.browser.watch import Watch

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
SCREENS = {
    "phone": PHONE,
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "no script": PHONE | {"java_script_enabled": False},
}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = (
    "No Chromium can be started for the tests in a browser: install it with the system's packages "
    "(Debian: apt-get install chromium) or with `playwright install chromium`."
)
PATIENCE = 30_000  # milliseconds for what takes a few on an idle machine, since others may use this one


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright):
    """One browser for all tests: the system's, or else Playwright's.

    Chromium's headless shell renders the same and takes half the time: it draws no window.
    """
    expect.set_options(timeout=PATIENCE)
    path = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    try:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    except Error as error:
        if os.environ.get("CI"):
            pytest.fail(f"{MISSING}\n{error}")
        pytest.skip(MISSING)
    yield browser
    browser.close()


# `make torture` uses each screen. Otherwise only tests that name it use a desktop, where the script is the same, and those
# of WITHOUT_SCRIPT_TOO have a second case.
TORTURE = "TORTURE" in os.environ
USUAL = SCREENS if TORTURE else ["phone"]
WITHOUT_SCRIPT_TOO = pytest.mark.parametrize("screen", SCREENS if TORTURE else ["phone", "no script"], indirect=True)


@pytest.fixture(params=USUAL)
def screen(request):
    """The name of a screen; a test may name the only ones that it is about."""
    return request.param


@pytest.fixture
def site(live_server, sandbox, settings):
    """The address of the site, to which FlatPeak and the providers send browsers back."""
    settings.SITE_URL = live_server.url
    return live_server.url


@pytest.fixture
def watch(site):
    """Checks every request and page of a test. A test adds to `expected` the paths that it makes fail."""
    watch = Watch(site, django_settings.FLATPEAK_API_URL)
    yield watch
    assert not watch.findings, "\n".join(watch.findings)


@pytest.fixture
def open_visit(chromium, site, watch):
    """Open a browser without cookies, on a screen of the given kind, with an empty page."""
    contexts = []

    def open_visit(screen="phone", **options):
        options = {"locale": "en-GB", "timezone_id": "Europe/London"} | SCREENS[screen] | options
        context = chromium.new_context(base_url=site, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        return Visit(context.new_page(), script=options.get("java_script_enabled", True))

    yield open_visit
    for context in contexts:
        context.close()


@pytest.fixture
def visitor(open_visit, screen):
    """A browser in which nobody has signed in."""
    return open_visit(screen)


@pytest.fixture
def sign_in(client, alice, site):
    """Sign a visitor in as Alice, without the form."""

    def sign_in(visit):
        client.force_login(alice)
        name = django_settings.SESSION_COOKIE_NAME
        visit.page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        return visit

    return sign_in


@pytest.fixture
def visit(visitor, sign_in):
    """Alice, signed in, on the screen of the test."""
    return sign_in(visitor)
