"""The summary in a browser: what is typed can be changed there, and the button that saves is in view."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WITHOUT_SCRIPT_TOO

pytestmark = pytest.mark.browser


@WITHOUT_SCRIPT_TOO
@pytest.mark.parametrize("earlier", ["accept", "refuse"])
def test_one_answer_is_changed_and_the_customer_is_back_at_the_summary(visit, sandbox, earlier):
    sandbox.state["switches"]["earlier_answers"] = earlier
    visit.to_providers().provider("Ecotricity").fixed_price("28.15").name_and_term("Simple").on("Is this your tariff?")
    visit.leave_by(visit.link("Change: Price per kWh")).on("What do you pay for a kilowatt-hour?")
    expect(visit.field("Price per kWh")).to_have_value("28.15")
    visit.type({"Price per kWh": "31"}).press("Continue").on("Is this your tariff?").sees("31.00p", "Simple")
    visit.save().to_rates().pays("31.00p", "")


@pytest.mark.parametrize("height", [568, 740])
def test_the_button_that_saves_is_in_view_however_long_the_summary_is(open_visit, sign_in, height):
    visit = sign_in(open_visit("phone", viewport={"width": 360, "height": height}))
    visit.to_providers().provider("Octopus Energy").log_in_at("Octopus Energy", "Approve").on("Is this your tariff?")
    expect(visit.button("Yes, save it")).to_be_in_viewport(ratio=1)
    assert visit.page.evaluate("scrollY") == 0
    assert visit.page.evaluate("document.documentElement.scrollHeight > innerHeight * 1.5")
