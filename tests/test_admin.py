"""The admin: to look, to search and to download; nothing secret in it."""

import csv
import html
import io
import re
from itertools import cycle, product

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession
from flatpeak_app.operations.admin.tariffs import cell
from flatpeak_app.operations.words import counted, due_now
from tariffs.models import Customer, Location, Tariff
from tests.test_accounts import is_signed_in, signed_in

pytestmark = pytest.mark.django_db

LISTS = ["tariffs_customer", "tariffs_location", "tariffs_tariff", "connect_ui_connectsession", "accounts_user"]


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


@pytest.mark.parametrize(
    ("structure", "words"),
    [("DYNAMIC", "A price that changes often"), ("FIXED", "One price at all times"), ("ADVANCED", "ADVANCED")],
)
def test_how_a_price_works_is_said_in_words(stored, client, empty_cache, structure, words):
    Tariff.objects.update(structure=structure)
    address = f"?structure={structure}"
    for text in (
        page(client, "tariffs_tariff_changelist"),
        page(client, "tariffs_tariff_change", Tariff.objects.get().pk),
    ):
        shown = html.unescape(text).replace(address, "")
        assert words in shown
        assert structure == words or structure not in shown
    listed = client.get(reverse("admin:tariffs_tariff_changelist") + address).content.decode()
    assert rows(listed) == 1
    choices = html.unescape(listed.partition('data-filter-title="structure"')[2].partition("</details>")[0])
    assert re.findall(r'<li class="selected">\s*<a href="([^"]+)">([^<]+)</a>', choices) == [(address, words)]


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
    assert ">The end<" in text
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


def test_it_is_found_in_any_case(stored, client):
    place = Location.objects.get()
    for query in ("london", "n1 1", "1 example street", "ALICE@EXAMPLE.COM", " London ", place.location_id.upper()):
        assert rows(page(client, "tariffs_location_changelist", q=query)) == 1, query


def test_a_street_is_found_whatever_its_case_and_apostrophes(stored, client):
    """As every spelling of a street in one list, and as one of them in each list."""
    typed = ["st mary's road", "ST MARY’S", "St Marys road", "st mary’s r", "St. Mary"]
    for street in ("St Mary’s Road", "St Mary's Road", "ST MARYS ROAD"):
        Location.objects.update(address_line1=street)
        for query in typed:
            assert rows(page(client, "tariffs_location_changelist", q=query)) == ("." not in query), (query, street)
    for name in LISTS[1:4]:
        assert rows(page(client, f"{name}_changelist", q=typed[0])) == 1, name


def test_an_e_mail_address_is_found_whatever_its_case_and_apostrophes(stored, client, alice):
    """As every spelling of an address in one list, and as one of them in each list."""
    typed = ["obrien", "o'brien@example.com", "O’BRIEN", "O'Brien@Example"]
    for email in ("o'brien@example.com", "o’brien@example.com", "obrien@example.com"):
        type(alice).objects.filter(pk=alice.pk).update(email=email)
        EmailAddress.objects.update_or_create(user=alice, defaults={"email": email})
        for query in typed:
            assert rows(page(client, "accounts_user_changelist", q=query)) == 1, (query, email)
            assert "1 email address" in page(client, "account_emailaddress_changelist", q=query), (query, email)
    for name in LISTS:
        assert rows(page(client, f"{name}_changelist", q=typed[1])) == 1, name


def test_a_city_is_found_in_any_case_of_its_letters(stored, client):
    for city in ("Köln", "KÖLN", "köln"):
        Location.objects.update(city=city)
        for typed in ("köln", "KÖLN", "Köln"):
            assert rows(page(client, "tariffs_location_changelist", q=typed)) == 1, (city, typed)


def test_only_apostrophes_find_nothing(stored, client):
    assert rows(page(client, "tariffs_location_changelist", q="’'")) == 0


@pytest.mark.parametrize(
    ("name", "indexes"),
    [
        (
            "tariffs_location",
            ["user_plain_email", *(f"location_plain_{name}" for name in ("address", "city", "post_code"))],
        ),
        ("account_emailaddress", ["address_plain_email"]),
    ],
)
def test_an_address_is_looked_up_by_its_index(stored, client, django_assert_max_num_queries, name, indexes):
    with django_assert_max_num_queries(40) as asked:
        page(client, f"{name}_changelist", q="st mary's")
    looked = [query["sql"] for query in asked.captured_queries if "LOWER(" in query["sql"]]
    assert len(looked) == len(indexes)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        for sql, index in zip(looked, indexes, strict=True):
            cursor.cursor.execute(explain + sql)
            assert index in str(cursor.fetchall())


def test_a_list_counts_and_a_search_finds_no_more_than_somebody_would_look_through(stored, client, alice, monkeypatch):
    add(alice, 120)
    assert "121 locations" in page(client, "tariffs_location_changelist")
    monkeypatch.setattr("flatpeak_app.operations.lists.MOST", 60)
    assert "60 locations" in page(client, "tariffs_location_changelist", p=2)
    assert rows(page(client, "tariffs_location_changelist", q="City", p=2)) == 10


def test_a_filter_offers_what_the_column_held(stored, client, alice, empty_cache):
    assert "?provider=Ecotricity" in page(client, "tariffs_tariff_changelist")
    add(alice, 2)
    assert "?provider=P1" not in page(client, "tariffs_tariff_changelist")
    empty_cache()  # as after five minutes
    assert "?provider=P1" in page(client, "tariffs_tariff_changelist")


FILTERS = [
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
    ("connect_ui_connectsession", {"last_route": "end"}, {"last_route": "provider"}),
    (
        "connect_ui_connectsession",
        {"started_at__gte": "2020-01-01T00:00:00Z"},
        {"started_at__lt": "2020-01-01T00:00:00Z"},
    ),
]


def test_it_is_filtered(stored, client):
    for name, found, missed in FILTERS:
        assert rows(page(client, f"{name}_changelist", **found)) == 1, found
        assert rows(page(client, f"{name}_changelist", **missed)) == 0, missed


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
    with django_assert_max_num_queries(13):
        response = act(client, name, "download_csv", model.objects.all())
    assert response["Content-Type"].startswith("text/csv")
    content = response.getvalue().decode()
    assert content.startswith('\ufeff"id","')
    table = list(csv.reader(io.StringIO(content)))
    assert len(table) == model.objects.count() + 1
    assert not [column for column in table[0] if "token" in column or "digest" in column or column == "not_listed"]
    assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@"))]
    if model is Location:
        assert "'=HYPERLINK(1)" in table[1]


def test_the_link_to_the_rates_leads_to_them(stored, client):
    address = f"/locations/{Location.objects.get().pk}/"
    for name in ("tariffs_location", "tariffs_tariff"):
        assert f'href="{address}"' in page(client, f"{name}_changelist")
    assert "28.17p" in client.get(address).content.decode()


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
    assert str(stored.page) == f"{stored.page.number} end"


# --- what no list offers


REGISTERED = [*admin.site._registry.items()]


def all_lists():
    return [
        (model, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
        for model, _ in REGISTERED
    ]


def test_no_list_is_filtered_by_what_it_does_not_offer(stored, client):
    kinds = ["startswith", "regex", "contains", "gt", "iexact"]
    for model, address in all_lists():
        for field, kind in zip(model._meta.get_fields(), cycle(kinds), strict=False):
            path = f"{field.name}__{kind}"
            assert client.get(address, {path: "("}).status_code == 400, (address, path)
    for secret, kind in product(("data__secret", "user__password"), kinds):
        for address in ("/admin/mfa/authenticator/", "/admin/account/emailaddress/", "/admin/tariffs/customer/"):
            for popup in ({}, {"_popup": "1"}, {"_to_field": "id"}):
                assert client.get(address, {f"{secret}__{kind}": "Y"} | popup).status_code == 400, (address, kind)


def test_a_filter_has_no_character_that_postgresql_refuses(stored, client):
    for name in ("direction", "provider", "state"):
        assert client.get("/admin/tariffs/tariff/", {f"{name}__exact": "a\0"}).status_code == 400


def test_no_list_gives_another_field_than_the_id_to_a_popup(stored, client):
    for model, address in all_lists():
        for field in model._meta.concrete_fields:
            given = client.get(address, {"_popup": "1", "_to_field": field.name}).status_code
            assert given == (200 if field.primary_key else 400), (address, field.name)


def test_every_list_offers_its_own_filters_and_has_an_order(stored, client):
    for (_, modeladmin), (_, address) in zip(REGISTERED, all_lists(), strict=True):
        assert modeladmin.ordering, address
        text = client.get(address).content.decode()
        links = re.findall(r'href="(\?[^"]*=[^"]*)"', text)
        for link in links:
            assert client.get(address + html.unescape(link)).status_code == 200, (address, link)


CHOSEN = {"select_across": "1", "_selected_action": "chosen"}  # what the page that asks whether one is sure adds


# --- act on what the page says


def test_all_of_a_list_are_acted_on_after_their_number_was_said_and_no_others(stored, client, alice, monkeypatch):
    add(alice, 120)
    monkeypatch.setattr("flatpeak_app.operations.lists.MOST", 60)
    address = reverse("admin:tariffs_location_changelist")
    ticked = {"_selected_action": Location.objects.first().pk, "select_across": "1", "action": "download_csv"}
    asked = client.post(address, ticked)
    assert "Download as CSV: 60 locations" in asked.content.decode()
    assert '<input type="hidden" name="action" value="download_csv">' in asked.content.decode()
    kept = asked.context["chosen"]
    add_more = Location.objects.first().customer
    Location.objects.create(customer=add_more, location_id="loc_since", city="Since")
    table = client.post(address, {"action": "download_csv", "chosen": kept} | CHOSEN).getvalue().decode()
    found = [row[0] for row in csv.reader(io.StringIO(table))][1:]
    assert sorted(found) == sorted(",".join(kept).split(","))
    assert len(found) == 60


def test_what_is_deleted_is_named_by_its_number_first_and_goes_in_batches(stored, client, alice, monkeypatch):
    add(alice, 120)
    monkeypatch.setattr("flatpeak_app.operations.lists.BATCH", 50)
    address = reverse("admin:tariffs_location_changelist")
    more = Location.objects.filter(city__startswith="City")
    asked = client.post(address, {"_selected_action": [row.pk for row in more], "action": "delete_selected"})
    assert "Delete selected locations: 120 locations" in asked.content.decode()
    assert Location.objects.count() == 121
    form = {"action": "delete_selected", "chosen": asked.context["chosen"]} | CHOSEN
    said = client.post(address, form, follow=True)
    assert [str(each) for each in said.context["messages"]] == ["120 locations deleted."]
    assert Location.objects.count() == 1


def test_one_row_is_said_in_the_singular(stored, client):
    address, only = reverse("admin:tariffs_location_changelist"), Location.objects.get()
    asked = client.post(address, {"_selected_action": [only.pk], "action": "delete_selected"})
    assert "Delete selected locations: 1 location<" in asked.content.decode()
    form = {"action": "delete_selected", "chosen": asked.context["chosen"]} | CHOSEN
    assert [str(each) for each in client.post(address, form, follow=True).context["messages"]] == [
        "1 location deleted."
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (counted(0, "page"), "0 pages"),
        (counted(1, "page"), "1 page"),
        (counted(2000, "page"), "2,000 pages"),
        (counted(2, "record of a mail", "records of mails"), "2 records of mails"),
        (due_now(1), "1 is due now."),
        (due_now(0), "0 are due now."),
    ],
)
def test_a_number_agrees_with_its_noun(said, expected):
    assert said == expected


def test_nothing_is_deleted_without_the_permission_for_what_goes_with_it(stored, client, charlie, alice):
    clerk(charlie, "view_location", "delete_location")
    form = {"action": "delete_selected", "chosen": str(Location.objects.get().pk)} | CHOSEN
    page = client.post(reverse("admin:tariffs_location_changelist"), form, follow=True).content.decode()
    assert "Nothing was deleted" in page
    assert Location.objects.count() == 1


# --- who may what


def clerk(charlie, *permissions):
    """Charlie is no superuser, and has these permissions alone."""
    charlie.is_superuser = False
    charlie.save()
    charlie.user_permissions.set(Permission.objects.filter(codename__in=permissions))


def test_who_may_not_view_accounts_exports_finds_and_sees_no_address_of_one(stored, client, charlie):
    clerk(charlie, "view_tariff", "view_location", "view_customer", "view_connectsession")
    for name, model in zip(LISTS[:4], (Customer, Location, Tariff, ConnectSession), strict=True):
        table = act(client, name, "download_csv", model.objects.all()).getvalue().decode()
        assert "alice@" not in table, name
        assert "email" not in table, name
        assert rows(page(client, f"{name}_changelist", q="alice@")) == 0, name
    assert "alice@" not in page(client, "tariffs_location_changelist")
    charlie.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert "alice@example.com" in act(client, LISTS[2], "download_csv", Tariff.objects.all()).getvalue().decode()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("1 High St;=1+1;", "1 High St;'=1+1;"),
        ("a\t=1", "a\t'=1"),
        ('b; "=1+1"', 'b; "\'=1+1"'),
        ("c|@x", "c|'@x"),
        ("=1", "'=1"),
        (" +1", " '+1"),
        ("\t1", "'\t1"),
        ("2026-10-25", "2026-10-25"),
        ("St-Denis, a=b", "St-Denis, a=b"),
        (None, ""),
    ],
)
def test_a_cell_is_no_formula_whatever_separates_cells(typed, shown):
    assert cell(typed) == shown


def edit(client, user, **changed):
    given = {"email": user.email, "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    address = reverse("admin:accounts_user_change", args=[user.pk])
    return client.post(address, {name: value for name, value in (given | changed).items() if value})


def test_only_superusers_give_powers_and_touch_who_has_them(client, charlie, alice, bob, django_user_model):
    boss = django_user_model.objects.create_superuser("boss@example.com", "x")
    clerk(
        charlie,
        "view_user",
        "change_user",
        "delete_user",
        "add_user",
        "change_group",
        "add_group",
        "view_authenticator",
    )
    client.force_login(charlie)
    assert edit(client, alice, is_staff="on", is_superuser="on", user_permissions="1").status_code == 302
    alice.refresh_from_db()
    assert not alice.is_staff
    assert not alice.is_superuser
    assert not alice.user_permissions.exists()
    for power in (boss, charlie):
        assert edit(client, power, email="mine@example.com").status_code == 403
        for name in ("delete", "change"):
            assert (
                client.post(reverse(f"admin:accounts_user_{name}", args=[power.pk]), {"post": "yes"}).status_code == 403
            )
        assert client.post(reverse("admin:auth_user_password_change", args=[power.pk]), {}).status_code == 403
    form = {
        "action": "delete_selected",
        "chosen": f"{boss.pk},{bob.pk}",
        "select_across": "1",
        "_selected_action": "chosen",
    }
    client.post(reverse("admin:accounts_user_changelist"), form)
    assert django_user_model.objects.filter(pk__in=[boss.pk, bob.pk]).count() == 2
    assert client.get(reverse("admin:auth_group_add")).status_code == 403


def test_staff_sign_out_and_disarm_customers_and_no_other_staff(client, charlie, alice, bob, django_user_model):
    boss = django_user_model.objects.create_superuser("boss@example.com", "correct horse battery")
    django_user_model.objects.filter(pk=bob.pk).update(is_staff=True)
    django_user_model.objects.filter(pk=boss.pk).update(is_staff=False)  # the powers alone count too
    browsers = {user: signed_in(user) for user in (alice, bob, boss)}
    factors = {user: Authenticator.objects.create(user=user, type="totp", data={}) for user in browsers}
    clerk(charlie, "view_user", "change_user", "view_authenticator", "delete_authenticator")
    client.force_login(charlie)
    action = {"action": "sign_out", "_selected_action": [user.pk for user in browsers]}
    assert "1 sign-in ended" in client.post("/admin/accounts/user/", action, follow=True).content.decode()
    assert [is_signed_in(browser) for browser in browsers.values()] == [False, True, True]
    for factor in factors.values():
        client.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert set(Authenticator.objects.all()) == {factors[bob], factors[boss]}


def test_a_changed_address_is_what_one_signs_in_with(client, charlie, alice):
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    client.force_login(charlie)
    assert edit(client, alice, email="Alice.New@example.com").status_code == 302
    assert list(EmailAddress.objects.filter(user=alice).values_list("email", "primary")) == [
        ("alice.new@example.com", True)
    ]
    for address, lets_in in (("alice@example.com", False), ("alice.new@example.com", True)):
        browser = Client()
        browser.post("/account/login/", {"login": address, "password": "correct horse battery"})
        assert ("_auth_user_id" in browser.session) == lets_in
