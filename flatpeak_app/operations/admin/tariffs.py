import csv
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tariffs.details import STRUCTURES
from tariffs.models import Customer, Erasure, Location, Tariff

from ..lists import KnownValues, LongList, in_batches, shows

BOM = "\ufeff"  # without it Excel misreads letters beyond ASCII

# A spreadsheet runs a cell that begins with one of these signs. If it splits cells at another sign than the comma, what
# follows that sign begins a cell too. It skips spaces and quotation marks.
FORMULA = re.compile(r"""(^|[;,:|\t\r\n])([\s"']*)(?=[=+\-@\t\r＝＋－＠])""")


def cell(value: Any) -> str:
    """A CSV cell as text, with an apostrophe before what a spreadsheet would run as a formula."""
    return FORMULA.sub(r"\1\2'", "" if value is None else str(value))


class Echo:
    def write(self, line: str) -> str:
        return line


def download_csv(columns: str) -> Callable[[Any, HttpRequest, QuerySet[Any]], StreamingHttpResponse]:
    """Make an action that downloads the chosen rows; `columns` are attributes with spaces between, like `location.city`."""

    @admin.action(description="Download as CSV")
    def action(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> StreamingHttpResponse:
        shown = [column for column in columns.split() if shows(request, column)]
        writer = csv.writer(Echo(), quoting=csv.QUOTE_ALL)

        def lines() -> Iterator[str]:
            yield BOM + writer.writerow(shown)
            for batch in in_batches(queryset.select_related(*modeladmin.list_select_related)):
                for row in batch:
                    yield writer.writerow([cell(follow(row, column)) for column in shown])

        response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{queryset.model._meta.model_name}s.csv"'
        return response

    return action


def follow(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = getattr(row, name)
    return row


class Structures(KnownValues):
    """Offers the structures in the words that customers read; FlatPeak's word for an unknown one."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            code = str(choice["display"])
            yield choice | {"display": STRUCTURES.get(code, code)}


class FromFlatPeak(LongList):
    """Read-only: these rows come from FlatPeak, and change there."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class InQueue(FromFlatPeak):
    """Rows of a queue: staff may have them tried again."""

    actions = ["delete_selected", "try_again"]

    @admin.action(description="Try again", permissions=["try_again"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.message_user(request, f"{self.model.objects.filter(pk__in=queryset).try_again():,} are due now.")

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        return super(FromFlatPeak, self).has_change_permission(request)


@admin.register(Customer)
class CustomerAdmin(FromFlatPeak):
    list_display = ["user", "customer_id", "account", "live_mode", "created_at"]
    list_select_related = ["user"]
    list_filter = ["live_mode", "account", "created_at"]
    search_fields = ["id", "customer_id", "user__email"]
    actions = ["delete_selected", download_csv("id user.email customer_id account live_mode created_at")]


@admin.register(Location)
class LocationAdmin(FromFlatPeak):
    list_display = ["__str__", "country_code", "location_id", "user", "live_mode", "created_at", "rates_link"]
    list_select_related = ["customer__user"]
    list_filter = [
        "live_mode",
        "country_code",
        "tariffs__state",
        "tariffs__direction",
        "tariffs__provider",
        "created_at",
    ]
    search_fields = [
        "id",
        "location_id",
        "customer__id",
        "customer__customer_id",
        "customer__user__email",
        "address_line1",
        "city",
        "post_code",
    ]
    actions = [
        "delete_selected",
        download_csv(
            "id location_id customer.customer_id customer.user.email address_line1 address_line2 city "
            "state post_code country_code time_zone currency_code account live_mode created_at"
        ),
    ]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in self.list_display if name != "user" or shows(request, "customer.user.email")]

    @admin.display(ordering="customer__user__email")
    def user(self, location: Location) -> str:
        return str(location.customer.user)

    @admin.display(description="rates")
    def rates_link(self, location: Location) -> SafeString:
        return format_html('<a href="{}">rates</a>', reverse("tariffs:rates", args=[location.pk]))


@admin.register(Tariff)
class TariffAdmin(InQueue):
    list_display = [
        "provider",
        "name",
        "direction",
        "location",
        "state",
        "state_since",
        "rates",
        "rates_since",
        "rates_link",
    ]
    list_select_related = ["location__customer__user"]
    exclude = ["structure"]
    readonly_fields = ["price"]
    linked = ("account", "rates_since")
    list_filter = [
        "state",
        "rates",
        "direction",
        ("structure", Structures),
        "provider",
        "location__country_code",
        "live_mode",
        "state_since",
    ]
    search_fields = [
        "id",
        "location__id",
        "location__location_id",
        "location__customer__customer_id",
        "location__customer__user__email",
        "location__address_line1",
        "location__city",
        "location__post_code",
    ]
    actions = [
        "delete_selected",
        "try_again",
        download_csv(
            "id location.location_id location.customer.customer_id location.customer.user.email "
            "direction type provider name structure contract_end contract_open_ended state "
            "state_since rates rates_since last_result due_at account live_mode"
        ),
    ]

    @admin.display
    def price(self, tariff: Tariff) -> str:
        return str(STRUCTURES.get(tariff.structure, tariff.structure))

    @admin.display(description="link")
    def rates_link(self, tariff: Tariff) -> SafeString:
        return format_html('<a href="{}">rates</a>', reverse("tariffs:rates", args=[tariff.location_id]))


@admin.register(Erasure)
class ErasureAdmin(InQueue):
    list_display = ["kind", "requested_at", "attempts", "due_at", "done_at", "last_result", "account", "live_mode"]
    list_filter = [
        "kind",
        ("done_at", admin.EmptyFieldListFilter),
        "last_result",
        "live_mode",
        "account",
        "requested_at",
    ]
    search_fields = ["id", "flatpeak_id"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # a deleted row would never be sent to FlatPeak
