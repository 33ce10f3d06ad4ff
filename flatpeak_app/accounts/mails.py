"""Send mails from a page, and answer when one cannot be sent.

Exceptions of a mail backend end here, because their texts may have the address.
"""

import logging
from smtplib import SMTPNotSupportedError, SMTPRecipientsRefused

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)

WAIT = "60"  # seconds


class Unsent(Exception):
    """The mail was not sent, so what depends on it must not be done either."""


class ServerDown(Unsent):
    """The mail server is down, busy or has deferred the mail: a retry may work."""


class NotTaken(Unsent):
    """The address can't be sent to; `error` is for its field."""

    def __init__(self, error: ValidationError) -> None:
        self.error = error


def send(message: EmailMessage, name: str) -> None:
    """Send a mail now, and log a failure under the mail's name; raises ServerDown or NotTaken."""
    try:
        message.send()
    except Exception as error:  # whatever a mail backend raises
        logger.warning("the mail %r was not sent: %s", name, type(error).__name__)
        if is_permanent(error):
            refused = _("This address did not accept our message. Check it, or use another one.")
            raise NotTaken(ValidationError(refused, code="refused")) from None
        raise ServerDown from None


def is_permanent(error: Exception) -> bool:
    """Return whether the address is the cause; a 4xx code asks for a retry, as for a full mailbox."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, SMTPNotSupportedError | UnicodeError)


class Unsendable(MiddlewareMixin):
    """Answer 503 if the mail server is down, with a button that sends the same form again.

    The page holds the form's fields, passwords too; `no-store` keeps them out of caches. A 503 saves no session.
    """

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, ServerDown):
            return None
        fields = request.POST.lists()
        sent = [(name, value) for name, values in fields for value in values if name != "csrfmiddlewaretoken"]
        response = render(request, "account/unsent.html", {"sent": sent}, status=503)
        response["Retry-After"] = WAIT
        return response
