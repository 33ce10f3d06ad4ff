"""A tariff, as a conversation drafts it and a location keeps it."""

from datetime import datetime

from . import catalog, rates
from .catalog import Provider
from .codec import Json

# The structures to choose from; a login can also bring DYNAMIC.
STRUCTURES = ("FIXED", "TIME_OF_DAY", "MARKET")
# The field of a tariff that holds the prices of each structure.
PRICES = {"FIXED": "cost", "TIME_OF_DAY": "hours", "MARKET": "surcharge", "DYNAMIC": "surcharge"}


def provider_of(tariff: Json) -> Provider:
    """The provider, from the catalog or with the name that was typed."""
    typed = Provider("typed", tariff.get("provider_name", ""), "NAME", {}, {"logo": ""})
    return catalog.provider_by_id(tariff.get("provider") or "") or typed


def market_of(address: Json, tariff: Json) -> rates.Market:
    """The market that prices a tariff at an address. Tariffs set by hand have hours, as in recordings of the live service."""
    country = address["country_code"]
    facts = catalog.MARKETS["countries"].get(country, catalog.MARKETS["default"])
    seed = f"{country}/{tariff.get('region') or address['state']}"
    step = tariff.get("step") or (60 if tariff["connection"] == "MANUAL" else facts["step"])
    base = facts["base"] * catalog.price_level(country)
    return rates.Market(seed, catalog.timezone(address), int(step), facts["published"], base)


def is_market(tariff: Json) -> bool:
    return PRICES[tariff["structure"]] == "surcharge"


def pending(tariff: Json, now: datetime) -> bool:
    """Whether the provider has not released the tariff yet."""
    until = tariff.get("pending_until")
    return tariff.get("unreadable") == "new" or bool(until and now < datetime.fromisoformat(until))


def stage(tariff: Json, now: datetime) -> str:
    """The stage that decides the summary: pending, failed, fixed (one price) or varying; "" without name or prices."""
    if PRICES.get(tariff.get("structure", "")) not in tariff or not tariff.get("name"):
        return ""
    if tariff.get("unreadable") == "failed":
        return "failed"
    if pending(tariff, now):
        return "pending"
    return "fixed" if tariff["structure"] == "FIXED" else "varying"


def tariff_status(tariff: Json | None, now: datetime) -> str:
    """CONNECTED if a tariff can be priced, ERROR if it cannot, NOT_CONNECTED if it is pending or None."""
    if not tariff or pending(tariff, now):
        return "NOT_CONNECTED"
    return "ERROR" if tariff.get("unreadable") else "CONNECTED"
