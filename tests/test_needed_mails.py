"""Mails that customers need: a contract ends or has ended, or a tariff is no longer read or has a sign-in now."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone

from flatpeak_app.accounts.personal import erase_account
from flatpeak_app.operations import events
from flatpeak_app.operations.queues import REMINDERS, Run
from tariffs import needed, notices
from tariffs.models import Event, Mail, Reminder, Tariff, Wait
from tariffs.needed import find
from tariffs.notices import send_due
from tests.test_mail_trouble import busy, gone, mail_server, refused
from tests.test_wanted_mails import Killed, connected

__all__ = ["mail_server"]  # a fixture
pytestmark = pytest.mark.django_db
LAST = date(2026, 6, 30)  # of the contract
LONDON = "Europe/London"


@pytest.fixture
def clock(monkeypatch):
    """Put the clock to a time so many days before the contract's last one, where it stands still."""

    def put(days, hour=12, zone=LONDON):
        moment = datetime.combine(LAST - timedelta(days=days), time(hour), ZoneInfo(zone)).astimezone(UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)
        return moment

    put(200)
    return put


@pytest.fixture
def hers(alice, clock):
    """Alice's tariff, connected 200 days before the end of its contract."""
    tariff = connected(alice)
    change(tariff, contract_end=LAST, state_since=timezone.now(), rates_since=timezone.now())
    return tariff


def change(tariff, **columns):
    Tariff.objects.filter(pk=tariff.pk).update(**columns)


def look():
    """As the worker does every five minutes."""
    find(timezone.now())
    run = Run(REMINDERS)
    run.work()
    return run.tried, run.failed


def subjects():
    return [each.subject for each in mail.outbox]


# --- contracts


def test_a_contract_that_ends_is_told_30_and_7_days_before_and_once_after(hers, clock):
    told = {}
    for days in range(40, -20, -1):
        clock(days)
        look()
        if len(mail.outbox) > len(told):
            told[days] = mail.outbox[-1].subject
    assert told == {
        30: "Your electricity contract ends in 30 days",
        7: "Your electricity contract ends in 7 days",
        -1: "Your electricity contract has ended",
    }
    ends, _, over = mail.outbox
    assert ends.body.startswith(
        "Your contract with Octopus Energy ends on Tuesday 30 June 2026. After that we have no prices for you.\n"
    )
    assert f"/locations/{hers.location_id}/tariff/?direction=IMPORT\n" in ends.body
    assert "Connect it again" in ends.body
    assert over.body.startswith("Your contract with Octopus Energy ended on Tuesday 30 June 2026.")
    assert f"/locations/{hers.location_id}/\n" in over.body
    assert [each.name for each in Mail.objects.order_by("pk")] == ["ends", "ends", "over"]


@pytest.mark.parametrize(("days", "told"), [(-7, 1), (-8, 0)])
def test_an_end_that_was_noticed_late_is_told_for_a_week(hers, clock, days, told):
    clock(days)
    look()
    assert len(mail.outbox) == told


@pytest.mark.parametrize(("hour", "due"), [(8, (0, 9)), (9, (0, 9)), (20, (0, 20)), (21, (1, 9))])
def test_nobody_is_written_to_before_nine_or_from_nine_in_the_evening_on(hers, clock, hour, due):
    now = clock(30, hour)
    days, at = due
    assert needed.by_day(hers, now) == clock(30 - days, at)


def test_a_tariff_that_is_waited_for_or_is_of_another_account_has_no_reminder(hers, clock):
    now = clock(7)
    wait = Wait.objects.create(tariff=hers, since=now, due_at=None)
    assert find(now) == 0
    wait.delete()
    change(hers, account="another")
    assert find(now) == 0
    change(hers, account=hers.account)
    assert find(now) == 1


def test_a_customer_who_waits_for_rates_holds_up_no_mail_to_another(hers, bob, clock):
    clock(30)
    find(timezone.now())
    Wait.objects.create(tariff=connected(bob), since=timezone.now(), due_at=None)
    assert look() == (1, 0)
    assert [each.to for each in mail.outbox] == [["alice@example.com"]]


def test_a_day_is_the_locations_own(alice, clock):
    tariff = connected(alice, zone="Pacific/Auckland", currency="NZD")
    change(tariff, contract_end=LAST, state_since=timezone.now())
    clock(31, 23, "Pacific/Auckland")
    look()
    clock(30, 8, "Pacific/Auckland")
    assert look() == (0, 0)
    assert Reminder.objects.get().due_at == clock(30, 9, "Pacific/Auckland")
    assert look() == (1, 0)


def test_nobody_is_woken(hers, clock):
    clock(30, 22)
    look()
    assert Reminder.objects.get().due_at == clock(29, 9)
    look()
    assert subjects() == ["Your electricity contract ends in 29 days"]


def test_an_end_that_becomes_known_late_is_told_with_the_days_that_are_left(hers, clock):
    change(hers, contract_end=None)
    clock(3)
    look()
    change(hers, contract_end=LAST)
    look()
    look()
    assert subjects() == ["Your electricity contract ends in 3 days"]


def test_who_connects_a_contract_that_ends_soon_is_not_told_at_once(hers, clock):
    change(hers, state_since=clock(20))
    look()
    assert mail.outbox == []
    clock(7)
    look()
    assert subjects() == ["Your electricity contract ends in 7 days"]


def test_a_contract_that_was_extended_is_told_anew_and_an_old_reminder_dropped(hers, clock):
    clock(30, 23)
    look()
    change(hers, contract_end=LAST + timedelta(days=365))
    clock(29)
    look()
    assert mail.outbox == []
    assert not Reminder.objects.exists()
    clock(30 - 365)
    look()
    assert subjects() == ["Your electricity contract ends in 30 days"]


def test_a_clock_that_jumps_back_and_forth_tells_nothing_twice(hers, clock):
    for days in (31, 30, 7, 30, -1, 30, 7, -1, 31):
        clock(days)
        look()
    assert len(mail.outbox) == 3


# --- tariffs that need something


def test_a_tariff_that_is_not_read_for_a_day_is_told_once(hers, clock):
    change(hers, contract_end=None, state="failed", state_since=clock(100))
    look()
    assert mail.outbox == []
    for days in (99, 98, 97):
        clock(days)
        look()
    assert subjects() == ["We can’t read your tariff any more"]
    assert "Open this page and choose “Connect it again”." in mail.outbox[0].body


def test_a_tariff_that_flatpeak_no_longer_has_is_told_too(hers, clock):
    change(hers, contract_end=None, rates="failing", last_result="no_tariff_connected", rates_since=clock(100))
    clock(98)
    look()
    assert subjects() == ["We can’t read your tariff any more"]


def test_a_flatpeak_that_is_down_for_days_is_no_tariff_that_it_no_longer_has(hers, clock):
    about = {"rates": "failing", "last_result": "unavailable", "rates_since": clock(100), "upgrade_since": clock(100)}
    change(hers, contract_end=None, **about)
    clock(98)
    look()
    assert subjects() == ["Sign in to your provider to keep your prices up to date"]


def test_a_tariff_that_is_read_again_in_time_is_not_told(hers, clock):
    change(hers, contract_end=None, state="failed", state_since=clock(100, 20))
    clock(99, 22)
    look()
    change(hers, state="connected")
    clock(98)
    look()
    assert mail.outbox == []


def test_a_sign_in_that_a_provider_has_now_is_told_once_however_often_it_is_said(hers, clock):
    for days in (100, 99, 98):
        change(hers, contract_end=None, upgrade_since=clock(days))
        look()
    assert subjects() == ["Sign in to your provider to keep your prices up to date"]
    change(hers, version=1)  # the customer has connected it again
    look()
    assert len(mail.outbox) == 2


# --- once with events and with the other mails


def event(tariff, kind):
    place = tariff.location
    return Event.objects.create(
        event_id=f"evt_{kind}", type=kind, location_id=place.location_id, told_at=timezone.now()
    )


@pytest.mark.parametrize("first", ["the event", "the worker"])
def test_an_event_and_what_is_stored_are_told_once(hers, clock, monkeypatch, first):
    monkeypatch.setattr(events.details, "complete", lambda tariff: change(tariff, contract_end=LAST))
    change(hers, contract_end=None if first == "the event" else LAST)
    clock(28)
    told = event(hers, "tariff.expiring")
    steps = [lambda: events.handle(told), look]
    for step in steps if first == "the event" else reversed(steps):
        step()
    assert Reminder.objects.count() == 1
    look()
    assert subjects() == ["Your electricity contract ends in 28 days"]


def test_an_event_is_told_without_the_worker_that_looks(hers, clock, monkeypatch):
    monkeypatch.setattr(events.details, "complete", lambda tariff: change(tariff, contract_end=LAST))
    clock(28)
    events.handle(event(hers, "tariff.expiring"))
    Run(REMINDERS).work()
    assert len(mail.outbox) == 1


def test_a_wait_whose_claim_another_worker_has_taken_over_is_left_to_that_one(hers, clock, monkeypatch):
    now = clock(100)
    Wait.objects.create(tariff=hers, since=now, due_at=now)
    mail_for = notices._mail_for

    def slowly(*about):
        Wait.objects.update(claimed_until=now + timedelta(minutes=9))
        return mail_for(*about)

    monkeypatch.setattr(notices, "_mail_for", slowly)
    assert send_due(Wait.objects.get()) is None
    assert (mail.outbox, Wait.objects.count()) == ([], 1)


def test_a_reminder_that_another_worker_has_taken_over_is_left_to_that_one(hers, clock, monkeypatch):
    now = clock(30)
    find(now)

    def slowly(*about):
        Reminder.objects.update(claimed_until=now + timedelta(minutes=9))
        return []

    monkeypatch.setattr(needed, "needs", slowly)
    assert needed.remind(Reminder.objects.get()) is None
    assert (mail.outbox, Reminder.objects.count()) == ([], 1)


def test_an_old_reminder_is_dropped_without_another_that_was_claimed_at_the_same_moment(hers, clock):
    now = clock(30)
    find(now)
    old = Reminder.objects.get()
    other = Reminder.objects.create(tariff=hers, kind="login", about="0", due_at=now)
    change(hers, contract_end=None, upgrade_since=now)
    assert other.claim()
    assert needed.remind(old)
    assert Reminder.objects.get() == other


def test_who_waits_for_the_rates_of_a_tariff_is_told_by_one_mail(hers, clock):
    clock(-1)
    change(hers, rates="ended")
    wait = Wait.objects.create(tariff=hers, since=timezone.now(), due_at=timezone.now())
    look()
    assert mail.outbox == []
    assert send_due(wait)
    told = Reminder.objects.values_list("kind", "about", "due_at", "sent_at")
    assert list(told) == [("ended", str(LAST), None, timezone.now())]
    for days in (-1, -2):
        clock(days)
        look()
    assert subjects() == ["Your electricity contract has ended"]


def test_who_was_told_that_the_rates_have_arrived_is_told_of_the_contracts_end_too(hers, clock):
    wait = Wait.objects.create(tariff=hers, since=timezone.now(), due_at=timezone.now())
    assert send_due(wait)
    clock(-1)
    look()
    assert subjects()[0] != subjects()[-1] == "Your electricity contract has ended"


def test_a_pending_tariff_that_fails_is_told_by_one_mail(hers, clock):
    change(hers, contract_end=None, state="failed", state_since=clock(100))
    wait = Wait.objects.create(tariff=hers, since=timezone.now(), due_at=timezone.now())
    clock(90)
    assert send_due(wait)
    look()
    assert subjects() == ["We couldn't read your tariff yet"]


# --- workers and mail servers


def test_a_worker_killed_after_sending_sends_the_same_mail_again(hers, clock, monkeypatch):
    clock(30)
    with monkeypatch.context() as dying:
        dying.setattr(Reminder, "release", lambda *row: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            look()
    clock(30, 13)
    look()
    clock(30, 14)
    look()
    first, second = mail.outbox
    assert first.message()["Message-ID"] == second.message()["Message-ID"]
    assert str(hers.pk) in first.message()["Message-ID"]


def test_other_reminders_have_other_ids(hers, clock):
    for days in (30, 7, -1):
        clock(days)
        look()
    assert len({each.message()["Message-ID"] for each in mail.outbox}) == 3


def test_two_workers_make_and_send_one(hers, clock):
    clock(30)
    find(timezone.now())
    find(timezone.now())
    first, second = Run(REMINDERS), Run(REMINDERS)
    row = first.next()
    second.work()
    assert needed.remind(row) is None
    assert len(mail.outbox) == 1


def test_two_workers_that_find_the_same_at_once_make_one(hers, clock, monkeypatch):
    made = needed._new
    monkeypatch.setattr(needed, "_new", lambda *need: (made(*need).save(), made(*need))[1])
    clock(30)
    look()
    assert Reminder.objects.count() == len(mail.outbox) == 1


@pytest.mark.parametrize("error", [gone, busy, refused, TimeoutError])
def test_a_mail_that_was_not_taken_is_tried_again_while_it_is_true(hers, clock, mail_server, error, caplog):
    clock(30)
    mail_server.append(error)
    assert look() == (1, 1)
    assert Reminder.objects.get().sent_at is None
    mail_server.clear()
    clock(30, 13)
    assert look() == (1, 0)
    assert len(mail.outbox) == 1
    assert Reminder.objects.get().sent_at == timezone.now()
    assert "@" not in caplog.text


def test_a_mail_that_is_no_longer_true_is_not_sent_late(hers, clock, mail_server):
    clock(30)
    mail_server.append(busy)
    look()
    mail_server.clear()
    clock(5)
    look()
    assert subjects() == ["Your electricity contract ends in 5 days"]


# --- who no longer gets any


GONE = {
    "account deleted": lambda tariff: erase_account(tariff.location.customer.user),
    "account closed": lambda tariff: type(tariff.location.customer.user).objects.update(is_active=False),
    "location deleted": lambda tariff: tariff.location.delete(),
    "disconnected": lambda tariff: change(tariff, state="disconnected"),
    "another account of FlatPeak": lambda tariff: change(tariff, account="acc_other"),
}


@pytest.mark.parametrize("leave", GONE.values(), ids=GONE)
@pytest.mark.parametrize("when", ["before", "on the way"])
def test_nothing_is_sent_to_who_has_left(hers, clock, sandbox, leave, when):
    clock(30)
    if when == "on the way":
        find(timezone.now())
    leave(hers)
    look()
    assert mail.outbox == []
    assert not Reminder.objects.filter(sent_at__isnull=False).exists()


@pytest.mark.parametrize("language", ["de", "fr"])
def test_it_is_in_the_language_of_its_reader(hers, alice, clock, language):
    type(alice).objects.update(language=language)
    for days in (30, 7, -1):
        clock(days)
        look()
    said = {
        "de": ["Ihr Stromvertrag endet in 30 Tagen", "Ihr Stromvertrag endet in 7 Tagen"],
        "fr": [
            "Votre contrat d’électricité se termine dans 30 jours",
            "Votre contrat d’électricité se termine dans 7 jours",
        ],
    }
    assert [subject.replace("\xa0", " ") for subject in subjects()[:2]] == said[language]
    assert len(mail.outbox) == 3


def test_what_is_found_is_few_queries_however_many_tariffs_there_are(hers, clock, django_assert_max_num_queries):
    clock(30)
    with django_assert_max_num_queries(10):
        find(timezone.now())


def test_a_tariff_of_which_nothing_is_to_be_told_is_not_even_read(hers, clock, django_assert_num_queries):
    change(hers, contract_end=None, rates="failing", last_result="unavailable")
    with django_assert_num_queries(4):
        assert find(timezone.now()) == 0
