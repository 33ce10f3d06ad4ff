"""What is not finished: the button that discards a conversation in the lists of them."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from flatpeak_app.web.limits import limited

from .conversation.discard import discard as give_up
from .views import own


@require_http_methods(["GET", "HEAD", "POST"])
@limited("connect_ask", "POST")
def discard(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a conversation before anything is connected, and lead back to the list; a GET follows a sign-in, and only leads."""
    session = own(request, pk)
    if request.method == "POST" and session.may_be_discarded and not give_up(session):
        messages.info(request, gettext("We are still sending your last answer. Try again in a minute."))
    return redirect("connect_ui:start" if request.POST.get("then") == "start" else "tariffs:locations")
