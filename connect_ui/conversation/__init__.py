"""The conversation with Connect: claim the session, call, write what came back. No transaction spans a call."""

from .again import again
from .ask import begin, catch_up, send
from .reading import COMPLETE, WITHOUT_FORM, is_incomplete, known, may_leave_to
from .settle import exchange, finish

__all__ = [
    "COMPLETE",
    "WITHOUT_FORM",
    "again",
    "begin",
    "catch_up",
    "exchange",
    "finish",
    "is_incomplete",
    "known",
    "may_leave_to",
    "send",
]
