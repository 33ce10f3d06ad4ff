import csv
import re
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Model, OuterRef, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tariffs.details import STRUCTURES
from tariffs.models import Customer, Erasure, Event, Location, Tariff, WrongPrice
from tariffs.templatetags.prices import per_kwh

from ..lists import KnownValues, LongList, in_batches, shows
from ..words import counted, due_now

BOM = "\ufeff"  # Excel reads a file without it in a local encoding
LOCATION = ["location_id", "customer__customer_id", "customer__user__email", "address_line1", "city", "post_code"]

# Spreadsheets run a cell that begins with one of these signs. One that splits at another character than the comma sees the
# beginning of a cell there too. It skips spaces and quotation marks.
FORMULA = re.compile(r"""(^|[;,:|\t\r\n])([\s"']*)(?=[=+\-@\t\r＝＋－＠])""")


def cell(value: Any) -> str:
    """Return the value as text for a CSV file; an apostrophe keeps a spreadsheet from running it as a formula."""
    return FORMULA.sub(r"\1\2'", "" if value is None else str(value))


class Echo:
    def write(self, line: str) -> str:
        return line


class Structures(KnownValues):
    """Offers structures in the customers' words, and one that has none by its code."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            code = str(choice["display"])
            yield choice | {"display": STRUCTURES.get(code, code)}


class FromFlatPeak(LongList):
    """Rows that staff can't add or change, because they say what FlatPeak has.

    `csv_related` are the columns of related rows in the download, as in `location.location_id`. With them come the columns
    in `fields`, or all columns of the model if it has none.
    """

    csv_related: Sequence[str] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Download as CSV")
    def download_csv(self, request: HttpRequest, queryset: QuerySet[Any]) -> StreamingHttpResponse:
        own = [field.name for field in self.opts.concrete_fields if not field.is_relation]
        related = [path for path in self.csv_related if shows(request, path)]
        columns = list(dict.fromkeys(["id", *related, *(str(name) for name in self.fields or own if name in own)]))
        writer = csv.writer(Echo(), quoting=csv.QUOTE_ALL)

        def lines() -> Iterator[str]:
            yield BOM + writer.writerow(columns)
            for batch in in_batches(queryset.select_related(*self.list_select_related)):  # type: ignore[misc]
                for row in batch:
                    yield writer.writerow([cell(attrgetter(column)(row)) for column in columns])

        headers = {"Content-Disposition": f'attachment; filename="{self.opts.model_name}s.csv"'}
        return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


class InQueue(FromFlatPeak):
    """Rows of a queue: staff who may change them by Django's permissions may have them tried again."""

    actions = ["delete_selected", "try_again"]

    @admin.action(description="Try again", permissions=["try_again"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.message_user(request, due_now(self.model.objects.filter(pk__in=queryset).try_again()))

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        return super(FromFlatPeak, self).has_change_permission(request)


@admin.display(description="link")
def rates_link(row: Location | Tariff) -> SafeString:
    location = row.location if isinstance(row, Tariff) else row
    return format_html('<a href="{}">rates</a>', reverse("tariffs:rates", args=[location.pk]))


@admin.register(Customer)
class CustomerAdmin(FromFlatPeak):
    list_display = ["__str__", "customer_link", "account", "live_mode", "created_at"]
    owner = "user"
    list_select_related = ["user"]
    list_filter = ["live_mode", "account", "created_at"]
    search_fields = ["id", "customer_id", "user__email"]
    csv_related = ("user.email",)
    actions = ["delete_selected", "download_csv"]


@admin.register(Location)
class LocationAdmin(FromFlatPeak):
    list_display = [
        "__str__", "country_code", "location_id", "customer_link", "live_mode", "created_at", rates_link,
    ]  # fmt: skip
    owner = "customer__user"
    list_select_related = ["customer__user"]
    list_filter = [
        "live_mode", "country_code", "tariffs__state", "tariffs__direction", "tariffs__provider", "created_at",
    ]  # fmt: skip
    search_fields = ["id", "customer__id", *LOCATION]
    csv_related = ("customer.customer_id", "customer.user.email")
    actions = ["delete_selected", "download_csv"]


@admin.register(Tariff)
class TariffAdmin(InQueue):
    list_display = [
        "__str__", "direction", "location", "customer_link", "state", "state_since", "rates", "rates_since", rates_link,
    ]  # fmt: skip
    owner = "location__customer__user"
    list_select_related = ["location__customer__user"]
    exclude = ["structure"]
    readonly_fields = ["price"]
    linked = ("account", "rates_since", "location__customer__user")
    list_filter = [
        "state", "rates", "direction", ("structure", Structures), "provider", "location__country_code", "live_mode",
        "state_since",
    ]  # fmt: skip
    search_fields = ["id", "location__id", *(f"location__{path}" for path in LOCATION)]
    csv_related = ("location.location_id", "location.customer.customer_id", "location.customer.user.email")
    actions = ["delete_selected", "try_again", "download_csv"]

    @admin.display
    def price(self, tariff: Tariff) -> str:
        return str(STRUCTURES.get(tariff.structure, tariff.structure))


@admin.register(Erasure)
class ErasureAdmin(InQueue):
    list_display = ["kind", "requested_at", "attempts", "due_at", "done_at", "last_result", "account", "live_mode"]
    list_filter = [
        "kind", ("done_at", admin.EmptyFieldListFilter), "last_result", "live_mode", "account", "requested_at",
    ]  # fmt: skip
    search_fields = ["id", "flatpeak_id"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # without the row, FlatPeak would never be asked again


@admin.register(Event)
class EventAdmin(InQueue):
    list_display = [
        "type",
        "received_at",
        "handled_at",
        "last_result",
        "attempts",
        "location_id",
        "customer_link",
        "live_mode",
    ]
    linked = ("account", "handled_at")
    list_filter = ["type", ("handled_at", admin.EmptyFieldListFilter), "last_result", "live_mode", "received_at"]
    search_fields = ["id", "event_id", "location_id", "session"]
    search_help_text = "A whole id of ours, or how FlatPeak's id of an event or a location begins."
    actions = ["handle_again", "download_csv"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        places = Location.objects.here().filter(location_id=OuterRef("location_id")).exclude(location_id="")
        users = {"owner": places.values("customer__user")[:1], "email": places.values("customer__user__email")[:1]}
        return super().get_queryset(request).annotate(**users)

    @admin.display(description="customer")
    def customer_link(self, row: Any) -> SafeString:
        link = reverse("admin:customer", args=[row.owner]) if row.owner else ""
        return format_html('<a href="{}">{}</a>', link, row.email) if link else SafeString("")

    @admin.action(description="Handle again", permissions=["try_again"])
    def handle_again(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        now = timezone.now()
        idle = Event.objects.here().exclude(claimed_until__gt=now)
        events = idle.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        staff: Any = request.user
        with transaction.atomic():
            LogEntry.objects.log_actions(staff.pk, list(events), CHANGE, change_message="Handled again.")
            count = events.update(due_at=now, attempts=0, handled_at=None)
        self.message_user(request, due_now(count))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # an event that is delivered once more would be handled once more


@admin.register(WrongPrice)
class WrongPriceAdmin(FromFlatPeak):
    list_display = ["reported_at", "named", "customer_link", "starts_at", "price", "said", "dealt_with_at"]
    owner = "tariff__location__customer__user"
    list_select_related = ["tariff__location__customer__user"]
    linked = ("account", "dealt_with_at", "tariff__location__customer__user")
    list_filter = [("dealt_with_at", admin.EmptyFieldListFilter), "day", "live_mode"]
    search_fields = ["id", *(f"tariff__location__{path}" for path in LOCATION)]
    readonly_fields = ["tariff", "named", "day", "starts_at", "price", "fetched_at", "said", "reported_at"]
    fields = [*readonly_fields, "dealt_with_at"]
    csv_related = ("tariff.location.location_id", "tariff.location.customer.user.email")
    ordering = ["-reported_at"]
    actions = ["dealt_with", "download_csv"]

    @admin.display
    def price(self, report: WrongPrice) -> str:
        return f"{per_kwh(report.rate, report.tariff.location.currency_code)} until {report.ends_at:%Y-%m-%d %H:%M}"

    @admin.action(description="Mark as dealt with", permissions=["change"])
    def dealt_with(self, request: HttpRequest, queryset: QuerySet[WrongPrice]) -> None:
        reports = WrongPrice.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)), dealt_with_at=None)
        staff: Any = request.user
        with transaction.atomic():
            LogEntry.objects.log_actions(staff.pk, list(reports), CHANGE, change_message="Dealt with.")
            count = reports.update(dealt_with_at=timezone.now())
        self.message_user(request, f"{counted(count, 'report')} dealt with.")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super(FromFlatPeak, self).has_change_permission(request, obj)  # of when it was dealt with
