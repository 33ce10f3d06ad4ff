"""The sections of the rates page, which are cached."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

from django.http import QueryDict

from tariffs.models import Tariff
from tariffs.screens import sections

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_nobody_waits_for_another_customers_page(monkeypatch):
    both = threading.Barrier(2, timeout=30)

    def section(*_):
        both.wait()  # breaks unless both sections are made at the same time
        return sections.Section("", None, False, False, True, NOW + timedelta(minutes=1))

    monkeypatch.setattr(sections, "_section", section)
    monkeypatch.setattr(sections, "prefetch_related_objects", lambda *_: None)

    def look(_):
        tariffs = SimpleNamespace(all=lambda: [Tariff(direction="IMPORT")])
        location = SimpleNamespace(pk=uuid4(), tariffs=tariffs, currency_code="GBP", time_zone="Europe/London")
        return sections.sections(location, list(location.tariffs.all()), NOW, QueryDict())

    with ThreadPoolExecutor(2) as pool:
        assert [len(shown) for shown in pool.map(look, range(2))] == [1, 1]
