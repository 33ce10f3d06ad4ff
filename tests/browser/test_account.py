"""The account pages in a browser: the reader's own time."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.test_accounts import PASSWORD

pytestmark = [pytest.mark.browser]


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
