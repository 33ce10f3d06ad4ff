""" "This price is wrong": from a price on a page to the operator's list."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tariffs.models import Customer, Location, RateDay, Tariff, WrongPrice
from tariffs.rates import Segment, day_span, dump
from tests.test_faults import NIGHT_AND_DAY
from tests.test_languages import NAMES, latin

pytestmark = pytest.mark.django_db
SAID = "My bill says 24.50p from 16:00 to 19:00."
LINK = re.compile(r'<a href="([^"]+)">This price is wrong</a>')


@pytest.fixture
def place(walk):
    """Alice's location, whose prices she has looked at."""
    walk.by_hand(structure="TIME_OF_DAY").answer(**NIGHT_AND_DAY).name_and_term("Simple").act("SAVE")
    location = Location.objects.get()
    walk.get(f"/locations/{location.pk}/")
    return location


def links(client, path):
    return [unescape(link) for link in LINK.findall(client.get(path).content.decode())]


def tell(client, link, said=SAID, **more):
    page = client.get(link)
    assert page.status_code == 200
    sent = {"start": page.context["form"]["start"].value(), "said": said} | more
    return client.post(link, sent, follow=True)


def test_what_is_wrong_goes_with_the_tariff_the_day_and_what_was_stored(place, client, later):
    path = f"/locations/{place.pk}/"
    [link] = links(client, path)
    now = timezone.now()
    page = client.get(link).content.decode()
    assert "Ecotricity, Simple" in page
    assert "00:00 to 07:00: 10.00p per kWh" in page
    answer = tell(client, link)
    assert answer.redirect_chain == [(f"{path}?direction=IMPORT", 302)]
    assert "Thank you. We will look at this price." in answer.content.decode()
    report, stored = WrongPrice.objects.get(), RateDay.objects.get(day=now.astimezone(place.zone).date())
    assert (report.tariff, report.named, report.day) == (Tariff.objects.get(), "Ecotricity, Simple", stored.day)
    same = [each for each in stored.segments if each[2] == report.segment[2]]
    assert report.segment[0] in [each[0] for each in same]
    assert report.segment[1] in [each[1] for each in same]
    assert report.starts_at <= now < report.ends_at  # the price of this moment is chosen unless the customer chooses
    assert (report.said, report.fetched_at, report.dealt_with_at) == (SAID, stored.fetched_at, None)
    assert report.rate in (Decimal("0.3"), Decimal("0.1"))
    RateDay.objects.all().delete()
    Tariff.objects.update(name="Another")
    report.refresh_from_db()
    assert (report.named, bool(report.segment)) == ("Ecotricity, Simple", True)


def test_the_customer_chooses_which_price_of_the_day(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    starts = [value for value, _ in client.get(link).context["form"].fields["start"].choices]
    assert len(starts) == 3
    for start in reversed(starts):
        tell(client, link, start=start)
    page = client.get(link).content.decode()
    assert re.findall(r"You told us about the price from (.{5}):", page) == ["00:00", "07:00", "23:00"]
    assert 'name="date"' in page
    assert [each.starts_at.isoformat() for each in WrongPrice.objects.order_by("starts_at")] == starts


def test_the_price_of_this_moment_is_chosen_or_else_the_first_of_the_day(place, client, later):
    later(hours=(12 - timezone.now().astimezone(place.zone).hour) % 24)
    [link] = links(client, f"/locations/{place.pk}/")
    [other] = links(client, f"/locations/{place.pk}/day/?date={timezone.now().date() - timedelta(days=14)}")
    for path, words in ((link, "07:00 to 23:00: 30.00p per kWh"), (other, "00:00 to 07:00: 10.00p per kWh")):
        start = client.get(path).context["form"]["start"]
        assert dict(start.field.choices)[start.value()] == words


def test_each_location_has_prices_and_reports_of_its_own(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    today = timezone.now().astimezone(place.zone).date()
    there = Location.objects.create(
        customer=place.customer,
        location_id="loc_2",
        address_line1="2 Example Street",
        time_zone=place.time_zone,
        currency_code="GBP",
    )
    other = Tariff.objects.create(location=there, direction="IMPORT", due_at=timezone.now() + timedelta(days=1))
    segments = dump([Segment(*day_span(today, place.zone), Decimal("0.5"))])
    RateDay.objects.create(tariff=other, day=today, segments=segments, fetched_at=timezone.now())
    elsewhere = link.replace(str(place.pk), str(there.pk))
    page = client.get(elsewhere).content.decode()
    assert "2 Example Street" in page
    assert "All day: 50.00p per kWh" in page
    assert f"/locations/{there.pk}/?direction=IMPORT" in tell(client, elsewhere, "Of the other.").redirect_chain[0]
    assert WrongPrice.objects.get().tariff == other
    assert "Of the other." in client.get(elsewhere).content.decode()
    assert "Of the other." not in client.get(link).content.decode()


def test_a_price_of_a_tariff_that_was_changed_since_is_told_with_that_ones_name(place, client):
    path = f"/locations/{place.pk}/day/?date={timezone.now().date() - timedelta(days=14)}"
    [link] = links(client, path)
    RateDay.objects.update(former="Village Power, Simple")
    tell(client, link)
    assert WrongPrice.objects.get().named == "Village Power, Simple"


@pytest.mark.parametrize("kind", ["day", "week"])
def test_other_days_and_weeks_lead_there_too(place, client, kind):
    day = timezone.now().date() - timedelta(days=14)
    [link] = links(client, f"/locations/{place.pk}/{kind}/?date={day}")
    about = day if kind == "day" else day - timedelta(days=day.weekday())
    assert link.endswith(f"?direction=IMPORT&date={about}")
    answer = tell(client, link)
    assert answer.redirect_chain == [(f"/locations/{place.pk}/day/?direction=IMPORT&date={about}", 302)]
    assert WrongPrice.objects.get().day == about


def test_this_week_leads_to_today(place, client):
    today = timezone.now().astimezone(place.zone).date()
    [link] = links(client, f"/locations/{place.pk}/week/?date={today}")
    assert link.endswith(f"date={today}")


def test_what_is_sold_has_a_link_of_its_own_there_and_back(walk):
    walk.fixed(direction="EXPORT")
    path = f"/locations/{Location.objects.get().pk}/"
    [link] = links(walk.client, path)
    assert link == f"{path}wrong-price/?direction=EXPORT"
    page = walk.client.get(link).content.decode()
    assert "What you are paid" in page
    assert f'href="{path}?direction=EXPORT">' in page
    assert walk.client.get(link.replace("EXPORT", "IMPORT")).status_code == 404
    assert tell(walk.client, link).redirect_chain == [(f"{path}?direction=EXPORT", 302)]
    assert WrongPrice.objects.get().tariff.direction == "EXPORT"
    managed = walk.client.get(f"{path}tariff/?direction=EXPORT").content.decode()
    for words in ("Back to the prices", "See the prices"):
        assert f'href="{path}?direction=EXPORT">{words}' in managed


def test_one_price_all_day_needs_no_choice(walk):
    walk.fixed()
    [link] = links(walk.client, f"/locations/{Location.objects.get().pk}/")
    page = walk.client.get(link).content.decode()
    assert "All day: 28.15p per kWh" in page
    assert "<select" not in page
    tell(walk.client, link)
    assert WrongPrice.objects.count() == 1


def test_without_a_price_there_is_no_link_and_a_day_without_says_so(place, client):
    RateDay.objects.all().delete()
    Tariff.objects.update(due_at=timezone.now() + timedelta(hours=1))
    path = f"/locations/{place.pk}/"
    assert links(client, path) == []
    page = client.get(f"{path}wrong-price/?direction=IMPORT")
    assert "We have no price of this day." in page.content.decode()
    assert client.post(f"{path}wrong-price/?direction=IMPORT", {"start": "", "said": SAID}).status_code == 422
    assert not WrongPrice.objects.exists()


def test_the_link_costs_the_rates_page_no_query(place, client, django_assert_num_queries):
    path = f"/locations/{place.pk}/"
    client.get(path)
    with django_assert_num_queries(4):  # as in test_rates_pages
        client.get(path)


# --- What is refused


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("", "Tell us what is wrong with this price."),
        (" \r\n ", "Tell us what is wrong with this price."),
        ("x" * 301, "Ensure this value has at most 300 characters (it has 301)."),
        ("a\0b", "Null characters are not allowed."),
    ],
    ids=["empty", "blank", "long", "NUL"],
)
def test_a_sentence_that_cannot_be_taken_stays_on_the_page(place, client, said, error):
    [link] = links(client, f"/locations/{place.pk}/")
    answer = tell(client, link, said)
    assert answer.status_code == 422
    page = unescape(answer.content.decode())
    assert error in page
    assert "<title>Error: " in page
    assert "\0" in said or said.strip() in page
    assert not WrongPrice.objects.exists()


def test_the_ends_of_lines_become_spaces_and_invisible_characters_go(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    tell(client, link, "x" * 149 + "\r\n" + "y\u200by" + "z" * 148)
    assert WrongPrice.objects.get().said == "x" * 149 + " yy" + "z" * 148


def test_a_price_that_is_not_on_the_page_and_a_day_out_of_reach_are_refused(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    for start in ("", "2020-01-01T00:00:00+00:00", "x" * 50):
        assert tell(client, link, start=start).status_code == 422
    for day in ("2020-01-01", "x", ""):
        assert client.post(f"{link}&date={day}", {"start": "", "said": SAID}).status_code == 400
    for direction in ("", "BOTH", "EXPORT"):
        assert client.get(link.replace("IMPORT", direction)).status_code == 404
    assert not WrongPrice.objects.exists()


def test_a_second_sentence_about_a_price_replaces_the_first_until_it_is_dealt_with(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    for said in ("First.", "Second."):
        tell(client, link, said)
    assert WrongPrice.objects.get().said == "Second."
    assert "Second.”" in client.get(link).content.decode()
    WrongPrice.objects.update(dealt_with_at=timezone.now())
    assert "Second." not in client.get(link).content.decode()
    tell(client, link, "Third.")
    assert WrongPrice.objects.count() == 2


def test_a_person_may_have_so_many_open_and_send_so_many_in_a_minute(place, client, settings, monkeypatch):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"wrong_price": 3}
    monkeypatch.setattr(WrongPrice, "MOST_OPEN", 1)
    [link] = links(client, f"/locations/{place.pk}/")
    first, second, _ = (value for value, _ in client.get(link).context["form"].fields["start"].choices)
    tell(client, link, start=first)
    refused = tell(client, link, start=second)
    assert refused.status_code == 422
    assert "You have told us about many prices." in refused.content.decode()
    assert tell(client, link, "Changed.", start=first).status_code == 200
    assert tell(client, link, start=first).status_code == 429
    assert [each.said for each in WrongPrice.objects.all()] == ["Changed."]


def test_a_report_that_is_dealt_with_or_of_somebody_else_makes_room_for_another(place, client, bob, monkeypatch):
    monkeypatch.setattr(WrongPrice, "MOST_OPEN", 1)
    bobs = Location.objects.create(customer=Customer.objects.create(user=bob), location_id="loc_2")
    WrongPrice.objects.create(
        tariff=Tariff.objects.create(location=bobs, direction="IMPORT"),
        day=timezone.now().date(),
        starts_at=timezone.now(),
        segment=dump([Segment(timezone.now(), timezone.now(), Decimal("0.1"))])[0],
        fetched_at=timezone.now(),
        reported_at=timezone.now(),
        said="Bob's.",
    )
    [link] = links(client, f"/locations/{place.pk}/")
    first, second, _ = (value for value, _ in client.get(link).context["form"].fields["start"].choices)
    tell(client, link, start=first)
    WrongPrice.objects.update(dealt_with_at=timezone.now())
    tell(client, link, start=second)
    assert WrongPrice.objects.count() == 3


def test_what_was_said_of_one_day_does_not_stand_on_the_page_of_another(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    tell(client, link, "Of today.")
    assert "Of today." in client.get(link).content.decode()
    [other] = links(client, f"/locations/{place.pk}/day/?date={timezone.now().date() - timedelta(days=14)}")
    assert "Of today." not in client.get(other).content.decode()


def test_nobody_reports_anothers_price_not_even_staff(place, client, bob, charlie, settings):
    settings.STAFF_MFA = False
    path = f"/locations/{place.pk}/"
    [link] = links(client, path)
    for user in (bob, charlie):
        client.force_login(user)
        assert client.get(link).status_code == 404
        assert client.post(link, {"said": SAID}).status_code == 404
    assert links(client, path) == []  # which Charlie may look at
    assert links(client, f"{path}week/") == []
    client.force_login(place.customer.user)
    Location.objects.update(account="acc_another")
    assert client.get(link).status_code == 404


def test_a_location_that_is_deleted_meanwhile_takes_no_report(place, client, monkeypatch):
    [link] = links(client, f"/locations/{place.pk}/")
    monkeypatch.setattr(Location, "is_still_stored", lambda location: False)
    page = client.get(link)
    assert client.post(link, {"start": page.context["form"]["start"].value(), "said": SAID}).status_code == 404


# --- The operator


@pytest.fixture
def report(place, client):
    [link] = links(client, f"/locations/{place.pk}/")
    tell(client, link, "It's <b>24p</b>, I think.")
    return WrongPrice.objects.get()


def test_the_operator_reads_it_under_what_needs_somebody_and_marks_it_as_dealt_with(report, charlie):
    staff = Client()
    staff.force_login(charlie)
    attention, listed = reverse("admin:connect_ui_attention"), reverse("admin:tariffs_wrongprice_changelist")
    page = staff.get(attention).content.decode()
    assert "<h2>Prices that customers say are wrong: 1</h2>" in page
    assert "It&#x27;s &lt;b&gt;24p&lt;/b&gt;, I think." in page
    row = staff.get(reverse("admin:tariffs_wrongprice_change", args=[report.pk])).content.decode()
    for part in ("Ecotricity, Simple", "It&#x27;s &lt;b&gt;24p", "per kWh until", f"{report.day:%-d %b}"):
        assert part in row.replace("Nov.", "Nov"), part
    assert re.findall(r'name="(dealt_with_at_0|said|segment|named)"', row) == ["dealt_with_at_0"]
    for query in ("alice@example.com", "1 Example", report.tariff.location.location_id):
        assert staff.get(listed, {"q": query}).context["cl"].result_count == 1, query
    done = staff.post(listed, {"action": "dealt_with", "_selected_action": [report.pk]}, follow=True)
    assert "1 report dealt with." in done.content.decode()
    report.refresh_from_db()
    assert report.dealt_with_at
    assert "that customers say are wrong:" not in staff.get(attention).content.decode()
    history = staff.get(reverse("admin:tariffs_wrongprice_history", args=[report.pk])).content.decode()
    assert "Dealt with." in history
    dealt_with_at = report.dealt_with_at
    open_still = {"starts_at": report.ends_at, "dealt_with_at": None}
    told = {name: getattr(report, name) for name in ("tariff", "named", "day", "segment", "fetched_at", "said")}
    other = WrongPrice.objects.create(**told, **open_still)
    done = staff.post(listed, {"action": "dealt_with", "_selected_action": [report.pk]}, follow=True)
    assert "0 reports dealt with." in done.content.decode()
    report.refresh_from_db()
    assert report.dealt_with_at == dealt_with_at
    other.refresh_from_db()
    assert other.dealt_with_at is None
    assert report.said not in unescape(history)


def test_the_operator_marks_it_on_its_own_page_too_and_changes_nothing_else(report, charlie):
    staff = Client()
    staff.force_login(charlie)
    change = reverse("admin:tariffs_wrongprice_change", args=[report.pk])
    staff.post(change, {"dealt_with_at_0": "2026-11-30", "dealt_with_at_1": "10:00:00", "said": "Nothing."})
    said = report.said
    report.refresh_from_db()
    assert (f"{report.dealt_with_at:%F %H:%M}", report.said) == ("2026-11-30 10:00", said)


def test_only_who_may_change_it_marks_it(report, django_user_model):
    clerk = django_user_model.objects.create_user("clerk@example.com", "x", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_wrongprice"))
    staff = Client()
    staff.force_login(clerk)
    listed = reverse("admin:tariffs_wrongprice_changelist")
    assert staff.get(listed).status_code == 200
    staff.post(listed, {"action": "dealt_with", "_selected_action": [report.pk]})
    report.refresh_from_db()
    assert not report.dealt_with_at


def test_what_was_said_is_deleted_some_time_after_it_was_dealt_with_and_not_before(report, settings):
    def purge():
        out = StringIO()
        call_command("purge_sessions", stdout=out)
        return out.getvalue()

    WrongPrice.objects.update(reported_at=timezone.now() - timedelta(days=900))
    purge()
    WrongPrice.objects.update(dealt_with_at=timezone.now() - timedelta(days=settings.KEEP_TYPED_DAYS - 1))
    purge()
    assert WrongPrice.objects.exists()
    WrongPrice.objects.update(dealt_with_at=timezone.now() - timedelta(days=settings.KEEP_TYPED_DAYS + 1))
    assert "1 report of a wrong price deleted" in purge()
    assert not WrongPrice.objects.exists()


def test_nothing_that_was_said_is_logged(place, client, caplog):
    [link] = links(client, f"/locations/{place.pk}/")
    caplog.set_level(0)
    tell(client, link, "Sesame, open.")
    assert "Sesame" not in caplog.text


def test_it_is_in_the_customers_file_and_goes_with_the_account(report, client, alice):
    alice.refresh_from_db()
    client.force_login(alice)
    client.post("/account/reauthenticate/", {"password": "correct horse battery"})
    data = b"".join(client.get("/account/data.json").streaming_content).decode()
    assert "I think." in data
    alice.delete()
    assert not WrongPrice.objects.exists()


def test_every_text_of_the_page_and_of_its_errors_is_translated(place, client, arabic):
    [link] = links(client, f"/locations/{place.pk}/")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "ar"
    pages = [client.get(link), client.post(link, {"start": "", "said": ""}), client.get(f"{link}&date=x")]
    pages.append(client.get(f"{link}&date={timezone.now().date() - timedelta(days=100)}"))
    for page in pages:
        text = re.sub(r"[0-9a-f-]{32,36}", "", page.content.decode())
        assert 'dir="rtl"' in text
        assert latin(text) <= set(NAMES.split())
