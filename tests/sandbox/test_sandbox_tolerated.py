"""What FlatPeak's client, recorded runs and FlatPeak's description show. Anything undocumented is tolerated by name."""

import http.client
import json
from datetime import datetime, timedelta

import pytest

from sandbox.errors import TOLERATED

from .conftest import ADDRESS, Client
from .test_sandbox_server import serving, stop

FOUR = {name: ADDRESS[name] for name in ("address_line1", "city", "post_code", "country_code")}
SAN_FRANCISCO = ADDRESS | {"city": "San Francisco", "post_code": "94105", "country_code": "US"}
SURCHARGE = {"surcharge": {"fixed": 0.345, "percentage": 18.5}}


def named(sandbox):
    return sandbox.call("GET", "/_sandbox")["tolerated"]


def posted_as(content_type):
    """What posts session_restore with a content type."""

    def ask(sandbox):
        body = json.dumps({"connect_token": sandbox.talk().token, "route": "session_restore"})
        return sandbox.call("POST", "/", body, Content_Type=content_type)

    return ask


def answered(route, talk_to, **body):
    """What brings a conversation to a page and answers it."""

    def ask(sandbox):
        return talk_to(sandbox).send(route, **body)

    return ask


def at_address(sandbox):
    return sandbox.talk(postal_address={"country_code": "GB"})


def at_surcharge(sandbox):
    return sandbox.talk().pick("Tomato Energy")


def at_term(sandbox):
    return sandbox.talk().by_hand("FIXED")


def rates_with(**query):
    return lambda sandbox: sandbox.rates(sandbox.fixed(), **query)


CASES = [
    ("content_type", posted_as("text/plain;charset=UTF-8"), 415),
    ("content_type", posted_as("text/plain"), 415),
    ("unknown_field", answered("session_restore", lambda sandbox: sandbox.talk(), region="GBP"), 422),
    ("address_fields", answered("postal_address_capture", at_address, data={"postal_address": FOUR}), 422),
    (
        "address_fields",
        answered("postal_address_capture", at_address, data={"postal_address": FOUR | {"state": "Yorkshire"}}),
        422,
    ),
    ("no_state", answered("postal_address_capture", at_address, data={"postal_address": SAN_FRANCISCO}), 422),
    (
        "fraction",
        answered("contract_term_capture", at_term, data={"contract_end_date": "2027-06-15T00:00:00.000Z"}),
        422,
    ),
    (
        "fraction",
        answered("contract_term_capture", at_term, data={"contract_end_date": "0001-01-01T00:00:00.000Z"}),
        422,
    ),
    ("region", answered("market_surcharge_capture", at_surcharge, data=SURCHARGE | {"region": "FR"}), 422),
    ("boolean_case", rates_with(include_tariff="True"), 422),
    ("boolean_case", rates_with(include_carbon="False"), 422),
]


@pytest.mark.parametrize(("name", "ask", "status"), CASES)
def test_what_the_live_service_takes_beyond_its_documentation_is_taken_and_named(sandbox, name, ask, status):
    ask(sandbox)
    assert sandbox.status == 200
    assert named(sandbox) == {name: 1}


@pytest.mark.parametrize(("name", "ask", "status"), CASES)
def test_a_strict_sandbox_refuses_it(sandbox, name, ask, status):
    sandbox.control(switches={"strict": True})
    assert ask(sandbox)["object"] == "error"
    assert sandbox.status == status
    assert named(sandbox) == {}


def test_every_tolerance_has_its_case():
    assert {name for name, _, _ in CASES} == TOLERATED.keys()


def test_a_request_without_a_content_type_is_taken(sandbox):
    connection = http.client.HTTPConnection(*sandbox.server.server_address, timeout=30)
    body = json.dumps({"connect_token": sandbox.talk().token, "route": "session_restore"})
    connection.request("POST", "/", body)
    assert connection.getresponse().status == 200
    connection.close()
    assert named(sandbox) == {"content_type": 1}


def test_what_was_tolerated_is_on_the_page_in_the_log_and_gone_after_a_reset(capsys):
    server = serving(quiet=False)
    client = Client(server)
    client.log_in()
    posted_as("text/plain")(client)
    assert "content_type (1)" in client.call("GET", "/")
    assert client.control(reset=True)["tolerated"] == {}
    stop(server)
    log = capsys.readouterr().err
    assert " ms; tolerated content_type\n" in log
    assert log.count("tolerated") == 1


def test_what_is_refused_for_another_reason_was_not_tolerated(sandbox):
    sandbox.call("POST", "/", '{"connect_token": "cot_x", "route": "session_restore"}', Content_Type="text/plain")
    assert sandbox.status == 403
    assert named(sandbox) == {}


def test_absent_fields_of_an_address_are_empty(sandbox):
    talk = at_address(sandbox).go("postal_address_capture", {"postal_address": FOUR})
    assert talk.data["postal_address"] == ADDRESS


def test_a_date_with_a_fraction_is_shown_without(sandbox):
    talk = at_term(sandbox).go("contract_term_capture", {"contract_end_date": "2027-06-15T00:00:00.000Z"})
    assert talk.data["tariff"]["contract_end_date"] == "2027-06-15T00:00:00Z"


def test_a_client_can_open_the_address_of_the_login_as_it_is(sandbox):
    talk = sandbox.talk().pick("EDF")
    assert set(talk.data) == {"redirect_uri"}
    sandbox.call("GET", talk.data["redirect_uri"].removeprefix(sandbox.url))
    assert sandbox.status == 200


@pytest.mark.parametrize(
    ("country", "city", "zone"),
    [
        ("US", "San Francisco", "America/Los_Angeles"),
        ("US", "New York", "America/New_York"),
        ("CA", "Calgary", "America/Edmonton"),
        ("AU", " perth ", "Australia/Perth"),
    ],
)
def test_the_town_tells_the_time_zone_where_there_is_no_state(sandbox, country, city, zone):
    talk = sandbox.talk(postal_address=ADDRESS | {"country_code": country, "city": city})
    assert talk.route == "provider_select"
    location = sandbox.saved(talk.act("PROVIDER_MISSING").go("provider_name_capture", {"provider": {"name": "X"}})
                             .by_hand("FIXED"))  # fmt: skip
    assert sandbox.api("GET", f"/locations/{location}")["timezone"] == zone


def test_a_region_that_was_not_asked_for_changes_nothing(sandbox):
    found = []
    for more in ({}, {"region": "FR"}):
        talk = at_surcharge(sandbox).go("market_surcharge_capture", SURCHARGE | more)
        talk.go("tariff_name_capture", {"tariff": {"name": "X"}}).go("contract_term_capture")
        found.append([row["tariff"] for row in sandbox.rates(sandbox.saved(talk))["data"]])
    assert found[0] == found[1]


@pytest.mark.parametrize("now", ["2025-04-01T14:28:18Z", "2025-03-13T12:50:00Z", "2025-03-13T17:40:00Z"])
def test_the_recorded_runs_get_hours_to_the_next_midnight(sandbox, now):
    sandbox.control(now=now)
    sandbox.log_in()
    location = sandbox.saved(sandbox.talk().by_hand("MARKET"))
    moment = datetime.fromisoformat(now)
    end = f"{moment + timedelta(days=1):%Y-%m-%d}T00:00:00Z"
    rows = sandbox.rates(location, now, end, include_carbon="true", include_tariff="true")["data"]
    assert (rows[0]["valid_from"], rows[-1]["valid_to"]) == (now, end)
    whole = [[datetime.fromisoformat(row[name]) for name in ("valid_from", "valid_to")] for row in rows[1:-1]]
    assert {end - begin for begin, end in whole} == {timedelta(hours=1)}


def test_a_contract_whose_end_is_past_is_accepted(sandbox):
    talk = at_term(sandbox).go("contract_term_capture", {"contract_end_date": "2019-03-31T00:00:00Z"})
    assert talk.route == "summary_fixed_confirm"
    location = sandbox.saved(talk)
    assert sandbox.rates(location)["code"] == "no_price_data"
    assert sandbox.status == 422
    sandbox.control(switches={"after_contract": "no_tariff_connected"})
    assert sandbox.rates(location)["code"] == "no_tariff_connected"
    sandbox.control(switches={"after_contract": "empty"})
    assert sandbox.rates(location)["data"] == []
    assert sandbox.status == 200


@pytest.mark.parametrize(
    ("last_day", "country", "provider", "end"),
    [
        ("excluded", "GB", "Ecotricity", "2026-06-15T00:00:00Z"),
        ("excluded", "US", "Ameren", "2026-06-15T00:00:00Z"),
        ("included", "GB", "Ecotricity", "2026-06-15T23:00:00Z"),
        ("included", "US", "Ameren", "2026-06-16T07:00:00Z"),
        ("included", "AU", "", "2026-06-15T14:00:00Z"),
    ],
)
def test_the_last_day_of_a_contract_has_prices_or_not(sandbox, last_day, country, provider, end):
    sandbox.control(switches={"last_day": last_day})
    state = {"US": "CA", "AU": "NSW"}.get(country, "")
    talk = sandbox.talk(postal_address=ADDRESS | {"country_code": country, "state": state})
    if not provider:
        talk.act("PROVIDER_MISSING").go("provider_name_capture", {"provider": {"name": "X"}})
    talk.by_hand("FIXED", provider, country)
    talk.go("contract_term_capture", {"contract_end_date": "2026-06-15T00:00:00Z"})
    rows = sandbox.rates(sandbox.saved(talk), end="2026-07-01T00:00:00Z")["data"]
    assert rows[-1]["valid_to"] == end


def test_a_deletion_is_accepted_in_flatpeaks_words(sandbox):
    ids = sandbox.exchange(sandbox.talk().by_hand("FIXED").act("SAVE").token)
    for path in (f"/locations/{ids['location_id']}", f"/customers/{ids['customer_id']}"):
        assert sandbox.api("DELETE", path) == {"message": "Accepted"}
        assert sandbox.status == 202


def test_what_has_no_value_is_an_empty_string_or_absent_and_never_null(sandbox):
    talk = sandbox.talk().by_hand("FIXED").act("SAVE")
    ids = sandbox.exchange(talk.token)
    assert (ids["customer_reference_id"], ids["location_reference_id"]) == ("", "")
    place = sandbox.api("GET", f"/locations/{ids['location_id']}")
    assert place["reference_id"] == ""
    status = sandbox.api("GET", f"/locations/{ids['location_id']}/status")
    assert "null" not in json.dumps([ids, status])


def test_an_exchange_can_come_without_a_customer(sandbox):
    token = sandbox.talk().by_hand("FIXED").act("SAVE").token
    sandbox.control(faults=[{"call": "exchange", "fault": "missing_field", "field": "customer_id"}])
    assert "customer_id" not in sandbox.exchange(token)


@pytest.mark.parametrize(
    ("body", "code"),
    [({"direction": "LEFT"}, "tariff_direction_invalid"), ({"type": "OTHER"}, "tariff_type_invalid")],
)
def test_a_refused_token_has_flatpeaks_code_and_context(sandbox, body, code):
    error = sandbox.new_token(**body)
    assert (error["code"], error["context"]) == (code, "api.connect_token_create")


def test_a_provider_of_another_country_is_invalid_and_an_unknown_one_not_found(sandbox):
    talk = sandbox.talk()
    assert (
        talk.refused("provider_select", data={"provider": {"id": talk.id_of("Vattenfall", "DE")}})
        == "provider_id_invalid"
    )
    assert talk.refused("provider_select", data={"provider": {"id": "prv_" + "0" * 24}}) == "provider_not_found"


@pytest.mark.parametrize(("provider", "country"), [("Utilita", "GB"), ("Bürgerwerke", "DE"), ("Test: 2000", "FR")])
def test_another_providers_tariff_is_invalid_and_an_unknown_one_not_found(sandbox, provider, country):
    other = sandbox.talk(postal_address=ADDRESS | {"country_code": country}).pick(provider, country)
    talk = sandbox.talk().pick("SSE")
    theirs = other.data["tariffs"][-1]["id"]
    assert talk.refused("tariff_select", data={"tariff": {"id": theirs}}) == "tariff_id_invalid"
    assert talk.refused("tariff_select", data={"tariff": {"id": "trt_" + "0" * 24}}) == "tariff_not_found"


@pytest.mark.parametrize(
    ("start", "end", "offset"),
    [
        ("2026-06-10T02:00:00+02:00", "2026-06-11T02:00:00+02:00", "+02:00"),
        ("2026-06-10T02:00:00+02:00", "2026-06-10T19:00:00-05:00", "-05:00"),
        ("2026-06-10T00:00:00Z", "2026-06-11T02:00:00+02:00", "+02:00"),
        ("2026-06-10T02:00:00+02:00", "2026-06-11T00:00:00Z", "Z"),
    ],
)
def test_the_answer_speaks_in_the_offset_of_end_time(sandbox, start, end, offset):
    answer = sandbox.rates(sandbox.fixed(), start, end)
    row, request = answer["data"][0], answer["request"]
    said = (row["valid_from"], row["valid_to"], request["start_time"], answer["last_updated"], answer["next_update"])
    assert all(each.endswith(offset) for each in said)
    assert answer["time_created"].endswith("Z")


def test_a_status_has_the_locations_age_and_a_fifth_element(sandbox):
    location = sandbox.fixed()
    sandbox.control(advance=60)
    status, place = (sandbox.api("GET", f"/locations/{location}{path}") for path in ("/status", ""))
    assert status["time_created"] == place["time_created"] == "2026-06-10T12:00:00Z"
    assert status["tariff_status"]["local"] == {"status": "NOT_SUPPORTED"}


def test_a_location_has_its_statuses_its_place_and_its_tariffs(sandbox):
    location = sandbox.fixed()
    place = sandbox.api("GET", f"/locations/{location}")
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]
    assert place["tariff_status"] == {name: each["status"] for name, each in status.items()}
    assert place["tariff_elements"] == [status["commodity_import"]["tariff"]["id"]]
    assert 50 < place["geo_location"]["lat"] < 60
    assert -6 < place["geo_location"]["lng"] < 2
    assert sandbox.rates(location)["id"].startswith("rts_")


def test_bad_credentials_get_flatpeaks_words_and_the_log_says_more(capsys):
    server = serving(quiet=False)
    client = Client(server)
    assert client.log_in("acc_one", "sk_live_one") == {"message": "Bad credentials"}
    assert client.api("GET", "/locations/loc_x") == {"message": "Bad credentials"}
    stop(server)
    log = capsys.readouterr().err
    assert "send HTTP Basic with an account id" in log
    assert "send Authorization: Bearer" in log
    assert "sk_live" not in log


def test_a_structure_can_be_dynamic(sandbox):
    talk = sandbox.talk().pick("Test: dynamic").log_in("approve")
    assert (talk.route, talk.data["tariff"]["structure_type"]) == ("summary_tou_confirm", "DYNAMIC")
    location = sandbox.saved(talk)
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]["commodity_import"]
    assert status["tariff"]["structure_type"] == "DYNAMIC"
    assert len(sandbox.rates(location)["data"]) == 24


def test_a_post_code_can_be_required_only_where_the_country_has_some(sandbox):
    hong_kong = ADDRESS | {"country_code": "HK", "city": "Hong Kong", "post_code": ""}
    talk = at_address(sandbox)
    answer = {"data": {"postal_address": hong_kong}}
    assert talk.refused("postal_address_capture", **answer) == "post_code_missing"
    sandbox.control(switches={"post_code": "where_used"})
    british = {"data": {"postal_address": ADDRESS | {"post_code": ""}}}
    assert talk.refused("postal_address_capture", **british) == "post_code_missing"
    assert talk.go("postal_address_capture", **answer).route == "provider_select"
    talk.act("PROVIDER_MISSING").go("provider_name_capture", {"provider": {"name": "X"}})
    assert talk.go("tariff_structure_select", {"options": ["MARKET"]}).go(
        "market_surcharge_capture", SURCHARGE
    ).route == "tariff_name_capture"  # fmt: skip


def test_strict_needs_no_value_on_the_command_line():
    from sandbox.__main__ import parser

    assert parser().parse_args(["--strict", "--port", "0"]).strict is True
    assert parser().parse_args(["--strict", "false"]).strict is False


def test_a_switch_of_an_earlier_version_in_the_state_file_is_left_out(tmp_path):
    path = tmp_path / "state.json"
    stop(serving(state=path))
    path.write_text(path.read_text().replace('"strict":', '"gone":true,"strict":'))
    server = serving(state=path)
    assert "gone" not in server.world.state["switches"]
    stop(server)
