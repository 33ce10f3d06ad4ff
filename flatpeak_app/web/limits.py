"""Limits on what one person may ask for in a minute, counted in the cache that workers share; RATE_LIMITS has them."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.ratelimit import respond_429
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

TOO_MANY = _("There were too many requests within a minute. Please try again in a minute.")
View = Callable[..., HttpResponse]


def limited(action: str, *methods: str, refuse: View | None = None) -> Callable[[View], View]:
    """Let a view be asked by these methods as often as `action` allows, else answer 429.

    `refuse` takes what the view takes and makes that answer's body; without it the answer is the page.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def limited_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in methods or not is_too_often(action, who(request)):
                return view(request, *args, **kwargs)
            page = respond_429(request)
            if refuse is None:
                return page
            response = refuse(request, *args, **kwargs)
            response.status_code, response["Retry-After"] = page.status_code, page["Retry-After"]
            return response

        return limited_view

    return decorator


def who(request: HttpRequest) -> Any:
    """The person, or the address of a browser that is not signed in."""
    return request.user.pk or get_adapter().get_client_ip(request)


def is_too_often(action: str, user: Any) -> bool:
    """Whether this request, which is counted, is one too many of its minute."""
    if action not in settings.RATE_LIMITS:
        return False
    key = f"limit:{action}:{user}:{minute()}"
    try:
        count = cache.incr(key)
    except ValueError:  # the first, of which there may be two at once
        count = 1
        cache.add(key, count, 120)  # longer than its minute: what expires while it is incremented would stay for ever
    return count > settings.RATE_LIMITS[action]


def count(key: str, seconds: int) -> int:
    """How often this was asked within so many seconds of the first time, this one counted; 0 while the cache is gone."""
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key)
    except ValueError:
        return 0


def minute() -> int:
    return int(time.time() // 60)
