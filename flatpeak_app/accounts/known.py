"""Browsers that have signed in to an account before, by a signed cookie with digests of the accounts' addresses.

Such a browser has its own count of failed sign-ins and of mails, so wrong passwords from elsewhere do not lock it out.
The cookie signs nobody in.
"""

import json
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

MOST = 5  # accounts per browser; the oldest sign-in is forgotten


def account(email: str) -> str:
    return salted_hmac("known", email.lower()).hexdigest()[:20]


def browser_ids(request: HttpRequest) -> dict[str, str]:
    """Return this browser's id for each account in its cookie."""
    cookie = request.get_signed_cookie(settings.KNOWN_COOKIE_NAME, None, max_age=settings.KNOWN_COOKIE_AGE)
    return json.loads(cookie or "{}")


def browser_id(request: HttpRequest, email: str) -> str:
    """Return this browser's id for the account, "" if it never signed in to it."""
    return browser_ids(request).get(account(email), "")


def remember(request: HttpRequest, response: HttpResponse, email: str) -> None:
    ids = browser_ids(request)
    ids[account(email)] = ids.pop(account(email), secrets.token_urlsafe(12))
    options = {"max_age": settings.KNOWN_COOKIE_AGE, **settings.COOKIE_OPTIONS}
    response.set_signed_cookie(settings.KNOWN_COOKIE_NAME, json.dumps(dict(list(ids.items())[-MOST:])), **options)
