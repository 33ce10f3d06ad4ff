"""From an HTTP request to an answer: which path is which call."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from html import escape
from urllib.parse import parse_qsl

from . import catalog, connect, control, login, rest
from .locations import location, status, tariff_rates
from .wire import Failure, Json, Reply, json_reply, page_reply
from .world import World


@dataclass
class Request:
    """One request; base is the sandbox's own address as the client sees it, name the call as counts and log have it."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    base: str
    name: str = "unknown"

    def fields(self) -> Json:
        """The query as a dict of strings; 422 if a name stands in it twice."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        if len({name for name, _ in pairs}) < len(pairs):
            raise Failure("query_invalid")
        return dict(pairs)


Handler = Callable[[World, Request, str], Reply]


def _connect(world: World, request: Request, _: str) -> Reply:
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Failure("content_type_invalid")
    route, reply = connect.converse(world, request.body, request.base)
    if route:
        request.name = f"connect.{route}"
        world.counts[request.name] += 1
    return reply


def _signed_in(call: Callable[[World, str, Request, str], Json]) -> Handler:
    """A REST call that is told the account of its bearer."""
    return lambda world, request, part: json_reply(call(world, rest.account(world, request.headers), request, part))


def _logo(world: World, request: Request, part: str) -> Reply:
    provider = catalog.provider_by_id(part)
    if not provider:
        raise Failure("not_found")
    initials = "".join(word[0] for word in re.findall(r"\w+", provider.name)[:2]).upper()
    hue = str(int(provider.id[4:7], 16) % 360)
    svg = page_reply("logo.svg", name=escape(provider.name), initials=initials, hue=hue).body
    return Reply(200, svg, "image/svg+xml", {"Cache-Control": "max-age=86400"})


def _visit(world: World, request: Request, part: str) -> Reply:
    form = parse_qsl(request.body.decode("utf-8", "replace"))
    return login.visit(world, part, dict(parse_qsl(request.query) + form), sent=request.method == "POST")


# name, method, path: the name is what calls are counted and logged by.
TOKEN, RATES, LOCATION = "/connect/tariff/token", "/tariffs/rates/([^/]+)", "/locations/([^/]+)"
SIGNED_IN: list[tuple[str, str, str, Callable[[World, str, Request, str], Json]]] = [
    ("token", "POST", TOKEN, lambda world, account, request, _: rest.create_token(world, account, request.body)),
    ("exchange", "GET", TOKEN, lambda world, account, request, _: rest.exchange(world, account, request.fields())),
    ("rates", "GET", RATES, lambda world, account, request, part: tariff_rates(world, account, part, request.fields())),
    (
        "location",
        "GET",
        LOCATION,
        lambda world, account, request, part: location(world, account, part, request.fields()),
    ),
    ("status", "GET", LOCATION + "/status", lambda w, account, r, part: status(w, account, part, r.fields(), r.base)),
]
OPEN: list[tuple[str, str, str, Handler]] = [
    ("connect", "POST", "/", _connect),
    ("login", "GET", "/login", lambda w, r, _: json_reply(rest.login(w, r.headers.get("Authorization", "")))),
    ("logo", "GET", r"/logos/(\w+)\.svg", _logo),
    ("provider_login", "GET", "/provider/login/([^/]+)", _visit),
    ("provider_outcome", "POST", "/provider/login/([^/]+)", _visit),
    ("home", "GET", "/", lambda world, request, _: control.home(world)),
    ("control", "GET", "/_sandbox", lambda world, request, _: control.read(world)),
    ("control", "POST", "/_sandbox", lambda world, request, _: control.change(world, request.body)),
]
PATHS = [
    (name, method, re.compile(path), handler)
    for name, method, path, handler in [*OPEN, *((*each[:3], _signed_in(each[3])) for each in SIGNED_IN)]
]
FLATPEAK = {"connect", "login"} | {each[0] for each in SIGNED_IN}


def dispatch(world: World, request: Request) -> Reply:
    """The answer to a request, which gets its name. AnswerLost passes through."""
    if request.method == "OPTIONS":
        return Reply(204)
    found = [(*path, match) for path in PATHS if (match := path[2].fullmatch(request.path))]
    wanted = "GET" if request.method == "HEAD" else request.method
    for name, method, _, handler, match in found:
        request.name = name
        if method == wanted:
            if name in FLATPEAK:
                time.sleep(int(world.switch("delay_ms")) / 1000)
            with world.lock:
                # The sandbox's own control does not count: it would change what it reads.
                if name != "control":
                    world.counts[name] += 1
                return _guarded(handler, world, request, "".join(match.groups()))
    if found:
        allowed = ", ".join(sorted({path[1] for path in found} | {"OPTIONS"}))
        return Reply(405, b'{"message":"Method Not Allowed"}', headers={"Allow": allowed})
    return json_reply({"message": "Not Found"}, 404)


def _guarded(handler: Handler, world: World, request: Request, part: str) -> Reply:
    try:
        return handler(world, request, part)
    except Failure as failure:
        return connect.error(world, "connect.tariff.token" if request.name == "token" else request.name, failure)
