"""What the log and error mails say: types of errors and lines of code, and never what a request sent."""

import hashlib
import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.mail import mail_admins
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter
from django_guid import get_guid, set_guid
from django_guid.utils import generate_guid
from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

DAY, AGAIN = 24 * 3600, 300  # seconds until the next mail about the same cause, and until a failed mail is retried
ONE_OF_MANY = re.compile(r", request \S+|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")


class RequestId(logging.Filter):
    """Add the request's id to each log line; X-Request-ID and the error pages have the same.

    A command serves no request and gets an id at its first line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = get_guid() or set_guid(generate_guid())
        return True


class JsonLine(JsonFormatter):
    """Format a log line as JSON with these fields alone: Django's lines carry the request with its query."""

    FIELDS = (
        *("time", "level", "logger", "request_id", "message", "exc_info"),
        *("method", "view", "status", "ms", "user", "call", "outcome", "flatpeak_request_id"),
        *("client", "account"),
    )

    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger"}
        super().__init__([*names, "request_id", "message"], rename_fields=names, timestamp="time")

    def formatException(self, exc_info: Any) -> str:  # logging's name
        return without_texts(exc_info[1])

    def process_log_record(self, log_data: LogData) -> LogData:
        return {name: log_data[name] for name in self.FIELDS if name in log_data}


class ErrorReport(ExceptionReporter):
    """Report the path, the types of the errors and the lines of code.

    Settings, headers, cookies, forms, variables and the errors' messages are left out, for they may hold secrets.
    """

    def get_traceback_text(self) -> str:  # type: ignore[override]  # a plain string, because no template renders it
        where = f"{self.request.method} {self.request.path}\n\n" if self.request else ""
        return where + without_texts(self.exc_value)


def without_texts(error: object) -> str:
    """Format an error and its causes as lines of code and types, without messages, which may quote what was sent."""
    errors = []
    next_error = error if isinstance(error, BaseException) else None
    while next_error:
        lines = "".join(traceback.format_tb(next_error.__traceback__))
        errors.append(f"{lines}{type(next_error).__module__}.{type(next_error).__qualname__}\n")
        next_error = next_error.__cause__ or (None if next_error.__suppress_context__ else next_error.__context__)
    return "\nwhich led to\n\n".join(reversed(errors))


def once_a_day(cause: str, send: Callable[[], object]) -> bool:
    """Send a mail to ADMINS unless there are none or one about this cause was sent within a day; whether it was sent."""
    key = f"mailed:{hashlib.sha256(cause.encode()).hexdigest()}"
    if not settings.ADMINS or not cache.add(key, True, DAY):
        return False
    try:
        send()
    except Exception:  # whatever a mail server raises; the next ones do not wait for it again
        cache.set(key, True, AGAIN)
        return False
    return True


class OperatorMail(AdminEmailHandler):
    """Mail an error to ADMINS, once a day per cause: where the error came from, else the message without its ids."""

    def emit(self, record: logging.LogRecord) -> None:
        told = without_texts(record.exc_info[1]) if record.exc_info else ONE_OF_MANY.sub("", record.getMessage())
        once_a_day(f"{record.name} {told}", lambda: super(OperatorMail, self).emit(record))

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        mail_admins(subject, message)  # Django's own ignores errors
