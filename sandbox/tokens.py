"""Sign-in and connect tokens: the REST calls before and after a conversation."""

import base64
import re
from datetime import datetime, timedelta

from . import checks
from .codec import Json, rfc3339
from .errors import Failure, check_fields
from .pages import OPTIONAL
from .release import Release
from .session import Session, tariff_key
from .tariff import tariff_status
from .wire import Request, new_id, served
from .world import World

IDS = ("customer_id", "customer_reference_id", "location_id", "location_reference_id")
FLAGS = {"actions": ("disconnect_tariff", "edit_tariff"), "route_options": (*OPTIONAL, "advanced_tariff_capture")}
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
    request.release = world.release_of(match[1])
    bearer = new_id("bearer", 20)
    expires = world.now() + timedelta(hours=1)
    world.state["bearers"][bearer] = {"account_id": match[1], "expires": expires.isoformat()}
    world.changed = True
    return {"bearer_token": bearer, "expires_in": 3600, "live_mode": False}


def account(world: World, request: Request) -> str:
    """The account of a call's bearer."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    found = world.state["bearers"].get(bearer.strip())
    if not found or scheme.lower() != "bearer" or world.now() >= datetime.fromisoformat(found["expires"]):
        raise Failure("bad_credentials/bearer")
    return found["account_id"]


def release(world: World, request: Request) -> Release:
    """The release that serves a call: the account's, or a later one that the call asks for. Raises Failure for others."""
    own, asked = world.release_of(request.account), request.headers.get("Flatpeak-Version")
    request.release = own
    date = re.fullmatch(r"(\d{4}-\d\d-\d\d)(\.\S+)?", asked or own.version)
    if date and date[1] < own.version[: len(date[1])]:
        raise Failure("api_version_not_supported/older", asked=asked, own=own.version)
    found = [each for each in world.releases.by_name.values() if date and each.version.startswith(date[1])]
    if not found and world.switch("unknown_version") == "refused":
        raise Failure("api_version_not_supported", asked=asked, own=own.version)
    return world.release(found[0].name) if found else own


def create_token(world: World, request: Request) -> Json:
    """POST /connect/tariff/token or /connect/token: a connect token for a conversation within a day."""
    spoken, body = served(request), request.json()
    fields = {spoken.field(name): name for name in (*TOKEN_FIELDS, *spoken.more)}
    for name in map(spoken.field, spoken.required):
        if isinstance(body, dict) and name not in body:
            raise Failure("address_missing", f"{name}_missing", where=name)
    check_fields(body, "The body", (), fields)
    body = {fields[name]: value for name, value in body.items()}
    codes = {name: f"{spoken.field(name)}_invalid" for name in TOKEN_FIELDS}
    if spoken.more and body.get("direction") == "LOCAL":
        raise Failure("tariff_direction_not_supported")
    checks.matching(body, **codes | {"direction": "tariff_direction_invalid", "type": "tariff_type_invalid"})
    now = world.now()
    token = {"direction": "IMPORT", "type": "COMMODITY", **dict.fromkeys(("connect_web_uri", *IDS)), **body}
    token |= {"id": new_id("cot"), "account_id": request.account, "created": rfc3339(now), "release": spoken.name}
    token |= {"expires": rfc3339(now + timedelta(days=1)), "route": "", "shown": [], "refused": [], "draft": {}}
    token |= {
        "login": None,
        "complete": None,
        "exchanged": False,
        "spent": False,
        "reported": [],
        "dismissed": [],
        "no_providers": False,
    }
    token |= {name: checks.flags(body.get(name, {}), name, FLAGS[name]) for name in FLAGS}
    token["postal_address"] = checks.partial_address(body.get("postal_address", {}))
    _open_location(world, token)
    _find_customer(world, token)
    if token["actions"]["disconnect_tariff"] and world.switch("disconnect_by") == "token":
        Session(world.state, token, spoken, world.now(), request.base).disconnect()
    world.state["tokens"][token["id"]] = token
    world.changed = True
    return spoken.renamed({"connect_token": token["id"], "expires_in": 86400, "live_mode": False})


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
    """GET of the same path with ?connect_token=…: the ids that a conversation leads to."""
    spoken = served(request)
    asked = request.part or request.fields((spoken.field("connect_token"),))[spoken.field("connect_token")]
    token = world.state["tokens"].get(asked, {})
    if token.get("account_id") != request.account:
        raise Failure("not_found")
    place = world.state["locations"].get(token["location_id"])
    if not token["complete"] and not spoken.saves_first:
        raise Failure("connect_incomplete", at=spoken.route(token["route"]) or "its beginning")
    if not place and world.switch("early_exchange") == "404":
        raise Failure("not_found")
    if token["exchanged"] and world.switch("second_exchange") != "answer":
        raise Failure(f"exchanged/{world.switch('second_exchange')}")
    token["exchanged"] = bool(place)
    token["spent"] = token["spent"] or (spoken.saves_first and world.switch("exchange_spends"))
    world.changed = True
    found = {"id": token["id"], "object": "connect_token", "live_mode": False}
    found |= {world.switch("exchange_field"): False, "complete_action": spoken.action(token["complete"] or "")}
    if place:
        customer, tariff = world.state["customers"][token["customer_id"]], place["tariffs"].get(tariff_key(token))
        found[world.switch("exchange_field")] = tariff_status(tariff, world.now()) == "CONNECTED"
        # FlatPeak describes both references as strings, so an absent one is "".
        found |= {"customer_id": token["customer_id"], "customer_reference_id": customer["reference_id"] or ""}
        found |= {"location_id": token["location_id"], "location_reference_id": place["reference_id"] or ""}
    return spoken.renamed(found | {"time_created": token["created"], "time_expiry": token["expires"]})
