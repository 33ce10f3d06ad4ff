"""Admin lists for tables of any length: no page counts, sorts or reads the whole table."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import reduce
from operator import attrgetter, or_
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path, model_format_dict
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import CharField, F, Q, QuerySet, UUIDField
from django.db.models.lookups import GreaterThanOrEqual, LessThan
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flatpeak_app.web.indexes import Plain

from .words import counted

MOST = 1000  # rows that a list shows and a search finds; a longer search text finds the others
BATCH = 100  # rows per transaction of a deletion and per query of a download
LOOKUPS = ("", "__exact", "__id__exact", "__in", "__isnull", "__isempty", "__gte", "__lt", "__lte")  # of a filter
PLAIN = ("email", "address_line1", "city", "post_code")  # columns that a search matches without case and apostrophes
VALUES = 100  # choices in a filter


class FirstRows(Paginator):
    @cached_property
    def count(self) -> int:
        return self.object_list[:MOST].count()  # type: ignore[attr-defined]


class KnownValues(admin.AllValuesFieldListFilter):
    """Offers the values of a free-text column, cached for five minutes because finding them reads the table."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        key = f"admin-filter:{arguments[-1].model._meta.label_lower}:{self.field_path}"
        self.lookup_choices: Any = cache.get_or_set(key, lambda: list(self.lookup_choices[:VALUES]), 300)


def starts_with(column: Plain, prefix: str) -> Q:
    """Compare as a range, because an index answers that on both databases."""
    return Q(GreaterThanOrEqual(column, prefix), LessThan(column, f"{prefix}\U0010ffff"))


def shows(request: HttpRequest, path: str) -> bool:
    """Return whether these staff may see a column: an account's e-mail address needs the permission to view accounts."""
    return not path.endswith("email") or request.user.has_perm("accounts.view_user")


admin.FieldListFilter.register(lambda it: isinstance(it, CharField) and not it.choices, KnownValues, take_priority=True)


class LongList(admin.ModelAdmin):
    """A search has one query per search field, because an OR over several tables would read them all.

    It finds UUIDs by the whole text and everything else by its beginning. Addresses and e-mail addresses match in any case
    and without apostrophes. Other columns match the text as typed, in lower case, in upper case and in title case.
    """

    list_per_page = 50
    show_full_result_count = False
    paginator = FirstRows
    ordering = ["-pk"]
    linked: tuple[str, ...] = ()  # further columns by which links in our pages filter
    owner = ""  # the path from a row to its customer, to whose page the list then leads
    actions: Sequence[Any] = ["delete_selected"]
    search_help_text = "A whole id, or how an e-mail address, a street, a city, a post code or FlatPeak's id begins."

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow only the filters that the list offers; others would reveal columns that no page shows."""
        filters = [*self.get_list_filter(request), *self.linked]
        offered = {each[0] if isinstance(each, list | tuple) else each for each in filters}
        return "\0" not in value and lookup in {f"{path}{kind}" for path in offered for kind in LOOKUPS}

    @admin.display(description="customer")
    def customer_link(self, row: Any) -> SafeString:
        user = attrgetter(self.owner.replace("__", "."))(row) if self.owner else row
        return format_html('<a href="{}">{}</a>', reverse("admin:customer", args=[user.pk]), user.email)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        seen = [
            name for name in super().get_list_display(request) if name != "customer_link" or shows(request, "email")
        ]
        return [name for name in seen if shows(request, str(name))]

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        return to_field == self.opts.pk.name

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [path for path in super().get_search_fields(request) if shows(request, path)]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        text = search_term.replace("\0", "").strip()
        if not text:
            return queryset, False
        found: set[Any] = set()
        for path in self.get_search_fields(request):
            with suppress(ValidationError):  # no UUID
                rows = self.model._default_manager.filter(self.begins(path, text)).order_by()
                found.update(rows.values_list("pk", flat=True)[: MOST - len(found)])
        return queryset.filter(pk__in=found), False

    def begins(self, path: str, text: str) -> Q:
        if isinstance(get_fields_from_path(self.model, path)[-1], UUIDField):
            return Q(**{path: text})
        spelt = {text, text.lower(), text.upper(), text.title()}
        if path.rpartition("__")[2] not in PLAIN:
            return Q(*((f"{path}__startswith", each) for each in spelt), _connector=Q.OR)
        plain = {re.sub("[A-Z]", lambda capital: capital[0].lower(), re.sub("['’]", "", each)) for each in spelt}
        return reduce(or_, (starts_with(Plain(F(path)), each) for each in plain - {""}), Q(pk__in=[]))

    def response_action(  # type: ignore[override]  # the stubs are those of a later Django, which gives the place too
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponseBase | None:
        """Ask before a deletion and before an action on the whole list, and then act on the rows that were counted.

        The page that asks has the ids of those rows, so rows that were added since are left alone.
        """
        if chosen := ",".join(request.POST.getlist("chosen")):
            return super().response_action(request, self.with_keys(queryset, chosen.split(",")))
        name = next(filter(None, request.POST.getlist("action")), "")
        action = self.get_actions(request).get(name)
        across = request.POST.get("select_across") == "1"
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not action or not (across or (ticked and name == "delete_selected")):
            return super().response_action(request, queryset)
        rows = queryset[:MOST] if across else self.with_keys(queryset, ticked)
        keys = [str(key) for key in rows.values_list("pk", flat=True)]
        nouns = str(self.opts.verbose_name), str(self.opts.verbose_name_plural)
        what = action[2] % model_format_dict(self.opts)
        context = self.admin_site.each_context(request) | {
            "title": f"{what}: {counted(len(keys), *nouns)}",
            "opts": self.opts,
            "what": what,
            "name": name,
            # 25 ids per form field: the middleware limits its length, and Django the number of fields.
            "chosen": [",".join(keys[n : n + 25]) for n in range(0, len(keys), 25)],
        }
        return TemplateResponse(request, "admin/sure.html", context)

    def with_keys(self, queryset: QuerySet[Any], keys: list[str]) -> QuerySet[Any]:
        """The rows with these ids; ignores what is no id."""
        known = set()
        for key in keys[:MOST]:
            with suppress(ValidationError):
                known.add(self.opts.pk.to_python(key))
        return queryset.filter(pk__in=known)

    @admin.action(description="Delete selected %(verbose_name_plural)s", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete in batches of one transaction each, or nothing if a related row needs a permission that is lacking."""
        batches = list(in_batches(queryset))
        # The third and fourth value are the permissions that are lacking, and the rows that others protect.
        if any(any(self.get_deleted_objects(batch, request)[2:]) for batch in batches):
            self.message_user(request, "Nothing was deleted: you may not delete all that goes with it.", messages.ERROR)
            return
        count = 0
        for batch in batches:
            with transaction.atomic():
                count += batch.count()
                self.log_deletions(request, batch)
                self.delete_queryset(request, batch)
        nouns = str(self.opts.verbose_name), str(self.opts.verbose_name_plural)
        self.message_user(request, f"{counted(count, *nouns)} deleted.", messages.SUCCESS)


def in_batches(queryset: QuerySet[Any]) -> Iterator[QuerySet[Any]]:
    """Read the keys once and yield a queryset for each BATCH of them, in order."""
    keys = list(queryset.values_list("pk", flat=True))
    for n in range(0, len(keys), BATCH):
        yield queryset.filter(pk__in=keys[n : n + BATCH])
