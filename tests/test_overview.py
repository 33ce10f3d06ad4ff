"""A page of the admin: where customers leave."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from connect_ui.funnel_page import ROWS
from connect_ui.models import ConnectSession
from tests.test_funnel import sessions

pytestmark = pytest.mark.django_db

State = ConnectSession.State
FUNNEL = "admin:connect_ui_funnel"


@pytest.fixture
def staff(client, charlie):
    client.force_login(charlie)
    return client


def html(client, name, **query):
    response = client.get(reverse(name), query)
    assert response.status_code == 200
    return response.content.decode()


def text(client, name, **query):
    main = html(client, name, **query).partition('id="content-main"')[2]
    main = re.sub(r"<svg.*?</svg>|<form.*?</form>", "", main, flags=re.S)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def ago(**by):
    return timezone.now() - timedelta(**by)


# --- Where customers leave


def test_it_says_how_many_came_and_left_at_each_route_and_with_what(staff, alice):
    sessions(alice, 3, routes=("postal_address_capture", "provider_select"))
    sessions(alice, 1, routes=("postal_address_capture",), last_error_code="city_missing")
    ConnectSession.objects.exclude(last_error_code="").update(last_error_route="postal_address_capture")
    sessions(alice, 4, routes=("postal_address_capture", "provider_select", "session_complete"), state=State.CONNECTED)
    for purged in (False, True):
        if purged:
            call_command("purge_sessions", verbosity=0)
        said = text(staff, FUNNEL)
        assert "Of 8 begun, 4 finished (50 %), 4 left and 0 are under way." in said
        assert "Most leave at provider_select : 3 of the 7 who came there." in said
        assert "postal_address_capture 8 1 12 % city_missing 1" in said
        assert "provider_select 7 3 43 %" in said
        assert "session_complete 4 0 0 %" in said
        assert f"{timezone.now():%Y-%m-%d} 8 4 50 % 0 4" in said


def test_the_plot_says_the_same_without_a_style_and_for_who_does_not_see_it(staff, alice):
    sessions(alice, 3)
    page = html(staff, FUNNEL)
    assert page.count('<svg viewBox="0 0 760 ') == page.count('role="img" aria-label="How many ') == 2
    assert "<title>provider_select: 3 came, 3 left</title>" in page
    assert f"<title>{timezone.now():%Y-%m-%d}: 3 begun, 0 finished, 0 under way, 3 left</title>" in page
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)
    widths = [float(width) for width in re.findall(r'<rect class="left"[^>]* width="([\d.]+)"', page)]
    assert max(widths) == 440  # all who came to the longest bar's route left there


def test_it_is_filtered_by_period_country_provider_and_direction(staff, alice):
    sessions(alice, 1, listed_provider="SSE")
    sessions(alice, 2, country_code="DE", listed_provider="E.ON & Co")
    sessions(alice, 4, direction="EXPORT")
    old = sessions(alice, 8)
    ConnectSession.objects.filter(pk__in=[session.pk for session in old]).update(started_at=ago(days=40))
    for purged in (False, True):
        if purged:
            call_command("purge_sessions", verbosity=0)
        for query, begun in [
            ({}, 7),
            ({"days": "90"}, 15),
            ({"days": "7", "country": "DE"}, 2),
            ({"provider": "E.ON & Co"}, 2),
            ({"provider": "SSE", "country": "GB"}, 1),
            ({"direction": "EXPORT"}, 4),
            ({"days": "8000"}, 7),
            ({"days": "\0", "direction": "\0"}, 7),
        ]:
            assert f"Of {begun} begun" in text(staff, FUNNEL, **query), query
        assert "No conversation was begun" in text(staff, FUNNEL, provider="x" * 5000)
    page = html(staff, FUNNEL, days="7", country="DE")
    assert "<option selected>DE</option>" in page
    assert "<option>GB</option>" in page
    assert 'href="?days=7&amp;country=DE&amp;provider=E.ON+%26+Co"' in page


def test_without_any_conversation_it_says_so(staff):
    assert "No conversation was begun in these 30 days." in text(staff, FUNNEL)


def test_what_another_account_of_flatpeak_had_is_not_shown(staff, alice, settings):
    sessions(alice, 3)
    settings.FLATPEAK_REALM = "acc_real"
    assert "No conversation" in text(staff, FUNNEL)
    call_command("purge_sessions", verbosity=0)
    assert "No conversation" in text(staff, FUNNEL)


def test_hostile_names_are_escaped_and_many_routes_are_cut_short(staff, alice):
    sessions(alice, 1, routes=("<script>alert(1)</script>",), listed_provider="<b>SSE</b>")
    sessions(alice, 1, routes=[f"route_{n}" for n in range(2 * ROWS)])
    page = html(staff, FUNNEL)
    assert "<script>alert" not in page
    assert "<b>SSE" not in page
    assert page.count("<code>route_") <= ROWS + 1
