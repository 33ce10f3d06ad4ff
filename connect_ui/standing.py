"""Ask Connect where a conversation stands, and tell the customer what failed."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy as _

from tariffs import flatpeak

from . import refusals
from .conversation import ask
from .models import ConnectSession
from .wishes import fulfil

AGAIN = _("You don't seem to have signed in yet. Open the sign-in again. Your provider may still know you.")


def catch_up(request: HttpRequest, session: ConnectSession, held: bool = False, anew: bool = False) -> bool:
    """Claim the session and ask Connect where it stands; False if another request has it. Messages say what failed."""
    is_back = session.login in (session.Login.BACK, session.Login.AGREED) and session.is_at_login
    try:
        with session.claimed(held) as mine:
            if mine:
                ask.catch_up(session, anew)
    except flatpeak.FlatPeakError as error:
        explain(request, session, error)
    else:
        if mine and session.is_held:
            messages.info(request, AGAIN)
        elif mine and is_back and session.is_at_login:
            said = gettext("You did not finish signing in, so nothing was connected. Try again, or enter your prices.")
            messages.info(request, said)
    return mine


def wish(request: HttpRequest, session: ConnectSession) -> None:
    """Do what the customer pressed on the page of the tariff; if that fails, its first page is shown, with the reason."""
    try:
        fulfil(session, request.POST.get("then", ""))
    except flatpeak.FlatPeakError as error:
        explain(request, session, error)


def explain(request: HttpRequest, session: ConnectSession, error: flatpeak.FlatPeakError) -> None:
    if session.is_open:  # otherwise the next page says that the conversation is over
        messages.error(request, refusals.sentence(error))
