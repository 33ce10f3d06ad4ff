"""The mail to the operator when something newly needs attention."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.utils import timezone

from flatpeak_app.operations.needs import KINDS, tell_operator
from tariffs.models import Customer, Erasure, Event, Reminder, Tariff, Wait, WrongPrice
from tests.test_funnel import sessions
from tests.test_overview import ago, tariff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def operator(settings):
    settings.ADMINS = [("Operator", "operator@example.com")]


@pytest.fixture
def tell(mailoutbox):
    """Look for what needs attention; the subjects of the mails about it."""

    def tell(hours=0):
        mailoutbox.clear()
        tell_operator(timezone.now() + timedelta(hours=hours))
        return sorted(mail.subject.removeprefix("[Django] ") for mail in mailoutbox)

    return tell


def next_day():
    """Forget that mails were sent today, and remember what they told."""
    told = cache.get_many([f"told:sandbox:{kind.__name__}" for kind in KINDS])
    cache.clear()
    cache.set_many(told, None)


def failing(alice, number, **since):
    return tariff(alice, number, rates="failing", rates_since=ago(**since), last_result="no_price_data")


def test_each_kind_is_mailed_with_ids_and_no_personal_data(tell, alice, mailoutbox, settings):
    assert tell() == []
    sessions(alice, 1, state="owed", routes=("end",), provider="The Smiths")
    sessions(alice, 2, routes=("meter_photo_capture",))
    type(sessions(alice)[0].pages.get(number=1)).objects.update(shown_at=ago(hours=2))
    late = failing(alice, 1, hours=2)
    tariff(alice, 2, state="pending", state_since=ago(hours=49))
    Erasure.objects.create(kind="location", flatpeak_id="loc_1", requested_at=ago(days=2))
    Wait.objects.create(tariff=late, since=ago(days=1), last_result="not_sent", attempts=2)
    Reminder.objects.create(tariff=late, kind="ended", about="x", last_result="not_sent", attempts=2)
    Reminder.objects.create(tariff=late, kind="login", about="x", last_result="not_sent", attempts=1)
    Event.objects.create(event_id="evt_1", type="location.update", told_at=ago(hours=2), received_at=ago(hours=2))
    WrongPrice.objects.create(
        tariff=late, day=ago().date(), starts_at=ago(), segment=[], fetched_at=ago(), said="My bill says 24p."
    )
    assert tell() == [
        "Deletions that FlatPeak has not made for over a day: 1",
        "Events that have not been handled for over an hour: 1",
        "Exchanges owed for over an hour: 1",
        "Mails that the mail server refused twice or more: 1",
        "Pages that this app does not know, in 30 days: 1",
        "Prices that customers say are wrong: 1",
        "Rates that have failed for over an hour: 1",
        "Reminders that the mail server refused twice or more: 1",
        "Tariffs that FlatPeak has not read for 48 hours: 1",
    ]
    for mail in mailoutbox:
        assert mail.to == ["operator@example.com"]
        assert f"{settings.SITE_URL}/admin/connect_ui/connectsession/attention/" in mail.body
        for personal in ("alice", "Smiths", "SSE", "24p", "loc_1", "evt_1"):
            assert personal not in mail.subject + mail.body, personal
    assert re.search(rf"/tariff/{late.pk}/", "".join(mail.body for mail in mailoutbox))
    assert len(mailoutbox) == len(KINDS)


def test_a_mail_that_the_customers_server_refused_once_needs_nobody(tell, alice):
    wait = {"since": ago(days=1), "last_result": "not_sent"}
    Wait.objects.create(tariff=tariff(alice, 1), attempts=1, **wait)
    assert tell() == []
    Wait.objects.create(tariff=tariff(alice, 2), attempts=2, **wait)
    assert tell() == ["Mails that the mail server refused twice or more: 1"]


def test_what_was_told_is_not_told_again_and_what_is_new_is_told_on_the_next_day(tell, alice):
    failing(alice, 1, hours=3)
    assert tell() == ["Rates that have failed for over an hour: 1"]
    assert tell() == []
    failing(alice, 2, hours=2)
    assert tell() == []  # one a day
    next_day()
    assert tell() == ["Rates that have failed for over an hour: 2"]
    next_day()
    assert tell() == []
    failing(alice, 3, minutes=30)
    assert tell() == []
    assert tell(hours=1) == ["Rates that have failed for over an hour: 3"]


def test_what_is_well_again_and_fails_again_is_new(tell, alice):
    one = failing(alice, 1, hours=3)
    assert tell()
    Tariff.objects.update(rates="ok")
    next_day()
    assert tell() == []
    Tariff.objects.filter(pk=one.pk).update(rates="failing", rates_since=ago(hours=1, minutes=1))
    assert len(tell()) == 1


def test_a_mail_that_the_server_does_not_take_is_tried_again_and_stops_no_other(tell, alice, monkeypatch):
    failing(alice, 1, hours=3)
    tariff(alice, 2, state="pending", state_since=ago(hours=49))

    def refuse(*mail):
        raise OSError("operator@example.com")

    with monkeypatch.context() as down:
        down.setattr("flatpeak_app.operations.needs.mail_admins", refuse)
        assert tell() == []
    assert tell() == []  # for five minutes
    next_day()
    assert len(tell()) == 2


def test_without_admins_nothing_is_looked_for(settings, django_assert_num_queries):
    settings.ADMINS = []
    with django_assert_num_queries(0):
        tell_operator(timezone.now())


def test_another_account_has_mails_of_its_own(tell, alice, settings):
    failing(alice, 1, hours=3)
    settings.FLATPEAK_REALM = "acc_other"
    assert tell() == []
    Customer.objects.update(account="acc_other")
    Tariff.objects.update(account="acc_other")
    assert len(tell()) == 1


def test_the_command_does_the_same(alice, mailoutbox):
    failing(alice, 1, hours=3)
    call_command("tell_operator")
    assert len(mailoutbox) == 1
