"""Mails that customers want: tomorrow's prices, and a price below or above a limit."""

import email
import re
import smtplib
import threading
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.utils import timezone, translation

from bench.mails import MailServer
from flatpeak_app.accounts.personal import erase_account
from flatpeak_app.operations.queues import RATES, WISHES, Run
from tariffs import letters, money, rates, wanted
from tariffs.models import Customer, Location, Mail, Tariff, Wish
from tariffs.rates.days import store
from tariffs.rates.outlook import outlook
from tariffs.wanted import known_rates
from tests.test_accounts import signed_in
from tests.test_mail_trouble import busy, gone, mail_server, refused
from tests.test_neighbours import copied

__all__ = ["mail_server"]  # a fixture
pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 10)
LONDON, BERLIN = "Europe/London", "Europe/Berlin"
CHEAP, DEAR = "0.12", "0.31"


@pytest.fixture
def clock(monkeypatch):
    """Put the clock to a time of a location, where it stands still."""

    def put(hour, minute=0, day=TODAY, zone=LONDON):
        moment = datetime.combine(day, time(hour, minute), ZoneInfo(zone)).astimezone(UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)
        return moment

    put(13)
    return put


def connected(user, zone=LONDON, currency="GBP", direction="IMPORT", n=1):
    customer = Customer.objects.filter(user=user).first() or Customer.objects.create(user=user)
    place = Location.objects.create(
        customer=customer,
        location_id=f"loc_{user.pk}_{n}",
        address_line1="1 Example Street",
        time_zone=zone,
        currency_code=currency,
    )
    tariff = Tariff(location=place, direction=direction, provider="Octopus Energy", name="Agile", rates="ok")
    tariff.due_at = None
    tariff.save()
    return tariff


def fill(tariff, day, cost=lambda hour: "0.20", confidence=1, hours=24):
    """Store a day of hourly prices, by its local hours."""
    zone = tariff.location.local_zone
    start, end = rates.day_span(day, zone)
    segments = []
    while start < end and len(segments) < hours:
        price = Decimal(cost(start.astimezone(zone).hour))
        segments.append(rates.Segment(start, start + timedelta(hours=1), price, Decimal(confidence)))
        start += timedelta(hours=1)
    store(tariff, [day], segments, start)


def night(hour):
    """Cheap from 2 to 5, dear from 17 to 20."""
    return CHEAP if 2 <= hour < 5 else DEAR if 17 <= hour < 20 else "0.2"


def wish(tariff, kind="tomorrow", limit=None):
    return Wish.objects.create(tariff=tariff, kind=kind, limit=limit and Decimal(limit), due_at=timezone.now())


def work():
    run = Run(WISHES)
    run.work()
    return run.tried, run.failed


@pytest.fixture
def hers(alice, clock):
    """Alice's tariff, of which today's and tomorrow's prices are known."""
    tariff = connected(alice)
    fill(tariff, TODAY, night)
    fill(tariff, TODAY + timedelta(days=1), night)
    return tariff


def subjects():
    return [each.subject for each in mail.outbox]


# --- what a mail says


def test_tomorrows_prices_are_told_once_with_the_lowest_the_highest_and_the_best_time(hers):
    wish(hers)
    assert work() == (1, 0)
    [sent] = mail.outbox
    assert sent.to == ["alice@example.com"]
    assert sent.subject == "Tomorrow 12.00p to 31.00p, cheapest 02:00 to 05:00"
    assert sent.body.split("\n")[0] == (
        "Lowest 12.00p from 02:00, highest 31.00p from 17:00. The cheapest three hours: 02:00 to 05:00, 12.00p on average."
    )
    assert "Octopus Energy, Agile, 1 Example Street, Thursday 11 June 2026. Times are those of London (UTC+01:00)." in (
        sent.body
    )
    assert f"/locations/{hers.location_id}/\n" in sent.body
    assert work() == (0, 0)
    assert [(each.name, each.taken) for each in Mail.objects.all()] == [("tomorrow", True)]


def test_what_is_sold_is_best_when_it_is_dear(alice, clock):
    tariff = connected(alice, direction="EXPORT")
    fill(tariff, TODAY + timedelta(days=1), night)
    wish(tariff)
    work()
    assert subjects() == ["Tomorrow 12.00p to 31.00p, best 17:00 to 20:00"]
    assert "The best three hours to sell: 17:00 to 20:00, 31.00p on average." in mail.outbox[0].body


def test_one_price_is_said_once(alice, clock):
    tariff = connected(alice)
    fill(tariff, TODAY + timedelta(days=1))
    wish(tariff)
    work()
    assert subjects() == ["Tomorrow 20.00p"]
    assert mail.outbox[0].body.startswith("Tomorrow there is one price: 20.00p per kWh.\n")


def test_a_last_hour_that_is_not_known_yet_is_named(alice, clock):
    tariff = connected(alice)
    fill(tariff, TODAY + timedelta(days=1), night, hours=23)
    wish(tariff)
    work()
    assert "Prices after 23:00 are not known yet." in mail.outbox[0].body


@pytest.mark.parametrize(("hours", "told"), [(17, 0), (18, 1)])
def test_tomorrow_is_told_once_three_quarters_of_it_are_known(alice, clock, hours, told):
    tariff = connected(alice)
    fill(tariff, TODAY + timedelta(days=1), night, hours=hours)
    wish(tariff)
    work()
    assert len(mail.outbox) == told


def test_a_price_at_the_limit_is_neither_below_nor_above(hers, clock):
    assert wanted.beyond("below", Decimal(CHEAP), "GBP", known_rates(hers, clock(13))) == []
    assert wanted.beyond("above", Decimal(DEAR), "GBP", known_rates(hers, clock(13))) == []


@pytest.mark.parametrize(
    ("kind", "limit", "hour", "subject", "line"),
    [
        ("below", "0.15", 3, "12.00p now, below 15.00p until 05:00", "12.00p per kWh until 05:00."),
        ("above", "0.30", 17, "31.00p now, above 30.00p until 20:00", "31.00p per kWh until 20:00."),
        ("below", "0.25", 20, "20.00p now, below 25.00p until tomorrow 17:00", "20.00p per kWh until tomorrow 02:00."),
        ("above", "0.1", 3, "12.00p now, above 10.00p", "12.00p per kWh until 05:00."),
    ],
)
def test_a_limit_that_is_crossed_is_told_with_the_price_and_until_when(hers, clock, kind, limit, hour, subject, line):
    clock(hour)
    wish(hers, kind, limit)
    work()
    assert subjects() == [subject]
    assert mail.outbox[0].body.startswith(line)
    assert "The cheapest three hours: " in mail.outbox[0].body.split("\n")[0]


@pytest.mark.parametrize(
    ("language", "tomorrow", "below"),
    [
        ("en-gb", "Tomorrow 12.00p to 31.00p, cheapest 02:00 to 05:00", "12.00p now, below 15.00p until 05:00"),
        (
            "de",
            "Morgen 12,00 p bis 31,00 p, am günstigsten 02:00 bis 05:00",
            "Jetzt 12,00 p, unter 15,00 p bis 05:00 Uhr",
        ),
        ("fr", "Demain 12,00 p à 31,00 p, au plus bas de 2 h à 5 h", "12,00 p maintenant, sous 15,00 p jusqu’à 5 h"),
    ],
)
def test_a_mail_is_in_the_language_of_its_reader(hers, alice, clock, language, tomorrow, below):
    type(alice).objects.update(language=language)
    wish(hers)
    work()
    wish(hers, "below", "0.15")
    clock(2, day=TODAY + timedelta(days=1))
    with translation.override("fr" if language == "de" else "de"):  # of whoever works before it
        work()
    assert [subject.replace("\xa0", " ") for subject in subjects()] == [tomorrow, below]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), TODAY])
def test_a_mail_and_the_outlook_say_the_same_on_days_of_any_length(alice, clock, day):
    tariff, before = connected(alice), day - timedelta(days=1)
    fill(tariff, before, lambda hour: f"0.{(hour * 7919) % 60 + 10}")
    fill(tariff, day, lambda hour: f"0.{(hour * 104729) % 60 + 10}")
    clock(14, day=before)
    wish(tariff)
    assert work() == (1, 0)
    [sent] = mail.outbox
    zone = ZoneInfo(LONDON)
    start, end = rates.day_span(day, zone)
    prices = rates.clip(known_rates(tariff, start), start, end)
    said = outlook(tariff, prices, start)
    low, high = (choose(segment.rate for segment in prices) for choose in (min, max))
    assert sent.subject.startswith(f"Tomorrow {money.price(low, 'GBP')} to {money.price(high, 'GBP')}, cheapest ")
    assert f"{money.price(said.best.mean, 'GBP')} on average" in sent.body
    begins, ends = (re.sub(" [A-Z]+", "", each) for each in re.search("cheapest (.+) to (.+)", sent.subject).groups())
    assert (begins, ends) == tuple(f"{moment.astimezone(zone):%H:%M}" for moment in said.best[:2])


def test_an_hour_that_comes_twice_is_told_with_its_zone(alice, clock):
    tariff, day = connected(alice), date(2026, 10, 25)
    fill(tariff, day - timedelta(days=1))
    fill(tariff, day, lambda hour: CHEAP if hour == 1 else "0.2")
    wish(tariff, "below", "0.15")
    clock(1, day=day)
    work()
    assert subjects() == ["12.00p now, below 15.00p until 02:00"]
    assert "12.00p per kWh until 02:00." in mail.outbox[0].body


def test_the_link_that_ends_it_is_in_the_headers_of_every_wanted_mail(hers, clock, settings):
    settings.SITE_URL = "https://prices.example.com"
    wish(hers)
    wish(hers, "below", "0.25")
    work()
    for sent in mail.outbox:
        message = sent.message()
        [link] = re.findall(r"^https://\S+/locations/mails/stop/\?of=\S+$", sent.body, re.M)
        assert message["List-Unsubscribe"] == f"<{link}>"
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert f"<{link}>".encode() in message.as_bytes().replace(b"\n ", b" ")
        assert message["Auto-Submitted"] == "auto-generated"
        assert message.get_content_type() == "text/plain"
    assert len(mail.outbox) == 2


# --- when


def test_a_price_that_never_comes_is_not_told(alice, clock):
    tariff = connected(alice)
    fill(tariff, TODAY, night)
    row = wish(tariff)
    for kind, limit in (("below", "0.01"), ("above", "1")):
        wish(tariff, kind, limit)
    for hour in (13, 18, 23):
        clock(hour)
        Wish.objects.update(due_at=timezone.now())
        work()
    assert mail.outbox == []
    row.refresh_from_db()
    assert (row.due_at, row.told_day) == (None, None)


def test_estimates_are_not_told(alice, clock):
    tariff = connected(alice)
    fill(tariff, TODAY, confidence="0.5")
    fill(tariff, TODAY + timedelta(days=1), confidence="0.5")
    wish(tariff)
    wish(tariff, "below", "0.9")
    work()
    assert mail.outbox == []


def test_prices_that_are_known_early_are_told_at_noon_of_the_location(alice, clock):
    tariff = connected(alice, zone="America/Los_Angeles", currency="USD")
    fill(tariff, TODAY + timedelta(days=1), night)
    clock(1, zone="America/Los_Angeles")
    row = wish(tariff)
    work()
    row.refresh_from_db()
    assert (mail.outbox, row.due_at) == ([], clock(12, zone="America/Los_Angeles"))
    work()
    assert subjects() == ["Tomorrow 12.00¢ to 31.00¢, cheapest 02:00 to 05:00"]


def test_a_limit_is_looked_at_when_the_price_crosses_it(hers, clock):
    row = wish(hers, "above", "0.30")
    work()
    row.refresh_from_db()
    assert (mail.outbox, row.due_at) == ([], clock(17))
    work()
    row.refresh_from_db()
    assert len(mail.outbox) == 1
    assert (row.told_day, row.due_at) == (TODAY, clock(0, day=TODAY + timedelta(days=1)))


def test_a_time_beyond_the_limit_is_over_at_its_end(hers, clock):
    for hour, minute, told in ((1, 59, 0), (5, 0, 0), (4, 59, 1)):
        clock(hour, minute)
        row = wish(hers, "below", "0.15")
        assert wanted.holds_until(row, timezone.now()) == (clock(5) if told else None)
        clock(hour, minute)
        work()
        assert len(mail.outbox) == told
        row.delete()


def test_a_time_beyond_the_limit_is_told_once_however_long(alice, clock):
    """From 22:00 over midnight: midnight is no crossing, and the next evening is one."""
    tariff = connected(alice)
    for n in range(4):
        fill(tariff, TODAY + timedelta(days=n), lambda hour: CHEAP if hour >= 22 or hour < 6 else DEAR)
    wish(tariff, "below", "0.15")
    told = []
    for hour in range(20, 72):
        clock(hour % 24, day=TODAY + timedelta(days=hour // 24))
        work()
        told += [hour] * (len(mail.outbox) - len(told))
    assert told == [22, 46, 70]


def test_what_is_known_only_until_midnight_goes_on_after_it_without_a_mail(alice, clock):
    tariff = connected(alice)
    fill(tariff, TODAY, lambda hour: CHEAP if hour >= 22 else DEAR)
    wish(tariff, "below", "0.15")
    clock(22, 30)
    work()
    assert len(mail.outbox) == 1
    fill(tariff, TODAY + timedelta(days=1), lambda hour: CHEAP if hour < 6 else DEAR)
    for hour in (0, 1):
        clock(hour, day=TODAY + timedelta(days=1))
        Wish.wake(tariff, timezone.now())
        work()
    assert len(mail.outbox) == 1


def test_a_price_always_beyond_the_limit_is_told_once(alice, clock):
    tariff = connected(alice)
    for n in range(6):
        fill(tariff, TODAY + timedelta(days=n))
    wish(tariff, "below", "0.25")
    for n in range(5):
        clock(13, day=TODAY + timedelta(days=n))
        Wish.wake(tariff, timezone.now())
        work()
    assert len(mail.outbox) == 1


def test_two_crossings_of_a_day_are_one_mail(alice, clock):
    tariff = connected(alice)
    for n in range(3):
        fill(tariff, TODAY + timedelta(days=n), lambda hour: CHEAP if hour in (3, 13, 16) else DEAR)
    wish(tariff, "below", "0.15")
    told = []
    for hour in range(13, 45):
        clock(hour % 24, day=TODAY + timedelta(days=hour // 24))
        Wish.wake(tariff, timezone.now())
        work()
        told += [hour] * (len(mail.outbox) - len(told))
    assert told == [13, 24 + 3]


def test_it_is_one_mail_of_a_kind_a_day_and_tariff(hers, alice, clock):
    other = connected(alice, n=2)
    fill(other, TODAY + timedelta(days=1), night)
    for tariff in (hers, other):
        wish(tariff)
        wish(tariff, "above", "0.15")
    for _ in range(3):
        Wish.objects.update(due_at=timezone.now())
        work()
    assert len(mail.outbox) == 3  # today's prices of the other are not known


def test_a_clock_that_jumps_back_and_forth_sends_nothing_twice(hers, clock):
    fill(hers, TODAY + timedelta(days=2), night)
    wish(hers)
    for n, hour in [(0, 13), (1, 13), (0, 15), (-1, 20), (0, 12), (1, 14), (0, 18)]:
        clock(hour, day=TODAY + timedelta(days=n))
        Wish.objects.update(due_at=timezone.now(), claimed_until=None)
        work()
    assert len(mail.outbox) == 2
    clock(13, day=TODAY + timedelta(days=2))
    fill(hers, TODAY + timedelta(days=3), night)
    Wish.objects.update(due_at=timezone.now())
    work()
    assert len(mail.outbox) == 3


def test_a_clock_that_was_a_year_ahead_delays_nothing_for_a_year(hers, clock):
    wish(hers, "above", "0.3")
    clock(13, day=TODAY + timedelta(days=365))
    work()
    clock(18)
    Wish.wake(hers, timezone.now(), but=TODAY)  # as the next rates do
    work()
    assert len(mail.outbox) == 1


# --- when rates arrive


def test_rates_that_arrive_wake_the_wishes_of_their_tariff_by_one_update(walk, later):
    walk.fixed()
    Run(RATES).work()
    row, told = (wish(Tariff.objects.get(), kind, "0.5") for kind in ("below", "above"))
    Wish.objects.update(due_at=None)
    Wish.objects.filter(pk=told.pk).update(told_day=wanted.today_of(told.tariff, timezone.now()))
    later(seconds=10)  # the first answer was an estimate
    assert RATES.rows.get().has_wishes
    with connection.execute_wrapper(lambda run, sql, *more: asked.append(sql) or run(sql, *more)):
        asked = []
        Run(RATES).work()
    assert [sql.split()[0] for sql in asked if "tariffs_wish" in sql] == ["SELECT", "UPDATE", "SELECT"]
    row.refresh_from_db()
    assert row.due_at
    assert Wish.objects.get(pk=told.pk).due_at is None
    work()
    assert subjects() == ["28.15p now, below 50.00p"]


def test_rates_that_arrive_wake_no_wish_that_was_told_on_that_day(hers, clock):
    now, later = clock(13), clock(20)
    for kind, day in (("tomorrow", TODAY), ("below", TODAY - timedelta(days=1)), ("above", None)):
        row = wish(hers, kind)
        Wish.objects.filter(pk=row.pk).update(told_day=day, due_at=later, claimed_until=later, attempts=3)
    Wish.wake(hers, now, but=TODAY)
    asleep, awake = (later, later, 3), (now, None, 0)
    found = dict.fromkeys(["tomorrow"], asleep) | dict.fromkeys(["below", "above"], awake)
    assert {row.kind: (row.due_at, row.claimed_until, row.attempts) for row in Wish.objects.all()} == found
    Wish.wake(hers, now)  # the tariff itself has changed
    assert Wish.objects.filter(due_at=now, claimed_until=None, attempts=0).count() == 3


def test_a_tariff_without_wishes_costs_no_update(walk):
    walk.fixed()
    row = wish(Tariff.objects.get())
    Wish.end(row.pk)
    assert not RATES.rows.get().has_wishes
    with connection.execute_wrapper(lambda run, sql, *more: asked.append(sql) or run(sql, *more)):
        asked = []
        Run(RATES).work()
    assert not [sql for sql in asked if sql.startswith("UPDATE") and "tariffs_wish" in sql]


def test_a_wish_made_while_rates_are_fetched_is_looked_at_after_that(alice, clock):
    tariff = connected(alice)
    Tariff.objects.update(due_at=clock(13))
    row = wish(tariff)
    work()
    row.refresh_from_db()
    assert row.due_at == clock(13, 1)


# --- workers


class Killed(BaseException):
    """SIGKILL: nothing after it runs."""


def test_a_worker_killed_between_mark_and_sending_loses_one_mail(hers, clock, monkeypatch):
    wish(hers)
    with monkeypatch.context() as dying:
        dying.setattr(EmailBackend, "send_messages", lambda *mail: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            work()
    for hour in (13, 15, 23):
        clock(hour)
        Wish.wake(hers, timezone.now(), but=TODAY)
        work()
    assert mail.outbox == []
    clock(13, day=TODAY + timedelta(days=1))
    fill(hers, TODAY + timedelta(days=2), night)
    work()
    assert len(mail.outbox) == 1


def test_a_worker_killed_before_the_mark_loses_nothing(hers, clock, monkeypatch):
    wish(hers)
    with monkeypatch.context() as dying:
        dying.setattr(wanted, "look_at", lambda *look: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            work()
    assert work() == (0, 0)  # the claim lasts
    clock(13, 10)
    assert work() == (1, 0)
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_mail_once(alice, django_user_model, clock):
    people = [django_user_model.objects.create_user(f"bob{n}@example.com") for n in range(20)]
    for each in people:
        tariff = connected(each)
        fill(tariff, TODAY + timedelta(days=1), night)
        wish(tariff)
    runs = [Run(WISHES) for _ in range(2)]
    threads = [threading.Thread(target=run.in_threads, args=[3]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent.to[0] for sent in mail.outbox) == sorted(each.email for each in people)
    assert sum(run.tried for run in runs) == 20


def test_rates_that_arrive_while_a_mail_is_made_have_it_made_anew(hers, clock, monkeypatch):
    wish(hers)
    look_at = wanted.look_at

    def changed(*look):
        monkeypatch.setattr(wanted, "look_at", look_at)
        found = look_at(*look)
        fill(hers, TODAY + timedelta(days=1), lambda hour: "0.5")
        Wish.wake(hers, clock(13), but=TODAY)
        return found

    monkeypatch.setattr(wanted, "look_at", changed)
    work()
    work()
    assert subjects() == ["Tomorrow 50.00p"]


# --- mail servers


@pytest.mark.parametrize("error", [gone, busy])
def test_a_mail_that_was_certainly_not_taken_is_tried_again(hers, clock, mail_server, error, caplog):
    row = wish(hers)
    mail_server.append(error)
    assert work() == (1, 1)
    row.refresh_from_db()
    assert not row.is_claimed(timezone.now())  # or the next attempt would wait for the claim's end
    assert (row.told_day, row.attempts, row.due_at) == (None, 1, clock(13, 1))
    mail_server.clear()
    assert work() == (1, 0)
    row.refresh_from_db()
    assert (len(mail.outbox), row.told_day, row.last_result) == (1, TODAY, "")
    assert "@" not in caplog.text


def test_a_mail_that_no_server_was_there_for_is_tried_again_in_a_minute(hers, clock, monkeypatch):
    row = wish(hers)
    with monkeypatch.context() as down:
        down.setattr(EmailBackend, "open", lambda backend: (_ for _ in ()).throw(ConnectionRefusedError))
        assert work() == (1, 1)
    row.refresh_from_db()
    assert (row.claimed_until, row.told_day, row.told_until) == (None, None, None)
    assert (row.due_at, row.attempts, row.last_result) == (clock(13, 1), 1, "down")
    assert work() == (1, 0)
    assert len(mail.outbox) == 1


def test_a_mail_that_was_not_taken_leaves_a_wish_to_who_has_it_by_then(hers, clock, mail_server):
    row = wish(hers)
    other = []

    def meanwhile(email):
        Wish.wake(hers, clock(13, 1))  # the customer has changed the tariff
        other.append(Wish.objects.get())
        assert other[0].claim()
        return busy(email)

    mail_server.append(meanwhile)
    assert work() == (1, 1)
    row.refresh_from_db()
    assert (row.claimed_until, row.due_at, row.last_result) == (other[0].claimed_until, other[0].due_at, "")


def test_a_mail_that_was_not_taken_is_made_anew_from_what_holds_then(hers, clock, mail_server):
    wish(hers, "above", "0.3")
    clock(18)
    mail_server.append(busy)
    work()
    mail_server.clear()
    clock(21)
    work()
    assert mail.outbox == []


@pytest.mark.parametrize("error", [refused, lambda email: smtplib.SMTPServerDisconnected(email), TimeoutError])
def test_a_mail_that_was_refused_or_may_have_been_taken_is_not_sent_twice(hers, clock, mail_server, error, caplog):
    row = wish(hers)
    other = Wish.objects.create(tariff=hers, kind="above", limit=1, due_at=None)
    mail_server.append(error)
    assert work() == (1, 1)
    other.refresh_from_db()
    assert other.last_result == ""
    mail_server.clear()
    for hour in (14, 20):
        clock(hour)
        Wish.wake(hers, clock(hour), but=TODAY)
        work()
    row.refresh_from_db()
    assert (mail.outbox, row.told_day) == ([], TODAY)
    assert row.last_result in ("refused", "unknown")
    assert "@" not in caplog.text


def test_an_answer_from_500_on_is_a_refusal_for_good_and_one_below_is_for_now():
    for code, fate in (
        (451, letters.NOT_SENT),
        (499, letters.NOT_SENT),
        (500, letters.REFUSED),
        (554, letters.REFUSED),
    ):
        assert letters.fate_of(smtplib.SMTPDataError(code, b"no"), letters.UNKNOWN) == fate
        refusal = smtplib.SMTPRecipientsRefused({"bob@example.com": (code, b"no")})
        assert letters.fate_of(refusal, letters.NOT_SENT) == fate
    sender = smtplib.SMTPSenderRefused(550, b"no", "us@example.com")
    assert letters.fate_of(sender, letters.NOT_SENT) == letters.NOT_SENT  # it is about us


def test_no_server_is_left_alone_for_a_minute(hers, clock, mail_server):
    wish(hers)
    mail_server.append(gone)
    run = Run(WISHES)
    run.work()
    assert run.go_on_at > 0
    mail_server[:] = [busy]  # one full mailbox keeps nobody waiting
    clock(13, 2)
    run = Run(WISHES)
    run.work()
    assert (run.failed, run.go_on_at) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_a_pass_keeps_its_connection_and_renews_it_now_and_then(django_user_model, clock, monkeypatch):
    opened = []
    monkeypatch.setattr(EmailBackend, "open", lambda backend: opened.append(backend), raising=False)
    monkeypatch.setattr(EmailBackend, "close", lambda backend: opened.append("closed"), raising=False)
    monkeypatch.setattr(letters, "MOST", 3)
    for n in range(6):
        tariff = connected(django_user_model.objects.create_user(f"bob{n}@example.com"))
        fill(tariff, TODAY + timedelta(days=1), night)
        wish(tariff)
    Run(WISHES).in_threads(1)
    assert len(mail.outbox) == 6
    assert opened.count("closed") == 2
    assert len(set(map(id, opened)) - {id("closed")}) == 1


@pytest.fixture
def smtp(settings):
    """A real mail server, and the texts that it has got."""
    texts = []
    server = MailServer(answer=0.001, look=texts.append)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, server.texts = "127.0.0.1", server.port, texts
    return server


def crowd(django_user_model, number):
    for n in range(number):
        tariff = connected(django_user_model.objects.create_user(f"bob{n}@example.com"))
        fill(tariff, TODAY + timedelta(days=1), night)
        wish(tariff)


@pytest.mark.django_db(transaction=True)
def test_of_many_mails_at_once_one_is_marked_and_not_answered_for(django_user_model, clock, smtp):
    crowd(django_user_model, 12)
    marked = []
    smtp.look = lambda text: marked.append(Wish.objects.exclude(told_day=None).count() - smtp.taken.total())
    Run(WISHES).in_threads(4)
    assert smtp.taken == {f"bob{n}@example.com": 1 for n in range(12)}
    assert marked == [1] * 12
    assert smtp.connections <= 4


@pytest.mark.django_db(transaction=True)
def test_an_address_that_is_refused_holds_up_no_other_mail(django_user_model, clock, smtp):
    crowd(django_user_model, 5)
    smtp.unknown = {"bob1@example.com", "bob3@example.com"}
    run = Run(WISHES)
    run.in_threads(1)
    assert (run.tried, run.failed) == (5, 2)
    assert smtp.taken == {f"bob{n}@example.com": 1 for n in (0, 2, 4)}


def test_a_mail_arrives_over_smtp_as_it_was_written(hers, smtp):
    type(hers).objects.update(name=".\n.hidden")
    wish(hers)
    Run(WISHES).work()
    [text] = smtp.texts
    assert b"\r\n..hidden" in text  # a line of one full stop would end the mail
    message = email.message_from_bytes(text.replace(b"\r\n..", b"\r\n.").removesuffix(b"\r\n.\r\n"))
    assert message["Subject"] == "Tomorrow 12.00p to 31.00p, cheapest 02:00 to 05:00"
    assert message["To"] == "alice@example.com"
    body = message.get_payload(decode=True).decode().replace("\r\n", "\n")
    assert body.startswith("Lowest 12.00p from 02:00, highest 31.00p from 17:00.")
    assert "Octopus Energy, .\n.hidden, 1 Example Street" in body


def test_a_mail_that_is_stopped_in_the_last_moment_leaves_no_text_at_the_server(hers, smtp, monkeypatch):
    row, kept = wish(hers), wish(hers, "below", "0.25")
    look_at = wanted.look_at
    monkeypatch.setattr(wanted, "look_at", lambda *look: (look_at(*look), Wish.end(row.pk))[0])
    with letters.one_connection():
        Run(WISHES).work()
    [text] = smtp.texts
    assert b"below" in text
    kept.refresh_from_db()
    assert kept.told_day == TODAY


# --- who no longer gets any


def closed(tariff):
    type(tariff.location.customer.user).objects.update(is_active=False)


GONE = {
    "account deleted": lambda tariff: erase_account(tariff.location.customer.user),
    "account closed": closed,
    "location deleted": lambda tariff: tariff.location.delete(),
    "disconnected": lambda tariff: Tariff.objects.update(state="disconnected"),
    "ended": lambda tariff: [Wish.end(each.pk) for each in Wish.objects.all()],
    "another account of FlatPeak": lambda tariff: Tariff.objects.update(account="acc_other"),
}


@pytest.mark.parametrize("leave", GONE.values(), ids=GONE)
def test_nothing_is_sent_to_who_has_left(hers, sandbox, leave):
    wish(hers)
    wish(hers, "above", "0.1")
    leave(hers)
    work()
    assert mail.outbox == []
    assert Wish.objects.exists() is Tariff.objects.exists()


@pytest.mark.parametrize("leave", [GONE["account deleted"], GONE["location deleted"], GONE["ended"]])
def test_a_deletion_on_the_way_stops_the_mail(hers, sandbox, monkeypatch, leave):
    wish(hers)
    look_at = wanted.look_at
    monkeypatch.setattr(wanted, "look_at", lambda *look: (look_at(*look), leave(hers))[0])
    work()
    assert mail.outbox == []


# --- the page


def page(tariff):
    return f"/locations/{tariff.location_id}/mails/"


def test_its_owner_switches_mails_on_and_off(hers, alice, clock):
    browser = signed_in(alice)
    shown = browser.get(page(hers)).content.decode()
    assert re.findall(r"<label[^>]*>(?:<input[^>]*>)?\s*([^<]+)</label>", shown) == [
        "When tomorrow’s prices are known",
        *("When the price falls below a limit", "Below"),
        *("When the price rises above a limit", "Above"),
    ]
    form = {"import-tomorrow": "on", "import-below": "on", "import-below_limit": "15"}
    assert browser.post(page(hers), form)["Location"] == page(hers)
    assert set(Wish.objects.values_list("kind", "limit", "wanted")) == {
        ("tomorrow", None, True),
        ("below", Decimal("0.15"), True),
    }
    shown = browser.get(page(hers)).content.decode()
    assert 'value="15"' in shown
    assert shown.count(" checked") == 2
    assert shown.count('data-bill="{price} per kWh"') == 2  # a limit makes no bill
    assert 'name="import-below_limit_sign"' not in shown
    assert "We saved which mails you want." in shown
    browser.post(page(hers), {"import-below": "on", "import-below_limit": "16p"})
    assert set(Wish.objects.filter(wanted=True).values_list("kind", "limit")) == {("below", Decimal("0.16"))}
    browser.post(page(hers), {})
    assert not Wish.objects.filter(wanted=True).exists()
    clock(15)
    browser.post(page(hers), {})
    assert set(Wish.objects.values_list("since", flat=True)) == {clock(13)}  # since when it is not wanted
    assert 'value="16"' in browser.get(page(hers)).content.decode()


def test_what_is_bought_and_what_is_sold_have_mails_of_their_own_at_each_location(hers, alice):
    browser = signed_in(alice)
    sold = copied(hers, direction="EXPORT")
    there = copied(hers, location=copied(hers.location, location_id="loc_2", address_line1="2 Example Street"))
    form = {"import-below": "on", "import-below_limit": "15", "export-above": "on", "export-above_limit": "dear"}
    refused = browser.post(page(hers), form)
    assert refused.status_code == 422
    assert not Wish.objects.exists()  # neither, since both are on one page
    browser.post(page(hers), form | {"export-above_limit": "20"})
    browser.post(page(there), {"import-tomorrow": "on", "export-tomorrow": "on"})
    assert set(Wish.objects.values_list("tariff", "kind", "limit")) == {
        (hers.pk, "below", Decimal("0.15")),
        (sold.pk, "above", Decimal("0.2")),
        (there.pk, "tomorrow", None),
    }
    shown = browser.get(page(hers)).content.decode()
    assert (
        shown.index("What you pay")
        < shown.index('value="15"')
        < shown.index("What you are paid")
        < shown.index('value="20"')
    )
    assert "2 Example Street" in browser.get(page(there)).content.decode()


def test_a_mail_that_is_switched_off_and_on_is_not_sent_twice_a_day(hers, alice):
    browser = signed_in(alice)
    for _ in range(2):
        browser.post(page(hers), {"import-tomorrow": "on"})
        work()
        browser.post(page(hers), {})
    assert len(mail.outbox) == 1


def test_a_limit_that_is_switched_off_is_switched_on_again_as_it_was(hers, alice):
    browser, form = signed_in(alice), {"import-below": "on", "import-below_limit": "15"}
    for given, expected in ((form, True), ({"import-below_limit": "15"}, False), (form, True)):
        browser.post(page(hers), given)
        assert Wish.objects.get().wanted is expected


@pytest.mark.parametrize(("limit", "says"), [("", "Enter a price."), ("cheap", "Enter a number, for example 24.5.")])
def test_a_limit_that_is_no_price_is_asked_for_again(hers, alice, limit, says):
    response = signed_in(alice).post(page(hers), {"import-above": "on", "import-above_limit": limit})
    assert response.status_code == 422
    assert response.context["forms"][0].errors == {"above_limit": [says]}
    assert says in response.content.decode()
    assert not Wish.objects.exists()


def test_a_changed_limit_is_looked_at_anew_and_an_unchanged_one_is_left_alone(hers, alice, clock):
    browser, form = signed_in(alice), {"import-below": "on", "import-below_limit": "15.004"}
    browser.post(page(hers), form)
    Wish.objects.update(due_at=None, attempts=3, last_result="refused", claimed_until=timezone.now())
    before = Wish.objects.values().get()
    assert before["limit"] == Decimal("0.15")  # as it is shown
    now = clock(14)
    browser.post(page(hers), form)
    assert Wish.objects.values().get() == before
    browser.post(page(hers), form | {"import-below_limit": "14"})
    assert Wish.objects.values().get() == before | {
        **{"limit": Decimal("0.14"), "since": now, "told_until": None},
        **{"due_at": now, "attempts": 0, "last_result": "", "claimed_until": None},
    }


def test_a_limit_that_holds_now_says_so_and_is_mailed_at_the_next_crossing(hers, alice, clock):
    clock(18)
    browser, form = signed_in(alice), {"import-above": "on", "import-above_limit": "30", "import-tomorrow": "on"}
    browser.post(page(hers), form)
    browser.post(page(hers), form | {"import-above": ""})
    assert "The price is above" not in browser.get(page(hers)).content.decode()
    browser.post(page(hers), form | {"import-tomorrow": ""})
    shown = browser.get(page(hers)).content.decode()
    assert "The price is above 30.00p now, until 20:00. We write when it next rises above that." in shown
    work()
    assert mail.outbox == []
    clock(17, day=TODAY + timedelta(days=1))
    work()
    assert subjects() == ["31.00p now, above 30.00p until 20:00"]


def test_a_limit_that_holds_at_other_hours_does_not_hold_now_and_its_next_crossing_is_mailed(hers, alice, clock):
    browser = signed_in(alice)
    for form in (
        {"import-above": "on", "import-above_limit": "30"},
        {"import-below": "on", "import-below_limit": "15"},
    ):
        browser.post(page(hers), form)
        assert "now, until" not in browser.get(page(hers)).content.decode()
        assert set(Wish.objects.values_list("told_until", flat=True)) == {None}
    clock(2, day=TODAY + timedelta(days=1))
    work()
    assert subjects() == ["12.00p now, below 15.00p until 05:00"]


def test_a_limit_may_be_zero_for_prices_that_fall_below_it(hers, alice):
    signed_in(alice).post(page(hers), {"import-below": "on", "import-below_limit": "0"})
    fill(hers, TODAY, lambda hour: "-0.02")
    work()
    assert subjects() == ["-2.00p now, below 0.00p until midnight"]


def test_a_stranger_finds_no_page(hers, bob, charlie):
    for user in (bob, charlie):
        assert signed_in(user).get(page(hers)).status_code == 404
        assert signed_in(user).post(page(hers), {"import-tomorrow": "on"}).status_code == 404
    assert not Wish.objects.exists()


def test_a_location_of_another_flatpeak_account_has_no_page(hers, alice):
    Location.objects.update(account="another")
    assert signed_in(alice).get(page(hers)).status_code == 404


def test_a_tariff_that_is_disconnected_has_no_mails_to_choose(hers, alice):
    copied(hers, direction="EXPORT", state="disconnected")
    shown = signed_in(alice).get(page(hers)).content.decode()
    assert ("What you pay" in shown, "What you are paid" in shown) == (True, False)
    Tariff.objects.update(state="disconnected")
    shown = signed_in(alice).get(page(hers)).content.decode()
    assert "No tariff is connected here, so there are no prices to tell you about." in shown


def test_the_rates_page_leads_there(walk):
    walk.fixed().see()
    assert f'href="{page(Tariff.objects.get())}"' in walk.response.content.decode()


# --- the link that ends a mail


@pytest.fixture
def link(hers):
    """The path in a mail that was sent, and a browser without a sign-in that checks forms."""
    wish(hers)
    work()
    return re.search(r"(/locations/mails/stop/\S+)", mail.outbox[0].body)[1]


@pytest.fixture
def nobody():
    return Client(enforce_csrf_checks=True)


def test_the_link_asks_and_its_button_ends_the_mail(link, nobody, clock):
    shown = nobody.get(link).content.decode()
    assert "Do you want to end this mail?" in shown
    assert shown.count("<button class=") == 1
    assert Wish.objects.get().wanted
    assert "We ended this mail" in nobody.post(link).content.decode()
    ended = Wish.objects.values().get()
    assert (ended["wanted"], ended["since"], ended["due_at"]) == (False, timezone.now(), None)
    clock(15)
    for again in (nobody.get(link), nobody.post(link)):
        assert again.status_code == 200
        assert "You no longer get this mail" in again.content.decode()
    assert Wish.objects.values().get() == ended


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (
            b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_a_mail_program_ends_it_by_one_post(link, nobody, body, content_type):
    assert nobody.generic("POST", link, body, content_type).status_code == 200
    assert not Wish.objects.get().wanted


@pytest.mark.parametrize("leave", [*GONE.values()], ids=GONE)
def test_the_link_works_for_who_has_left(link, nobody, sandbox, hers, leave):
    leave(hers)
    assert nobody.get(link).status_code == 200
    assert nobody.post(link).status_code == 200
    assert not Wish.objects.filter(wanted=True).exists()


@pytest.mark.parametrize(
    "change", [lambda link: link[:-3], lambda link: link.partition("=")[0], lambda link: link + "x"]
)
def test_a_forged_link_gets_a_sentence_and_ends_nothing(link, nobody, change):
    for response in (nobody.get(change(link)), nobody.post(change(link))):
        assert response.status_code == 404
        assert "This link is not complete" in response.content.decode()
    assert Wish.objects.get().wanted
