"""The admin's page about one customer: what it shows, to whom, and how it is found."""

import re
from datetime import timedelta
from html import unescape
from operator import itemgetter

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from flatpeak_app.operations.customer_page import NEWEST
from tariffs.models import DeviceKey, Event, Location, Mail, Tariff, Wait, Wish, WrongPrice
from tariffs.notices import send_due
from tests.test_funnel import sessions
from tests.test_overview import ago, tariff

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, charlie):
    client.force_login(charlie)
    return client


def address(user):
    return reverse("admin:customer", args=[user.pk])


def text(client, user):
    response = client.get(address(user))
    assert response.status_code == 200
    main = response.content.decode().partition('id="content-main"')[2]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def fill(user, count=1):
    """Rows of every kind of a customer's, all of them late."""
    for n in range(count):
        key = f"{user.pk}{n}"
        late = tariff(user, key, rates="failing", rates_since=ago(hours=2), last_result="no_price_data")
        [session] = sessions(user, 1, state="owed", routes=("provider", "end"), provider=f"Provider {key}")
        Page.objects.filter(session=session).update(shown_at=ago(hours=2))
        Event.objects.create(
            event_id=f"evt_{key}",
            type="location.update",
            location_id=f"loc_{key}",
            told_at=ago(),
            received_at=ago(hours=2),
        )
        Wait.objects.create(tariff=late, since=ago(days=1), last_result="not_sent", attempts=2)
        Mail.objects.create(user=user, name="account/email/password_changed", taken=True)
        now = timezone.now()
        priced = {"day": now.date(), "starts_at": now, "segment": [f"{now}", f"{now}", 0.3, 1, None], "fetched_at": now}
        Wish.objects.create(tariff=late, kind="below", limit="0.125")
        Wish.objects.create(tariff=late, kind="above", limit="0.875", wanted=False)
        DeviceKey.make(late.location, f"Hub {key}")
        WrongPrice.objects.create(tariff=late, said=f"It is {key}p.", **priced)


def test_it_shows_everything_of_one_customer_and_nothing_of_another(staff, alice, bob):
    fill(alice)
    fill(bob)
    said = text(staff, alice)
    for part in (
        f"SSE, No. {alice.pk}0 loc_{alice.pk}0 buys Connected",
        f"exchange owed The end Provider {alice.pk}0 buys",
        "location.update",
        "password changed",
        "sent",
        f"It is {alice.pk}0p.",
        "a price below the limit 0.125",
        f"loc_{alice.pk}0 Hub {alice.pk}0",
        "What to do Exchanges owed for over an hour: 1",
        "Rates that have failed for over an hour: 1",
        "Mails that the mail server refused twice or more: 1",
        "Events that have not been handled for over an hour: 1",
        "Prices that customers say are wrong: 1",
        "give FlatPeak’s support the location’s id",
    ):
        assert part in said, part
    assert 'id="user-tools"' in staff.get(address(alice)).content.decode()  # the head of every page of the admin
    for part in (f"No. {bob.pk}0", f"Provider {bob.pk}0", f"It is {bob.pk}0p.", f"Hub {bob.pk}0", "0.875"):
        assert part not in said, part
    assert "Try all again" not in said
    assert (
        f'<a href="{reverse("admin:accounts_user_change", args=[alice.pk])}">Account</a>'
        in staff.get(address(alice)).content.decode()
    )
    assert f"Customer since {alice.date_joined:%Y-%m-%d}, never signed in, language not chosen. Account" in said
    type(alice).objects.filter(pk=alice.pk).update(
        last_login="2026-02-03T04:05:00Z", language="de", is_active=False, is_staff=True
    )
    assert ", last sign-in 2026-02-03 04:05, language de, not active , staff ." in text(staff, alice)
    links = re.findall(r'<th scope="row"><a href="([^"]+)"', staff.get(address(alice)).content.decode())
    assert len(links) >= 10
    assert {staff.get(link).status_code for link in links} == {200}


def test_what_needs_somebody_is_that_customers_own(staff, alice, bob):
    for user in (alice, bob):
        tariff(user, f"{user.pk}9", state="pending", state_since=ago(hours=49))
    said = text(staff, alice)
    assert "Tariffs that FlatPeak has not read for 48 hours: 1" in said
    assert f"No. {alice.pk}9" in said
    assert f"No. {bob.pk}9" not in said


def test_one_of_whom_nothing_is_stored_says_so(staff, alice):
    said = text(staff, alice)
    assert "never signed in" in said
    assert "What to do Nothing." in said
    assert said.count("None.") == 8
    assert staff.get(address(alice).replace(str(alice.pk), "987654")).status_code == 404


def test_it_costs_the_same_queries_whatever_there_is_and_leads_to_the_rest(staff, alice, bob):
    def queries():
        staff.get(address(alice))
        with CaptureQueriesContext(connection) as found:
            staff.get(address(alice))
        return len(found)

    fill(bob)
    fill(alice)
    few = queries()
    fill_more = NEWEST + 5
    alice.customers.all().delete()
    alice.connect_sessions.all().delete()
    Event.objects.all().delete()
    fill(alice, fill_more)
    assert queries() == few
    page = staff.get(address(alice)).content.decode()
    lists = [unescape(link) for link in re.findall(r'<a href="([^"]+)">All, in the list</a>', page)]
    assert len(lists) == 3
    for link in lists:
        assert staff.get(link).context["cl"].result_count == fill_more, link


def test_each_section_has_the_newest_and_begins_with_them(staff, alice):
    fill(alice, NEWEST + 3)
    sections = [
        ("Locations and tariffs", Location, "created_at", lambda cells: cells[1].created_at),
        ("Conversations", ConnectSession, "started_at", itemgetter(0)),
        ("Events", Event, "received_at", itemgetter(1)),
        ("Mails of the last 30 days", Mail, "sent_at", itemgetter(1)),
        ("Mails to come when rates arrive", Wait, "since", itemgetter(1)),
        ("Mails they want", Wish, "since", itemgetter(3)),
        ("Keys of devices", DeviceKey, "made_at", itemgetter(2)),
        ("Prices said to be wrong", WrongPrice, "reported_at", itemgetter(0)),
    ]
    now, hour = timezone.now(), timedelta(hours=1)
    for _, model, moment, _ in sections:
        stored = model.objects.exclude(wanted=False) if model is Wish else model.objects.all()
        for n, row in enumerate(stored.order_by("pk")):
            model.objects.filter(pk=row.pk).update(**{moment: now - 5 * n % (NEWEST + 3) * hour})
    shown = {section.title: section.rows for section in staff.get(address(alice)).context["sections"]}
    assert set(shown) == {title for title, *_ in sections}
    for title, _, _, moment in sections:
        assert [(now - moment(cells)) / hour for _, cells in shown[title]] == list(range(NEWEST)), title


def test_permissions_decide_which_sections_there_are(client, alice, django_user_model):
    fill(alice)
    clerk = django_user_model.objects.create_user("clerk@example.com", "x", is_staff=True)
    client.force_login(clerk)

    def headings():
        return re.findall(r"<h2>([^<:]+)", client.get(address(alice)).content.decode().partition("content-main")[2])

    assert client.get(address(alice)).status_code == 403
    seen = []
    for codename in (
        "view_user",
        "view_connectsession",
        "view_tariff",
        "view_location",
        "view_event",
        "view_wrongprice",
    ):
        clerk.user_permissions.add(Permission.objects.get(codename=codename))
        seen.append(set(headings()))
    first, *others = seen
    assert first == {"What to do", "Mails of the last 30 days"}
    assert others[0] - first == {"Conversations", "Exchanges owed for over an hour"}
    assert "Locations and tariffs" not in others[1]
    assert "Locations and tariffs" in others[2]
    assert "Prices said to be wrong" in others[4] - others[3]


def test_every_list_of_people_leads_there(staff, alice):
    fill(alice)
    EmailAddress.objects.create(user=alice, email=alice.email)
    Authenticator.objects.create(user=alice, type="totp", data={})
    for name in (
        *("accounts_user", "account_emailaddress", "mfa_authenticator", "connect_ui_connectsession"),
        *("tariffs_customer", "tariffs_location", "tariffs_tariff", "tariffs_event", "tariffs_wrongprice"),
    ):
        page = staff.get(reverse(f"admin:{name}_changelist")).content.decode()
        assert f'href="{address(alice)}"' in page, name


def test_an_event_leads_to_the_customer_of_its_location_alone(staff, alice, bob):
    fill(alice)
    fill(bob)
    Location.objects.create(customer=bob.customers.get())  # which FlatPeak has no id of yet
    Event.objects.update(told_at=ago())
    for name, place in (("evt_unknown", "loc_unknown"), ("evt_none", "")):
        Event.objects.create(event_id=name, type=name, location_id=place, told_at=ago(), received_at=ago())
    page = staff.get(reverse("admin:tariffs_event_changelist")).content.decode()
    rows = {
        re.search(r"loc_\w+|evt_none", row)[0]: row for row in page.split("<tr")[1:] if "evt_" in row or "loc_" in row
    }
    led = {name: re.findall(r'href="([^"]+/everything/)"', row) for name, row in rows.items()}
    assert led == {
        f"loc_{alice.pk}0": [address(alice)],
        f"loc_{bob.pk}0": [address(bob)],
        "loc_unknown": [],
        "evt_none": [],
    }


def test_who_may_not_view_accounts_gets_no_link_and_no_address_in_a_list(client, alice, django_user_model):
    fill(alice)
    clerk = django_user_model.objects.create_user("clerk@example.com", "x", is_staff=True)
    names = ["connectsession", "customer", "location", "tariff", "event", "wrongprice"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=[f"view_{name}" for name in names]))
    client.force_login(clerk)
    for name in names:
        app = "connect_ui" if name == "connectsession" else "tariffs"
        page = client.get(reverse(f"admin:{app}_{name}_changelist")).content.decode()
        assert "alice@" not in page, name
        assert "/everything/" not in page, name


def test_the_admins_first_page_finds_a_customer_by_the_address(staff, alice):
    page = staff.get("/admin/").content.decode()
    action = re.search(r'<form[^>]*method="get" action="([^"]+)" role="search">.*name="q"', page, re.DOTALL)[1]
    found = staff.get(action, {"q": "ALICE@example.com"}).content.decode()
    assert f'href="{address(alice)}"' in found


# --- Mails


def test_a_mail_is_noted_when_it_was_sent_and_when_it_was_not(client, alice, monkeypatch):
    client.post("/account/password/reset/", {"email": alice.email})
    [noted] = Mail.objects.all()
    assert (noted.user, noted.taken, str(noted)) == (alice, True, "password reset code")
    assert len(mail.outbox) == 1
    client.post("/account/password/reset/", {"email": "nobody@example.com"})
    assert Mail.objects.count() == 1

    def refuse(message):
        raise OSError

    monkeypatch.setattr("flatpeak_app.accounts.mails.EmailMessage.send", refuse)
    assert client.post("/account/password/reset/", {"email": alice.email}).status_code == 503
    assert list(Mail.objects.order_by("sent_at").values_list("taken", flat=True)) == [True, False]


@pytest.mark.parametrize("taken", [True, False])
def test_a_mail_about_a_tariff_is_noted_too(alice, monkeypatch, taken):
    wait = Wait.objects.create(tariff=tariff(alice, state="pending"), since=ago(hours=49))
    if not taken:
        monkeypatch.setattr("tariffs.letters.EmailMessage", lambda *mail, **more: 1 / 0)
    assert send_due(wait) is taken
    [noted] = Mail.objects.all()
    assert (noted.user, noted.name, noted.taken) == (alice, "late", taken)


def test_records_of_mails_are_kept_for_thirty_days(alice, capsys):
    for days in (29, 31):
        Mail.objects.create(user=alice, name="late", taken=True, sent_at=timezone.now() - timedelta(days=days))
    call_command("purge_sessions")
    assert Mail.objects.count() == 1
    assert "1 record of a mail deleted" in capsys.readouterr().out


# --- Words


def test_lists_say_buys_and_sells_and_pages_in_words(staff, alice):
    sessions(alice, 1, routes=("fixed_price",))
    sessions(alice, 1, routes=("provider",), direction="EXPORT")
    tariff(alice)
    for name in ("connect_ui_connectsession", "tariffs_tariff"):
        page = staff.get(reverse(f"admin:{name}_changelist")).content.decode()
        assert ">buys<" in page
        for wire in (">IMPORT<", ">EXPORT<", ">fixed_price<", ">provider<"):
            assert wire not in page, (name, wire)
    page = staff.get(reverse("admin:connect_ui_connectsession_changelist")).content.decode()
    assert ">sells<" in page
    assert ">One price<" in page
    assert 'href="?last_route=provider"' in page
    assert "1 location" in staff.get(reverse("admin:tariffs_location_changelist")).content.decode()
    assert Location.objects.count() == Tariff.objects.count() == 1
