"""What is stored about a customer: taken away in one file, and deleted here and at FlatPeak."""

import io
import json
import logging
import re
from contextlib import suppress
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import CASCADE
from django.db.models.signals import post_delete
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession, Page
from flatpeak_app.accounts.personal import everything
from flatpeak_app.web import vault
from sandbox import locations
from sandbox.wire import Reply, json_reply
from tariffs import flatpeak, storing
from tariffs.erasure import erase
from tariffs.models import (
    Appliance,
    Customer,
    DeviceKey,
    Erasure,
    Event,
    Location,
    Mail,
    RateDay,
    Reminder,
    Tariff,
    Wait,
    Wish,
    WrongPrice,
    digest,
)
from tests import scan
from tests.test_accounts import is_signed_in, signed_in

pytestmark = pytest.mark.django_db
PASSWORD = {"password": "correct horse battery"}


@pytest.fixture
def location(walk):
    """A location of Alice's with rates."""
    walk.fixed(cost="28.17")
    location = Location.objects.get()
    walk.get(f"/locations/{location.pk}/")
    return location


@pytest.fixture
def flatpeak_says(monkeypatch):
    """Let both deletions raise an error, or (None) reach the sandbox again."""
    working = {name: getattr(flatpeak, name) for name in ("delete_location", "delete_customer")}

    def switch(error=None):
        def fail(flatpeak_id):
            raise error

        for name, function in working.items():
            monkeypatch.setattr(flatpeak, name, fail if error else function)

    return switch


DOWN = flatpeak.Unavailable("DELETE /locations: no answer (ReadTimeout)")


def took(client):
    response = client.get("/account/data.json")
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    scan.look("the download", text)
    return response, json.loads(text, parse_float=str)


def delete(client, location):
    return client.post(f"/locations/{location.pk}/delete/", follow=True)


def confirm(client):
    """The password again, as it is asked for, and then the button."""
    client.post("/account/reauthenticate/", PASSWORD)
    return client.post("/account/delete/", follow=True)


def run():
    out = io.StringIO()
    call_command("erase_pending", stdout=out)
    return out.getvalue()


def counts(sandbox):
    return sandbox.counts["delete_location"], sandbox.counts["delete_customer"]


# --- taken away


def test_the_download_has_the_account_its_locations_their_rates_and_every_answer(walk, client, location, alice):
    Wait.objects.create(tariff=Tariff.objects.get(), since=location.created_at)
    response, data = took(client)
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="flatpeak-connect-data.json"'
    assert "no-store" in response["Cache-Control"]
    [account], [customer], [place] = data["account"], data["customers"], data["locations"]
    assert (account["email"], account["date_joined"]) == ("alice@example.com", alice.date_joined.isoformat())
    assert customer["customer_id"] == Customer.objects.get().customer_id
    assert (place["customer"], place["location_id"]) == (customer["id"], location.location_id)
    assert place["address_line1"] == "1 Example Street"
    [tariff], [wait] = data["tariffs"], data["waits"]
    assert (tariff["location"], tariff["provider"], tariff["name"]) == (place["id"], "Ecotricity", "Simple")
    assert (wait["tariff"], wait["since"]) == (tariff["id"], location.created_at.isoformat())
    days = RateDay.objects.order_by("day").values_list("day", flat=True)
    assert [(day["tariff"], day["day"]) for day in data["rates"]] == [(tariff["id"], str(day)) for day in days]
    assert data["rates"][0]["segments"][0][2] == "0.2817"
    [conversation] = data["conversations"]
    assert conversation["location"] == place["id"]
    pages = [page for page in data["pages"] if page["session"] == conversation["id"]]
    assert {page["route"] for page in pages} > {"address", "fixed_price"}
    assert [page for page in pages if page["typed"] or "data" in (page["answer"] or {})] == []  # gone with its end


def test_the_download_has_every_column_of_every_model_about_a_person_but_keys_and_questions(
    walk, client, alice, location
):
    Wait.objects.create(tariff=Tariff.objects.get(), since=location.created_at)
    Wish.objects.create(tariff=Tariff.objects.get(), kind="below", limit=1)
    Reminder.objects.create(tariff=Tariff.objects.get(), kind="login", about="1")
    EmailAddress.objects.create(user=alice, email=alice.email)
    Authenticator.objects.create(user=alice, type="totp", data={"secret": "not for the file"})
    UserSession.objects.create(user=alice, ip="192.0.2.1", session_key="not for the file")
    Event.objects.create(event_id="evt_1", location_id=location.location_id, told_at=location.created_at)
    now = location.created_at
    WrongPrice.objects.create(tariff=Tariff.objects.get(), day=now.date(), starts_at=now, segment=[], fetched_at=now)
    Mail.objects.create(user=alice, name="late", taken=True)
    Appliance.objects.create(user=alice, name="Sauna", minutes=60, watt_hours=6000)
    DeviceKey.make(location, "evcc")
    data = took(client)[1]
    missing = {
        (name, field.name)
        for name, rows in everything(alice).items()
        for field in rows.model._meta.concrete_fields
        if field.name not in data[name][0]
    }
    assert missing == {
        ("account", "password"),
        ("second_factors", "data"),
        ("sign_ins", "data"),
        ("sign_ins", "session_key"),
        ("conversations", "token_digest"),
        ("conversations", "encrypted_token"),
        ("conversations", "return_digest"),
        ("device_keys", "key_digest"),
        ("pages", "body"),
    }
    assert "not for the file" not in str(data)


def test_no_model_that_goes_with_a_user_is_missing_from_the_download(alice, django_user_model):
    found, left = set(), [django_user_model]
    while left:
        model = left.pop()
        found.add(model._meta.label)
        for relation in model._meta.related_objects:
            if relation.on_delete is CASCADE and relation.related_model._meta.label not in found:
                left.append(relation.related_model)
    # A code that is under way, and what staff did in the admin, which is about others.
    found -= {
        "account.EmailConfirmation",
        "admin.LogEntry",
        "accounts.User_groups",
        "accounts.User_user_permissions",
    }
    found.add("tariffs.Event")  # which is bound by FlatPeak's id of the location
    assert found == {rows.model._meta.label for rows in everything(alice).values()}


def test_the_download_has_nothing_of_another_customer(walk, client, location, bob):
    client.force_login(bob)
    _, data = took(client)
    assert data["account"][0]["email"] == "bob@example.com"
    assert [name for name, rows in data.items() if rows and name != "sign_ins"] == ["account"]
    assert "alice" not in str(data)


def test_the_download_has_what_happened_in_its_order(client, alice):
    client.force_login(alice)
    client.post("/account/reauthenticate/", PASSWORD)
    customer = Customer.objects.create(user=alice)
    place = Location.objects.create(customer=customer, location_id="loc_1")
    tariff = Tariff.objects.create(location=place, direction="IMPORT")
    now = timezone.now()
    days = [now + timedelta(days=n) for n in (2, 0, 3, 1)]  # as they were stored
    session = ConnectSession.objects.create(user=alice, connect_token="x", expires_at=now)
    for n, day in enumerate(days):
        RateDay.objects.create(tariff=tariff, day=day.date(), fetched_at=now, segments=[])
        Page.objects.create(session=session, number=(day - now).days, route="address", body={})
        Mail.objects.create(user=alice, name="late", taken=True, sent_at=day)
        told = {"tariff": tariff, "day": day.date(), "starts_at": day, "segment": [], "fetched_at": now}
        WrongPrice.objects.filter(pk=WrongPrice.objects.create(**told).pk).update(reported_at=day)
        made = ConnectSession.objects.create(user=alice, connect_token=f"{n}", expires_at=now)
        ConnectSession.objects.filter(pk=made.pk).update(started_at=day)
        Event.objects.create(event_id=f"evt_{n}", location_id="loc_1", told_at=now, received_at=day)
    data = took(client)[1]
    for name, column in [
        ("rates", "day"),
        ("pages", "number"),
        ("mails", "sent_at"),
        ("wrong_prices", "reported_at"),
        ("conversations", "started_at"),
        ("events", "received_at"),
    ]:
        found = [row[column] for row in data[name]]
        assert found == sorted(found), name
        assert len(found) >= 4, name


def test_the_download_asks_flatpeak_for_nothing_and_writes_nothing(walk, client, location, sandbox):
    before = sum(sandbox.counts.values())
    with CaptureQueriesContext(connection) as made:
        took(client)
        client.head("/account/data.json")
    assert sum(sandbox.counts.values()) == before
    written = [query["sql"] for query in made if re.match("INSERT|UPDATE|DELETE", query["sql"])]
    assert not [sql for sql in written if "usersessions" not in sql]
    assert client.post("/account/data.json").status_code == 405


def test_the_download_and_both_deletions_need_a_sign_in(client, location):
    client.logout()
    assert client.get("/account/data.json").status_code == 401
    for address in ("/account/delete/", f"/locations/{location.pk}/delete/"):
        assert client.get(address)["Location"].startswith("/account/login/?next=")
        assert client.post(address)["Location"].startswith("/account/login/?next=")
    assert Location.objects.exists()


def test_the_account_page_leads_to_the_download_and_to_the_deletion(client, alice):
    client.force_login(alice)
    page = client.get("/account/email/").content.decode()
    assert 'href="/account/data.json"' in page
    assert 'href="/account/delete/"' in page


# --- one location


def test_a_location_is_deleted_after_a_question_here_and_at_flatpeak(walk, client, location, sandbox):
    address = f"/locations/{location.pk}/delete/"
    assert f'href="{address}"' in client.get(f"/locations/{location.pk}/").content.decode()
    page = client.get(address)
    assert "1 Example Street" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert Location.objects.exists()
    assert counts(sandbox) == (0, 0)
    response = delete(client, location)
    assert response.request["PATH_INFO"] == "/locations/"
    assert "We deleted the location.</p>" in response.content.decode()
    for model in (Location, Tariff, RateDay, Wait, ConnectSession, Page):
        assert not model.objects.exists()
    assert Customer.objects.exists()
    assert counts(sandbox) == (1, 0)
    assert not sandbox.state["locations"]
    assert len(sandbox.state["customers"]) == 1
    erasure = Erasure.objects.get()
    assert (erasure.kind, erasure.attempts, erasure.last_result) == ("location", 0, "accepted")
    assert client.get(address).status_code == 404


def test_a_second_press_deletes_nothing_and_leads_to_the_list(client, location, sandbox):
    delete(client, location)
    response = delete(client, location)
    assert response.request["PATH_INFO"] == "/locations/"
    assert "This location is not in your list.</p>" in response.content.decode()
    assert (counts(sandbox), Erasure.objects.count()) == ((1, 0), 1)


@pytest.mark.parametrize("name", ["location", "customer", "conversation"])
def test_what_is_deleted_twice_at_once_is_recorded_once(walk, location, name):
    """The second has read it before the first deletes it."""
    ConnectSession.objects.update(state="owed", encrypted_token=vault.encrypted("token"))
    found = {"location": Location, "customer": Customer, "conversation": ConnectSession}[name].objects
    first, second = found.get(), found.get()
    first.delete()
    before = Erasure.objects.count()
    assert name in Erasure.objects.values_list("kind", flat=True)
    second.delete()
    assert Erasure.objects.count() == before


def test_the_other_location_and_its_conversation_stay(walk, client, location, sandbox):
    walk.fixed(cost="30")
    delete(client, location)
    other = Location.objects.get()
    assert other.pk != location.pk
    assert ConnectSession.objects.get().location == other
    assert set(RateDay.objects.values_list("tariff__location", flat=True)) == {other.pk}
    assert list(sandbox.state["locations"]) == [other.location_id]


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_nobody_else_deletes_a_location_on_its_page_not_even_staff(client, location, request, sandbox, who):
    client.force_login(request.getfixturevalue(who))
    address = f"/locations/{location.pk}/delete/"
    assert client.get(address).status_code == 404
    assert client.post(address)["Location"] == "/locations/"  # as of one that is not there
    assert Location.objects.exists()
    assert not Erasure.objects.exists()
    if who == "charlie":
        assert address not in client.get(f"/locations/{location.pk}/").content.decode()


def test_a_deletion_needs_its_form(location, alice):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(f"/locations/{location.pk}/delete/").status_code == 403
    strict.post("/account/reauthenticate/", PASSWORD)
    assert strict.post("/account/delete/").status_code == 403
    assert Location.objects.exists()


def test_a_conversation_about_the_location_ends_with_it_and_nothing_brings_it_back(walk, client, location, sandbox):
    walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"})
    session = walk.session
    token = session.connect_token
    delete(client, location)
    assert not ConnectSession.objects.exists()
    assert client.get(f"/connect/{session.pk}/").status_code == 404
    exchanged = sandbox.counts["exchange"]
    assert client.get("/connect/callback/", {"fp_cot": token})["Location"] == "/"
    call_command("exchange_pending", stdout=io.StringIO())
    assert sandbox.counts["exchange"] == exchanged
    assert not Location.objects.exists()


@pytest.mark.parametrize("done", [True, False])
def test_an_exchange_that_was_under_way_does_not_store_the_location_again(client, location, alice, done, flatpeak_says):
    ids = {"location_id": location.location_id, "customer_id": location.customer.customer_id}
    flatpeak_says(None if done else DOWN)
    delete(client, location)
    assert bool(Erasure.objects.get().done_at) is done
    about = storing.Connected("IMPORT", "COMMODITY", "connected", {})
    with pytest.raises(storing.Conflict):
        storing.store(alice.pk, ids, about)
    assert not Location.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_fails_leaves_everything_and_owes_nothing(location):
    def fail(**signal):
        raise RuntimeError

    post_delete.connect(fail, sender=Location)
    try:
        with pytest.raises(RuntimeError):
            location.delete()
    finally:
        post_delete.disconnect(fail, sender=Location)
    assert Location.objects.exists()
    assert ConnectSession.objects.exists()
    assert not Erasure.objects.exists()


def test_a_location_of_another_flatpeak_account_goes_here_and_waits_there(client, location, sandbox, settings):
    settings.FLATPEAK_REALM = "acc_real"
    assert f"{location.pk}/delete/" in client.get(f"/locations/{location.pk}/").content.decode()
    response = delete(client, location)
    assert "also deleting your data at FlatPeak" in response.content.decode()
    assert not Location.objects.exists()
    assert run() == "deletions: 0 tried, 0 failed, 0 left\n"
    assert counts(sandbox) == (0, 0)
    settings.FLATPEAK_REALM = "sandbox"
    assert run() == "deletions: 1 tried, 0 failed, 0 left\n"
    assert counts(sandbox) == (1, 0)


# --- the whole account


def test_what_is_owed_belongs_to_the_account_and_mode_of_what_was_deleted(walk, monkeypatch, location):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
    for model in (Customer, Location, ConnectSession):
        model.objects.update(account="acc_real", live_mode=True)
    Customer.objects.all().delete()
    ConnectSession.objects.all().delete()
    found = Erasure.objects.values_list("kind", "account", "live_mode")
    assert set(found) == {(kind, "acc_real", True) for kind in ("location", "customer", "conversation")}


def test_an_account_is_deleted_after_the_password_with_everything_here_and_at_flatpeak(
    walk, client, location, sandbox, django_user_model
):
    walk.fixed(cost="30")
    elsewhere = Client()
    elsewhere.post("/account/login/", {"login": "alice@example.com", "password": PASSWORD["password"]})
    assert elsewhere.get("/locations/").status_code == 200
    asked = client.get("/account/delete/", follow=True)
    assert asked.request["PATH_INFO"] == "/account/reauthenticate/"
    assert "Confirm your password" in asked.content.decode()
    wrong = client.post("/account/reauthenticate/?next=/account/delete/", {"password": "wrong"})
    assert "This password is not correct" in wrong.content.decode()
    assert client.post("/account/delete/")["Location"] == "/account/reauthenticate/?next=%2Faccount%2Fdelete%2F"
    assert django_user_model.objects.exists()
    client.post("/account/reauthenticate/", PASSWORD)
    page = client.post("/account/delete/", follow=True)
    assert page.request["PATH_INFO"] == "/"
    assert "We deleted your account." in page.content.decode()
    assert client.get("/locations/").status_code == elsewhere.get("/locations/").status_code == 302
    for model in (django_user_model, Customer, Location, Tariff, RateDay, Wait, ConnectSession, Page):
        assert not model.objects.exists()
    assert counts(sandbox) == (2, 1)
    for box in ("customers", "locations", "tokens"):
        assert not sandbox.state[box]
    assert set(Erasure.objects.values_list("kind", "last_result")) == {
        ("location", "accepted"),
        ("customer", "accepted"),
    }


def test_at_once_flatpeak_is_asked_about_what_the_account_had_and_nothing_else(
    walk, client, alice, bob, location, monkeypatch
):
    asked = []
    monkeypatch.setattr("flatpeak_app.accounts.personal.erase_at_once", asked.extend)
    hers = {location.location_id, location.customer.customer_id}
    other = Customer.objects.create(user=bob, customer_id="cus_bob")
    Customer.objects.create(user=alice, account="acc_other")  # which FlatPeak has no id of yet
    Location.objects.create(customer=other, location_id="loc_bob")
    for user in (alice, bob):
        ConnectSession.objects.create(
            user=user, state="owed", connect_token=f"of {user}", expires_at=timezone.now(), account="acc_other"
        )
    hers |= {alice.connect_sessions.get(state="owed").token_digest}
    confirm(client)
    assert set(asked) == hers
    assert list(Location.objects.all()) == list(other.locations.all())


def test_a_press_that_the_password_interrupts_is_done_after_it(client, location, django_user_model):
    asked = client.post("/account/delete/")
    page = client.post(asked["Location"], PASSWORD | {"next": "/account/delete/"}, follow=True)
    assert "We deleted your account." in page.content.decode()
    assert not django_user_model.objects.exists()


def test_the_question_before_an_account_goes_deletes_nothing(client, location, django_user_model):
    client.post("/account/reauthenticate/", PASSWORD)
    page = client.get("/account/delete/")
    assert "alice@example.com" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert django_user_model.objects.exists()
    assert not Erasure.objects.exists()


def test_one_press_waits_for_three_calls_at_most_and_the_rest_is_owed(walk, client, location, sandbox):
    for _ in range(3):
        walk.fixed(cost="30")
    assert "also deleting your data at FlatPeak" in confirm(client).content.decode()
    assert counts(sandbox) == (3, 0)
    assert run() == "deletions: 2 tried, 0 failed, 0 left\n"
    assert counts(sandbox) == (4, 1)
    assert not sandbox.state["customers"]


def test_one_press_waits_for_one_failure_at_most(walk, client, location, flatpeak_says):
    walk.fixed(cost="30")
    flatpeak_says(DOWN)
    assert "also deleting your data at FlatPeak" in confirm(client).content.decode()
    assert sorted(Erasure.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_what_a_finished_conversation_made_is_learnt_before_its_account_goes(walk, client, sandbox, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
    assert not Location.objects.exists()
    confirm(client)
    assert sandbox.counts["exchange"] == 1
    assert counts(sandbox) == (1, 1)
    assert not sandbox.state["locations"]


def test_what_cannot_be_learnt_before_the_account_goes_is_learnt_and_deleted_later(
    walk, client, monkeypatch, django_user_model, later, sandbox
):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
        assert "also deleting your data at FlatPeak" in confirm(client).content.decode()
    assert not django_user_model.objects.exists()
    owed = Erasure.objects.get()
    assert (owed.kind, walk.token in owed.encrypted_token) == ("conversation", False)
    assert sandbox.state["locations"]
    later(minutes=2)
    assert run() == "deletions: 1 tried, 0 failed, 2 left\n"
    assert run() == "deletions: 2 tried, 0 failed, 0 left\n"
    assert not sandbox.state["locations"]
    assert not Erasure.objects.exclude(encrypted_token="").exists()


def test_a_conversation_about_what_is_still_here_deletes_nothing_of_it(walk, client, monkeypatch, location, sandbox):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.post("/connect/", {"location": location.pk, "direction": "IMPORT"}).act("SAVE")
    ConnectSession.objects.filter(state="owed").delete()
    assert run() == "deletions: 1 tried, 0 failed, 0 left\n"
    assert list(sandbox.state["locations"]) == [location.location_id]
    assert Location.objects.get() == location


@pytest.mark.parametrize("elsewhere", [{"account": "acc_real"}, {"live_mode": True}], ids=str)
def test_what_a_conversation_made_is_deleted_though_another_account_has_the_same_ids(
    walk, monkeypatch, sandbox, bob, elsewhere
):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
    [location_id], [customer_id] = sandbox.state["locations"], sandbox.state["customers"]
    where = {"account": "sandbox", "live_mode": False} | elsewhere
    customer = Customer.objects.create(user=bob, customer_id=customer_id, **where)
    Location.objects.create(customer=customer, location_id=location_id, **where)
    ConnectSession.objects.all().delete()
    assert run() == "deletions: 1 tried, 0 failed, 2 left\n"
    assert run() == "deletions: 2 tried, 0 failed, 0 left\n"
    assert not sandbox.state["locations"]
    assert not sandbox.state["customers"]


def test_a_conversation_that_tells_of_no_customer_owes_its_location_alone(walk, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
    ConnectSession.objects.all().delete()
    monkeypatch.setattr(flatpeak, "exchange", lambda *told: {"location_id": "loc_1", "customer_id": ""})
    Customer.objects.all().delete()
    assert run() == "deletions: 1 tried, 0 failed, 1 left\n"
    assert list(Erasure.objects.filter(done_at=None).values_list("kind", "flatpeak_id")) == [("location", "loc_1")]


@pytest.mark.parametrize(("status", "done"), [(422, True), (429, False), (500, False)])
def test_a_conversation_of_yesterday_that_flatpeak_refuses_is_done_with_if_it_was_not_complete(
    walk, client, monkeypatch, later, status, done
):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
        confirm(client)
    refusal = flatpeak.Rejected("POST /connect/token", status, {"code": "no"})
    monkeypatch.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(refusal))
    later(days=1, hours=1)
    with suppress(CommandError):  # which says that one failed
        run()
    assert bool(Erasure.objects.get().done_at) is done


def test_a_token_that_tells_nothing_any_more_is_done_with(walk, client, monkeypatch, sandbox, later):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
        confirm(client)
    with sandbox.lock:
        sandbox.state["tokens"].clear()
    later(minutes=2)
    assert run() == "deletions: 1 tried, 0 failed, 0 left\n"


def test_who_connected_nothing_leaves_without_a_call(client, alice, sandbox, django_user_model):
    client.force_login(alice)
    Customer.objects.create(user=alice)  # asked for a tariff once, and never finished
    assert "We deleted your account." in confirm(client).content.decode()
    assert not django_user_model.objects.exists()
    assert not Erasure.objects.exists()
    assert sum(sandbox.counts.values()) == 0


@pytest.mark.parametrize(("name", "kinds"), [("accounts_user", 2), ("tariffs_customer", 2), ("tariffs_location", 1)])
def test_a_deletion_in_the_admin_is_owed_at_flatpeak_too(client, location, alice, charlie, sandbox, name, kinds):
    client.force_login(charlie)
    chosen = {"accounts_user": alice, "tariffs_customer": location.customer}.get(name, location)
    data = {"action": "delete_selected", "_selected_action": "chosen", "select_across": "1", "chosen": str(chosen.pk)}
    client.post(reverse(f"admin:{name}_changelist"), data, follow=True)
    assert not Location.objects.exists()
    assert not ConnectSession.objects.filter(location__isnull=True).exists()
    assert Erasure.objects.filter(done_at=None).count() == kinds
    assert counts(sandbox) == (0, 0)
    assert run() == f"deletions: {kinds} tried, 0 failed, 0 left\n"
    assert not sandbox.state["locations"]


# --- what FlatPeak still has to delete


def test_while_flatpeak_is_down_it_is_asked_again_later_and_later_until_it_is_done(
    client, location, sandbox, flatpeak_says, later
):
    flatpeak_says(DOWN)
    response = delete(client, location)
    assert "also deleting your data at FlatPeak" in response.content.decode()
    assert not Location.objects.exists()
    assert run() == "deletions: 0 tried, 0 failed, 0 left\n"
    later(minutes=2)
    with pytest.raises(CommandError, match="deletions: 1 tried, 1 failed, 0 left"):
        run()
    erasure = Erasure.objects.get()
    assert (erasure.attempts, erasure.last_result, erasure.done_at) == (2, "unavailable", None)
    assert erasure.flatpeak_id == location.location_id
    flatpeak_says()
    later(minutes=1)
    assert run() == "deletions: 0 tried, 0 failed, 0 left\n"
    later(minutes=2)
    assert run() == "deletions: 1 tried, 0 failed, 0 left\n"
    assert counts(sandbox) == (1, 0)
    assert run() == "deletions: 0 tried, 0 failed, 0 left\n"
    assert counts(sandbox) == (1, 0)


def test_what_flatpeak_no_longer_has_is_done(client, location, sandbox):
    sandbox.state["locations"].clear()
    assert "also deleting your data at FlatPeak" not in delete(client, location).content.decode()
    assert Erasure.objects.get().last_result == "404"


def test_what_flatpeak_refuses_is_reported_once_and_stays_owed(client, location, sandbox, caplog):
    with sandbox.lock:
        sandbox.set_faults([{"call": "delete_location", "fault": "status_409"}])
    delete(client, location)
    erasure = Erasure.objects.get()
    assert (erasure.last_result, erasure.done_at) == ("conflict", None)
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("DELETE /locations: 409 conflict, request req_")
    assert record.getMessage().endswith(f", for erasure {erasure.pk}")
    assert location.location_id not in caplog.text


@pytest.mark.parametrize(("fault", "pause"), [("status_429", 600), ("status_500", 60)])
def test_a_rate_limit_is_kept_and_not_reported(client, location, sandbox, caplog, later, fault, pause):
    with sandbox.lock:
        told = {"retry_after": pause} if fault == "status_429" else {}
        sandbox.set_faults([{"call": "delete_location", "fault": fault, **told}])
    with caplog.at_level(logging.INFO):
        delete(client, location)
    [record] = caplog.records
    assert record.levelno < logging.ERROR
    later(seconds=pause - 10)
    assert run() == "deletions: 0 tried, 0 failed, 0 left\n"
    later(minutes=2)
    assert run() == "deletions: 1 tried, 0 failed, 0 left\n"


def test_two_who_ask_at_once_ask_once(client, location, flatpeak_says, sandbox):
    flatpeak_says(DOWN)
    delete(client, location)
    flatpeak_says()
    one, other = Erasure.objects.get(), Erasure.objects.get()
    assert (erase(one), erase(other)) == (True, None)
    assert counts(sandbox) == (1, 0)


@pytest.mark.parametrize(
    "answer",
    [None, DOWN, *(flatpeak.Rejected("DELETE", status, {"code": "x"}, 7200) for status in (404, 409, 429))],
    ids=["done", "down", "gone", "refused", "too many"],
)
def test_whatever_an_answer_changes_of_a_deletion_is_stored(client, location, flatpeak_says, answer):
    flatpeak_says(DOWN)
    delete(client, location)
    flatpeak_says(answer)
    owed = Erasure.objects.get()
    erase(owed)
    stored = Erasure.objects.get()
    for field in Erasure._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(owed, field.attname), field.name
    assert stored.attempts == (0 if stored.done_at else 2)
    assert bool(stored.done_at) is (answer is None or getattr(answer, "status", 0) == 404)
    if getattr(answer, "status", 0) in (409, 429):
        assert stored.due_at - timezone.now() > timedelta(minutes=119)


def test_who_read_a_deletion_before_another_asked_for_it_does_not_ask(client, location, flatpeak_says, later):
    flatpeak_says(DOWN)
    delete(client, location)
    one, other = Erasure.objects.get(), Erasure.objects.get()
    assert (erase(one), erase(other)) == (False, None)
    assert Erasure.objects.get().attempts == 2


def test_a_run_that_is_killed_in_its_call_loses_nothing(client, location, flatpeak_says, later, sandbox):
    flatpeak_says(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        delete(client, location)
    assert not Location.objects.exists()
    flatpeak_says()
    later(seconds=6 * flatpeak.total_timeout() + 1)  # the claim is over
    assert run() == "deletions: 1 tried, 0 failed, 0 left\n"


def test_the_record_of_what_is_done_leads_to_nobody_and_to_nothing_at_flatpeak(client, location, alice):
    ids = [location.location_id, location.customer.customer_id]
    confirm(client)
    assert not [field for field in Erasure._meta.get_fields() if field.is_relation]
    for erasure in Erasure.objects.all():
        row = " ".join(str(field.value_from_object(erasure)) for field in Erasure._meta.concrete_fields)
        assert erasure.done_at
        assert erasure.flatpeak_id in map(digest, ids)
        assert not any(name in row for name in (*ids, "alice", "Example", str(location.pk)))


def test_what_was_deleted_is_known_as_such_after_a_change_of_the_key(client, location, settings):
    confirm(client)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]
    assert Erasure.names(location.location_id)
    settings.SECRET_KEY_FALLBACKS = []
    assert not Erasure.names(location.location_id)


def test_the_admin_shows_the_records_and_changes_none(client, location, charlie):
    delete(client, location)
    client.force_login(charlie)
    erasure = Erasure.objects.get()
    assert client.get(reverse("admin:tariffs_erasure_changelist")).status_code == 200
    page = client.get(reverse("admin:tariffs_erasure_change", args=[erasure.pk])).content.decode()
    assert erasure.flatpeak_id in page
    assert 'name="_save"' not in page
    for name in ("add", "delete"):
        arguments = [erasure.pk] if name == "delete" else []
        assert client.post(reverse(f"admin:tariffs_erasure_{name}", args=arguments)).status_code == 403


@pytest.mark.parametrize("fault", [None, "empty_body"])
def test_a_deletion_is_understood_with_a_body_and_without(client, location, sandbox, fault):
    sandbox.set_faults([{"call": "*", "fault": fault, "times": 0}] if fault else [])
    confirm(client)
    assert set(Erasure.objects.values_list("last_result", flat=True)) == {"accepted"}


@pytest.mark.parametrize(
    ("reply", "done"), [(Reply(204), True), (json_reply({}), True), (Reply(200, b"<html>"), False)]
)
def test_200_and_204_are_done_too_and_a_page_of_html_is_not(client, location, monkeypatch, reply, done):
    monkeypatch.setattr(locations, "_deleted", lambda *arguments: reply)
    delete(client, location)
    assert bool(Erasure.objects.get().done_at) is done


def test_the_admins_log_keeps_nothing_of_a_deleted_person_and_all_of_another(walk, alice, bob, charlie):
    walk.fixed()
    for row in (alice, Location.objects.get(), Location.objects.get().customer, ConnectSession.objects.get()):
        LogEntry.objects.create(
            user=charlie,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=str(row),
            action_flag=2,
            change_message="alice@example.com, 1 Example Street",
        )
    LogEntry.objects.create(
        user=charlie,
        content_type=ContentType.objects.get_for_model(bob),
        object_id=str(bob.pk),
        object_repr="bob@example.com",
        action_flag=2,
        change_message="Changed the language.",
    )
    alice.delete()
    of_bob = LogEntry.objects.filter(object_id=bob.pk, content_type=ContentType.objects.get_for_model(bob))
    assert of_bob.values_list("object_repr", "change_message").get() == ("bob@example.com", "Changed the language.")
    of_bob.delete()
    kept = list(LogEntry.objects.values_list("object_repr", "change_message"))
    assert len(kept) == 4
    assert not any("alice" in str(each) or "Example" in str(each) or "cus_" in str(each) for each in kept)


def test_sessions_and_pending_password_resets_go_with_the_account(walk, alice, bob):
    pending, other = SessionStore(), SessionStore()
    pending["password_reset"] = {"email": "alice@example.com"}
    other["password_reset"] = {"email": "bob@example.com"}
    pending.save()
    other.save()
    alice.delete()
    assert list(Session.objects.values_list("session_key", flat=True)) == [other.session_key]


def test_who_deletes_an_account_is_signed_out_everywhere_and_nobody_else_is(alice, bob):
    hers, phone, his = signed_in(alice), signed_in(alice), signed_in(bob)
    hers.post("/account/reauthenticate/", PASSWORD)
    assert hers.post("/account/delete/").status_code == 302
    assert [is_signed_in(browser) for browser in (hers, phone, his)] == [False, False, True]
