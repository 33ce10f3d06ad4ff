"""Whether an event is FlatPeak's: RSA-PSS with SHA-256 over "<timestamp>.<body>", by a key that FlatPeak publishes."""

import base64
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from django.core.cache import cache

from .errors import Unavailable
from .http import ask

# FlatPeak tries for 43 hours to deliver an event. Its clock and ours may differ.
OLDEST, AHEAD = timedelta(hours=72), timedelta(minutes=5)
SECONDS = 3.0  # that the keys may take, because FlatPeak waits ten seconds for our answer
KEYS, ASKED = "flatpeak-keys", "flatpeak-keys:asked"  # in the cache
KEEP, PAUSE = 3600, 60  # seconds that keys are kept, and between two questions for them
Numbers = tuple[str, str]  # the modulus and the exponent of a key, as base64url


class Forged(Exception):
    """The signature is missing, wrong or too old; `str()` says which and is safe to log."""


class Unsigned(Forged):
    """FlatPeak says that it could not sign."""


def check_signature(headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise Forged unless FlatPeak has signed this body, at most 72 hours ago; FlatPeakError if its keys can't be had."""
    scheme, _, signature = headers.get("Flatpeak-Signature", "").partition("=")
    if scheme in ("", "none"):
        raise Unsigned("not signed")
    timestamp = headers.get("Flatpeak-Timestamp", "")
    if scheme != "v1" or not re.fullmatch("[0-9]{10}", timestamp):
        raise Forged("unknown form of a signature")
    if not -AHEAD <= now - datetime.fromtimestamp(int(timestamp), UTC) <= OLDEST:
        raise Forged("signed too long ago, or in the future")
    key = _key(headers.get("Flatpeak-Key-ID", ""))
    if not key:
        raise Forged("unknown key")
    message = timestamp.encode() + b"." + body
    try:
        key.verify(_bytes(signature), message, PSS(MGF1(SHA256()), SHA256().digest_size), SHA256())
    except (InvalidSignature, ValueError):
        raise Forged("wrong signature") from None


def _key(key_id: str) -> RSAPublicKey | None:
    """The published key of that id, None if there is none. Raises FlatPeakError if the keys can't be had.

    The keys are fetched anew for an id that is not among them, once a minute at most: an id costs a forger nothing.
    """
    known: dict[str, Numbers] | None = cache.get(KEYS)
    if known is None or key_id not in known:
        if cache.add(ASKED, "asking", PAUSE):
            known = _fetched()
        known = known if known is not None else _awaited()
    if key_id not in known:
        return None
    n, e = (int.from_bytes(_bytes(number), "big") for number in known[key_id])
    return RSAPublicNumbers(e, n).public_key()


def _fetched() -> dict[str, Numbers]:
    try:
        known = published_keys()
        cache.set(KEYS, known, KEEP)
        return known
    finally:
        cache.set(ASKED, "answered", PAUSE)


def _awaited() -> dict[str, Numbers]:
    """The keys that another request is fetching. Raises Unavailable if they do not come."""
    end = time.monotonic() + SECONDS
    while (known := cache.get(KEYS)) is None:
        if cache.get(ASKED) != "asking" or time.monotonic() > end:
            raise Unavailable("GET /jwks.json: not tried, as another request's came to nothing", "not_tried")
        time.sleep(0.05)
    return known


def published_keys() -> dict[str, Numbers]:
    """The usable keys by their ids. Reference: webhooks, verify signatures."""
    url = settings.FLATPEAK_API_URL + "/jwks.json"
    answer = ask("GET /jwks.json", "GET", url, needs={"keys": list}, seconds=SECONDS)
    return {key["kid"]: (key["n"], key["e"]) for key in answer["keys"] if _is_usable(key)}


def _is_usable(key: Any) -> bool:
    """Whether it is an RSA key of 2048 to 8192 bits with the usual exponent."""
    if not isinstance(key, dict) or not all(isinstance(key.get(name), str) for name in ("kid", "n", "e")):
        return False
    return key.get("kty") == "RSA" and 256 <= len(_bytes(key["n"])) <= 1024 and _bytes(key["e"]) == b"\1\0\1"


def _bytes(text: str) -> bytes:
    """Read base64url without padding; empty for anything else."""
    if not re.fullmatch(r"[\w-]+", text, re.ASCII) or len(text) % 4 == 1:
        return b""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
