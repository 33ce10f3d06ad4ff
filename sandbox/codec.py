"""Exact JSON and RFC 3339 times."""

import json
import re
from datetime import datetime
from decimal import Decimal
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HERE = Path(__file__).parent
_RFC3339 = re.compile(r"(19|2[0-4])\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def loads(text: str | bytes) -> Any:
    """Parse JSON. Every number becomes a Decimal, which no bool is. Raises ValueError if it is not JSON."""
    try:
        # int() refuses NaN and Infinity, which are not JSON.
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: Any) -> str:
    """Write JSON. Decimals keep their digits, as 0.2815: json itself would need a float."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(key)}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def data(name: str) -> Any:
    """Read data/<name>.json."""
    return loads((HERE / "data" / f"{name}.json").read_bytes())


def rfc3339(moment: datetime, precision: str = "seconds") -> str:
    """Write an aware datetime in its own offset, with Z for UTC."""
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def parse_rfc3339(text: Any) -> datetime:
    """Read an aware datetime. Raises ValueError for anything but RFC 3339 text with an offset."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise ValueError("A time must be RFC 3339 with Z or an offset, as 2026-10-25T00:00:00Z, from 1900 to 2499.")
    return datetime.fromisoformat(text)
