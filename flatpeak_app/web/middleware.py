import logging
import re
import secrets
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import urlsplit

import brotli
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, UnreadablePostError
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.urls import reverse
from django.utils import translation
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django.utils.translation import trans_real
from prometheus_client import Histogram
from whitenoise.middleware import WhiteNoiseFileResponse

from .limits import View

logger = logging.getLogger("flatpeak_app.requests")

DURATION = Histogram(
    "http_request_duration_seconds",
    "Requests by the name of their view and the status of the answer.",
    ["view", "status"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
RETURN = re.compile(r"(/connect/[0-9a-f-]{36}/return/)([\w-]+)/?")
# Characters. Our longest field takes 320; an address with a connect token has a few hundred.
LONGEST_PATH, LONGEST_NAME, LONGEST_VALUE = 500, 100, 1000
ONE_CLICK = "/locations/mails/stop/"  # mail programs post here (RFC 8058), some as multipart
QUALITY = 5  # of Brotli's 11: as fast as gzip here, and a higher one saves no more or takes 10 times as long
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")


def before(prepare: Callable[[HttpRequest], None]) -> Callable[[View], View]:
    """Turn a function that only prepares the request into a middleware."""

    def factory(get_response: View) -> View:
        def middleware(request: HttpRequest) -> HttpResponse:
            prepare(request)
            return get_response(request)

        return middleware

    return factory


@before
def request_id(request: HttpRequest) -> None:
    """Drop an X-Request-ID that is not trusted or not a UUID; django-guid, which comes next, would take any text."""
    if not settings.TRUST_REQUEST_ID or not UUID.fullmatch(request.META.get("HTTP_X_REQUEST_ID", "")):
        request.META.pop("HTTP_X_REQUEST_ID", None)


@before
def absolute(request: HttpRequest) -> None:
    """Start absolute addresses with SITE_URL instead of the request's Host header, which anybody can set."""
    request._current_scheme_host = settings.SITE_URL  # type: ignore[attr-defined]  # build_absolute_uri() reads it


def one_host(get_response: View) -> View:
    """Lead from http://127.0.0.1:8000 to http://localhost:8000, or the return from a login would find no session."""

    def middleware(request: HttpRequest) -> HttpResponse:
        site, host = urlsplit(settings.SITE_URL), request.META.get("HTTP_HOST", "")
        if site.hostname == "localhost" and host in (f"127.0.0.1:{site.port}", f"[::1]:{site.port}"):
            return HttpResponseRedirect(settings.SITE_URL + request.get_full_path(), preserve_request=True)
        return get_response(request)

    return middleware


@before
def return_secret(request: HttpRequest) -> None:
    """Move the secret of a provider's login from the path to the request, so no log, mail or page can show it."""
    if found := RETURN.fullmatch(request.path_info):
        request.path, request.path_info = found[1], found[1]
        request.return_secret = found[2]  # type: ignore[attr-defined]


@before
def fields(request: HttpRequest) -> None:
    """Raise BadRequest for files, and for paths and fields longer than any page of ours sends; drop invisible characters.

    This covers the forms of allauth and the admin too, before a view or a regular expression reads them.
    """
    # Checked by the header, so the body is not read.
    is_multipart = (request.content_type or "").startswith("multipart/")
    if is_multipart and request.path_info != ONE_CLICK:
        raise BadRequest("no form takes files")
    if len(request.path) > LONGEST_PATH:
        raise BadRequest("the path is too long")
    try:
        given: list[tuple[str, QueryDict]] = [("GET", request.GET)]
        given += [] if is_multipart else [("POST", request.POST)]
        if (
            request.method == "POST"
            and not is_multipart
            and len(request.body) < int(request.META.get("CONTENT_LENGTH") or 0)
        ):
            raise BadRequest("the end of the form is missing")
    except UnreadablePostError:  # the client hung up or took too long
        raise BadRequest("the form did not arrive") from None
    for method, data in given:
        for name, values in data.lists():
            if len(name) > LONGEST_NAME or any(len(value) > LONGEST_VALUE for value in values):
                raise BadRequest("a field is too long")
        if not all(value.isascii() for _, values in data.lists() for value in values):
            setattr(request, method, visible(data))


def visible(data: QueryDict) -> QueryDict:
    """The fields without characters that nobody sees, which come with copied text. A password keeps them."""
    found = QueryDict(mutable=True)
    for name, values in data.lists():
        kept = [
            "".join(letter for letter in value if unicodedata.category(letter) != "Cf" or "password" in name)
            for value in values
        ]
        found.setlist(name, kept)
    return found


def language(get_response: View) -> View:
    """Use the language of the account. Without one, keep what LocaleMiddleware found: cookie, then browser.

    The admin is always in English, because half of its texts are Django's own.
    """
    # English texts are in no catalog. Django would look for each in five more, which are all empty.
    trans_real.translation(settings.LANGUAGE_CODE)._fallback = None  # type: ignore[attr-defined]

    @before
    def middleware(request: HttpRequest) -> None:
        is_admin = request.path.startswith(reverse("admin:index"))
        chosen = settings.LANGUAGE_CODE if is_admin else getattr(request.user, "language", "")
        if chosen in dict(settings.LANGUAGES):
            translation.activate(chosen)
            request.LANGUAGE_CODE = chosen

    return middleware(get_response)


def requests(get_response: View) -> View:
    """Log one line and observe one duration per request, by the view's name and never by its address."""

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
    """Label an address without a view `other`, so the number of series is bounded."""
    if request.resolver_match:
        return request.resolver_match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "other"


def user_id(request: HttpRequest) -> int | None:
    """Return the user's id if it is loaded already: loading it here would query a database that may be down."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return user.pk if user else None


def headers(get_response: View) -> View:
    """Set the headers that neither Django nor django-csp sets, and let no cache store a page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        # Start from the default language: the thread still has the last request's, and an early error page would use it.
        with translation.override(settings.LANGUAGE_CODE):
            response = get_response(request)
        if isinstance(response, WhiteNoiseFileResponse):  # it opens no window and asks for no camera
            del response["Cross-Origin-Opener-Policy"], response["Referrer-Policy"]
        else:
            response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        if settings.FRAME_ANCESTORS:  # this header can't name them
            del response["X-Frame-Options"]
        # Nearly every page shows somebody's data or has a form.
        if response.get("Content-Type", "").startswith("text/html"):
            add_never_cache_headers(response)
        return response

    return middleware


class Compress(GZipMiddleware):
    """Django's compression, but with Brotli for whole responses where the browser takes it: a tenth to a sixth smaller."""

    max_random_bytes = 50

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        takes = re.search(r"\bbr\b", request.headers.get("Accept-Encoding", ""))
        if not takes or not isinstance(response, HttpResponse) or response.has_header("Content-Encoding"):
            return super().process_response(request, response)
        if len(response.content) < 200:
            return response
        response.content = brotli.compress(response.content, quality=QUALITY)
        response["Content-Encoding"] = "br"
        response["Content-Length"] = str(len(response.content))
        # A length that varies hides what a page contains, as Django's gzip does (BREACH).
        response["X-Padding"] = "x" * secrets.randbelow(self.max_random_bytes)
        patch_vary_headers(response, ["Accept-Encoding"])
        if response.get("ETag", "").startswith('"'):
            response["ETag"] = f"W/{response['ETag']}"
        return response
