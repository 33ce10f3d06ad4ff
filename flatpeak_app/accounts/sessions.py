"""How long a sign-in lasts: SESSION_COOKIE_AGE after its last use, and for staff STAFF_SESSION_AGE after it was made."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from flatpeak_app.web.limits import View

RENEWED_EVERY = 24 * 3600  # seconds, so that not every page writes to the database


def now() -> int:
    return int(timezone.now().timestamp())


@receiver(user_logged_in)
def begin(request: HttpRequest, **signal: Any) -> None:
    request.session["signed_in_at"] = request.session["renewed_at"] = now()


def is_fresh(request: HttpRequest) -> bool:
    """Whether whoever signed in did so just now, and need not give the password again."""
    return now() - request.session.get("signed_in_at", 0) < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def lasting(get_response: View) -> View:
    """Renew a sign-in that is used, at most daily, and end one of staff in time."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            session = request.session
            if request.user.is_staff and now() - session.get("signed_in_at", 0) >= settings.STAFF_SESSION_AGE:
                logout(request)
            elif now() - session.get("renewed_at", 0) >= RENEWED_EVERY:
                session["renewed_at"] = now()  # what is saved lasts from now on, and its cookie too
        return get_response(request)

    return middleware


def end_all(users: QuerySet[Any]) -> int:
    """Sign these people out everywhere; the number of sign-ins that this ended."""
    sessions = list(UserSession.objects.filter(user__in=users))
    for session in sessions:
        session.end()
    return len(sessions)


def forget(response: HttpResponse) -> HttpResponse:
    """Let a browser drop what it kept of this site but its cookies: the language, and that it is known, stay."""
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response
