"""The bearer token of the account's calls: sign in, share it among workers, renew it."""

import hashlib
import logging
import time
from functools import partial

from django.conf import settings
from django.core.cache import cache

from . import account
from .errors import JSON, Unavailable
from .http import ask, log, total_timeout
from .values import number


def new_bearer() -> JSON:
    """`{bearer_token, expires_in (seconds), live_mode}`, with the account's credentials. Reference: authorization."""
    credentials, url = (settings.FLATPEAK_ACCOUNT_ID, settings.FLATPEAK_API_KEY), settings.FLATPEAK_API_URL + "/login"
    heard, needs = partial(account.heard, None), {"bearer_token": str}
    return ask("GET /login", "GET", url, auth=credentials, needs=needs, unfit=_no_header, heard=heard)


def _no_header(granted: JSON) -> str:
    token = granted["bearer_token"]
    return "" if token.isascii() and token.isprintable() else "a bearer that no header can carry"


def token(refused: str = "") -> str:
    """The bearer that all workers share; a new one if there is none, or if the one given was refused.

    Of all that need a new one at the same time, in any process, one signs in and the others wait for the result.
    """
    whose = f"{settings.FLATPEAK_API_URL} {settings.FLATPEAK_ACCOUNT_ID} {settings.FLATPEAK_API_KEY}"
    key = "flatpeak-bearer:" + hashlib.sha256(whose.encode()).hexdigest()
    if (held := cache.get(key)) not in (None, refused):
        return held
    signing_in, began = f"{key}:signing-in", time.perf_counter()
    if not cache.add(signing_in, True, total_timeout()):
        while cache.get(signing_in):
            time.sleep(0.02)
        if (held := cache.get(key)) not in (None, refused):
            return held
        error = Unavailable("GET /login: not tried, as another request's came to nothing", "not_tried")
        log(logging.WARNING, f"{error}", began, "GET /login", error.outcome, error.status, error.request_id)
        raise error
    try:
        if (held := cache.get(key)) in (None, refused):
            granted = new_bearer()
            held = granted["bearer_token"]
            cache.set(key, held, max(int(number(granted.get("expires_in")) or 0) - 60, 1))
        return held
    finally:
        cache.delete(signing_in)
