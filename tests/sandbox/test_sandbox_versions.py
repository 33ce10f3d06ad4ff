"""Which release an account has, which one serves a call, and what anode's REST calls are."""

from decimal import Decimal

import pytest

from sandbox import __main__ as command

from .conftest import Anode, Client
from .test_sandbox_server import serving, stop

ZERO, ANODE = "2024-08-24.zero", "2025-09-14.anode"
OLD, NEW = "/connect/tariff/token", "/connect/token"
ADDRESSES = {"callback_url": "https://app.example/done", "connect_url": "https://app.example/back"}
FIELDS = {OLD: {"callback_uri": "https://app.example/done"}, NEW: ADDRESSES}


def asked(sandbox, path, version=None, **body):
    headers = {"Flatpeak_Version": version} if version is not None else {}
    bearer = f"Bearer {sandbox.bearer}"
    return sandbox.call("POST", path, FIELDS[path] | body, Authorization=bearer, **headers)


@pytest.mark.parametrize(("account", "path", "version"), [("acc_one", OLD, ZERO), ("acc_anode1", NEW, ANODE)])
def test_an_account_has_the_release_that_its_id_begins_with(sandbox, account, path, version):
    sandbox.log_in(account)
    assert sandbox.headers["flatpeak-version"] == version
    assert asked(sandbox, path)["expires_in"] == 86400
    assert sandbox.headers["flatpeak-version"] == version
    assert asked(sandbox, OLD if path == NEW else NEW) == {"message": "Not Found"}
    assert (sandbox.status, sandbox.headers["flatpeak-version"]) == (404, version)


def test_the_default_is_an_option_of_the_start():
    server = serving(release="anode")
    client = Client(server)
    client.log_in()
    assert asked(client, NEW)["connect_token"]
    client.log_in("acc_zero1")
    assert asked(client, OLD)["connect_token"]
    stop(server)
    with pytest.raises(ValueError, match="no release busbar; there are zero, anode"):
        serving(release="busbar")


def test_a_release_that_is_none_is_one_sentence(capsys):
    assert command.main(["--port=0", "--quiet", "--release=busbar"]) == 1
    assert capsys.readouterr().err.endswith("There is no release busbar; there are zero, anode.\n")


@pytest.mark.parametrize("version", [ANODE, "2025-09-14"])
def test_a_header_raises_one_call(sandbox, version):
    assert asked(sandbox, NEW, version)["connect_token"]
    assert sandbox.headers["flatpeak-version"] == ANODE
    assert asked(sandbox, OLD)["connect_token"]
    assert sandbox.headers["flatpeak-version"] == ZERO


@pytest.mark.parametrize("version", [ZERO, "2024-08-24", "2020-01-01.minus"])
def test_a_header_that_is_older_than_the_account_is_refused(sandbox, version):
    sandbox.log_in("acc_anode1")
    answer = asked(sandbox, NEW, version)
    assert (sandbox.status, sandbox.headers["flatpeak-version"]) == (422, ANODE)
    assert answer.items() >= {"context": "api", "code": "api_version_not_supported", "object": "error"}.items()
    assert answer["message"] == f"Requested API version {version} is older than account default {ANODE}."


@pytest.mark.parametrize("version", ["zero", "2031-01-01.busbar", "2025-09"])
def test_an_unknown_version_is_refused_or_ignored(sandbox, version):
    assert asked(sandbox, OLD, version)["code"] == "api_version_not_supported"
    sandbox.control(switches={"unknown_version": "ignored"})
    assert asked(sandbox, OLD, version)["connect_token"]
    assert sandbox.headers["flatpeak-version"] == ZERO


@pytest.mark.parametrize(
    ("reading", "tell"), [("always", (True, True)), ("not_login", (False, True)), ("never", (False,) * 2)]
)
def test_which_answers_name_their_release(sandbox, reading, tell):
    sandbox.control(switches={"version_header": reading})
    sandbox.log_in()
    found = ["flatpeak-version" in sandbox.headers]
    sandbox.api("GET", "/locations/loc_x")
    assert (*found, "flatpeak-version" in sandbox.headers) == tell
    sandbox.talk()
    assert "flatpeak-version" not in sandbox.headers


def test_an_account_is_raised_and_never_goes_back(sandbox):
    assert sandbox.control(releases={"acc_one": "anode"})["releases"] == {"*": "zero", "acc_one": "anode"}
    assert asked(sandbox, NEW)["connect_token"]
    for wrong in ({"acc_one": "zero"}, {"acc_one": "busbar"}, {"acc_anode1": "zero"}, {"acc_one": 1}):
        assert sandbox.control(releases=wrong)["code"] == "control_invalid"
    sandbox.log_in("acc_two")
    assert asked(sandbox, OLD)["connect_token"]
    sandbox.control(releases={"*": "anode"})
    assert asked(sandbox, NEW)["connect_token"]
    assert sandbox.control(reset=True)["releases"] == {"*": "zero"}


def test_a_raise_survives_a_restart(tmp_path):
    server = serving(state=tmp_path / "state.json")
    Client(server).control(releases={"acc_one": "anode"})
    stop(server)
    server = serving(state=tmp_path / "state.json")
    client = Client(server)
    client.log_in()
    stop(server)
    assert client.headers["flatpeak-version"] == ANODE


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"callback_url": ""}, "callback_url_invalid"),
        ({"connect_url": 1}, "connect_url_invalid"),
        ({"callback_uri": "https://app.example/"}, "data_json_invalid"),
        ({"tariff_direction": "UP"}, "tariff_direction_invalid"),
        ({"tariff_direction": "LOCAL"}, "tariff_direction_not_supported"),
        ({"tariff_type": "GAS"}, "tariff_type_invalid"),
        ({"actions": {"edit_tariff": "yes"}}, "data_json_invalid"),
        ({"route_options": {"colour": True}}, "data_json_invalid"),
        ({"postal_address_type": "CASTLE"}, "postal_address_type_invalid"),
    ],
)
def test_a_wrong_field_of_a_token_is_refused(sandbox, body, code):
    sandbox.log_in("acc_anode1")
    assert asked(sandbox, NEW, **body)["code"] == code
    assert sandbox.status == 422


@pytest.mark.parametrize("name", ADDRESSES)
def test_both_addresses_of_a_token_are_required(sandbox, name):
    sandbox.log_in("acc_anode1")
    assert (
        sandbox.api("POST", NEW, {name: "https://app.example/"})["code"] == f"{({*ADDRESSES} - {name}).pop()}_missing"
    )


@pytest.mark.parametrize(
    ("reading", "token", "exchange"),
    [
        ("new", NEW, NEW),
        ("old", OLD, OLD),
        ("old_exchange", NEW, OLD),
        ("old_token", OLD, NEW),
        ("exchange_by_id", NEW, "/connect/{token}"),
    ],
)
def test_the_paths_of_a_token(sandbox, reading, token, exchange):
    sandbox.control(switches={"anode_paths": reading})
    anode = Anode(sandbox)
    anode.paths = token, exchange
    place = anode.connected()
    for path in (OLD, NEW):
        anode.api("POST", path, ADDRESSES | {"location_id": place["location_id"]})
        assert (anode.status == 200) == (path == token)
    for path in (OLD, NEW, f"/connect/{place['id']}"):
        found = anode.api("GET", path, **({} if path.endswith(place["id"]) else {"connect_token": place["id"]}))
        assert (found == place) == (path == exchange.format(token=place["id"]))


def test_an_exchange_gives_the_ids_and_no_last_action(anode):
    found = anode.connected()
    assert found["is_tariff_processed"] is True
    assert list(found) == [
        *("id", "object", "live_mode", "is_tariff_processed", "customer_id", "customer_reference_id"),
        *("location_id", "location_reference_id", "time_created", "time_expiry"),
    ]


def test_a_location_has_anodes_fields(anode):
    place = anode.connected()
    found = anode.api("GET", f"/locations/{place['location_id']}")
    assert found["flex_allowed"] is False
    assert set(found["market_sources"]) == {"import", "export"}
    assert found["tariff_status"]["commodity_import"] == "CONNECTED"


@pytest.fixture
def anode(sandbox):
    return Anode(sandbox)


TIMES = {"start_time": "2026-06-10T00:00:00Z", "end_time": "2026-06-11T00:00:00Z"}


def test_prices_of_a_fixed_tariff(anode):
    place = anode.connected()["location_id"]
    anode.control(advance=2)
    found = anode.api("POST", f"/prices/{place}", TIMES)
    assert found["id"].startswith("prs_")
    assert (
        found.items()
        >= {
            "object": "price",
            "live_mode": False,
            "location_id": place,
            "location_timezone": "Europe/London",
            "currency_code": "GBP",
            "tariff_direction": "IMPORT",
            "request": {"tariff_direction": "IMPORT", **TIMES},
            "account_id": "acc_anode1",
            "data": [
                {
                    "valid_from": TIMES["start_time"],
                    "valid_to": TIMES["end_time"],
                    "price": {"value": Decimal("0.2815"), "confidence": 1},
                }
            ],
        }.items()
    )
    assert "next_update" not in found
    assert anode.api("GET", f"/tariffs/rates/{place}", **TIMES) == {"message": "Not Found"}


def test_a_zero_location_goes_on_under_anode(sandbox):
    place = sandbox.fixed()
    sandbox.control(advance=2, releases={"acc_one": "anode"})
    rows = sandbox.api("POST", f"/prices/{place}", TIMES)["data"]
    assert rows[0]["price"] == {"value": Decimal("0.2815"), "confidence": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "end_time_missing"),
        ({"end_time": 1}, "end_time_invalid"),
        ({"end_time": "2026-09-30T00:00:00Z"}, "end_time_invalid"),
        ({**TIMES, "tariff_direction": "UP"}, "tariff_direction_invalid"),
        ({**TIMES, "tariff_direction": "LOCAL"}, "tariff_direction_not_supported"),
        ({**TIMES, "tariff_direction": "EXPORT"}, "no_tariff_connected"),
        ({**TIMES, "include_carbon": True}, "data_json_invalid"),
        ([], "data_json_invalid"),
    ],
)
def test_a_wrong_question_for_prices_is_refused(anode, body, code):
    place = anode.connected()["location_id"]
    assert anode.api("POST", f"/prices/{place}", body)["code"] == code
    assert anode.status == 422


@pytest.mark.parametrize("reading", ["price.value", "price.rate", "tariff.rate"])
def test_where_an_item_has_its_price(anode, reading):
    anode.control(switches={"price_item": reading, "price_next_update": True})
    place = anode.connected()["location_id"]
    found = anode.api("POST", f"/prices/{place}", TIMES)
    item, value = reading.split(".")
    assert found["data"][0][item][value] == Decimal("0.2815")
    assert found["next_update"] == "2026-06-16T23:00:00Z"


def test_rates_can_still_answer_under_anode(anode):
    anode.control(switches={"anode_rates": "answer"})
    place = anode.connected()["location_id"]
    assert anode.rates(place)["data"][0]["tariff"]["rate"] == Decimal("0.2815")


@pytest.mark.parametrize("fault", ["status_500", "hostile_text", "missing_field"])
def test_faults_strike_prices(anode, fault):
    place = anode.connected()["location_id"]
    anode.control(faults=[{"call": "prices", "fault": fault}])
    anode.api("POST", f"/prices/{place}", TIMES)
    assert anode.world.struck == {fault: 1}
