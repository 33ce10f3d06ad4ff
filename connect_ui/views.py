"""The Connect loop in the browser: begin, show a page, take its answer, show the next."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy as _
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited
from tariffs import flatpeak
from tariffs.models import Location

from . import already, refusals
from .conversation import ask
from .conversation.again import begin_again, repeat_later
from .conversation.discard import discard
from .conversation.settle import exchange_owed, settle
from .fields import regions_of
from .forms import base, questions
from .in_place import in_place, lead
from .kept import remembered
from .models import ConnectSession, Page
from .routes import Kind, form_for, row
from .showing import connected, left, show
from .standing import catch_up, explain, wish

State = ConnectSession.State
UNCHANGED = _("This can't be changed by itself. Choose “No, change it” to answer the questions again.")
NOT_BEGUN = _("We could not start. It is not your fault, and we know about it. Try again later.")


def own(request: HttpRequest, pk: UUID) -> ConnectSession:
    return get_object_or_404(ConnectSession, pk=pk, user=request.user)


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_start", "POST")
def start(request: HttpRequest) -> HttpResponse:
    """Country and direction, or a stored location, become a connect token and the first page."""
    locations = Location.objects.here().filter(customer__user=request.user.pk)
    likely = regions_of(request.headers.get("Accept-Language", ""))
    if request.method != "POST":
        here = locations.exclude(country_code="").order_by("-created_at").values_list("country_code", flat=True)
        likely = [*here[:20], *likely]
    given = request.POST if request.method == "POST" else None
    form = questions.StartForm(locations, given, list(dict.fromkeys(likely))[:5], remembered(request))
    status = 422 if form.is_bound else 200
    if form.is_valid():
        instead = form.cleaned_data.pop("instead")
        try:
            session = ask.begin(request.user.pk, **form.cleaned_data)  # type: ignore[arg-type]  # signed in
            if catch_up(request, session):
                wish(request, session)
            if before := instead and ConnectSession.objects.filter(pk=instead, user=request.user.pk).first():
                discard(before)
            return lead(request, "newest", at_newest, session.pk)
        except flatpeak.FlatPeakError as error:
            refused = isinstance(error, flatpeak.Rejected) and error.status != 429
            status = 502 if refused else 503
            form.add_error(None, NOT_BEGUN if refused else refusals.sentence(error))
    context = {"form": form, "unfinished": ConnectSession.unfinished(request.user)}
    return render(request, "connect_ui/start.html", context, status=status)


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_ask", "POST")
def newest(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Go on to the newest page. A POST asks Connect first where it stands, for pages that have no answer."""
    session = own(request, pk)
    asks = request.method == "POST" and session.is_open and not session.is_stopped
    if asks and not catch_up(request, session, held=True):
        return render(request, "connect_ui/wait.html", {"session": session})
    return at_newest(request, pk, session)


def at_newest(request: HttpRequest, pk: UUID, session: ConnectSession | None = None) -> HttpResponse:
    """Go on to the newest page, or say why there is none."""
    session = session or own(request, pk)
    if session.is_busy:  # the newest page is being answered, and should not be shown as a question again
        return render(request, "connect_ui/wait.html", {"session": session})
    if session.newest:
        return lead(request, "page", at_page, pk, session.newest)
    if not session.is_open:
        return render(request, "connect_ui/expired.html", {"session": session}, status=410)
    return render(request, "connect_ui/stalled.html", {"session": session})


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_start", "POST")
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Replace a conversation that timed out by a new one at the same question.

    A conversation that is at a provider's login, or is held for another browser's "yes", gets a new token instead.
    """
    session = own(request, pk)
    if request.method == "POST" and session.is_open and (session.is_at_login or session.is_held):
        catch_up(request, session, held=True, anew=True)
    elif request.method == "POST" and session.state == State.EXPIRED and session.is_here:
        try:
            pk = begin_again(session).pk
        except flatpeak.FlatPeakError as error:
            messages.error(request, refusals.sentence(error))
    return lead(request, "newest", at_newest, pk)  # also a GET, which follows when the POST had to sign in first


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_answer", "POST")
def step(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """Show a page; a POST is the answer to it."""
    return at_page(request, pk, number, answers=request.method == "POST")


def at_page(request: HttpRequest, pk: UUID, number: int, answers: bool = False) -> HttpResponse:
    """Show a page or take the answer to it; lead on to the newest page if the conversation is over."""
    # The page before is read too: it usually led here, and what was answered there is said back.
    near = {"number": number} if answers else {"number__in": [number, number - 1]}
    read = Page.objects.select_related("session").filter(session=pk, session__user=request.user.pk, **near)
    pages = {each.number: each for each in read}
    shown = pages.get(number)
    session = shown.session if shown else own(request, pk)
    if number != session.newest and session.state != State.OPEN:
        return lead(request, "page", at_page, pk, session.newest)
    if not session.is_here or session.state == State.EXPIRED:
        if answers and shown and (form := form_for(shown, request.POST)) and form.keeps:
            shown.keep(form.typed())
        return render(request, "connect_ui/expired.html", {"session": session}, status=410)
    if session.state == State.LEFT:
        return left(request, session)
    if not shown and number == session.newest and not session.is_open:  # the pages are purged, the location is stored
        return redirect("tariffs:locations")
    if not shown:
        raise Http404
    if session.state == State.CONNECTED:
        return connected(request, session)
    is_owed = session.state == State.OWED and session.is_due(timezone.now())
    if is_owed and not answers and request.method != "HEAD" and exchange_owed(session):
        return at_page(request, pk, number)
    if session.is_busy:
        return render(request, "connect_ui/wait.html", {"session": session})
    if number == session.newest and session.is_stopped:
        return render(request, "connect_ui/asked.html", {"session": session})
    if request.method == "GET" and "asked" in request.GET:  # the page asked.html polls this address
        return redirect("connect_ui:returned", pk)
    if answers and session.is_open:
        return take(request, shown)
    if request.method == "GET":
        session.seen()
        shown.typed = shown.typed | remembered(request)
    return show(request, shown, form_for(shown), before=pages.get(shown.came_from or 0))


def take(request: HttpRequest, answered: Page) -> HttpResponse:
    """Take the answer to a page: check it, send it once, and lead on to the page that follows."""
    session, action = answered.session, request.POST.get("action", "")
    form = None if action else form_for(answered, request.POST)
    query = request.POST.get("q", "").replace("\0", "")[:200]

    def again(form: base.RouteForm | None, status: int = 200, problem: str = "") -> HttpResponse:
        answered.keep(form.typed() if form else {})
        return show(request, answered, form, status, problem, query)

    if action == "CLOSE" and answered.row.is_stored and action not in answered.actions:
        return finish(request, session)
    if action and action not in answered.actions:
        messages.error(request, gettext("You can't do that here any more."))
        return lead(request, "newest", at_newest, session.pk)
    if form is None and not action:
        raise Http404
    if form and "search" in request.POST:  # without JavaScript the list is searched here
        return show(request, answered, form_for(answered), query=query)
    if form and form.more in request.POST:
        return again(form)
    if form and not form.is_valid():
        return again(form, 422)
    answer: dict[str, Any] = {"action": action} if form is None else {"data": form.to_data()}
    if request.POST.get("newest") != str(session.newest):
        if answered.led_to and answered.answer == answer:  # a double click, or the same answer again
            return lead(request, "page", at_page, session.pk, answered.led_to)
        answered.keep(form.typed() if form else {})
        said = gettext("You already answered that question, so we sent nothing. Go on from here.")
        messages.info(request, said)
        return lead(request, "page", at_page, session.pk, session.newest)
    if form and answered.row.asks == "address" and (tariff := already.connected(answered, form)):
        context = {"session": session, "page": answered, "form": form, "tariff": tariff}
        return render(request, "connect_ui/already.html", context)
    changes = answered.number != session.newest and row(session.last_route).kind is Kind.SUMMARY
    try:
        with session.claimed(held=True) as mine:
            if mine and action in ("PROVIDER_MISSING", "TARIFF_MISSING"):
                session.not_listed = session.not_listed | ({answered.row.asks: query} if query else {})
            typed = form.typed() if form else put_aside(session, answered, request)
            shown = ask.send(session, answered, answer, typed, form) if mine else None
    except flatpeak.Unavailable as error:
        return again(form or form_for(answered), 503, refusals.sentence(error))
    except flatpeak.Rejected as error:
        if session.state == State.EXPIRED:
            answered.keep(form.typed() if form else {})
            return lead(request, "page", at_page, session.pk, answered.number)
        if session.state == State.OWED:
            return lead(request, "page", at_page, session.pk, session.newest)
        if form:
            form.add_rejection(error)
            return again(form, 422)
        return again(form_for(answered), 422, refusals.sentence(error))
    if not mine:
        return render(request, "connect_ui/wait.html", {"session": session})
    if action.startswith("WRONG_TARIFF"):
        messages.success(request, gettext("Thank you. We passed this on, and it will be checked."))
    if form and session.returns_to and session.is_open:
        try:
            repeat_later(session)
        except flatpeak.FlatPeakError as error:
            explain(request, session, error)
        return lead(request, "newest", at_newest, session.pk)
    if not shown:  # the answer was not sent, or its page not stored
        if changes and row(session.last_route).kind is Kind.SUMMARY:
            answered.keep(form.typed() if form else {})
            messages.info(request, UNCHANGED)
        return lead(request, "newest", at_newest, session.pk)

    def at_hand(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:  # as at_page, without reading it again
        return show(request, shown, form_for(shown), before=answered, asked=form)

    return lead(request, "page", at_hand if session.is_open else at_page, session.pk, session.newest)


def put_aside(session: ConnectSession, left: Page, request: HttpRequest) -> dict[str, str]:
    """What was typed on a page that an action leaves. A name is filled in where the conversation asks for it again."""
    form = form_for(left, request.POST)
    typed = form.typed() if form and form.keeps else {}
    if isinstance(form, questions.NameForm) and (name := typed.get(f"{form.key}_name")):
        session.not_listed = session.not_listed | {form.key: name}
    return typed


def finish(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    """End a conversation whose tariff FlatPeak has stored, where Connect offers no end of its own."""
    with session.claimed() as mine:
        if mine and not session.is_unsettled:
            session.end(State.LEFT)
        elif mine and settle(session):
            said = gettext("Your tariff is connected. Its prices appear here soon.")
            messages.info(request, said)
            return redirect("tariffs:locations")
    return lead(request, "newest", at_newest, session.pk)
