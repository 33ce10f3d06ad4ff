from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path

from connect_ui.conversation import finish
from connect_ui.models import ConnectSession
from flatpeak_app.web.limits import TOO_MANY, is_too_often

from .. import attention, funnel_page
from .tariffs import FromFlatPeak, download_csv


@admin.action(description="Exchange what is owed", permissions=["exchange"])
def exchange_owed(
    modeladmin: "ConnectSessionAdmin", request: HttpRequest, queryset: QuerySet[ConnectSession, ConnectSession]
) -> None:
    if is_too_often("connect_ask", request.user.pk):
        messages.warning(request, TOO_MANY)
        return
    finished, left = finish(queryset.filter(state=ConnectSession.State.OWED))
    messages.info(request, f"{finished} finished, {left} still owed.")


@admin.register(ConnectSession)
class ConnectSessionAdmin(FromFlatPeak):
    """Who, where it stands and what became of it; the pages, with what was typed on them, are not shown."""

    list_display = [
        "user",
        "state",
        "last_route",
        "newest",
        "provider",
        "direction",
        "country_code",
        "started_at",
        "ended_at",
        "last_error_code",
    ]
    list_select_related = ["user"]
    linked = ("account",)
    list_filter = ["state", "last_route", "direction", "country_code", "provider", "live_mode", "started_at"]
    search_fields = [
        "id",
        "user__email",
        "location__location_id",
        "location__customer__customer_id",
        "location__address_line1",
        "location__city",
        "location__post_code",
        "last_error_code",
    ]
    fields = [
        "id",
        "user",
        "location",
        "tariff",
        "direction",
        "type",
        "country_code",
        "provider",
        "state",
        "last_route",
        "newest",
        "last_error_code",
        "started_at",
        "updated_at",
        "ended_at",
        "expires_at",
        "account",
        "live_mode",
    ]
    actions = [
        "delete_selected",
        exchange_owed,
        download_csv(
            "id",
            "user.email",
            "state",
            "last_route",
            "newest",
            "provider",
            "direction",
            "country_code",
            "started_at",
            "ended_at",
            "last_error_code",
            "account",
            "live_mode",
        ),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("funnel/", view(funnel_page.funnel), name="connect_ui_funnel"),
            path("attention/", view(attention.attention), name="connect_ui_attention"),
            *super().get_urls(),
        ]

    def has_exchange_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("connect_ui.change_connectsession")
