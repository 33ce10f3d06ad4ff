from django.contrib import admin
from django.urls import URLPattern, path

from connect_ui.models import ConnectSession

from .. import attention, funnel_page
from .tariffs import InQueue, download_csv


@admin.register(ConnectSession)
class ConnectSessionAdmin(InQueue):
    """Shows who, the state and the outcome, and never the pages, which hold what was typed."""

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
        "due_at",
        "attempts",
        "last_result",
        "started_at",
        "updated_at",
        "ended_at",
        "expires_at",
        "account",
        "live_mode",
    ]
    actions = [
        "delete_selected",
        "try_again",
        download_csv(
            "id user.email state last_route newest provider direction country_code started_at "
            "ended_at last_error_code account live_mode"
        ),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("funnel/", view(funnel_page.funnel), name="connect_ui_funnel"),
            path("attention/", view(attention.attention), name="connect_ui_attention"),
            *super().get_urls(),
        ]
