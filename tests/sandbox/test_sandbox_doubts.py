"""Where FlatPeak's sources disagree about anode a switch decides: each of its readings, and that zero stays as it is."""

import pytest

from sandbox.anode import ANODE
from sandbox.switches import SWITCHES

from .conftest import ADDRESS
from .test_sandbox_anode import BACK, BOTH_PAGES, CLOSING, DONE, SUMMARY, Web


@pytest.fixture
def web(sandbox):
    return Web(sandbox.url)


@pytest.fixture
def read(sandbox):
    """Set switches."""
    return lambda **switches: sandbox.control(switches=switches)


def raised(sandbox):
    """A client whose account, of zero until now, has just been raised; and the token that it made before."""
    talk = sandbox.talk().pick("Ecotricity").go("tariff_structure_select", {"options": ["MARKET"]})
    sandbox.control(releases={"acc_one": "anode"})
    return talk


def test_every_reading_of_the_table_is_a_value_of_a_switch():
    assert all(value in SWITCHES[switch]["choices"] for switch, value in ANODE.readings)


def test_an_open_conversation_of_a_raised_account_goes_on_in_its_release(sandbox):
    talk = raised(sandbox).by_hand("MARKET")
    assert talk.route == "summary_tou_confirm"
    assert talk.act("SAVE").route == "session_complete"
    ids = sandbox.api("GET", "/connect/token", connect_token=talk.token)
    assert ids["is_tariff_processed"] is True


def test_an_open_conversation_of_a_raised_account_can_be_refused(sandbox, read):
    read(raised_tokens="refuse")
    assert raised(sandbox).refused("session_restore") == "connect_token_invalid"


@pytest.mark.parametrize("switches", [{"raised_tokens": "switch"}, {"connect_release": "account"}])
def test_an_open_conversation_of_a_raised_account_can_change_its_release(sandbox, read, switches):
    read(**switches)
    talk = raised(sandbox)
    assert talk.refused("market_surcharge_capture", data={}) == "route_invalid"
    talk.go("session_restore")
    assert (talk.route, talk.page["type"], talk.page["actions"]) == ("surcharge_capture", "COMMODITY", CLOSING)
    assert talk.go("surcharge_capture", {"surcharge": {"fixed": 0, "percentage": 0}}).route == "tariff_summary"
    assert talk.act("EDIT").act("BACK").route == "tariff_summary"


def test_a_summary_that_the_new_release_lacks_becomes_its_own(sandbox, read):
    read(raised_tokens="switch")
    talk = sandbox.talk().by_hand("FIXED")
    sandbox.control(releases={"acc_one": "anode"})
    assert talk.go("session_restore").route == "tariff_summary"
    assert talk.act("CLOSE").data == {"redirect_url": f"https://app.example/done?x=1&fp_cot={talk.token}"}


@pytest.mark.parametrize(("start", "kind"), [("session_restore", "render"), ("session_start", "COMMODITY")])
def test_the_route_that_starts_can_tell_the_release(sandbox, web, read, start, kind):
    read(connect_release="start")
    web.make(postal_address=ADDRESS)
    sandbox.talk()
    for token in (web.token, sandbox.new_token(postal_address=ADDRESS)["connect_token"]):
        page = web.call("POST", "/", {"connect_token": token, "route": start})
        assert (page["route"], page["type"]) == ("provider_select", kind)
    web.say("session_restore")
    assert web.page["type"] == kind


def test_a_header_of_one_call_makes_a_token_of_that_release(sandbox):
    bearer = f"Bearer {sandbox.bearer}"
    body = {"connect_url": BACK, "callback_url": DONE}
    token = sandbox.call("POST", "/connect/token", body, Authorization=bearer, Flatpeak_Version="2025-09-14.anode")
    talk = {"connect_token": token["connect_token"]}
    assert sandbox.call("POST", "/", talk | {"route": "session_restore"})["code"] == "route_not_available"
    assert sandbox.call("POST", "/", talk | {"route": "session_start"})["actions"] == CLOSING


@pytest.mark.parametrize(
    ("reading", "start", "restore"),
    [
        ("both", "tariff_structure_select", "tariff_structure_select"),
        ("restore", "route_not_available", "tariff_structure_select"),
        ("start", "tariff_structure_select", "route_not_available"),
        ("start_over", "provider_select", "tariff_structure_select"),
    ],
)
def test_which_routes_resume(web, read, reading, start, restore):
    read(resume=reading)
    web.known().pick("Ecotricity")
    for route, found in (("session_restore", restore), ("session_start", start)):
        answer = web.send(route=route)
        assert found in (answer.get("route"), answer.get("code"))


def test_a_login_comes_back_under_every_way_to_resume(web, read):
    for reading, route in (
        ("restore", "session_restore"),
        ("start", "session_start"),
        ("start_over", "session_restore"),
    ):
        read(resume=reading)
        assert web.known().pick("OVO Energy").log_in("approve", route).route == "tariff_summary"


@pytest.mark.parametrize("action", CLOSING)
def test_back_and_close_need_no_route_unless_a_switch_says_so(web, read, action):
    web.known().pick("Ecotricity")
    assert web.send(action=action)["route"] == ("provider_select" if action == "BACK" else "session_redirect")
    read(back_without_route="refuse")
    web.known()
    assert web.refused(action=action) == "route_missing"
    assert web.refused(data={}) == "route_missing"


@pytest.mark.parametrize(
    ("reading", "listed", "taken"),
    [("both", CLOSING, CLOSING), ("back", ["BACK"], ["BACK"]), ("none", [], []), ("close_unlisted", ["BACK"], CLOSING)],
)
def test_what_pages_list_of_back_and_close(web, read, reading, listed, taken):
    read(listed=reading)
    for action in CLOSING:
        web.known().pick("Ecotricity")
        assert web.page.get("actions", []) == listed
        assert ("route" in web.send(route=web.route, action=action)) == (action in taken)
    web.known().fixed()
    assert web.page["actions"] == [*SUMMARY[:3], *listed]


ENDINGS = {
    "redirect": {"route": "session_redirect", "data": {"redirect_url": DONE + "?fp_cot={token}"}},
    "no_token": {"route": "session_redirect", "data": {"redirect_url": DONE}},
    "complete_tariff": {"route": "complete_tariff", "data": {}},
    "callback_url": {"route": "session_complete", "data": {"callback_url": DONE + "?fp_cot={token}"}},
    "callback_uri": {"route": "session_complete", "data": {"callback_uri": DONE + "?fp_cot={token}"}},
}


@pytest.mark.parametrize("way", ["CLOSE", "BACK", "DISCONNECT", "again"])
@pytest.mark.parametrize("reading", ENDINGS)
def test_how_a_conversation_ends(web, read, reading, way):
    read(ending=reading)
    if way == "BACK":
        web.open().act(way)
    else:
        web.known().fixed().act("CLOSE" if way == "again" else way)
        if way == "again":
            web.say("session_start")
    ending = ENDINGS[reading]
    data = {name: value.format(token=web.token) for name, value in ending["data"].items()}
    assert (web.route, web.data) == (ending["route"], data)
    if way != "BACK":
        assert web.exchange()["is_tariff_processed"] == (way != "DISCONNECT")


def test_a_bare_address_can_end_a_conversation(web, read):
    read(ending="bare")
    web.known().fixed()
    assert web.send(route=web.route, action="CLOSE") == {"callback_url": f"{DONE}?fp_cot={web.token}"}


def test_a_login_has_its_token_under_every_ending(web, read):
    read(ending="no_token")
    assert web.known().pick("OVO Energy").data["redirect_url"].endswith(f"?fp_cot={web.token}")
    read(redirect_has_token=False)
    assert "fp_cot" not in web.say("session_start").data["redirect_url"]


def test_an_exchange_before_there_is_a_location(web, read):
    web.known()
    assert (web.exchange(), web.status) == ({"message": "Not Found"}, 404)
    read(early_exchange="no_location", second_exchange="404")
    for _ in range(2):
        assert web.exchange().items() >= {"id": web.token, "is_tariff_processed": False}.items()
        assert not {"location_id", "customer_id", "complete_action"} & web.exchange().keys()
    assert web.fixed().exchange()["location_id"]


def test_an_exchange_during_a_conversation_can_end_it(web, read):
    web.known().fixed()
    assert web.exchange() == web.exchange()
    assert web.say("session_start").route == "tariff_summary"
    read(exchange_spends=True)
    ids = web.exchange()
    assert web.refused(route="session_start") == "connect_token_finished"
    assert web.exchange() == ids
    assert web.known().fixed().act("CLOSE").exchange()["location_id"]
    assert web.refused(route="session_start") == "connect_token_finished"


@pytest.mark.parametrize("status", ["403", "404", "422"])
def test_a_second_exchange_can_be_refused(web, read, status):
    read(second_exchange=status)
    web.known().fixed().exchange()
    assert "location_id" not in web.exchange()
    assert web.status == int(status)


def test_the_older_actions_of_pending_and_failed(web, read):
    read(connection_actions="old")
    web.known().pick("OVO Energy").log_in("unreadable")
    assert web.page["actions"] == ["DISMISS_DIRECT", "DISCONNECT", *CLOSING]
    assert web.refused(route=web.route, action="EDIT") == "action_invalid"
    place = web.exchange()["location_id"]
    assert web.open(location_id=place).page["actions"] == ["RECONNECT", "DISCONNECT", *CLOSING]
    assert web.act("RECONNECT").route == "provider_select"
    assert web.pick("EDF").log_in("unreachable").act("DISMISS_DIRECT").route == "tariff_structure_select"


def test_what_disconnects_without_a_page(web, read):
    for reading, after_token in (("start", "CONNECTED"), ("token", "NOT_CONNECTED")):
        read(disconnect_by=reading)
        place = web.known().fixed().exchange()["location_id"]
        web.make(location_id=place, actions={"disconnect_tariff": True})
        found = web.call("GET", f"/locations/{place}/status")["tariff_status"]["commodity_import"]
        assert found["status"] == after_token
        assert web.say("session_start").ended
        assert web.exchange()["is_tariff_processed"] is False


def test_the_summary_has_two_names(web, read, sandbox):
    read(summary_route="tariffs_summary")
    sandbox.control(faults=[{"call": "connect.tariffs_summary", "fault": "status_500"}])
    assert web.known().fixed().route == "tariffs_summary"
    assert web.refused(route="tariffs_summary", action="EDIT") == "server_error"
    assert web.act("EDIT").route == "provider_select"


def test_the_report_has_two_names(web, read):
    read(report_action="WRONG_TARIFF")
    web.known().fixed()
    assert web.page["actions"][0] == "WRONG_TARIFF"
    assert web.refused(route=web.route, action="WRONG_TARIFF_REPORT") == "action_invalid"
    assert "WRONG_TARIFF" not in web.act("WRONG_TARIFF").page["actions"]


def test_a_report_can_be_refused_or_end_the_conversation(web, read):
    web.known().fixed()
    read(report_answer="error")
    assert web.refused(route=web.route, action="WRONG_TARIFF_REPORT") == "wrong_tariff_report_refused"
    assert web.page["actions"] == SUMMARY
    read(report_answer="end")
    assert web.act("WRONG_TARIFF_REPORT").ended


@pytest.mark.parametrize(
    ("reading", "route"),
    [
        ("provider", "provider_select"),
        ("address", "postal_address_capture"),
        ("failed", "tariff_connection_failed"),
    ],
)
def test_the_first_page_of_a_location_without_a_tariff(web, read, reading, route):
    place = web.known().fixed().exchange()["location_id"]
    web.act("DISCONNECT")
    read(no_tariff_yet=reading)
    assert web.open(location_id=place).route == route
    assert web.known().route == "provider_select"
    if reading == "failed":
        assert web.open(location_id=place).act("EDIT").fixed().route == "tariff_summary"
        assert web.act("DISCONNECT").ended
        assert web.open(location_id=place).act("DISCONNECT").ended


ANSWERS = {
    "region_select": lambda web: {"region": web.data["regions"][0]},
    "surcharge_capture": lambda web: {"surcharge": {"fixed": 0.01, "percentage": 5}},
}


@pytest.mark.parametrize(
    ("reading", "undetected", "detected"),
    [
        ("region_first", ["region_select", "surcharge_capture"], ["surcharge_capture"]),
        ("surcharge_first", ["surcharge_capture", "region_select"], ["surcharge_capture"]),
        ("no_surcharge", ["region_select"], []),
        ("region_alone", ["region_select"], ["region_select"]),
    ],
)
def test_the_order_of_the_pages_of_a_market_price(web, read, reading, undetected, detected):
    read(market_order=reading)
    for provider, routes in (("Test: asks for the region", undetected), ("Tomato Energy", detected)):
        web.known().pick(provider)
        for route in routes:
            assert web.route == route
            web.answer(**ANSWERS[route](web))
        assert (web.route, web.data["tariff"]["structure_type"]) == ("tariff_summary", "MARKET")
        assert web.data["rates"]["today"]


def test_pages_that_were_not_asked_for(web, read):
    assert web.known().fixed().data["tariff"]["name"] == "Fixed"
    read(optional_pages="nameless")
    assert web.say("session_start").data["tariff"]["name"] == ""
    read(optional_pages="always")
    assert web.known().fixed().answer(tariff={"name": "Own"}).route == "contract_term_capture"
    assert web.answer().data["tariff"]["name"] == "Own"
    read(optional_pages="nameless")
    assert web.say("session_start").data["tariff"]["name"] == "Own"


UNTIL, DATE, ZEROS = "UNTIL_TERMINATED", "2027-06-15T00:00:00Z", "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("reading", "data", "found"),
    [
        ("beside", {"contract_start_date": None, "contract_end_date": None, "contract_term_type": UNTIL}, UNTIL),
        ("beside", {"contract_end_date": DATE, "contract_term_type": "FIXED"}, "FIXED"),
        ("beside", {"contract_end_date": ZEROS}, "date_format_invalid"),
        ("beside", {"contract_term_type": "FOR_EVER"}, "data_json_invalid"),
        ("alone", {"contract_start_date": None, "contract_end_date": None, "contract_term_type": UNTIL}, UNTIL),
        ("alone", {"contract_end_date": DATE, "contract_term_type": "FIXED"}, "data_json_invalid"),
        ("alone", {"contract_end_date": DATE}, "FIXED"),
        ("zeros_date", {"contract_end_date": ZEROS}, UNTIL),
    ],
)
def test_what_is_taken_as_the_end_of_a_contract(web, read, reading, data, found):
    read(contract_term=reading)
    web.known(route_options=BOTH_PAGES).fixed().answer(tariff={"name": "x"})
    answer = web.send(route=web.route, data=data)
    assert found == (answer["code"] if "code" in answer else answer["data"]["tariff"]["contract_term_type"])


@pytest.mark.parametrize(
    ("reading", "refusal", "trouble"),
    [("400", 400, 400), ("422", 422, 422), ("409", 409, 409), ("200", 200, 200), ("500_for_trouble", 400, 500)],
)
def test_the_status_of_connects_errors(web, read, reading, refusal, trouble):
    read(connect_error_status=reading)
    web.known()
    for data, code, status in (
        ({}, "provider_id_missing", refusal),
        ({"x": "Test: api_error"}, "server_error", trouble),
        ({"x": "Test: rate_limit"}, "rate_limit", 429),
    ):
        assert web.refused(route=web.route, data=data) == code
        assert web.status == status


@pytest.mark.parametrize("reading", ["error", "page", "404"])
def test_how_a_token_that_is_over_is_refused(web, read, sandbox, reading):
    read(dead_token=reading)
    web.known()
    sandbox.control(advance=86400)
    answer = web.send(route="session_start")
    if reading == "page":
        assert (web.status, answer["route"], answer["error_code"]) == (200, "error", "connect_token_expired")
    elif reading == "404":
        assert (web.status, answer) == (404, {})
    else:
        assert (web.status, answer["code"]) == (400, "connect_token_expired")


SCOPED = {name: each["choices"] for name, each in SWITCHES.items() if each["says"].startswith("anode")}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SCOPED.items() for value in values])
def test_zero_knows_nothing_of_anodes_switches(sandbox, name, value):
    sandbox.control(switches={name: value})
    talk = sandbox.talk().pick("Tomato Energy").by_hand("MARKET")
    assert (talk.route, talk.page["actions"]) == ("summary_tou_confirm", ["SAVE", "EDIT", "DISCONNECT"])
    assert talk.refused("summary_tou_confirm", action="BACK") == "action_invalid"
    assert sandbox.status == 422
    assert talk.act("SAVE").route == "session_complete"
    assert sandbox.exchange(talk.token)["complete_action"] == "SAVE"
    assert talk.go("session_restore").route == "session_complete"
