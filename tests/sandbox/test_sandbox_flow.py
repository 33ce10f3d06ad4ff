"""The flow of release zero, page by page, over HTTP."""

import re
from decimal import Decimal

import pytest

from .conftest import ADDRESS, BY_HAND, HOURS

OUTCOMES = [
    ("approve", "summary_tou_confirm"),
    ("decline", "provider_select"),
    ("manual", "tariff_structure_select"),
    ("unreachable", "summary_tariff_inprogress"),
    ("unreadable", "summary_tariff_inprogress"),
]
SKIPPED = [
    ("Test: login approved", "summary_fixed_confirm"),
    ("Test: login cancelled", "provider_select"),
    ("Test: chooses manual", "tariff_structure_select"),
    ("Test: pending for 2 minutes", "summary_tariff_inprogress"),
    ("Test: cannot be read", "summary_tariff_inprogress"),
]


def test_a_fixed_price_by_hand_from_the_first_page_to_the_exchange(sandbox):
    talk = sandbox.talk(postal_address={"country_code": "GB"})
    assert talk.page == {
        "connect_token": talk.token,
        "route": "postal_address_capture",
        "type": "render",
        "direction": "IMPORT",
        "live_mode": False,
        "data": {"postal_address": dict.fromkeys(ADDRESS, "") | {"country_code": "GB"}},
    }
    talk.go("postal_address_capture", {"postal_address": ADDRESS})
    assert talk.route == "provider_select"
    assert talk.page["actions"] == ["PROVIDER_MISSING", "ADDRESS_CHANGE"]
    assert talk.data["postal_address"] == ADDRESS
    talk.pick("Ecotricity")
    assert (talk.route, talk.data["options"]) == ("tariff_structure_select", ["FIXED", "TIME_OF_DAY", "MARKET"])
    talk.go("tariff_structure_select", {"options": ["FIXED"]})
    assert (talk.route, talk.data["cost"], talk.data["currency_code"]) == ("rate_fixed_capture", 0, "GBP")
    talk.go("rate_fixed_capture", {"cost": Decimal("0.2815")}, type="submit")
    assert (talk.route, talk.data["tariff"]) == ("tariff_name_capture", {"name": ""})
    talk.go("tariff_name_capture", {"tariff": {"name": "Simple"}})
    assert talk.data["contract_start_date"] is talk.data["contract_end_date"] is None
    dates = {"contract_start_date": "2026-01-01T00:00:00Z", "contract_end_date": "0001-01-01T00:00:00Z"}
    talk.go("contract_term_capture", dates)
    assert talk.route == "summary_fixed_confirm"
    assert talk.page["actions"] == ["SAVE", "EDIT", "DISCONNECT"]
    assert talk.data["cost"] == Decimal("0.2815")
    assert talk.data["connection_type"] == "MANUAL"
    assert talk.data["tariff"] == {
        "name": "Simple",
        "contract_end_date": "0001-01-01T00:00:00Z",
        "structure_type": "FIXED",
        "tiered": False,
        "reconnect_required": False,
    }
    talk.act("SAVE")
    assert talk.route == "session_complete"
    assert talk.data == {"callback_uri": f"https://app.example/done?x=1&fp_cot={talk.token}"}
    ids = sandbox.exchange(talk.token)
    assert ids["is_tariff_processed"] is True
    assert ids["complete_action"] == "SAVE"
    assert ids["location_id"].startswith("loc_")
    assert ids["customer_id"].startswith("cus_")
    assert sandbox.exchange(talk.token) == ids


def test_every_structure_by_hand_ends_in_its_summary(sandbox):
    summaries = {structure: sandbox.talk().by_hand(structure).page for structure in BY_HAND}
    assert {structure: page["route"] for structure, page in summaries.items()} == {
        "FIXED": "summary_fixed_confirm",
        "TIME_OF_DAY": "summary_tou_confirm",
        "MARKET": "summary_tou_confirm",
    }
    assert summaries["MARKET"]["data"]["market_rates_source"] is True
    rates = summaries["TIME_OF_DAY"]["data"]
    assert rates["market_rates_source"] is False
    assert rates["rates"]["today"] == [
        {
            "valid_from": f"2026-06-{one}:00:00+01:00",
            "valid_to": f"2026-06-{other}:00:00+01:00",
            "tariff": {"cost": Decimal(cost), "confidence": 1},
        }
        for one, other, cost in (("10T00", "10T07", "0.125"), ("10T07", "10T23", "0.31"), ("10T23", "11T00", "0.125"))
    ]


def test_tomorrows_market_prices_are_not_on_the_summary_before_they_are_known(sandbox):
    sandbox.control(now="2026-06-10T11:59:00Z")
    sandbox.log_in()
    talk = sandbox.talk().by_hand("MARKET")
    assert [len(talk.data["rates"][day]) for day in ("yesterday", "today", "tomorrow")] == [24, 24, 0]
    sandbox.control(now="2026-06-10T12:00:00Z")
    talk.go("session_restore")
    assert [len(talk.data["rates"][day]) for day in ("yesterday", "today", "tomorrow")] == [24, 24, 24]


def test_a_library_leads_to_a_summary(sandbox):
    talk = sandbox.talk().pick("SSE")
    assert talk.route == "tariff_select"
    assert talk.page["actions"] == ["TARIFF_MISSING", "ADDRESS_CHANGE"]
    assert all(set(each) == {"id", "name", "description"} for each in talk.data["tariffs"])
    for number, route in ((0, "summary_fixed_confirm"), (3, "summary_tou_confirm"), (5, "summary_tou_confirm")):
        talk.go("tariff_select", {"tariff": {"id": talk.data["tariffs"][number]["id"]}})
        assert talk.route == route
        assert talk.data["connection_type"] == "LIBRARY"
        talk.act("EDIT").pick("SSE")
    assert sandbox.saved(talk.go("tariff_select", {"tariff": {"id": talk.data["tariffs"][3]["id"]}}))


def test_a_tariff_that_is_missing_in_the_library_is_entered_by_hand(sandbox):
    talk = sandbox.talk().pick("SSE")
    talk.go("tariff_select", {"tariff": {"id": talk.data["tariffs"][0]["id"]}}).act("EDIT").pick("SSE")
    talk.act("TARIFF_MISSING")
    assert talk.route == "tariff_structure_select"
    assert talk.data["provider"]["display_name"] == "SSE"
    talk.go("tariff_structure_select", {"options": ["FIXED"]})
    assert talk.data["cost"] == 0


def test_a_provider_that_is_missing_is_named(sandbox):
    talk = sandbox.talk().act("PROVIDER_MISSING")
    assert (talk.route, talk.data["provider"]) == ("provider_name_capture", {"name": ""})
    talk.go("provider_name_capture", {"provider": {"name": "Village Power"}})
    assert talk.route == "tariff_structure_select"
    assert talk.data["provider"]["display_name"] == "Village Power"
    assert talk.data["provider"]["logo_url"] == ""
    assert talk.by_hand("FIXED").data["provider"]["display_name"] == "Village Power"


def test_a_market_only_provider_asks_for_the_surcharge_at_once(sandbox):
    talk = sandbox.talk().pick("Tomato Energy")
    assert talk.route == "market_surcharge_capture"
    assert talk.data["surcharge"] == {"fixed": 0, "percentage": 0}
    assert "regions" not in talk.data
    talk.go("market_surcharge_capture", {"surcharge": {"fixed": 0, "percentage": 0}})
    assert talk.route == "tariff_name_capture"


def test_the_region_is_asked_for_where_it_is_not_known(sandbox):
    talk = sandbox.talk().pick("Test: asks for the region")
    assert "London" in talk.data["regions"]
    answer = {"surcharge": {"fixed": 0, "percentage": 18.5}}
    assert talk.refused("market_surcharge_capture", data=answer) == "market_region_invalid"
    assert talk.refused("market_surcharge_capture", data=answer | {"region": "Atlantis"}) == "market_region_invalid"
    talk.go("market_surcharge_capture", answer | {"region": "London"})
    talk.pick("Test: asks for the region")
    assert talk.data["region"] == "London"
    assert talk.data["surcharge"] == {"fixed": 0, "percentage": Decimal("18.5")}


def test_the_address_can_be_changed_to_another_country(sandbox):
    talk = sandbox.talk().pick("Ecotricity").go("provider_select", action="ADDRESS_CHANGE")
    assert talk.data["postal_address"] == ADDRESS
    talk.go("postal_address_capture", {"postal_address": ADDRESS | {"country_code": "DE", "city": "Köln"}})
    assert any(each["display_name"] == "Vattenfall" for each in talk.data["providers"])
    assert talk.refused("tariff_structure_select", data={"options": ["FIXED"]}) == "route_not_available"
    assert sandbox.status == 409
    assert talk.pick("Tibber", "DE").route == "session_redirect"


def test_going_back_shows_what_was_entered_and_an_earlier_page_can_be_answered(sandbox):
    talk = sandbox.talk().by_hand("TIME_OF_DAY")
    talk.go("tariff_structure_select", {"options": ["TIME_OF_DAY"]})
    assert talk.data["hours"] == HOURS
    talk.go("rate_tod_capture", {"hours": HOURS})
    assert talk.data["tariff"] == {"name": "Simple"}
    talk.go("tariff_name_capture", {"tariff": {"name": "Other"}})
    talk.go("contract_term_capture", {"contract_end_date": "2027-01-01T00:00:00Z"})
    talk.go("tariff_name_capture", {"tariff": {"name": "Other"}})
    assert talk.data["contract_end_date"] == "2027-01-01T00:00:00Z"


def test_an_answer_to_a_page_after_the_provider_changed_asks_for_what_is_missing(sandbox):
    talk = sandbox.talk().by_hand("FIXED").act("EDIT").pick("Affect Energy")
    assert talk.refused("summary_fixed_confirm", action="SAVE") == "route_not_available"
    assert talk.go("contract_term_capture").route == "tariff_structure_select"
    talk.go("tariff_structure_select", {"options": ["FIXED"]})
    assert talk.go("contract_term_capture").route == "rate_fixed_capture"
    talk.go("rate_fixed_capture", {"cost": 1})
    assert talk.go("contract_term_capture").route == "tariff_name_capture"


@pytest.mark.parametrize(("outcome", "route"), OUTCOMES)
def test_each_outcome_of_the_login_leads_on(sandbox, outcome, route):
    talk = sandbox.talk().pick("Octopus Energy")
    assert talk.route == "session_redirect"
    assert "direction" not in talk.page
    assert set(talk.data) == {"redirect_uri"}
    assert talk.data["redirect_uri"].startswith(sandbox.url + "/provider/login/prv_")
    assert talk.go("session_restore").route == "session_redirect"
    assert talk.log_in(outcome).route == route
    assert talk.go("session_restore").route == route


@pytest.mark.parametrize(("name", "route"), SKIPPED)
def test_a_provider_that_skips_the_login_shows_a_page_in_between(sandbox, name, route):
    talk = sandbox.talk().pick(name)
    page = sandbox.call("GET", talk.login_path())
    assert (sandbox.status, sandbox.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    onwards = re.search(r'<meta http-equiv="refresh" content="1; url=([^"]+)">', page)[1].replace("&amp;", "&")
    assert "outcome" not in page
    sandbox.call("GET", talk.login_path().partition("?")[0] + onwards)
    assert sandbox.status == 303
    assert sandbox.headers["Location"] == f"https://app.example/back?fp_cot={talk.token}"
    assert talk.go("session_restore").route == route


@pytest.mark.parametrize(("name", "route"), SKIPPED)
def test_some_test_providers_take_an_outcome_of_their_own(sandbox, name, route):
    assert sandbox.talk().pick(name).log_in().route == route


def test_the_login_page_names_the_provider_and_is_a_sandbox(sandbox):
    talk = sandbox.talk().pick("Octopus Energy")
    html = sandbox.call("GET", talk.login_path())
    assert sandbox.status == 200
    assert "<h1>Octopus Energy</h1>" in html
    assert "This is a sandbox" in html
    assert [f'name="outcome" value="{outcome}"' in html for outcome, _ in OUTCOMES] == [True] * 5


def test_a_login_that_is_sent_twice_or_late_changes_nothing(sandbox):
    talk = sandbox.talk().pick("EDF")
    path = talk.login_path()
    sandbox.call("POST", path, "outcome=approve")
    sandbox.call("POST", path, "outcome=decline")
    assert sandbox.status == 303
    assert talk.go("session_restore").route == "summary_fixed_confirm"
    sandbox.call("POST", path, "outcome=decline")
    assert "Go back now" in sandbox.call("GET", path)
    sandbox.call("GET", f"{path}&back=1")
    assert sandbox.status == 303
    assert talk.go("session_restore").route == "summary_fixed_confirm"


def test_a_login_address_that_cannot_be_served_says_why(sandbox):
    talk = sandbox.talk().pick("EDF")
    path = talk.login_path()
    wrong = [
        ("GET", path.partition("?")[0], None, 400),
        ("GET", f"/provider/login/prv_none?fp_cot={talk.token}", None, 404),
        ("GET", path.partition("?")[0] + "?fp_cot=cot_none", None, 404),
        ("POST", path, "outcome=other", 400),
    ]
    for method, where, body, status in wrong:
        assert "<h1>FlatPeak sandbox</h1>" in sandbox.call(method, where, body)
        assert sandbox.status == status


def test_a_login_needs_an_address_to_come_back_to(sandbox):
    token = sandbox.api("POST", "/connect/tariff/token", {"callback_uri": "app://done", "postal_address": ADDRESS})
    talk = type(sandbox.talk())(sandbox, token["connect_token"]).go("session_restore")
    answer = {"provider": {"id": talk.id_of("EDF")}}
    assert talk.refused("provider_select", data=answer) == "connect_web_uri_missing"


def test_a_pending_tariff_becomes_readable_by_the_clock(sandbox):
    talk = sandbox.talk().pick("Test: pending for 2 minutes").log_in()
    assert talk.page["actions"] == ["SAVE", "DISCONNECT", "DISMISS_DIRECT"]
    assert set(talk.data) == {"provider", "connection_type"}
    location = sandbox.saved(talk)
    assert sandbox.exchange(talk.token)["is_tariff_processed"] is False
    assert sandbox.rates(location)["code"] == "pending_connect"
    assert sandbox.status == 422
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]["commodity_import"]
    assert status["status"] == "NOT_CONNECTED"
    assert sandbox.talk(location_id=location).route == "summary_tariff_inprogress"
    sandbox.control(advance=120)
    assert sandbox.rates(location)["data"]
    assert sandbox.exchange(talk.token)["is_tariff_processed"] is True
    assert sandbox.talk(location_id=location).route == "summary_fixed_confirm"


def test_a_summary_in_progress_can_be_saved_or_restored_once_it_is_ready(sandbox):
    sandbox.control(switches={"pending_seconds": 5})
    for route, answer in (("session_complete", {"action": "SAVE"}), ("summary_fixed_confirm", None)):
        talk = sandbox.talk().pick("EDF").log_in("unreachable")
        sandbox.control(advance=5)
        talk.go("summary_tariff_inprogress" if answer else "session_restore", **(answer or {}))
        assert talk.route == route


def test_a_tariff_that_cannot_be_read_has_failed_in_the_next_session(sandbox):
    location = sandbox.saved(sandbox.talk().pick("Test: cannot be read").log_in())
    assert sandbox.rates(location)["code"] == "pending_connect"
    talk = sandbox.talk(location_id=location)
    assert talk.route == "summary_tariff_failed"
    assert talk.page["actions"] == ["RECONNECT", "DISCONNECT"]
    assert talk.data["connection_type"] == "DIRECT"
    assert sandbox.rates(location)["code"] == "no_price_data"
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]["commodity_import"]
    assert status["status"] == "ERROR"
    assert talk.act("RECONNECT").route == "provider_select"
    talk = sandbox.talk(location_id=location).act("DISCONNECT")
    assert talk.route == "session_complete"


def test_dismiss_direct_never_offers_that_login_again(sandbox):
    talk = sandbox.talk().pick("EDF").log_in("unreachable").act("DISMISS_DIRECT")
    assert talk.route == "tariff_structure_select"
    assert talk.pick("EDF").route == "tariff_structure_select"
    assert talk.pick("OVO Energy").route == "session_redirect"
    location = sandbox.saved(talk.pick("EDF").by_hand("FIXED"))
    talk = sandbox.talk(location_id=location).act("EDIT")
    assert talk.pick("EDF").route == "tariff_structure_select"
    pending = sandbox.saved(sandbox.talk().pick("EDF").log_in("unreachable"))
    sandbox.talk(location_id=pending).act("DISMISS_DIRECT")
    assert sandbox.talk(location_id=pending).act("DISCONNECT").pick("EDF").route == "tariff_structure_select"


def test_disconnect_in_progress_starts_the_flow_again(sandbox):
    location = sandbox.saved(sandbox.talk().pick("EDF").log_in("unreachable"))
    assert sandbox.talk(location_id=location).act("DISCONNECT").route == "provider_select"
    assert sandbox.rates(location)["code"] == "no_tariff_connected"
    assert sandbox.talk().pick("EDF").log_in("unreachable").act("DISCONNECT").route == "provider_select"


def test_a_connected_location_opens_its_summary_and_can_be_disconnected(sandbox):
    location = sandbox.fixed()
    talk = sandbox.talk(location_id=location)
    assert (talk.route, talk.data["cost"]) == ("summary_fixed_confirm", Decimal("0.2815"))
    talk.act("DISCONNECT")
    ids = sandbox.exchange(talk.token)
    assert ids["location_id"] == location
    assert (ids["complete_action"], ids["is_tariff_processed"]) == ("DISCONNECT", False)
    assert sandbox.rates(location)["code"] == "no_tariff_connected"
    assert sandbox.talk(location_id=location).route == "provider_select"


def test_a_tariff_can_be_edited_and_one_for_export_added(sandbox):
    location = sandbox.fixed()
    talk = sandbox.talk(location_id=location).act("EDIT").pick("Ecotricity")
    assert talk.go("tariff_structure_select", {"options": ["FIXED"]}).data["cost"] == Decimal("0.2815")
    assert talk.go("rate_fixed_capture", {"cost": 1}).data["tariff"] == {"name": "Simple"}
    talk.go("tariff_name_capture", {"tariff": {"name": "Simple"}}).go("contract_term_capture")
    assert sandbox.saved(talk) == location
    assert sandbox.rates(location)["data"][0]["tariff"]["rate"] == 1
    talk = sandbox.talk(location_id=location, direction="EXPORT")
    assert (talk.route, talk.page["direction"]) == ("provider_select", "EXPORT")
    assert sandbox.saved(talk.by_hand("FIXED")) == location
    assert sandbox.rates(location, direction="EXPORT")["data"][0]["tariff"]["rate"] == Decimal("0.2815")


def test_disconnecting_a_tariff_that_was_never_saved_leaves_a_location_without_one(sandbox):
    talk = sandbox.talk().by_hand("FIXED").act("DISCONNECT")
    location = sandbox.exchange(talk.token)["location_id"]
    assert sandbox.rates(location)["code"] == "no_tariff_connected"


def test_a_finished_session_shows_its_end_again_and_takes_nothing_more(sandbox):
    talk = sandbox.talk().by_hand("FIXED").act("SAVE")
    assert talk.go("session_restore").route == "session_complete"
    assert talk.refused("summary_fixed_confirm", action="SAVE") == "connect_token_finished"
    assert sandbox.status == 403


@pytest.mark.parametrize("state", ["CA", "california", "Texas"])
def test_the_state_tells_the_time_zone_of_a_wide_country(sandbox, state):
    address = ADDRESS | {"country_code": "US", "state": state}
    talk = sandbox.talk(postal_address=address)
    assert talk.route == "provider_select"
    location = sandbox.saved(talk.pick("Ameren", "US").by_hand("FIXED"))
    zone = "America/Chicago" if state == "Texas" else "America/Los_Angeles"
    assert sandbox.api("GET", f"/locations/{location}")["timezone"] == zone


def test_an_unknown_time_zone_begins_with_the_address(sandbox):
    assert sandbox.talk(postal_address=ADDRESS | {"country_code": "AQ"}).route == "postal_address_capture"
