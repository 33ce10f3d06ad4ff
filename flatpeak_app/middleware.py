from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

View = Callable[[HttpRequest], HttpResponse]


def healthz(get_response: View) -> View:
    """Answer `/healthz` before anything else: a prober speaks plain http and knows no host name of ours."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok\n", "text/plain") if request.path == "/healthz" else get_response(request)

    return middleware


def headers(get_response: View) -> View:
    """What every answer says to browsers beyond what Django and django-csp say; no page is stored in any cache."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        if settings.FRAME_ANCESTORS:
            del response["X-Frame-Options"]
        # All pages, whoever asks: but for the front page each shows somebody's data or has a form.
        if response.get("Content-Type", "").startswith("text/html"):
            add_never_cache_headers(response)
        return response

    return middleware
