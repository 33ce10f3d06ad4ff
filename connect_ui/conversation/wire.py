"""One call to Connect. Our names are translated to those of its release, and its page becomes a `Page`."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import simplejson
from django.conf import settings
from django.urls import reverse

from tariffs import flatpeak
from tariffs.flatpeak import JSON

from .. import routes
from ..models import ConnectSession, Page


def stand(session: ConnectSession, route: str = "") -> Page:
    """Ask where the conversation stands, or start it if it has no page yet. Changes nothing at FlatPeak."""
    route = route or (routes.RESUME if session.newest else routes.START)
    first, other = (
        routes.theirs(name, session.spoken.name)
        for name in (route, routes.RESUME if route == routes.START else routes.START)
    )
    try:
        sent = flatpeak.answer(session.connect_token, first)
    except flatpeak.Rejected as error:  # it is not documented which of the two goes on with a conversation
        if other == first or error.status == 429:
            raise
        try:
            sent = flatpeak.answer(session.connect_token, other)
        except flatpeak.Rejected:
            raise error from None
    if not session.newest:
        session.flatpeak_version = flatpeak.shown(session.flatpeak_version, sent)
    elif session.spoken == flatpeak.ZERO and flatpeak.is_anodes(sent):  # the account was raised meanwhile
        session.flatpeak_version = flatpeak.ANODE.version
    return _page(session, sent)


def say(session: ConnectSession, page: Page, answer: JSON) -> Page:
    """Answer a page and return the next one. Neither is stored."""
    spoken = session.spoken
    route, names = page.body.get("route", ""), page.row.wire.get(spoken.name, ())
    if names and route not in names:  # the page came with an earlier token, in another release
        route = names[0]
    action = answer.get("action", "")
    theirs = spoken.actions.theirs(action)
    new = _page(session, flatpeak.answer(session.connect_token, route, answer.get("data"), action=theirs))
    leaves = action in ("CLOSE", "DISCONNECT") or (action == "BACK" and page.number and page.came_from is None)
    if leaves and new.row.kind is routes.Kind.REDIRECT:
        new.route = routes.END  # none of them leads to a login, so the address may be missing or another one
    return new


def _page(session: ConnectSession, sent: flatpeak.WirePage) -> Page:
    body: JSON = {key: value for key, value in sent.items() if key != "connect_token"}
    token = session.connect_token
    # Few pages repeat the token. One search of the text is faster than a look at thousands of values.
    if simplejson.dumps(token)[1:-1] in simplejson.dumps(body, use_decimal=True):
        body = without_token(body, token)
    route = _ours(session, sent)
    if isinstance(actions := body.get("actions"), list):
        body["actions"] = [session.spoken.actions.ours(each) for each in actions if isinstance(each, str)]
    page = Page(session=session, route=route[:100], body=body)
    if page.row.kind is routes.Kind.REDIRECT:
        callback = settings.SITE_URL + reverse("connect_ui:callback")
        if page.redirect_url.partition("?")[0] == callback:
            page.route = routes.END
    return page


def _ours(session: ConnectSession, sent: flatpeak.WirePage) -> str:
    """Our name of the page. One of another release moves the conversation to that release."""
    if "route" not in sent:  # only the callback's address: an ending
        return routes.END
    for spoken in (session.spoken, *flatpeak.KNOWN):
        name = routes.ours(sent["route"], spoken.name)
        if routes.row(name).kind is not routes.Kind.UNKNOWN:
            if spoken.name != session.spoken.name:
                session.flatpeak_version = spoken.version
            return name
    return name


def without_token(value: Any, token: str) -> Any:
    """The same JSON without the connect token, also in addresses (`fp_cot=…`)."""
    if isinstance(value, dict):
        return {key: without_token(item, token) for key, item in value.items()}
    if isinstance(value, list):
        return [without_token(item, token) for item in value]
    if not isinstance(value, str) or token not in value:
        return value
    url = urlsplit(value)
    query = urlencode([(k, v) for k, v in parse_qsl(url.query, keep_blank_values=True) if k != "fp_cot"])
    return url._replace(query=query).geturl().replace(token, "")
