"""Sign-in, tokens, exchange and locations, and what they refuse."""

import base64

import pytest

from .conftest import ADDRESS


@pytest.mark.parametrize(
    ("account", "key"),
    [
        ("acc_one", "sk_live_one"),
        ("acc_", "sk_test_one"),
        ("one", "sk_test_one"),
        ("acc_one", ""),
        ("acc_ö", "sk_test_1"),
    ],
)
def test_wrong_credentials_get_403(sandbox, account, key):
    assert sandbox.log_in(account, key) == {"message": "Bad credentials"}
    assert sandbox.status == 403


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic %%%", "Bearer " + base64.b64encode(b"acc_a:sk_test_b").decode()]
)
def test_sign_in_needs_basic(sandbox, header):
    sandbox.call("GET", "/login", Authorization=header)
    assert sandbox.status == 403


def test_a_bearer_serves_for_an_hour(sandbox):
    answer = sandbox.log_in()
    assert answer == {"bearer_token": sandbox.bearer, "expires_in": 3600, "live_mode": False}
    assert len(sandbox.bearer) == len("bearer_") + 40
    sandbox.control(advance=3599)
    assert sandbox.new_token()["expires_in"] == 86400
    sandbox.control(advance=1)
    assert sandbox.new_token() == {"message": "Bad credentials"}
    assert sandbox.status == 403


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer bearer_0", "Basic {bearer}"])
def test_a_call_needs_its_bearer(sandbox, header):
    sandbox.call("GET", "/locations/loc_x", Authorization=header.format(bearer=sandbox.bearer))
    assert sandbox.status == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "callback_uri_missing"),
        ([], "data_json_invalid"),
        ("{", "data_json_invalid"),
        ({"callback_uri": "done"}, "callback_uri_invalid"),
        ({"callback_uri": 5}, "callback_uri_invalid"),
        ({"callback_uri": "a://b", "connect_web_uri": ""}, "connect_web_uri_invalid"),
        ({"callback_uri": "a://b", "direction": "BOTH"}, "tariff_direction_invalid"),
        ({"callback_uri": "a://b", "type": "GAS"}, "tariff_type_invalid"),
        ({"callback_uri": "a://b", "callback_url": "a://b"}, "data_json_invalid"),
        ({"callback_uri": "a://b", "customer_id": ""}, "customer_id_invalid"),
        ({"callback_uri": "a://b", "customer_id": "cus_x"}, "customer_id_invalid"),
        ({"callback_uri": "a://b", "location_id": None}, "location_id_invalid"),
        ({"callback_uri": "a://b", "tariff_id": ""}, "tariff_id_invalid"),
        ({"callback_uri": "a://b", "location_id": "loc_x", "location_reference_id": "y"}, "location_ambiguous"),
        ({"callback_uri": "a://b", "postal_address": "Leeds"}, "data_json_invalid"),
        ({"callback_uri": "a://b", "postal_address": {"city": 1}}, "data_json_invalid"),
        ({"callback_uri": "a://b", "postal_address": {"town": "Leeds"}}, "data_json_invalid"),
        ({"callback_uri": "a://b", "postal_address": {"country_code": "XX"}}, "country_code_invalid"),
    ],
)
def test_a_token_is_not_made_from_bad_input(sandbox, body, code):
    error = sandbox.api("POST", "/connect/tariff/token", body)
    assert (error["object"], error["code"]) == ("error", code)
    assert sandbox.status == (400 if body == "{" else 422)
    assert error["context"] == "api.connect_token_create"


def test_a_customer_is_found_again_by_id_or_reference(sandbox):
    talk = sandbox.talk(customer_reference_id="mine", location_reference_id="flat").by_hand("FIXED").act("SAVE")
    first = sandbox.exchange(talk.token)
    assert (first["customer_reference_id"], first["location_reference_id"]) == ("mine", "flat")
    for body in ({"customer_reference_id": "mine"}, {"customer_id": first["customer_id"]}):
        again = sandbox.exchange(sandbox.talk(**body).by_hand("FIXED").act("SAVE").token)
        assert again["customer_id"] == first["customer_id"]
        assert again["customer_reference_id"] == "mine"
        assert again["location_id"] != first["location_id"]
    other = sandbox.exchange(sandbox.talk(customer_reference_id="other").by_hand("FIXED").act("SAVE").token)
    assert other["customer_id"] != first["customer_id"]


def test_a_location_keeps_its_customer(sandbox):
    one, other = (sandbox.exchange(sandbox.talk().by_hand("FIXED").act("SAVE").token) for _ in range(2))
    body = {"location_id": one["location_id"], "customer_id": other["customer_id"]}
    assert sandbox.new_token(**body)["code"] == "customer_id_invalid"
    talk = sandbox.talk(location_id=one["location_id"], postal_address=ADDRESS).act("SAVE")
    assert sandbox.exchange(talk.token)["customer_id"] == one["customer_id"]


def test_a_location_keeps_its_address_whatever_the_token_says(sandbox):
    location = sandbox.fixed()
    talk = sandbox.talk(location_id=location, postal_address={"country_code": "US"})
    assert talk.route == "summary_fixed_confirm"
    assert sandbox.saved(talk) == location
    assert sandbox.api("GET", f"/locations/{location}")["postal_address"] == ADDRESS


def test_a_tariff_id_is_taken_and_changes_nothing(sandbox):
    location = sandbox.fixed()
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]["commodity_import"]
    tariff_id = status["tariff"]["id"]
    assert sandbox.talk(tariff_id=tariff_id).route == "provider_select"
    assert sandbox.saved(sandbox.talk(tariff_id=tariff_id, location_id=location)) == location


@pytest.mark.parametrize("year", ["0001", "1899", "2500", "9999"])
def test_a_time_outside_of_six_centuries_is_refused(sandbox, year):
    location = sandbox.fixed()
    for times in ({"end": f"{year}-06-11T00:00:00Z", "start": None}, {"start": f"{year}-06-11T00:00:00Z"}):
        assert sandbox.rates(location, **times)["code"].endswith("_time_invalid")
        assert sandbox.status == 422


def test_another_account_sees_nothing(sandbox):
    talk = sandbox.talk().by_hand("FIXED").act("SAVE")
    ids = sandbox.exchange(talk.token)
    sandbox.log_in("acc_two", "sk_test_two")
    location = ids["location_id"]
    for path in (f"/locations/{location}", f"/locations/{location}/status"):
        assert sandbox.api("GET", path) == {"message": "Not Found"}
        assert sandbox.status == 404
    assert sandbox.rates(location) == sandbox.exchange(talk.token) == {"message": "Not Found"}
    assert sandbox.new_token(location_id=location)["code"] == "location_id_invalid"
    assert sandbox.new_token(customer_id=ids["customer_id"])["code"] == "customer_id_invalid"


def test_the_exchange_waits_for_the_end(sandbox):
    token = sandbox.new_token()["connect_token"]
    assert sandbox.exchange(token)["code"] == "connect_incomplete"
    assert sandbox.status == 422
    assert "provider_select" in sandbox.exchange(sandbox.talk().token)["message"]
    assert sandbox.exchange("cot_unknown") == {"message": "Not Found"}
    assert sandbox.api("GET", "/connect/tariff/token")["code"] == "data_json_invalid"


def test_a_location_and_its_status(sandbox):
    location = sandbox.fixed()
    answer = sandbox.api("GET", f"/locations/{location}")
    assert answer["postal_address"] == ADDRESS
    assert (answer["timezone"], answer["currency_code"], answer["object"]) == ("Europe/London", "GBP", "location")
    status = sandbox.api("GET", f"/locations/{location}/status")
    assert status["object"] == "location_status"
    connected = status["tariff_status"].pop("commodity_import")
    assert (connected["status"], connected["connection_type"]) == ("CONNECTED", "MANUAL")
    assert connected["provider"]["display_name"] == "Ecotricity"
    assert connected["tariff"]["structure_type"] == "FIXED"
    assert "contract_end_date" not in connected["tariff"]
    assert {key: each["status"] for key, each in status["tariff_status"].items()} == {
        "commodity_export": "NOT_CONNECTED",
        "non_commodity_import": "NOT_CONNECTED",
        "non_commodity_export": "NOT_SUPPORTED",
        "local": "NOT_SUPPORTED",
    }


def test_a_tariff_of_the_other_type_is_separate(sandbox):
    location = sandbox.saved(sandbox.talk(type="NON_COMMODITY").by_hand("FIXED"))
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]
    assert status["non_commodity_import"]["status"] == "CONNECTED"
    assert sandbox.rates(location)["code"] == "no_tariff_connected"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "end_time_missing"),
        ("end_time=2026-06-11", "end_time_invalid"),
        ("end_time=2026-06-11T00:00:00", "end_time_invalid"),
        ("end_time=2026-06-11T00:00:00+01:00", "end_time_invalid"),
        ("end_time=2026-06-31T00:00:00Z", "end_time_invalid"),
        ("end_time=0001-01-01T00:00:00%2B01:00", "end_time_invalid"),
        ("end_time=2026-06-09T00:00:00Z", "end_time_invalid"),
        ("start_time=now&end_time=2026-06-11T00:00:00Z", "start_time_invalid"),
        ("start_time=2026-06-01T00:00:00Z&end_time=2026-08-30T00:00:01Z", "end_time_invalid"),
        ("end_time=2026-06-11T00:00:00Z&direction=BOTH", "direction_invalid"),
        ("end_time=2026-06-11T00:00:00Z&include_carbon=yes", "include_carbon_invalid"),
        ("end_time=2026-06-11T00:00:00Z&include_tariff=1", "include_tariff_invalid"),
        ("end_time=2026-06-11T00:00:00Z&carbon=true", "data_json_invalid"),
        ("end_time=2026-06-11T00:00:00Z&end_time=2026-06-12T00:00:00Z", "query_invalid"),
    ],
)
def test_a_question_for_rates_that_is_none(sandbox, query, code):
    location = sandbox.fixed()
    error = sandbox.api("GET", f"/tariffs/rates/{location}?{query}")
    assert (error["code"], error["context"], sandbox.status) == (code, "rates", 422)


def test_ninety_days_are_answered(sandbox):
    location = sandbox.fixed()
    assert sandbox.rates(location, "2026-06-01T00:00:00Z", "2026-08-30T00:00:00Z")["data"]


def test_a_deleted_location_is_gone_for_every_later_call(sandbox):
    talk = sandbox.talk().by_hand("FIXED").act("SAVE")
    location, other = sandbox.exchange(talk.token)["location_id"], sandbox.fixed()
    about = sandbox.talk(location_id=location)
    assert sandbox.api("DELETE", f"/locations/{location}") == {"message": "Accepted"}
    assert sandbox.status == 202
    for method, path in (("GET", ""), ("GET", "/status"), ("DELETE", "")):
        assert sandbox.api(method, f"/locations/{location}{path}") == {"message": "Not Found"}
        assert sandbox.status == 404
    assert sandbox.rates(location) == sandbox.exchange(talk.token) == {"message": "Not Found"}
    assert sandbox.new_token(location_id=location)["code"] == "location_id_invalid"
    assert about.refused(about.route, action="SAVE") == "connect_token_invalid"
    assert sandbox.rates(other)["data"]


def test_a_deleted_customer_takes_every_location_and_conversation_along(sandbox):
    ids = sandbox.exchange(sandbox.talk().by_hand("FIXED").act("SAVE").token)
    second = sandbox.fixed(customer_id=ids["customer_id"])
    about, other = sandbox.talk(customer_id=ids["customer_id"]), sandbox.fixed()
    assert sandbox.api("DELETE", f"/customers/{ids['customer_id']}") == {"message": "Accepted"}
    assert sandbox.status == 202
    for location in (ids["location_id"], second):
        assert sandbox.api("GET", f"/locations/{location}") == sandbox.rates(location) == {"message": "Not Found"}
    assert sandbox.new_token(customer_id=ids["customer_id"])["code"] == "customer_id_invalid"
    assert about.refused("session_restore") == "connect_token_invalid"
    assert sandbox.api("DELETE", f"/customers/{ids['customer_id']}") == {"message": "Not Found"}
    assert sandbox.status == 404
    assert sandbox.api("GET", f"/locations/{other}")["id"] == other


def test_another_account_deletes_nothing(sandbox):
    ids = sandbox.exchange(sandbox.talk().by_hand("FIXED").act("SAVE").token)
    sandbox.log_in("acc_two", "sk_test_two")
    for path in (f"/locations/{ids['location_id']}", f"/customers/{ids['customer_id']}"):
        assert sandbox.api("DELETE", path) == {"message": "Not Found"}
        assert sandbox.status == 404
    sandbox.log_in()
    assert sandbox.api("GET", f"/locations/{ids['location_id']}")["customer_id"] == ids["customer_id"]


def test_a_deletion_needs_its_bearer(sandbox):
    location = sandbox.fixed()
    sandbox.call("DELETE", f"/locations/{location}")
    assert sandbox.status == 403
    assert sandbox.api("GET", f"/locations/{location}")["id"] == location
