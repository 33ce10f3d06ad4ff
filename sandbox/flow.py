"""The flow of release zero apart from answers: where a session starts and resumes, and what the actions do."""

from datetime import timedelta
from typing import Any

from . import catalog
from .pages import chosen, pending, summary_route
from .wire import Json
from .world import World

TEMPLATE = ("name", "structure", "cost", "hours", "surcharge", "tiered", "reconnect_required", "step")
NEXT = {
    "ADDRESS_CHANGE": "postal_address_capture",
    "PROVIDER_MISSING": "provider_name_capture",
    "TARIFF_MISSING": "tariff_structure_select",
    "DISMISS_DIRECT": "tariff_structure_select",
}


def show(token: Json, route: str) -> None:
    """Move the conversation to a page, which can be answered from now on."""
    token["route"] = route
    if route not in token["shown"]:
        token["shown"].append(route)


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


def _location(world: World, token: Json) -> Json:
    """The token's location, or what stands for one that is still to be made."""
    found: Json = world.state["locations"].get(token["location_id"], {"tariffs": {}})
    return found


def _first(world: World, token: Json) -> str:
    tariff = _location(world, token)["tariffs"].get(tariff_key(token))
    if tariff:
        if tariff.get("unreadable"):
            tariff["unreadable"] = "failed"
        token["draft"] = dict(tariff)
        return summary_route(tariff, world.now())
    address = token["postal_address"]
    known = address["city"] and address["country_code"] and catalog.timezone(address)
    return "provider_select" if known else "postal_address_capture"


def _after_login(world: World, token: Json) -> str:
    outcome, token["login"] = token["login"], None
    if outcome in ("manual", "decline"):
        return "provider_select" if outcome == "decline" else "tariff_structure_select"
    provider = chosen(token["draft"])
    from_template(world, token, catalog.direct_tariff(provider, token["direction"]), "DIRECT")
    if outcome == "unreachable":
        seconds = int(provider.test.get("pending_seconds", world.switch("pending_seconds")))
        token["draft"]["pending_until"] = (world.now() + timedelta(seconds=seconds)).isoformat()
    if outcome == "unreadable":
        token["draft"]["unreadable"] = "new"
    return summary_route(token["draft"], world.now())


def from_template(world: World, token: Json, template: Json, connection: str) -> None:
    """Make the draft a tariff of the provider's own, by login (DIRECT) or out of its library (LIBRARY)."""
    days = int(template.get("days", template.get("months", 0) * 30))
    end = (world.now() + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") if days else None
    own = {name: template[name] for name in TEMPLATE if name in template}
    token["draft"] = {"provider": token["draft"]["provider"], "connection": connection, "end": end, **own}


def by_hand(token: Json, **values: Any) -> None:
    """Make the draft the customer's own work, with these values; what a login or a library said is given up."""
    draft = token["draft"]
    if draft.get("connection") != "MANUAL":
        draft = {name: draft[name] for name in ("provider", "provider_name") if name in draft}
    token["draft"] = {**draft, "connection": "MANUAL", **values}


def act(world: World, token: Json, route: str, action: str) -> str:
    """Take an action that the page offers; returns the next route."""
    if action == "SAVE" or (action == "DISCONNECT" and route != "summary_tariff_inprogress"):
        return _complete(world, token, action)
    location = _location(world, token)
    if action == "DISCONNECT":
        location["tariffs"].pop(tariff_key(token), None)
        token["draft"] = {}
    if action == "DISMISS_DIRECT":
        token["dismissed"].append(token["draft"]["provider"])
        location["dismissed"] = token["dismissed"]
    if action in ("DISMISS_DIRECT", "TARIFF_MISSING"):
        by_hand(token)
    return NEXT.get(action, "provider_select")


def _complete(world: World, token: Json, action: str) -> str:
    """SAVE or DISCONNECT: customer and location exist from now on, the latter with or without the tariff."""
    state, now, owner = world.state, world.now().isoformat(), token["account_id"]
    if not token["customer_id"]:
        token["customer_id"] = world.new_id("cus")
        state["customers"][token["customer_id"]] = {"account_id": owner, "reference_id": token["customer_reference_id"]}
    if not token["location_id"]:
        token["location_id"] = world.new_id("loc")
        new = {"account_id": owner, "reference_id": token["location_reference_id"], "tariffs": {}, "created": now}
        state["locations"][token["location_id"]] = new
    location = state["locations"][token["location_id"]]
    location |= {"customer_id": token["customer_id"], "postal_address": token["postal_address"]}
    location["dismissed"] = token["dismissed"]
    location["tariffs"].pop(tariff_key(token), None)
    if action == "SAVE":
        location["tariffs"][tariff_key(token)] = {"id": world.new_id("trf"), **token["draft"], "saved": now}
    token["complete"] = action
    return "session_complete"


def connected(tariff: Json | None, now: Any) -> bool:
    """Whether a location's tariff can be priced: it is there, and neither pending nor failed."""
    return tariff is not None and not pending(tariff, now) and not tariff.get("unreadable")
