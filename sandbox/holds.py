"""What pages hold: each function returns the value of one field of a page's `data`, ABSENT where it has none."""

from datetime import timedelta
from typing import Any

from . import catalog, rates
from .session import Session
from .tariff import STRUCTURES, is_market, market_of, provider_of
from .wire import Json, rfc3339, with_token

ABSENT = object()
UNPRICED = [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}]


def address(session: Session) -> Json:
    return session.token["postal_address"]


def providers(session: Session) -> list[Json]:
    if session.token["no_providers"]:
        return []
    return [each.public(session.base) for each in catalog.providers(session.country).values()]


def provider(session: Session) -> Json:
    return provider_of(session.draft).public(session.base)


def provider_name(session: Session) -> Json:
    return {"name": session.draft.get("provider_name", "")}


def tariffs(session: Session) -> list[Json]:
    found = catalog.library(provider_of(session.draft), session.token["direction"])
    return [{name: each[name] for name in ("id", "name", "description")} for each in found]


def options(session: Session) -> list[str]:
    return provider_of(session.draft).test.get("options", list(STRUCTURES))


def currency(session: Session) -> str:
    return catalog.COUNTRIES[session.country]["currency"]


def cost(session: Session) -> Any:
    return session.draft.get("cost", 0)


def hours(session: Session) -> list[Json]:
    """The periods in order; by the switch split_midnight the one that passes midnight is two of equal cost."""
    *others, last = session.draft.get("hours", UNPRICED)
    if session.switch("split_midnight") and "00:00:00" < last["valid_to"] < last["valid_from"]:
        return [{**last, "valid_from": "00:00:00"}, *others, {**last, "valid_to": "00:00:00"}]
    return [*others, last]


def surcharge(session: Session) -> Json:
    return session.draft.get("surcharge", {"fixed": 0, "percentage": 0})


def regions(session: Session) -> Any:
    """The market regions to choose from, where the address does not tell the region."""
    if "regions" not in provider_of(session.draft).test:
        return ABSENT
    known = catalog.MARKETS["regions"]
    return known.get(session.country, known["default"])


def region(session: Session) -> Any:
    return ABSENT if regions(session) is ABSENT else session.draft.get("region") or ""


def tariff_name(session: Session) -> Json:
    return {"name": session.draft.get("name", "")}


def contract_start(session: Session) -> str | None:
    return session.draft.get("start")


def contract_end(session: Session) -> str | None:
    return session.draft.get("end")


def connection_type(session: Session) -> str:
    return session.draft["connection"]


def tariff(session: Session) -> Json:
    draft = session.draft
    found = {"name": draft["name"], "contract_end_date": draft.get("end")}
    found |= {session.switch("structure_field"): draft["structure"]}
    return found | {name: draft.get(name, False) for name in ("tiered", "reconnect_required")}


def market_rates_source(session: Session) -> bool:
    return is_market(session.draft)


def three_days(session: Session) -> Json:
    """{"yesterday", "today", "tomorrow"}: the tariff's rates on those local days, times with the location's offset."""
    now, draft = session.now, session.draft
    market = market_of(session.token["postal_address"], draft)
    over = rates.contract_end(draft, market, session.switch("last_day"))
    found: dict[str, list[Json]] = {"yesterday": [], "today": [], "tomorrow": []}
    for ahead, day in enumerate(found.values(), -1):
        date = market.local(now).date() + timedelta(days=ahead)
        begin, end = market.at(date, "00:00"), min(market.at(date, "24:00"), over)
        for each in rates.segments(draft, market, session.token["direction"], begin, end, now):
            times = {
                "valid_from": rfc3339(market.local(each.valid_from)),
                "valid_to": rfc3339(market.local(each.valid_to)),
            }
            day.append({**times, "tariff": {"cost": each.rate, "confidence": 1}})
    return found


def redirect(session: Session) -> str:
    """The callback of a conversation that is over, else the provider's login, by a switch with the token in its query."""
    if session.token["complete"]:
        return callback(session)
    address = f"{session.base}/provider/login/{session.draft['provider']}"
    return with_token(address, session.token["id"]) if session.switch("redirect_has_token") else address


def callback(session: Session) -> str:
    return with_token(session.token["callback_uri"], session.token["id"])
