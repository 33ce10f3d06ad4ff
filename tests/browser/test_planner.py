"""When should I run it?: with the keyboard alone, and again on a second visit, with and without script."""

import re

import pytest
from playwright.sync_api import expect

from tariffs.models import Appliance
from tests.browser.test_page import tab_to

pytestmark = pytest.mark.browser


@pytest.fixture
def planner(visit):
    """That part of the rates page of a market tariff."""
    visit.to_providers().provider("Octopus Energy").log_in_at("Octopus Energy", "Approve").save().to_rates()
    return visit.main.locator("#run")


def change(planner):
    return planner.get_by_role("link", name="Change: ")


def enter(visit, locator):
    """Go there with Tab, and press Enter, which leads to another page."""
    tab_to(visit, locator)
    with visit.page.expect_navigation(wait_until="domcontentloaded"):
        visit.page.keyboard.press("Enter")


def type_into(visit, label, text):
    field = tab_to(visit, visit.field(label))
    visit.page.keyboard.press("ControlOrMeta+a")
    visit.page.keyboard.type(text)
    return field


def test_it_is_used_with_the_keyboard_alone_and_remembers_what_was_changed(visit, planner):
    keyboard = visit.page.keyboard
    expect(planner).to_contain_text(re.compile("Dishwasher: .+, (about|free|you are paid)"))
    enter(visit, planner.get_by_role("link", name="Car"))
    expect(visit.page).to_have_url(re.compile(r"\?run=car#run$"))
    expect(planner.locator("[aria-current]")).to_have_text("Car")
    expect(planner.locator("p").first).to_have_text(re.compile("^Car: "))
    enter(visit, change(planner))
    type_into(visit, "Energy in kWh", "14")
    with visit.page.expect_navigation(wait_until="domcontentloaded"):
        keyboard.press("Enter")
    expect(change(planner)).to_have_text("Change: 14 kWh in 2:00 hours")
    enter(visit, planner.get_by_role("link", name="Add"))
    type_into(visit, "Name", "Sauna")
    type_into(visit, "Duration in hours and minutes", "1:30")
    type_into(visit, "Energy in kWh", "9")
    tab_to(visit, visit.field("It may pause while power is dear"))
    keyboard.press("Space")
    enter(visit, visit.button("Save"))
    expect(planner.locator("[aria-current]")).to_have_text("Sauna")
    assert [(each.kind, each.name, each.minutes, each.split) for each in Appliance.objects.order_by("pk")] == [
        ("car", "", 120, True),
        ("", "Sauna", 90, True),
    ]


def test_a_second_visit_finds_its_appliances(visit, planner, open_visit):
    place = visit.page.url
    visit.open(f"{place.partition('?')[0]}run/?run=new").type(
        {"Name": "Sauna", "Energy in kWh": "9", "Power in kW": "6"}
    ).press("Save")
    visit.open(f"{place}?run=dishwasher")
    visit.leave_by(change(planner))
    visit.type({"Power in kW": "1.2"}).press("Save")
    visit.open(place)
    expect(change(planner)).to_have_text("Change: 1.2 kWh in 1:00 hours")
    visit.leave_by(planner.get_by_role("link", name="Sauna"))
    expect(change(planner)).to_have_text("Change: 9 kWh in 1:30 hours")
    visit.leave_by(change(planner))
    visit.press("Remove")
    expect(planner.locator(".chips a")).to_have_text(
        ["Dishwasher", "Washing machine", "Car", "Heat pump", "Water heater", "Add"]
    )


def test_what_is_refused_is_told_at_its_field_and_kept(visit, planner):
    visit.open(f"{visit.page.url}?run=car")
    visit.leave_by(change(planner))
    visit.type({"Energy in kWh": "a lot", "Ready by (optional)": "06:15"}).press("Save").on("Car")
    expect(visit.page.get_by_role("alert")).to_contain_text("Enter the energy in kWh, above 0 and up to 1000.")
    expect(visit.field("Energy in kWh")).to_have_attribute("aria-invalid", "true")
    expect(visit.field("Ready by (optional)")).to_have_value("06:15")
    visit.type({"Energy in kWh": "7"}).press("Save")
    expect(change(planner)).to_have_text("Change: 7 kWh in 1:00 hours")
