"""Each way through Connect in a browser, from the start page to the rates of a stored location."""

import re

import pytest
from playwright.sync_api import expect

from tariffs.models import Tariff
from tariffs.screens.shown import look_again
from tests.browser.conftest import SCREENS, WITHOUT_SCRIPT_TOO

pytestmark = pytest.mark.browser


def only_tariff():
    tariff = Tariff.objects.select_related("location").get()
    assert tariff.location.location_id.startswith("loc_")
    return tariff


@pytest.mark.smoke
@pytest.mark.parametrize("screen", SCREENS, indirect=True)
def test_somebody_new_signs_up_and_types_a_fixed_price(visitor):
    visitor.sign_up().begin().address().provider("Ecotricity").fixed_price("28.15")
    visitor.sees("28.15p (£0.2815) per kWh").name_and_term("Simple")
    visitor.on("Is this your tariff?").sees("28.15p").save().to_rates()
    visitor.sees("Simple").pays("28.15p", until="")
    visitor.open("/locations/").on("My locations").sees("Ecotricity", "28.15p")
    assert only_tariff().structure == "FIXED"


@WITHOUT_SCRIPT_TOO
def test_day_and_night_prices_are_typed_with_a_third_one_added(visit):
    visit.to_providers().provider("Ecotricity").structure("Different prices at different times")
    visit.on("What are your prices, and when do they start?")
    visit.type({"Price 1 starts at": "07:00", "Price 1 per kWh": "30"})
    visit.type({"Price 2 starts at": "23:00", "Price 2 per kWh": "9,5"})
    visit.press("Add another price")
    expect(visit.field("Price 2 per kWh")).to_have_value("9,5")
    visit.type({"Price 3 starts at": "16:00", "Price 3 per kWh": "41"}).press("Continue")
    visit.sees("16:00 to 23:00: 41.00p (£0.41) per kWh", "23:00 to 07:00: 9.50p (£0.095) per kWh")
    visit.name_and_term().save().to_rates().pays("(30.00|41.00|9.50)p", until=" until [^.]+").sees(
        "30.00p", "41.00p", "9.50p"
    )
    assert only_tariff().structure == "TIME_OF_DAY"


def test_a_market_price_is_typed_with_its_surcharge_and_region(visit):
    visit.to_providers().provider("Test: asks for the region")
    visit.on("What does your provider add to the market price?")
    visit.type({"Fixed amount per kWh": "2.5", "Percentage": "5"})
    visit.field("Your region").select_option(index=1)
    visit.press("Continue").sees("plus 2.50p (£0.025) per kWh, then 5%").name_and_term()
    visit.save().to_rates().pays(until=" until [^.]+")
    expect(visit.page.get_by_role("img", name=re.compile("^Today( and tomorrow)?. Lowest"))).to_be_visible()
    assert only_tariff().structure == "MARKET"


@pytest.mark.parametrize("screen", ["phone"], indirect=True)
def test_a_login_in_another_browser_is_asked_about_and_the_page_that_waits_goes_on_by_itself(visit, open_visit):
    visit.to_providers().provider("Octopus Energy").on("Sign in at Octopus Energy")
    path = visit.link("Go to the sign-in").get_attribute("href")
    there = visit.page.context.request.get(path, max_redirects=0).headers["location"]
    other = open_visit()
    other.page.goto(there)
    other.page.get_by_role("button", name="Approve").click()
    other.on("Do you want to connect this tariff?").sees("Octopus Energy", "a•••@example.com")
    visit.open(path.removesuffix("login/")).on("Answer in your other browser")
    other.press("Yes, connect it").on("Thank you")
    expect(visit.page.get_by_role("heading", name="Is this your tariff?")).to_be_visible()
    visit.save().to_rates().sees("Octopus Energy").pays()


@WITHOUT_SCRIPT_TOO
def test_a_login_at_the_provider_is_approved(visit):
    visit.to_providers().provider("Octopus Energy").log_in_at("Octopus Energy", "Approve")
    visit.save().to_rates().sees("Octopus Energy").pays()
    assert only_tariff().state == Tariff.State.CONNECTED


def test_a_tariff_is_chosen_from_the_providers_own(visit):
    visit.to_providers().provider("SSE").on("Which tariff do you have?")
    name = visit.names()[0]
    visit.leave_by(visit.choices.first)
    visit.save().to_rates().sees(name).pays()
    assert only_tariff().name == name


def test_what_is_sold_is_connected(visit):
    visit.start("Electricity I sell, for example from solar panels").address()
    visit.on("Who buys your electricity?").provider("Ecotricity").fixed_price("15").name_and_term().save()
    visit.to_rates().sees("What you are paid").pays("15.00p")
    assert only_tariff().direction == "EXPORT"


@WITHOUT_SCRIPT_TOO
def test_a_provider_that_is_not_listed_is_typed_once(visit):
    visit.to_providers().search("Village Power").sees("We found nothing for “Village Power”.")
    visit.press("My provider is not listed").on("What is your provider called?")
    expect(visit.field("Name of your provider")).to_have_value("Village Power")
    visit.press("Continue").fixed_price("20").name_and_term().save().to_rates().sees("Village Power").pays("20.00p")
    assert only_tariff().provider == "Village Power"


def test_a_tariff_that_is_not_listed_is_typed_once(visit):
    visit.to_providers().provider("SSE").on("Which tariff do you have?").search("Zebra").sees("We found nothing")
    visit.press("My tariff is not listed").fixed_price("20").on("What is your tariff called?")
    expect(visit.field("Name of your tariff")).to_have_value("Zebra")
    visit.name_and_term("Green night").save().to_rates().sees("Green night").pays("20.00p")
    assert only_tariff().name == "Green night"


def test_the_address_is_changed_on_the_way(visit):
    visit.to_providers().press("Change the address").on("Where do you use this electricity?")
    expect(visit.field("Street and number")).to_have_value("1 Example Street")
    visit.address(address_line1="2 Example Street").provider("Ecotricity").fixed_price().name_and_term().save()
    visit.to_rates().on(re.compile("2 Example Street")).pays("28.15p")
    assert only_tariff().location.address_line1 == "2 Example Street"


@WITHOUT_SCRIPT_TOO
def test_three_pages_back_in_the_browser_and_on_again_with_other_answers(visit):
    visit.to_providers().provider("Ecotricity").fixed_price("28.15").on("What is your tariff called?")
    visit.type({"Name of your tariff": "Simple"}).press("Continue").on("When does your contract end?")
    for question in (
        "What is your tariff called?",
        "What do you pay for a kilowatt-hour?",
        "How does your price work?",
    ):
        visit.page.go_back()
        visit.on(question)
    visit.fixed_price("30.5").name_and_term("Other").on("Is this your tariff?").sees("30.50p", "Other").save()
    visit.to_rates().sees("Other").pays("30.50p")
    assert only_tariff().name == "Other"


@WITHOUT_SCRIPT_TOO
def test_a_tariff_in_progress_becomes_ready_while_its_page_is_open(visit, later, monkeypatch):
    monkeypatch.setattr("tariffs.screens.shown.look_again", lambda tariff, now: look_again(tariff, now) and 1)
    visit.to_providers().provider("Test: pending for 2 minutes").log_in_at("Test: pending for 2 minutes")
    visit.on("We are reading your tariff").press("Save and wait").to_rates().sees("still reading your tariff")
    assert only_tariff().state == Tariff.State.PENDING
    if visit.script:  # the page does not reload while it waits
        visit.page.get_by_role("main").evaluate("main => main.read = true")
        for _ in range(2):
            visit.page.wait_for_event("response", lambda response: response.request.resource_type == "fetch")
        assert visit.page.get_by_role("main").evaluate("main => main.read")
    later(minutes=3)
    visit.pays("28.15p")
    assert only_tariff().state == Tariff.State.CONNECTED


def test_a_failed_tariff_is_connected_again(visit):
    visit.to_providers().provider("Test: cannot be read").log_in_at("Test: cannot be read")
    visit.on("We are reading your tariff").press("Save and wait").to_rates().manage()
    visit.press("Connect it again")
    visit.provider("Octopus Energy").log_in_at("Octopus Energy", "Approve").save()
    visit.to_rates().sees("Octopus Energy").pays()
    assert only_tariff().state == Tariff.State.CONNECTED


def test_a_disconnected_tariff_stays_in_the_list_and_says_so(visit):
    visit.connect_fixed().manage()
    visit.main.get_by_text("Disconnect this tariff").click()
    visit.sees("Past days stay.").press("Yes, disconnect it")
    visit.on("Your tariff is disconnected").click_link("See the location").sees("This tariff was disconnected on")
    expect(visit.main).not_to_contain_text("p per kWh")
    visit.open("/locations/").sees("Ecotricity", "disconnected")
    assert only_tariff().state == Tariff.State.DISCONNECTED


def test_somebody_who_reads_german_connects_a_tariff_and_sees_its_prices(open_visit):
    visit = open_visit("phone", locale="de-DE", timezone_id="Europe/Berlin")
    visit.open("/").on("Sehen Sie Stunde für Stunde, was Ihr Strom kostet").click_link("Konto anlegen")
    visit.on("Konto anlegen").fill(email="dora@example.com", password1="correct horse battery").press("Konto anlegen")
    visit.on("Verbinden Sie Ihren Tarif")
    expect(visit.field("Land")).to_have_value("DE")
    visit.field("Strom, den ich kaufe").check()
    visit.press("Los geht’s").on("Wo verbrauchen Sie diesen Strom?").press("Weiter")
    visit.sees("Es gibt ein Problem", "Geben Sie die Postleitzahl ein.")
    visit.type({"Straße und Hausnummer": "Beispielstraße 1", "Stadt oder Gemeinde": "Berlin", "Postleitzahl": "10115"})
    visit.press("Weiter").on("Wer ist Ihr Stromanbieter?").search("zzz").sees("Wir haben nichts zu „zzz“ gefunden.")
    visit.search("baden").press("Badenova").on("Wie wird Ihr Preis gebildet?").choose("Ein Preis, rund um die Uhr")
    visit.on("Was zahlen Sie für eine Kilowattstunde?").type({"Preis pro kWh": "28,15"})
    visit.sees("28,15 ct (0,2815 €) pro kWh, etwa 985 € im Jahr bei 3.500 kWh")
    visit.press("Weiter").sees("28,15 ct (0,2815 €) pro kWh. Sie zahlen etwa 985 € für 3.500 kWh im Jahr.")
    visit.on("Wie heißt Ihr Tarif?").type({"Name Ihres Tarifs": "Einfach"}).press("Weiter")
    visit.on("Wann endet Ihr Vertrag?").field("Ich weiß es nicht").check()
    visit.press("Weiter").on("Ist das Ihr Tarif?").press("Ja, speichern")
    visit.sees("Ihr Tarif ist verbunden.", "Was Sie zahlen", "28,15 ct pro kWh zu jeder Zeit.")
    expect(visit.page.locator("html")).to_have_attribute("lang", "de")


def test_a_tariff_is_connected_on_a_screen_at_four_times_its_size(open_visit, sign_in):
    zoomed = {"viewport": {"width": 320, "height": 225}, "device_scale_factor": 4}
    sign_in(open_visit("desktop", **zoomed)).connect_fixed().pays("28.15p", until="")
