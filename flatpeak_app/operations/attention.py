"""A page of the admin: what needs attention, and what to do."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connect_ui.models import ConnectSession
from tariffs.models import Erasure, Event, Tariff, WrongPrice

from .funnel_page import must_view
from .needs import KINDS
from .words import due_now


@require_http_methods(["GET", "HEAD", "POST"])
def attention(request: HttpRequest) -> HttpResponse:
    """Each kind with its oldest cases, by fifteen queries whatever there is; a POST tries all of a kind again."""
    must_view(request, ConnectSession, Tariff, Erasure, Event, WrongPrice)
    now = timezone.now()
    matters = [of(now) for of in KINDS]
    if request.method == "POST":
        for matter in matters:
            if matter.again is not None and request.POST.get("again") == matter.name:
                if not request.user.has_perm(f"{matter.again.model._meta.app_label}.change_{matter.name}"):
                    raise PermissionDenied
                messages.info(request, f"{matter.title}: {due_now(matter.again.try_again())}")
        return redirect("admin:connect_ui_attention")
    context = admin.site.each_context(request) | {
        "title": "What needs attention",
        "opts": ConnectSession._meta,
        "matters": [matter for matter in matters if matter.number],
        "fine": [matter.title for matter in matters if not matter.number],
    }
    return TemplateResponse(request, "admin/connect_ui/attention.html", context)
