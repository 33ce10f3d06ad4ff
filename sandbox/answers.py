"""The answers to the data pages, one function a route: each takes the answer's data and returns the next route."""

import re
from collections.abc import Callable
from typing import Any

from . import catalog, checks
from .catalog import Provider
from .flow import by_hand, from_template, show
from .pages import asked_regions, chosen, options, summary_route
from .wire import AnswerLost, Failure, Json, Reply, check_fields, json_reply, page_reply
from .world import World

CAPTURES = {"FIXED": "rate_fixed_capture", "TIME_OF_DAY": "rate_tod_capture", "MARKET": "market_surcharge_capture"}


def _only(data: Json, field: str) -> Any:
    return check_fields(data, "data", (field,))[field]


def _id_in(data: Json, field: str, prefix: str) -> str:
    """The id of {"provider": {"id": …}} or {"tariff": {"id": …}}, of the right form; FlatPeak's codes otherwise."""
    if not data.get(field) or (isinstance(data[field], dict) and data[field].get("id") in (None, "")):
        raise Failure(f"{field}_id_missing")
    value = check_fields(_only(data, field), field, ("id",))["id"]
    if not isinstance(value, str) or not re.fullmatch(prefix + "_[0-9a-f]{24}", value):
        raise Failure(f"{field}_id_invalid")
    return value


def _name_in(data: Json, field: str) -> str:
    given = check_fields(_only(data, field), field, (), ("name",)).get("name", "")
    return checks.filled(given, f"{field}.name", f"{field}_name_missing")


def _postal_address(world: World, token: Json, data: Json) -> str:
    address = checks.postal_address(_only(data, "postal_address"))
    if address["country_code"] != token["postal_address"]["country_code"]:
        token["draft"] = {}
    token["postal_address"] = address
    return "provider_select"


def _provider(world: World, token: Json, data: Json) -> str | Reply:
    provider_id = _id_in(data, "provider", "prv")
    provider = catalog.providers(token["postal_address"]["country_code"]).get(provider_id)
    if not provider:
        raise Failure("provider_not_found")
    if odd := _odd(world, token, provider):
        return odd
    if provider.kind == "DIRECT" and not token["connect_web_uri"]:
        raise Failure("connect_web_uri_missing")
    token["login"], token["refuses"] = None, provider.test.get("refuses")
    if token["draft"].get("provider") != provider.id:
        token["draft"] = {"provider": provider.id, "connection": "MANUAL"}
        if provider.test.get("no_price_data"):
            token["draft"]["no_price_data"] = True
    if provider.kind == "DIRECT" and provider.id not in token["dismissed"]:
        return "session_redirect"
    if provider.kind == "LIBRARY":
        return "tariff_select"
    by_hand(token)
    if provider.test.get("then") == "lost":
        show(token, "tariff_structure_select")
        raise AnswerLost
    routes = {"MARKET": "market_surcharge_capture", "NAME": "provider_name_capture"}
    return routes.get(provider.kind, "tariff_structure_select")


def _odd(world: World, token: Json, provider: Provider) -> str | Reply | None:
    """What the test providers do that end in no page of zero; None for all others."""
    then = provider.test.get("then", "")
    if then == "no_providers":
        token["no_providers"] = True
        return "provider_select"
    if then == "expire":
        token["expires"] = world.now().isoformat()
        raise Failure("connect_token_expired")
    page = {"connect_token": token["id"], "live_mode": False}
    if then in ("unknown_page", "error_page"):
        show(token, "provider_select")
        if then == "unknown_page":
            return json_reply({**page, "route": "sandbox_unknown_page", "direction": token["direction"], "data": {}})
        message = "This is the sandbox's test of the error page."
        return json_reply({**page, "route": "error", "error_code": "sandbox_error", "error_message": message})
    if then in ("provider_id_missing", "provider_not_found", "provider_id_invalid", "sandbox_unknown_code"):
        raise Failure("test", then, what=then)
    if then in ("rate_limit", "api_error", "not_json") and f"provider_select {then}" not in token["refused"]:
        token["refused"].append(f"provider_select {then}")
        if then == "not_json":
            return page_reply("problem.html", 502, message="This is the sandbox's test of an answer that is not JSON.")
        raise Failure("test", then, 429 if then == "rate_limit" else 500, then, what=then)
    return None


def _provider_name(world: World, token: Json, data: Json) -> str:
    name = _name_in(data, "provider")
    by_hand(token, provider=None, provider_name=name)
    return "tariff_structure_select"


def _tariff(world: World, token: Json, data: Json) -> str:
    tariff_id, provider = _id_in(data, "tariff", "trt"), chosen(token["draft"])
    for template in catalog.library(provider, token["direction"]):
        if template["id"] == tariff_id:
            from_template(world, token, template, "LIBRARY")
            return summary_route(token["draft"], world.now())
    raise Failure("tariff_not_found")


def _structure(world: World, token: Json, data: Json) -> str:
    picked = _only(data, "options")
    if not isinstance(picked, list):
        raise Failure("data_json_invalid/list", where="options", wanted='exactly one, as ["FIXED"]')
    if len(picked) != 1 or picked[0] not in (*checks.STRUCTURES, "ADVANCED"):
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
    check_fields(data, "data", ("surcharge",), ("region",) if regions else ())
    values: Json = {"surcharge": checks.surcharge(data["surcharge"])}
    if regions:
        values["region"] = checks.text(data.get("region", ""), "region")
        if values["region"] not in regions:
            raise Failure("market_region_invalid", regions=", ".join(regions))
    if not token["postal_address"]["post_code"].strip("0"):
        raise Failure("geo_location_not_found")
    by_hand(token, structure="MARKET", **values)
    return "tariff_name_capture"


def _tariff_name(world: World, token: Json, data: Json) -> str:
    by_hand(token, name=_name_in(data, "tariff"))
    return "contract_term_capture"


def _contract_term(world: World, token: Json, data: Json) -> str:
    by_hand(token, **checks.contract_term(data))
    draft = token["draft"]
    # Where an earlier page was answered for another provider, price or name are still to be asked.
    if not summary_route({**draft, "name": "-"}, world.now()):
        return CAPTURES.get(draft.get("structure", ""), "tariff_structure_select")
    return summary_route(draft, world.now()) or "tariff_name_capture"


ANSWERS: dict[str, Callable[[World, Json, Json], str | Reply]] = {
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
