import logging
import traceback

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
    """A line of the log as JSON, with what was told of a request or a call to FlatPeak.

    Of all else that may hang on a line nothing: Django's own have the request, and so an address with its query.
    """

    FIELDS = (
        *("time", "level", "logger", "request_id", "message", "exc_info"),
        *("method", "view", "status", "ms", "user", "call", "outcome", "flatpeak_request_id"),
    )

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
        errors = []
        error = self.exc_value if isinstance(self.exc_value, BaseException) else None
        while error:
            lines = "".join(traceback.format_tb(error.__traceback__))
            errors.append(f"{lines}{type(error).__module__}.{type(error).__qualname__}\n")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return where + "\nwhich led to\n\n".join(reversed(errors))
