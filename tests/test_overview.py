"""Two pages of the admin: where customers leave, and what needs attention."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from connect_ui.routes import ROUTES, Kind
from flatpeak_app.operations.events import BUSY
from flatpeak_app.operations.funnel_page import ROWS
from tariffs import flatpeak
from tariffs.models import Customer, Erasure, Event, Location, Reminder, Tariff, Wait, WrongPrice
from tests.test_funnel import sessions

pytestmark = pytest.mark.django_db

State = ConnectSession.State
FUNNEL, ATTENTION = "admin:connect_ui_funnel", "admin:connect_ui_attention"


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
    sessions(alice, 3, routes=("address", "provider"))
    sessions(alice, 1, routes=("address",), last_error_code="city_missing")
    ConnectSession.objects.exclude(last_error_code="").update(last_error_route="address")
    sessions(alice, 4, routes=("address", "provider", "end"), state=State.CONNECTED)
    for purged in (False, True):
        if purged:
            call_command("purge_sessions", verbosity=0)
        said = text(staff, FUNNEL)
        assert "8 began, 4 finished (50%), 4 left and 0 are under way." in said
        assert "Most left at “Provider”: 3 of the 7 who came there." in said
        assert "Address 8 1 12% 0:00 city_missing 1" in said
        assert "Provider 7 3 43% 0:00" in said
        assert "The end 4 0 0%" in said
        assert f"{timezone.now():%Y-%m-%d} 8 4 50% 0 4" in said


def test_every_page_is_in_words_and_an_unknown_one_as_it_came(staff, alice):
    known = [route for route in ROUTES if route.kind is not Kind.SENT]
    assert all(route.words for route in known)
    assert len({route.words for route in known}) == len(known)
    sessions(alice, 1, routes=[route.name for route in known] + ["meter_photo_capture"])
    said = text(staff, FUNNEL)
    for route in known:
        assert f" {route.words} 1 " in said, route.name
        assert "_" not in route.words
    assert " meter_photo_capture 1 " in said


@pytest.mark.parametrize("purged", [False, True])
def test_it_says_how_long_a_page_takes_on_average_and_counts_half_an_hour_at_most(staff, alice, purged):
    begin = ago(hours=2)
    for waits in ((10, 65), (20, 67), (30, 7000)):
        [session] = sessions(alice, 1, routes=("address", "provider", "tariff"))
        shown = begin
        for page, seconds in zip(session.pages.order_by("number"), (*waits, 0), strict=True):
            Page.objects.filter(pk=page.pk).update(shown_at=shown)
            shown += timedelta(seconds=seconds)
    if purged:
        call_command("purge_sessions", verbosity=0)
        Page.objects.all().delete()
    said = text(staff, FUNNEL)
    assert "Address 3 0 0% 0:20" in said
    assert "Provider 3 0 0% 10:44" in said  # (65 + 67 + 1800) / 3
    assert re.search(r"Tariff 3 3 100% [^\d]", said)
    assert "0:20" not in text(staff, FUNNEL, country="DE")


def test_growth_is_told_per_week(staff, alice, bob, walk):
    User = type(alice)
    monday = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    monday -= timedelta(days=monday.weekday())
    User.objects.filter(pk=bob.pk).update(date_joined=monday - timedelta(seconds=1))
    User.objects.filter(pk=alice.pk).update(date_joined=monday)
    walk.client.force_login(alice)
    walk.fixed()
    walk.post("/connect/", {"location": Location.objects.get().pk, "direction": "IMPORT"}).act("SAVE")
    walk.fixed()
    assert ConnectSession.objects.filter(state=State.CONNECTED).count() == 3  # of two tariffs
    tariff(alice, 2, state="disconnected", state_since=monday - timedelta(weeks=11))
    tariff(alice, 3, state="disconnected", state_since=monday - timedelta(weeks=11, seconds=1))
    staff.force_login(User.objects.get(email="charlie@example.com"))
    said = text(staff, FUNNEL)
    assert f"{monday:%Y-%m-%d}, so far 1 2 0" in said
    assert f"{monday - timedelta(weeks=1):%Y-%m-%d} 1 0 0" in said
    assert f"{monday - timedelta(weeks=11):%Y-%m-%d} 0 0 1" in said
    assert f"{monday - timedelta(weeks=12):%Y-%m-%d}" not in said
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    assert f"{monday - timedelta(weeks=1):%Y-%m-%d} 0 0 0" in text(staff, FUNNEL)


def test_the_plot_says_the_same_without_a_style_and_for_who_does_not_see_it(staff, alice):
    sessions(alice, 3)
    page = html(staff, FUNNEL)
    assert page.count('<svg viewBox="0 0 760 ') == page.count('role="img" aria-label="How many ') == 2
    assert "<title>Provider: 3 came, 3 left</title>" in page
    assert f"<title>{timezone.now():%Y-%m-%d}: 3 begun, 0 finished, 0 under way, 3 left</title>" in page
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)
    widths = [float(width) for width in re.findall(r'<rect class="left"[^>]* width="([\d.]+)"', page)]
    assert max(widths) == 440  # everybody who reached the route of the longest bar left there


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
            assert f"{begun} began" in text(staff, FUNNEL, **query), query
        assert "No conversation began" in text(staff, FUNNEL, provider="x" * 500)
    page = html(staff, FUNNEL, days="7", country="DE")
    assert "<option selected>DE</option>" in page
    assert re.findall(r"<option>(\w\w)<", html(staff, FUNNEL)) == ["GB", "DE"]  # the largest first
    assert "<option>GB</option>" in page
    assert 'href="?days=7&amp;country=DE&amp;provider=E.ON+%26+Co"' in page


@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_period_begins_with_its_first_day(staff, alice, days):
    first = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    for began in (first - timedelta(microseconds=1), first):
        ConnectSession.objects.filter(pk=sessions(alice)[0].pk).update(started_at=began)
    assert "1 began" in text(staff, FUNNEL, days=days)
    assert f"<title>{first:%Y-%m-%d}: 1 begun" in html(staff, FUNNEL, days=days)


def test_an_unknown_page_is_shown_for_thirty_days(staff, alice):
    [session] = sessions(alice, routes=("solar",))
    for days, shown in ((29, True), (31, False)):
        ConnectSession.objects.filter(pk=session.pk).update(started_at=ago(days=days))
        assert ("solar" in text(staff, ATTENTION)) is shown


def test_without_any_conversation_it_says_so(staff):
    assert "No conversation began in these 30 days." in text(staff, FUNNEL)


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
    assert page.count('<th scope="row">route_') <= ROWS + 1


@pytest.mark.parametrize("name", [FUNNEL, ATTENTION])
def test_it_has_the_head_of_every_page_of_the_admin(staff, name):
    page = html(staff, name)
    for part in ('id="user-tools"', f'<a href="{reverse("admin:index")}">'):
        assert part in page


@pytest.mark.parametrize("name", [FUNNEL, ATTENTION])
def test_it_costs_the_same_queries_whatever_there_is(staff, alice, name):
    def queries():
        html(staff, name)
        with CaptureQueriesContext(connection) as found:
            html(staff, name)
        return len(found)

    sessions(alice, 1)
    few = queries()
    sessions(alice, 250, routes=[f"route_{n}" for n in range(5)])
    sessions(alice, 20, state=State.OWED, routes=("end",))
    Page.objects.update(shown_at=ago(hours=2))
    call_command("purge_sessions", verbosity=0)
    sessions(alice, 250)
    for n in range(20):
        tariff(alice, n, rates="failing", rates_since=ago(hours=2))
        tariff(alice, 100 + n, state="pending", state_since=ago(hours=49))
        Erasure.objects.create(kind="location", flatpeak_id=f"loc_{n}", requested_at=ago(days=2))
    assert queries() == few


# --- What needs attention


def tariff(user, number=1, **fields):
    customer = Customer.objects.get_or_create(user=user)[0]
    location = Location.objects.create(customer=customer, location_id=f"loc_{number}")
    return Tariff.objects.create(location=location, direction="IMPORT", provider="SSE", name=f"No. {number}", **fields)


def links_of(client, title):
    """The links under a heading, after opening each."""
    part = html(client, ATTENTION).partition(f"<h2>{title}")[2].partition("</section>")[0]
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', part)]
    assert [client.get(link).status_code for link in links] == [200] * len(links)
    return links


def rows(client, link):
    return client.get(link).context["cl"].result_count


def test_where_nothing_needs_anybody_it_says_so_and_what_it_looked_for(staff, alice):
    sessions(alice, 3)
    tariff(alice)
    said = text(staff, ATTENTION)
    assert "Nothing needs attention." in said
    assert "We looked for these too and found none: Exchanges owed for over an hour; Rates that" in said


def test_an_exchange_is_named_when_it_is_owed_for_an_hour_however_often_it_was_tried(staff, alice):
    [old] = sessions(alice, 1, state=State.OWED, routes=("end",), provider="SSE")
    sessions(alice, 1, state=State.OWED, routes=("end",))
    sessions(alice, 1, state=State.CONNECTED, routes=("end",))
    assert "Exchanges owed for over an hour:" not in text(staff, ATTENTION)
    Page.objects.filter(session=old).update(shown_at=ago(minutes=61))
    said = text(staff, ATTENTION)
    assert "Exchanges owed for over an hour: 1" in said
    assert "SSE, buys, GB since" in said
    assert "no answer" in said
    one, every = links_of(staff, "Exchanges owed")
    assert str(old.pk) in one
    assert rows(staff, every) == 2
    old.last_result = "account_suspended"
    old.save()
    assert "account_suspended" in text(staff, ATTENTION)


def test_a_refused_exchange_keeps_its_code(walk, monkeypatch):
    def refuse(*told):
        raise flatpeak.Rejected("GET /connect/tariff/token", 422, {"code": "account_suspended"})

    monkeypatch.setattr(flatpeak, "exchange", refuse)
    walk.fixed()
    assert (walk.session.state, walk.session.last_error_code) == ("owed", "account_suspended")
    assert walk.session.last_error_route == "end"


def test_rates_are_named_when_they_have_failed_for_an_hour(staff, alice):
    tariff(alice, 1, rates="failing", rates_since=ago(minutes=59))
    tariff(alice, 2, rates="failing", rates_since=ago(hours=9), state="disconnected")
    tariff(alice, 4, rates="ok", rates_since=ago(hours=9))
    assert "Nothing needs attention" in text(staff, ATTENTION)
    tariff(alice, 3, rates="failing", rates_since=ago(hours=2), last_result="no_price_data")
    said = text(staff, ATTENTION)
    assert "Rates that have failed for over an hour: 1 SSE, No. 3 since" in said
    assert "no_price_data" in said
    assert rows(staff, links_of(staff, "Rates")[-1]) == 2


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_tariffs_are_named_when_flatpeak_has_not_read_them_for_two_days(staff, alice, state):
    tariff(alice, 1, state=state, state_since=ago(hours=47))
    tariff(alice, 9, state="connected", state_since=ago(hours=49))
    assert "Nothing needs attention" in text(staff, ATTENTION)
    for n in range(2, 9):
        tariff(alice, n, state=state, state_since=ago(hours=40 + 5 * n))
    said = text(staff, ATTENTION)
    assert "not read for 48 hours: 7 SSE, No. 8 since" in said
    assert "All 7" in said
    links = links_of(staff, "Tariffs")
    assert len(links) == 6
    assert rows(staff, links[-1]) == 7


@pytest.mark.parametrize("elsewhere", [{"account": "acc_other"}, {"live_mode": True}], ids=str)
def test_nothing_of_another_account_or_mode_needs_anybody(staff, alice, elsewhere):
    sessions(alice, 1, state=State.OWED, routes=("end",))
    sessions(alice, 1, routes=("meter_photo_capture",))
    Page.objects.update(shown_at=ago(hours=2))
    tariff(alice, 1, rates="failing", rates_since=ago(hours=2))
    tariff(alice, 2, state="pending", state_since=ago(hours=49))
    Erasure.objects.create(kind="location", flatpeak_id="loc_1", requested_at=ago(days=2))
    Wait.objects.create(tariff=Tariff.objects.first(), since=ago(days=1), last_result="not_sent", attempts=2)
    Reminder.objects.create(tariff=Tariff.objects.first(), kind="ended", last_result="not_sent", attempts=2)
    Event.objects.create(event_id="evt_1", told_at=ago(hours=2), received_at=ago(hours=2))
    WrongPrice.objects.create(
        tariff=Tariff.objects.first(), day=ago().date(), starts_at=ago(), segment=[], fetched_at=ago(), said="Too high."
    )
    assert staff.get(reverse(ATTENTION)).context["fine"] == []
    for model in (ConnectSession, Tariff, Erasure, Wait, Reminder, Event, WrongPrice):
        model.objects.update(**elsewhere)
    assert staff.get(reverse(ATTENTION)).context["matters"] == []


def test_of_many_the_five_oldest_are_shown_the_oldest_first(staff, alice):
    hours = [60, 80, 50, 70, 90, 100, 55]
    for n, age in enumerate(hours):
        [session] = sessions(alice, 1, state=State.OWED, routes=("end",), provider=f"{age} hours")
        Page.objects.filter(session=session).update(shown_at=ago(hours=age))
        tariff(alice, n, rates="failing", rates_since=ago(hours=age), state="pending", state_since=ago(hours=age))
        Erasure.objects.create(kind="location", flatpeak_id=f"loc_{n}", requested_at=ago(hours=age))
    matters = {matter.title: matter for matter in staff.get(reverse(ATTENTION)).context["matters"]}
    assert len(matters) == 4
    for title, matter in matters.items():
        ages = [round((timezone.now() - case.since) / timedelta(hours=1)) for case in matter.cases]
        assert (matter.number, ages) == (7, [100, 90, 80, 70, 60]), title


def test_a_page_that_is_not_known_is_named_also_when_its_conversation_was_purged(staff, alice):
    sessions(alice, 2, routes=("provider", "meter_photo_capture"))
    for purged in (False, True):
        if purged:
            call_command("purge_sessions", verbosity=0)
        said = text(staff, ATTENTION)
        assert "in 30 days: 1 meter_photo_capture 2 conversations" in said.replace("  ", " ")
        assert "Update the app" in said
        assert rows(staff, links_of(staff, "Pages")[0]) == 2


def test_a_deletion_is_named_when_flatpeak_has_not_made_it_for_a_day(staff):
    Erasure.objects.create(kind="location", flatpeak_id="loc_1", requested_at=ago(hours=23))
    Erasure.objects.create(kind="location", flatpeak_id="loc_2", requested_at=ago(days=3), done_at=timezone.now())
    assert "Nothing needs attention" in text(staff, ATTENTION)
    Erasure.objects.create(kind="customer", flatpeak_id="cus_1", requested_at=ago(days=2), last_result="unavailable")
    assert "not made for over a day: 1 customer since" in text(staff, ATTENTION)
    assert rows(staff, links_of(staff, "Deletions")[-1]) == 1


def test_an_event_is_named_when_it_was_not_handled_for_an_hour_and_waits_for_no_customer(staff):
    for name, hours, more in [
        ("new", 0.9, {}),
        ("done", 2, {"handled_at": ago(hours=1)}),
        ("busy", 2, {"last_result": BUSY}),
    ]:
        Event.objects.create(event_id=name, told_at=ago(), received_at=ago(hours=hours), **more)
    assert "Nothing needs attention" in text(staff, ATTENTION)
    late = {"type": "location.update", "last_result": "unavailable"}
    Event.objects.create(event_id="late", told_at=ago(), received_at=ago(hours=2), **late)
    said = text(staff, ATTENTION)
    assert "not been handled for over an hour: 1 location.update since" in said
    assert "unavailable" in said
    assert rows(staff, links_of(staff, "Events")[-1]) == 3  # all that were not handled


def test_a_wrong_price_is_named_until_it_was_dealt_with(staff, alice):
    told = {"day": ago().date(), "starts_at": ago(), "segment": [f"{ago()}", f"{ago()}", 0.3, 1, None]}
    for n, at in ((1, None), (2, timezone.now())):
        WrongPrice.objects.create(
            tariff=tariff(alice, n), fetched_at=ago(), said=f"Too high, {n}.", dealt_with_at=at, **told
        )
    assert "Prices that customers say are wrong: 1 Too high, 1. since" in text(staff, ATTENTION)
    assert rows(staff, links_of(staff, "Prices that customers")[-1]) == 1


# --- Who may open them


def test_each_page_opens_with_the_permissions_for_what_it_shows_and_not_with_fewer(client, django_user_model):
    clerk = django_user_model.objects.create_user("clerk@example.com", "x", is_staff=True)
    client.force_login(clerk)

    def found():
        return [client.get(reverse(name)).status_code for name in (FUNNEL, ATTENTION)]

    assert found() == [403, 403]
    for codename, expected in [
        ("view_tariff", [403, 403]),
        ("view_connectsession", [200, 403]),
        ("view_erasure", [200, 403]),
        ("view_event", [200, 403]),
        ("view_wrongprice", [200, 200]),
    ]:
        clerk.user_permissions.add(Permission.objects.get(codename=codename))
        assert found() == expected
    index = client.get("/admin/").content.decode()
    assert "Where customers leave" in index
    assert "What needs attention" in index
    assert client.post(reverse(FUNNEL)).status_code == 405


def test_the_admins_first_page_links_them_to_who_may_open_them(staff, client, django_user_model):
    page = staff.get("/admin/").content.decode()
    assert f'href="{reverse(FUNNEL)}"' in page
    assert f'href="{reverse(ATTENTION)}"' in page
    client.force_login(django_user_model.objects.create_user("clerk@example.com", "x", is_staff=True))
    assert "Where customers leave" not in client.get("/admin/").content.decode()
