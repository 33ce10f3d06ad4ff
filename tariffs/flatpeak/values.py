"""Values of FlatPeak's JSON."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ABSURD = Decimal(1_000_000)


def instant(text: str) -> datetime:
    """An RFC 3339 time as an instant in UTC; ValueError or OverflowError if it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return moment.astimezone(UTC)


def number(value: Any) -> Decimal | None:
    """A number from FlatPeak's JSON as a Decimal; None if it is none, or none that a price could be."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    exact = Decimal(value)
    return exact if exact.is_finite() and abs(exact) < ABSURD else None


def zone_named(name: Any) -> ZoneInfo | None:
    """None for what is no time zone, or none that this server's time zone database has."""
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or too long for a file
        return None
