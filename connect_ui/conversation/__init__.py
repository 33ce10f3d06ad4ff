"""The conversation with Connect: claim the session, call, write what came back. No transaction spans a call."""

from .again import again
from .ask import begin, catch_up, send
from .reading import is_incomplete, may_leave_to
from .settle import exchange, exchange_owed

__all__ = [
    "again",
    "begin",
    "catch_up",
    "exchange",
    "exchange_owed",
    "is_incomplete",
    "may_leave_to",
    "send",
]
