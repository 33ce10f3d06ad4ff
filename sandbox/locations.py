"""Locations and customers: the REST calls about what conversations have stored."""

from . import catalog
from .codec import Json
from .errors import Failure
from .tariff import provider_of, tariff_status
from .wire import Reply, Request, json_reply, served
from .world import World

MARKET_SOURCE = "mrs_" + "0" * 24
ELEMENTS = ("commodity_import", "commodity_export", "non_commodity_import", "non_commodity_export", "local")


def location_of(world: World, account_id: str, location_id: str) -> Json:
    """An account's location. Raises not_found."""
    found = world.state["locations"].get(location_id, {})
    if found.get("account_id") != account_id:
        raise Failure("not_found")
    return found


def about(request: Request, kind: str, created: str) -> Json:
    """The fields that all objects of an account share."""
    return {"object": kind, "live_mode": False, "time_created": created, "account_id": request.account}


def location(world: World, request: Request) -> Json:
    """GET /locations/{id}."""
    request.fields()
    found = location_of(world, request.account, request.part)
    address = found["postal_address"]
    answer = {"id": request.part, **about(request, "location", found["created"])}
    answer |= {"customer_id": found["customer_id"], "reference_id": found["reference_id"] or ""}
    facts, tariffs = catalog.COUNTRIES[address["country_code"]], found["tariffs"]
    answer |= {"timezone": catalog.timezone(address), "currency_code": facts["currency"], "postal_address": address}
    # The sandbox knows no streets: the country's place stands for all of them.
    answer["geo_location"] = {"lat": facts["lat"], "lng": facts["lng"]}
    if served(request).saves_first:
        answer |= {"flex_allowed": False, "market_sources": dict.fromkeys(("import", "export"), MARKET_SOURCE)}
    answer["tariff_status"] = {key: _element_status(world, tariffs, key) for key in ELEMENTS}
    return answer | {"tariff_elements": [each["id"] for each in tariffs.values()]}


def _element_status(world: World, tariffs: Json, key: str) -> str:
    """The status of one of a location's ELEMENTS, by the switch status_padded with a space."""
    supported = key in tariffs or key not in ("non_commodity_export", "local")
    found = tariff_status(tariffs.get(key), world.now()) if supported else "NOT_SUPPORTED"
    return found + (" " if world.switch("status_padded") else "")


def status(world: World, request: Request) -> Json:
    """GET /locations/{id}/status: an entry for each type and direction, and for local."""
    request.fields()
    place = location_of(world, request.account, request.part)
    statuses: Json = {}
    for key in ELEMENTS:
        tariff = place["tariffs"].get(key)
        entry: Json = {"status": _element_status(world, place["tariffs"], key)}
        if tariff:
            entry |= {"connection_type": tariff["connection"], "provider": provider_of(tariff).public(request.base)}
            shown = {"id": tariff["id"], "display_name": tariff["name"], "structure_type": tariff["structure"]}
            # FlatPeak describes it as a string that can be absent, so it is never null.
            entry["tariff"] = {**shown, **({"contract_end_date": tariff["end"]} if tariff.get("end") else {})}
        statuses[key] = entry
    return {"id": request.part, **about(request, "location_status", place["created"]), "tariff_status": statuses}


def delete_location(world: World, request: Request) -> Reply:
    """DELETE /locations/{id}: forgets it and the conversations about it."""
    request.fields()
    location_of(world, request.account, request.part)
    del world.state["locations"][request.part]
    return _deleted(world, request, "location", ("tokens",))


def delete_customer(world: World, request: Request) -> Reply:
    """DELETE /customers/{id}: forgets it, its locations and its conversations."""
    request.fields()
    if world.state["customers"].get(request.part, {}).get("account_id") != request.account:
        raise Failure("not_found")
    del world.state["customers"][request.part]
    return _deleted(world, request, "customer", ("locations", "tokens"))


def _deleted(world: World, request: Request, kind: str, boxes: tuple[str, ...]) -> Reply:
    """Forget everything that names the deleted object."""
    for box in boxes:
        kept = {key: each for key, each in world.state[box].items() if each[f"{kind}_id"] != request.part}
        world.state[box] = kept
    world.changed = True
    return json_reply({"message": "Accepted"}, 202)
