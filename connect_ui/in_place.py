"""Steps in place: with JavaScript, the answer to a form is the next page's main part, which saves a round trip."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_vary_headers

View = Callable[..., HttpResponse]


def in_place(view: View) -> View:
    """Mark a POST with the header `Part: main`, which wants a page's title and main part, and say which page it gets.

    The browser shows `Content-Location` in its address bar. A redirect to another part of the site becomes a 204 with the
    same `Location`: the script would follow a redirect, and so load the page before the browser does, which uses up its
    messages.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.part = request.method == "POST" and request.headers.get("Part") == "main"  # type: ignore[attr-defined]
        response = view(request, *args, **kwargs)
        if request.part and isinstance(response, HttpResponseRedirect):  # type: ignore[attr-defined]
            response.status_code = 204
        elif request.part:  # type: ignore[attr-defined]
            response.headers.setdefault("Content-Location", request.path)
        patch_vary_headers(response, ["Part"])
        return response

    return answer


@lru_cache(4096)  # Django takes longer to make an address than to make the rest of a link
def path_to(name: str, *args: Any) -> str:
    """The address of one of our pages."""
    return reverse(f"connect_ui:{name}", args=args)


def lead(request: HttpRequest, name: str, view: View, *args: Any) -> HttpResponse:
    """Lead on to one of our pages: in place by what `view` returns, otherwise by a redirect to its address."""
    path = path_to(name, *args)
    if not getattr(request, "part", False):
        return redirect(path)
    response = view(request, *args)
    response.headers.setdefault("Content-Location", path)
    return response
