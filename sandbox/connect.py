"""Connect: takes one answer of a conversation, and shows the page that follows by the table."""

import re
from contextlib import suppress
from datetime import datetime
from typing import Any

from .codec import Json
from .errors import AnswerLost, Failure, check_fields, tolerated
from .pages import END, ERROR, START, Page
from .release import Release
from .render import holds_true, is_summary, offered, previous, render, show, taken
from .session import TEST_FAULTS, Session, test_failure
from .tariff import provider_of
from .wire import Reply, Request
from .world import World

ENVELOPE = ("connect_token", "route", "data", "action", "type")


def converse(world: World, request: Request) -> Json | Reply:
    """POST /: one answer to a page, or the route that starts and resumes."""
    body = _envelope(request)
    token = world.state["tokens"].get(body["connect_token"])
    release = spoken(world, token, body.get("route")) if token else world.release_of("")
    request.release = release
    route = _route(release, body, token)
    if not token:
        raise Failure("connect_token_invalid")
    if dead := _dead(world, token, release):
        return dead
    world.changed = True
    session = Session(world.state, token, release, world.now(), request.base)
    if route == START:
        _resume(session, body["route"])
        return render(session)
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
        show(session, route)
        return {"connect_token": token["id"], "route": release.route(ERROR), "live_mode": False, **found}
    show(session, found)
    if session.lost:
        raise AnswerLost
    return render(session)


def identify(world: World, request: Request) -> None:
    """Name the call connect.<route> if the body has a route of any release, and note the release of its conversation."""
    with suppress(Failure):
        body = request.json()
        given = body if isinstance(body, dict) else {}
        route, token = given.get("route"), given.get("connect_token")
        if isinstance(route, str) and route in world.routes:
            request.name = f"connect.{route}"
        if isinstance(token, str) and token in world.state["tokens"]:
            request.release = world.release(world.state["tokens"][token]["release"])


def spoken(world: World, token: Json, sent: Any) -> Release:
    """The release of a conversation: that of its token, unless a switch says otherwise. sent: the route in the body."""
    account, own = world.release_of(token["account_id"]), world.release(token["release"])
    if world.switch("connect_release") == "account":
        own = account
    elif world.switch("connect_release") == "start":
        starts = [each for each in world.releases.by_name.values() if sent == (each.start or each.route(START))]
        own = starts[0].under(world.state["switches"]) if starts and not token["route"] else own
    elif own.version < account.version and world.switch("raised_tokens") != "finish":
        if world.switch("raised_tokens") == "refuse":
            raise Failure("connect_token_invalid/raised")
        own = account
    if own.name != token["release"]:
        _translate(world, token, own)
    return own


def _translate(world: World, token: Json, release: Release) -> None:
    """Go on with a conversation in another release, which may have one page where the other has two."""
    token["release"] = release.name
    session = Session(world.state, token, release, world.now(), "")
    at = session.summary(session.stage) or START
    token["shown"] = list(dict.fromkeys(each if each in release.pages else at for each in token["shown"]))
    if token["route"] and token["route"] not in release.pages:
        token["route"] = at
    if is_summary(session, token["route"]):
        show(session, token["route"])  # which connects the tariff in a release that does so before an action


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
    if not isinstance(request.token, str) or not request.token:
        raise Failure("connect_token_missing")
    return body


def _route(release: Release, body: Json, token: Json | None) -> str:
    """Zero's name for the route of a body. Raises Failure if the release has no such route, or it takes no such body.

    Where a release allows it, BACK and CLOSE need no route: they are meant for the page that the conversation is at.
    """
    if (
        "route" not in body
        and token
        and release.acts_without_route
        and body.get("action") in (release.back, release.close)
    ):
        body["route"] = release.route(token["route"])
    if not isinstance(body.get("route"), str) or not body["route"]:
        raise Failure("route_missing")
    names = release.names()
    if body["route"] not in names:
        raise Failure("route_invalid", routes=", ".join(names))
    route, data, action = names[body["route"]], body.get("data"), body.get("action") is not None
    too_much = route == START and (data or action)
    if body.get("type", "submit") != "submit" or (data and action) or too_much:
        raise Failure("data_json_invalid/both")
    return route


def _dead(world: World, token: Json, release: Release) -> Json | Reply | None:
    """The answer to a token that has expired or was spent by its exchange, None if it lives. Raises Failure."""
    expired = world.now() >= datetime.fromisoformat(token["expires"])
    if not expired and not token["spent"]:
        return None
    failure = Failure("connect_token_expired" if expired else "connect_token_finished")
    if release.when_over == "page":
        page = {"connect_token": token["id"], "route": release.route(ERROR), "live_mode": False}
        return page | {"error_code": failure.code, "error_message": failure.message}
    if release.when_over == "404":
        return Reply(404)
    raise failure


def _resume(session: Session, sent: str) -> None:
    """Start the conversation, or go on: a login may be over by now, or a tariff readable."""
    token, start = session.token, session.release.start
    if start and not token["complete"] and session.switch("resume") != "both":
        _resume_by_one(session, sent == start)
    at = token["route"]
    if not at and sent != (start or sent):
        raise Failure("route_not_available/shown", route=sent, at="its beginning")
    page = session.pages[at or START]
    if page.resume and (key := page.resume(session)):
        show(session, page.next[key])


def _resume_by_one(session: Session, starts: bool) -> None:
    """Refuse one of the two routes that resume, or start over, by the switch. starts: it is the one that also starts."""
    token, reading = session.token, session.switch("resume")
    if token["route"] and reading == ("restore" if starts else "start"):
        raise Failure("route_not_available/earlier", at=session.release.route(token["route"]))
    if token["route"] and reading == "start_over" and starts:
        token |= {"route": "", "shown": [], "draft": {}}


def _check_shown(session: Session, route: str) -> None:
    """Refuse an answer to a page that was not shown, or to the summary of another tariff."""
    at, named = session.token["route"], session.release.route
    if route not in session.token["shown"]:
        raise Failure("route_not_available/shown", route=named(route), at=named(at) or "its beginning")
    if route != at and session.switch("earlier_answers") == "refuse":
        raise Failure("route_not_available/earlier", at=named(at))
    # A pending tariff may become readable while the customer looks at its page: SAVE must still work.
    if route != at and not holds_true(session, route):
        raise Failure("route_not_available/summary")


def _refuse_once(session: Session, route: str, body: Json, raw: bytes) -> None:
    """Raise the error that a test provider or a typed test input asks for."""
    page: Page = session.pages[route]
    codes, refuses = (*page.codes, "data_json_invalid"), provider_of(session.draft).test.get("refuses")
    answers = not page.answer or body.get("action") is None
    if refuses in codes and answers and session.once(f"refuses {refuses}"):
        raise test_failure(refuses)
    typed = re.search(r"Test: ([a-z_0-9]+)", raw.decode("utf-8", "replace"))
    if typed and typed[1] in (*codes, *TEST_FAULTS) and session.once(f"{route} {typed[1]}"):
        raise test_failure(typed[1])


def _move(session: Session, route: str, body: Json) -> str | Json | Reply:
    """Do what the answer or the action does. Returns the next page's route, or an answer that is no page of the table."""
    page, action, data, release = session.pages[route], body.get("action"), body.get("data"), session.release
    actions, listed = taken(session, route), ", ".join(offered(session, route))
    if action is not None and action not in list(actions):
        raise Failure("action_invalid", route=body["route"], offered=listed or "no action")
    if action is not None:
        found: str | Json | Reply = _act(session, route, actions[action])
    elif page.answer:
        answered = page.answer(session, _clean(page, data))
        found = answered if isinstance(answered, dict | Reply) else page.next[answered]
    elif page.actions and not data:
        raise Failure("action_missing", route=body["route"], offered=listed)
    else:
        raise Failure("data_json_invalid/takes", route=body["route"], takes=page.wanted)
    if release.back and isinstance(found, str):
        # BACK leads through the pages in the order in which they led here.
        shown, last = session.token["shown"], found if action == release.back and found != END else route
        del shown[shown.index(last) + 1 :]
    return found


def _act(session: Session, route: str, action: str) -> str:
    """Do what an action does. Returns the next page's route. action: zero's name, or the release's for BACK and CLOSE."""
    release = session.release
    if action == release.back and (found := previous(session, route)):
        return found
    if action in (release.back, release.close):
        session.complete("CLOSE")
        return END
    leads, does = session.pages[route].actions[action]
    if does:
        does(session)
    if leads == END:
        session.complete(action)
    return leads


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
