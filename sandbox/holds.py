"""What pages hold: each function returns the value of one field of a page's `data`, or ABSENT to leave the field out."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from . import catalog, rates
from .codec import Json, rfc3339
from .session import Session
from .tariff import STRUCTURES, market_of, provider_of
from .wire import with_token

ABSENT = object()
UNPRICED = [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}]


def drafted(name: str, default: Any = None) -> Callable[[Session], Any]:
    """A field that repeats what was entered."""
    return lambda session: session.draft.get(name, default)


def drafted_name(name: str) -> Callable[[Session], Json]:
    return lambda session: {"name": session.draft.get(name, "")}


def providers(session: Session) -> list[Json]:
    offered = [] if session.token["no_providers"] else catalog.providers(session.country).values()
    return [each.public(session.base) for each in offered]


def tariffs(session: Session) -> list[Json]:
    found = catalog.library(provider_of(session.draft), session.token["direction"])
    return [{name: each[name] for name in ("id", "name", "description")} for each in found]


def options(session: Session) -> list[str]:
    return provider_of(session.draft).test.get("options", list(STRUCTURES))


def hours(session: Session) -> list[Json]:
    """The periods in order. The switch split_midnight splits one that passes midnight into two of equal cost."""
    *others, last = session.draft.get("hours", UNPRICED)
    if session.switch("split_midnight") and "00:00:00" < last["valid_to"] < last["valid_from"]:
        return [{**last, "valid_from": "00:00:00"}, *others, {**last, "valid_to": "00:00:00"}]
    return [*others, last]


def all_regions(session: Session) -> list[str]:
    """The market regions of the country."""
    known = catalog.MARKETS["regions"]
    return known.get(session.country, known["default"])


def regions(session: Session) -> Any:
    """The market regions to choose from, only if the region is not detected from the address."""
    return all_regions(session) if "regions" in provider_of(session.draft).test else ABSENT


def region(session: Session) -> Any:
    return ABSENT if regions(session) is ABSENT else session.draft.get("region") or ""


def tariff(session: Session) -> Json:
    draft, flags = session.draft, ("tiered", "reconnect_required")
    found = {"name": draft["name"], "contract_end_date": draft.get("end")}
    return found | {
        session.switch("structure_field"): draft["structure"],
        **{flag: draft.get(flag, False) for flag in flags},
    }


def three_days(session: Session) -> Json:
    """{"yesterday", "today", "tomorrow"}: the rates of those local days, their times in the location's offset."""
    now, draft = session.now, session.draft
    market = market_of(session.token["postal_address"], draft)
    contract_end = rates.contract_end(draft, market, session.switch("last_day"))
    found: dict[str, list[Json]] = {"yesterday": [], "today": [], "tomorrow": []}
    for ahead, day in enumerate(found.values(), -1):
        date = market.local(now).date() + timedelta(days=ahead)
        span = market.at(date, "00:00"), min(market.at(date, "24:00"), contract_end)
        for begin, end, rate in rates.segments(draft, market, session.token["direction"], *span, now):
            times = {"valid_from": rfc3339(market.local(begin)), "valid_to": rfc3339(market.local(end))}
            day.append({**times, "tariff": {"cost": rate, "confidence": 1}})
    return found


def redirect(session: Session) -> str:
    """The callback at the end, otherwise the provider's login. The switch redirect_has_token puts the token in a login."""
    if session.token["complete"]:
        return callback(session)
    login = f"{session.base}/provider/login/{session.draft['provider']}"
    return with_token(login, session.token["id"]) if session.switch("redirect_has_token") else login


def redirect_without_token(session: Session) -> str:
    """As redirect, but the callback at the end lacks the token."""
    return session.token["callback_uri"] if session.token["complete"] else redirect(session)


def callback(session: Session) -> str:
    return with_token(session.token["callback_uri"], session.token["id"])
