"""To a provider's login and back.

Whoever has the link to a login knows the connect token, because FlatPeak puts it into the link, and links are passed on. So
the conversation goes on only in the browser that left for the login, which a signed cookie remembers. The address that
FlatPeak sends browsers back to has a secret that only FlatPeak knows: any other browser that brings it has been at the login.
That browser is asked on a page that it alone can open. If two others come back, neither is believed, because one of them may
belong to whoever passed the link on.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from flatpeak_app.web.limits import limited
from tariffs import flatpeak

from .conversation.reading import login_url
from .conversation.settle import settle
from .in_place import in_place
from .models import ConnectSession, Page
from .routes import Kind, named
from .views import State, catch_up, explain, own

Login = ConnectSession.Login
LEFT, RETURNED, AGREED = "left", "returned", "agreed"  # what a browser did last in a conversation
MOST = 5  # conversations that the cookie remembers; the oldest is dropped first
LASTS = 24 * 3600  # seconds, as long as a connect token


def key(session: ConnectSession) -> str:
    """The cookie's key of a conversation. A new token makes a new key, so what was done with the old one is void."""
    return f"{session.pk.hex}{session.return_digest[:16]}"


def done(request: HttpRequest) -> dict[str, str]:
    """What this browser did last in each conversation: in the cookie "key-left.key-returned", which needs no quotes."""
    cookie = request.get_signed_cookie(settings.LOGIN_COOKIE_NAME, "", max_age=LASTS) or ""
    return {of: did for of, _, did in (each.partition("-") for each in cookie.split(".") if each)}


def note(request: HttpRequest, response: HttpResponse, session: ConnectSession, what: str) -> HttpResponse:
    known = done(request)
    known.pop(key(session), None)  # the order is by last use
    known[key(session)] = what
    newest = ".".join(f"{of}-{did}" for of, did in list(known.items())[-MOST:])
    options = {"max_age": LASTS, "secure": settings.PRODUCTION, "httponly": True, "samesite": "Lax"}
    response.set_signed_cookie(settings.LOGIN_COOKIE_NAME, newest, **options)
    return response


def moves(session: ConnectSession, to: str, *frm: str, **as_read: Any) -> bool:
    """Change the state of the login from one of some states; of two requests at once, one succeeds.

    `as_read` are further columns that must not have changed. When another browser is to be asked, an answer under way
    loses its claim, so its result is not shown.
    """
    lost = {"claimed_until": None, "doubtful": True} if to in (Login.ASKED, Login.SPOILT) else {}
    as_read |= {"return_digest": session.return_digest, "state": State.OPEN}
    here = ConnectSession.objects.filter(pk=session.pk, **as_read)
    return bool(here.filter(login__in=frm).update(login=to, updated_at=timezone.now(), **lost))


@require_GET
def leave(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """Redirect to the provider's login. This is a link: a form's POST may not be redirected to another origin (CSP)."""
    session = own(request, pk)
    shown = get_object_or_404(Page, session=session, number=number, route__in=named(kind=Kind.REDIRECT))
    may_leave = number == session.newest and not session.is_busy and session.may_leave
    # Conditional on the claim, since an answer under way may lead elsewhere.
    as_read = {"newest": number, "claimed_until": session.claimed_until}
    if not (may_leave and (target := login_url(shown)) and moves(session, Login.AWAY, session.login, **as_read)):
        return redirect("connect_ui:newest", pk)
    url = urlsplit(target)
    query = urlencode([*parse_qsl(url.query, keep_blank_values=True), ("fp_cot", session.connect_token)])
    return note(request, HttpResponseRedirect(url._replace(query=query).geturl()), session, LEFT)


@login_not_required
@require_GET
def find(request: HttpRequest) -> HttpResponse:
    """FlatPeak sends the browser here with the token in the query. Redirect at once to an address without it."""
    session = ConnectSession.of_token(request.GET.get("fp_cot", ""))
    return redirect("connect_ui:called_back", session.pk) if session else redirect("home")


@login_not_required
@require_GET
def back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """FlatPeak sends the browser here after a login. Redirect at once to an address without the secret and the token."""
    session = ConnectSession.objects.here().filter(pk=pk).first()
    if not session or not session.made_return(getattr(request, "return_secret", "")):
        messages.info(request, gettext("This sign-in has ended. Nothing was connected."))
        return redirect("home")
    did = done(request).get(key(session))
    if did == LEFT and request.user.pk == session.user_id:
        moves(session, Login.BACK, Login.AWAY)
        return redirect("connect_ui:returned", pk)
    if did == AGREED:  # it was at the login once more
        moves(session, Login.ASKED, Login.AGREED)
    # Two other browsers have the secret, and either may be the victim's, so neither's yes counts.
    elif did != RETURNED and not moves(session, Login.ASKED, Login.NONE, Login.AWAY, Login.BACK):
        moves(session, Login.SPOILT, Login.ASKED, Login.AGREED)
    return note(request, redirect("connect_ui:confirm", pk), session, RETURNED)


@require_GET
@limited("connect_ask", "GET")
def returned(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back from the provider's login: ask Connect what came of it."""
    session = own(request, pk)
    if session.is_open and session.is_at_login and session.login in (Login.BACK, Login.AGREED):
        catch_up(request, session)
    return redirect("connect_ui:newest", pk)


@in_place
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_ask", "POST")
def confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask another browser, which signed in at the provider, whether to connect the tariff for this account."""
    session = ConnectSession.objects.select_related("user", "location").filter(pk=pk).first()
    mine = {of: what for of, what in done(request).items() if of.startswith(pk.hex) and what != LEFT}
    if not session or not mine:
        raise Http404
    did = mine.get(key(session))
    asked = session.is_open and session.login == Login.ASKED and did == RETURNED
    if request.method == "POST":
        if not asked:
            return redirect("connect_ui:confirm", pk)
        if request.POST.get("answer") == "no":
            decline(session)
        elif request.POST.get("answer") == "yes" and moves(session, Login.AGREED, Login.ASKED):
            to = "connect_ui:returned" if session.user_id == request.user.pk else "connect_ui:confirm"
            return note(request, redirect(to, pk), session, AGREED)
        return redirect("connect_ui:confirm", pk)
    connected = did and session.state in (State.OWED, State.CONNECTED)
    says = "asks" if asked else "agreed" if did == AGREED else "connected" if connected else "over"
    name, _at, host = session.user.email.rpartition("@")
    account = f"{name[:1]}•••@{host}"  # whoever knows the address recognizes it
    context = {"session": session, "says": says, "account": account, "town": town(session)}
    return render(request, "connect_ui/confirm.html", context)


def decline(session: ConnectSession) -> None:
    """End a conversation as if its token had expired. An answer under way loses its claim.

    Connect may have a location by now, from that answer or from one that did not come through us, so its deletion is owed.
    """
    now, asked = timezone.now(), {"state": State.OPEN, "login": Login.ASKED, "return_digest": session.return_digest}
    said = {"last_error_code": ConnectSession.DECLINED, "last_error_route": session.last_route}
    wiped = {"encrypted_token": "", "claimed_until": None, "due_at": None}  # nosec B105
    mine = ConnectSession.objects.filter(pk=session.pk, **asked)
    with transaction.atomic():
        if mine.update(state=State.EXPIRED, ended_at=now, updated_at=now, **said, **wiped):
            session.owe_erasure()


def town(session: ConnectSession) -> str:
    """The town of the tariff. Whoever is asked may be a stranger, so street and postcode are left out."""
    if session.location:
        return session.location.city
    said = session.pages.filter(route__in=named(asks="address")).exclude(answer=None).order_by("-number").first()
    address = (said.answer.get("data") or {}).get("postal_address") if said else None
    return str(address.get("city") or "")[:40] if isinstance(address, dict) else ""


@require_GET
@limited("connect_ask", "GET")
def called_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """FlatPeak sends the browser here when a conversation is over; the exchange tells whether it is.

    A conversation that is held for a login is left as it is, because FlatPeak may have somebody else's tariff.
    """
    session = own(request, pk)
    if session.state in (State.OPEN, State.OWED) and session.is_here:
        with session.claimed() as mine:
            error = settle(session) if mine else None
        if isinstance(error, flatpeak.Unavailable):  # a refusal says that it is not over
            explain(request, session, error)
    return redirect("connect_ui:newest", pk)
