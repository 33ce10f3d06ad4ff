"""The provider's login page, which a DIRECT provider sends the customer's browser to, and what comes of it."""

from html import escape

from . import catalog
from .catalog import Provider
from .wire import Json, Reply, page_reply, with_token
from .world import World

OUTCOMES = ("approve", "decline", "manual", "unreachable", "unreadable")
LACKS = "The address lacks fp_cot: the client adds fp_cot=<connect token> to the address of session_redirect."
UNKNOWN = "No session has this connect token, or it was made without a connect_web_uri to return to."


def _waits(token: Json, provider: Provider) -> bool:
    """Whether the conversation still waits for this login; if not, the browser just goes back."""
    at = (token["route"], token["draft"].get("provider"), token["login"])
    return at == ("session_redirect", provider.id, None)


def visit(world: World, provider_id: str, fields: dict[str, str], sent: bool) -> Reply:
    """The page with its five ways out; once one is sent, or a test provider takes one, back to connect_web_uri.

    fields: the query and the form, {"fp_cot", "outcome"}. A login that is over changes nothing and goes back too.
    """
    provider, token = catalog.provider_by_id(provider_id), world.state["tokens"].get(fields.get("fp_cot", ""))
    if not provider:
        return page_reply("problem.html", 404, message="There is no such provider.")
    if not token or not token["connect_web_uri"]:
        return page_reply(
            "problem.html", 404 if "fp_cot" in fields else 400, message=escape(UNKNOWN if "fp_cot" in fields else LACKS)
        )
    outcome = fields.get("outcome") if sent else provider.test.get("outcome")
    if sent and outcome not in OUTCOMES:
        return page_reply("problem.html", 400, message=f"outcome must be one of {', '.join(OUTCOMES)}.")
    if _waits(token, provider):
        if not outcome:
            return page_reply("login.html", provider=escape(provider.name), fp_cot=token["id"])
        token["login"] = outcome
        world.changed = True
    return Reply(303, headers={"Location": with_token(token["connect_web_uri"], token["id"])})
