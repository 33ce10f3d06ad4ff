"""For indexes of the admin's search by the beginning of a text."""

from typing import Any

from django.db import models


class Plain(models.Func):
    """A text in lower case and without apostrophes, as the admin's search compares it.

    SQLite lowers ASCII letters only. The order is by bytes, so that an index finds beginnings.
    """

    # Literals in the SQL and no parameters: SQLite uses no index on an expression with parameters.
    template = "REPLACE(REPLACE(LOWER(%(expressions)s), '''', ''), '’', '')"
    output_field = models.TextField()
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template=f'({self.template} COLLATE "C")', **context)
