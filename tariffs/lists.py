"""Admin lists of tables of any length: no page of one counts, sorts or reads the whole table."""

from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import CharField, Field, Q, QuerySet, UUIDField
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST = 1000  # rows that a list shows, and that a search finds; who wants one further back says more of it
VALUES = 100  # of a column, that a filter offers


class FirstRows(Paginator):
    @cached_property
    def count(self) -> int:
        return self.object_list[:MOST].count()  # type: ignore[attr-defined]


class KnownValues(admin.AllValuesFieldListFilter):
    """Offers what a column of free text holds, as it was up to five minutes ago: to look means to read the table."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        key = f"admin-filter:{arguments[-1].model._meta.label_lower}:{self.field_path}"
        self.lookup_choices: Any = cache.get_or_set(key, lambda: list(self.lookup_choices[:VALUES]), 300)


def is_free_text(field: Field) -> bool:
    return isinstance(field, CharField) and not field.choices


admin.FieldListFilter.register(is_free_text, KnownValues, take_priority=True)


class LongList(admin.ModelAdmin):
    """`search_fields` are looked up one by one, each by its index: an "or" over several tables would read them all.

    Found is what begins with the text as it was typed, or in small letters, capitals, or with capitals at the beginnings
    of its words; of ids that are UUIDs the whole.
    """

    list_per_page = 50
    show_full_result_count = False
    paginator = FirstRows
    search_help_text = "A whole id, or how an e-mail address, a street, a city, a post code or FlatPeak's id begins."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        found: set[Any] = set()
        for path in self.search_fields:
            with suppress(ValidationError):  # no UUID
                rows = self.model._default_manager.filter(self.begins(path, text)).order_by()
                found.update(rows.values_list("pk", flat=True)[: MOST - len(found)])
        return queryset.filter(pk__in=found), False

    def begins(self, path: str, text: str) -> Q:
        if isinstance(get_fields_from_path(self.model, path)[-1], UUIDField):
            return Q(**{path: text})
        spelt = {text, text.lower(), text.upper(), text.title()}
        return Q(*((f"{path}__startswith", each) for each in spelt), _connector=Q.OR)
