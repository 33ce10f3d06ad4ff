import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.functional import SimpleLazyObject
from whitenoise.middleware import WhiteNoiseFileResponse

from .metrics import DURATION

logger = logging.getLogger("flatpeak_app.requests")

View = Callable[[HttpRequest], HttpResponse]


# Of a proxy's ids those are taken that are a UUID and look like one; django-guid takes more, of any length.
REQUEST_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")


def request_id(get_response: View) -> View:
    """Stands before django-guid's, which makes an id where there is none: it goes into log lines and the answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not REQUEST_ID.fullmatch(request.META.get("HTTP_X_REQUEST_ID", "")):
            request.META.pop("HTTP_X_REQUEST_ID", None)
        return get_response(request)

    return middleware


def requests(get_response: View) -> View:
    """A line in the log and an observation in the metrics for each request: the view's name, and no address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = get_response(request)
        seconds = time.perf_counter() - began
        told = {
            "method": request.method if request.method in METHODS else "other",
            "view": view_name(request),
            "status": response.status_code,
            "ms": round(seconds * 1000),
            "user": user_id(request),
        }
        logger.info("%(method)s %(view)s %(status)s in %(ms)s ms, user %(user)s", told, extra=told)
        DURATION.labels(told["view"], told["status"]).observe(seconds)
        return response

    return middleware


def view_name(request: HttpRequest) -> str:
    """Of a number that is bounded: what leads nowhere is `other`, whatever was asked for."""
    if request.resolver_match:
        return request.resolver_match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "other"


def user_id(request: HttpRequest) -> int | None:
    """Of whoever is signed in, if that is known by now: to ask here could be to ask a database that is gone."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return user.pk if user else None


def headers(get_response: View) -> View:
    """What every answer says to browsers beyond what Django and django-csp say; no page is stored in any cache."""

    def middleware(request: HttpRequest) -> HttpResponse:
        # A thread serves one language after the other, and may fail before it knows whose turn it is.
        with translation.override(settings.LANGUAGE_CODE):
            response = get_response(request)
        if not isinstance(response, WhiteNoiseFileResponse):  # a page's: no file asks for a camera
            response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        if settings.FRAME_ANCESTORS:
            del response["X-Frame-Options"]
        # All pages, whoever asks: but for the front page each shows somebody's data or has a form.
        if response.get("Content-Type", "").startswith("text/html"):
            add_never_cache_headers(response)
        return response

    return middleware


def language(get_response: View) -> View:
    """Show the pages in the language that whoever is signed in has chosen, on whatever device that was.

    Without a choice it stays what Django's own found: that of this browser's cookie, or of its settings. The
    administration is in English, for half of its words are the product's.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        administration = request.path.startswith(reverse("admin:index"))
        chosen = settings.LANGUAGE_CODE if administration else getattr(request.user, "language", "")
        if chosen in dict(settings.LANGUAGES):
            translation.activate(chosen)
            request.LANGUAGE_CODE = chosen
        return get_response(request)

    return middleware
