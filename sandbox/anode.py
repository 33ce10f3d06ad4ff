"""The release anode: zero's pages under other names, and what is different in it. FlatPeak's sources disagree in places,
so most of the switches change a row here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import anode_moves as own, checks, holds, pages as zero
from .anode_moves import CONTRACT, NAME, REPORT
from .codec import Json
from .pages import END, REDIRECT, START, Action, Field, Page
from .release import Release

TOKEN, OLD_TOKEN, TOKEN_BY_ID = "/connect/token", "/connect/tariff/token", "/connect/(cot_[^/]+)"
STRUCTURE, SURCHARGE, REGION = "tariff_structure_select", "market_surcharge_capture", "region_select"
FIXED_SUMMARY, SUMMARY = "summary_fixed_confirm", "summary_tou_confirm"
PENDING, FAILED = "summary_tariff_inprogress", "summary_tariff_failed"

# Its pages


def _led(pages: Mapping[str, Page], leads: Mapping[str, str]) -> dict[str, Page]:
    """The pages, leading to others in place of some."""
    return {
        name: replace(page, next={key: leads.get(to, to) for key, to in page.next.items()})
        for name, page in pages.items()
    }


def _changed(name: str, **fields: Any) -> dict[str, Page]:
    return {name: replace(OWN[name], **fields)}


ABOUT = zero.CONNECTION | {"connection_type": own.connection_type}
DISMISS = zero.PAGES[PENDING].actions["DISMISS_DIRECT"]
CONNECTED = {"EDIT": zero.EDIT, "DISCONNECT": zero.DISCONNECT}
# One page shows all tariffs, and a market's region has a page of its own.
OWN = _led(zero.PAGES, {FIXED_SUMMARY: SUMMARY, SURCHARGE: REGION})
del OWN[FIXED_SUMMARY]
OWN |= {
    **_changed(START, resume=own.begin, next={**OWN[START].next, "end": END}),
    **_changed(REDIRECT, holds={"redirect_url": holds.redirect}),
    **_changed(STRUCTURE, holds=zero.PROVIDER | {"options": own.options}),
    REGION: Page(
        holds=zero.PROVIDER
        | {"regions": holds.all_regions, "region": lambda session: session.draft.get("region") or ""},
        takes={"region": Field(checks.text)},
        answer=own.region,
        codes=own.REGION_CODES,
        next={None: SURCHARGE},
        skip=own.skipped_region,
    ),
    **_changed(
        SURCHARGE,
        holds=zero.PRICED | {"surcharge": zero.PAGES[SURCHARGE].holds["surcharge"]},
        takes={"surcharge": zero.PAGES[SURCHARGE].takes["surcharge"]},
        answer=lambda session, data: session.by_hand(structure="MARKET", **data),
        codes=("surcharge_percentage_invalid",),
    ),
    **_changed(NAME, skip=own.skipped_name),
    **_changed(
        CONTRACT,
        holds=zero.PROVIDER
        | {"contract_start_date": own.contract_date("start"), "contract_end_date": own.contract_date("end")},
        takes={**zero.PAGES[CONTRACT].takes, "contract_term_type": Field(shape="if known", required=False)},
        answer=own.contract_term,
        skip=own.skipped_contract,
    ),
    **_changed(
        SUMMARY,
        holds={**zero.PAGES[SUMMARY].holds, **ABOUT, "tariff": own.tariff},
        actions={REPORT: Action(SUMMARY, own.report)} | CONNECTED,
    ),
    **_changed(PENDING, holds=ABOUT, actions=CONNECTED),
    **_changed(FAILED, holds=ABOUT, actions=CONNECTED),
}
REGION_ALONE = replace(OWN[REGION], answer=own.region_alone, next={None: NAME})
SURCHARGE_FIRST = _led(OWN, {REGION: SURCHARGE})
SURCHARGE_FIRST |= _changed(REGION, next={None: NAME}) | _changed(SURCHARGE, next={None: REGION})


def _callback(name: str, route: str) -> Json:
    """An end by a page of its own, whose data has the callback under that name."""
    return {"ends_by_redirect": False, "routes": {END: route}, "pages": {END: Page(holds={name: holds.callback})}}


ANODE = Release(
    version="2025-09-14.anode",
    pages=OWN,
    routes={
        SUMMARY: "tariff_summary",
        PENDING: "tariff_connection_pending",
        FAILED: "tariff_connection_failed",
        SURCHARGE: "surcharge_capture",
    },
    fields={
        "callback_uri": "callback_url",
        "connect_web_uri": "connect_url",
        "direction": "tariff_direction",
        "type": "tariff_type",
        "complete_action": "",
    },
    paths={"token": TOKEN, "exchange": TOKEN, "rates": "", "prices": "/prices/([^/]+)"},
    required=("connect_web_uri", "callback_uri"),
    more=("route_options", "actions", "postal_address_type"),
    start="session_start",
    back="BACK",
    close="CLOSE",
    aliases={"WRONG_TARIFF": REPORT},
    acts_without_route=True,
    ends_by_redirect=True,
    tells_type=True,
    saves_first=True,
    error_status=400,
    trouble_status=400,
    readings={
        ("anode_paths", "old"): {"paths": {"token": OLD_TOKEN, "exchange": OLD_TOKEN}},
        ("anode_paths", "old_exchange"): {"paths": {"exchange": OLD_TOKEN}},
        ("anode_paths", "old_token"): {"paths": {"token": OLD_TOKEN}},
        ("anode_paths", "exchange_by_id"): {"paths": {"exchange": TOKEN_BY_ID}},
        ("anode_rates", "answer"): {"paths": {"rates": "/tariffs/rates/([^/]+)"}},
        ("back_without_route", "refuse"): {"acts_without_route": False},
        ("ending", "no_token"): {"pages": _changed(REDIRECT, holds={"redirect_url": holds.redirect_without_token})},
        ("ending", "complete_tariff"): {
            "ends_by_redirect": False,
            "routes": {END: "complete_tariff"},
            "pages": {END: Page()},
        },
        ("ending", "callback_url"): _callback("callback_url", END),
        ("ending", "callback_uri"): _callback("callback_uri", END),
        ("ending", "bare"): _callback("callback_url", ""),
        ("connection_actions", "old"): {
            "pages": _changed(PENDING, actions={"DISMISS_DIRECT": DISMISS, "DISCONNECT": zero.DISCONNECT})
            | _changed(FAILED, actions=zero.PAGES[FAILED].actions)
        },
        ("summary_route", "tariffs_summary"): {"routes": {SUMMARY: "tariffs_summary"}},
        ("report_action", "WRONG_TARIFF"): {"actions": {REPORT: "WRONG_TARIFF"}},
        ("report_answer", "error"): {
            "pages": _changed(SUMMARY, actions={REPORT: Action(SUMMARY, own.refuse_report)} | CONNECTED)
        },
        ("report_answer", "end"): {"pages": _changed(SUMMARY, actions={REPORT: Action(END)} | CONNECTED)},
        ("market_order", "surcharge_first"): {
            "pages": {name: page for name, page in SURCHARGE_FIRST.items() if page != OWN[name]}
        },
        ("market_order", "no_surcharge"): {"pages": {REGION: REGION_ALONE}},
        ("market_order", "region_alone"): {"pages": {REGION: replace(REGION_ALONE, skip=None)}},
        ("connect_error_status", "422"): {"error_status": 422, "trouble_status": 422},
        ("connect_error_status", "409"): {"error_status": 409, "trouble_status": 409},
        ("connect_error_status", "200"): {"error_status": 200, "trouble_status": 200},
        ("connect_error_status", "500_for_trouble"): {"trouble_status": 500},
        ("dead_token", "page"): {"when_over": "page"},
        ("dead_token", "404"): {"when_over": "404"},
    },
)
