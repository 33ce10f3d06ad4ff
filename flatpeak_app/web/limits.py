"""Limits on what one person may ask for in a minute, set by RATE_LIMITS and counted in the cache that workers share."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from .site import WAIT, too_many_requests

TOO_MANY = _("You did that too often within a minute. Try again in a minute.")
View = Callable[..., HttpResponse]


def limited(action: str, *methods: str, refuse: View | None = None) -> Callable[[View], View]:
    """Answer 429 when these methods call a view more often than `action` allows.

    `refuse` takes the view's arguments and makes the body of that answer; the default is the 429 page.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def limited_view(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if request.method not in methods or not is_too_often(action, who(request)):
                return view(request, *args, **kwargs)
            response = refuse(request, *args, **kwargs) if refuse else too_many_requests(request)
            response.status_code, response["Retry-After"] = 429, WAIT
            return response

        return limited_view

    return decorator


def who(request: HttpRequest) -> object:
    """Return whom a limit counts: what a view has set, else the user, else the client's address."""
    return getattr(request, "counted_as", "") or request.user.pk or get_adapter().get_client_ip(request)


def is_too_often(action: str, user: object) -> bool:
    """Count this request and return whether it exceeds the user's limit for this minute."""
    limit = settings.RATE_LIMITS.get(action)
    # The key outlives its minute: if it expired during an increment, Redis would keep it for ever.
    return limit is not None and count(f"limit:{action}:{user}:{minute()}", 120) > limit


def count(key: str, seconds: int) -> int:
    """Count `key` once more and return how often it was counted within `seconds` of the first time."""
    with suppress(ValueError):  # nothing was counted yet
        return cache.incr(key)
    if not cache.add(key, 1, seconds):  # another request was first
        with suppress(ValueError):
            return cache.incr(key)
    return 1


def minute() -> int:
    return int(time.time() // 60)
