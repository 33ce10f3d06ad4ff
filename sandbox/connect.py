"""Connect: takes one answer of a conversation and says which page comes next."""

import re
from datetime import datetime

from . import flow
from .pages import ROUTES, chosen, render, summary_route
from .wire import Failure, Json, Reply, Request, check_fields, tolerated
from .world import World

ENVELOPE = ("connect_token", "route", "data", "action", "type")


def converse(world: World, request: Request) -> Json | Reply:
    """POST /: one answer to a page, or session_restore."""
    body = _envelope(world, request)
    token, route = world.state["tokens"].get(body["connect_token"]), body["route"]
    if not token:
        raise Failure("connect_token_invalid")
    if world.now() >= datetime.fromisoformat(token["expires"]):
        raise Failure("connect_token_expired")
    world.changed = True
    if route == "session_restore":
        flow.resume(world, token)
        return render(world, token, request.base)
    if token["complete"]:
        raise Failure("connect_token_finished")
    _check_shown(world, token, route)
    _refuse_once(token, body, request.body)
    token["no_providers"] = False
    found = _take(world, token, body)
    if not isinstance(found, str):
        return found
    flow.show(token, found)
    return render(world, token, request.base)


def _envelope(world: World, request: Request) -> Json:
    """The body of a request, which gets the token and the route that it is about."""
    # Of a request without a content type the library says that it is text/plain, which such a text is.
    called = request.headers.get_content_type()
    if called != "application/json" and not (called == "text/plain" and tolerated("content_type")):
        raise Failure("content_type_invalid")
    body = request.json()
    if isinstance(body, dict) and body.keys() - set(ENVELOPE) and tolerated("unknown_field"):
        body = {name: body[name] for name in ENVELOPE if name in body}
    body = check_fields(body, "The request", (), ENVELOPE)
    request.token = body.get("connect_token")
    for name in ("connect_token", "route"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Failure(f"{name}_missing")
    if body["route"] not in ROUTES:
        raise Failure("route_invalid", routes=", ".join(ROUTES))
    request.name = f"connect.{body['route']}"
    world.counts[request.name] += 1
    data, action = body.get("data"), body.get("action") is not None
    too_much = body["route"] == "session_restore" and (data or action)
    if body.get("type", "submit") != "submit" or (data and action) or too_much:
        raise Failure("data_json_invalid/both")
    return body


def _check_shown(world: World, token: Json, route: str) -> None:
    """Only a page that was shown can be answered, and a summary only while it is still the tariff's."""
    at = token["route"]
    if route not in token["shown"]:
        raise Failure("route_not_available/shown", route=route, at=at or "its beginning")
    if route != at and world.switch("earlier_answers") == "refuse":
        raise Failure("route_not_available/earlier", at=at)
    # A pending tariff may become readable while its page is on the customer's screen: SAVE must be taken still.
    if route.startswith("summary") and route not in (at, summary_route(token["draft"], world.now())):
        raise Failure("route_not_available/summary")


def _refuse_once(token: Json, body: Json, raw: bytes) -> None:
    """The errors that test providers and typed test inputs ask for."""
    route, refuses = body["route"], chosen(token["draft"]).test.get("refuses", {})
    an_answer = route.startswith("summary") or body.get("action") is None
    if route in refuses.get("routes", ()) and an_answer and flow.once(token, f"refuses {refuses['code']}"):
        raise flow.asked(refuses["code"])
    typed = re.search(r"Test: ([a-z_0-9]+)", raw.decode("utf-8", "replace"))
    known = (*ROUTES[route]["codes"], "data_json_invalid", *flow.FAULTS)
    if typed and typed[1] in known and flow.once(token, f"{route} {typed[1]}"):
        raise flow.asked(typed[1])


def _take(world: World, token: Json, body: Json) -> str | Json | Reply:
    """The next route, or an answer that is no page of zero."""
    route, action, data = body["route"], body.get("action"), body.get("data")
    actions = list(ROUTES[route]["actions"])
    if action is not None:
        if action not in actions:
            raise Failure("action_invalid", route=route, offered=", ".join(actions) or "no action")
        return flow.act(world, token, route, action)
    if route not in flow.ANSWERS and actions and not data:
        raise Failure("action_missing", route=route, offered=", ".join(actions))
    if route not in flow.ANSWERS:
        raise Failure("data_json_invalid/takes", route=route, takes=ROUTES[route]["takes"])
    if data is None and route == "contract_term_capture":
        data = {}
    if not isinstance(data, dict):
        raise Failure("data_json_invalid/object", where="data", known=ROUTES[route]["takes"])
    return flow.ANSWERS[route](world, token, data)
