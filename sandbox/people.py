"""The pages for people: the home page, logos, and a page that plays a provider's login."""

from html import escape
from urllib.parse import parse_qsl, urlencode

from . import catalog
from .codec import dumps
from .errors import TOLERATED, Failure
from .faults import FAULTS
from .pages import REDIRECT
from .switches import SWITCHES, choices
from .wire import Reply, Request, page_reply, problem, with_token
from .world import World

OUTCOMES = ("approve", "decline", "manual", "unreachable", "unreadable")


def _rows(table: dict[str, str]) -> str:
    return "\n".join(f"<tr><th scope=row>{escape(name)}<td>{escape(says)}" for name, says in table.items())


def home(world: World, request: Request) -> Reply:
    """GET /: clock, switches, tolerances, test providers, faults and routes."""
    switches = {
        f"{name} = {dumps(value)}": f"{SWITCHES[name]['says']} ({choices(name)})"
        for name, value in world.state["switches"].items()
    }
    routes = {
        f"{release.name}: {release.route(name)}": ", ".join(
            [each.wanted, *map(release.action, each.actions), *each.codes]
        )
        for release in world.releases.by_name.values()
        for name, each in release.pages.items()
    }
    tests = {each["name"]: each["says"] for each in catalog.TESTS}
    faults = {name: each["says"] for name, each in FAULTS.items()}
    tolerated = {f"{name} ({world.tolerated[name]})": says for name, says in TOLERATED.items()}
    tables = {"tolerated": tolerated, "tests": tests, "switches": switches, "faults": faults, "routes": routes}
    now = world.now().isoformat(sep=" ", timespec="seconds")
    return page_reply("home.html", 200, now=now, **{name: _rows(table) for name, table in tables.items()})


def logo(world: World, request: Request) -> Reply:
    provider = catalog.provider_by_id(request.part)
    if not provider:
        raise Failure("not_found")
    hue = str(int(provider.id[4:7], 16) % 360)
    svg = page_reply("logo.svg", name=escape(provider.name), initial=provider.name[0].upper(), hue=hue).body
    return Reply(200, svg, "image/svg+xml", {"Cache-Control": "max-age=86400"})


def visit(world: World, request: Request) -> Reply:
    """The login page with its five outcomes, and the way back to connect_web_uri once there is one.

    Query and form: fp_cot, outcome. A test provider's own outcome, and a login that is over, show a page in between:
    FlatPeak's client takes an immediate redirect for a loop. `back` in the query leads on from there.
    """
    fields = dict(parse_qsl(request.query) + parse_qsl(request.body.decode("utf-8", "replace")))
    provider = catalog.provider_by_id(request.part)
    if "fp_cot" not in fields:
        return problem(400, "The address lacks fp_cot=<connect token>, which the client adds to it.")
    token = world.state["tokens"].get(fields["fp_cot"])
    if not provider or not token or not token["connect_web_uri"]:
        return problem(404, "There is no such provider, or no such connect token, or it has no connect_web_uri.")
    sent = request.method == "POST"
    outcome = fields.get("outcome") if sent else provider.test.get("outcome")
    if sent and outcome not in OUTCOMES:
        return problem(400, f"outcome must be one of {', '.join(OUTCOMES)}.")
    if (token["route"], token["draft"].get("provider"), token["login"]) == (REDIRECT, provider.id, None):
        if not outcome:
            return page_reply("login.html", provider=escape(provider.name), fp_cot=token["id"])
        token["login"] = outcome
        world.changed = True
    if not sent and "back" not in fields:
        onwards = f"?{urlencode({'fp_cot': token['id'], 'back': 1})}"
        return page_reply("between.html", provider=escape(provider.name), onwards=escape(onwards))
    return Reply(303, headers={"Location": with_token(token["connect_web_uri"], token["id"])})
