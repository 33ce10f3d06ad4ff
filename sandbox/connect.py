"""Connect: takes one answer of a conversation, and shows the page that follows by the table."""

import re
from contextlib import suppress
from datetime import datetime

from .codec import Json
from .errors import AnswerLost, Failure, check_fields, tolerated
from .holds import ABSENT
from .pages import END, ERROR, PAGES, REDIRECT, START, SUMMARIES, Page
from .release import Release
from .session import TEST_FAULTS, Session, test_failure
from .tariff import provider_of
from .wire import Reply, Request
from .world import World

ENVELOPE = ("connect_token", "route", "data", "action", "type")


def converse(world: World, request: Request) -> Json | Reply:
    """POST /: one answer to a page, or the route that starts and resumes."""
    body = _envelope(request)
    token = world.state["tokens"].get(body["connect_token"])
    release = world.release(token["release"]) if token else world.releases.default
    route = _route(release, body)
    if not token:
        raise Failure("connect_token_invalid")
    if world.now() >= datetime.fromisoformat(token["expires"]):
        raise Failure("connect_token_expired")
    world.changed = True
    session = Session(world.state, token, release, world.now(), request.base)
    if route == START:
        _resume(session, body["route"])
        return _render(session)
    if token["complete"]:
        raise Failure("connect_token_finished")
    if release.route(token["route"]) == body["route"]:  # a release may call two of zero's pages the same
        route = token["route"]
    _check_shown(session, route)
    _refuse_once(session, route, body, request.body)
    token["no_providers"] = False
    found = _move(session, route, body)
    if isinstance(found, Reply):
        return found
    if isinstance(found, dict):  # the page of a test provider
        _show(session, route)
        return {"connect_token": token["id"], "route": session.release.route(ERROR), "live_mode": False, **found}
    _show(session, found)
    if session.lost:
        raise AnswerLost
    return _render(session)


def call_name(world: World, request: Request) -> str:
    """connect.<route> if the body has a route of any release, otherwise connect."""
    with suppress(Failure):
        body = request.json()
        route = body.get("route") if isinstance(body, dict) else None
        if isinstance(route, str) and route in world.routes:
            return f"connect.{route}"
    return "connect"


def _envelope(request: Request) -> Json:
    """Check the body, and tell the request its token."""
    # The email library reports text/plain for a missing content type, so the same tolerance covers both.
    content_type = request.headers.get_content_type()
    if content_type != "application/json" and not (content_type == "text/plain" and tolerated("content_type")):
        raise Failure("content_type_invalid")
    body = request.json()
    if isinstance(body, dict) and body.keys() - set(ENVELOPE) and tolerated("unknown_field"):
        body = {name: body[name] for name in ENVELOPE if name in body}
    body = check_fields(body, "The request", (), ENVELOPE)
    request.token = body.get("connect_token")
    for name in ("connect_token", "route"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Failure(f"{name}_missing")
    return body


def _route(release: Release, body: Json) -> str:
    """Zero's name for the route of a body. Raises Failure if the release has no such route, or it takes no such body."""
    names = release.names()
    if body["route"] not in names:
        raise Failure("route_invalid", routes=", ".join(names))
    route, data, action = names[body["route"]], body.get("data"), body.get("action") is not None
    too_much = route == START and (data or action)
    if body.get("type", "submit") != "submit" or (data and action) or too_much:
        raise Failure("data_json_invalid/both")
    return route


def _show(session: Session, route: str) -> None:
    """Move to a page, which can be answered from now on. Without a provider, pages about one no longer can."""
    token = session.token
    shown = [each for each in token["shown"] if each != route and (session.draft or not PAGES[each].about_provider)]
    token |= {"route": route, "shown": [*shown, route]}


def _resume(session: Session, sent: str) -> None:
    """Start the conversation, or go on: a login may be over by now, or a tariff readable."""
    at = session.token["route"]
    if not at and sent != (session.release.start or sent):
        raise Failure("route_not_available/shown", route=sent, at="its beginning")
    page = PAGES[at or START]
    if page.resume and (key := page.resume(session)):
        _show(session, page.next[key])


def _check_shown(session: Session, route: str) -> None:
    """Refuse an answer to a page that was not shown, or to the summary of another tariff."""
    at, named = session.token["route"], session.release.route
    if route not in session.token["shown"]:
        raise Failure("route_not_available/shown", route=named(route), at=named(at) or "its beginning")
    if route != at and session.switch("earlier_answers") == "refuse":
        raise Failure("route_not_available/earlier", at=named(at))
    # A pending tariff may become readable while the customer looks at its page: SAVE must still work.
    if route != at and not _holds_true(session, route):
        raise Failure("route_not_available/summary")


def _holds_true(session: Session, route: str) -> bool:
    """Whether the page can be shown again: a summary only if it is the draft's."""
    return route not in SUMMARIES.values() or route == SUMMARIES.get(session.stage)


def _refuse_once(session: Session, route: str, body: Json, raw: bytes) -> None:
    """Raise the error that a test provider or a typed test input asks for."""
    page, refuses = PAGES[route], provider_of(session.draft).test.get("refuses")
    codes = (*page.codes, "data_json_invalid")
    answers = not page.answer or body.get("action") is None
    if refuses in codes and answers and session.once(f"refuses {refuses}"):
        raise test_failure(refuses)
    typed = re.search(r"Test: ([a-z_0-9]+)", raw.decode("utf-8", "replace"))
    if typed and typed[1] in (*codes, *TEST_FAULTS) and session.once(f"{route} {typed[1]}"):
        raise test_failure(typed[1])


def _move(session: Session, route: str, body: Json) -> str | Json | Reply:
    """Do what the answer or the action does. Returns the next page's route, or an answer that is no page of zero's."""
    page, action, data, release = PAGES[route], body.get("action"), body.get("data"), session.release
    actions = {release.action(name): name for name in page.actions}
    offered = ", ".join(_offered(session, route))
    if action is not None and action not in _offered(session, route):
        raise Failure("action_invalid", route=body["route"], offered=offered or "no action")
    if action is not None and action == release.back:
        found: str | Json | Reply = _previous(session, route) or route
    elif action is not None:
        found, does = page.actions[actions[action]]
        if found == END:
            session.complete(actions[action])
        elif does:
            does(session)
    elif page.answer:
        answered = page.answer(session, _clean(page, data))
        found = answered if isinstance(answered, dict | Reply) else page.next[answered]
    elif page.actions and not data:
        raise Failure("action_missing", route=body["route"], offered=offered)
    else:
        raise Failure("data_json_invalid/takes", route=body["route"], takes=page.wanted)
    if release.back and isinstance(found, str):
        # BACK leads through the pages in the order in which they led here.
        shown, last = session.token["shown"], found if action == release.back else route
        del shown[shown.index(last) + 1 :]
    return found


def _clean(page: Page, data: Json | None) -> Json:
    """Check an answer's data. It can be missing if the page requires none."""
    required = [name for name, each in page.takes.items() if each.required]
    if data is None and not required:
        data = {}
    if not isinstance(data, dict):
        raise Failure("data_json_invalid/object", where="data", known=page.wanted)
    for name in required:
        if name not in data and f"{name}_id_missing" in page.codes:
            raise Failure(f"{name}_id_missing")
    check_fields(data, "data", required, page.takes)
    return {name: page.takes[name].check(value, name) for name, value in data.items()}


def _previous(session: Session, route: str) -> str | None:
    """The page before this one that asked the customer something, None if it is the first."""
    shown = session.token["shown"]
    before = reversed(shown[: shown.index(route)])
    return next((each for each in before if each != REDIRECT and _holds_true(session, each)), None)


def _offered(session: Session, route: str) -> list[str]:
    """The actions of a page, by the release's names."""
    page, release = PAGES[route], session.release
    found = [release.action(name) for name in page.actions]
    back = release.back and (page.answer or page.actions) and _previous(session, route)
    return [*found, release.back] if back else found


def _render(session: Session) -> Json:
    """The page that the conversation is at."""
    token, release, route = session.token, session.release, session.token["route"]
    if route == END and release.ends_by_redirect:
        route = REDIRECT
    page = {"connect_token": token["id"], "route": release.route(route), "type": "render", "live_mode": False}
    if route != REDIRECT:
        page["direction"] = token["direction"]
    if offered := _offered(session, route):
        page["actions"] = offered
    names = {"redirect_uri": session.switch("redirect_field")}
    held = {names.get(name, name): value(session) for name, value in PAGES[route].holds.items()}
    return page | {"data": {name: value for name, value in held.items() if value is not ABSENT}}
