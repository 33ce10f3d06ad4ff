"""The errors of a call to FlatPeak, and which of FlatPeak's words may be logged."""

import re
from typing import Any

JSON = dict[str, Any]
MAX_MESSAGE = 500  # characters of FlatPeak's sentence to the customer


class FlatPeakError(Exception):
    """The base of both errors; `str()` of it is safe to log.

    `outcome` is rejected, unusable, no_answer or not_tried. `status` is 0 without an answer, `request_id` "" if FlatPeak
    gave none.
    """

    outcome: str
    status: int
    request_id: str


class Unavailable(FlatPeakError):
    """FlatPeak gave no usable answer; it may have taken the request."""

    def __init__(self, why: str, outcome: str = "unusable", status: int = 0, request_id: str = "") -> None:
        self.outcome, self.status, self.request_id = outcome, status, request_id
        super().__init__(why)


class Rejected(FlatPeakError):
    """FlatPeak refused: `message` is its English sentence, `code` its name for the reason; "" if it gave none.

    `retry_after` is in seconds, None without Retry-After. A code or request id that is no `word` is dropped.
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
    """FlatPeak's name for something if it is safe in a log line, else "": no sentence, no second line, no token."""
    text = value if isinstance(value, str) else ""
    return text if re.fullmatch(r"[A-Za-z0-9][\w./:+-]{0,63}", text, re.ASCII) and "cot_" not in text else ""
