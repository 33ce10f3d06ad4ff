"""Connect: takes one answer of a conversation and says which page comes next."""

import re
from datetime import datetime

from .holds import ABSENT
from .pages import END, ERROR, PAGES, REDIRECT, START, SUMMARIES, Page
from .session import TEST_FAULTS, Session, test_failure
from .takes import stage
from .tariff import provider_of
from .wire import AnswerLost, Failure, Json, Reply, Request, check_fields, tolerated
from .world import World

ENVELOPE = ("connect_token", "route", "data", "action", "type")
# Under which switch a field has another name.
RENAMED = {"redirect_uri": "redirect_field"}


def converse(world: World, request: Request) -> Json | Reply:
    """POST /: one answer to a page, or the route that starts and resumes."""
    body = _envelope(world, request)
    token, sent = world.state["tokens"].get(body["connect_token"]), body["route"]
    if not token:
        raise Failure("connect_token_invalid")
    if world.now() >= datetime.fromisoformat(token["expires"]):
        raise Failure("connect_token_expired")
    world.changed = True
    session = Session(world.state, token, world.release, world.now(), request.base)
    route = world.routes[sent]
    if route == START:
        _resume(session, sent)
        return _render(session)
    if token["complete"]:
        raise Failure("connect_token_finished")
    _check_shown(session, route)
    _refuse_once(session, route, body, request.body)
    token["no_providers"] = False
    found = _take(session, route, body)
    if isinstance(found, Reply):
        return found
    if isinstance(found, dict):
        _show(session, route)
        return {"connect_token": token["id"], "route": session.release.route(ERROR), "live_mode": False, **found}
    if session.release.back:  # pages are gone back through in the order of the last way to this one
        last = found if body.get("action") == session.release.back else route
        del token["shown"][token["shown"].index(last) + 1 :]
    _show(session, found)
    if session.lost:
        raise AnswerLost
    return _render(session)


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
    if body["route"] not in world.routes:
        raise Failure("route_invalid", routes=", ".join(world.routes))
    request.name = f"connect.{body['route']}"
    world.counts[request.name] += 1
    data, action = body.get("data"), body.get("action") is not None
    too_much = world.routes[body["route"]] == START and (data or action)
    if body.get("type", "submit") != "submit" or (data and action) or too_much:
        raise Failure("data_json_invalid/both")
    return body


def _show(session: Session, route: str) -> None:
    """Move the conversation to a page, which can be answered from now on; without a provider none about one can."""
    token = session.token
    shown = [each for each in token["shown"] if each != route and (session.draft or not PAGES[each].about_provider)]
    token |= {"route": route, "shown": [*shown, route]}


def _resume(session: Session, sent: str) -> None:
    """Start the conversation, or go on where it stands: a login may be over, a tariff readable."""
    at = session.token["route"]
    if not at and sent != (session.release.start or sent):
        raise Failure("route_not_available/shown", route=sent, at="its beginning")
    page = PAGES[at or START]
    key = page.resume(session) if page.resume else None
    if key:
        _show(session, page.next[key])


def _check_shown(session: Session, route: str) -> None:
    """Only a page that was shown can be answered, and a summary only while it is still the tariff's."""
    at, release = session.token["route"], session.release
    if route not in session.token["shown"]:
        where = release.route(at) or "its beginning"
        raise Failure("route_not_available/shown", route=release.route(route), at=where)
    if route != at and session.switch("earlier_answers") == "refuse":
        raise Failure("route_not_available/earlier", at=release.route(at))
    # A pending tariff may become readable while its page is on the customer's screen: SAVE must be taken still.
    if route != at and not _stands(session, route):
        raise Failure("route_not_available/summary")


def _stands(session: Session, route: str) -> bool:
    """Whether a page that was shown would be shown again: a summary, while it is that of the draft."""
    return route not in SUMMARIES.values() or route == SUMMARIES.get(stage(session))


def _refuse_once(session: Session, route: str, body: Json, raw: bytes) -> None:
    """The errors that test providers and typed test inputs ask for."""
    page, refuses = PAGES[route], provider_of(session.draft).test.get("refuses", {})
    an_answer = not page.answer or body.get("action") is None
    if route in refuses.get("routes", ()) and an_answer and session.once(f"refuses {refuses['code']}"):
        raise test_failure(refuses["code"])
    typed = re.search(r"Test: ([a-z_0-9]+)", raw.decode("utf-8", "replace"))
    known = (*page.codes, "data_json_invalid", *TEST_FAULTS)
    if typed and typed[1] in known and session.once(f"{route} {typed[1]}"):
        raise test_failure(typed[1])


def _take(session: Session, route: str, body: Json) -> str | Json | Reply:
    """The next page, or an answer that is no page."""
    page, action, data, release = PAGES[route], body.get("action"), body.get("data"), session.release
    offered = _actions(session, route)
    if action is not None:
        if action not in offered:
            raise Failure("action_invalid", route=body["route"], offered=", ".join(offered) or "no action")
        if action == release.back:
            return _previous(session, route) or route
        chosen = page.actions[next(name for name in page.actions if release.action(name) == action)]
        chosen.does(session)
        return chosen.leads
    if not page.answer and page.actions and not data:
        raise Failure("action_missing", route=body["route"], offered=", ".join(offered))
    if not page.answer:
        raise Failure("data_json_invalid/takes", route=body["route"], takes=page.wanted)
    found = page.answer(session, _clean(page, data))
    return found if isinstance(found, dict | Reply) else page.next[found]


def _clean(page: Page, data: Json | None) -> Json:
    """The fields of an answer, as the page wants them; where none is required there need be no data."""
    required = [name for name, each in page.takes.items() if each.required]
    if data is None and not required:
        data = {}
    if not isinstance(data, dict):
        raise Failure("data_json_invalid/object", where="data", known=page.wanted)
    for name, each in page.takes.items():
        if each.absent and not data.get(name):
            raise Failure(each.absent)
    check_fields(data, "data", required, page.takes)
    return {name: page.takes[name].clean(value) for name, value in data.items()}


def _previous(session: Session, route: str) -> str | None:
    """The question before a page, which BACK shows again, None before the first."""
    shown = session.token["shown"]
    before = reversed(shown[: shown.index(route)])
    return next((each for each in before if each != REDIRECT and _stands(session, each)), None)


def _actions(session: Session, route: str) -> list[str]:
    """The actions that a page offers, as the release names them."""
    page, release = PAGES[route], session.release
    found = [release.action(name) for name in page.actions]
    can_go_back = release.back and (page.answer or page.actions) and _previous(session, route)
    return [*found, release.back] if can_go_back else found


def _render(session: Session) -> Json:
    """The page that the conversation stands at."""
    token, release, route = session.token, session.release, session.token["route"]
    if route == END and release.ends_by_redirect:
        route = REDIRECT
    page = {"connect_token": token["id"], "route": release.route(route), "type": "render", "live_mode": False}
    if route != REDIRECT:
        page["direction"] = token["direction"]
    if actions := _actions(session, route):
        page["actions"] = actions
    held = {name: value(session) for name, value in PAGES[route].holds.items()}
    data = {
        session.switch(RENAMED[name]) if name in RENAMED else name: value
        for name, value in held.items()
        if value is not ABSENT
    }
    return page | {"data": data}
