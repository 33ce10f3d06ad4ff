from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from connect_ui.conversation import finish
from connect_ui.models import ConnectSession

OWED_PER_VISIT = 2  # exchanges that one visit waits for at most; `exchange_pending` makes the rest


def healthz(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer `/healthz` before anything else: a prober speaks plain http and knows no host name of ours."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok\n", "text/plain") if request.path == "/healthz" else get_response(request)

    return middleware


def site_context(request: HttpRequest) -> dict[str, object]:
    return {
        "TEST_MODE": not settings.FLATPEAK_LIVE_MODE,
        "SANDBOX_URL": settings.FLATPEAK_CONNECT_URL + "/" if settings.SANDBOX else "",
        "TERMS_URL": settings.TERMS_URL,
        "PRIVACY_URL": settings.PRIVACY_URL,
    }


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The front page; whoever is signed in goes on to what is theirs, with what FlatPeak still owed them."""
    if request.user.is_authenticated:
        if request.method == "GET":
            finish(ConnectSession.owed().filter(user=request.user.pk)[:OWED_PER_VISIT])
        return redirect("tariffs:locations")
    return render(request, "home.html")
