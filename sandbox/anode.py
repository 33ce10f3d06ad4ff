"""The release anode, by what it changes of zero."""

from .pages import PAGES
from .release import Release

TOKEN, OLD_TOKEN, TOKEN_BY_ID = "/connect/token", "/connect/tariff/token", "/connect/(cot_[^/]+)"

ANODE = Release(
    version="2025-09-14.anode",
    pages=PAGES,
    routes={
        "summary_fixed_confirm": "tariff_summary",
        "summary_tou_confirm": "tariff_summary",
        "summary_tariff_inprogress": "tariff_connection_pending",
        "summary_tariff_failed": "tariff_connection_failed",
        "market_surcharge_capture": "surcharge_capture",
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
    ends_by_redirect=True,
    saves_first=True,
    readings={
        ("anode_paths", "old"): {"paths": {"token": OLD_TOKEN, "exchange": OLD_TOKEN}},
        ("anode_paths", "old_exchange"): {"paths": {"exchange": OLD_TOKEN}},
        ("anode_paths", "old_token"): {"paths": {"token": OLD_TOKEN}},
        ("anode_paths", "exchange_by_id"): {"paths": {"exchange": TOKEN_BY_ID}},
        ("anode_rates", "answer"): {"paths": {"rates": "/tariffs/rates/([^/]+)"}},
    },
)
