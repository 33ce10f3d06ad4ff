"""The pages of zero: what each route's `data` says, read from the token's conversation."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from . import catalog, rates
from .catalog import Provider
from .checks import STRUCTURES
from .wire import Json, data, rfc3339, with_token
from .world import World

ROUTES: dict[str, Json] = data("routes")
SUMMARIES = ("summary_fixed_confirm", "summary_tou_confirm", "summary_tariff_inprogress", "summary_tariff_failed")
FIRST_HOURS = [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}]


NOBODY = Provider("", "", "NAME", "", "", {})


def chosen(draft: Json) -> Provider:
    """The provider that was chosen from a list; NOBODY if its name was typed."""
    return catalog.provider_by_id(draft.get("provider") or "") or NOBODY


def public_provider(draft: Json, base: str) -> Json:
    provider = chosen(draft)
    if provider is not NOBODY:
        return provider.public(base)
    name = draft.get("provider_name", "")
    return {"id": catalog.name_id("prv", "typed", name), "display_name": name, "logo_url": ""}


def market_of(address: Json, draft: Json) -> rates.Market:
    """The market that prices a tariff at an address: its country's, in its region, or with the tariff's own step."""
    facts = catalog.market(address["country_code"])
    seed = f"{address['country_code']}/{draft.get('region') or address['state']}"
    step = int(draft.get("step") or facts["step"])
    return rates.Market(seed, catalog.timezone(address), step, facts["published"], facts["until"], facts["base"])


def pending(draft: Json, now: datetime) -> bool:
    """Whether the provider has not let the tariff be read yet."""
    until = draft.get("pending_until")
    return draft.get("unreadable") == "new" or bool(until and now < datetime.fromisoformat(until))


def summary_route(draft: Json, now: datetime) -> str:
    """The summary that a draft has, "" while it is not a whole tariff."""
    value = {"FIXED": "cost", "TIME_OF_DAY": "hours", "MARKET": "surcharge"}.get(draft.get("structure", ""))
    if not value or value not in draft or not draft.get("name"):
        return ""
    if draft.get("unreadable") == "failed":
        return "summary_tariff_failed"
    if pending(draft, now):
        return "summary_tariff_inprogress"
    return "summary_fixed_confirm" if draft["structure"] == "FIXED" else "summary_tou_confirm"


def asked_regions(token: Json) -> list[str]:
    """The market regions to choose from, empty if the region is detected from the address."""
    asks = chosen(token["draft"]).test.get("regions")
    return catalog.regions(token["postal_address"]["country_code"]) if asks else []


def options(draft: Json) -> list[str]:
    found: list[str] = chosen(draft).test.get("options", list(STRUCTURES))
    return found


def render(world: World, token: Json, base: str) -> Json:
    """The page that the token's conversation stands at."""
    route = token["route"]
    page: Json = {"connect_token": token["id"], "route": route, "type": "render"}
    if route != "session_redirect":
        page["direction"] = token["direction"]
    page["live_mode"] = False
    if ROUTES[route]["actions"]:
        page["actions"] = ROUTES[route]["actions"]
    page["data"] = _data(world, token, base)
    return page


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
        offered = [] if token.get("no_providers") else catalog.providers(address["country_code"]).values()
        return {"postal_address": address, "providers": [each.public(base) for each in offered]}
    if route == "provider_name_capture":
        return {"postal_address": address, "provider": {"name": draft.get("provider_name", "")}}
    page: Json = {"provider": public_provider(draft, base)}
    if route == "tariff_select":
        found = catalog.library(chosen(draft), token["direction"])
        page["tariffs"] = [{name: each[name] for name in ("id", "name", "description")} for each in found]
    elif route == "tariff_structure_select":
        page["options"] = options(draft)
    elif route == "tariff_name_capture":
        page["tariff"] = {"name": draft.get("name", "")}
    elif route == "contract_term_capture":
        page |= {"contract_start_date": draft.get("start"), "contract_end_date": draft.get("end")}
    elif route in ("summary_tariff_inprogress", "summary_tariff_failed"):
        page["connection_type"] = draft["connection"]
    else:
        page["currency_code"] = catalog.currency(address["country_code"])
        page |= _priced_data(world, token)
    return page


def _priced_data(world: World, token: Json) -> Json:
    """The data of the pages that show prices: the three captures by hand and the two summaries."""
    route, draft = token["route"], token["draft"]
    if route == "rate_fixed_capture":
        return {"cost": draft.get("cost", 0)}
    if route == "rate_tod_capture":
        hours = draft.get("hours", FIRST_HOURS)
        return {"hours": split_at_midnight(hours) if world.switch("split_midnight") else hours}
    if route == "market_surcharge_capture":
        asked: Json = {"surcharge": draft.get("surcharge", {"fixed": 0, "percentage": 0})}
        if regions := asked_regions(token):
            asked |= {"regions": regions, "region": draft.get("region", "")}
        return asked
    facts = {"connection_type": draft["connection"], "tariff": tariff_facts(world, draft)}
    if route == "summary_fixed_confirm":
        return {"cost": draft["cost"], **facts}
    return {**facts, "market_rates_source": draft["structure"] == "MARKET", "rates": three_days(world, token)}


def tariff_facts(world: World, draft: Json) -> Json:
    found = {"name": draft["name"], "contract_end_date": draft.get("end")}
    found[world.switch("structure_field")] = draft["structure"]
    return found | {name: draft.get(name, False) for name in ("tiered", "reconnect_required")}


def split_at_midnight(hours: list[Json]) -> list[Json]:
    """The same periods, the one that passes midnight as two of equal cost."""
    split: list[Json] = []
    for each in hours:
        if "00:00:00" < each["valid_to"] < each["valid_from"]:
            split.append({**each, "valid_from": "00:00:00"})
            each = {**each, "valid_to": "00:00:00"}
        split.append(each)
    return sorted(split, key=lambda each: str(each["valid_from"]))


def three_days(world: World, token: Json) -> Json:
    """{"yesterday", "today", "tomorrow"}: the tariff's rates on those local days, times with the location's offset."""
    now, draft = world.now(), token["draft"]
    market = market_of(token["postal_address"], draft)
    zone = ZoneInfo(market.timezone)
    found: Json = {}

    def shown(each: rates.Segment) -> Json:
        begin, end = (rfc3339(moment.astimezone(zone)) for moment in each[:2])
        return {"valid_from": begin, "valid_to": end, "tariff": {"cost": each.rate, "confidence": 1}}

    for name, ahead in (("yesterday", -1), ("today", 0), ("tomorrow", 1)):
        day = now.astimezone(zone).date() + timedelta(days=ahead)
        start, end = market.at(day, "00:00"), market.at(day, "24:00")
        found[name] = [*map(shown, rates.segments(draft, market, token["direction"], start, end, now))]
    return found
