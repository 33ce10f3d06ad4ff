"""Indexes by which the admin finds what begins with some text."""

from typing import Any

from django.db import models


def begins(field: str, name: str) -> models.Index:
    """An index by which the admin finds what begins with some text, whatever language PostgreSQL sorts in."""
    return models.Index(fields=[field], name=name, opclasses=["varchar_pattern_ops"])


class Plain(models.Func):
    """A text in small letters and without apostrophes, as the admin compares what was typed with what is stored.

    On SQLite only the letters of ASCII become small. The order is that of the bytes, so that an index finds beginnings.
    """

    # In the text of the query, for SQLite takes no index of an expression that has parameters.
    template = "REPLACE(REPLACE(LOWER(%(expressions)s), '''', ''), '’', '')"
    output_field = models.TextField()
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template=f'({self.template} COLLATE "C")', **context)
