"""The flow of release zero: where a session starts and resumes, and which route follows an answer or an action."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from . import catalog, checks
from .catalog import Provider
from .pages import ROUTES, STRUCTURES, asked_regions, chosen, options, pending, summary_route
from .people import problem
from .wire import AnswerLost, Failure, Json, Reply, check_fields, rfc3339, tolerated
from .world import World

TEMPLATE = ("name", "structure", "cost", "hours", "surcharge", "tiered", "reconnect_required", "step")
FAULTS = ("rate_limit", "api_error")
BEFORE_PROVIDER = ("postal_address_capture", "provider_select", "provider_name_capture")
AFTER_PROVIDER = ROUTES["provider_select"]["next"]
CAPTURES = ROUTES["tariff_structure_select"]["next"]


def show(token: Json, route: str) -> None:
    """Move the conversation to a page, which can be answered from now on."""
    token |= {"route": route, "shown": sorted({*token["shown"], route})}


def resume(world: World, token: Json) -> None:
    """session_restore: start the conversation, take a login's outcome, or stay where it is."""
    if not token["route"]:
        show(token, _first(world, token))
    elif token["route"] == "session_redirect" and token["login"]:
        show(token, _after_login(world, token))
    elif token["route"] == "summary_tariff_inprogress":
        show(token, summary_route(token["draft"], world.now()))


def tariff_key(token: Json) -> str:
    """Under which of a location's tariffs a token's is kept, as commodity_import."""
    return f"{token['type']}_{token['direction']}".lower()


def tariff_status(tariff: Json | None, now: Any) -> str:
    """CONNECTED if a location's tariff can be priced, NOT_CONNECTED if it is pending or not there, or ERROR."""
    if not tariff or pending(tariff, now):
        return "NOT_CONNECTED"
    return "ERROR" if tariff.get("unreadable") else "CONNECTED"


def asked(code: str) -> Failure:
    """The error that a test provider or a typed test input asks for."""
    return Failure(code if code in FAULTS else "test", code, what=code)


def once(token: Json, what: str) -> bool:
    """Whether this is the first time in a conversation that a test is asked for."""
    token["refused"].append(what)
    return token["refused"].count(what) == 1


def _location(world: World, token: Json) -> Json:
    """The token's location, or what stands for one that is still to be made."""
    return world.state["locations"].get(token["location_id"], {"tariffs": {}})


def _first(world: World, token: Json) -> str:
    tariff = _location(world, token)["tariffs"].get(tariff_key(token))
    if tariff:
        if tariff.get("unreadable"):
            tariff["unreadable"] = "failed"
        token["draft"] = dict(tariff)
        return summary_route(tariff, world.now())
    address = token["postal_address"]
    known = address["city"] and address["country_code"] and checks.has_timezone(address)
    return "provider_select" if known else "postal_address_capture"


def _after_login(world: World, token: Json) -> str:
    outcome, token["login"] = token["login"], None
    if outcome in ("manual", "decline"):
        return "provider_select" if outcome == "decline" else "tariff_structure_select"
    provider = chosen(token["draft"])
    more = {}
    if outcome == "unreachable":
        seconds = int(provider.test.get("pending_seconds", world.switch("pending_seconds")))
        more["pending_until"] = (world.now() + timedelta(seconds=seconds)).isoformat()
    if outcome == "unreadable":
        more["unreadable"] = "new"
    template = catalog.priced(provider.tariff, provider, token["direction"])
    return _take_over(world, token, template, connection="DIRECT", **more)


# What becomes of the draft


def _take_over(world: World, token: Json, template: Json, **more: str) -> str:
    """Make the draft a tariff of the provider's own, by login or out of its library; returns its summary."""
    days = int(template.get("days", 0))
    end = (world.now() + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") if days else None
    own = {name: template[name] for name in TEMPLATE if name in template}
    token["draft"] = {"provider": token["draft"]["provider"], "end": end, **own, **more}
    return summary_route(token["draft"], world.now())


def by_hand(token: Json, **values: Any) -> None:
    """Make the draft the customer's own work, with these values; what a login or a library said is given up."""
    draft = token["draft"]
    if draft.get("connection") != "MANUAL":
        draft = {name: draft[name] for name in ("provider", "provider_name") if name in draft}
    token["draft"] = {**draft, "connection": "MANUAL", **values}


def _give_up(token: Json) -> None:
    """Forget the provider, and with it every page that was about it."""
    token["draft"] = {}
    token["shown"] = [route for route in token["shown"] if route in BEFORE_PROVIDER]


# Actions


def act(world: World, token: Json, route: str, action: str) -> str:
    """Take an action that the page offers; returns the next route."""
    following: str = ROUTES[route]["actions"][action]
    if following == "session_complete":
        _complete(world, token, action)
        return following
    location = _location(world, token)
    if action == "DISCONNECT":
        location["tariffs"].pop(tariff_key(token), None)
        _give_up(token)
    if action == "DISMISS_DIRECT":
        token["dismissed"].append(token["draft"]["provider"])
        location["dismissed"] = token["dismissed"]
    if following == "tariff_structure_select":
        by_hand(token)
    return following


def _complete(world: World, token: Json, action: str) -> None:
    """SAVE or DISCONNECT: customer and location exist from now on, the latter with or without the tariff."""
    owner, now, key = token["account_id"], world.now(), tariff_key(token)
    token["customer_id"] = token["customer_id"] or world.new_id("cus")
    customer = {"account_id": owner, "reference_id": token["customer_reference_id"]}
    world.state["customers"].setdefault(token["customer_id"], customer)
    token["location_id"] = token["location_id"] or world.new_id("loc")
    new = {"account_id": owner, "reference_id": token["location_reference_id"], "created": rfc3339(now), "tariffs": {}}
    location = world.state["locations"].setdefault(token["location_id"], new)
    location |= {name: token[name] for name in ("customer_id", "postal_address", "dismissed")}
    location["tariffs"].pop(key, None)
    if action == "SAVE":
        location["tariffs"][key] = {"id": world.new_id("trf"), **token["draft"], "saved": now.isoformat()}
    token["complete"] = action


# Answers to the data pages, one function a route: each takes the answer's data and returns the next route.


def _only(data: Json, field: str) -> Any:
    return check_fields(data, "data", (field,))[field]


def _id_in(data: Json, field: str, prefix: str) -> str:
    """The id of {"provider": {"id": …}} or {"tariff": {"id": …}}, of the right form; FlatPeak's codes otherwise."""
    given = data.get(field) or {}
    if isinstance(given, dict) and given.get("id") in (None, ""):
        raise Failure(f"{field}_id_missing")
    value = check_fields(_only(data, field), field, ("id",))["id"]
    if not isinstance(value, str) or not re.fullmatch(prefix + "_[0-9a-f]{24}", value):
        raise Failure(f"{field}_id_invalid")
    return value


def _name_in(data: Json, field: str) -> str:
    given = check_fields(_only(data, field), field, (), ("name",)).get("name", "")
    return checks.text(given, f"{field}.name", f"{field}_name_missing")


def _postal_address(world: World, token: Json, data: Json) -> str:
    address = checks.postal_address(_only(data, "postal_address"), world.switch("post_code"))
    if address["country_code"] != token["postal_address"]["country_code"]:
        _give_up(token)
    token["postal_address"] = address
    return "provider_select"


def _provider(world: World, token: Json, data: Json) -> str | Json | Reply:
    provider_id = _id_in(data, "provider", "prv")
    country = token["postal_address"]["country_code"]
    provider = catalog.providers(country).get(provider_id)
    if not provider and catalog.provider_by_id(provider_id):
        raise Failure("provider_id_invalid/elsewhere", country=country)
    if not provider:
        raise Failure("provider_not_found")
    if odd := _odd(world, token, provider):
        return odd
    kind = "MANUAL" if provider.id in token["dismissed"] else provider.kind
    if kind == "DIRECT" and not token["connect_web_uri"]:
        raise Failure("connect_web_uri_missing")
    token["login"] = None
    if token["draft"].get("provider") != provider.id:
        token["draft"] = {"provider": provider.id, "connection": "MANUAL"}
    if kind not in ("DIRECT", "LIBRARY"):
        by_hand(token)
    if provider.test.get("lost"):
        show(token, AFTER_PROVIDER[kind])
        raise AnswerLost
    return AFTER_PROVIDER[kind]


def _odd(world: World, token: Json, provider: Provider) -> str | Json | Reply | None:
    """What the test providers do that end in no page of zero; None for all others."""
    test = provider.test
    if "no_providers" in test:
        token["no_providers"] = True
        return "provider_select"
    if "expires" in test:
        token["expires"] = rfc3339(world.now())
        raise Failure("connect_token_expired")
    if "page" in test:
        show(token, "provider_select")
        return {"connect_token": token["id"], "live_mode": False, **test["page"]}
    if "always" in test:
        raise asked(test["always"])
    if "once" in test and once(token, f"provider_select {test['once']}"):
        if test["once"] == "not_json":
            return problem(502, "This is the sandbox's test of an answer that is not JSON.")
        raise asked(test["once"])
    return None


def _provider_name(world: World, token: Json, data: Json) -> str:
    by_hand(token, provider=None, provider_name=_name_in(data, "provider"))
    return "tariff_structure_select"


def _tariff(world: World, token: Json, data: Json) -> str:
    tariff_id = _id_in(data, "tariff", "trt")
    for template in catalog.library(chosen(token["draft"]), token["direction"]):
        if template["id"] == tariff_id:
            return _take_over(world, token, template, connection="LIBRARY")
    raise Failure("tariff_id_invalid/elsewhere" if catalog.tariff_exists(tariff_id) else "tariff_not_found")


def _structure(world: World, token: Json, data: Json) -> str:
    picked = _only(data, "options")
    if not isinstance(picked, list):
        raise Failure("data_json_invalid/list", where="options", wanted='exactly one, as ["FIXED"]')
    if len(picked) != 1 or picked[0] not in (*STRUCTURES, "ADVANCED"):
        raise Failure("option_invalid")
    if picked[0] not in options(token["draft"]):
        raise Failure("option_not_supported", option=picked[0])
    by_hand(token, structure=picked[0])
    return CAPTURES[picked[0]]


def _fixed(world: World, token: Json, data: Json) -> str:
    by_hand(token, structure="FIXED", cost=checks.cost(_only(data, "cost")))
    return "tariff_name_capture"


def _time_of_day(world: World, token: Json, data: Json) -> str:
    by_hand(token, structure="TIME_OF_DAY", hours=checks.hours(_only(data, "hours")))
    return "tariff_name_capture"


def _surcharge(world: World, token: Json, data: Json) -> str:
    regions = asked_regions(token)
    if not regions and "region" in data and tolerated("region"):
        data = {name: value for name, value in data.items() if name != "region"}
    check_fields(data, "data", ("surcharge",), ("region",) if regions else ())
    surcharge, region = checks.surcharge(data["surcharge"]), data.get("region")
    if regions and region not in regions:
        raise Failure("market_region_invalid", regions=", ".join(regions))
    if re.fullmatch("0+", token["postal_address"]["post_code"]):
        raise Failure("geo_location_not_found")
    by_hand(token, structure="MARKET", surcharge=surcharge, region=region)
    return "tariff_name_capture"


def _tariff_name(world: World, token: Json, data: Json) -> str:
    by_hand(token, name=_name_in(data, "tariff"))
    return "contract_term_capture"


def _contract_term(world: World, token: Json, data: Json) -> str:
    by_hand(token, **checks.contract_term(data))
    draft = token["draft"]
    # Where an earlier page was answered for another provider, price or name are still to be asked.
    if not summary_route({**draft, "name": "-"}, world.now()):
        return CAPTURES.get(draft.get("structure"), "tariff_structure_select")
    return summary_route(draft, world.now()) or "tariff_name_capture"


ANSWERS: dict[str, Callable[[World, Json, Json], str | Json | Reply]] = {
    "postal_address_capture": _postal_address,
    "provider_select": _provider,
    "provider_name_capture": _provider_name,
    "tariff_select": _tariff,
    "tariff_structure_select": _structure,
    "rate_fixed_capture": _fixed,
    "rate_tod_capture": _time_of_day,
    "market_surcharge_capture": _surcharge,
    "tariff_name_capture": _tariff_name,
    "contract_term_capture": _contract_term,
}
