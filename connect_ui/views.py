"""The Connect loop in the browser: show a page, take its answer, show the next."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited
from tariffs import flatpeak
from tariffs.models import Location

from . import conversation, refusals
from .fields import region_of
from .forms.base import RouteForm
from .forms.prices import TimedPricesForm
from .forms.questions import ListForm
from .forms.start import StartForm
from .in_place import in_place, lead
from .models import ConnectSession, Page
from .routes import form_for

State = ConnectSession.State
AGAIN = _(
    "We can't see that you have signed in. Open the sign-in once more: your provider may remember you, and you come back."
)
NOT_BEGUN = _("FlatPeak did not let us begin. It is not your fault, and we have been told: please try again later.")


def user_id(request: HttpRequest) -> int:
    return request.user.pk  # type: ignore[return-value]  # signed in: LoginRequiredMiddleware saw to it


def own(request: HttpRequest, pk: UUID) -> ConnectSession:
    return get_object_or_404(ConnectSession, pk=pk, user=request.user)


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_start", "POST")
def start(request: HttpRequest) -> HttpResponse:
    """Country and direction, or a stored location, become a connect token and the first page."""
    locations = Location.objects.here().filter(customer__user=request.user.pk)
    initial = {"direction": "IMPORT", "country_code": region_of(request.headers.get("Accept-Language", ""))}
    form = StartForm(locations, request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                session = conversation.begin(user_id(request), **form.cleaned_data)
                catch_up(request, session)
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
    """On to the newest page; a POST asks Connect first where it stands, for pages that have no answer."""
    session = own(request, pk)
    if request.method == "POST" and session.is_open and not session.is_stopped:
        if not session.claim(held=True):
            return render(request, "connect_ui/wait.html", {"session": session})
        catch_up(request, session)
    return at_newest(request, pk, session)


def at_newest(request: HttpRequest, pk: UUID, session: ConnectSession | None = None) -> HttpResponse:
    """On to the newest page, or a page that says why there is none."""
    session = session or own(request, pk)
    if session.is_busy:  # what is the newest page now is an earlier one in a moment, and would be asked again
        return render(request, "connect_ui/wait.html", {"session": session})
    if session.newest:
        return lead(request, "page", at_page, pk, session.newest)
    if not session.is_open:
        return expired(request, session)
    return render(request, "connect_ui/stalled.html", {"session": session})


def catch_up(request: HttpRequest, session: ConnectSession, anew: bool = False) -> None:
    """See `conversation.catch_up`; where nothing comes of it, the page that follows says why."""
    is_back = session.login in (session.Login.BACK, session.Login.AGREED) and session.is_at_login
    try:
        conversation.catch_up(session, anew)
    except flatpeak.FlatPeakError as error:
        tell(request, session, error)
    else:
        if session.is_held:
            messages.info(request, AGAIN)
        elif is_back and session.is_at_login:
            messages.info(request, gettext("The sign-in was not finished."))


def tell(request: HttpRequest, session: ConnectSession, error: flatpeak.FlatPeakError) -> None:
    if session.is_open:  # else the page that follows says that the conversation is over
        messages.error(request, refusals.sentence(error))


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_start", "POST")
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A new conversation in the place of one that is over, at the same question if FlatPeak lets us.

    One that is at a provider's login, or is held for another browser's yes, gets a new token instead.
    """
    session = own(request, pk)
    if request.method == "POST" and session.is_open and (session.is_at_login or session.is_held):
        if session.claim(held=True):
            catch_up(request, session, anew=True)
    elif request.method == "POST" and session.state == State.EXPIRED and session.is_here:
        try:
            pk = conversation.again(session).pk
        except flatpeak.FlatPeakError as error:
            messages.error(request, refusals.sentence(error))
    return lead(request, "newest", at_newest, pk)  # a GET comes from a sign-in in between


def expired(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    return render(request, "connect_ui/expired.html", {"session": session}, status=410)


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_answer", "POST")
def step(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """Show a page; a POST is the answer to it."""
    return at_page(request, pk, number, answers=request.method == "POST")


def at_page(request: HttpRequest, pk: UUID, number: int, answers: bool = False) -> HttpResponse:
    """Show a page, or take the answer to it; where the conversation is not there any more, lead on."""
    # With the page before, which is usually the one that led here: what was said there may be said back.
    near = [number] if answers else [number, number - 1]
    read = Page.objects.select_related("session").filter(session=pk, session__user=request.user.pk, number__in=near)
    pages = {each.number: each for each in read}
    shown = pages.get(number)
    session = shown.session if shown else own(request, pk)
    if number != session.newest and session.state != State.OPEN:
        return lead(request, "page", at_page, pk, session.newest)
    if not session.is_here or session.state == State.EXPIRED:
        return expired(request, session)
    if not shown and number == session.newest and not session.is_open:  # purged: what it led to is there
        return redirect("tariffs:locations")
    if not shown:
        raise Http404
    if request.method != "HEAD" and not answers and is_owed(session) and session.claim():
        conversation.exchange(session)
    if session.is_busy:
        return render(request, "connect_ui/wait.html", {"session": session})
    if number == session.newest and session.is_stopped:
        return render(request, "connect_ui/asked.html", {"session": session})
    if request.method == "GET" and "asked" in request.GET:  # that page asks whether it goes on
        return redirect("connect_ui:returned", pk)
    if answers and session.is_open:
        return take(request, session, shown)
    query = request.GET.get("q", "") if request.method == "GET" else ""
    before = pages.get(shown.came_from or 0)
    return show(request, session, shown, form_for(shown), query=query, before=before)


def is_owed(session: ConnectSession) -> bool:
    return session.state == State.OWED and session.is_due(timezone.now())


def take(request: HttpRequest, session: ConnectSession, answered: Page) -> HttpResponse:
    """Take an answer to a page: check it, send it once, and lead on to what it led to."""
    action = request.POST.get("action", "")
    form = None if action else form_for(answered, request.POST)
    query = request.POST.get("q", "").replace("\0", "")[:200]
    again = partial(show, request, session, answered, query=query)
    if action and action not in answered.actions:
        messages.error(request, gettext("That is not possible here any more."))
        return lead(request, "newest", at_newest, session.pk)
    if form is None and not action:
        raise Http404
    if isinstance(form, TimedPricesForm) and "add" in request.POST:
        return again(form)
    if form and not form.is_valid():
        return again(form, 422)
    answer: dict[str, Any] = {"action": action} if form is None else {"data": form.to_data()}
    if request.POST.get("newest") != str(session.newest):
        if answered.led_to and answered.answer == answer:  # a double click, or the same once more
            return lead(request, "page", at_page, session.pk, answered.led_to)
        messages.info(
            request, gettext("This question was answered already, so nothing was sent. Here is where you are.")
        )
        return lead(request, "page", at_page, session.pk, session.newest)
    if not session.claim(held=True):
        return render(request, "connect_ui/wait.html", {"session": session})
    if action in ("PROVIDER_MISSING", "TARIFF_MISSING"):
        session.not_listed[answered.row.asks] = query
    try:
        shown = conversation.send(session, answered, answer, form.typed() if form else {}, form)
    except flatpeak.Unavailable as error:
        return again(form or form_for(answered), 503, refusals.sentence(error))
    except flatpeak.Rejected as error:
        if session.state == State.EXPIRED:
            answered.typed = form.typed() if form else answered.typed
            answered.save(update_fields=["typed"])
            return lead(request, "page", at_page, session.pk, answered.number)
        if form:
            form.add_rejection(error)
            return again(form, 422)
        return again(form_for(answered), 422, refusals.sentence(error))
    if not shown:  # something else came of it, or the claim was lost
        return lead(request, "newest", at_newest, session.pk)

    def stored(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:  # nothing of it has to be read again
        return show(request, session, shown, form_for(shown), before=answered, asked=form)

    return lead(request, "page", stored if session.is_open else at_page, session.pk, session.newest)


def show(
    request: HttpRequest,
    session: ConnectSession,
    shown: Page,
    form: RouteForm | None,
    status: int = 200,
    problem: str = "",
    query: str = "",
    before: Page | None = None,
    asked: RouteForm | None = None,
) -> HttpResponse:
    """Render a page by the template of its route. `query` is what its list was searched for.

    `before` is the page that led to it, and `asked` that one's form, where they are at hand already.
    """
    query = query[:200]
    context: dict[str, Any] = {"session": session, "page": shown, "form": form, "problem": problem, "query": query}
    context["incomplete"] = session.is_open and shown.number == session.newest and conversation.is_incomplete(shown)
    if isinstance(form, ListForm):
        context["found"] = form.found(query)
    if shown.came_from and session.is_open:
        if not before or before.number != shown.came_from:
            before, asked = session.pages.filter(number=shown.came_from).first(), None
        if before and before.answer and "data" in before.answer and (asked := asked or form_for(before)):
            context["said_back"] = asked.said_back(before.answer["data"])
    return render(request, shown.row.template, context, status=status)
