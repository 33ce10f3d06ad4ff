"""What belongs to no part of the site: the frame of every page, the choice of language and theme, offline, errors."""

import sys
from functools import partial

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language
from django_guid import get_guid

WAIT = "60"  # seconds; allauth does not say when a limit ends, and all limits that end in a 429 are per minute
DAY = 24 * 3600  # seconds
THEMES = ("light", "dark")
HOME_ICONS = [("icon-192.png", 192, "any"), ("icon-512.png", 512, "any"), ("icon-maskable.png", 512, "maskable")]
ON_EVERY_PAGE = [
    *("TERMS_URL", "PRIVACY_URL", "IMPRINT_URL", "SUPPORT_EMAIL"),
    *("BRAND_NAME", "BRAND_STYLE", "ACCOUNT_STYLE", "HOME_STYLE", "RATES_STYLE", "RATES_SCRIPT", "LANGUAGES"),
]


def site_context(request: HttpRequest) -> dict[str, object]:
    theme = request.COOKIES.get(settings.THEME_COOKIE_NAME)
    # To come back to: without its query after a POST, or where the query has a connect token.
    here = request.path if request.method != "GET" or "fp_cot" in request.GET else request.get_full_path()
    return {name: getattr(settings, name) for name in ON_EVERY_PAGE} | {
        "frame": "part.html" if getattr(request, "part", False) else "base.html",  # of pages that may be steps in place
        # A browser that has no cookie of ours has no style sheet of ours either, and would wait for it before it paints.
        "STYLE": "" if settings.CSRF_COOKIE_NAME in request.COOKIES else settings.APP_STYLE,
        "TEST_MODE": not settings.FLATPEAK_LIVE_MODE,
        "SANDBOX_URL": settings.FLATPEAK_CONNECT_URL + "/" if settings.SANDBOX else "",
        "theme": theme if theme in THEMES else "",
        "HERE": here,
        "PERSON": partial(person, request),
        "request_id": get_guid(),
    }


def person(request: HttpRequest) -> str:
    """A name for the user that tells nothing, so that a browser keeps apart what two people type."""
    return salted_hmac("person", str(request.user.pk), algorithm="sha256").hexdigest()[:22]


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Store the language in a cookie and, if signed in, with the account; then redirect to `next`."""
    language = request.POST.get("language")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        get_user_model().objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)


@login_not_required
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Store the theme in a cookie, or delete the cookie to follow the device; then redirect to `next`."""
    target = request.POST.get("next", "")
    is_ours = target.startswith("/") and url_has_allowed_host_and_scheme(target, None)
    response = HttpResponseRedirect(target if is_ours else "/")  # redirect() would take a word for a view's name
    theme = request.POST.get("theme")
    if theme in THEMES:
        response.set_cookie(settings.THEME_COOKIE_NAME, theme, settings.LANGUAGE_COOKIE_AGE, **settings.COOKIE_OPTIONS)
    else:
        response.delete_cookie(settings.THEME_COOKIE_NAME, samesite="Lax")
    return response


@login_not_required
@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Answer what a phone needs to put the site on its home screen, in the format of W3C's web app manifest."""
    icons = [{"src": static("icon.svg"), "type": "image/svg+xml", "sizes": "any"}]
    for name, size, purpose in HOME_ICONS:
        if (settings.ICONS / name).is_file():
            icons.append({"src": static(name), "type": "image/png", "sizes": f"{size}x{size}", "purpose": purpose})
    said = {
        "name": settings.BRAND_NAME,
        "short_name": settings.BRAND_NAME,
        "id": "/",
        "start_url": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#ffffff",
        "icons": icons,
    }
    return JsonResponse(said, content_type="application/manifest+json", headers={"Cache-Control": f"max-age={DAY}"})


@login_not_required
@require_safe
def icon(request: HttpRequest, name: str) -> HttpResponse:
    """Answer an icon that browsers look for at a fixed address; without favicon.ico, the icon that pages name."""
    file = settings.ICONS / name
    if not file.is_file() and name == "favicon.ico":
        file = settings.ICONS / "icon.svg"
    if not file.is_file():
        raise Http404
    kind = {".ico": "image/x-icon", ".svg": "image/svg+xml", ".png": "image/png"}[file.suffix]
    return HttpResponse(file.read_bytes(), kind, headers={"Cache-Control": f"max-age={DAY}"})


@login_not_required
@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Render the page that browsers keep for when there is no network, so it contains its style.

    It has no messages, which are personal.
    """
    return render(request, "offline.html", {"messages": (), "STYLE": settings.APP_STYLE})


def too_many_requests(request: HttpRequest) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response["Retry-After"] = WAIT
    return response


def without_request(status: int, **headers: str) -> HttpResponse:
    """Render an error page without the request, whose user or language may be unknown."""
    context = {"request_id": get_guid(), "BRAND_NAME": settings.BRAND_NAME, "SUPPORT_EMAIL": settings.SUPPORT_EMAIL}
    return HttpResponse(render_to_string(f"{status}.html", context), status=status, headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return without_request(400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if the database is unreachable or locked, which may pass soon, else 500."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return without_request(503, **{"Retry-After": WAIT})
    return without_request(500)
