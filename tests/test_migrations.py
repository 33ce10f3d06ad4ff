"""Migrations run while the code before them still serves."""

import pytest
from django.db import connection
from django_migration_linter import MigrationLinter

from tests.programs import ROOT

# Made before there was anything to be served meanwhile.
EARLIEST = {name: ["0001_initial"] for name in ("accounts", "connect_ui", "operations", "tariffs")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite changes a table by making it anew")
@pytest.mark.parametrize("app", EARLIEST)
def test_old_code_can_read_and_write_during_and_after_each_migration(app, capsys):
    linter = MigrationLinter(
        str(ROOT), include_apps=[app], ignore_name=EARLIEST[app], no_cache=True, all_warnings_as_errors=True
    )
    linter.lint_all_migrations()
    assert not linter.has_errors, capsys.readouterr().out
    assert linter.nb_total
