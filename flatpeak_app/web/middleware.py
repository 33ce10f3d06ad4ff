import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import reverse
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.functional import SimpleLazyObject
from prometheus_client import Histogram
from whitenoise.middleware import WhiteNoiseFileResponse

logger = logging.getLogger("flatpeak_app.requests")

DURATION = Histogram(
    "http_request_duration_seconds",
    "Requests by the name of their view and the status of the answer.",
    ["view", "status"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)

View = Callable[[HttpRequest], HttpResponse]


# Of a proxy's ids, where it is trusted, those are taken that look like a UUID; django-guid takes more, of any length.
REQUEST_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
# Characters. The longest that a form of ours takes has 320, and an address with a connect token some hundreds.
LONGEST_PATH, LONGEST_NAME, LONGEST_VALUE = 500, 100, 1000
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")


def request_id(get_response: View) -> View:
    """Stands before django-guid's, which makes an id where there is none: it goes into log lines and the answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not settings.TRUST_REQUEST_ID or not REQUEST_ID.fullmatch(request.META.get("HTTP_X_REQUEST_ID", "")):
            request.META.pop("HTTP_X_REQUEST_ID", None)
        return get_response(request)

    return middleware


def absolute(get_response: View) -> View:
    """Let whole addresses begin with SITE_URL, whatever a request gives for its host: mails have some."""

    def middleware(request: HttpRequest) -> HttpResponse:
        # What Django puts before a path in build_absolute_uri().
        request._current_scheme_host = settings.SITE_URL  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


RETURN = re.compile(r"(/connect/[0-9a-f-]{36}/return/)([\w-]+)/?")


def return_secret(get_response: View) -> View:
    """Take the secret out of the address that a provider's login returns to: no log, mail or page can have it then."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if found := RETURN.fullmatch(request.path_info):
            request.path, request.path_info = found[1], found[1]
            request.return_secret = found[2]  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


def lengths(get_response: View) -> View:
    """Answer 400 to what no page of ours sends, before a view, a form or a pattern sees it: files, and texts of any length.

    It holds for all forms, those of allauth and of the admin too; a field of a form may take less.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if (request.content_type or "").startswith("multipart/"):  # by its header: the body stays unread
            raise BadRequest("no form takes files")
        if len(request.path) > LONGEST_PATH:
            raise BadRequest("the path is too long")
        try:
            given = (*request.GET.lists(), *request.POST.lists())
            if request.method == "POST" and len(request.body) < int(request.META.get("CONTENT_LENGTH") or 0):
                raise BadRequest("the end of the form is missing")
        except UnreadablePostError:  # whoever sent it has hung up, or took too long
            raise BadRequest("the form did not arrive") from None
        for name, values in given:
            if len(name) > LONGEST_NAME or any(len(value) > LONGEST_VALUE for value in values):
                raise BadRequest("a field is too long")
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
