"""Browsers that have signed in to an account before, by a signed cookie with digests of the accounts' addresses.

Such a browser has its own count of failed sign-ins and of mails, so wrong passwords from elsewhere do not lock it out.
The cookie signs nobody in.
"""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

MOST = 5  # accounts per browser; the oldest sign-in is forgotten


def account(email: str) -> str:
    return salted_hmac("known", email.lower()).hexdigest()[:20]


def browser_ids(request: HttpRequest) -> dict[str, str]:
    """Return this browser's id for each account in its cookie."""
    cookie = request.COOKIES.get(settings.KNOWN_COOKIE_NAME, "")
    try:
        return signing.loads(cookie, salt="known", max_age=settings.KNOWN_COOKIE_AGE)
    except signing.BadSignature:
        return {}


def browser_id(request: HttpRequest, email: str) -> str:
    """Return this browser's id for the account, "" if it never signed in to it."""
    return browser_ids(request).get(account(email), "")


def remember(request: HttpRequest, response: HttpResponse, email: str) -> None:
    ids = browser_ids(request)
    ids[account(email)] = ids.pop(account(email), secrets.token_urlsafe(12))
    value = signing.dumps(dict(list(ids.items())[-MOST:]), salt="known")
    response.set_cookie(settings.KNOWN_COOKIE_NAME, value, settings.KNOWN_COOKIE_AGE, **settings.COOKIE_OPTIONS)
