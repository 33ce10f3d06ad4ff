"""The sandbox's own address for programs: its clock and switches, and how many calls it had."""

from decimal import Decimal

from .wire import Failure, Json, Request, check_fields, loads, parse_rfc3339, rfc3339
from .world import World, checked

FLAG = (bool, "true or false")
KINDS = {"reset": FLAG, "advance": (Decimal, "a number"), "frozen": FLAG, "switches": (dict, "an object")}


def read(world: World, request: Request) -> Json:
    """GET /_sandbox: {"now", "frozen", "switches", "counts"}."""
    state, now = world.state, rfc3339(world.now(), "milliseconds")
    return {"now": now, "frozen": bool(state["clock"]["frozen"]), "switches": state["switches"], "counts": world.counts}


def change(world: World, request: Request) -> Json:
    """POST /_sandbox: any of reset, now, advance, frozen and switches, done in this order, or none if one is wrong."""
    try:
        body = check_fields(loads(request.body), "The body", (), ("reset", "now", "advance", "frozen", "switches"))
        for name, (kind, wanted) in KINDS.items():
            if not isinstance(body.get(name, kind()), kind):
                raise ValueError(f"{name} must be {wanted}.")
        advance = float(body.get("advance", 0))
        if abs(advance) > 10**9:
            raise ValueError("advance can be a thousand million seconds at most.")
        now = parse_rfc3339(body["now"]) if body.get("now") is not None else None
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
    world.changed = True
    return read(world, request)
