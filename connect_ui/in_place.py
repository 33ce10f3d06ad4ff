"""Steps in place: with script, an answer comes back as the next page's main part, in one round trip."""

from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import ResolverMatch, resolve
from django.utils.cache import patch_vary_headers

View = Callable[..., HttpResponse]
PAGES = ("connect_ui:page", "connect_ui:newest")
MOST = 3  # redirects from an answer to the page that it led to


def in_place(view: View) -> View:
    """Answer a POST with the header `Part: main` with the page that its redirect leads to, its title and main part alone.

    `Content-Location` says which page that is, for the address bar. What leads elsewhere stays a redirect, and what any
    other request gets stays as it is.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if getattr(request, "part", False):  # which the answer to another led to
            return view(request, *args, **kwargs)
        in_part = request.method == "POST" and request.headers.get("Part") == "main"
        request.part = in_part  # type: ignore[attr-defined]  # for the template
        response = view(request, *args, **kwargs)
        path = request.path
        for _ in range(MOST if in_part else 0):
            if (
                not isinstance(response, HttpResponseRedirect)
                or (match := resolve(response.url)).view_name not in PAGES
            ):
                break
            path = response.url
            response = follow(request, path, match)
        if in_part and not isinstance(response, HttpResponseRedirect):
            response.headers.setdefault("Content-Location", path)
        patch_vary_headers(response, ["Part"])
        return response

    return answer


def follow(request: HttpRequest, path: str, match: ResolverMatch) -> HttpResponse:
    """What a browser would get that follows a redirect from this request to a page of ours."""
    got = copy(request)
    got.method, got.path, got.path_info = "GET", path, path
    got.GET = got.POST = QueryDict()
    got.resolver_match = match
    return match.func(got, *match.args, **match.kwargs)
