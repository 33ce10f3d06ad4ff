"""What belongs to another customer is in no download, and no deletion of an account touches it."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from connect_ui.models import ConnectSession
from flatpeak_app.accounts.personal import everything
from tariffs.models import Appliance, DeviceKey, Event, Location, Mail, Reminder, Tariff, Wait, Wish, WrongPrice
from tests.test_accounts import PASSWORD, is_signed_in
from tests.walk import Walk

pytestmark = pytest.mark.django_db


def keys(user):
    return {name: {row.pk for row in rows} for name, rows in everything(user).items()}


@pytest.fixture
def browsers(alice, bob, sandbox):
    """Alice's and Bob's; each of them has rows of every kind, and a conversation whose exchange is owed."""
    browsers = []
    for user in (alice, bob):
        browser = Client()
        browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
        walk = Walk(browser).fixed()
        walk.get(f"/locations/{walk.session.location_id}/").start()
        Wait.objects.create(tariff=Tariff.objects.get(location__customer__user=user), since=timezone.now())
        Reminder.objects.create(tariff=Tariff.objects.get(location__customer__user=user), kind="login", about="1")
        Wish.objects.create(tariff=Tariff.objects.get(location__customer__user=user), kind="tomorrow")
        DeviceKey.make(Location.objects.get(customer__user=user), "evcc")
        Event.objects.create(
            event_id=f"evt_{user.pk}", type="location.update", session=walk.session.pk, told_at=timezone.now()
        )
        WrongPrice.objects.create(
            tariff=Tariff.objects.get(location__customer__user=user),
            day=timezone.now().date(),
            starts_at=timezone.now(),
            segment=[],
            fetched_at=timezone.now(),
        )
        Appliance.objects.create(user=user, name="Sauna", minutes=60, watt_hours=6000)
        Mail.objects.create(user=user, name="late", taken=True)
        EmailAddress.objects.create(user=user, email=user.email)
        Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
        browsers.append(browser)
    ConnectSession.objects.filter(state="open").update(state="owed", due_at=timezone.now())
    return browsers


def test_a_download_has_all_rows_of_its_user_and_none_of_another(browsers, alice, bob):
    hers, his = keys(alice), keys(bob)
    for name, rows in everything(alice).items():
        assert hers[name], name
        assert his[name], name
        assert hers[name].isdisjoint(his[name]), name
        assert len(hers[name] | his[name]) == rows.model.objects.count(), name


def test_the_deletion_of_an_account_leaves_everything_of_another(browsers, alice, bob, sandbox):
    hers, his = browsers
    before = keys(bob)
    owed = list(ConnectSession.objects.filter(user=bob).order_by("pk").values("pk", "state", "due_at"))
    hers.post("/account/reauthenticate/", {"password": PASSWORD})
    hers.post("/account/delete/")
    assert not any(keys(alice).values())
    assert keys(bob) == before
    assert is_signed_in(his)
    assert not is_signed_in(hers)
    assert UserSession.objects.get().user == bob
    assert list(ConnectSession.objects.filter(user=bob).order_by("pk").values("pk", "state", "due_at")) == owed
    bobs = Tariff.objects.get().location
    assert bobs.location_id in sandbox.state["locations"]
    assert bobs.customer.customer_id in sandbox.state["customers"]
