"""What the pages of anode hold and do where zero's differ: as holds.py and moves.py."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from . import checks, holds, moves
from .codec import Json, rfc3339
from .errors import Failure
from .pages import OPTIONAL, PAGES
from .session import Session
from .tariff import is_market, market_of, provider_of

NAME, CONTRACT = OPTIONAL
REPORT = "WRONG_TARIFF_REPORT"
REGION_CODES = ("market_region_invalid", "geo_location_not_found")


# What pages hold


def connection_type(session: Session) -> str:
    """MARKET for market prices that were set by hand, MANUAL for other prices that were."""
    draft = session.draft
    by_hand = draft.get("connection", "MANUAL") == "MANUAL"
    return "MARKET" if by_hand and "structure" in draft and is_market(draft) else draft.get("connection", "DIRECT")


def contract_date(name: str) -> Callable[[Session], Any]:
    """A date of the contract, None if it is not known or there is none."""
    return lambda session: None if session.draft.get(name) == checks.OPEN_END else session.draft.get(name)


def tariff(session: Session) -> Json:
    """The tariff of a summary; the dates of its contract are in the location's offset."""
    draft, market = session.draft, market_of(session.token["postal_address"], session.draft)
    dates = {name: contract_date(name)(session) for name in ("start", "end")}
    start, end = (each and rfc3339(market.local(datetime.fromisoformat(each))) for each in dates.values())
    nameless = draft.get("invented") and session.switch("optional_pages") == "nameless"
    found = {"status": "CONNECTED", "name": "" if nameless else draft["name"], "structure_type": draft["structure"]}
    found |= {"contract_start_date": start, "contract_end_date": end}
    found |= {"contract_term_type": "FIXED" if end else "UNTIL_TERMINATED", "tiered": draft.get("tiered", False)}
    return found | ({"reconnect_required": True} if draft.get("reconnect_required") else {})


def options(session: Session) -> list[str]:
    advanced = ["ADVANCED"] * session.token["route_options"]["advanced_tariff_capture"]
    return [*holds.options(session), *advanced]


# What starting and answers do, and the answers that are taken for pages which are not shown


def begin(session: Session) -> str:
    """Start with the tariff of the location, or with what the token's actions say."""
    flags, has_location = session.token["actions"], session.token["location_id"]
    if flags["disconnect_tariff"] and has_location:
        session.disconnect()
        session.complete("DISCONNECT")
        return "end"
    key = moves.begin(session)
    if key in ("provider", "address"):
        reading: str = session.switch("no_tariff_yet")
        return reading if has_location and reading != "provider" else key
    return "provider" if flags["edit_tariff"] else key


def region(session: Session, data: Json) -> None:
    """Take one of the country's regions, or None if the region is detected."""
    if data["region"] is not None and data["region"] not in holds.all_regions(session):
        raise Failure("market_region_invalid", regions=", ".join(holds.all_regions(session)))
    if moves.has_no_place(session):
        raise Failure("geo_location_not_found")
    session.by_hand(structure="MARKET", region=data["region"])


def region_alone(session: Session, data: Json) -> None:
    """Choose the region, where no surcharge is asked for."""
    region(session, data)
    session.by_hand(surcharge=dict.fromkeys(("fixed", "percentage"), Decimal(0)))


def skipped_region(session: Session) -> Json | None:
    """The region needs no question if it is detected from the address."""
    test = provider_of(session.draft).test
    asks = "regions" in test or test.get("refuses") in REGION_CODES
    return None if asks or moves.has_no_place(session) else {"region": None}


def skipped_name(session: Session) -> Json | None:
    """A name is made up, unless the token asks for the page."""
    session.draft["invented"] = not _asks(session, NAME)
    return {"tariff": session.draft["structure"].replace("_", " ").capitalize()} if session.draft["invented"] else None


def skipped_contract(session: Session) -> Json | None:
    """The dates stay as they are, unless the token asks for the page."""
    return None if _asks(session, CONTRACT) else {}


def _asks(session: Session, route: str) -> bool:
    test = provider_of(session.draft).test
    wanted = session.token["route_options"][route] or session.switch("optional_pages") == "always"
    return wanted or test.get("refuses") in PAGES[route].codes


def contract_term(session: Session, data: Json) -> str:
    """Take the dates, and contract_term_type, which can say that there is no end. What is not sent stays as it is."""
    reading, dates = session.switch("contract_term"), dict(data)
    term = dates.pop("contract_term_type", None)
    if term not in (None, "FIXED", "UNTIL_TERMINATED") or (term and reading == "alone" and any(dates.values())):
        raise Failure("data_json_invalid/term")
    if checks.OPEN_END in dates.values() and reading != "zeros_date":
        raise Failure("date_format_invalid", where="contract_end_date")
    known = {f"contract_{name}_date": session.draft.get(name) for name in ("start", "end")}
    end = {"contract_end_date": checks.OPEN_END} if term == "UNTIL_TERMINATED" else {}
    return moves.contract_term(session, known | dates | end)


def report(session: Session) -> None:
    session.token["reported"].append(REPORT)


def refuse_report(session: Session) -> None:
    raise Failure("wrong_tariff_report_refused")
