"""The admin's lists and pages on a screen of 1280 pixels: every column is there in full, and nothing scrolls sideways."""

from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.contrib import admin
from django.urls import reverse

from connect_ui.models import ConnectSession
from tariffs.models import Customer, Erasure, Location, Tariff
from tests.browser.test_states import SHOTS
from tests.test_customer_page import fill

pytestmark = [pytest.mark.browser]

# What is cut off: an element wider than its box that hides the rest, and a cell beyond the right edge.
CUT = """() => [...document.querySelectorAll('#content, #content *')]
    .filter(e => e.checkVisibility() && !e.closest('svg, select, input, textarea, .visually-hidden'))
    .filter(e => (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1)
        || e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 120))"""
LONG = "Stadtwerke Beispielstadt Energie und Wasser GmbH"


@pytest.fixture
def long_rows(charlie, django_user_model):
    """Rows of every kind, as long as real ones may be."""
    user = django_user_model.objects.create_user("maximiliane.mustermann-beispiel@example-mailprovider.com", "x")
    fill(user)
    Customer.objects.update(customer_id="cus_" + "0123456789abcdef01234567")
    Location.objects.update(
        address_line1="123 Saint Bartholomew’s Gardens", city="Stoke-on-Trent", post_code="ST10 1AA", country_code="GB",
        location_id="loc_0123456789abcdef01234567", time_zone="Europe/London", currency_code="GBP",
    )  # fmt: skip
    Tariff.objects.update(provider=LONG, name="Strom Komfort 24 Öko Plus Zweitarif", rates="estimate")
    ConnectSession.objects.update(
        provider=LONG, last_error_code="contract_end_date_before_start", ended_at=user.date_joined, state="left"
    )
    for report in Tariff.objects.get().wrong_prices.all():
        report.said = "My bill of October says 24.50p from 16:00 to 19:00, and my contract too. " * 4
        report.said, report.named, report.dealt_with_at = report.said[:300], f"{LONG}, Öko Plus", user.date_joined
        report.save()
    event = {"location_id": "loc_0123456789abcdef01234567", "last_result": "connect_token_expired"}
    django_user_model._meta.apps.get_model("tariffs", "Event").objects.update(**event, type="tariff.connection.upgrade")
    Erasure.objects.create(kind="conversation", flatpeak_id="0" * 64, last_result="connect_token_not_found")
    EmailAddress.objects.create(user=user, email=user.email)
    Authenticator.objects.create(user=user, type="recovery_codes", data={})
    return user


def test_no_column_of_the_admin_is_cut_at_1280_pixels(long_rows, charlie, client, open_visit, site, settings):
    settings.STAFF_MFA = False
    client.force_login(charlie)
    visit = open_visit("desktop")
    name = django_settings.SESSION_COOKIE_NAME
    visit.page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
    paths = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]
    paths += [reverse(f"admin:{each}") for each in ("index", "connect_ui_attention", "connect_ui_funnel")]
    paths.append(reverse("admin:customer", args=[long_rows.pk]))
    found = {}
    for path in paths:
        visit.open(path)
        if SHOTS:
            folder = Path(SHOTS) / "admin 1280"
            visit.page.screenshot(path=folder / f"{path.strip('/').replace('/', ' ')}.png", full_page=True)
        scrolls = visit.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        if cut := visit.page.evaluate(CUT) + ["the page scrolls"] * scrolls:
            found[path] = cut
    assert found == {}
