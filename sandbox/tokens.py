"""Sign-in and connect tokens: the REST calls before and after a conversation."""

import base64
import re
from datetime import datetime, timedelta

from . import checks
from .codec import Json, rfc3339
from .errors import Failure, check_fields
from .session import tariff_key
from .tariff import tariff_status
from .wire import Request, new_id
from .world import World

IDS = ("customer_id", "customer_reference_id", "location_id", "location_reference_id")
TOKEN_FIELDS = ("callback_uri", "direction", "type", "connect_web_uri", *IDS, "tariff_id", "postal_address")


def login(world: World, request: Request) -> Json:
    """GET /login: a bearer for an hour, for any acc_… and sk_test_… by HTTP Basic."""
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
    """The account of a call's bearer. Refuses another release's Flatpeak-Version."""
    if request.headers.get("Flatpeak-Version", world.release.version) != world.release.version:
        raise Failure("version_not_supported", version=world.release.version)
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    found = world.state["bearers"].get(bearer.strip())
    if not found or scheme.lower() != "bearer" or world.now() >= datetime.fromisoformat(found["expires"]):
        raise Failure("bad_credentials/bearer")
    return found["account_id"]


def create_token(world: World, request: Request) -> Json:
    """POST /connect/tariff/token: a connect token for a conversation within a day."""
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
    token |= {"expires": rfc3339(now + timedelta(days=1)), "route": "", "shown": [], "refused": [], "draft": {}}
    token |= {"login": None, "complete": None, "exchanged": False, "dismissed": [], "no_providers": False}
    token["postal_address"] = checks.partial_address(body.get("postal_address", {}))
    _open_location(world, token)
    _find_customer(world, token)
    world.state["tokens"][token["id"]] = token
    world.changed = True
    return world.release.renamed({"connect_token": token["id"], "expires_in": 86400, "live_mode": False})


def _open_location(world: World, token: Json) -> None:
    """Copy the location that a token names into it. Raises Failure if it is not this account's."""
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
    """Find the customer that a token names by id or reference. A new reference is for a new customer."""
    customers = world.state["customers"].items()
    mine = {key: each["reference_id"] for key, each in customers if each["account_id"] == token["account_id"]}
    if token["customer_id"] not in (None, *mine):
        raise Failure("customer_id_invalid")
    if token["customer_reference_id"] and not token["customer_id"]:
        by_reference = {reference: key for key, reference in mine.items()}
        token["customer_id"] = by_reference.get(token["customer_reference_id"])


def exchange(world: World, request: Request) -> Json:
    """GET /connect/tariff/token?connect_token=…: the ids that a complete conversation leads to."""
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
    # FlatPeak describes both references as strings, so an absent one is "".
    found |= {"customer_id": token["customer_id"], "customer_reference_id": customer["reference_id"] or ""}
    found |= {"location_id": token["location_id"], "location_reference_id": place["reference_id"] or ""}
    return world.release.renamed(found | {"time_created": token["created"], "time_expiry": token["expires"]})
