"""Journeys through anode, with a plain client over real HTTP."""

import re
from html import unescape
from pathlib import Path

import pytest
import requests

from sandbox import app
from sandbox.anode import ANODE

from .conftest import ADDRESS, HOURS

BACK, DONE = "https://app.example/energy/return", "https://app.example/energy/done"
TIMES = {"start_time": "2026-06-10T00:00:00Z", "end_time": "2026-06-11T00:00:00Z"}
CLOSING = ["BACK", "CLOSE"]
SUMMARY = ["WRONG_TARIFF_REPORT", "EDIT", "DISCONNECT", *CLOSING]
BOTH_PAGES = {"tariff_name_capture": True, "contract_term_capture": True}


class Web:
    """A client of anode. page: the last page. pages: the last of each route. status: that of the last answer."""

    def __init__(self, url, account="acc_anode1"):
        self.url, self.http, self.page, self.status, self.pages = url, requests.Session(), {}, 0, {}
        self.http.trust_env = False
        answer = self.http.get(f"{url}/login", auth=(account, "sk_test_1"), timeout=5)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['bearer_token']}"

    def call(self, method, path, body=None, **query):
        answer = self.http.request(method, self.url + path, json=body, params=query, timeout=5)
        self.status, self.headers = answer.status_code, answer.headers
        return answer.json() if answer.content else {}

    def make(self, **body):
        """Make a token."""
        body = {
            "connect_url": BACK,
            "callback_url": DONE,
            "tariff_direction": "IMPORT",
            "tariff_type": "COMMODITY",
        } | body
        answer = self.call("POST", "/connect/token", body)
        assert answer.keys() == {"connect_token", "expires_in", "live_mode"}, answer
        self.token = answer["connect_token"]
        return self

    def open(self, **body):
        """Make a token and start."""
        return self.make(**body).say("session_start")

    def known(self, **body):
        """As open, with an address, so that it begins with the providers."""
        return self.open(postal_address=ADDRESS, **body)

    def send(self, **body):
        return self.call("POST", "/", {"connect_token": self.token, **body})

    def say(self, route, **body):
        page = self.send(route=route, **body)
        assert self.status == 200, page
        assert page["connect_token"] == self.token
        self.page = self.pages[page["route"]] = page
        return self

    def answer(self, **data):
        return self.say(self.route, data=data)

    def act(self, action):
        assert action in self.page["actions"]
        return self.say(self.route, action=action)

    def pick(self, name):
        return self.answer(provider={"id": self.provider(name)})

    def provider(self, name):
        """The id of the first provider whose name begins so."""
        return next(each["id"] for each in self.data["providers"] if each["display_name"].startswith(name))

    def fixed(self, cost=0.2815):
        return self.pick("Ecotricity").answer(options=["FIXED"]).answer(cost=cost)

    def log_in(self, outcome, resume="session_restore"):
        answer = requests.post(self.data["redirect_url"], data={"outcome": outcome}, allow_redirects=False, timeout=5)
        assert answer.headers["Location"] == f"{BACK}?fp_cot={self.token}"
        return self.say(resume)

    def refused(self, **body):
        answer = self.send(**body)
        assert answer["object"] == "error"
        assert not {"route", "data", "actions"} & answer.keys()
        return answer["code"]

    @property
    def route(self):
        return self.page["route"]

    @property
    def data(self):
        return self.page["data"]

    @property
    def ended(self):
        """Whether the page leads to the callback, as it ends a conversation."""
        assert self.page == {
            "connect_token": self.token,
            "route": "session_redirect",
            "live_mode": False,
            "data": {"redirect_url": f"{DONE}?fp_cot={self.token}"},
        }
        return True

    def exchange(self):
        return self.call("GET", "/connect/token", connect_token=self.token)

    def prices(self, location):
        return self.call("POST", f"/prices/{location}", TIMES)


@pytest.fixture
def web(sandbox):
    return Web(sandbox.url)


def test_back_after_a_login_asks_for_the_provider(web):
    assert web.known().pick("EDF").log_in("approve").act("BACK").route == "provider_select"


@pytest.mark.parametrize("direction", ["IMPORT", "EXPORT"])
def test_the_summary_shows_the_prices_of_the_tariffs_direction(sandbox, direction):
    talk = sandbox.talk(direction=direction).by_hand("MARKET")
    shown = [each["tariff"]["cost"] for each in talk.data["rates"]["today"]]
    span = {"start": "2026-06-09T23:00:00Z", "end": "2026-06-10T23:00:00Z"}  # that day in London
    stored = sandbox.rates(sandbox.saved(talk), **span, direction=direction)["data"]
    assert shown == [each["tariff"]["rate"] for each in stored]
    assert len(set(shown)) > 2


def test_a1_a_fixed_price_by_hand(web):
    web.open(postal_address={"country_code": "GB"}, customer_reference_id="C-17")
    envelope = {"connect_token": web.token, "direction": "IMPORT", "type": "COMMODITY", "live_mode": False}
    empty = dict.fromkeys(ADDRESS, "") | {"country_code": "GB"}
    assert web.page == envelope | {
        "route": "postal_address_capture",
        "actions": CLOSING,
        "data": {"postal_address": empty},
    }
    assert web.refused(route=web.route, data={"postal_address": ADDRESS | {"city": ""}}) == "city_missing"
    assert web.status == 400
    web.answer(postal_address=ADDRESS)
    assert web.route == "provider_select"
    assert set(web.page["actions"]) == {"ADDRESS_CHANGE", "PROVIDER_MISSING", *CLOSING}
    web.pick("Ecotricity")
    assert (web.route, web.data["options"]) == ("tariff_structure_select", ["FIXED", "TIME_OF_DAY", "MARKET"])
    assert web.answer(options=["FIXED"]).data["cost"] == 0
    assert web.act("BACK").route == "tariff_structure_select"
    assert web.exchange() == {"message": "Not Found"}
    web.answer(options=["FIXED"]).answer(cost=0.2815)
    assert web.page.items() >= (envelope | {"route": "tariff_summary", "actions": SUMMARY}).items()
    day = {"valid_from": "2026-06-10T00:00:00+01:00", "valid_to": "2026-06-11T00:00:00+01:00"}
    assert web.data["rates"]["today"] == [day | {"tariff": {"cost": 0.2815, "confidence": 1}}]
    assert web.data["tariff"] == {
        "status": "CONNECTED",
        "name": "Fixed",
        "structure_type": "FIXED",
        "contract_start_date": None,
        "contract_end_date": None,
        "contract_term_type": "UNTIL_TERMINATED",
        "tiered": False,
    }
    assert (web.data["connection_type"], web.data["market_rates_source"]) == ("MANUAL", False)
    assert "cost" not in web.data
    ids = web.exchange()
    assert (ids["is_tariff_processed"], ids["customer_reference_id"]) == (True, "C-17")
    assert web.act("CLOSE").ended
    assert web.exchange() == ids
    assert web.prices(ids["location_id"])["data"][0]["price"]["value"] == 0.2815


def test_a1_with_the_pages_that_a_token_can_ask_for(web):
    web.known(route_options=BOTH_PAGES).fixed()
    assert (web.route, web.data["tariff"], web.page["actions"]) == ("tariff_name_capture", {"name": ""}, CLOSING)
    web.answer(tariff={"name": "My fixed"})
    assert (web.route, web.data["contract_start_date"], web.data["contract_end_date"]) == (
        "contract_term_capture",
        None,
        None,
    )
    web.answer(contract_start_date=None, contract_end_date=None, contract_term_type="UNTIL_TERMINATED")
    tariff = web.data["tariff"]
    assert (web.route, tariff["name"], tariff["contract_term_type"]) == (
        "tariff_summary",
        "My fixed",
        "UNTIL_TERMINATED",
    )
    assert web.act("BACK").data["contract_end_date"] is None
    web.answer(contract_end_date="2027-06-15T00:00:00Z")
    assert web.data["tariff"]["contract_end_date"] == "2027-06-15T01:00:00+01:00"
    assert web.data["tariff"]["contract_term_type"] == "FIXED"


@pytest.mark.parametrize("asked", BOTH_PAGES)
def test_a_token_can_ask_for_one_of_them(web, asked):
    web.known(route_options={asked: True}).fixed()
    assert web.route == asked


def test_advanced_is_an_option_that_leads_nowhere(web):
    web.known(route_options={"advanced_tariff_capture": True}).pick("Ecotricity")
    assert web.data["options"] == ["FIXED", "TIME_OF_DAY", "MARKET", "ADVANCED"]
    assert web.refused(route=web.route, data={"options": ["ADVANCED"]}) == "option_not_supported"


def test_a2_day_and_night(web):
    web.known().pick("Ecotricity").answer(options=["TIME_OF_DAY"])
    assert web.data["hours"] == [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}]
    hours = [each | {"cost": float(each["cost"])} for each in HOURS]
    gap = [hours[0] | {"valid_to": "22:00:00"}, hours[1]]
    assert web.refused(route=web.route, data={"hours": gap}) == "gap_in_time_period"
    web.answer(hours=hours)
    assert (web.route, web.data["tariff"]["name"]) == ("tariff_summary", "Time of day")
    assert [each["tariff"]["cost"] for each in web.data["rates"]["today"]] == [0.125, 0.31, 0.125]
    assert web.act("BACK").data["hours"] == hours


def test_a3_a_market_price(web):
    web.known().pick("Test: asks for the region")
    assert (web.route, web.page["actions"], web.data["region"]) == ("region_select", CLOSING, "")
    assert web.refused(route=web.route, data={"region": "Mars"}) == "market_region_invalid"
    web.answer(region=web.data["regions"][0])
    assert (web.route, web.data["surcharge"]) == ("surcharge_capture", {"fixed": 0, "percentage": 0})
    assert "regions" not in web.data
    web.answer(surcharge={"fixed": 0.0125, "percentage": 20})
    assert (web.route, web.data["tariff"]["structure_type"]) == ("tariff_summary", "MARKET")
    assert (web.data["connection_type"], web.data["market_rates_source"]) == ("MARKET", True)
    assert web.act("BACK").act("BACK").data["region"] == web.data["regions"][0]


def test_a3_a_place_that_is_not_known(web):
    web.open(postal_address=ADDRESS | {"post_code": "0000"}).pick("Tomato Energy")
    assert web.refused(route="region_select", data={"region": web.data["regions"][0]}) == "geo_location_not_found"


def test_a3_without_a_question_for_the_region(web):
    web.known().pick("Ecotricity").answer(options=["MARKET"])
    assert web.route == "surcharge_capture"
    assert web.act("BACK").route == "tariff_structure_select"
    assert web.answer(options=["MARKET"]).answer(surcharge={"fixed": 0, "percentage": 0}).route == "tariff_summary"


def test_a4_a_library(web):
    web.known().pick("SSE")
    assert web.route == "tariff_select"
    assert {"TARIFF_MISSING", *CLOSING} <= {*web.page["actions"]}
    chosen = web.data["tariffs"][0]
    web.answer(tariff={"id": chosen["id"]})
    assert (web.data["connection_type"], web.data["tariff"]["name"]) == ("LIBRARY", chosen["name"])
    assert web.act("BACK").act("TARIFF_MISSING").route == "tariff_structure_select"


@pytest.mark.parametrize("resume", ["session_restore", "session_start"])
@pytest.mark.parametrize(
    ("outcome", "route"),
    [
        ("approve", "tariff_summary"),
        ("decline", "provider_select"),
        ("manual", "tariff_structure_select"),
        ("unreachable", "tariff_connection_pending"),
    ],
)
def test_a5_a_login(web, outcome, route, resume):
    web.known().pick("OVO Energy")
    assert (web.route, web.page.keys()) == ("session_redirect", {"connect_token", "route", "live_mode", "data"})
    assert re.search(rf"/provider/login/prv_\w+\?fp_cot={web.token}$", web.data["redirect_url"])
    assert web.log_in(outcome, resume).route == route
    assert web.data.get("connection_type", "DIRECT") == "DIRECT"


def located(web):
    """Connect a tariff. Returns the ids."""
    return web.known().fixed().act("CLOSE").exchange()


def test_a6_settings(web):
    place = located(web)["location_id"]
    web.open(location_id=place)
    assert (web.route, web.page["actions"]) == ("tariff_summary", SUMMARY)
    tariff = web.call("GET", f"/locations/{place}")["tariff_elements"]
    web.act("EDIT").fixed(0.3)
    assert web.prices(place)["data"][0]["price"]["value"] == 0.3
    assert web.call("GET", f"/locations/{place}")["tariff_elements"] == tariff
    assert web.act("DISCONNECT").ended
    assert web.call("GET", f"/locations/{place}/status")["tariff_status"]["commodity_import"] == {
        "status": "NOT_CONNECTED"
    }
    assert (web.exchange()["location_id"], web.exchange()["is_tariff_processed"]) == (place, False)
    assert web.open(location_id=place).route == "provider_select"


def test_a6_an_edit_that_is_left_changes_nothing(web):
    place = located(web)["location_id"]
    web.open(location_id=place).act("EDIT").pick("Affect Energy").answer(options=["FIXED"])
    assert web.act("CLOSE").ended
    assert web.prices(place)["data"][0]["price"]["value"] == 0.2815


def test_a6_a_token_that_edits_or_disconnects_at_once(web):
    place = located(web)["location_id"]
    assert web.open(location_id=place, actions={"edit_tariff": True}).route == "provider_select"
    assert web.fixed(0.31).route == "tariff_summary"
    assert web.open(location_id=place, actions={"disconnect_tariff": True}).ended
    assert web.prices(place)["code"] == "no_tariff_connected"
    assert web.open(actions={"disconnect_tariff": True}).route == "postal_address_capture"


def test_a7_a_login_that_takes_long(web, sandbox):
    web.known().pick("OVO Energy").log_in("unreachable")
    assert web.page["actions"] == ["EDIT", "DISCONNECT", *CLOSING]
    assert web.data.keys() == {"connection_type", "provider"}
    ids = web.exchange()
    assert ids["is_tariff_processed"] is False
    assert web.prices(ids["location_id"])["code"] == "pending_connect"
    assert web.act("CLOSE").ended
    sandbox.control(advance=121)
    assert web.exchange()["is_tariff_processed"] is True
    assert web.prices(ids["location_id"])["data"]
    assert web.open(location_id=ids["location_id"]).route == "tariff_summary"


@pytest.mark.parametrize("action", ["EDIT", "DISCONNECT"])
def test_a8_a_login_that_fails(web, action):
    place = web.known().pick("OVO Energy").log_in("unreadable").exchange()["location_id"]
    web.open(location_id=place)
    assert (web.route, web.page["actions"]) == ("tariff_connection_failed", ["EDIT", "DISCONNECT", *CLOSING])
    assert web.data.keys() == {"connection_type", "provider"}
    web.act(action)
    assert web.route == "provider_select" if action == "EDIT" else web.ended


# What FlatPeak's own client does


def test_it_sends_a_type_with_every_answer(web):
    web.known()
    data = {"provider": {"id": web.provider("Ecotricity")}}
    assert web.say(web.route, data=data, type="submit").route == "tariff_structure_select"


def test_it_sends_an_address_of_four_fields(web):
    web.open()
    four = {name: ADDRESS[name] for name in ("address_line1", "city", "post_code", "country_code")}
    assert web.answer(postal_address=four).data["postal_address"] == ADDRESS


def test_it_starts_again_on_every_reload(web):
    web.known().pick("Ecotricity").answer(options=["FIXED"])
    assert web.say("session_start").route == "rate_fixed_capture"
    assert web.say("session_restore").route == "rate_fixed_capture"


def test_restoring_alone_does_not_start(web):
    assert web.make().refused(route="session_restore") == "route_not_available"


def test_the_end_is_a_redirect_that_every_reload_shows_again(web):
    web.open().act("CLOSE")
    assert web.ended
    assert web.say("session_start").ended
    assert web.refused(route="postal_address_capture", action="BACK") == "connect_token_finished"
    assert web.exchange() == {"message": "Not Found"}


def test_back_on_the_first_page_ends(web):
    assert web.open().act("BACK").ended


@pytest.mark.parametrize("action", ["WRONG_TARIFF", "WRONG_TARIFF_REPORT"])
def test_it_reports_a_wrong_tariff_by_either_name(web, action):
    web.known().fixed().say("tariff_summary", action=action)
    assert (web.route, web.page["actions"]) == ("tariff_summary", SUMMARY[1:])
    assert web.say("tariff_summary", action="WRONG_TARIFF").route == "tariff_summary"
    assert web.refused(route="tariff_summary", action="WRONG_TARIFF_REPORT") == "action_invalid"
    assert web.act("EDIT").fixed(0.3).page["actions"] == SUMMARY


def test_it_sends_an_end_date_with_milliseconds_and_no_term_type(web):
    web.known(route_options=BOTH_PAGES).fixed().answer(tariff={"name": "x"})
    assert web.answer(contract_end_date="2027-06-15T00:00:00.000Z").data["tariff"]["contract_term_type"] == "FIXED"


def test_its_skip_sends_no_data(web):
    web.known(route_options=BOTH_PAGES).fixed().answer(tariff={"name": "x"})
    assert web.say("contract_term_capture").route == "tariff_summary"


def test_zeros_actions_are_gone(web):
    web.known().fixed()
    assert web.refused(route="tariff_summary", action="SAVE") == "action_invalid"
    assert web.refused(route="summary_fixed_confirm", action="EDIT") == "route_invalid"
    assert web.refused(route="tariff_summary") == "action_missing"


def test_trouble_is_a_connect_error(web):
    web.known()
    answer = web.send(route=web.route, data={"provider": {"id": "Test: api_error"}})
    assert (
        answer.items()
        >= {"type": "connect_error", "code": "server_error", "context": "connect.provider_select"}.items()
    )


def test_faults_and_test_providers_are_those_of_zero(web, sandbox):
    sandbox.control(faults=[{"call": "connect.session_start", "fault": "status_500"}])
    web.make()
    assert web.send(route="session_start")["type"] == "connect_error"
    assert web.status == 500
    assert web.known().pick("Test: unknown page").route == "sandbox_unknown_page"
    assert web.say("session_restore").route == "provider_select"
    page = web.send(route="provider_select", data={"provider": {"id": web.provider("Test: error page")}})
    assert page.items() >= {"route": "error", "error_code": "sandbox_error"}.items()


# The table


def test_every_page_holds_what_its_row_says_and_its_answer_leads_on(web):
    """One journey through all pages."""
    web.open(route_options=BOTH_PAGES).answer(postal_address=ADDRESS).act("PROVIDER_MISSING")
    web.answer(provider={"name": "Village Power"}).act("BACK").act("BACK").act("BACK").answer(postal_address=ADDRESS)
    web.pick("SSE").act("TARIFF_MISSING").answer(options=["TIME_OF_DAY"]).act("BACK").act("BACK").act("BACK")
    web.pick("Test: asks for the region").answer(region=web.data["regions"][0])
    web.answer(surcharge={"fixed": 0, "percentage": 0}).act("BACK").act("BACK").act("BACK")
    web.fixed().answer(tariff={"name": "x"}).answer(contract_term_type="UNTIL_TERMINATED").act("EDIT")
    web.pick("EDF").log_in("unreachable").act("EDIT").pick("EDF").log_in("unreadable")
    web.open(location_id=web.exchange()["location_id"]).act("DISCONNECT")
    names = {ANODE.route(name): row for name, row in ANODE.pages.items()}
    assert web.pages.keys() == names.keys() - {"session_restore", "session_complete", "error"}
    for route, page in web.pages.items():
        assert page["data"].keys() == names[route].holds.keys()
        asks = names[route].answer or names[route].actions
        assert page.get("actions", []) == ([*names[route].actions, *CLOSING] if asks else [])


def test_the_home_page_documents_every_page(sandbox):
    html = unescape(sandbox.call("GET", "/"))
    for name, page in ANODE.pages.items():
        says = ", ".join([page.wanted, *page.actions, *page.codes])
        assert f"<th scope=row>anode: {ANODE.route(name)}<td>{says}\n" in html + "\n"


def test_the_readme_tells_every_name_that_differs():
    text = Path(app.__file__).with_name("README.md").read_text(encoding="utf-8")
    table = text[text.index("| in zero | in anode |") :]
    for zero, anode in {**ANODE.routes, **ANODE.fields}.items():
        assert re.search(rf"^\| [^|]*`{zero}`[^|]*\| [^|]*{anode}", table, re.MULTILINE)
    assert all(f"`{name}`" in table for name in (*ANODE.more, ANODE.start, "region_select"))


@pytest.mark.parametrize(
    "code", ["tariff_name_missing", "date_format_invalid", "market_region_invalid", "option_invalid"]
)
def test_a_test_provider_refuses_an_answer_once_on_a_page_that_is_shown_for_it(web, code):
    web.known().pick(f"Test: refuses {code}")
    seen = []
    answers = {
        "tariff_structure_select": {"options": ["MARKET"]},
        "region_select": {"region": "North Scotland"},
        "surcharge_capture": {"surcharge": {"fixed": 0, "percentage": 0}},
        "tariff_name_capture": {"tariff": {"name": "x"}},
        "contract_term_capture": {},
    }
    while web.route != "tariff_summary":
        answer = web.send(route=web.route, data=answers[web.route])
        if "code" in answer:
            seen.append(answer["code"])
        web.answer(**answers[web.route]) if "code" in answer else web.say("session_start")
    assert seen == [code]


def test_a_typed_input_refuses_once(web):
    address = {"postal_address": ADDRESS | {"address_line1": "Test: city_missing"}}
    assert web.open().refused(route=web.route, data=address) == "city_missing"
    assert web.answer(**address).route == "provider_select"


def test_a_tariff_of_zero_is_shown_and_edited_under_anode(sandbox):
    talk = sandbox.talk().pick("Ecotricity").go("tariff_structure_select", {"options": ["FIXED"]})
    talk.go("rate_fixed_capture", {"cost": 0.5}).go("tariff_name_capture", {"tariff": {"name": "Old"}})
    dates = {"contract_start_date": "2026-01-01T00:00:00Z", "contract_end_date": "0001-01-01T00:00:00Z"}
    place = sandbox.saved(talk.go("contract_term_capture", dates))
    sandbox.control(releases={"acc_one": "anode"})
    web = Web(sandbox.url, "acc_one").open(location_id=place)
    tariff = web.data["tariff"]
    assert (tariff["name"], tariff["contract_term_type"]) == ("Old", "UNTIL_TERMINATED")
    assert (tariff["contract_start_date"], tariff["contract_end_date"]) == ("2026-01-01T00:00:00Z", None)
    tariff = web.act("EDIT").fixed(0.6).data["tariff"]
    assert (tariff["name"], tariff["contract_start_date"]) == ("Fixed", "2026-01-01T00:00:00Z")


def test_a_page_tells_the_type_and_direction_of_the_token(web):
    web.open(tariff_type="NON_COMMODITY", tariff_direction="EXPORT")
    assert (web.page["type"], web.page["direction"]) == ("NON_COMMODITY", "EXPORT")
