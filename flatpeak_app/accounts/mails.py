"""Mails that a page sends, and what the page becomes where one can't be sent.

No exception of a mail backend goes on from here: its text may have the address.
"""

import logging
from smtplib import SMTPNotSupportedError, SMTPRecipientsRefused

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from flatpeak_app.web.limits import View

logger = logging.getLogger(__name__)

WAIT = "60"  # seconds
NOT_REPEATED = {"csrfmiddlewaretoken"}  # the page has one of its own


class Unsent(Exception):
    """The mail was not sent, so what it belongs to is not done either."""


class ServerDown(Unsent):
    """It may be sent later: the mail server is gone, busy, or has put it off."""


class NotTaken(Unsent):
    """It can't be sent to this address; `error` says so at the address's field."""

    def __init__(self, error: ValidationError) -> None:
        self.error = error


def send(message: EmailMessage, name: str) -> None:
    """Send it now. Raises ServerDown or NotTaken, and logs the kind of the error under the mail's name."""
    try:
        message.send()
    except Exception as error:  # whatever a mail backend raises
        logger.warning("the mail %r was not sent: %s", name, type(error).__name__)
        if is_for_good(error):
            refused = _("Our message was refused at this address. Check the address, or use another one.")
            raise NotTaken(ValidationError(refused, code="refused")) from None
        raise ServerDown from None


def is_for_good(error: Exception) -> bool:
    """Whether the address is the trouble: a code of 4xx asks to try again, as of a mailbox that is full for now."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, SMTPNotSupportedError | UnicodeError)


class Unsendable:
    """Middleware: a page whose mail server is down becomes a 503 with a button that sends the same form again.

    Its fields go into the page, passwords too, which is stored nowhere (`no-store`). A session is not saved with a 503.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ServerDown):
            return None
        sent = [(name, value) for name, values in request.POST.lists() for value in values if name not in NOT_REPEATED]
        response = render(request, "account/unsent.html", {"sent": sent}, status=503)
        response["Retry-After"] = WAIT
        return response
