"""What goes wrong with a call to FlatPeak, and the words that may be logged of it."""

import re
from typing import Any

JSON = dict[str, Any]
MAX_MESSAGE = 500  # characters of FlatPeak's sentence to the customer


class FlatPeakError(Exception):
    """What every failed call raises; `str()` of it is safe to log.

    `outcome` is one of rejected, unusable, no_answer and not_tried; `status` is 0 where there was no answer, and
    `request_id` "" where FlatPeak gave none.
    """

    outcome: str
    status: int
    request_id: str


class Unavailable(FlatPeakError):
    """FlatPeak gave no usable answer, and whether it took the request is not known."""

    def __init__(self, why: str, outcome: str = "unusable", status: int = 0, request_id: str = "") -> None:
        self.outcome, self.status, self.request_id = outcome, status, request_id
        super().__init__(why)


class Rejected(FlatPeakError):
    """FlatPeak refused. `message` is FlatPeak's English sentence and `code` its name for the reason, "" if it gave none.

    `retry_after` is the number of seconds that FlatPeak wants to be left alone, None if it did not say. What is no
    `word` is no code and no request id.
    """

    outcome = "rejected"

    def __init__(self, call: str, status: int, body: JSON, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        self.code = word(body.get("code"))
        self.message = str(body.get("message") or "")[:MAX_MESSAGE]
        self.request_id = word(body.get("request_id"))
        super().__init__(f"{call}: {status} {self.code or 'no code'}, request {self.request_id or 'unknown'}")


def word(value: Any) -> str:
    """FlatPeak's name for something if it can stand in a log line, else "": no sentence, no second line, no token."""
    text = value if isinstance(value, str) else ""
    return text if re.fullmatch(r"[A-Za-z0-9][\w./:+-]{0,63}", text, re.ASCII) and "cot_" not in text else ""
