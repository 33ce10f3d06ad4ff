"""The pages of zero: what each route's `data` says, read from the token's conversation."""

from datetime import datetime, timedelta

from . import catalog, rates
from .catalog import Provider
from .wire import Json, data, rfc3339, with_token
from .world import World

ROUTES: dict[str, Json] = data("routes")
# The structures to choose from; a login can also bring DYNAMIC.
STRUCTURES = ("FIXED", "TIME_OF_DAY", "MARKET")
# What a draft keeps the prices of each structure as.
PRICES = {"FIXED": "cost", "TIME_OF_DAY": "hours", "MARKET": "surcharge", "DYNAMIC": "surcharge"}


def chosen(draft: Json) -> Provider:
    """The provider of a draft, chosen from a list or with a name that was typed."""
    typed = Provider("typed", draft.get("provider_name", ""), "NAME", {}, {"logo": ""})
    return catalog.provider_by_id(draft.get("provider") or "") or typed


def market_of(address: Json, draft: Json) -> rates.Market:
    """The market that prices a tariff at an address: its country's, in its region; in hours if it was set by hand.

    A tariff may have a step of its own. Recorded runs on the live service show hours for a tariff set by hand in London.
    """
    country = address["country_code"]
    facts = catalog.MARKETS["countries"].get(country, catalog.MARKETS["default"])
    seed = f"{country}/{draft.get('region') or address['state']}"
    step = draft.get("step") or (60 if draft["connection"] == "MANUAL" else facts["step"])
    base = facts["base"] * catalog.price_level(country)
    return rates.Market(seed, catalog.timezone(address), int(step), facts["published"], base)


def pending(draft: Json, now: datetime) -> bool:
    """Whether the provider has not let the tariff be read yet."""
    until = draft.get("pending_until")
    return draft.get("unreadable") == "new" or bool(until and now < datetime.fromisoformat(until))


def summary_route(draft: Json, now: datetime) -> str:
    """The summary that a draft has, "" while it is not a whole tariff."""
    if PRICES.get(draft.get("structure", "")) not in draft or not draft.get("name"):
        return ""
    if draft.get("unreadable") == "failed":
        return "summary_tariff_failed"
    if pending(draft, now):
        return "summary_tariff_inprogress"
    return "summary_fixed_confirm" if draft["structure"] == "FIXED" else "summary_tou_confirm"


def asked_regions(token: Json) -> list[str]:
    """The market regions to choose from, empty if the region is detected from the address."""
    if "regions" not in chosen(token["draft"]).test:
        return []
    regions = catalog.MARKETS["regions"]
    return regions.get(token["postal_address"]["country_code"], regions["default"])


def options(draft: Json) -> list[str]:
    return chosen(draft).test.get("options", list(STRUCTURES))


def render(world: World, token: Json, base: str) -> Json:
    """The page that the token's conversation stands at."""
    route = token["route"]
    page = {"connect_token": token["id"], "route": route, "type": "render", "live_mode": False}
    if route != "session_redirect":
        page["direction"] = token["direction"]
    if ROUTES[route]["actions"]:
        page["actions"] = list(ROUTES[route]["actions"])
    return page | {"data": _data(world, token, base)}


def _data(world: World, token: Json, base: str) -> Json:
    route, draft, address = token["route"], token["draft"], token["postal_address"]
    if route == "postal_address_capture":
        return {"postal_address": address}
    if route == "session_complete":
        return {"callback_uri": with_token(token["callback_uri"], token["id"])}
    if route == "session_redirect":
        login = f"{base}/provider/login/{draft['provider']}"
        has_token = world.switch("redirect_has_token")
        return {world.switch("redirect_field"): with_token(login, token["id"]) if has_token else login}
    if route == "provider_select":
        offered = [] if token["no_providers"] else catalog.providers(address["country_code"]).values()
        return {"postal_address": address, "providers": [each.public(base) for each in offered]}
    if route == "provider_name_capture":
        return {"postal_address": address, "provider": {"name": draft.get("provider_name", "")}}
    page: Json = {"provider": chosen(draft).public(base)}
    if route == "tariff_select":
        found = catalog.library(chosen(draft), token["direction"])
        page["tariffs"] = [{name: each[name] for name in ("id", "name", "description")} for each in found]
    elif route == "tariff_structure_select":
        page["options"] = options(draft)
    elif route == "tariff_name_capture":
        page["tariff"] = {"name": draft.get("name", "")}
    elif route == "contract_term_capture":
        page |= {"contract_start_date": draft.get("start"), "contract_end_date": draft.get("end")}
    elif route.startswith("summary_tariff"):
        page["connection_type"] = draft["connection"]
    else:
        page |= {"currency_code": catalog.COUNTRIES[address["country_code"]]["currency"], **_prices(world, token)}
    return page


def _prices(world: World, token: Json) -> Json:
    """The data of the pages that show prices: the three captures by hand and the two summaries."""
    route, draft = token["route"], token["draft"]
    if route == "rate_fixed_capture":
        return {"cost": draft.get("cost", 0)}
    if route == "rate_tod_capture":
        hours = draft.get("hours", [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}])
        return {"hours": split_at_midnight(hours) if world.switch("split_midnight") else hours}
    if route == "market_surcharge_capture":
        asked: Json = {"surcharge": draft.get("surcharge", {"fixed": 0, "percentage": 0})}
        if regions := asked_regions(token):
            asked |= {"regions": regions, "region": draft.get("region") or ""}
        return asked
    tariff = {"name": draft["name"], "contract_end_date": draft.get("end")}
    tariff |= {world.switch("structure_field"): draft["structure"]}
    tariff |= {name: draft.get(name, False) for name in ("tiered", "reconnect_required")}
    facts = {"connection_type": draft["connection"], "tariff": tariff}
    if route == "summary_fixed_confirm":
        return {"cost": draft["cost"], **facts}
    return {
        **facts,
        "market_rates_source": PRICES[draft["structure"]] == "surcharge",
        "rates": three_days(world, token),
    }


def split_at_midnight(hours: list[Json]) -> list[Json]:
    """The same periods, which stand in order, the one that passes midnight as two of equal cost."""
    *others, last = hours
    if "00:00:00" < last["valid_to"] < last["valid_from"]:
        return [{**last, "valid_from": "00:00:00"}, *others, {**last, "valid_to": "00:00:00"}]
    return hours


def three_days(world: World, token: Json) -> Json:
    """{"yesterday", "today", "tomorrow"}: the tariff's rates on those local days, times with the location's offset."""
    now, draft = world.now(), token["draft"]
    market = market_of(token["postal_address"], draft)
    over = rates.contract_end(draft, market, world.switch("last_day"))
    found: dict[str, list[Json]] = {"yesterday": [], "today": [], "tomorrow": []}
    for ahead, day in enumerate(found.values(), -1):
        date = market.local(now).date() + timedelta(days=ahead)
        ends = market.at(date, "00:00"), market.at(date, "24:00")
        for begin, end, rate in rates.segments(draft, market, token["direction"], ends[0], min(ends[1], over), now):
            times = {"valid_from": rfc3339(market.local(begin)), "valid_to": rfc3339(market.local(end))}
            day.append({**times, "tariff": {"cost": rate, "confidence": 1}})
    return found
