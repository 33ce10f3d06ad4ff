"""FlatPeak's REST calls to sign in, to open a Connect session, and to exchange its token."""

import base64
import binascii
import re
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

from . import checks
from .flow import connected, tariff_key
from .wire import Failure, Json, check_fields, loads, rfc3339
from .world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
IDS = ("customer_id", "customer_reference_id", "location_id", "location_reference_id", "tariff_id")
TOKEN_FIELDS = ("direction", "type", "connect_web_uri", *IDS, "postal_address")


def login(world: World, authorization: str) -> Json:
    """GET /login: any acc_… and sk_test_… pair by HTTP Basic gets a bearer for an hour."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        pair = ""
    match = re.fullmatch(r"(acc_[A-Za-z0-9]+):sk_test_[A-Za-z0-9]+", pair)
    if not match or scheme.lower() != "basic":
        raise Failure("bad_credentials/basic")
    bearer = world.new_id("bearer", 20)
    world.state["bearers"][bearer] = {"account_id": match[1], "expires": (world.now() + HOUR).isoformat()}
    world.changed = True
    return {"bearer_token": bearer, "expires_in": 3600, "live_mode": False}


def account(world: World, headers: Message) -> str:
    """The account that a call's bearer belongs to."""
    if headers.get("Flatpeak-Version", "2024-08-24.zero") != "2024-08-24.zero":
        raise Failure("version_not_supported")
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    found = world.state["bearers"].get(bearer.strip())
    if not found or scheme.lower() != "bearer" or world.now() >= datetime.fromisoformat(found["expires"]):
        raise Failure("bad_credentials/bearer")
    return str(found["account_id"])


def create_token(world: World, account_id: str, raw: bytes) -> Json:
    """POST /connect/tariff/token: opens a conversation that can be held for a day."""
    try:
        body = loads(raw)
    except ValueError:
        raise Failure("data_json_invalid/json") from None
    if isinstance(body, dict) and "callback_uri" not in body:
        raise Failure("callback_uri_missing")
    check_fields(body, "The body", ("callback_uri",), TOKEN_FIELDS)
    for name in ("callback_uri", "connect_web_uri"):
        if name in body:
            checks.matching(
                body[name], name, r"[A-Za-z][\w+.-]*://\S+", "an absolute address, as https://example.com/done"
            )
    for name in IDS:
        if name in body:
            checks.matching(body[name], name, r"(?s).*\S.*", "a string that is not empty")
    token: Json = {name: body.get(name) for name in ("callback_uri", *TOKEN_FIELDS)}
    token["direction"] = checks.one_of(body.get("direction", "IMPORT"), "direction", ("IMPORT", "EXPORT"))
    token["type"] = checks.one_of(body.get("type", "COMMODITY"), "type", ("COMMODITY", "NON_COMMODITY"))
    now = world.now()
    token |= {"id": world.new_id("cot"), "account_id": account_id, "created": now.isoformat()}
    token |= {"expires": (now + DAY).isoformat(), "route": "", "shown": [], "refused": [], "refuses": None, "draft": {}}
    token |= {"login": None, "complete": None, "exchanged": False, "dismissed": [], "no_providers": False}
    token["postal_address"] = _partial_address(body.get("postal_address", {}))
    _find_location(world, token)
    _find_customer(world, token)
    world.state["tokens"][token["id"]] = token
    world.changed = True
    return {"connect_token": token["id"], "expires_in": 86400, "live_mode": False}


def _partial_address(value: Any) -> Json:
    """The address that a token was made with, "" where it says nothing."""
    check_fields(value, "postal_address", (), checks.ADDRESS)
    address = {name: checks.text(value.get(name, ""), f"postal_address.{name}") for name in checks.ADDRESS}
    if address["country_code"]:
        checks.country(address["country_code"])
    return address


def _find_location(world: World, token: Json) -> None:
    """Put the location that a token names into it; 404 if this account has none such."""
    if token["location_id"] and token["location_reference_id"]:
        raise Failure("location_ambiguous")
    if token["tariff_id"]:
        places = world.state["locations"].items()
        owners = [key for key, each in places if token["tariff_id"] in [t["id"] for t in each["tariffs"].values()]]
        token["location_id"] = token["location_id"] or "".join(owners)
        if token["location_id"] not in owners:
            raise Failure("tariff_id_invalid/token")
    if token["location_id"]:
        location = find_location(world, token["account_id"], token["location_id"])
        if token["customer_id"] not in (None, location["customer_id"]):
            raise Failure("customer_id_invalid/other")
        token |= {"customer_id": location["customer_id"], "location_reference_id": location["reference_id"]}
        token["dismissed"] = list(location["dismissed"])
        token["postal_address"] = location["postal_address"]


def find_location(world: World, account_id: str, location_id: str) -> Json:
    location: Json = world.state["locations"].get(location_id, {})
    if location.get("account_id") != account_id:
        raise Failure("not_found")
    return location


def _find_customer(world: World, token: Json) -> None:
    """Put the customer that a token names into it: one that exists, by id, or one that has its reference."""
    customers, reference = world.state["customers"], token["customer_reference_id"]
    if token["customer_id"]:
        found = customers.get(token["customer_id"], {})
        if found.get("account_id") != token["account_id"]:
            raise Failure("customer_id_invalid")
        token["customer_reference_id"] = reference or found["reference_id"]
    elif reference:
        for customer_id, each in customers.items():
            if (each["account_id"], each["reference_id"]) == (token["account_id"], reference):
                token["customer_id"] = customer_id


def exchange(world: World, account_id: str, query: Json) -> Json:
    """GET /connect/tariff/token?connect_token=…: the lasting ids of a complete conversation."""
    check_fields(query, "The query", ("connect_token",))
    token = world.state["tokens"].get(query["connect_token"], {})
    if token.get("account_id") != account_id:
        raise Failure("not_found")
    if not token["complete"]:
        raise Failure("connect_incomplete", at=token["route"] or "its beginning")
    if token["exchanged"] and world.switch("second_exchange") != "answer":
        raise Failure("exchanged", status=int(world.switch("second_exchange")))
    token["exchanged"] = world.changed = True
    location = world.state["locations"][token["location_id"]]
    processed = connected(location["tariffs"].get(tariff_key(token)), world.now())
    created, expires = (rfc3339(datetime.fromisoformat(token[name])) for name in ("created", "expires"))
    found: Json = {"id": token["id"], "object": "connect_token", "live_mode": False}
    found |= {name: token[name] for name in ("location_id", "location_reference_id", "customer_id")}
    found |= {"customer_reference_id": token["customer_reference_id"], world.switch("exchange_field"): processed}
    return found | {"complete_action": token["complete"], "time_created": created, "time_expiry": expires}
