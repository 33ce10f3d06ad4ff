"""The sandbox's own address: what it is, its clock and switches, and how many calls it had."""

from decimal import Decimal
from html import escape

from . import catalog
from .pages import ROUTES
from .wire import Failure, Json, Reply, check_fields, dumps, json_reply, loads, page_reply, parse_rfc3339
from .world import SWITCHES, World


def read(world: World) -> Reply:
    """GET /_sandbox: {"now", "frozen", "switches", "counts"}."""
    found: Json = {"now": world.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    found |= {"frozen": bool(world.state["clock"]["frozen"]), "switches": world.state["switches"]}
    return json_reply({**found, "counts": dict(world.counts)})


def change(world: World, raw: bytes) -> Reply:
    """POST /_sandbox: any of reset, now, advance, frozen and switches, done in this order, or none if one is wrong."""
    try:
        body = check_fields(loads(raw), "The body", (), ("reset", "now", "advance", "frozen", "switches"))
        advance = body.get("advance", Decimal(0))
        if not isinstance(advance, Decimal) or abs(advance) > 10**9:
            raise ValueError("advance must be a number of seconds, a thousand million at most.")
        for name in ("reset", "frozen"):
            if not isinstance(body.get(name, False), bool):
                raise ValueError(f"{name} must be true or false.")
        now = parse_rfc3339(body["now"]) if body.get("now") is not None else None
        if now and not 1970 <= now.year <= 2500:
            raise ValueError("now must be a time from 1970 to 2500.")
        switches = check_fields(body.get("switches", {}), "switches", (), SWITCHES)
        switches = {name: world.checked(name, value) for name, value in switches.items()}
    except ValueError as error:
        raise Failure("control_invalid", why=error) from error
    if body.get("reset"):
        world.reset()
    if "now" in body:
        world.set_now(now)
    if advance:
        world.advance(float(advance))
    if "frozen" in body:
        world.freeze(body["frozen"])
    world.state["switches"].update(switches)
    world.changed = True
    return read(world)


def _rows(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"<tr><th scope=row>{escape(name)}<td>{escape(says)}" for name, says in pairs)


def home(world: World) -> Reply:
    """GET /: the same for people, with every test provider and test input."""
    switches = [
        (f"{name} = {dumps(world.switch(name))}", f"{each['says']} ({dumps(each.get('choices', 'a whole number'))})")
        for name, each in SWITCHES.items()
    ]
    routes = [
        (name, f"takes {each['takes']}. {', '.join(each['actions'] + each['codes'])}") for name, each in ROUTES.items()
    ]
    tests = [(each["name"], each["says"]) for each in catalog.TESTS]
    now = world.now().isoformat(sep=" ", timespec="seconds")
    return page_reply("home.html", now=now, switches=_rows(switches), tests=_rows(tests), routes=_rows(routes))
