from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy as _
from django.views.decorators.http import require_safe

from connect_ui.conversation.settle import exchange_owed
from connect_ui.models import ConnectSession, Page
from connect_ui.routes import form_for
from connect_ui.views import show
from tariffs.models import Location

from .example import example

OWED_PER_VISIT = 2  # exchanges that a visit waits for; the worker makes the rest
FORM_EXPIRED = _("This page timed out, so we sent nothing. What you entered is still here. Press the button again.")


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the front page; a signed-in user is sent on, after the exchanges still owed.

    That is to the rates of their only location, or to the list if it has more to show.
    """
    if request.user.is_authenticated:
        if request.method == "GET":
            for session in ConnectSession.objects.due(timezone.now()).filter(user=request.user.pk)[:OWED_PER_VISIT]:
                exchange_owed(session)
        mine = Location.objects.filter(customer__user=request.user.pk).values_list("pk", flat=True)[:2]
        if len(mine) == 1 and not ConnectSession.unfinished(request.user).exists():
            return redirect("tariffs:rates", mine[0])
        return redirect("tariffs:locations")
    return render(request, "home.html", {"example": example(get_language() or "")})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Do nothing with a form without a valid CSRF token.

    A question of Connect is shown again with what was typed, so that a press of its button sends it; but only to the
    conversation's owner, and not if the form came from another site.
    """
    match = request.resolver_match
    if match and match.view_name == "connect_ui:page":
        if not request.user.is_authenticated:
            return redirect_to_login(request.path)
        if "checking failed" not in reason and (again := asked_again(request, **match.kwargs)):
            return again
    return render(request, "403_csrf.html", status=403)


def asked_again(request: HttpRequest, pk: UUID, number: int) -> HttpResponse | None:
    pages = Page.objects.select_related("session").filter(session=pk, session__user=request.user.pk, number=number)
    shown = pages.first()
    if shown is None or not shown.session.is_open:
        return None
    form = form_for(shown, None if "action" in request.POST else request.POST)
    return show(request, shown, form, 403, str(FORM_EXPIRED), request.POST.get("q", ""))
