"""The floor: the least that a careful Django needs for the same task, with the same middleware and tables."""

import threading
from typing import Any
from uuid import UUID

import requests
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connect_ui.models import ConnectSession, Page

_local = threading.local()


class Answer(forms.Form):
    answer = forms.CharField(max_length=100)


def nothing(request: HttpRequest) -> HttpResponse:
    """Answer two letters; like every view here, for signed-in users."""
    return HttpResponse("ok")


def frame(request: HttpRequest) -> HttpResponse:
    """Render an empty page: head, menu, the form to sign out."""
    return render(request, "base.html")


@login_not_required
def bare(request: HttpRequest) -> HttpResponse:
    """Render a template for anybody."""
    return render(request, "floor.html", {"title": "Bare"})


def signed_in(request: HttpRequest) -> HttpResponse:
    """Render a template for a signed-in user, with one query besides those for the session and the user."""
    newest = ConnectSession.objects.filter(user=request.user.pk).order_by("-started_at").first()
    return render(request, "floor.html", {"title": newest})


@require_http_methods(["GET", "POST"])
def step(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """Make one step of a conversation: read its rows, make one call to FlatPeak, write its rows, go to the next page.

    With `Part: main` the answer is that page, as in the product. The call is `session_restore`.
    """
    session = get_object_or_404(ConnectSession, pk=pk, user=request.user)
    form = Answer(request.POST or None)
    if request.method == "POST" and form.is_valid():
        came = ask(session)
        shown = Page(session=session, number=session.newest + 1, route=came["route"], body={"data": came["data"]})
        session.newest, session.last_route, session.updated_at = shown.number, shown.route, timezone.now()
        with transaction.atomic():
            session.save(update_fields=["newest", "last_route", "updated_at"])
            shown.save()
        if request.headers.get("Part") != "main":
            return redirect("floor_step", pk, shown.number)
        form = Answer()
    else:
        shown = get_object_or_404(Page, session=session, number=number)
    return render(request, "floor.html", {"title": shown.route, "form": form})


def ask(session: ConnectSession) -> dict[str, Any]:
    if not hasattr(_local, "http"):
        _local.http = requests.Session()
    body = {"connect_token": session.connect_token, "route": "session_restore"}
    answer = _local.http.post(settings.FLATPEAK_CONNECT_URL + "/", json=body, timeout=(3, 15))
    answer.raise_for_status()
    return answer.json()
