"""Addresses of the whole world: what each country's form asks for, what FlatPeak gets, and how an address is shown."""

import os
import re

import pytest
from django.http import QueryDict
from django.utils.http import urlencode

from connect_ui.fields import countries
from connect_ui.forms.address import LINES, NAMES
from connect_ui.models import ConnectSession, Page
from connect_ui.routes import form_for
from tariffs.addresses import PARTS, rules, written
from tariffs.flatpeak import Rejected
from tariffs.models import Location
from tests.walk import ADDRESSES


def page(country="GB", typed=None, **address):
    body = {"data": {"postal_address": address}}
    return Page(session=ConnectSession(country_code=country), route="address", body=body, typed=typed or {})


def form(country, **given):
    return form_for(page(country), QueryDict(urlencode({"country_code": country} | given)) if given else None)


def asked(country, on=None):
    """The labels of a country's form, by field, in their order."""
    shown = form_for(on or page(country))
    return {name: str(shown[name].label) for name in shown.fields if not shown[name].is_hidden}


# --- the table


def test_the_table_has_two_hundred_buildings_in_sixty_countries():
    assert len(ADDRESSES) >= 60
    assert sum(map(len, ADDRESSES.values())) >= 200


def sent_of(country, each):
    """What FlatPeak gets of an address of the table."""
    return dict.fromkeys(PARTS, "") | {"country_code": country} | each["typed"] | each.get("sent", {})


@pytest.mark.parametrize("country", ADDRESSES)
def test_the_addresses_of_a_country_are_sent_and_shown_as_the_country_writes_them(country):
    for each in ADDRESSES[country]:
        assert set(each["typed"]) <= set(asked(country)), "a field that the form does not show"
        given = form(country, **each["typed"])
        assert given.is_valid(), given.errors
        sent = given.to_data()["postal_address"]
        assert sent == sent_of(country, each)
        assert str(Location(**sent)) == each["shown"]


# Without TORTURE a country of each kind: post code last or first, states by code, another script, no post code, no city.
COUNTRIES = ADDRESSES if "TORTURE" in os.environ else ["GB", "DE", "US", "JP", "HK", "AE", "SG"]


@pytest.mark.django_db
@pytest.mark.parametrize("country", COUNTRIES)
def test_the_addresses_of_a_country_reach_flatpeak(walk, sandbox, country):
    sandbox.state["switches"]["post_code"] = "where_used"
    walk.start(country=country)
    for each in ADDRESSES[country]:
        walk.get(f"/connect/{walk.page.session_id}/1/").answer(country_code=country, **each["typed"])
        assert walk.route == "provider_select", walk.errors()
        assert sandbox.state["tokens"][walk.token]["postal_address"] == sent_of(country, each)


# --- what a form asks for


def test_a_form_has_the_countrys_own_names_and_order():
    assert list(asked("GB").values()) == [
        *("Street and number", "Flat, floor or building (optional)", "Town or city", "Postcode")
    ]
    assert list(asked("US").values())[2:] == ["Town or city", "State", "ZIP code"]
    assert list(asked("DE"))[2:] == ["post_code", "city"]
    assert list(asked("JP")) == ["post_code", "state", "city", "address_line1", "address_line2"]
    assert asked("JP")["state"] == "Prefecture"
    assert asked("IE")["post_code"] == "Eircode (optional)"
    assert asked("IN")["post_code"] == "PIN code"
    assert asked("AE")["state"] == "Emirate"
    assert asked("NZ")["address_line2"] == "Suburb, flat or building (optional)"
    assert list(asked("SG")) == ["address_line1", "address_line2", "post_code"]


@pytest.mark.parametrize(
    ("country", "post_code"), [("GB", {}), ("US", {}), ("DE", {"inputmode": "numeric"}), ("IE", {})]
)
def test_a_browser_is_told_what_each_field_is_and_how_long(country, post_code):
    fields = form_for(page(country)).fields
    told = {
        "country_code": {},
        "address_line1": {"autocomplete": "address-line1", "maxlength": "200"},
        "address_line2": {"autocomplete": "address-line2", "maxlength": "200"},
        "city": {"autocomplete": "address-level2", "maxlength": "100"},
        "state": {"autocomplete": "address-level1"},  # a list
        "post_code": {"autocomplete": "postal-code", "size": 10, "maxlength": "20"} | post_code,
    }
    assert {name: field.widget.attrs for name, field in fields.items()} == {name: told[name] for name in fields}


def test_every_country_has_a_form_with_names_for_its_fields():
    for country in ("", *countries("en")):
        rule = rules(country)
        assert rule.kinds["address_line2"] in LINES
        assert all(rule.kinds[name] in NAMES[name] for name in NAMES), country
        assert "address_line1" in rule.order
        assert written(dict.fromkeys(PARTS, "x") | {"country_code": country}).startswith("x")


def test_what_the_country_does_not_require_may_be_empty_and_the_rest_may_not():
    assert form("IE", address_line1="1 Example Street", city="Cork").is_valid()
    assert form("AE", address_line1="1 Example Street", state="Dubai").is_valid()
    lacking = form("US", address_line1="1 Example Street")
    assert {name: list(errors) for name, errors in lacking.errors.items()} == {
        "city": ["Enter the town or city."],
        "state": ["Choose the state."],
        "post_code": ["Enter the ZIP code."],
    }


def test_a_state_has_a_list_and_any_of_its_names_is_known():
    assert '<option value="TX">Texas</option>' in str(form_for(page("US"))["state"])
    assert '<option value="TX" selected>' in str(form_for(page("US", state="Texas"))["state"])
    assert form_for(page("JP", state="東京都"))["state"].value() == "Tokyo"
    assert form("JP", address_line1="1", state="東京都", post_code="1000005").is_valid()


def test_a_state_that_is_not_in_the_list_is_not_lost():
    assert '<option value="New Texas" selected>' in str(form_for(page("US", state="New Texas"))["state"])
    again = form("US", address_line1="", city="Austin", state="New Texas", post_code="78701")
    assert '<option value="New Texas" selected>' in str(again["state"])
    again = form("US", address_line1="1 Example Street", city="Austin", state="New Texas", post_code="78701")
    again.add_rejection(Rejected("Connect", 422, {"code": "timezone_not_found"}))
    assert '<option value="New Texas" selected>' in str(again["state"])
    assert "New Texas" not in str(form("CA", city="Austin", state="New Texas", change="address")["state"])


def test_what_flatpeak_knows_of_a_field_that_the_country_does_not_have_is_shown_and_sent_back():
    on = page("GB", state="Greater London", country_code="GB")
    assert asked("GB", on)["state"] == "County, state or region (optional)"
    given = form("GB", address_line1="1 Example Street", city="Dover", state="Kent", post_code="CT16 1PJ")
    assert given.is_valid()
    assert given.to_data()["postal_address"]["state"] == "Kent"


def test_an_unusual_post_code_is_asked_about_once():
    typed = {"address_line1": "Example 1", "city": "Berlin", "post_code": "1011"}
    first = form("DE", **typed)
    assert first.errors["post_code"] == ["Postcode: most look like 26133. Change yours, or continue if it is right."]
    again = form("DE", **typed, sure=first.doubts["post_code"])
    assert again.is_valid()
    assert again.to_data()["postal_address"]["post_code"] == "1011"


@pytest.mark.parametrize(
    ("country", "typed", "sent"),
    [
        ("GB", "sw1a1aa", "SW1A 1AA"),
        ("GB", "SW1A 1AA", "SW1A 1AA"),
        ("DE", "D-10117", "10117"),
        ("SE", "SE-111 22", "111 22"),
        ("PL", "00950", "00-950"),
        ("LV", "1050", "LV-1050"),
        ("JP", "〒１００－０００５", "100-0005"),
        ("IR", "۱۱۳۶۵۱۱۱۱۱", "11365-11111"),
        ("US", "100011234", "10001-1234"),
        ("DE", "1011", ""),
        ("GB", "<script>", ""),
    ],
)
def test_a_post_code_is_sent_as_the_country_writes_it(country, typed, sent):
    assert rules(country).post_code(typed) == sent


# --- FlatPeak wants more than the country's form


@pytest.mark.django_db
def test_a_field_that_the_form_hides_is_shown_if_flatpeak_rejects_it(walk):
    walk.start(country="GH")  # the sandbox wants a post code everywhere
    walk.answer(country_code="GH", address_line1="Barnes Road", city="Accra")
    assert walk.errors() == {"post_code": ["Enter the postcode."]}
    assert 'name="post_code"' in walk.response.content.decode()
    assert "Barnes Road" in walk.response.content.decode()
    walk.answer(country_code="GH", address_line1="Barnes Road", city="Accra", post_code="GA-030-7653")
    assert walk.route == "provider_select"


def test_a_town_that_is_not_found_shows_the_town_and_the_state():
    there = form("SG", address_line1="1 Example Street", post_code="178957")
    assert there.is_valid()
    there.add_rejection(Rejected("Connect", 422, {"code": "timezone_not_found"}))
    assert there.errors.keys() == {"city"}
    assert there.fields.keys() >= {"city", "state"}


def test_a_country_that_flatpeak_rejects_is_asked_for_again_and_what_was_typed_stays():
    there = form("GB", address_line1="1 Example Street", city="London", post_code="N1 1AA")
    there.add_rejection(Rejected("Connect", 422, {"code": "country_code_invalid"}))
    assert there.choosing
    assert there.errors.keys() == {"country_code"}
    assert 'type="hidden" name="city" value="London"' in str(there)


# --- another country


@pytest.mark.django_db
def test_the_country_is_asked_for_once_and_can_be_changed_with_all_that_was_typed(walk, sandbox):
    walk.start(country="DE")
    assert "Country: Germany" in walk.text
    assert "<select" not in walk.response.content.decode()
    walk.answer(country_code="DE", address_line1="Bundesplatz 3", city="Bern", change="country")
    assert "Which country is the address in?" in walk.text
    typed = {"address_line1": "Bundesplatz 3", "address_line2": "", "city": "Bern", "post_code": ""}
    html = walk.response.content.decode()
    assert 'name="address_line1" value="Bundesplatz 3"' in html
    walk.answer(country_code="", **typed, change="address")
    assert walk.errors() == {"country_code": ["Choose a country from the list."]}
    walk.answer(country_code="CH", **typed, change="address")
    assert "Country: Switzerland" in walk.text
    assert walk.response.context["form"]["city"].value() == "Bern"
    assert not walk.errors()
    walk.answer(country_code="CH", **typed | {"post_code": "3005"})
    assert walk.route == "provider_select"
    assert walk.session.country_code == "CH"


def test_a_town_that_the_country_before_had_no_field_for_is_taken_along():
    typed = {"address_line1": "1 Example Street", "city": "Johor Bahru", "post_code": "80000"}
    choice = form("SG", **typed, change="country")  # FlatPeak did not find the place, and asked for the town
    hidden = {name: choice[name].value() for name in choice.fields if choice[name].is_hidden}
    assert hidden == typed | {"address_line2": None, "state": ""}
    assert form("MY", **typed, change="address")["city"].value() == "Johor Bahru"


def test_a_state_of_the_country_before_is_not_taken_along():
    there = form("DE", address_line1="1", city="Berlin", state="TX", change="address")
    assert "state" not in there.fields


# --- how an address is shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ({"country_code": "DE", "address_line1": "Unter den Linden 6", "post_code": "10117", "city": "Berlin"},
         "Unter den Linden 6, 10117 Berlin"),
        ({"country_code": "GB", "address_line1": "1 Example Street", "address_line2": "Flat 2", "city": "London"},
         "1 Example Street, Flat 2, London"),
        ({"country_code": "US", "city": "Austin", "post_code": "78701"}, "Austin 78701"),
        ({"country_code": "HT", "city": "Port-au-Prince", "post_code": "HT6110"}, "HT6110 Port-au-Prince"),
        ({"country_code": "", "address_line1": "1 Example Street", "city": "Town", "post_code": "1"},
         "1 Example Street, Town, 1"),
        ({"country_code": "??", "city": "Town"}, "Town"),
        ({"country_code": "DE"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_an_address_is_written_as_in_its_country(address, shown):
    assert written(address) == shown


def test_a_location_without_an_address_has_its_number():
    assert str(Location(location_id="loc_1", country_code="DE")) == "loc_1"


# --- the start


@pytest.mark.django_db
def test_countries_of_earlier_locations_and_of_the_browser_stand_first(client, alice, walk):
    walk.fixed()
    Location.objects.update(country_code="CH")
    Location.objects.create(
        customer=Location.objects.get().customer,
        location_id="loc_new",
        country_code="SE",
    )
    html = client.get("/connect/", headers={"Accept-Language": "de-AT,de;q=0.9,en-GB;q=0.8"}).content.decode()
    likely = html.split("</optgroup>")[0]
    assert re.findall(r'<option value="(..)"', likely) == ["SE", "CH", "AT", "GB"]
    assert '<option value="SE" selected>' in likely
