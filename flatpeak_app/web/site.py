"""Pages that belong to no part of the site: its frame, the choice of language and colours, offline, errors."""

import sys

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language
from django_guid import get_guid

WAIT = "60"  # seconds; allauth does not say when a limit ends, and all limits that end in a 429 are per minute

OFFLINE_WORKER = settings.BASE_DIR / "static/js/offline.js"

THEMES = ("light", "dark")


def site_context(request: HttpRequest) -> dict[str, object]:
    return {
        "frame": "part.html" if getattr(request, "part", False) else "base.html",  # of pages that may be steps in place
        "TEST_MODE": not settings.FLATPEAK_LIVE_MODE,
        "SANDBOX_URL": settings.FLATPEAK_CONNECT_URL + "/" if settings.SANDBOX else "",
        "TERMS_URL": settings.TERMS_URL,
        "PRIVACY_URL": settings.PRIVACY_URL,
        "IMPRINT_URL": settings.IMPRINT_URL,
        "SUPPORT_EMAIL": settings.SUPPORT_EMAIL,
        "BRAND_NAME": settings.BRAND_NAME,
        "BRAND_STYLE": settings.BRAND_STYLE,
        "theme": theme if (theme := request.COOKIES.get(settings.THEME_COOKIE_NAME)) in THEMES else "",
        "LANGUAGES": settings.LANGUAGES,
        "HERE": here(request),
        "request_id": get_guid(),
    }


def here(request: HttpRequest) -> str:
    """The address of the page in view, to come back to it; without its query where that is no GET's, or has a token."""
    return request.path if request.method != "GET" or "fp_cot" in request.GET else request.get_full_path()


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the language in a cookie, and for whoever is signed in with the account; then back to the page it came from."""
    language = request.POST.get("language")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        get_user_model().objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)


@login_not_required
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Light or dark pages, kept in a cookie, or as the device has them; then back to the page it came from."""
    target = request.POST.get("next", "")
    # Not by redirect(), to which a word is the name of a view.
    is_ours = target.startswith("/") and url_has_allowed_host_and_scheme(target, None)
    response = HttpResponseRedirect(target if is_ours else "/")
    theme = request.POST.get("theme")
    if theme in THEMES:
        response.set_cookie(
            settings.THEME_COOKIE_NAME,
            theme,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.PRODUCTION,
            httponly=True,
            samesite="Lax",
        )
    else:
        response.delete_cookie(settings.THEME_COOKIE_NAME, samesite="Lax")
    return response


@login_not_required
@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """What a browser keeps, to show it where there is no network: nothing of a person, whose messages can wait."""
    return render(request, "offline.html", {"messages": ()})


@login_not_required
@require_safe
def offline_worker(request: HttpRequest) -> HttpResponse:
    """The service worker that shows it. At the top of the site, for it may see to no pages above its own address."""
    return HttpResponse(
        OFFLINE_WORKER.read_bytes(), content_type="text/javascript", headers={"Cache-Control": "no-cache"}
    )


def too_many_requests(request: HttpRequest) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response["Retry-After"] = WAIT
    return response


def without_request(status: int, **headers: str) -> HttpResponse:
    """The page of an error in which who asks, and what for, may not be known."""
    context = {"request_id": get_guid(), "BRAND_NAME": settings.BRAND_NAME, "SUPPORT_EMAIL": settings.SUPPORT_EMAIL}
    return HttpResponse(render_to_string(f"{status}.html", context), status=status, headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return without_request(400)


def server_error(request: HttpRequest) -> HttpResponse:
    """What broke is ours to mend, 500; a database that can't be reached, or is locked, may be back soon, 503."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return without_request(503, **{"Retry-After": WAIT})
    return without_request(500)
