"""Every documented error code: by bad input and by test input. What else Connect refuses."""

import json

import pytest

from sandbox.catalog import TESTS
from sandbox.pages import ACTION_CODES, PAGES

from .conftest import ADDRESS, ANSWERS, BY_HAND


def period(begin, end, cost=0.2):
    return {"valid_from": begin, "valid_to": end, "cost": cost}


DAY = period("07:00:00", "23:00:00")
NIGHT = period("23:00:00", "07:00:00")
ID = "prv_" + "0" * 24
WRONG = [
    ("postal_address_capture", {"postal_address": ADDRESS | {"address_line1": " "}}, "address_line1_missing"),
    ("postal_address_capture", {"postal_address": ADDRESS | {"city": ""}}, "city_missing"),
    ("postal_address_capture", {"postal_address": ADDRESS | {"post_code": ""}}, "post_code_missing"),
    ("postal_address_capture", {"postal_address": ADDRESS | {"country_code": ""}}, "country_code_missing"),
    ("postal_address_capture", {"postal_address": ADDRESS | {"country_code": "UK"}}, "country_code_invalid"),
    (
        "postal_address_capture",
        {"postal_address": ADDRESS | {"country_code": "US", "state": "Kent"}},
        "timezone_not_found",
    ),
    ("postal_address_capture", {"postal_address": ADDRESS | {"country_code": "AQ"}}, "timezone_not_found"),
    ("postal_address_capture", {"postal_address": ADDRESS | {"city": 1}}, "data_json_invalid"),
    ("postal_address_capture", {"postal_address": {"city": "Leeds"}}, "address_line1_missing"),
    ("postal_address_capture", {"postal_address": ADDRESS | {"street": ""}}, "data_json_invalid"),
    ("postal_address_capture", {}, "data_json_invalid"),
    ("postal_address_capture", None, "data_json_invalid"),
    ("provider_select", {}, "provider_id_missing"),
    ("provider_select", {"provider": {"id": ""}}, "provider_id_missing"),
    ("provider_select", {"provider": {"id": ID}}, "provider_not_found"),
    ("provider_select", {"provider": {"id": "Octopus"}}, "provider_id_invalid"),
    ("provider_select", {"provider": {"id": 7}}, "provider_id_invalid"),
    ("provider_select", {"provider": ID}, "data_json_invalid"),
    ("provider_select", {"provider": {"id": ID, "name": "x"}}, "data_json_invalid"),
    ("provider_name_capture", {"provider": {"name": " "}}, "provider_name_missing"),
    ("provider_name_capture", {"provider": {}}, "provider_name_missing"),
    ("provider_name_capture", {"provider": {"name": 1}}, "data_json_invalid"),
    ("tariff_select", {"tariff": {}}, "tariff_id_missing"),
    ("tariff_select", {"tariff": {"id": "trt_" + "0" * 24}}, "tariff_not_found"),
    ("tariff_select", {"tariff": {"id": ID}}, "tariff_id_invalid"),
    ("tariff_structure_select", {"options": ["ADVANCED"]}, "option_not_supported"),
    ("tariff_structure_select", {"options": ["CHEAP"]}, "option_invalid"),
    ("tariff_structure_select", {"options": []}, "option_invalid"),
    ("tariff_structure_select", {"options": ["FIXED", "MARKET"]}, "option_invalid"),
    ("tariff_structure_select", {"options": "FIXED"}, "data_json_invalid"),
    ("rate_fixed_capture", {"cost": 0}, "cost_value_zero"),
    ("rate_fixed_capture", {"cost": 0.0}, "cost_value_zero"),
    ("rate_fixed_capture", {"cost": -0.1}, "cost_value_negative"),
    ("rate_fixed_capture", {"cost": "0.2815"}, "data_json_invalid"),
    ("rate_fixed_capture", {"cost": True}, "data_json_invalid"),
    ("rate_fixed_capture", {"cost": None}, "data_json_invalid"),
    ("rate_fixed_capture", {"cost": 1e9}, "data_json_invalid"),
    ("rate_fixed_capture", {"cost": 0.2, "currency_code": "GBP"}, "data_json_invalid"),
    ("rate_fixed_capture", [0.2], "data_json_invalid"),
    ("rate_tod_capture", {"hours": [DAY, NIGHT | {"cost": 0}]}, "cost_value_zero"),
    ("rate_tod_capture", {"hours": [DAY, NIGHT | {"cost": -1}]}, "cost_value_negative"),
    ("rate_tod_capture", {"hours": [DAY, NIGHT | {"valid_from": "23:00"}]}, "valid_from_invalid"),
    ("rate_tod_capture", {"hours": [DAY, period("22:00:00", "07:00:00")]}, "valid_from_invalid"),
    ("rate_tod_capture", {"hours": [DAY, period("07:00:00", "23:00:00")]}, "valid_from_invalid"),
    ("rate_tod_capture", {"hours": [DAY, period("23:00:00", "08:00:00")]}, "valid_from_invalid"),
    ("rate_tod_capture", {"hours": [DAY, NIGHT | {"valid_to": "24:00:00"}]}, "valid_to_invalid"),
    ("rate_tod_capture", {"hours": [DAY, period("23:00:00", "23:00:00")]}, "valid_to_invalid"),
    ("rate_tod_capture", {"hours": [period("07:00:00", "22:00:00"), NIGHT]}, "gap_in_time_period"),
    ("rate_tod_capture", {"hours": [DAY, period("23:00:00", "06:00:00")]}, "incomplete_time_period"),
    ("rate_tod_capture", {"hours": [DAY]}, "incomplete_time_period"),
    ("rate_tod_capture", {"hours": []}, "incomplete_time_period"),
    ("rate_tod_capture", {"hours": DAY}, "data_json_invalid"),
    ("rate_tod_capture", {"hours": [DAY, "night"]}, "data_json_invalid"),
    ("rate_tod_capture", {"hours": [DAY, NIGHT | {"cost": False}]}, "data_json_invalid"),
    ("market_surcharge_capture", {"surcharge": {"fixed": 0, "percentage": 101}}, "surcharge_percentage_invalid"),
    ("market_surcharge_capture", {"surcharge": {"fixed": 0}}, "data_json_invalid"),
    ("market_surcharge_capture", {"surcharge": {"fixed": "0", "percentage": 0}}, "data_json_invalid"),
    ("tariff_name_capture", {"tariff": {"name": ""}}, "tariff_name_missing"),
    ("tariff_name_capture", {"tariff": "x"}, "data_json_invalid"),
    ("contract_term_capture", {"contract_end_date": "2027-06-15"}, "date_format_invalid"),
    ("contract_term_capture", {"contract_end_date": "2027-06-31T00:00:00Z"}, "date_format_invalid"),
    ("contract_term_capture", {"contract_end_date": "2027-06-15T00:00:00+02:00"}, "date_format_invalid"),
    ("contract_term_capture", {"contract_end_date": 2027}, "date_format_invalid"),
    ("contract_term_capture", {"contract_end": None}, "data_json_invalid"),
    (
        "contract_term_capture",
        {"contract_start_date": "2027-06-15T00:00:00Z", "contract_end_date": "2027-06-15T00:00:00Z"},
        "date_format_invalid",
    ),
]


def at(sandbox, route):
    """A conversation at a page."""
    talk = sandbox.talk(postal_address={"country_code": "GB"})
    return talk if route == talk.route else sandbox.talk().reach(route)


@pytest.mark.parametrize(("route", "data", "code"), WRONG)
def test_bad_input_gets_its_code_and_changes_nothing(sandbox, route, data, code):
    talk = at(sandbox, route)
    before = talk.go("session_restore").page
    body = {} if data is None else {"data": data}
    assert talk.refused(route, **body) == code
    assert sandbox.status == 422
    assert talk.go("session_restore").page == before


def test_a_post_code_of_zeros_has_no_market(sandbox):
    talk = sandbox.talk(postal_address=ADDRESS | {"post_code": "00000"}).pick("Test: market only")
    answer = {"surcharge": {"fixed": 0, "percentage": 0}}
    assert talk.refused("market_surcharge_capture", data=answer) == "geo_location_not_found"


@pytest.mark.parametrize("route", ["summary_fixed_confirm", "summary_tou_confirm", "summary_tariff_inprogress"])
def test_a_summary_wants_one_of_its_actions(sandbox, route):
    talk = sandbox.talk()
    if route == "summary_tariff_inprogress":
        talk.pick("EDF").log_in("unreachable")
    else:
        talk.by_hand("FIXED" if "fixed" in route else "MARKET")
    assert talk.refused(route) == "action_missing"
    assert talk.refused(route, data={"action": "SAVE"}) == "data_json_invalid"
    for action in ("DELETE", "RECONNECT", 7, ["SAVE"]):
        assert talk.refused(route, action=action) == "action_invalid"


def test_a_data_page_refuses_an_action_it_does_not_offer(sandbox):
    talk = at(sandbox, "tariff_structure_select")
    assert talk.refused("tariff_structure_select", action="SAVE") == "action_invalid"


def test_every_code_of_every_page_is_tried_above(sandbox):
    tried = {(route, code) for route, _, code in WRONG}
    tried |= {("market_surcharge_capture", code) for code in ("geo_location_not_found", "market_region_invalid")}
    documented = {(route, code) for route, each in PAGES.items() for code in each.codes if "action_" not in code}
    assert documented <= tried


REFUSED = [each["refuses"] for each in TESTS if "refuses" in each]


@pytest.mark.parametrize("code", [code for code in REFUSED if code not in ACTION_CODES])
def test_a_provider_that_refuses_an_answer_does_so_once(sandbox, code):
    # data_json_invalid is a code of every page.
    for route in [name for name, page in PAGES.items() if code in page.codes] or ["tariff_structure_select"]:
        talk = sandbox.talk().pick(f"Test: refuses {code}").reach(route)
        answer = next(iter(ANSWERS[route].values()))
        answer = answer(talk) if callable(answer) else answer
        assert talk.refused(route, data=answer) == code
        assert talk.go(route, answer).route != route


@pytest.mark.parametrize("structure", BY_HAND)
@pytest.mark.parametrize("code", ACTION_CODES)
def test_a_provider_that_refuses_an_action_does_so_once(sandbox, code, structure):
    talk = sandbox.talk().by_hand(structure, f"Test: refuses {code}")
    assert talk.refused(talk.route, action="SAVE") == code
    assert talk.act("SAVE").route == "session_complete"


def test_every_code_after_provider_select_has_a_provider_that_refuses_with_it():
    later = list(PAGES)[list(PAGES).index("provider_name_capture") :]
    assert {code for route in later for code in PAGES[route].codes} | {"data_json_invalid"} == set(REFUSED)


@pytest.mark.parametrize("code", [*PAGES["postal_address_capture"].codes, "data_json_invalid"])
def test_a_code_typed_as_the_address_is_answered_once(sandbox, code):
    talk = sandbox.talk(postal_address={"country_code": "GB"})
    answer = {"data": {"postal_address": ADDRESS | {"address_line1": f"Test: {code}"}}}
    assert talk.refused("postal_address_capture", **answer) == code
    assert talk.go("postal_address_capture", **answer).route == "provider_select"


@pytest.mark.parametrize(("code", "status"), [("rate_limit", 429), ("api_error", 500)])
def test_a_fault_typed_as_a_name_is_answered_once(sandbox, code, status):
    talk = sandbox.talk().act("PROVIDER_MISSING")
    answer = {"data": {"provider": {"name": f"Test: {code}"}}}
    error = talk.send("provider_name_capture", **answer)
    assert (sandbox.status, error["type"], error["code"]) == (status, code, code)
    talk.go("provider_name_capture", **answer)
    talk.go("tariff_structure_select", {"options": ["FIXED"]}).go("rate_fixed_capture", {"cost": 1})
    talk.go("tariff_name_capture", {"tariff": {"name": "Test: city_missing"}})
    talk.go("tariff_name_capture", {"tariff": {"name": "Test: nothing known"}})


@pytest.mark.parametrize("code", ["provider_id_missing", "provider_not_found", "provider_id_invalid"])
def test_a_provider_named_after_a_code_gives_it_every_time(sandbox, code):
    talk = sandbox.talk()
    for _ in range(2):
        assert talk.refused("provider_select", data={"provider": {"id": talk.id_of(f"Test: {code}")}}) == code


@pytest.mark.parametrize(("name", "status"), [("rate limit", 429), ("api error", 500), ("not JSON", 502)])
def test_a_provider_with_a_fault_has_it_once(sandbox, name, status):
    talk = sandbox.talk()
    answer = {"provider": {"id": talk.id_of(f"Test: {name}")}}
    error = talk.send("provider_select", data=answer)
    assert sandbox.status == status
    if status != 502:
        assert error["type"] == name.replace(" ", "_")
    assert talk.go("provider_select", answer).route == "tariff_structure_select"


def test_an_unknown_error_code(sandbox):
    talk = sandbox.talk()
    answer = {"provider": {"id": talk.id_of("Test: unknown error code")}}
    assert talk.refused("provider_select", data=answer) == "sandbox_unknown_code"


def test_an_unknown_page_and_the_error_page_go_on_with_session_restore(sandbox):
    talk = sandbox.talk().pick("Test: unknown page")
    assert talk.route == "sandbox_unknown_page"
    assert talk.go("session_restore").route == "provider_select"
    talk.pick("Test: error page")
    assert set(talk.page) == {"connect_token", "route", "live_mode", "error_code", "error_message"}
    assert talk.page["route"] == "error"
    assert talk.go("session_restore").route == "provider_select"


def test_a_list_without_providers_until_the_next_answer(sandbox):
    talk = sandbox.talk().pick("Test: no providers")
    assert (talk.route, talk.data["providers"]) == ("provider_select", [])
    assert talk.go("session_restore").data["providers"] == []
    assert talk.act("PROVIDER_MISSING").route == "provider_name_capture"
    assert talk.go("provider_name_capture", action="ADDRESS_CHANGE").route == "postal_address_capture"
    assert talk.go("postal_address_capture", {"postal_address": ADDRESS}).data["providers"]


def test_a_token_that_expires_at_a_provider(sandbox):
    talk = sandbox.talk()
    answer = {"provider": {"id": talk.id_of("Test: token expires here")}}
    assert talk.refused("provider_select", data=answer) == "connect_token_expired"
    assert sandbox.status == 403
    assert talk.refused("session_restore") == "connect_token_expired"


def test_an_answer_that_is_lost_was_taken(sandbox):
    talk = sandbox.talk()
    with pytest.raises(ConnectionError):
        talk.pick("Test: answer lost")
    assert talk.go("session_restore").route == "tariff_structure_select"


def test_a_token_lives_for_a_day(sandbox):
    talk = sandbox.talk()
    sandbox.control(advance=86399)
    talk.go("session_restore")
    sandbox.control(advance=1)
    assert talk.refused("session_restore") == "connect_token_expired"


def test_a_page_that_was_never_shown_is_refused(sandbox):
    talk = sandbox.talk()
    assert talk.refused("rate_fixed_capture", data={"cost": 1}) == "route_not_available"
    assert sandbox.status == 409
    fresh = type(talk)(sandbox, sandbox.new_token()["connect_token"])
    assert fresh.refused("provider_select", data={}) == "route_not_available"
    talk.pick("EDF")
    assert talk.refused("session_redirect") == "data_json_invalid"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "data_json_invalid"),
        ("{", 400, "data_json_invalid"),
        ("[" * 100_000, 400, "data_json_invalid"),
        ('{"connect_token": NaN}', 400, "data_json_invalid"),
        ("[]", 422, "data_json_invalid"),
        ("{}", 422, "connect_token_missing"),
        ('{"connect_token": 5, "route": "session_restore"}', 422, "connect_token_missing"),
        ('{"connect_token": ["cot_x"], "route": "session_restore"}', 422, "connect_token_missing"),
        ('{"connect_token": "cot_x"}', 422, "route_missing"),
        ('{"connect_token": "cot_x", "route": ["session_restore"]}', 422, "route_missing"),
        ('{"connect_token": "cot_x", "route": "session_start"}', 422, "route_invalid"),
        ('{"connect_token": "cot_x", "route": "session_restore"}', 403, "connect_token_invalid"),
        ('{"connect_token": "T", "route": "session_restore", "data": {"x": 1}}', 422, "data_json_invalid"),
        ('{"connect_token": "T", "route": "session_restore", "action": "SAVE"}', 422, "data_json_invalid"),
        ('{"connect_token": "T", "route": "session_restore", "type": "render"}', 422, "data_json_invalid"),
        (
            '{"connect_token": "T", "route": "provider_select", "action": "ADDRESS_CHANGE", "data": {"x": 1}}',
            422,
            "data_json_invalid",
        ),
    ],
)
def test_a_malformed_request_is_refused(sandbox, body, status, code):
    token = sandbox.talk().token
    error = sandbox.call("POST", "/", body.replace('"T"', json.dumps(token)))
    assert (sandbox.status, error["code"]) == (status, code)
    assert error["context"].startswith("connect")


def test_a_body_of_another_content_type_is_refused(sandbox):
    form = "application/x-www-form-urlencoded"
    assert sandbox.call("POST", "/", "{}", Content_Type=form)["code"] == "content_type_invalid"
    assert sandbox.status == 415
