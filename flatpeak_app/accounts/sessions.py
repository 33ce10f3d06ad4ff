"""How long a sign-in lasts: two weeks after its last use, and for staff STAFF_SESSION_AGE after the sign-in."""

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from flatpeak_app.web.middleware import before

COOKIE = 'Cookie cookie-name="sessionid"'  # as a challenge
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


class SignedIn(LoginRequiredMiddleware):
    """Django's, but a program that asks for a file gets a sentence with its 401 instead of a page to sign in on.

    A view with `takes_keys` checks the key of a device itself.
    """

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse | None:  # type: ignore[override]
        takes_keys = getattr(view_func, "takes_keys", False)
        if takes_keys and request.headers.get("Authorization", "").lower().startswith("bearer "):
            return None
        if request.path.endswith((".csv", ".json")) and "text/html" not in request.headers.get("Accept", ""):
            said = gettext("Sign in first, and send the session's cookie with the request.")
            if takes_keys:
                said = gettext("Send the key of a device in the header Authorization, after the word Bearer.")
            headers = {"WWW-Authenticate": f"Bearer, {COOKIE}" if takes_keys else COOKIE, "Cache-Control": "no-store"}
            return HttpResponse(f"{said}\n", "text/plain; charset=utf-8", 401, headers=headers)
        return super().handle_no_permission(request, view_func)


def forget(response: HttpResponse) -> HttpResponse:
    """Let the browser drop its cache and storage, and what was typed; the other cookies stay, such as the language's."""
    response.delete_cookie(settings.TYPED_COOKIE_NAME, samesite="Lax")
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response
