from django.contrib import admin
from django.urls import URLPattern, path

from connect_ui.models import ConnectSession

from .. import attention, funnel_page
from .tariffs import LOCATION, InQueue


@admin.register(ConnectSession)
class ConnectSessionAdmin(InQueue):
    """Conversations without their pages, which hold what the customer typed."""

    list_display = [
        "user", "state", "last_route", "newest", "provider", "direction", "country_code", "started_at", "ended_at",
        "last_error_code",
    ]  # fmt: skip
    list_select_related = ["user"]
    linked = ("account",)
    list_filter = ["state", "last_route", "direction", "country_code", "provider", "live_mode", "started_at"]
    search_fields = ["id", "user__email", *(f"location__{path}" for path in LOCATION), "last_error_code"]
    fields = [
        "id", "user", "location", "tariff", "direction", "type", "country_code", "provider", "state", "last_route",
        "newest", "last_error_code", "due_at", "attempts", "last_result", "started_at", "updated_at", "ended_at",
        "expires_at", "flatpeak_version", "account", "live_mode",
    ]  # fmt: skip
    csv_related = ("user.email",)
    actions = ["delete_selected", "try_again", "download_csv"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("funnel/", view(funnel_page.funnel), name="connect_ui_funnel"),
            path("attention/", view(attention.attention), name="connect_ui_attention"),
            *super().get_urls(),
        ]
