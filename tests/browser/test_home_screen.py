"""The pages that people come back to: whether Chromium would put them on a home screen, and what they load the first time."""

import shutil

import pytest
from django.conf import settings as django_settings

from tests.browser.conftest import ARGUMENTS, PATIENCE, PHONE

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(playwright, chromium, site, walk, tmp_path):
    """A phone with empty caches, in which Alice is signed in and has one tariff; not incognito, which installs nothing."""
    walk.fixed()
    path = shutil.which("chromium") or shutil.which("google-chrome")
    context = playwright.chromium.launch_persistent_context(
        tmp_path, executable_path=path, args=ARGUMENTS, base_url=site, **PHONE
    )
    context.set_default_timeout(PATIENCE)
    name = django_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": walk.client.cookies[name].value, "url": site}])
    yield context.pages[0]
    context.close()


def test_chromium_would_put_it_on_a_home_screen(phone, walk):
    line = phone.context.new_cdp_session(phone)
    for path in ("/locations/", f"/locations/{walk.session.location_id}/"):
        phone.goto(path)
        phone.wait_for_load_state("networkidle")
        assert line.send("Page.getInstallabilityErrors")["installabilityErrors"] == [], path
    phone.goto("/account/email/")
    assert line.send("Page.getInstallabilityErrors")["installabilityErrors"] != []  # a page without the manifest


def test_the_rates_page_takes_four_requests_the_first_time(phone, walk):
    line = phone.context.new_cdp_session(phone)
    line.send("Network.enable")
    answers = {}
    line.on("Network.responseReceived", lambda event: answers.setdefault(event["response"]["url"], event["response"]))
    phone.goto(f"/locations/{walk.session.location_id}/")
    phone.wait_for_load_state("networkidle")
    phone.wait_for_function("navigator.serviceWorker.controller || navigator.serviceWorker.ready.then(() => true)")
    names = [url.rpartition("/")[2].partition("?")[0] or "the page" for url in answers]
    assert sorted(names) == ["app.js", "icon.svg", "manifest.webmanifest", "the page"]
