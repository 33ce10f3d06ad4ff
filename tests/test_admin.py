"""The admin: to look, to search, to download and to finish what is owed; nothing secret in it."""

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.models import Customer, Location, Tariff

pytestmark = pytest.mark.django_db

LISTS = ["tariffs_customer", "tariffs_location", "tariffs_tariff", "connect_ui_connectsession", "flatpeak_app_user"]


@pytest.fixture
def stored(walk, charlie, client):
    """A location of Alice's, and Charlie signed in."""
    walk.by_hand().answer(cost="28.17").name_and_term("Simple").act("SAVE")
    client.force_login(charlie)
    return walk


def page(client, name, *arguments, **query):
    response = client.get(reverse(f"admin:{name}", args=arguments), query)
    assert response.status_code == 200
    return response.content.decode()


def rows(text):
    return text.count('class="action-select"')


def add(alice, count):
    customer = Customer.objects.get(user=alice)
    for n in range(count):
        location = Location.objects.create(customer=customer, location_id=f"loc_more{n}", city=f"City {n}")
        Tariff.objects.create(location=location, direction="IMPORT", provider=f"P{n}")
        ConnectSession.objects.create(
            user=alice, connect_token=f"more{n}", expires_at=timezone.now(), location=location
        )


@pytest.mark.parametrize("name", LISTS)
def test_every_list_costs_the_same_queries_whatever_its_rows(
    stored, client, alice, name, django_assert_max_num_queries
):
    address = reverse(f"admin:{name}_changelist")
    client.get(address)
    with django_assert_max_num_queries(30) as few:
        client.get(address)
    add(alice, 20)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get(address)


@pytest.mark.parametrize("name", LISTS[:4])
def test_every_row_can_be_looked_at_and_none_changed_or_added(stored, client, name):
    model = {"customer": Customer, "location": Location, "tariff": Tariff}.get(name.split("_")[1], ConnectSession)
    text = page(client, f"{name}_change", model.objects.get().pk)
    assert 'name="_save"' not in text
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403


def test_a_session_is_shown_without_its_token_and_the_typed_price(stored, client, walk):
    session = ConnectSession.objects.get()
    session.connect_token = walk.token  # as of one that is not over
    session.save()
    text = page(client, "connect_ui_connectsession_change", session.pk)
    text += page(client, "connect_ui_connectsession_changelist")
    assert "session_complete" in text
    assert walk.token
    assert walk.token not in text
    assert session.token_digest not in text
    assert session.encrypted_token not in text
    assert "28.17" not in text


@pytest.mark.parametrize("name", LISTS[:4])
def test_it_is_found_by_every_id_and_by_the_address(stored, client, name):
    tariff = Tariff.objects.select_related("location__customer").get()
    customer, location = tariff.location.customer, tariff.location
    known = {
        "tariffs_customer": [customer.pk, customer.customer_id, "alice@"],
        "tariffs_location": [
            location.pk,
            location.location_id,
            customer.customer_id,
            "alice@",
            "1 Example",
            "London",
            "N1",
        ],
        "tariffs_tariff": [tariff.pk, location.pk, location.location_id, customer.customer_id, "alice@", "1 Example"],
        "connect_ui_connectsession": [ConnectSession.objects.get().pk, location.location_id, "alice@", "1 Example"],
    }[name]
    for query in known:
        assert rows(page(client, f"{name}_changelist", q=str(query))) == 1, query
    assert rows(page(client, f"{name}_changelist", q="nothing of the kind")) == 0


@pytest.mark.parametrize("query", ["london", "n1 1", "1 example street", "ALICE@EXAMPLE.COM", " London "])
def test_it_is_found_in_any_case(stored, client, query):
    assert rows(page(client, "tariffs_location_changelist", q=query)) == 1


def test_a_list_counts_and_a_search_finds_no_more_than_somebody_would_look_through(stored, client, alice, monkeypatch):
    add(alice, 120)
    assert "121 locations" in page(client, "tariffs_location_changelist")
    monkeypatch.setattr("tariffs.lists.MOST", 60)
    assert "60 locations" in page(client, "tariffs_location_changelist", p=2)
    assert rows(page(client, "tariffs_location_changelist", q="City", p=2)) == 10


def test_a_filter_offers_what_the_column_held(stored, client, alice, empty_cache):
    assert "?provider=Ecotricity" in page(client, "tariffs_tariff_changelist")
    add(alice, 2)
    assert "?provider=P1" not in page(client, "tariffs_tariff_changelist")
    empty_cache()  # as after five minutes
    assert "?provider=P1" in page(client, "tariffs_tariff_changelist")


@pytest.mark.parametrize(
    ("name", "found", "missed"),
    [
        ("tariffs_tariff", {"state__exact": "connected"}, {"state__exact": "failed"}),
        ("tariffs_tariff", {"rates__exact": "none"}, {"rates__exact": "failing"}),
        ("tariffs_tariff", {"provider": "Ecotricity"}, {"provider": "SSE"}),
        ("tariffs_tariff", {"location__country_code": "GB"}, {"location__country_code": "DE"}),
        ("tariffs_tariff", {"live_mode__exact": "0"}, {"live_mode__exact": "1"}),
        ("tariffs_tariff", {"direction__exact": "IMPORT"}, {"direction__exact": "EXPORT"}),
        ("tariffs_tariff", {"state_since__gte": "2020-01-01T00:00:00Z"}, {"state_since__lt": "2020-01-01T00:00:00Z"}),
        ("tariffs_location", {"tariffs__state__exact": "connected"}, {"tariffs__state__exact": "failed"}),
        ("tariffs_location", {"country_code": "GB"}, {"country_code": "DE"}),
        ("connect_ui_connectsession", {"state__exact": "connected"}, {"state__exact": "owed"}),
        ("connect_ui_connectsession", {"last_route": "session_complete"}, {"last_route": "provider_select"}),
        (
            "connect_ui_connectsession",
            {"started_at__gte": "2020-01-01T00:00:00Z"},
            {"started_at__lt": "2020-01-01T00:00:00Z"},
        ),
    ],
)
def test_it_is_filtered(stored, client, name, found, missed):
    assert rows(page(client, f"{name}_changelist", **found)) == 1
    assert rows(page(client, f"{name}_changelist", **missed)) == 0


def act(client, name, action, queryset):
    data = {"action": action, "_selected_action": [row.pk for row in queryset]}
    return client.post(reverse(f"admin:{name}_changelist"), data, follow=True)


@pytest.mark.parametrize("name", LISTS[:4])
def test_the_chosen_rows_come_as_csv_without_formulas_and_row_queries(
    stored, client, alice, name, django_assert_max_num_queries
):
    add(alice, 5)
    Location.objects.update(city="=HYPERLINK(1)", address_line1="@x", post_code="-1", state="+1")
    Tariff.objects.update(name="=1+1")
    model = {"customer": Customer, "location": Location, "tariff": Tariff}.get(name.split("_")[1], ConnectSession)
    with django_assert_max_num_queries(12):
        response = act(client, name, "action", model.objects.all())
    assert response["Content-Type"].startswith("text/csv")
    table = list(csv.reader(io.StringIO(response.content.decode())))
    assert len(table) == model.objects.count() + 1
    assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@"))]
    if model is Location:
        assert "'=HYPERLINK(1)" in table[1]


def test_the_link_to_the_rates_leads_to_them(stored, client):
    address = f"/locations/{Location.objects.get().pk}/"
    for name in ("tariffs_location", "tariffs_tariff"):
        assert f'href="{address}"' in page(client, f"{name}_changelist")
    assert "28.17p" in client.get(address).content.decode()


def test_an_action_exchanges_what_is_owed(walk, client, charlie, monkeypatch):
    def fail(token):
        raise flatpeak.Unavailable("GET /connect/tariff/token: no answer")

    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", fail)
        walk.fixed()
        client.force_login(charlie)
        response = act(client, "connect_ui_connectsession", "exchange_owed", ConnectSession.objects.all())
        assert "0 finished, 1 still owed." in response.content.decode()
    response = act(client, "connect_ui_connectsession", "exchange_owed", ConnectSession.objects.all())
    assert "1 finished, 0 still owed." in response.content.decode()
    assert ConnectSession.objects.get().state == "connected"


def test_the_admin_says_test_mode_too(client, charlie, settings):
    client.force_login(charlie)
    assert f'<a href="{settings.FLATPEAK_CONNECT_URL}/"' in page(client, "index")
    settings.FLATPEAK_LIVE_MODE = True
    assert "Test mode" not in page(client, "index")


def test_staff_without_permissions_sees_nothing(stored, client, charlie, django_user_model):
    django_user_model.objects.filter(pk=charlie.pk).update(is_superuser=False)
    for name in LISTS:
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_rows_say_what_they_are(stored):
    tariff = Tariff.objects.get()
    assert str(tariff) == "Ecotricity, Simple"
    assert str(tariff.location) == "1 Example Street, London, N1 1AA"
    assert str(tariff.location.customer).startswith("cus_")
    assert str(Customer(user_id=1)).endswith("not known to FlatPeak yet")
    assert str(stored.page) == f"{stored.page.number} session_complete"
