"""Migrations run while the code before them still serves."""

import pytest
from django.db import connection
from django_migration_linter import MigrationLinter

from tests.programs import ROOT

# Made before there was anything to be served meanwhile.
EARLIEST = {
    "connect_ui": ["0001_initial", "0002_initial", "0003_encrypted_tokens"],
    "flatpeak_app": ["0001_initial", "0002_languages"],
    "tariffs": ["0001_initial", "0002_waits", "0003_erasures", "0004_owed_erasures"],
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite changes a table by making it anew")
@pytest.mark.parametrize("app", EARLIEST)
def test_old_code_can_read_and_write_during_and_after_each_migration(app, capsys):
    linter = MigrationLinter(
        str(ROOT), include_apps=[app], ignore_name=EARLIEST[app], no_cache=True, all_warnings_as_errors=True
    )
    linter.lint_all_migrations()
    assert not linter.has_errors, capsys.readouterr().out
    assert linter.nb_total > len(EARLIEST[app]) or app == "flatpeak_app"
