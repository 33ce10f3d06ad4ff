"""The sections of the rates page, which are cached."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from tariffs.models import Tariff
from tariffs.screens import sections

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_nobody_waits_for_another_customers_page(monkeypatch):
    both = threading.Barrier(2, timeout=30)

    def section(*_):
        both.wait()  # breaks unless both sections are made at the same time
        return sections.Section("", "", [], None, False, False, False, True, NOW + timedelta(minutes=1))

    monkeypatch.setattr(sections, "_section", section)
    monkeypatch.setattr(sections, "prefetch_related_objects", lambda *_: None)

    def look(_):
        location = SimpleNamespace(pk=uuid4(), currency_code="GBP", time_zone="Europe/London")
        return sections.section_of(Tariff(direction="IMPORT"), location, NOW, "today")

    with ThreadPoolExecutor(2) as pool:
        assert [section.has_prices for section in pool.map(look, range(2))] == [True, True]


@pytest.mark.django_db
def test_the_prices_of_another_account_are_not_shown_from_the_cache(walk, settings):
    page = f"/locations/{walk.fixed().session.location_id}/"
    assert walk.get(page).price
    settings.FLATPEAK_REALM = "acc_other"
    assert not walk.get(page).price
