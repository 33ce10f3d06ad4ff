"""Browsers that have signed in to an account: a signed cookie names the accounts, by keyed digests of their addresses.

So wrong passwords from elsewhere lock nobody out of a browser of their own. The cookie opens nothing by itself: it gives
its browser a count of failed sign-ins, and of mails, apart from everybody else's.
"""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

MOST = 5  # accounts of one browser; the one that signed in longest ago is forgotten


def account(email: str) -> str:
    return salted_hmac("known", email.lower()).hexdigest()[:20]


def accounts(request: HttpRequest) -> dict[str, str]:
    """For each account the name of this browser, which no other has."""
    cookie = request.COOKIES.get(settings.KNOWN_COOKIE_NAME, "")
    try:
        return signing.loads(cookie, salt="known", max_age=settings.KNOWN_COOKIE_AGE)
    except signing.BadSignature:
        return {}


def browser(request: HttpRequest, email: str) -> str:
    """The name of the browser, or "" if it is not known to this account."""
    return accounts(request).get(account(email), "")


def remember(request: HttpRequest, response: HttpResponse, email: str) -> None:
    known = accounts(request)
    known[account(email)] = known.pop(account(email), secrets.token_urlsafe(12))
    response.set_cookie(
        settings.KNOWN_COOKIE_NAME,
        signing.dumps(dict(list(known.items())[-MOST:]), salt="known"),
        max_age=settings.KNOWN_COOKIE_AGE,
        secure=settings.PRODUCTION,
        httponly=True,
        samesite="Lax",
    )
