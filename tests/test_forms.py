"""Each page's form: what it shows, what it lets through to Connect, and where Connect's errors appear."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest
import simplejson
from django.http import QueryDict

from connect_ui import refusals
from connect_ui.forms.prices import TimedPricesForm
from connect_ui.forms.questions import StartForm, StructureForm
from connect_ui.models import ConnectSession, Page
from connect_ui.routes import Kind, form_for, named, ours
from tariffs.details import day_told
from tariffs.exact import DecimalDecoder
from tariffs.flatpeak import Rejected
from tariffs.flatpeak.release import ANODE
from tariffs.models import Location

ADDRESS = {
    "address_line1": "1 Example Street",
    "address_line2": "",
    "city": "London",
    "state": "",
    "post_code": "N1 1AA",
    "country_code": "GB",
}
PROVIDER = {"id": "prv_1", "display_name": "Ecotricity", "logo_url": ""}
PROVIDERS = [PROVIDER, {"id": "prv_2", "display_name": "Ørsted A/S", "logo_url": ""}]
TARIFFS = [{"id": "trt_1", "name": "Simple", "description": ""}, {"id": "trt_2", "name": "Night", "description": "7 h"}]
FIRST_VISIT = [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}]
REGIONS = ["North", "South"]
PAGES = {
    "postal_address_capture": {"postal_address": dict.fromkeys(ADDRESS, "")},
    "provider_select": {"providers": PROVIDERS},
    "provider_name_capture": {"provider": {"name": ""}},
    "tariff_select": {"provider": PROVIDER, "tariffs": TARIFFS},
    "tariff_structure_select": {"provider": PROVIDER, "options": ["FIXED", "TIME_OF_DAY", "MARKET"]},
    "rate_fixed_capture": {"provider": PROVIDER, "currency_code": "GBP", "cost": 0},
    "rate_tod_capture": {"provider": PROVIDER, "currency_code": "GBP", "hours": FIRST_VISIT},
    "market_surcharge_capture": {
        "provider": PROVIDER,
        "currency_code": "GBP",
        "surcharge": {"fixed": 0, "percentage": 0},
        "regions": REGIONS,
        "region": "",
    },
    "region_select": {"provider": PROVIDER, "regions": REGIONS},
    "tariff_name_capture": {"provider": PROVIDER, "tariff": {"name": ""}},
    "contract_term_capture": {"provider": PROVIDER, "contract_start_date": None, "contract_end_date": None},
}
OF_ANODE = ["region_select"]  # the other pages are in both releases, here by zero's names
# A complete answer to each page: what is typed, and what Connect gets.
DAY_AND_NIGHT = {"periods": "2", "start_0": "07:00", "cost_0": "30", "start_1": "23:00", "cost_1": "9,5"}
ANSWERS = {
    "postal_address_capture": (ADDRESS, {"postal_address": ADDRESS}),
    "provider_select": ({"provider": "prv_2"}, {"provider": {"id": "prv_2"}}),
    "provider_name_capture": ({"provider_name": " Village Power "}, {"provider": {"name": "Village Power"}}),
    "tariff_select": ({"tariff": "trt_1"}, {"tariff": {"id": "trt_1"}}),
    "tariff_structure_select": ({"options": "MARKET"}, {"options": ["MARKET"]}),
    "rate_fixed_capture": ({"cost": "28.15"}, {"cost": Decimal("0.2815")}),
    "rate_tod_capture": (
        DAY_AND_NIGHT,
        {
            "hours": [
                {"valid_from": "07:00:00", "valid_to": "23:00:00", "cost": Decimal("0.30")},
                {"valid_from": "23:00:00", "valid_to": "07:00:00", "cost": Decimal("0.095")},
            ]
        },
    ),
    "market_surcharge_capture": (
        {"fixed": "2.5", "percentage": "18.5", "region": "South"},
        {"surcharge": {"fixed": Decimal("0.025"), "percentage": Decimal("18.5")}, "region": "South"},
    ),
    "region_select": ({"region": "South"}, {"region": "South"}),
    "tariff_name_capture": ({"tariff_name": "Simple"}, {"tariff": {"name": "Simple"}}),
    "contract_term_capture": (
        {"term": "date", "contract_end_date": "2027-06-15", "contract_start_date": "2026-06-16"},
        {"contract_end_date": "2027-06-15T00:00:00Z", "contract_start_date": "2026-06-16T00:00:00Z"},
    ),
}

# What an empty form says, by page.
MISSING = {
    "postal_address_capture": {
        "country_code": ["Choose a country from the list."],
        "address_line1": ["Enter the street and the number."],
        "city": ["Enter the town or city."],
        "post_code": ["Enter the postcode."],
    },
    "provider_select": {"provider": ["Choose your provider from the list."]},
    "provider_name_capture": {"provider_name": ["Enter the name of your provider."]},
    "tariff_select": {"tariff": ["Choose your tariff from the list."]},
    "tariff_structure_select": {"options": ["Choose how your price works."]},
    "rate_fixed_capture": {"cost": ["Enter the price of a kilowatt-hour."]},
    "rate_tod_capture": {"__all__": ["Enter at least two prices that start at different times."]},
    "market_surcharge_capture": {"region": ["Choose your region."]},
    "region_select": {"region": ["Choose your region."]},
    "tariff_name_capture": {"tariff_name": ["Enter the name of your tariff."]},
    "contract_term_capture": {"term": ["Choose an answer."]},
}


def stored(value):
    """JSON as it comes back from the database: a whole number is an int, any other a Decimal."""
    return json.loads(simplejson.dumps(value), cls=DecimalDecoder)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 4, 30, 12, tzinfo=UTC))


def page(route, data=None, typed=None, **changed):
    data = PAGES[route] if data is None else data
    body = {"direction": "IMPORT", "data": stored(data | changed)}
    release = "anode" if route in OF_ANODE else "zero"
    return Page(session=ConnectSession(country_code="GB"), route=ours(route, release), body=body, typed=typed or {})


def sent(fields):
    return QueryDict(urlencode(fields, doseq=True))


def answered(route, typed=None, /, on=None, **changed):
    """The form of a page with its complete answer, or parts of it changed; None leaves a field out."""
    typed = ANSWERS[route][0] if typed is None else typed
    return form_for(on or page(route), sent({k: v for k, v in (typed | changed).items() if v is not None}))


def shown(route, name, typed=None, **changed):
    return form_for(page(route, typed=typed, **changed))[name].value()


def all_errors(form):
    return {name: list(errors) for name, errors in form.errors.items()}


# --- answers


def test_every_form_has_its_row_here():
    assert {page(route).route for route in PAGES} == set(named(kind=Kind.QUESTION))
    assert set(PAGES) == set(ANSWERS) == set(FIELD_OF_CODE)


@pytest.mark.parametrize("route", PAGES)
def test_a_complete_answer_goes_to_connect(route):
    form = answered(route)
    assert form.is_valid(), form.errors
    assert form.to_data() == ANSWERS[route][1]


@pytest.mark.parametrize("route", PAGES)
def test_an_empty_answer_stays_here_and_what_is_missing_is_said(route):
    form = answered(route, {})
    assert not form.is_valid()
    assert all_errors(form) == MISSING[route]


@pytest.mark.parametrize("route", PAGES)
def test_going_back_shows_what_was_entered(route):
    form = answered(route)
    assert form.is_valid()
    again = form_for(page(route, typed=stored(form.typed())))
    assert {name: again[name].value() for name in again.fields} == {
        name: value for name, value in ANSWERS[route][0].items() if name in again.fields
    }


@pytest.mark.parametrize("route", PAGES)
def test_a_hostile_answer_stays_here_and_is_shown_as_text(route):
    form = answered(route, dict.fromkeys(ANSWERS[route][0], "\x00\u202e<script>"))
    assert not form.is_valid()
    assert "<script" not in str(form)
    assert "<script" not in str(form.errors)


def test_a_page_without_input_has_no_form():
    assert form_for(Page(route="summary", body={})) is None


@pytest.mark.parametrize(
    ("percentage", "taken"), [("-100", True), ("1000", True), ("-100.01", False), ("1000.01", False)]
)
def test_a_percentage_is_taken_up_to_both_its_limits(percentage, taken):
    assert answered("market_surcharge_capture", percentage=percentage, sure=percentage).is_valid() is taken


def test_a_form_that_says_nothing_back_says_nothing():
    assert answered("contract_term_capture").said_back({}) == []


@pytest.mark.parametrize("start", ["", "2026-06-16"], ids=["no first day", "a first day"])
def test_a_contract_without_an_end_is_told_as_its_release_wants_it(start):
    open_ended = {"term": "open", "contract_end_date": None, "contract_start_date": start}
    in_zero = answered("contract_term_capture", **open_ended)
    assert in_zero.is_valid()
    assert in_zero.to_data()["contract_end_date"] == "0001-01-01T00:00:00Z"
    asked = page("contract_term_capture")
    asked.session.flatpeak_version = ANODE.version
    in_anode = answered("contract_term_capture", on=asked, **open_ended)
    assert in_anode.is_valid()
    nothing = {"contract_start_date": None, "contract_end_date": None}
    assert in_anode.to_data() == nothing | {"contract_term_type": "UNTIL_TERMINATED"}
    again = page("contract_term_capture", nothing | {"contract_term_type": "UNTIL_TERMINATED"})
    assert form_for(again)["term"].value() == "open"


@pytest.mark.parametrize("term", ["open", "unknown"])
def test_a_last_day_that_was_typed_before_another_choice_is_not_told(term):
    typed = {"contract_end_date": "2027-06-15", "contract_start_date": None}
    form = answered("contract_term_capture", term=term, **typed)
    assert form.is_valid()
    assert "2027" not in str(form.to_data())


# --- Connect's errors

FIELD_OF_CODE = {
    "postal_address_capture": {
        "address_line1_missing": "address_line1",
        "city_missing": "city",
        "post_code_missing": "post_code",
        "country_code_missing": "country_code",
        "country_code_invalid": "country_code",
        "timezone_not_found": "city",
    },
    "provider_select": {"provider_id_missing": None, "provider_not_found": None, "provider_id_invalid": None},
    "provider_name_capture": {"provider_name_missing": "provider_name"},
    "tariff_select": {"tariff_id_missing": None, "tariff_not_found": None, "tariff_id_invalid": None},
    "tariff_structure_select": {"option_invalid": "options", "option_not_supported": "options"},
    "rate_fixed_capture": {"cost_value_zero": "cost", "cost_value_negative": "cost"},
    "rate_tod_capture": {
        "cost_value_zero": "cost_0",
        "cost_value_negative": "cost_0",
        "valid_from_invalid": "start_0",
        "valid_to_invalid": "start_0",
        "gap_in_time_period": None,
        "incomplete_time_period": None,
    },
    "market_surcharge_capture": {
        "surcharge_percentage_invalid": "percentage",
        "geo_location_not_found": "region",
        "market_region_invalid": "region",
    },
    "region_select": {"geo_location_not_found": "region", "market_region_invalid": "region"},
    "tariff_name_capture": {"tariff_name_missing": "tariff_name"},
    "contract_term_capture": {"date_format_invalid": "contract_end_date"},
}
EVERYWHERE = {"data_json_invalid": None, "never_heard_of": None, "": None}


@pytest.mark.parametrize(
    ("route", "code", "field"),
    [(route, code, field) for route, codes in FIELD_OF_CODE.items() for code, field in (codes | EVERYWHERE).items()],
)
def test_connects_message_stands_at_its_field_and_the_input_stays(route, code, field):
    form = answered(route)
    assert form.is_valid()
    form.add_rejection(Rejected("Connect", 422, {"code": code, "message": "Not <this> one."}))
    assert all_errors(form) == {field or "__all__": [refusals.CODES.get(code, refusals.NO_REASON)]}
    assert form.typed() == {k: v for k, v in ANSWERS[route][0].items() if k in form.fields}


def test_the_longest_field_name_that_a_code_begins_with_wins():
    rows = {f"{name}_{n}": "" for n in range(11) for name in ("start", "cost")}
    form = answered("rate_tod_capture", rows | {"periods": "11"})
    assert form.field_of("cost_10_odd") == "cost_10"
    assert form.field_of("cost_1_odd") == "cost_1"
    assert form_for(page("postal_address_capture")).field_of("address_line2_too_long") == "address_line2"


def test_a_message_about_the_region_stands_at_the_top_where_no_region_is_asked():
    form = form_for(page("market_surcharge_capture", regions=[]), sent({"fixed": "1"}))
    form.add_rejection(Rejected("Connect", 422, {"code": "geo_location_not_found", "message": "No such place."}))
    assert all_errors(form) == {"__all__": [refusals.CODES["geo_location_not_found"]]}


def test_a_code_that_nobody_heard_of_has_flatpeaks_own_sentence_if_that_is_for_people():
    for message, words in (("Zero.", "We could not use this"), ("This is too much.", "use this: “This is too much.”")):
        form = answered("rate_fixed_capture")
        form.add_rejection(Rejected("Connect", 422, {"code": "cost_odd", "message": message}))
        assert words in all_errors(form)["cost"][0]


def test_an_error_without_a_message_says_something():
    form = answered("tariff_name_capture")
    form.add_rejection(Rejected("Connect", 422, {}))
    assert all_errors(form) == {"__all__": [refusals.NO_REASON]}


# --- what never leaves the server

LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("route", "changed", "field"),
    [
        ("postal_address_capture", {"city": ""}, "city"),
        ("postal_address_capture", {"city": "   "}, "city"),
        ("postal_address_capture", {"city": None}, "city"),
        ("postal_address_capture", {"address_line1": ""}, "address_line1"),
        ("postal_address_capture", {"address_line1": "1 \x00 Street"}, "address_line1"),
        ("postal_address_capture", {"address_line2": LONG}, "address_line2"),
        ("postal_address_capture", {"state": "\x00"}, "state"),
        ("postal_address_capture", {"post_code": "N" * 21}, "post_code"),
        ("postal_address_capture", {"country_code": ""}, "country_code"),
        ("postal_address_capture", {"country_code": "XX"}, "country_code"),
        ("postal_address_capture", {"country_code": "United Kingdom"}, "country_code"),
        ("provider_select", {"provider": "prv_3"}, "provider"),
        ("provider_select", {"provider": "PRV_1"}, "provider"),
        ("provider_select", {"provider": "prv_1\x00"}, "provider"),
        ("provider_select", {"provider": LONG}, "provider"),
        ("provider_name_capture", {"provider_name": "  "}, "provider_name"),
        ("provider_name_capture", {"provider_name": "a\x00b"}, "provider_name"),
        ("provider_name_capture", {"provider_name": "x" * 201}, "provider_name"),
        ("tariff_select", {"tariff": "trt_9"}, "tariff"),
        ("tariff_select", {"tariff": None}, "tariff"),
        ("tariff_structure_select", {"options": "ADVANCED"}, "options"),
        ("tariff_structure_select", {"options": "FIXED\x00"}, "options"),
        ("rate_fixed_capture", {"cost": "abc"}, "cost"),
        ("rate_fixed_capture", {"cost": "0"}, "cost"),
        ("rate_fixed_capture", {"cost": "-1"}, "cost"),
        ("rate_fixed_capture", {"cost": "1e5"}, "cost"),
        ("rate_fixed_capture", {"cost": "24\x005"}, "cost"),
        ("rate_fixed_capture", {"cost": "9" * 100_000}, "cost"),
        ("rate_tod_capture", {"start_1": "", "cost_1": ""}, "__all__"),
        ("rate_tod_capture", {"start_1": "07:00:00"}, "start_1"),
        ("rate_tod_capture", {"start_1": ""}, "start_1"),
        ("rate_tod_capture", {"cost_1": ""}, "cost_1"),
        ("rate_tod_capture", {"start_0": "24:01"}, "start_0"),
        ("rate_tod_capture", {"start_0": "7\x00"}, "start_0"),
        ("rate_tod_capture", {"start_0": LONG}, "start_0"),
        ("rate_tod_capture", {"cost_0": "0"}, "cost_0"),
        ("rate_tod_capture", {"cost_0": "-3"}, "cost_0"),
        ("rate_tod_capture", {"cost_0": "abc"}, "cost_0"),
        ("market_surcharge_capture", {"fixed": "abc"}, "fixed"),
        ("market_surcharge_capture", {"percentage": "100000"}, "percentage"),
        ("market_surcharge_capture", {"percentage": "-100.5"}, "percentage"),
        ("market_surcharge_capture", {"percentage": "5 %%"}, "percentage"),
        ("market_surcharge_capture", {"region": "West"}, "region"),
        ("market_surcharge_capture", {"region": ""}, "region"),
        ("market_surcharge_capture", {"region": "South\x00"}, "region"),
        ("tariff_name_capture", {"tariff_name": ""}, "tariff_name"),
        ("tariff_name_capture", {"tariff_name": "x" * 201}, "tariff_name"),
        ("contract_term_capture", {"term": ""}, "term"),
        ("contract_term_capture", {"term": "never"}, "term"),
        ("contract_term_capture", {"contract_end_date": ""}, "contract_end_date"),
        ("contract_term_capture", {"contract_end_date": "2027-02-29"}, "contract_end_date"),
        ("contract_term_capture", {"contract_end_date": "2026-06-15"}, "contract_end_date"),
        ("contract_term_capture", {"contract_end_date": "0027-06-15"}, "contract_end_date"),
        ("contract_term_capture", {"contract_end_date": "0001-01-01"}, "contract_end_date"),
        ("contract_term_capture", {"contract_end_date": "20277-06-15"}, "contract_end_date"),
        ("contract_term_capture", {"contract_end_date": "2027-06-15\x00"}, "contract_end_date"),
        ("contract_term_capture", {"contract_start_date": "soon"}, "contract_start_date"),
        ("contract_term_capture", {"contract_start_date": "0026-06-16"}, "contract_start_date"),
    ],
)
def test_a_wrong_input_never_leaves_the_server(route, changed, field):
    form = answered(route, **changed)
    assert set(form.errors) == {field}
    assert not form.is_valid()


# --- addresses


def test_an_address_that_connect_knows_stands_in_its_fields():
    form = form_for(page("postal_address_capture", postal_address=ADDRESS | {"city": "Łódź", "country_code": "PL"}))
    assert form["city"].value() == "Łódź"
    assert form["country_code"].value() == "PL"
    assert "Poland" in form.country_name


# --- lists


def test_the_list_is_searched_by_name():
    form = form_for(page("provider_select"))
    assert form.found("orsted") == [PROVIDERS[1]]
    assert form.found("") == PROVIDERS
    assert form_for(page("tariff_select")).found("nig") == [TARIFFS[1]]


def test_an_item_that_cannot_be_chosen_is_not_offered():
    junk = [None, "prv_9", 7, {}, {"id": None}, {"id": ""}, {"id": 7}, {"id": ["prv_1"]}, {"id": {"a": 1}}]
    form = form_for(page("provider_select", providers=[*junk, PROVIDER]), sent({"provider": "prv_1"}))
    assert form.offered == [PROVIDER]
    assert form.is_valid()


@pytest.mark.parametrize("listed", [None, {}, {"id": "prv_1"}, "prv_1", 7, []])
def test_an_odd_list_offers_nothing(listed):
    form = form_for(page("provider_select", providers=listed), sent({"provider": "prv_1"}))
    assert form.found("") == []
    assert not form.is_valid()


# --- names


def searched(*about):
    on = page(*about)
    on.session.not_listed = {"provider": "Village Power", "tariff": "Green"}
    return on


def test_a_name_that_a_search_did_not_find_stands_in_the_field():
    assert form_for(searched("provider_name_capture"))["provider_name"].value() == "Village Power"
    assert form_for(searched("tariff_name_capture"))["tariff_name"].value() == "Green"


def test_a_name_that_connect_knows_comes_before_it_and_what_was_typed_before_both():
    known, typed = {"provider": {"name": "Known"}}, {"provider_name": "Typed"}
    assert form_for(searched("provider_name_capture", known))["provider_name"].value() == "Known"
    assert form_for(searched("provider_name_capture", known, typed))["provider_name"].value() == "Typed"


# --- structures


def test_only_what_the_page_offers_and_this_site_knows_can_be_chosen():
    on = page("tariff_structure_select", options=["MARKET", "ADVANCED", "FIXED", None, ["FIXED"], {}])
    assert {value for value, *_ in form_for(on).choices} == {"MARKET", "FIXED"}
    assert all(words and more for _, words, more in form_for(on).choices)
    assert answered("tariff_structure_select", on=on, options="FIXED").is_valid()
    assert not answered("tariff_structure_select", on=on, options="TIME_OF_DAY").is_valid()


# --- prices


@pytest.mark.parametrize(
    ("cost", "value"), [(0, ""), (None, None), (Decimal("0.2815"), "28.15"), (1, "100"), (Decimal("0.24555"), "24.555")]
)
def test_a_price_from_connect_is_shown_in_the_unit_of_bills(cost, value):
    assert shown("rate_fixed_capture", "cost", cost=cost) == value


def test_a_price_is_sent_exactly_as_it_was_typed():
    form = answered("rate_fixed_capture", cost="24.555")
    assert form.is_valid()
    assert simplejson.dumps(form.to_data()) == '{"cost": 0.24555}'


@pytest.mark.parametrize(
    ("currency", "direction", "cost", "said"),
    [
        ("GBP", "IMPORT", "28.15", "28.15p (£0.2815) per kWh. You pay about £760 for 2,700 kWh a year."),
        ("GBP", "EXPORT", "15", "15.00p (£0.15) per kWh. You get about £405 for 2,700 kWh a year."),
        ("GBP", "IMPORT", "100", "100.00p (£1.00) per kWh. You pay about £2,700 for 2,700 kWh a year."),
        ("EUR", "IMPORT", "30,12", "30.12c (€0.3012) per kWh. You pay about €1,054 for 3,500 kWh a year."),
        ("JPY", "IMPORT", "31", "31.00 ¥ (¥31.00) per kWh. You pay about ¥124,000 for 4,000 kWh a year."),
        ("XTS", "IMPORT", "2", "2.00 XTS (XTS2.00) per kWh. You pay about XTS7,000 for 3,500 kWh a year."),
    ],
)
def test_a_price_is_said_back_in_both_units_and_as_a_years_bill(currency, direction, cost, said):
    on = page("rate_fixed_capture", currency_code=currency)
    on.body["direction"] = direction
    form = answered("rate_fixed_capture", on=on, cost=cost)
    assert form.is_valid()
    [line] = form_for(on).said_back(stored(form.to_data()))
    assert line.replace("\xa0", "") == said


# --- doubts


@pytest.mark.parametrize(
    ("currency", "cost", "likely"),
    [
        ("GBP", "0.2815", "28.15p"),
        ("GBP", "2815", "28.15p"),
        ("GBP", "£28.15", "28.15p"),
        ("EUR", "0,30", "30.00c"),
        ("SEK", "1,5", "150.00 öre"),
        ("USD", "1700", "17.00¢"),
    ],
)
def test_a_price_a_hundred_times_off_is_asked_about_once(currency, cost, likely):
    on = page("rate_fixed_capture", currency_code=currency)
    first = answered("rate_fixed_capture", on=on, cost=cost)
    assert f"Did you mean {likely}?" in first.errors["cost"][0]
    assert list(first.doubts.values()) == [cost]
    again = answered("rate_fixed_capture", on=on, cost=cost, sure=list(first.doubts.values()))
    assert again.is_valid()
    assert again.to_data() == {"cost": again.fields["cost"].clean(cost)}


@pytest.mark.parametrize(
    ("currency", "cost"),
    [
        ("GBP", "2.5"),
        ("GBP", "28.15"),
        ("GBP", "125"),
        ("SEK", "15"),
        ("SEK", "750"),
        ("JPY", "155"),
        ("HUF", "36.5"),
        ("XTS", "0.001"),
    ],
)
def test_a_possible_price_is_not_asked_about(currency, cost):
    form = answered("rate_fixed_capture", on=page("rate_fixed_capture", currency_code=currency), cost=cost)
    assert form.is_valid()
    assert not form.doubts


@pytest.mark.parametrize(
    ("currency", "cost", "said"),
    [
        ("GBP", "245", "245.00p per kWh would cost about £6,615 a year. Change it, or continue"),
        ("GBP", "281500", "281,500.00p per kWh would cost about £7,600,500 a year. Change it, or continue"),
        ("GBP", "126", "126.00p per kWh would cost about £3,402 a year. Change it, or continue"),
        ("GBP", "2.4", "2.40p per kWh would cost about £65 a year. Change it, or continue"),
        ("GBP", "0.0001", "0.00p per kWh would cost about £0 a year. Change it, or continue"),
        ("JPY", "3100", "3,100.00 ¥ per kWh would cost about ¥12,400,000 a year. Change it, or continue"),
        ("HUF", "3650", "3,650.00 HUF per kWh would cost about HUF\xa012,775,000 a year. Change it, or continue"),
    ],
)
def test_a_price_far_from_what_is_usual_is_asked_about_once_with_the_bill_of_a_year(currency, cost, said):
    on = page("rate_fixed_capture", currency_code=currency)
    first = answered("rate_fixed_capture", on=on, cost=cost)
    assert first.errors["cost"] == [f"{said} if it is right."]
    assert answered("rate_fixed_capture", on=on, cost=cost, sure=list(first.doubts.values())).is_valid()


def test_less_is_usual_for_what_is_sold():
    on = page("rate_fixed_capture", currency_code="GBP")
    on.body["direction"] = "EXPORT"
    assert answered("rate_fixed_capture", on=on, cost="1.5").is_valid()
    said = answered("rate_fixed_capture", on=on, cost="245").errors["cost"][0]
    assert said.startswith("245.00p per kWh would pay you about £6,615 a year.")


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("fixed", "51", "51.00p more for each kWh would cost you about £1,377 a year."),
        ("fixed", "-51", "51.00p off each kWh would save you about £1,377 a year."),
        ("percentage", "61", "This percentage would add about £412 a year."),
        ("percentage", "-61", "This percentage would take off about £412 a year."),
    ],
)
def test_a_surcharge_far_from_what_is_usual_is_asked_about_once(field, text, said):
    on = page("market_surcharge_capture", regions=None)
    first = form_for(on, sent({field: text}))
    assert first.errors == {field: [f"{said} Change it, or continue if it is right."]}
    assert form_for(on, sent({field: text, "sure": text})).is_valid()
    assert form_for(on, sent({field: text.replace("1", "0")})).is_valid()


def test_a_changed_answer_that_is_doubtful_too_is_asked_about():
    first = answered("rate_fixed_capture", cost="0.28")
    assert not first.is_valid()
    assert not answered("rate_fixed_capture", cost="0.29", sure=list(first.doubts.values())).is_valid()


def test_a_price_that_was_asked_about_is_not_asked_about_again_when_something_else_is_wrong():
    first = answered("rate_tod_capture", cost_0="0.30")
    assert set(first.errors) == {"cost_0"}
    second = answered("rate_tod_capture", cost_0="0.30", cost_1="0.095", sure=list(first.doubts.values()))
    assert set(second.errors) == {"cost_1"}
    assert answered("rate_tod_capture", cost_0="0.30", cost_1="0.095", sure=list(second.doubts.values())).is_valid()


def test_a_price_that_was_asked_about_is_not_asked_about_again_after_an_error_of_connect():
    form = answered("rate_fixed_capture", cost="0.28", sure="0.28")
    assert form.is_valid()
    form.add_rejection(Rejected("Connect", 422, {"code": "cost_value_zero", "message": "Zero."}))
    assert all_errors(form) == {"cost": [refusals.CODES["cost_value_zero"]]}
    assert answered("rate_fixed_capture", cost="0.28", sure=list(form.doubts.values())).is_valid()


# --- day and night


def test_it_begins_with_two_empty_periods():
    form = form_for(page("rate_tod_capture"))
    assert [(start.value(), cost.value()) for start, cost in form.rows] == [(None, None), (None, None)]


def test_another_period_is_added_and_nothing_typed_is_lost_or_judged():
    half = {"periods": "2", "start_0": "07:00", "cost_0": "30", "start_1": "", "cost_1": "", "add": "1"}
    form = answered("rate_tod_capture", half)
    assert [(start.value(), cost.value()) for start, cost in form.rows] == [("07:00", "30"), ("", ""), (None, None)]
    assert [str(field.label) for field in form.rows[2]] == ["Price 3 starts at", "Price 3 per kWh"]
    assert not form.errors
    assert answered("rate_tod_capture", {"periods": "2", "add": "1"}).errors == {}


def test_there_is_an_end_to_adding():
    for periods in ("47", "48", "99"):
        assert answered("rate_tod_capture", {"periods": periods, "add": "1"}).count == TimedPricesForm.MOST


@pytest.mark.parametrize("periods", ["", "0", "1", "-1", "abc", "999", "2\x00"])
def test_there_are_never_less_than_two(periods):
    assert answered("rate_tod_capture", {"periods": periods}).count == 2


def test_the_end_of_a_period_is_the_start_of_the_next_in_whatever_order_they_were_typed():
    rows = {
        "periods": "4",
        "start_0": "16.00",
        "cost_0": "40",
        "start_1": "00:30",
        "cost_1": "9",
        "start_3": "05:30:00",
    }
    form = answered("rate_tod_capture", rows | {"cost_3": "25"})
    assert form.is_valid()
    assert form.to_data()["hours"] == [
        {"valid_from": "00:30:00", "valid_to": "05:30:00", "cost": Decimal("0.09")},
        {"valid_from": "05:30:00", "valid_to": "16:00:00", "cost": Decimal("0.25")},
        {"valid_from": "16:00:00", "valid_to": "00:30:00", "cost": Decimal("0.40")},
    ]


def test_day_and_night_are_said_back_with_the_mean_of_all_hours():
    form = answered("rate_tod_capture")
    assert form.is_valid()
    said = form_for(page("rate_tod_capture")).said_back(stored(form.to_data()))
    assert said == [
        "07:00 to 23:00: 30.00p (£0.30) per kWh",
        "23:00 to 07:00: 9.50p (£0.095) per kWh",
        "If you use the same amount every hour, you pay about £626 for 2,700 kWh a year.",
    ]


def test_whole_prices_are_said_back_too():
    on = page("rate_tod_capture", currency_code="JPY")
    form = answered("rate_tod_capture", on=on, cost_0="31", cost_1="20")
    assert form.is_valid()
    assert len(form_for(on).said_back(stored(form.to_data()))) == 3


def hours(*entries):
    return [
        {"valid_from": f"{start}:00", "valid_to": f"{end}:00", "cost": Decimal(cost)} for start, end, cost in entries
    ]


@pytest.mark.parametrize(
    ("listed", "rows"),
    [
        (
            hours(("00:00", "07:00", "0.095"), ("07:00", "23:00", "0.3"), ("23:00", "00:00", "0.095")),
            [("07:00", "30"), ("23:00", "9.5")],
        ),
        (
            hours(("23:00", "00:00", "0.095"), ("07:00", "23:00", "0.3"), ("00:00", "07:00", "0.0950")),
            [("07:00", "30"), ("23:00", "9.5")],
        ),
        (
            hours(("00:00", "07:00", "0.095"), ("07:00", "23:00", "0.3"), ("23:00", "00:00", "0.1")),
            [("00:00", "9.5"), ("07:00", "30"), ("23:00", "10")],
        ),
        (
            hours(("01:00", "07:00", "0.1"), ("07:00", "23:00", "0.3"), ("23:00", "01:00", "0.1")),
            [("01:00", "10"), ("07:00", "30"), ("23:00", "10")],
        ),
        (hours(("00:00", "12:00", "0.2"), ("12:00", "00:00", "0.2")), [("00:00", "20"), ("12:00", "20")]),
        (hours(("07:00", "23:00", "0.3"), ("23:00", "07:00", "0.1")), [("07:00", "30"), ("23:00", "10")]),
    ],
)
def test_hours_that_connect_split_at_midnight_are_shown_as_one(listed, rows):
    form = form_for(page("rate_tod_capture", hours=listed))
    assert [(start.value(), cost.value()) for start, cost in form.rows] == rows


def test_what_connect_split_goes_out_as_it_came_in():
    split = hours(("00:00", "07:00", "0.095"), ("07:00", "23:00", "0.3"), ("23:00", "00:00", "0.095"))
    form = form_for(page("rate_tod_capture", hours=split))
    rows = {field.name: field.value() for row in form.rows for field in row}
    again = answered("rate_tod_capture", rows | {"periods": str(form.count)})
    assert again.is_valid()
    assert again.to_data() == ANSWERS["rate_tod_capture"][1]


def test_going_back_shows_as_many_periods_as_were_entered():
    typed = {f"{name}_{n}": f"0{n}:00" for n in range(5) for name in ("start", "cost")}
    assert form_for(page("rate_tod_capture", typed=typed)).count == 5


@pytest.mark.parametrize(
    "listed",
    [None, 5, True, "abc", {}, {"a": 1}, [], [None, 5, "x"], [{}, {}, {}], [{"valid_from": None}, {"cost": [1]}, {}]],
)
def test_odd_hours_do_no_harm(listed):
    form = form_for(page("rate_tod_capture", hours=listed))
    assert form.count >= 2
    assert "None" not in str(form)


# --- surcharges


@pytest.mark.parametrize(
    ("typed", "fixed", "percentage"),
    [
        ({}, "0", "0"),
        ({"fixed": "0", "percentage": "0"}, "0", "0"),
        ({"fixed": "-0", "percentage": "-0"}, "0", "0"),
        ({"fixed": "−1,5"}, "-0.015", "0"),
        ({"fixed": "1,5", "fixed_sign": "-"}, "-0.015", "0"),
        ({"fixed": "-1,5", "fixed_sign": "-"}, "-0.015", "0"),
        ({"fixed": "", "fixed_sign": "-", "percentage": "5", "percentage_sign": "-"}, "0", "-5"),
        ({"percentage": "-12.5"}, "0", "-12.5"),
        ({"percentage": "-100"}, "0", "-100"),
        ({"percentage": "1000"}, "0", "1000"),
        ({"fixed": "0.05"}, "0.0005", "0"),
    ],
)
def test_a_surcharge_may_be_zero_and_below(typed, fixed, percentage):
    form = form_for(page("market_surcharge_capture", regions=None), sent(typed | {"sure": typed.get("percentage", "")}))
    assert form.is_valid(), form.errors
    assert form.to_data() == {"surcharge": {"fixed": Decimal(fixed), "percentage": Decimal(percentage)}}
    assert "-0" not in simplejson.dumps(form.to_data()).replace("-0.0", "")


def test_what_may_be_left_out_of_a_surcharge_is_said():
    form = form_for(page("market_surcharge_capture"))
    assert {name: field.help_text for name, field in form.fields.items()} == {
        "fixed": "Leave this empty if there is none.",
        "percentage": "Applies to the market price plus the fixed amount. Leave this empty if there is none.",
        "region": "",
    }


def test_a_discount_is_chosen_beside_the_amount_and_shown_so_again():
    form = form_for(page("market_surcharge_capture", regions=None), sent({"fixed": "abc", "fixed_sign": "-"}))
    assert '<option value="-" selected>Discount</option>' in str(form["fixed"])
    assert 'value="abc"' in str(form["fixed"])
    assert form.typed()["fixed"] == "-abc"
    again = form_for(page("market_surcharge_capture", regions=None, typed=form.typed()))
    assert '<option value="-" selected>' in str(again["fixed"])
    assert "selected" not in str(again["percentage"])
    known = form_for(page("market_surcharge_capture", surcharge={"fixed": Decimal("-0.03"), "percentage": 5}))
    assert ('value="3"' in str(known["fixed"]), "selected" in str(known["fixed"])) == (True, True)
    assert ('value="5"' in str(known["percentage"]), "selected" in str(known["percentage"])) == (True, False)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "The market price plus 0.00p (£0.00) per kWh, then 0% of the result on top."),
        (
            {"fixed": "2.5", "percentage": "5"},
            "The market price plus 2.50p (£0.025) per kWh, then 5% of the result on top.",
        ),
        (
            {"fixed": "-3", "percentage": "18,5"},
            "The market price minus 3.00p (£0.03) per kWh, then 18.5% of the result on top.",
        ),
    ],
)
def test_a_surcharge_is_said_back(typed, said):
    on = page("market_surcharge_capture", regions=None)
    form = form_for(on, sent(typed))
    assert form.is_valid()
    assert form_for(on).said_back(stored(form.to_data())) == [said]


@pytest.mark.parametrize(
    ("surcharge", "fixed", "percentage"),
    [
        ({"fixed": 0, "percentage": 0}, "", ""),
        ({"fixed": Decimal("0.025"), "percentage": Decimal("18.50")}, "2.5", "18.5"),
        ({"fixed": Decimal("-0.03"), "percentage": -5}, "-3", "-5"),
        ({}, "", ""),
        (None, "", ""),
        ([1], "", ""),
    ],
)
def test_a_surcharge_from_connect_is_shown_in_the_unit_of_bills(surcharge, fixed, percentage):
    form = form_for(page("market_surcharge_capture", surcharge=surcharge))
    assert (form["fixed"].value(), form["percentage"].value()) == (fixed, percentage)


@pytest.mark.parametrize("regions", [None, [], {}, "North", 7])
def test_the_region_is_asked_only_where_the_page_has_regions(regions):
    assert "region" not in form_for(page("market_surcharge_capture", regions=regions)).fields


def test_the_region_that_connect_knows_is_chosen():
    assert shown("market_surcharge_capture", "region", region="South") == "South"


# --- contracts


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-06-15T00:00:00Z", "2027-06-15"),
        ("2027-06-15T00:00:00+00:00", "2027-06-15"),
        ("2027-06-15T00:00:00.000Z", "2027-06-15"),
        ("2027-06-15T02:00:00+02:00", "2027-06-15"),
        ("2027-06-14T19:00:00-05:00", "2027-06-15"),
        ("2027-06-15T23:59:59Z", "2027-06-15"),
        ("2027-06-15", "2027-06-15"),
        ("2027-06-15T00:00:00", "2027-06-15"),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("0001-01-02T00:00:01+23:59", "0001-01-01"),
        ("2027-06-15T00:00:00+13:00", "2027-06-15"),
        ("2027-06-15T00:00:00-07:00", "2027-06-15"),
        ("2027-02-29T00:00:00Z", None),
        ("soon", None),
        ("", None),
        (None, None),
        (0, None),
        (True, None),
        ([], None),
        ({"date": "2027-06-15"}, None),
    ],
)
def test_a_date_from_connect_is_the_same_day_for_everyone(text, day, settings):
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        settings.TIME_ZONE = zone
        assert day_told(text) == (None if day is None else date.fromisoformat(day))


@pytest.mark.parametrize(
    ("dates", "values"),
    [
        ({"contract_end_date": "2027-06-15T00:00:00Z"}, ("date", "2027-06-15", "")),
        ({"contract_end_date": "0001-01-01T00:00:00Z"}, ("open", "", "")),
        ({"contract_end_date": None, "contract_start_date": "2026-06-16T00:00:00Z"}, (None, "", "2026-06-16")),
        ({"contract_end_date": "soon", "contract_start_date": []}, (None, "", "")),
        ({"contract_end_date": 20270615}, (None, "", "")),
    ],
)
def test_a_contract_that_connect_knows_is_shown(dates, values):
    form = form_for(page("contract_term_capture", **dates))
    found = form["term"].value(), form["contract_end_date"].value(), form["contract_start_date"].value()
    assert tuple(str(value or "") for value in found) == tuple(value or "" for value in values)


@pytest.mark.parametrize(
    ("typed", "known_start", "data"),
    [
        ({"term": "open"}, None, {"contract_end_date": "0001-01-01T00:00:00Z"}),
        ({"term": "unknown"}, None, {"contract_end_date": None}),
        ({"term": "date", "contract_end_date": "15/06/2027"}, None, {"contract_end_date": "2027-06-15T00:00:00Z"}),
        ({"term": "open", "contract_end_date": "2027-06-15"}, None, {"contract_end_date": "0001-01-01T00:00:00Z"}),
        (
            {"term": "open", "contract_end_date": "2020-01-01", "contract_start_date": "2026-06-16"},
            None,
            {"contract_end_date": "0001-01-01T00:00:00Z", "contract_start_date": "2026-06-16T00:00:00Z"},
        ),
        (
            {"term": "unknown"},
            "2026-06-16T00:00:00Z",
            {"contract_end_date": None, "contract_start_date": None},
        ),
    ],
)
def test_a_contract_is_sent_in_utc(typed, known_start, data):
    form = form_for(page("contract_term_capture", contract_start_date=known_start), sent(typed))
    assert form.is_valid(), form.errors
    assert form.to_data() == data


def test_what_is_wrong_with_the_dates_is_said():
    end_first = answered("contract_term_capture", contract_end_date="2026-06-15")
    assert all_errors(end_first) == {"contract_end_date": ["The last day must be after the first day."]}
    one_day = answered("contract_term_capture", contract_start_date="2099-06-16", contract_end_date="2099-06-16")
    assert one_day.is_valid()
    no_year = answered("contract_term_capture", contract_end_date="0027-06-15")
    assert all_errors(no_year) == {"contract_end_date": ["Enter the year with four digits, for example 2027."]}


@pytest.mark.parametrize(
    ("hour", "country", "end", "asks"),
    [
        (12, "GB", "2019-03-31", True),
        (12, "GB", "2026-04-29", True),
        (12, "GB", "2026-04-30", False),
        (22, "NZ", "2026-04-30", True),  # where it is 1 May
        (22, "NZ", "2026-05-01", False),
        (2, "US", "2026-04-29", False),  # where it is 29 April
        (2, "US", "2026-04-28", True),
        (2, "", "2026-04-29", False),
        (2, "", "2026-04-28", True),
    ],
)
def test_a_last_day_that_is_over_in_the_country_is_asked_about_once(monkeypatch, hour, country, end, asks):
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 4, 30, hour, tzinfo=UTC))
    on = page("contract_term_capture")
    on.session.country_code = country
    dates = {"contract_end_date": end, "contract_start_date": ""}
    first = answered("contract_term_capture", on=on, **dates)
    assert first.is_valid() is not asks
    if asks:
        assert "is in the past. Change the date, or continue" in all_errors(first)["contract_end_date"][0]
        again = answered("contract_term_capture", on=on, **dates, sure=list(first.doubts.values()))
        assert again.is_valid()
        assert again.to_data() == {"contract_end_date": f"{end}T00:00:00Z"}
        other = answered("contract_term_capture", on=on, **dates | {"contract_end_date": "2018-01-01"}, sure=[end])
        assert not other.is_valid()


# --- the start


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"direction": "IMPORT", "country_code": "GB"}, None),
        ({"direction": "EXPORT", "country_code": "DE"}, None),
        ({"direction": "IMPORT"}, "country_code"),
        ({"direction": "IMPORT", "country_code": "XX"}, "country_code"),
        ({"direction": "BOTH", "country_code": "GB"}, "direction"),
        ({"country_code": "GB"}, "direction"),
        ({"direction": "IMPORT", "country_code": "GB", "location": "not-an-id"}, "location"),
        ({"direction": "IMPORT", "country_code": "GB", "location": "\x00"}, "location"),
        ({"direction": "IMPORT", "location": "00000000-0000-0000-0000-000000000000"}, "location"),
    ],
)
def test_a_start_needs_a_direction_and_a_country(typed, field):
    form = StartForm(Location.objects.all(), sent(typed))
    assert form.is_valid() is (field is None)
    assert field is None or field in form.errors


def test_the_structures_are_those_of_connect():
    assert list(StructureForm.MORE) == ["FIXED", "TIME_OF_DAY", "MARKET"]
