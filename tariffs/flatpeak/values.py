"""Values in FlatPeak's JSON."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import simplejson

ABSURD = Decimal(1_000_000)
MAX_DEPTH = 50  # of nested lists and objects; FlatPeak's have 5


def parsed(text: str) -> Any:
    """The values of an answer, which PostgreSQL can store; raises ValueError, ArithmeticError or RecursionError."""
    value = simplejson.loads(text, parse_float=_decimal)
    _look_into(value)
    return _clean(value) if UNSTORABLE.search(text) else value


def instant(text: str) -> datetime:
    """An RFC 3339 time as an instant in UTC; raises ValueError or OverflowError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return moment.astimezone(UTC)


def number(value: Any) -> Decimal | None:
    """A number as a Decimal; None for anything else, and for one too large for a price."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    exact = Decimal(value)
    return exact if exact.is_finite() and abs(exact) < ABSURD else None


def zone_named(name: Any) -> ZoneInfo | None:
    """The time zone; None if this server's tzdata has none of that name."""
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or too long for a file
        return None


def _decimal(text: str) -> Decimal:
    """A number with a point or exponent; ValueError if it has too many digits for PostgreSQL."""
    number = Decimal(text)
    if max(number.adjusted(), -int(number.as_tuple().exponent)) > 1000:
        raise ValueError("a number with too many digits")
    return number


def _look_into(value: Any, depth: int = 0) -> None:
    """Raise ValueError if the JSON is nested too deeply for recursive functions."""
    if depth > MAX_DEPTH:
        raise ValueError("lists inside each other without an end")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(item, list | dict):
            _look_into(item, depth + 1)


# NUL and surrogates as JSON escapes them. UTF-8 can't contain surrogates unescaped, JSON no NUL.
UNSTORABLE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)


def _clean(value: Any) -> Any:
    """Remove NUL and lone surrogates, which PostgreSQL refuses to store."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
