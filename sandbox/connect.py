"""Connect: takes one answer of a conversation and says which page comes next."""

import re
from datetime import datetime
from typing import Any

from . import flow
from .answers import ANSWERS
from .pages import ROUTES, SUMMARIES, render, summary_route
from .wire import Failure, Json, Reply, check_fields, dumps, json_reply, loads
from .world import World

TYPED_IN = ("postal_address_capture", "provider_name_capture", "tariff_name_capture")
NEED_PROVIDER = [route for route in ROUTES if route.endswith(("_select", "_capture"))][3:]
_TYPED_TEST = re.compile(r"Test: ([a-z_0-9]+)")
_KINDS = {"rate_limit": 429, "api_error": 500}


def converse(world: World, raw: bytes, base: str) -> tuple[str, Reply]:
    """One POST to Connect: the route it was for ("" if there is no such) and the answer, an error object included."""
    body: Any = None
    try:
        body = loads(raw)
    except ValueError:
        return "", error(world, "connect", Failure("data_json_invalid/json"))
    sent = body if isinstance(body, dict) else {}
    route = next((name for name in ROUTES if name == sent.get("route")), "")
    try:
        return route, _answered(world, _envelope(body), base)
    except Failure as failure:
        return route, error(world, f"connect.{route}" if route else "connect", failure, sent.get("connect_token"))


def error(world: World, context: str, failure: Failure, token: Any = None) -> Reply:
    """FlatPeak's error object, or the bare {"message"} of some REST errors."""
    if failure.bare:
        return json_reply({"message": failure.message}, failure.status)
    found: Json = {"object": "error", "live_mode": False, "context": context, "type": failure.kind}
    found |= {"code": failure.code, "message": failure.message}
    if isinstance(token, str):
        found["connect_token"] = token
    found |= {"time_created": world.now().isoformat(timespec="milliseconds"), "request_id": world.new_id("req")}
    return json_reply(found, failure.status)


def _envelope(given: Any) -> Json:
    if isinstance(given, dict):
        for name in ("connect_token", "route"):
            if not isinstance(given.get(name), str) or not given[name]:
                raise Failure(f"{name}_missing")
    body = check_fields(given, "The request", ("connect_token", "route"), ("data", "action", "type"))
    if body["route"] not in ROUTES:
        raise Failure("route_invalid", routes=", ".join(ROUTES))
    if body.get("type", "submit") != "submit":
        raise Failure("data_json_invalid/type")
    if body.get("data") and body.get("action") is not None:
        raise Failure("data_json_invalid/both")
    return body


def _answered(world: World, body: Json, base: str) -> Reply:
    token, route = world.state["tokens"].get(body["connect_token"]), body["route"]
    if not token:
        raise Failure("connect_token_invalid")
    if world.now() >= datetime.fromisoformat(token["expires"]):
        raise Failure("connect_token_expired")
    world.changed = True
    if route == "session_restore":
        if body.get("data") or body.get("action") is not None:
            raise _takes(route)
        flow.resume(world, token)
        return json_reply(render(world, token, base))
    if token["complete"]:
        raise Failure("connect_token_finished")
    _check_shown(world, token, route)
    _refuse_once(token, body)
    token["no_providers"] = False
    found = _take(world, token, body)
    if isinstance(found, Reply):
        return found
    flow.show(token, found)
    return json_reply(render(world, token, base))


def _takes(route: str) -> Failure:
    return Failure("data_json_invalid/takes", route=route, takes=ROUTES[route]["takes"])


def _check_shown(world: World, token: Json, route: str) -> None:
    """Only a page that was shown can be answered, and a summary only while it is still the tariff's."""
    at, draft = token["route"], token["draft"]
    if route not in token["shown"]:
        raise Failure("route_not_available/shown", route=route, at=at or "its beginning")
    if route != at and world.switch("earlier_answers") == "refuse":
        raise Failure("route_not_available/earlier", at=at)
    if route == "session_redirect":
        raise _takes(route)
    # A pending tariff may become readable while its page is on the customer's screen: SAVE must be taken still.
    if route in SUMMARIES and route not in (at, summary_route(draft, world.now())):
        raise Failure("route_not_available/summary")
    if route in NEED_PROVIDER and not (draft.get("provider") or draft.get("provider_name")):
        raise Failure("route_not_available/provider")


def _refuse(token: Json, route: str, code: str) -> None:
    """Refuse this once in a conversation, as a test input asks for."""
    if (seen := f"{route} {code}") not in token["refused"]:
        token["refused"].append(seen)
        kind = code if code in _KINDS else ""
        raise Failure("test", code, _KINDS.get(code, 0), kind, what=code)


def _refuse_once(token: Json, body: Json) -> None:
    """The errors that test providers and typed test inputs ask for."""
    route, asked = body["route"], token.get("refuses")
    if asked and route in asked["routes"] and (route in SUMMARIES or body.get("action") is None):
        token["refuses"] = None
        raise Failure("test", asked["code"], what=asked["code"])
    typed = _TYPED_TEST.search(dumps(body.get("data"))) if route in TYPED_IN else None
    if typed and typed[1] in (*ROUTES[route]["codes"], "data_json_invalid", *_KINDS):
        _refuse(token, route, typed[1])


def _take(world: World, token: Json, body: Json) -> str | Reply:
    """The next route, or an answer that is no page of zero."""
    route, action, data = body["route"], body.get("action"), body.get("data")
    actions = ROUTES[route]["actions"]
    if action is not None:
        if action not in actions:
            raise Failure("action_invalid", route=route, offered=", ".join(actions) or "no action")
        return flow.act(world, token, route, action)
    if route in SUMMARIES:
        raise _takes(route) if data else Failure("action_missing", route=route, offered=", ".join(actions))
    if data is None and route == "contract_term_capture":
        data = {}
    if not isinstance(data, dict):
        raise Failure("data_json_invalid/object", where="data", known=ROUTES[route]["takes"])
    return ANSWERS[route](world, token, data)
