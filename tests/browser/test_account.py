"""The account pages in a browser: the reader's own time, the field in view, and links that a finger meets."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.browser.test_states import CUSTOMER, VISITOR, stage  # noqa: F401  # a fixture
from tests.test_accounts import PASSWORD

pytestmark = [pytest.mark.browser]

FIELDS = {
    name: state
    for name, state in (VISITOR | CUSTOMER).items()
    if name.startswith(("account", "sign-", "password reset")) and not name.endswith("refused")
}
# Links that stand by themselves or in a list; one within a sentence is as high as its line.
SMALL = """() => [...document.querySelectorAll('main a')]
    .filter(e => e.checkVisibility() && (e.offsetHeight < 24 || e.offsetWidth < 24))
    .map(e => e.outerHTML)"""


@pytest.mark.parametrize(("zone", "script"), [("Asia/Tokyo", True), ("America/New_York", True), ("Asia/Tokyo", False)])
def test_the_list_of_sign_ins_has_the_readers_own_time_and_without_script_names_the_zone(
    open_visit, alice, zone, script
):
    visit = open_visit("desktop", timezone_id=zone, java_script_enabled=script)
    visit.open("/account/login/").fill(login=alice.email, password=PASSWORD).press("Sign in")
    visit.open("/account/sessions/")
    since = visit.page.locator("time")
    at = datetime.fromisoformat(since.get_attribute("datetime")).astimezone(ZoneInfo(zone if script else "UTC"))
    joint, end = (" at ", "") if script else (", ", " UTC")
    assert since.inner_text() == f"{at.day} {at:%B %Y}{joint}{at:%H:%M}{end}"


@pytest.mark.long
@pytest.mark.parametrize("name", FIELDS)
def test_the_first_field_of_an_account_page_is_in_view_and_each_link_is_large_enough(name, stage, open_visit, site):  # noqa: F811
    path = FIELDS[name](stage) if callable(FIELDS[name]) else FIELDS[name]
    visit = open_visit(viewport={"width": 360, "height": 640})
    cookies = [{"name": each, "value": given.value, "url": site} for each, given in stage.walk.client.cookies.items()]
    visit.page.context.add_cookies(cookies if name in CUSTOMER else [])
    visit.open(path)
    field = visit.page.locator("main input:not([type=hidden])").first
    if field.count():
        box = field.bounding_box()
        assert box["y"] + box["height"] <= 640
    assert visit.page.evaluate(SMALL) == []
