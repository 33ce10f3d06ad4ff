"""The table of pages is true: each page holds, takes and leads on as its row says."""

import re
from html import unescape
from pathlib import Path

import pytest

from sandbox import pages
from sandbox.pages import END, ERROR, PAGES, REDIRECT, START

from .conftest import ADDRESS, ANSWERS, BY_HAND, OUTCOMES

SHOWN = [route for route in PAGES if route not in (START, ERROR)]
STEPS = [(route, key) for route, answers in {**ANSWERS, REDIRECT: OUTCOMES}.items() for key in answers]
ACTIONS = [(route, action) for route, page in PAGES.items() for action in page.actions]


def at(sandbox, route):
    talk = sandbox.talk(postal_address={"country_code": "GB"})
    return talk if route == talk.route else sandbox.talk().reach(route)


@pytest.mark.parametrize("route", SHOWN)
def test_a_page_holds_what_its_row_says(sandbox, route):
    page = at(sandbox, route).page
    # Only one test provider asks for the region.
    assert set(page["data"]) == set(PAGES[route].holds) - {"regions", "region"}
    assert page.get("actions", []) == list(PAGES[route].actions)


@pytest.mark.parametrize(("route", "key"), STEPS)
def test_an_answer_leads_where_its_row_says(sandbox, route, key):
    assert at(sandbox, route).step(key).route == PAGES[route].next[key]


@pytest.mark.parametrize(("route", "action"), ACTIONS)
def test_an_action_leads_where_its_row_says(sandbox, route, action):
    talk = at(sandbox, route).act(action)
    assert talk.route == PAGES[route].actions[action].leads
    if talk.route == END:
        assert sandbox.exchange(talk.token)["complete_action"] == action


@pytest.mark.parametrize(
    ("structure", "stage"), [("FIXED", "fixed"), ("TIME_OF_DAY", "varying"), ("MARKET", "varying")]
)
def test_every_other_key_is_reached(sandbox, structure, stage):
    talk = sandbox.talk().by_hand(structure)
    assert talk.route == PAGES["contract_term_capture"].next[stage]
    location = sandbox.saved(talk)
    assert sandbox.talk(location_id=location).route == PAGES[START].next[stage]
    talk = sandbox.talk().reach("tariff_structure_select").step(structure).go(*BY_HAND[structure]).step(None)
    talk.go("provider_select", {"provider": {"id": talk.id_of("Affect Energy")}}).step(structure)
    assert talk.go("contract_term_capture").route == PAGES["contract_term_capture"].next[structure]


def test_every_key_is_tried_here_or_by_the_tests_of_the_flow():
    elsewhere = {(START, key) for key in PAGES[START].next}
    elsewhere |= {("contract_term_capture", key) for key in ("fixed", *BY_HAND, "structure", "name")}
    elsewhere |= {("summary_tariff_inprogress", key) for key in ("fixed", "varying", "pending")} | {
        (REDIRECT, "varying")
    }
    assert {(route, key) for route, page in PAGES.items() for key in page.next} == {*STEPS} | elsewhere


@pytest.mark.parametrize("route", [route for route, page in PAGES.items() if page.takes])
def test_a_page_takes_no_other_field(sandbox, route):
    talk = at(sandbox, route)
    known = dict.fromkeys(PAGES[route].takes)
    error = talk.send(route, data={"colour": "red"} | (known if "provider_select" not in route else {}))
    assert sandbox.status == 422
    assert PAGES[route].takes.keys() <= set(re.findall(r"\w+", error["message"])) or error["code"].endswith(
        "_id_missing"
    )


def test_the_home_page_documents_every_page(sandbox):
    html = unescape(sandbox.call("GET", "/"))
    for route, page in PAGES.items():
        assert f"<th scope=row>zero: {route}<td>{', '.join([page.wanted, *page.actions, *page.codes])}\n" in html + "\n"


def test_only_the_tables_and_the_switches_name_a_route():
    folder = Path(pages.__file__).parent
    names = re.compile(rf"\b({'|'.join(set(PAGES) - {ERROR})})\b")
    files = [each for suffix in ("py", "json", "html") for each in folder.rglob(f"*.{suffix}")]
    found = {each.name for each in files if names.search(each.read_text(encoding="utf-8"))}
    assert len(files) > 30
    assert found == {"pages.py", "anode.py", "switches.json"}


def test_the_address_is_asked_for_only_if_it_is_not_known(sandbox):
    assert sandbox.talk(postal_address={"country_code": "GB"}).route == PAGES[START].next["address"]
    assert sandbox.talk(postal_address=ADDRESS).route == PAGES[START].next["provider"]
