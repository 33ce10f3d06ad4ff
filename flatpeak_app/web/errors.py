import hashlib
import logging
import re
import traceback
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.mail import get_connection
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter
from django_guid import get_guid, set_guid
from django_guid.utils import generate_guid
from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter


class RequestId(logging.Filter):
    """Gives each line of the log the id of its request, which the answer's X-Request-ID and error pages have too.

    A command, which serves no request, gets one of its own at its first line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = get_guid() or set_guid(generate_guid())
        return True


class JsonLine(JsonFormatter):
    """A line of the log as JSON, with what was told of a request, a call to FlatPeak or a failed sign-in.

    Of all else that may hang on a line nothing: Django's own have the request, and so an address with its query.
    """

    FIELDS = (
        *("time", "level", "logger", "request_id", "message", "exc_info"),
        *("method", "view", "status", "ms", "user", "call", "outcome", "flatpeak_request_id"),
        *("client", "account"),
    )

    def formatException(self, exc_info: Any) -> str:  # logging's name
        return without_texts(exc_info[1])

    def process_log_record(self, log_data: LogData) -> LogData:
        return {name: log_data[name] for name in self.FIELDS if name in log_data}


class Unhandled(logging.Filter):
    """Lets those lines pass that tell of an error which nobody caught.

    Django's others have nothing but the status of an answer: why it was given is in a line already, the status and the
    view are in the request's line, and a 503 that this site means to give is nothing to mail about.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info) and record.levelno >= logging.ERROR


class ErrorReport(ExceptionReporter):
    """What an error mail tells: the address without its query, the errors' types, and the lines of code.

    No settings, headers, cookies, form, or values of variables, and not the errors' messages, which may quote any of them.
    """

    def get_traceback_text(self) -> str:  # type: ignore[override]  # plain text, which nothing renders
        where = f"{self.request.method} {self.request.path}\n\n" if self.request else ""
        return where + without_texts(self.exc_value)


def without_texts(error: object) -> str:
    """The lines of code and the types of an error and of those that led to it; a text may quote what was sent."""
    errors = []
    next_error = error if isinstance(error, BaseException) else None
    while next_error:
        lines = "".join(traceback.format_tb(next_error.__traceback__))
        errors.append(f"{lines}{type(next_error).__module__}.{type(next_error).__qualname__}\n")
        next_error = next_error.__cause__ or (None if next_error.__suppress_context__ else next_error.__context__)
    return "\nwhich led to\n\n".join(reversed(errors))


DAY, AGAIN = 24 * 3600, 300  # seconds until the next mail about a cause, and until the next try of one that failed
ONE_OF_MANY = re.compile(r", request \S+|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")


def cause(record: logging.LogRecord) -> str:
    """A digest of what a line is about, whatever it happened to: where an error came from, else what the line says."""
    told = without_texts(record.exc_info[1]) if record.exc_info else ONE_OF_MANY.sub("", record.getMessage())
    return hashlib.sha256(f"{record.name} {told}".encode()).hexdigest()


class OperatorMail(AdminEmailHandler):
    """Mails an error to ADMINS, and one of the same cause once a day; the log has a line each time."""

    def emit(self, record: logging.LogRecord) -> None:
        key = f"mailed:{cause(record)}"
        if not settings.ADMINS or not cache.add(key, True, DAY):
            return
        try:
            super().emit(record)
        except Exception:  # whatever a mail server does; nobody waits for it at each error
            cache.set(key, True, AGAIN)

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        super().send_mail(subject, message, *args, **kwargs | {"fail_silently": False})

    def connection(self) -> Any:
        return get_connection(backend=self.email_backend)
