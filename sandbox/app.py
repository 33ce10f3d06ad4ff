"""From a request to its answer: which path is which call."""

import re
import time
from collections.abc import Callable
from dataclasses import replace

from . import connect, control, deliveries, locations, people, pricing, strikes, tokens
from .codec import Json, rfc3339
from .errors import Failure, granted
from .wire import CALLS, SIGNED_IN, Reply, Request, json_reply, new_id
from .world import World

Work = Callable[[World, Request], Reply | Json]
TOKEN, LOCATION, LOGIN = "/connect/tariff/token", "/locations/([^/]+)", "/provider/login/([^/]+)"
# The name of a call, by which it is counted and logged; its method, path in zero ("" for none) and work.
PATHS: list[tuple[str, str, str, Work]] = [
    ("connect", "POST", "/", connect.converse),
    ("login", "GET", "/login", tokens.login),
    ("token", "POST", TOKEN, tokens.create_token),
    ("exchange", "GET", TOKEN, tokens.exchange),
    ("rates", "GET", "/tariffs/rates/([^/]+)", pricing.tariff_rates),
    ("prices", "POST", "", pricing.prices),
    ("location", "GET", LOCATION, locations.location),
    ("status", "GET", LOCATION + "/status", locations.status),
    ("delete_location", "DELETE", LOCATION, locations.delete_location),
    ("delete_customer", "DELETE", "/customers/([^/]+)", locations.delete_customer),
    ("logo", "GET", r"/logos/(\w+)\.svg", people.logo),
    ("provider_login", "GET", LOGIN, people.visit),
    ("provider_outcome", "POST", LOGIN, people.visit),
    ("jwks", "GET", "/jwks.json", deliveries.jwks),
    ("home", "GET", "/", people.home),
    ("control", "GET", "/_sandbox", control.read),
    ("control", "POST", "/_sandbox", control.change),
]


def dispatch(world: World, request: Request) -> Reply:
    """Name a request and answer it. Raises AnswerLost."""
    if request.method == "OPTIONS":
        return Reply(204)
    wanted = "GET" if request.method == "HEAD" else request.method
    allowed = {"OPTIONS"}
    for name, method, path, work in PATHS:
        for known in world.releases.paths(name, path):
            if match := re.fullmatch(known, request.path):
                request.name, request.part = name, "".join(match.groups())
                if method == wanted:
                    return _answer(world, request, work, path)
                allowed.add(method)
    if request.name == "unknown":
        return json_reply({"message": "Not Found"}, 404)
    return Reply(405, b'{"message":"Method Not Allowed"}', headers={"Allow": ", ".join(sorted(allowed))})


def _answer(world: World, request: Request, work: Work, path: str) -> Reply:
    """Do the work of a call, which has that path in zero, and spoil it by a fault."""
    call = request.name
    if call in CALLS:
        time.sleep(int(world.switch("delay_ms")) / 1000)
    with world.lock:
        if call == "connect":
            connect.identify(world, request)
        # Control is not counted, since it would change the counts that it reads.
        world.counts.update({call, request.name} - {"control"})
        beyond: set[str] = set()
        granted.set(None if world.switch("strict") else beyond)
        due = strikes.due(world, call, request.name) if call in CALLS else []
        try:
            found: Reply | Json | None = strikes.stop(world, due)
            if found is None:
                if call in SIGNED_IN:
                    request.account = tokens.account(world, request)
                    request.release = tokens.release(world, request)
                    if not re.fullmatch(request.release.paths.get(call, path), request.path):
                        raise Failure("not_found")
                found = work(world, request)
        except Failure as failure:
            found = _error(world, request, failure)
        else:
            world.tolerated.update(beyond)
            request.notes += [f"tolerated {name}" for name in sorted(beyond)]
        return _versioned(world, request, strikes.spoil(world, due, found))


def _versioned(world: World, request: Request, reply: Reply) -> Reply:
    """Name the release that served a REST call, unless the switch says that the call does not tell."""
    silent = {"always": ("connect",), "not_login": ("connect", "login"), "never": CALLS}
    if request.release is None or request.name.partition(".")[0] in silent[world.switch("version_header")]:
        return reply
    return replace(reply, headers={**reply.headers, "flatpeak-version": request.release.version})


def _error(world: World, request: Request, failure: Failure) -> Reply:
    """FlatPeak's error object, or {"message"} alone for some REST errors."""
    request.notes += [failure.note] if failure.note else []
    if failure.bare:
        return json_reply({"message": failure.message}, failure.status)
    context = failure.context or ("api.connect_token_create" if request.name == "token" else request.name)
    status, kind, code = failure.status, failure.kind, failure.code
    spoken = request.release if request.name.startswith("connect") else None
    if spoken and spoken.error_status and kind != "rate_limit":
        trouble = kind == "api_error"
        if not failure.on_purpose:
            status = spoken.trouble_status if trouble else spoken.error_status
        kind, code = ("connect_error", "server_error") if trouble else (kind, code)
    found: Json = {"object": "error", "live_mode": False, "context": context, "type": kind}
    found |= {"code": code, "message": failure.message}
    if isinstance(request.token, str):
        found["connect_token"] = request.token
    found |= {"time_created": rfc3339(world.now(), "milliseconds"), "request_id": new_id("req")}
    return json_reply(found, status, failure.headers)
