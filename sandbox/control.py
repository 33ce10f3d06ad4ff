"""The control for programs: clock, switches, faults and counts."""

from decimal import Decimal

from .codec import Json, loads, parse_rfc3339, rfc3339
from .errors import Failure, check_fields
from .faults import parse
from .releases import ALL
from .switches import checked
from .wire import Request
from .world import World

FLAG = (bool, "true or false")
KINDS = {
    "reset": FLAG,
    "advance": (Decimal, "a number"),
    "frozen": FLAG,
    "switches": (dict, "an object"),
    "releases": (dict, "an object"),
    "seed": (Decimal, "a number"),
    "events": (dict, "an object"),
}
FIELDS = ("reset", "now", "advance", "frozen", "switches", "releases", "faults", "seed", "events")


def read(world: World, request: Request) -> Json:
    """GET /_sandbox: FIELDS but reset and advance, with "counts", "tolerated" and "struck"."""
    state, now = world.state, rfc3339(world.now(), "milliseconds")
    found = {"now": now, "frozen": bool(state["clock"]["frozen"]), "switches": state["switches"]}
    found["releases"] = {ALL: world.releases.default.name} | state["releases"]
    faults = [each.public() for each in world.faults]
    found |= {"counts": world.counts, "tolerated": world.tolerated}
    return found | {"faults": faults, "seed": world.seed, "struck": world.struck, "events": world.events.public()}


def change(world: World, request: Request) -> Json:
    """POST /_sandbox: changes any of FIELDS, in their order, or nothing if one is wrong. A seed needs faults."""
    try:
        body = check_fields(loads(request.body), "The body", (), FIELDS)
        for name, (kind, wanted) in KINDS.items():
            if not isinstance(body.get(name, kind()), kind):
                raise ValueError(f"{name} must be {wanted}.")
        advance = float(body.get("advance", 0))
        if abs(advance) > 10**9:
            raise ValueError("advance can be a thousand million seconds at most.")
        now = parse_rfc3339(body["now"]) if body.get("now") is not None else None
        parse(body.get("faults", []), world.routes)
        world.events.check(body.get("events", {}))
        if "seed" in body and "faults" not in body:
            raise ValueError("seed goes with faults.")
        for account, name in body.get("releases", {}).items():
            world.releases.check_raise(account, name)
        switches = {name: checked(name, value) for name, value in body.get("switches", {}).items()}
    except ValueError as error:
        raise Failure("control_invalid", why=error) from error
    if body.get("reset"):
        world.reset()
    if "now" in body:
        world.set_now(now)
    if advance:
        world.advance(advance)
    if "frozen" in body:
        world.freeze(body["frozen"])
    world.state["switches"].update(switches)
    for account, name in body.get("releases", {}).items():
        world.raise_to(account, name)
    if "faults" in body:
        world.set_faults(body["faults"], body.get("seed"))
    world.events.change(body.get("events", {}))
    world.changed = True
    return read(world, request)
