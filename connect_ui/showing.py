"""Show a page of a conversation, or where the conversation led."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext

from tariffs.models import Tariff

from .conversation.reading import is_incomplete, provider_at_login
from .forms import base, questions
from .models import ConnectSession, Page
from .popular import popular
from .routes import form_for

NEWS = timedelta(minutes=10)  # for how long after its end a conversation leads to the rates with a message


def left(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    if session.location_id:
        return redirect("tariffs:rates", session.location_id)
    messages.info(request, gettext("Nothing was connected."))
    return redirect("tariffs:locations")


def connected(request: HttpRequest, session: ConnectSession) -> HttpResponse:
    """Lead on to the rates, with a message unless the conversation ended a while ago."""
    if not session.location_id:  # it was deleted since
        return redirect("tariffs:locations")
    tariff, ended_at = session.tariff, session.ended_at
    if tariff and ended_at and timezone.now() - ended_at < NEWS:
        pending = tariff.state == Tariff.State.PENDING
        messages.success(request, gettext("Your tariff is saved.") if pending else gettext("Your tariff is connected."))
    return redirect("tariffs:rates", session.location_id)


def show(
    request: HttpRequest,
    shown: Page,
    form: base.RouteForm | None,
    status: int = 200,
    problem: str = "",
    query: str = "",
    before: Page | None = None,
    asked: base.RouteForm | None = None,
) -> HttpResponse:
    """Render a page by the template of its route. `query` is what its list is searched for.

    `before` is the page that led to it, and `asked` the form of that one, if the caller has them.
    """
    session, query = shown.session, query[:200]
    context: dict[str, Any] = {"session": session, "page": shown, "form": form, "problem": problem, "query": query}
    context["incomplete"] = session.is_open and shown.number == session.newest and is_incomplete(shown)
    if isinstance(form, questions.ProviderForm):
        form.put_first(popular(session.country_code))
    if isinstance(form, questions.ListForm):
        context["found"] = form.found(query)
    if shown.came_from and session.is_open:
        if not before or before.number != shown.came_from:
            before, asked = session.pages.filter(number=shown.came_from).first(), None
        context["at_login"] = provider_at_login(shown, before)
        context["before"] = before
        if before and before.answer and "data" in before.answer and (asked := asked or form_for(before)):
            context["said_back"] = asked.said_back(before.answer["data"])
    return render(request, shown.row.template, context, status=status)
