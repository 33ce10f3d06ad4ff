"""Send a mail about a tariff, and say what became of it.

Exceptions of a mail backend end here, because their texts may have the address.
"""

import logging
import re
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.message import sanitize_address
from django.template.loader import render_to_string
from django.urls import reverse

from .models import Mail, Tariff

logger = logging.getLogger(__name__)

# What became of a mail: taken; refused for good; not taken now; no server to take it; or nobody knows.
TAKEN, REFUSED, NOT_SENT, DOWN, UNKNOWN = "taken", "refused", "not_sent", "down", "unknown"
STOPPED = "stopped"  # or it was stopped before the server could have it
AUTOMATIC = {"Auto-Submitted": "auto-generated"}  # so that nobody's holiday notice answers
BUSY = 60.0  # seconds for which a mail server that can't be reached is left alone
MOST = 100  # mails over one connection: servers end it after some number


# Of the mails of this process one at a time is marked as sent and not answered for, so a kill loses one at most.
_unanswered = threading.Lock()


class _Kept(threading.local):
    connection: Any = None
    sent = 0


_kept = _Kept()


@contextmanager
def one_connection() -> Iterator[None]:
    """Send the mails of this thread over one connection, which the first of them opens."""
    _kept.connection, _kept.sent = get_connection(), 0
    try:
        yield
    finally:
        kept, _kept.connection = _kept.connection, None
        _close(kept)


def _close(connection: Any) -> None:
    with suppress(Exception):  # the server has closed it already, for example
        connection.close()


def send(
    name: str,
    tariff: Tariff,
    more: Mapping[str, Any] = {},
    headers: Mapping[str, str] = {},
    mark: Callable[[], bool] | None = None,
) -> str:
    """Send `templates/tariffs/mail/<name>.txt`, whose first line is the subject; returns what became of it.

    `mark` is called before the server can have the mail, and as late as that. If it returns False, nothing is sent.
    """
    user = tariff.location.customer.user
    link = settings.SITE_URL + reverse("tariffs:rates", args=[tariff.location_id])
    connection, fate = None, NOT_SENT
    try:
        with user.in_their_language():
            mail = render_to_string(f"tariffs/mail/{name}.txt", {"tariff": tariff, "link": link} | dict(more))
        subject, text = mail.split("\n", 1)
        message = EmailMessage(subject, text, None, [user.email], headers=dict(headers))
        fate, connection = DOWN, _connection()
        connection.open()
        fate = NOT_SENT
        with _prepared(message, connection) as finish, _unanswered if mark else nullcontext():
            if mark and not mark():
                fate = STOPPED
            else:
                fate = UNKNOWN  # from here on the server may have it
                finish()
                fate = TAKEN
    except Exception as error:  # whatever a mail backend raises
        fate = fate_of(error, fate)
        logger.warning("the mail %r of tariff %s was not sent: %s", name, tariff.pk, type(error).__name__)
    if connection and (fate != TAKEN or connection is not _kept.connection):
        _close(connection)
    if fate != STOPPED:
        Mail.note(user, name, fate == TAKEN)
    return fate


@contextmanager
def _prepared(message: EmailMessage, connection: Any) -> Iterator[Callable[[], Any]]:
    """Tell an SMTP server all that comes before the mail's text, and yield what sends the text and waits for its answer.

    Most of the time of a mail passes before its text, when the server can't have it yet.
    """
    smtp = getattr(connection, "connection", None)
    if not isinstance(smtp, smtplib.SMTP):  # the terminal, for example
        message.connection = connection
        yield message.send
        return
    sender, address = (sanitize_address(each, settings.DEFAULT_CHARSET) for each in (message.from_email, *message.to))
    text = message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
    is_answered = False
    smtp.ehlo_or_helo_if_needed()
    if (answer := smtp.mail(sender))[0] != 250:
        raise smtplib.SMTPSenderRefused(*answer, sender)
    if (answer := smtp.rcpt(address))[0] not in (250, 251):
        raise smtplib.SMTPRecipientsRefused({address: answer})
    if (answer := smtp.docmd("DATA"))[0] != 354:
        raise smtplib.SMTPDataError(*answer)

    def finish() -> None:
        nonlocal is_answered
        smtp.send(re.sub(rb"(?m)^\.", b"..", text).removesuffix(b"\r\n") + b"\r\n.\r\n")
        answer = smtp.getreply()
        is_answered = True
        if answer[0] != 250:
            raise smtplib.SMTPDataError(*answer)

    try:
        yield finish
    finally:
        if not is_answered:  # the server still waits for the text, and would take a QUIT for it
            smtp.close()


def _connection() -> Any:
    if not _kept.connection:
        return get_connection()
    _kept.sent += 1
    if _kept.sent > MOST:
        _close(_kept.connection)
        _kept.sent = 1
    return _kept.connection


def fate_of(error: Exception, before: str) -> str:
    """What an error says of the mail; what was known before where it says nothing."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return REFUSED if all(code >= 500 for code, _ in error.recipients.values()) else NOT_SENT
    if isinstance(error, smtplib.SMTPNotSupportedError | UnicodeError):
        return REFUSED
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return DOWN
    if isinstance(error, smtplib.SMTPResponseException) and before != DOWN:  # an answer, and it is no
        return REFUSED if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500 else NOT_SENT
    return before
