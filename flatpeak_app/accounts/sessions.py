"""How long a sign-in lasts: two weeks after its last use, and for staff STAFF_SESSION_AGE after the sign-in."""

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from flatpeak_app.web.middleware import before

RENEWED_EVERY = 24 * 3600  # seconds, so that not every page writes to the database


def now() -> int:
    return int(timezone.now().timestamp())


@before
def lasting(request: HttpRequest) -> None:
    """Renew a session in use, at most daily, and end one of staff in time."""
    if request.user.is_staff and now() - request.session.get("signed_in_at", 0) >= settings.STAFF_SESSION_AGE:
        logout(request)
    elif request.user.is_authenticated and now() - request.session.get("renewed_at", 0) >= RENEWED_EVERY:
        request.session["renewed_at"] = now()  # a change saves the session and its cookie with a new expiry


def forget(response: HttpResponse) -> HttpResponse:
    """Let the browser drop its cache and storage; the cookies stay, for the language and the known browser."""
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response
