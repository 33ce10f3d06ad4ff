"""Each way through Connect, from the start page to the rates of a stored location, in each release."""

from datetime import UTC, datetime

import pytest

from connect_ui.models import ConnectSession
from connect_ui.routes import Kind
from tariffs.models import Location, Tariff

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
IN_ZERO_ALONE = pytest.mark.parametrize("release", ["zero"], indirect=True)


@pytest.fixture(autouse=True, params=["zero", "anode"])
def release(request, sandbox):
    sandbox.speak(request.param)


def stored():
    tariff = Tariff.objects.select_related("location__customer").get()
    assert tariff.location.location_id.startswith("loc_")
    assert tariff.location.customer.customer_id.startswith("cus_")
    return tariff


def test_a_fixed_price_by_hand_ends_on_its_rates(walk):
    walk.start()
    assert walk.route == "postal_address_capture"
    walk.address().provider("Ecotricity")
    assert walk.route == "tariff_structure_select"
    walk.answer(options="FIXED").answer(cost="28.15")
    assert walk.route == "tariff_name_capture"
    assert "28.15p (£0.2815) per kWh" in walk.text
    walk.name_and_term("Simple", term="open")
    assert walk.shows is Kind.SUMMARY
    assert "28.15p per kWh" in walk.text
    assert "Until terminated" in walk.text
    walk.save()
    assert "Your tariff is connected." in walk.see().text
    tariff = stored()
    assert (tariff.provider, tariff.name, tariff.structure) == ("Ecotricity", "Simple", "FIXED")
    assert tariff.location.time_zone == "Europe/London"
    walk.get(f"/locations/{tariff.location.pk}/")
    assert "28.15p" in walk.text
    assert walk.session.state == ConnectSession.State.CONNECTED


def test_day_and_night_prices_end_on_their_rates(walk):
    walk.by_hand(structure="TIME_OF_DAY")
    assert walk.route == "rate_tod_capture"
    walk.answer(periods="2", start_0="07:00", cost_0="30", start_1="23:00", cost_1="9,5")
    assert "23:00 to 07:00: 9.50p (£0.095) per kWh" in walk.text
    walk.name_and_term()
    assert walk.shows is Kind.SUMMARY
    walk.save()
    tariff = stored()
    assert tariff.structure == "TIME_OF_DAY"
    walk.get(f"/locations/{tariff.location.pk}/")
    assert "30.00p" in walk.text
    assert "9.50p" in walk.text


def test_a_market_price_with_surcharge_and_region_ends_on_its_rates(walk):
    walk.to_providers().provider("Test: asks for the region")
    walk.surcharge("2.5", "5").name_and_term()
    assert walk.shows is Kind.SUMMARY
    walk.save().get(f"/locations/{stored().location.pk}/")
    assert walk.price


def test_a_login_at_the_provider_ends_on_its_rates(walk):
    walk.to_providers().provider("Octopus Energy")
    assert walk.route == "session_redirect"
    assert "Sign in at Octopus Energy" in walk.text
    walk.log_in_at_provider("approve")
    assert walk.shows is Kind.SUMMARY
    walk.save().get(f"/locations/{stored().location.pk}/")
    assert walk.price


@pytest.mark.parametrize(("outcome", "route"), [("decline", "provider_select"), ("manual", "tariff_structure_select")])
def test_a_login_that_comes_to_nothing_goes_on_without_it(walk, outcome, route):
    walk.to_providers().provider("Octopus Energy").log_in_at_provider(outcome)
    assert walk.route == route


def test_a_tariff_from_a_library_ends_on_its_rates(walk):
    walk.to_providers().provider("SSE")
    assert walk.route == "tariff_select"
    walk.tariff().save().get(f"/locations/{stored().location.pk}/")
    assert walk.price


def test_a_tariff_that_is_not_listed_is_typed(walk):
    walk.to_providers().provider("SSE").act("TARIFF_MISSING", q="Green night")
    assert walk.route == "tariff_structure_select"
    walk.answer(options="FIXED").answer(cost="20")
    assert walk.route == "tariff_name_capture"
    assert 'value="Green night"' in walk.response.content.decode()
    walk.answer(tariff_name="Green night").answer(term="unknown").save()
    assert stored().name == "Green night"


def test_a_provider_that_is_not_listed_is_typed(walk):
    walk.to_providers().act("PROVIDER_MISSING", q="Village Power")
    assert walk.route == "provider_name_capture"
    assert 'value="Village Power"' in walk.response.content.decode()
    walk.answer(provider_name="Village Power").answer(options="FIXED").answer(cost="20").name_and_term().save()
    assert stored().provider == "Village Power"


def test_what_is_sold_ends_on_its_rates(walk):
    walk.fixed(cost="15", direction="EXPORT")
    tariff = stored()
    assert tariff.direction == "EXPORT"
    walk.get(f"/locations/{tariff.location.pk}/")
    assert "What you are paid" in walk.text


def test_what_is_sold_is_added_to_a_location(walk):
    walk.fixed()
    location = stored().location
    walk.post("/connect/", {"location": location.pk, "direction": "EXPORT"})
    assert walk.route == "provider_select"
    walk.provider("Ecotricity").answer(options="FIXED").answer(cost="15").name_and_term().save()
    assert {t.direction for t in location.tariffs.all()} == {"IMPORT", "EXPORT"}
    assert Location.objects.count() == 1


def test_the_address_is_changed_on_the_way(walk):
    walk.to_providers().act("ADDRESS_CHANGE")
    assert walk.route == "postal_address_capture"
    assert 'value="1 Example Street"' in walk.response.content.decode()
    walk.address(address_line1="2 Example Street").provider("Ecotricity").answer(options="FIXED").answer(cost="20")
    walk.name_and_term().save()
    assert stored().location.address_line1 == "2 Example Street"


def test_back_three_pages_and_on_again(walk):
    walk.by_hand().answer(cost="28.15").answer(tariff_name="Simple")
    assert walk.route == "contract_term_capture"
    walk.back().back().back()
    assert walk.route == "tariff_structure_select"
    walk.answer(options="FIXED")
    assert walk.route == "rate_fixed_capture"
    walk.answer(cost="30.5").answer(tariff_name="Simple").answer(term="date", contract_end_date="2099-06-15")
    assert "30.50p per kWh" in walk.text
    assert "Until 15 June 2099" in walk.text.replace("Jun ", "June ")
    walk.save()
    assert str(stored().contract_end) == "2099-06-15"


def test_a_contract_that_has_ended_is_asked_about_and_then_taken(walk):
    walk.by_hand().answer(cost="28.15").answer(tariff_name="Simple")
    ended = {"term": "date", "contract_end_date": "2019-03-31"}
    walk.answer(**ended)
    said = "31 March 2019 is in the past. Change the date, or continue if your contract ended then."
    assert walk.errors() == {"contract_end_date": [said]}
    assert '<input type="hidden" name="sure" value="2019-03-31">' in walk.response.content.decode()
    walk.answer(**ended, sure="2019-03-31")
    assert "Ended on 31 March 2019" in walk.text
    assert "This contract has ended. If you have a new one, change the tariff." in walk.text
    walk.save()
    assert str(stored().contract_end) == "2019-03-31"


@IN_ZERO_ALONE  # anode's summary tells both in the same way
def test_who_does_not_know_the_end_is_not_told_that_there_is_none(walk):
    walk.by_hand().answer(cost="28.15").name_and_term()
    assert "End date not known" in walk.text
    assert "ntil terminated" not in walk.text
    walk.save()
    assert (stored().contract_end, stored().contract_open_ended) == (None, False)


def test_going_back_shows_what_was_entered(walk):
    walk.by_hand().answer(cost="28,15").back()
    assert walk.route == "rate_fixed_capture"
    assert 'value="28,15"' in walk.response.content.decode()


def test_a_tariff_in_progress_is_waited_for_and_then_ready(walk, sandbox, later):
    walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider()
    assert walk.shows is Kind.PENDING
    walk.save()
    assert "Your tariff is saved." in walk.see().text
    tariff = stored()
    assert tariff.state == Tariff.State.PENDING
    walk.get(f"/locations/{tariff.location.pk}/")
    assert "still reading your tariff" in walk.text
    assert 'http-equiv="refresh"' in walk.response.content.decode()
    later(minutes=3)
    walk.get(f"/locations/{tariff.location.pk}/")
    assert walk.price
    assert stored().state == Tariff.State.CONNECTED


def test_a_failed_tariff_is_connected_again(walk):
    walk.to_providers().provider("Test: cannot be read").log_in_at_provider()
    walk.save()
    location = stored().location
    manage = {"location": location.pk, "direction": "IMPORT"}
    walk.post("/connect/", manage)
    assert walk.shows is Kind.FAILED
    assert stored().state == Tariff.State.FAILED
    walk.reconnect().provider("Octopus Energy").log_in_at_provider().save()
    assert stored().state == Tariff.State.CONNECTED
    walk.get(f"/locations/{location.pk}/")
    assert walk.price


def test_a_tariff_that_cannot_be_read_fails_alone_and_since_it_did(walk):
    walk.to_providers().provider("Test: cannot be read").log_in_at_provider().save()
    tariff = stored()
    elsewhere = Location.objects.create(customer=tariff.location.customer, location_id="loc_elsewhere")
    others = [
        Tariff.objects.create(location=tariff.location, direction="EXPORT"),
        Tariff.objects.create(location=tariff.location, direction="IMPORT", type="NON_COMMODITY"),
        Tariff.objects.create(location=elsewhere, direction="IMPORT"),
    ]
    Tariff.objects.update(state_since=LONG_AGO)
    walk.post("/connect/", {"location": tariff.location_id, "direction": "IMPORT"})
    tariff.refresh_from_db()
    assert tariff.state == Tariff.State.FAILED
    assert tariff.state_since > LONG_AGO
    for other in others:
        other.refresh_from_db()
        assert (other.state, other.state_since) == (Tariff.State.CONNECTED, LONG_AGO)
    Tariff.objects.update(state_since=LONG_AGO)
    walk.post("/connect/", {"location": tariff.location_id, "direction": "IMPORT"})
    tariff.refresh_from_db()
    assert (tariff.state, tariff.state_since) == (Tariff.State.FAILED, LONG_AGO)


@IN_ZERO_ALONE
def test_nothing_is_disconnected_before_anything_is_connected(walk):
    walk.by_hand().answer(cost="28.15").name_and_term()
    assert "Disconnect this tariff" not in walk.text
    walk.act("DISCONNECT")
    assert walk.shows is Kind.SUMMARY
    assert not Location.objects.exists()
    walk.save()
    walk.post("/connect/", {"location": Location.objects.get().pk, "direction": "IMPORT"})
    assert "We stop reading this tariff" in walk.text
    walk.act("DISCONNECT")
    assert Tariff.objects.get().state == Tariff.State.DISCONNECTED


@IN_ZERO_ALONE
def test_a_tariff_in_progress_can_be_typed_instead(walk):
    walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider().act("DISMISS_DIRECT")
    assert walk.route == "tariff_structure_select"


def test_a_disconnected_tariff_is_kept_and_says_so(walk):
    walk.fixed()
    location = stored().location
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"})
    assert walk.shows is Kind.SUMMARY
    walk.act("DISCONNECT")
    assert "Your tariff is disconnected" in walk.text
    assert stored().state == Tariff.State.DISCONNECTED
    walk.get(f"/locations/{location.pk}/")
    assert "This tariff was disconnected" in walk.text


def test_an_edited_tariff_keeps_its_location_and_has_the_new_price(walk):
    walk.fixed(cost="28.15")
    location = stored().location
    walk.get(f"/locations/{location.pk}/")
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"}).act("EDIT")
    walk.provider("Ecotricity").answer(options="FIXED").answer(cost="31").name_and_term("Other").save()
    walk.get(f"/locations/{location.pk}/")
    assert "31.00p" in walk.text
    assert stored().name == "Other"


@pytest.mark.parametrize("country", ["DE", "FR", "NL", "US", "AU", "PT"])
def test_every_country_has_a_way_to_the_end(walk, country):
    walk.start(country=country).address(country_code=country)
    walk.provider("Test: long names and no logo")
    assert walk.route == "tariff_select"
    walk.tariff().save().get(f"/locations/{stored().location.pk}/")
    assert walk.price


@IN_ZERO_ALONE
def test_a_tariff_in_progress_can_be_disconnected_and_the_flow_starts_again(walk):
    walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider().act("DISCONNECT")
    assert walk.route in ("postal_address_capture", "provider_select")
    assert walk.session.state == ConnectSession.State.OPEN
    assert not Tariff.objects.exists()
