from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path

from connect_ui.models import ConnectSession
from connect_ui.routes import in_words

from .. import attention, funnel_page
from ..lists import KnownValues
from .tariffs import LOCATION, InQueue


class Routes(KnownValues):
    """Offers the pages in words."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.title = "last page"

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield choice | {"display": in_words(str(choice["display"]))}


@admin.register(ConnectSession)
class ConnectSessionAdmin(InQueue):
    """Conversations without their pages, which hold what the customer typed."""

    list_display = [
        "started_at", "customer_link", "state", "last_page", "newest", "provider", "direction", "country_code", "ended_at",
        "last_error_code",
    ]  # fmt: skip
    owner = "user"
    list_select_related = ["user"]
    linked = ("account", "user")
    list_filter = ["state", ("last_route", Routes), "direction", "country_code", "provider", "live_mode", "started_at"]
    search_fields = ["id", "user__email", *(f"location__{path}" for path in LOCATION), "last_error_code"]
    fields = [
        "id", "user", "location", "tariff", "direction", "type", "country_code", "provider", "state", "last_page",
        "newest", "last_error_code", "due_at", "attempts", "last_result", "started_at", "updated_at", "ended_at",
        "expires_at", "flatpeak_version", "account", "live_mode",
    ]  # fmt: skip
    csv_related = ("user.email", "last_route")
    actions = ["delete_selected", "try_again", "download_csv"]

    @admin.display(description="last page", ordering="last_route")
    def last_page(self, session: ConnectSession) -> str:
        return in_words(session.last_route)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("funnel/", view(funnel_page.funnel), name="connect_ui_funnel"),
            path("attention/", view(attention.attention), name="connect_ui_attention"),
            *super().get_urls(),
        ]
