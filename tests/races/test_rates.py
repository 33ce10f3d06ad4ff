"""Rates that fall due while many look: in whatever thread or process they are served, one of them asks FlatPeak."""

import pytest
from django.utils import timezone

from tariffs.models import Location, RateDay, Tariff
from tests.races.servers import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
VIEWERS = 24


def test_of_many_who_look_as_rates_fall_due_one_asks(site, tab):
    tab.get("/connect/").finish()
    path = f"/locations/{Location.objects.get().pk}/"
    assert "28.15p" in tab.get(path).text
    asked = site.priced
    Tariff.objects.update(due_at=timezone.now())
    site.delay(500)
    tabs = [tab.another() for _ in range(VIEWERS)]
    at_once(*(lambda each=each: each.get(path) for each in tabs))
    assert site.priced == asked + 1
    assert all("28.15p" in each.text for each in tabs)


def test_of_many_who_look_before_the_first_answer_one_asks_and_the_others_are_told(site, tab):
    tab.get("/connect/").finish()
    path = f"/locations/{Location.objects.get().pk}/"
    # The end has led to the rates, which were asked for there.
    RateDay.objects.all().delete()
    Tariff.objects.update(rates=Tariff.Rates.NONE, due_at=timezone.now())
    asked = site.priced
    site.delay(500)
    tabs = [tab.another() for _ in range(VIEWERS)]
    at_once(*(lambda each=each: each.get(path) for each in tabs))
    assert site.priced == asked + 1
    assert all("28.15p" in each.text or "We are getting the prices." in each.text for each in tabs)
    assert "28.15p" in tab.get(path).text
