"""Which page a conversation shows next, and how it looks on the wire."""

from .codec import Json
from .holds import ABSENT
from .pages import END, REDIRECT
from .session import Session

STAGES = ("fixed", "varying", "pending", "failed")
# Which of BACK and CLOSE are listed, in a release that has both, by the switch.
LISTED = {"both": (True, True), "back": (True, False), "none": (False, False), "close_unlisted": (True, False)}


def show(session: Session, route: str) -> None:
    """Move to a page, which can be answered from now on. Without a provider, pages about one no longer can."""
    page = session.pages[route]
    while page.skip and (answer := page.skip(session)) is not None:
        route = page.next[page.answer(session, answer)]
        page = session.pages[route]
    token = session.token
    shown = [each for each in token["shown"] if each != route and (session.draft or not _about_provider(session, each))]
    token |= {"route": route, "shown": [*shown, route]}
    if session.release.saves_first and session.stage and is_summary(session, route) and session.draft != session.stored:
        session.connect()


def _about_provider(session: Session, route: str) -> bool:
    return session.pages[route].about_provider


def is_summary(session: Session, route: str) -> bool:
    """Whether a page shows a tariff as a whole: connected, pending or failed."""
    return route in map(session.summary, STAGES)


def holds_true(session: Session, route: str) -> bool:
    """Whether the page can be shown again: a summary only if it is the draft's."""
    return not is_summary(session, route) or route == session.summary(session.stage)


def previous(session: Session, route: str) -> str | None:
    """The page before this one that asked the customer something, None if it is the first."""
    shown = session.token["shown"]
    before = reversed(shown[: shown.index(route)])
    return next((each for each in before if each != REDIRECT and holds_true(session, each)), None)


def offered(session: Session, route: str) -> list[str]:
    """The actions that a page lists, by the release's names."""
    page, release = session.pages[route], session.release
    found = [release.action(name) for name in page.actions if name not in session.token["reported"]]
    if not release.back or not (page.answer or page.actions):
        return found
    if not release.close:
        return [*found, release.back] if previous(session, route) else found
    back, close = LISTED[session.switch("listed")]
    return [*found, *[release.back] * back, *[release.close] * close]


def taken(session: Session, route: str) -> dict[str, str]:
    """The actions that a page takes, with zero's name for each: those it lists, and some that clients send all the same."""
    page, release = session.pages[route], session.release
    names = {release.action(name): name for name in page.actions}
    found = {each: names.get(each, each) for each in offered(session, route)}
    found |= {alias: name for alias, name in release.aliases.items() if name in page.actions}
    if release.close and session.switch("listed") == "close_unlisted":
        found[release.close] = release.close
    return found


def render(session: Session) -> Json:
    """The page that the conversation is at."""
    token, release, route = session.token, session.release, session.token["route"]
    if route == END and release.ends_by_redirect:
        route = REDIRECT
    names = {"redirect_uri": session.switch("redirect_field")}
    held = {names.get(name, name): value(session) for name, value in session.pages[route].holds.items()}
    data = {name: value for name, value in held.items() if value is not ABSENT}
    if not release.route(route):
        return data
    page = {"connect_token": token["id"], "route": release.route(route), "live_mode": False}
    if route != REDIRECT:
        page["direction"] = token["direction"]
    if not release.tells_type:
        page["type"] = "render"
    elif route != REDIRECT:
        page["type"] = token["type"]
    if listed := offered(session, route):
        page["actions"] = listed
    return page | {"data": data}
