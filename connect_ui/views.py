"""The Connect loop in the browser: show a page, take its answer, show the next."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from flatpeak_app.limits import limited
from tariffs import flatpeak
from tariffs.models import Location

from . import conversation, refusals
from .fields import region_of
from .forms import ListForm, RateTodForm, RouteForm, StartForm, form_for
from .in_place import in_place
from .models import ConnectSession, Page

State = ConnectSession.State
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
    locations = Location.objects.here().filter(customer__user=request.user)
    initial = {"direction": "IMPORT", "country_code": region_of(request.headers.get("Accept-Language", ""))}
    form = StartForm(locations, request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                return redirect("connect_ui:newest", conversation.start(user_id(request), **form.cleaned_data).pk)
            except flatpeak.FlatPeakError as error:
                refused = isinstance(error, flatpeak.Rejected) and error.status != 429
                status = 502 if refused else 503
                form.add_error(None, NOT_BEGUN if refused else refusals.sentence(error))
    context = {"form": form, "unfinished": ConnectSession.unfinished(request.user)}
    return render(request, "connect_ui/start.html", context, status=status)


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
def newest(request: HttpRequest, pk: UUID) -> HttpResponse:
    """On to the newest page; a POST asks Connect first where it stands, for pages that have no answer."""
    session = own(request, pk)
    if request.method == "POST" and session.is_open:
        if not session.claim():
            return render(request, "connect_ui/wait.html", {"session": session})
        try:
            conversation.catch_up(session)
        except flatpeak.FlatPeakError as error:
            tell(request, session, error)
    if session.is_busy:  # what is the newest page now is an earlier one in a moment, and would be asked again
        return render(request, "connect_ui/wait.html", {"session": session})
    if session.newest:
        return redirect("connect_ui:page", pk, session.newest)
    if not session.is_open:
        return expired(request, session)
    return render(request, "connect_ui/stalled.html", {"session": session})


def tell(request: HttpRequest, session: ConnectSession, error: flatpeak.FlatPeakError) -> None:
    if session.is_open:  # else the page that follows says that the conversation is over
        messages.error(request, refusals.sentence(error))


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_start", "POST")
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A new conversation in the place of one that took too long, at the same question if FlatPeak lets us."""
    session = own(request, pk)
    if request.method != "POST" or session.state != State.EXPIRED or not session.is_here:
        return redirect("connect_ui:newest", pk)  # a GET comes from a sign-in in between
    try:
        return redirect("connect_ui:newest", conversation.again(session).pk)
    except flatpeak.FlatPeakError as error:
        messages.error(request, refusals.sentence(error))
        return redirect("connect_ui:newest", pk)


def expired(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    return render(request, "connect_ui/expired.html", {"session": session}, status=410)


@in_place
@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_answer", "POST")
def page(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    # With the page before, which is usually the one that led here: what was said there may be said back.
    near = [number] if request.method == "POST" else [number, number - 1]
    read = Page.objects.select_related("session").filter(session=pk, session__user=request.user.pk, number__in=near)
    pages = {each.number: each for each in read}
    shown = pages.get(number)
    session = shown.session if shown else own(request, pk)
    if number != session.newest and session.state != State.OPEN:
        return redirect("connect_ui:page", pk, session.newest)
    if not session.is_here or session.state == State.EXPIRED:
        return expired(request, session)
    if not shown and number == session.newest and not session.is_open:  # purged: what it led to is there
        return redirect("tariffs:locations")
    if not shown:
        raise Http404
    if request.method == "GET" and is_owed(session) and session.claim():
        conversation.exchange(session)
    if session.is_busy:
        return render(request, "connect_ui/wait.html", {"session": session})
    if request.method == "POST" and session.is_open:
        return take(request, session, shown)
    form = form_for(shown, None, session.not_listed)
    return show(request, session, shown, form, before=pages.get(shown.came_from or 0))


def is_owed(session: ConnectSession) -> bool:
    return session.state == State.OWED and session.is_here and session.exchange_after <= timezone.now()


def take(request: HttpRequest, session: ConnectSession, answered: Page) -> HttpResponse:
    """Take an answer to a page: check it, send it once, and lead on to what it led to."""
    action = request.POST.get("action", "")
    form = None if action else form_for(answered, request.POST, session.not_listed)
    if action and action not in answered.actions:
        messages.error(request, gettext("That is not possible here any more."))
        return redirect("connect_ui:newest", session.pk)
    if form is None and not action:
        raise Http404
    if form and (isinstance(form, RateTodForm) and "add" in request.POST):
        return show(request, session, answered, RateTodForm(answered, request.POST))
    if form and not form.is_valid():
        return show(request, session, answered, form, 422)
    answer: dict[str, Any] = {"action": action} if form is None else {"data": form.to_data()}
    if request.POST.get("newest") != str(session.newest):
        if answered.led_to and answered.answer == answer:  # a double click, or the same once more
            return redirect("connect_ui:page", session.pk, answered.led_to)
        messages.info(
            request, gettext("This question was answered already, so nothing was sent. Here is where you are.")
        )
        return redirect("connect_ui:page", session.pk, session.newest)
    if not session.claim():
        return render(request, "connect_ui/wait.html", {"session": session})
    if action in ("PROVIDER_MISSING", "TARIFF_MISSING"):
        session.not_listed[action.split("_")[0].lower()] = request.POST.get("q", "").replace("\0", "")[:200]
    try:
        shown = conversation.send(session, answered, answer, form.typed() if form else {}, form)
    except flatpeak.Unavailable as error:
        return show(request, session, answered, form or form_for(answered), 503, refusals.sentence(error))
    except flatpeak.Rejected as error:
        if session.state == State.EXPIRED:
            answered.typed = form.typed() if form else answered.typed
            answered.save(update_fields=["typed"])
            return redirect("connect_ui:page", session.pk, answered.number)
        if form:
            form.add_rejection(error)
            return show(request, session, answered, form, 422)
        return show(request, session, answered, form_for(answered), 422, refusals.sentence(error))
    path = reverse("connect_ui:page", args=[session.pk, session.newest])
    if not (shown and session.is_open and getattr(request, "part", False)):
        return redirect(path)
    # Nothing of it has to be read again.
    request.POST = QueryDict()  # nor is what was typed before of any meaning here
    response = show(request, session, shown, form_for(shown, None, session.not_listed), before=answered, asked=form)
    response["Content-Location"] = path
    return response


def show(
    request: HttpRequest,
    session: ConnectSession,
    shown: Page,
    form: RouteForm | None,
    status: int = 200,
    problem: str = "",
    before: Page | None = None,
    asked: RouteForm | None = None,
) -> HttpResponse:
    """Render a page by the template of its route.

    `before` is the page that led to it, and `asked` that one's form, where they are at hand already.
    """
    query = (request.POST if request.method == "POST" else request.GET).get("q", "")[:200]
    context: dict[str, Any] = {"session": session, "page": shown, "form": form, "problem": problem, "query": query}
    context["incomplete"] = session.is_open and shown.number == session.newest and conversation.is_incomplete(shown)
    if isinstance(form, ListForm):
        context["found"] = form.found(query)
    if shown.came_from and session.is_open:
        before = before or session.pages.filter(number=shown.came_from).first()
        if before and before.answer and "data" in before.answer and (asked := asked or form_for(before)):
            context["said_back"] = asked.said_back(before.answer["data"])
    name = shown.route if conversation.known(shown.route) else "unknown"
    return render(request, f"connect_ui/{name}.html", context, status=status)


@require_GET
def login(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """Off to the provider's login. A link leads here, for browsers stop a form's post that ends on another origin."""
    session = own(request, pk)
    shown = get_object_or_404(Page, session=session, number=number, route="session_redirect")
    target = shown.data.get("redirect_uri") or shown.data.get("redirect_url")
    if not session.is_open or not isinstance(target, str) or not conversation.may_leave_to(target):
        return redirect("connect_ui:newest", pk)
    url = urlsplit(target)
    query = urlencode([*parse_qsl(url.query, keep_blank_values=True), ("fp_cot", session.connect_token)])
    return HttpResponseRedirect(url._replace(query=query).geturl())


@login_not_required
@require_GET
def find(request: HttpRequest, to: str) -> HttpResponse:
    """FlatPeak sends the browser here, with the token in the address: on at once to an address without it."""
    session = ConnectSession.of_token(request.GET.get("fp_cot", ""))
    return redirect(f"connect_ui:{to}", session.pk) if session else redirect("home")


@require_GET
def returned(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back from the provider's login: Connect tells what came of it."""
    session = own(request, pk)
    if session.is_open and session.last_route == "session_redirect" and session.claim():
        try:
            conversation.catch_up(session)
        except flatpeak.FlatPeakError as error:
            tell(request, session, error)
        else:
            if session.last_route == "session_redirect":
                messages.info(request, gettext("The sign-in was not finished."))
    return redirect("connect_ui:newest", pk)


@require_GET
def called_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """FlatPeak says that the conversation is over; whether it is, the exchange tells."""
    session = own(request, pk)
    if session.state in (State.OPEN, State.OWED) and session.is_here and session.claim():
        error = conversation.exchange(session)
        if isinstance(error, flatpeak.Unavailable):  # a refusal says that it is not over
            tell(request, session, error)
    return redirect("connect_ui:newest", pk)
