"""What the sandbox refuses: FlatPeak's errors, lost answers, and what it tolerates unless it is strict."""

from collections.abc import Iterable
from contextvars import ContextVar
from string import Template
from typing import Any

from .codec import Json, data

ERRORS: dict[str, Json] = data("errors")
TOLERATED: dict[str, str] = data("tolerated")
# The names in data/tolerated.json that this call made use of. None: the sandbox is strict.
granted: ContextVar[set[str] | None] = ContextVar("granted", default=None)


def tolerated(name: str) -> bool:
    """Whether to accept something undocumented. Notes it, so that the log can name it; False if the sandbox is strict."""
    names = granted.get()
    if names is None:
        return False
    names.add(name)
    return True


class Failure(Exception):
    """An error as the answer.

    key is a key of data/errors.json: FlatPeak's code, with a variant after a slash. `values` fill the message there.
    code replaces FlatPeak's code where several share one message. on_purpose: a fault that was set.
    The note goes to the log only.
    """

    def __init__(self, key: str, code: str = "", **values: object) -> None:
        super().__init__(key)
        entry = ERRORS[key]
        self.on_purpose = key.endswith("/fault")
        self.bare = "bare" in entry
        self.code = code or key.partition("/")[0]
        self.status = int(entry.get("status", 422))
        self.context: str = entry.get("context", "")
        self.kind = entry.get("type", "invalid_request")
        self.message = Template(entry["message"]).substitute(values)
        self.note: str = entry.get("log", "")
        self.headers: dict[str, str] = {}


class AnswerLost(Exception):
    """No answer: the connection is closed, or reset, after so many seconds."""

    def __init__(self, seconds: float = 0, reset: bool = False) -> None:
        super().__init__(seconds, reset)
        self.seconds, self.reset = seconds, reset


def check_fields(value: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> Json:
    """Return the object if it has all required and no unknown fields. Raises data_json_invalid otherwise."""
    known = dict.fromkeys([*required, *optional])
    listed = ", ".join(known) or "no field"
    if not isinstance(value, dict):
        raise Failure("data_json_invalid/object", where=where, known=listed)
    if wrong := [*(name for name in required if name not in value), *(name for name in value if name not in known)]:
        raise Failure("data_json_invalid/fields", where=where, wrong=", ".join(wrong)[:80], known=listed)
    return value
