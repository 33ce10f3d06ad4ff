"""The only package that talks to FlatPeak.

Each function is one call. All raise `Unavailable` (network, timeout, 5xx, `connect_error`, not JSON, too large: nothing
was decided) or `Rejected` (another error object or a 4xx, with FlatPeak's message and code). Numbers arrive as Decimal and
leave as numbers. Amounts are major currency units per kWh. No token, key, address or query string gets into a log line or an
exception.

Each call is one line in the log, with the reason if it failed, so callers need not log the error again.
"""

from .account import is_anodes, shown, told
from .bearer import new_bearer
from .calls import (
    JSON,
    MAX_ID,
    WirePage,
    answer,
    create_connect_token,
    delete_customer,
    delete_location,
    exchange,
    has_location,
    location,
    location_status,
    rates,
)
from .errors import FlatPeakError, Rejected, Unavailable, word
from .http import purpose, recording, releasing, silent, total_timeout
from .release import ANODE, KNOWN, ZERO, Release, of
from .signatures import Forged, Unsigned, check_signature
from .values import instant, number, parsed, zone_named

__all__ = [
    "ANODE",
    "JSON",
    "KNOWN",
    "MAX_ID",
    "ZERO",
    "FlatPeakError",
    "Forged",
    "Rejected",
    "Release",
    "Unavailable",
    "Unsigned",
    "WirePage",
    "answer",
    "check_signature",
    "create_connect_token",
    "delete_customer",
    "delete_location",
    "exchange",
    "has_location",
    "instant",
    "is_anodes",
    "location",
    "location_status",
    "new_bearer",
    "number",
    "of",
    "parsed",
    "purpose",
    "rates",
    "recording",
    "releasing",
    "shown",
    "silent",
    "told",
    "total_timeout",
    "word",
    "zone_named",
]
