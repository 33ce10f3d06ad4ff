"""What was typed into a form that the server did not take, in an encrypted cookie, until it is sent again.

That is when the sign-in had ended, on a form that was open too long, after too many requests or an error; and without
JavaScript, when the customer changes the language or the colours while a form is half filled.
"""

import json
import re
import time
from base64 import b64decode, b64encode
from typing import Any
from zlib import compress, decompress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from flatpeak_app.web import vault
from flatpeak_app.web.limits import View
from flatpeak_app.web.site import person

HOUR = 3600
LONGEST = 3800  # characters; browsers refuse a cookie of more than 4096 bytes
FORM = re.compile(r"/connect/([0-9a-f-]{36}/\d+/)?")
# Fields that nobody typed; "action" sends no form.
OTHERS = {"csrfmiddlewaretoken", "newest", "next", "sure", "action", "add", "change", "search", "language", "theme"}


def kept(get_response: View) -> View:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.method == "POST":
            switches = request.path_info in (reverse("set_language"), reverse("set_theme"))
            path = request.POST.get("next", "") if switches else request.path_info
            if FORM.fullmatch(path) and is_from_here(request):
                remember(request, response, path, switches or is_lost(response))
        return response

    return middleware


def is_from_here(request: HttpRequest) -> bool:
    """Whether a page of ours sent the form: no other site may fill our forms."""
    return request.headers.get("Origin") == settings.SITE_URL


def is_lost(response: HttpResponse) -> bool:
    signs_in = response.get("Location", "").startswith(resolve_url(settings.LOGIN_URL))
    return signs_in or response.status_code in (403, 429) or response.status_code >= 500


def remember(request: HttpRequest, response: HttpResponse, path: str, lost: bool) -> None:
    typed = {name: text for name, text in request.POST.items() if name not in OTHERS and text}
    if not lost or not typed:
        if not lost and settings.TYPED_COOKIE_NAME in request.COOKIES:
            response.delete_cookie(settings.TYPED_COOKIE_NAME, samesite="Lax")
        return
    packed = b64encode(compress(json.dumps([path, int(time.time()) + HOUR, typed]).encode())).decode()
    if len(text := vault.encrypted(packed)) <= LONGEST:
        response.set_cookie(settings.TYPED_COOKIE_NAME, text, HOUR, **settings.COOKIE_OPTIONS)


def remembered(request: HttpRequest) -> dict[str, Any]:
    """What was typed at this address within the hour, by field.

    The form that begins a conversation is at everybody's address, so it says who filled it. Every other address is one
    person's, which the caller checks.
    """
    if not (packed := vault.decrypted(request.COOKIES.get(settings.TYPED_COOKIE_NAME, ""))):
        return {}
    path, until, typed = json.loads(decompress(b64decode(packed)))
    is_mine = path != reverse("connect_ui:start") or constant_time_compare(typed.get("person", ""), person(request))
    return typed if path == request.path and until > time.time() and is_mine else {}
