"""FlatPeak's REST calls: sign in, open a Connect session and exchange its token, and what is known of a location."""

import base64
import re
from datetime import datetime, timedelta

from . import catalog, checks, rates
from .rates import DAY
from .session import tariff_key
from .tariff import is_market, market_of, pending, provider_of
from .tariff import status as tariff_status
from .wire import Failure, Json, Reply, Request, check_fields, json_reply, new_id, rfc3339, tolerated
from .world import World

IDS = ("customer_id", "customer_reference_id", "location_id", "location_reference_id")
TOKEN_FIELDS = ("callback_uri", "direction", "type", "connect_web_uri", *IDS, "tariff_id", "postal_address")
ELEMENTS = ("commodity_import", "commodity_export", "non_commodity_import", "non_commodity_export", "local")
RATES_FIELDS = ("start_time", "end_time", "direction", "include_tariff", "include_carbon")


def login(world: World, request: Request) -> Json:
    """GET /login: any acc_… and sk_test_… pair by HTTP Basic gets a bearer for an hour."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except ValueError:
        pair = ""
    match = re.fullmatch(r"(acc_[A-Za-z0-9]+):sk_test_[A-Za-z0-9]+", pair)
    if not match or scheme.lower() != "basic":
        raise Failure("bad_credentials/basic")
    bearer = new_id("bearer", 20)
    expires = world.now() + timedelta(hours=1)
    world.state["bearers"][bearer] = {"account_id": match[1], "expires": expires.isoformat()}
    world.changed = True
    return {"bearer_token": bearer, "expires_in": 3600, "live_mode": False}


def account(world: World, request: Request) -> str:
    """The account that a call's bearer belongs to."""
    if request.headers.get("Flatpeak-Version", world.release.version) != world.release.version:
        raise Failure("version_not_supported", version=world.release.version)
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    found = world.state["bearers"].get(bearer.strip())
    if not found or scheme.lower() != "bearer" or world.now() >= datetime.fromisoformat(found["expires"]):
        raise Failure("bad_credentials/bearer")
    return found["account_id"]


def create_token(world: World, request: Request) -> Json:
    """POST /connect/tariff/token: opens a conversation that can be held for a day."""
    body, fields = request.json(), {world.release.field(name): name for name in TOKEN_FIELDS}
    callback = world.release.field("callback_uri")
    if isinstance(body, dict) and callback not in body:
        raise Failure("callback_uri_missing")
    check_fields(body, "The body", (callback,), fields)
    body = {fields[name]: value for name, value in body.items()}
    checks.matching(body, direction="tariff_direction_invalid", type="tariff_type_invalid")
    now = world.now()
    token = {"direction": "IMPORT", "type": "COMMODITY", **dict.fromkeys(("connect_web_uri", *IDS)), **body}
    token |= {"id": new_id("cot"), "account_id": request.account, "created": rfc3339(now)}
    token |= {"expires": rfc3339(now + DAY), "route": "", "shown": [], "refused": [], "draft": {}}
    token |= {"login": None, "complete": None, "exchanged": False, "dismissed": [], "no_providers": False}
    token["postal_address"] = checks.partial_address(body.get("postal_address", {}))
    _open_location(world, token)
    _find_customer(world, token)
    world.state["tokens"][token["id"]] = token
    world.changed = True
    return world.release.renamed({"connect_token": token["id"], "expires_in": 86400, "live_mode": False})


def _open_location(world: World, token: Json) -> None:
    """Put the location that a token names into it, if this account has it."""
    if token["location_id"] and token["location_reference_id"]:
        raise Failure("location_ambiguous")
    if token["location_id"]:
        location = world.state["locations"].get(token["location_id"], {})
        if location.get("account_id") != token["account_id"]:
            raise Failure("location_id_invalid")
        if token["customer_id"] not in (None, location["customer_id"]):
            raise Failure("customer_id_invalid/other")
        token |= {name: location[name] for name in ("customer_id", "postal_address")}
        token["dismissed"] = list(location["dismissed"])


def _find_customer(world: World, token: Json) -> None:
    """Put the customer that a token names into it: one that exists, by id, or one that has its reference."""
    customers = world.state["customers"].items()
    mine = {key: each["reference_id"] for key, each in customers if each["account_id"] == token["account_id"]}
    if token["customer_id"] not in (None, *mine):
        raise Failure("customer_id_invalid")
    if token["customer_reference_id"] and not token["customer_id"]:
        by_reference = {reference: key for key, reference in mine.items()}
        token["customer_id"] = by_reference.get(token["customer_reference_id"])


def exchange(world: World, request: Request) -> Json:
    """GET /connect/tariff/token?connect_token=…: the lasting ids of a complete conversation."""
    (asked,) = request.fields((world.release.field("connect_token"),)).values()
    token = world.state["tokens"].get(asked, {})
    if token.get("account_id") != request.account:
        raise Failure("not_found")
    if not token["complete"]:
        raise Failure("connect_incomplete", at=world.release.route(token["route"]) or "its beginning")
    if token["exchanged"] and world.switch("second_exchange") != "answer":
        raise Failure(f"exchanged/{world.switch('second_exchange')}")
    token["exchanged"] = world.changed = True
    customer, place = world.state["customers"][token["customer_id"]], world.state["locations"][token["location_id"]]
    processed = tariff_status(place["tariffs"].get(tariff_key(token)), world.now()) == "CONNECTED"
    found = {"id": token["id"], "object": "connect_token", "live_mode": False}
    found |= {world.switch("exchange_field"): processed, "complete_action": world.release.action(token["complete"])}
    # FlatPeak describes both references as strings, the second as always there.
    found |= {"customer_id": token["customer_id"], "customer_reference_id": customer["reference_id"] or ""}
    found |= {"location_id": token["location_id"], "location_reference_id": place["reference_id"] or ""}
    return world.release.renamed(found | {"time_created": token["created"], "time_expiry": token["expires"]})


def _location(world: World, account_id: str, location_id: str) -> Json:
    found = world.state["locations"].get(location_id, {})
    if found.get("account_id") != account_id:
        raise Failure("not_found")
    return found


def _about(request: Request, kind: str, created: str) -> Json:
    """What every object says of itself that belongs to an account."""
    return {"object": kind, "live_mode": False, "time_created": created, "account_id": request.account}


def location(world: World, request: Request) -> Json:
    """GET /locations/{id}."""
    request.fields()
    found = _location(world, request.account, request.part)
    address = found["postal_address"]
    answer = {"id": request.part, **_about(request, "location", found["created"])}
    answer |= {"customer_id": found["customer_id"], "reference_id": found["reference_id"] or ""}
    facts, tariffs = catalog.COUNTRIES[address["country_code"]], found["tariffs"]
    answer |= {"timezone": catalog.timezone(address), "currency_code": facts["currency"], "postal_address": address}
    # Nothing here knows where a street is: the place of the country's time zone stands for all of it.
    answer["geo_location"] = {"lat": facts["lat"], "lng": facts["lng"]}
    answer["tariff_status"] = {key: _element_status(world, tariffs, key) for key in ELEMENTS}
    return answer | {"tariff_elements": [each["id"] for each in tariffs.values()]}


def _element_status(world: World, tariffs: Json, key: str) -> str:
    """The status of one of a location's ELEMENTS."""
    supported = key in tariffs or key not in ("non_commodity_export", "local")
    found = tariff_status(tariffs.get(key), world.now()) if supported else "NOT_SUPPORTED"
    return found + (" " if world.switch("status_padded") else "")


def status(world: World, request: Request) -> Json:
    """GET /locations/{id}/status: one entry for each type and direction, and one for local."""
    request.fields()
    place = _location(world, request.account, request.part)
    statuses: Json = {}
    for key in ELEMENTS:
        tariff = place["tariffs"].get(key)
        entry: Json = {"status": _element_status(world, place["tariffs"], key)}
        if tariff:
            entry |= {"connection_type": tariff["connection"], "provider": provider_of(tariff).public(request.base)}
            shown = {"id": tariff["id"], "display_name": tariff["name"], "structure_type": tariff["structure"]}
            # A string or absent, as FlatPeak describes it; never null.
            entry["tariff"] = {**shown, **({"contract_end_date": tariff["end"]} if tariff.get("end") else {})}
        statuses[key] = entry
    return {"id": request.part, **_about(request, "location_status", place["created"]), "tariff_status": statuses}


def delete_location(world: World, request: Request) -> Reply:
    """DELETE /locations/{id}: gone for every later call, and with it the conversations about it."""
    request.fields()
    _location(world, request.account, request.part)
    del world.state["locations"][request.part]
    return _deleted(world, request, "location", ("tokens",))


def delete_customer(world: World, request: Request) -> Reply:
    """DELETE /customers/{id}: gone for every later call, with all its locations and conversations."""
    request.fields()
    if world.state["customers"].get(request.part, {}).get("account_id") != request.account:
        raise Failure("not_found")
    del world.state["customers"][request.part]
    return _deleted(world, request, "customer", ("locations", "tokens"))


def _deleted(world: World, request: Request, kind: str, boxes: tuple[str, ...]) -> Reply:
    """Forget what names the deleted object, and answer."""
    for box in boxes:
        kept = {key: each for key, each in world.state[box].items() if each[f"{kind}_id"] != request.part}
        world.state[box] = kept
    world.changed = True
    return json_reply({"message": "Accepted"}, 202)


def tariff_rates(world: World, request: Request) -> Json:
    """GET /tariffs/rates/{id}: the rates of a location's COMMODITY tariff in one direction, at most 90 days of them."""
    now, given = world.now(), request.fields((), RATES_FIELDS)
    if "end_time" not in given:
        raise Failure("end_time_missing")
    for name in ("include_tariff", "include_carbon"):
        plain = given.get(name, "").lower()
        if plain in ("true", "false") and given[name] != plain and tolerated("boolean_case"):
            given[name] = plain
    checks.matching(given)
    query = {"start_time": rfc3339(now), "direction": "IMPORT", "include_tariff": "true", "include_carbon": "false"}
    query |= given
    times = (checks.moment(query[name], name, "time_invalid", f"{name}_invalid") for name in ("start_time", "end_time"))
    (start, end), direction = times, query["direction"]
    if not timedelta(0) < end - start <= 90 * DAY:
        raise Failure("end_time_invalid/days" if start < end else "end_time_invalid/order")
    with_tariff, with_carbon = (query[name] == "true" for name in ("include_tariff", "include_carbon"))
    place = _location(world, request.account, request.part)
    tariff = place["tariffs"].get(f"commodity_{direction.lower()}")
    if not tariff:
        raise Failure("no_tariff_connected", direction=direction)
    if pending(tariff, now):
        raise Failure("pending_connect")
    market = market_of(place["postal_address"], tariff)
    over = rates.contract_end(tariff, market, world.switch("last_day"))
    found = rates.segments(tariff, market, direction, start, min(end, over), now)
    if provider_of(tariff).test.get("no_price_data") or tariff_status(tariff, now) == "ERROR":
        raise Failure("no_price_data")
    if not found and (start < over or world.switch("after_contract") != "empty"):
        code = "no_price_data" if start < over else world.switch("after_contract")
        raise Failure(code, direction=direction)
    if with_carbon:
        found = [rates.Segment(*piece, each.rate) for each in found for piece in rates.cut(*each[:2], market.step)]
    saved = datetime.fromisoformat(tariff["saved"])
    confidence = int(now - saved >= timedelta(seconds=2))
    # The answer speaks in the offset of the question; where its two times differ, end_time's counts.
    offset = end.tzinfo
    rows: list[Json] = []
    for begin, stop, rate in found:
        row: Json = {"valid_from": rfc3339(begin.astimezone(offset)), "valid_to": rfc3339(stop.astimezone(offset))}
        row |= {"tariff": {"rate": rate, "confidence": confidence}} if with_tariff else {}
        row |= {"carbon": rates.carbon(market, begin)} if with_carbon else {}
        rows.append(row)
    # A market's rates change when it publishes; others say when they were saved, and a day about a week ahead.
    updated, update = saved, market.at(market.local(now).date() + 7 * DAY, "00:00")
    if is_market(tariff):
        updated, update = (market.at(market.last_day(now) + days, market.published) for days in (0 * DAY, DAY))
    asked: Json = {"start_time": rfc3339(start.astimezone(offset)), "end_time": rfc3339(end), "direction": direction}
    asked |= {"include_tariff": with_tariff, "include_carbon": with_carbon}
    answer = {"id": new_id("rts"), **_about(request, "tariff_rate", rfc3339(now)), "request": asked, "data": rows}
    answer |= {"location_id": request.part, "location_timezone": market.timezone, "direction": direction}
    answer["currency_code"] = catalog.COUNTRIES[place["postal_address"]["country_code"]]["currency"]
    instants = {"last_updated": updated, "next_update": update}
    return answer | {name: rfc3339(each.astimezone(offset)) for name, each in instants.items()}
