"""Presses and typed fields from the front page, signed out, to the rates: as few as Connect's own questions allow."""

import pytest

from tests.browser.conftest import TORTURE

pytestmark = pytest.mark.browser

# Counts what is pressed (links, buttons, choices) and the fields that are typed into, on every site on the way. Setting the
# focus is no press. A press on a choice's label is one on the choice.
COUNT = """
const PRESSED = "a, button, summary, select, [type=radio], [type=checkbox]";
addEventListener("click", ({ target }) => target.closest(PRESSED) && count("pressed", ""), true);
addEventListener("input", ({ target }) => !target.matches(PRESSED) && count("typed", location.pathname + target.name), true);
"""


def by_hand(visit):
    return visit.fixed_price().name_and_term().save()


def day_and_night(visit):
    visit.provider("Ecotricity").structure("Different prices at different times")
    visit.type({"Price 1 starts at": "07:00", "Price 1 per kWh": "30"})
    visit.type({"Price 2 starts at": "23:00", "Price 2 per kWh": "9.5"}).press("Continue").name_and_term().save()


def market(visit):
    visit.provider("Test: market only").on("What does your provider add to the market price?")
    visit.type({"Fixed amount per kWh": "2.5", "Percentage": "5"}).press("Continue").name_and_term().save()


def library(visit):
    visit.provider("SSE").on("Which tariff do you have?").leave_by(visit.choices.first).save()


def pending(visit):
    visit.provider("Test: pending for 2 minutes").log_in_at("Test: pending for 2 minutes")
    visit.on("We are reading your tariff").press("Save and wait")


def tariff_not_listed(visit):
    by_hand(visit.provider("SSE").on("Which tariff do you have?").press("My tariff is not listed"))


def provider_not_listed(visit):
    visit.press("My provider is not listed").on("What is your provider called?")
    by_hand(visit.type({"Name of your provider": "Village Power"}).press("Continue"))


# How it goes on from the list of providers, and the most presses and typed fields in all.
JOURNEYS = {
    "direct login": (
        lambda visit: visit.provider("Octopus Energy").log_in_at("Octopus Energy", "Approve").save(),
        8,
        5,
    ),
    "library": (library, 7, 5),
    "pending": (pending, 7, 5),
    "market by hand": (market, 10, 8),
    "one price": (lambda visit: by_hand(visit.provider("Ecotricity")), 11, 7),
    "day and night": (day_and_night, 11, 10),
    "tariff not listed": (tariff_not_listed, 12, 7),
    "provider not listed": (provider_not_listed, 12, 8),
}


# Without TORTURE by a login, by hand, and with a name that is typed. tests/browser/test_journeys.py takes all these ways.
TRIED = JOURNEYS if TORTURE else ["direct login", "day and night", "provider not listed"]


@pytest.mark.parametrize("name", TRIED)
def test_a_journey_takes_no_more_presses_and_typed_fields(name, open_visit):
    visit, pressed, typed = open_visit("desktop"), [], set()
    visit.page.context.expose_function(
        "count", lambda kind, field: pressed.append(field) if kind == "pressed" else typed.add(field)
    )
    visit.page.context.add_init_script(COUNT)
    journey, most_pressed, most_typed = JOURNEYS[name]
    journey(visit.sign_up().begin().address())
    visit.to_rates()
    assert (len(pressed), len(typed)) == (most_pressed, most_typed)
