"""What the customer is told where FlatPeak gave no answer or refused one: what happened, and what to do."""

import math
import re

from tariffs.flatpeak import FlatPeakError, Rejected

TRY_AGAIN = "FlatPeak can't be reached just now. Nothing you typed is lost: please try again in a moment."
NOT_ALLOWED = (
    "FlatPeak did not let this through. Nothing you typed is lost: please try again, or start over if that fails too."
)
NOT_READY = "FlatPeak was not ready for this. Nothing you typed is lost: please try again, or go back one question."
NO_REASON = (
    "FlatPeak did not take this, and did not say why. Nothing you typed is lost: please check it, and try again."
)
AT_FIELD = "FlatPeak did not take this: please check it, and try again."


def sentence(error: FlatPeakError) -> str:
    """A sentence of this site's own; FlatPeak's is quoted in it where it is about the answer, and written for people."""
    if not isinstance(error, Rejected):
        return TRY_AGAIN
    if error.status == 429:
        return (
            "FlatPeak has too much to do. Nothing you typed is lost: "
            f"please try again in {in_words(error.retry_after or 60)}."
        )
    if error.status in (401, 403):
        return NOT_ALLOWED
    if error.status == 409:
        return NOT_READY
    if not is_for_people(error.message):
        return NO_REASON
    return f"FlatPeak says: “{error.message}” Nothing you typed is lost: please change your answer, or try again."


def in_words(seconds: float) -> str:
    """How long to wait, rounded up: "7 seconds", "a minute", "2 hours"."""
    for length, one, many in ((3600, "an hour", "hours"), (60, "a minute", "minutes"), (1, "a second", "seconds")):
        if seconds >= length or length == 1:
            number = max(1, math.ceil(seconds / length))
            return one if number == 1 else f"{number} {many}"
    raise AssertionError


def is_for_people(message: str) -> bool:
    """Whether it is a sentence, and not one of field names and JSON, nor of characters that are not seen."""
    return message.isprintable() and bool(re.fullmatch(r"[A-Z][^_{}\[\]<>=\\]{5,300}[.!?]", message))
