"""`refresh_rates`: what is due is asked for once, politely, and customers who wait are told once."""

import io
import logging
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flatpeak_app.operations import queues
from flatpeak_app.operations.management.commands import refresh_rates
from flatpeak_app.operations.queues import MAILS, RATES, Run
from tariffs import flatpeak, notices
from tariffs.flatpeak import http
from tariffs.models import Customer, Location, RateDay, Tariff, Wait
from tariffs.queue import QueueQuerySet
from tariffs.rates.refresh import is_of_refresh, refresh

# The command's threads have connections of their own, which see what is committed alone.
pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


class Asked(list):
    """The locations that were asked for, and what is answered: by location, or `answer` for all others."""

    def __init__(self):
        super().__init__()
        self.answer, self.of = rates, {}

    def __call__(self, location_id, start, end, direction):
        self.append(location_id)
        answer = self.of.get(location_id, self.answer)
        if isinstance(answer, BaseException):
            raise answer
        return answer(start, end)


def rates(start, end):
    span = {"valid_from": start.isoformat(), "valid_to": end.isoformat()}
    return {
        "next_update": "2100-01-01T00:00:00Z",
        "data": [span | {"tariff": {"rate": Decimal("0.1"), "confidence": 1}}],
    }


def refused(code="", status=422, retry_after=None):
    return flatpeak.Rejected("GET /tariffs/rates", status, {"code": code}, retry_after)


DOWN = flatpeak.Unavailable("GET /tariffs/rates: no answer")
PENDING = refused("pending_connect")


@pytest.fixture
def asked(monkeypatch):
    asked = Asked()
    monkeypatch.setattr(flatpeak, "rates", asked)
    monkeypatch.setattr("tariffs.rates.refresh.complete", lambda tariff: None)
    return asked


@pytest.fixture
def clock(monkeypatch):
    """It is noon, or as many hours later as a test says."""

    def put(**later):
        monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(**later))

    put()
    return put


@pytest.fixture
def add(alice, clock):
    """Locations of Alice's, each with a tariff that is due."""
    customer = Customer.objects.create(user=alice, customer_id="cus_1")

    def add(*location_ids, **tariff):
        for location_id in location_ids:
            location = Location.objects.create(
                customer=customer, location_id=location_id, time_zone="Europe/London", address_line1="1 Example Street"
            )
            about = {"provider": "Example & Sons", "due_at": NOW, "state_since": NOW, "rates_since": NOW} | tariff
            Tariff.objects.create(location=location, direction="IMPORT", **about)
        return Tariff.objects.get(location__location_id=location_ids[-1])

    return add


@pytest.fixture
def passing(monkeypatch):
    """Waiting takes no time: the clock that the run waits by is put on instead."""

    class Passing(threading.Event):
        seconds = 0.0
        waited = []

        def wait(self, timeout=None):
            self.waited.append(timeout)
            Passing.seconds += timeout or 0
            return self.is_set()

    class PassingRun(Run):
        def __init__(self, queue, **options):
            super().__init__(queue, **options)
            self.stopped = Passing()

    monkeypatch.setattr(refresh_rates, "Run", PassingRun)
    monkeypatch.setattr(queues.time, "monotonic", lambda: Passing.seconds)
    return Passing


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(out=None, **options):
    out = out or io.StringIO()
    call_command("refresh_rates", stdout=out, **{"jitter": 0} | options)
    return out.getvalue()


def at_once(*functions):
    """Run the functions in threads of their own, with connections that are closed at the end."""

    def thread(function):
        try:
            function()
        finally:
            connection.close()

    threads = [threading.Thread(target=thread, args=[function]) for function in functions]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


# --- what is asked for


def test_what_is_due_is_asked_for_and_stored(add, asked):
    add("loc_1", "loc_2")
    assert run() == "rates: 2 tried, 0 failed, 0 left\n"
    assert sorted(asked) == ["loc_1", "loc_2"]
    assert RateDay.objects.count() == 4
    assert set(Tariff.objects.values_list("rates", flat=True)) == {"ok"}


def test_only_what_is_due_here_and_connected_is_asked_for(add, asked):
    add("loc_due")
    add("loc_later", due_at=NOW + timedelta(seconds=1))
    add("loc_disconnected", state="disconnected", due_at=None)
    add("loc_of_another_account", account="acc_another")
    add("loc_of_the_other_mode", account="sandbox", live_mode=True)
    assert run() == "rates: 1 tried, 0 failed, 0 left\n"
    assert asked == ["loc_due"]


def test_it_is_asked_again_from_next_update_on_and_not_before(add, asked, clock):
    add("loc_1")
    asked.answer = lambda start, end: rates(start, end) | {"next_update": "2026-11-23T16:00:00Z"}
    run()
    clock(hours=3, minutes=29)
    assert run() == "rates: 0 tried, 0 failed, 0 left\n"
    clock(hours=3, minutes=30)
    assert run() == "rates: 1 tried, 0 failed, 0 left\n"
    assert len(asked) == 2


def test_a_pending_tariff_is_asked_for_by_the_pending_rule_and_is_no_failure(add, asked, clock):
    add("loc_1")
    asked.answer = PENDING
    times = []
    for minute in range(30):
        clock(minutes=minute)
        if run() == "rates: 1 tried, 0 failed, 0 left\n":
            times.append(minute)
    assert times == [0, 1, 3, 7, 15]


def test_a_tariff_that_has_failed_is_not_pending_again_because_its_rates_are(add, asked):
    add("loc_1", state="failed")
    asked.answer = PENDING
    run()
    tariff = Tariff.objects.get()
    assert (tariff.state, tariff.rates, tariff.state_since) == ("failed", "pending", NOW)


def test_how_long_an_answer_stands_is_stored_and_begins_anew_with_another(add, asked, clock):
    tariff = add("loc_1", rates_since=NOW - timedelta(days=1))
    for minutes, answer, since in ((0, DOWN, 0), (2, DOWN, 0), (4, rates, 4), (9, rates, 4), (11, DOWN, 11)):
        clock(minutes=minutes)
        Tariff.objects.update(due_at=timezone.now())
        asked.answer = answer
        with suppress(CommandError):
            run()
        tariff.refresh_from_db()
        assert tariff.rates == ("failing" if answer is DOWN else "ok")
        assert tariff.rates_since == NOW + timedelta(minutes=since), minutes


@pytest.mark.parametrize(
    "answers",
    [
        [rates, DOWN, rates],
        [PENDING, PENDING, rates],
        [refused("no_price_data"), refused(status=429, retry_after=7), rates],
        [lambda start, end: rates(start, end) | {"data": []}, DOWN],
    ],
    ids=["down", "pending", "refused", "empty"],
)
@pytest.mark.parametrize("contract_end", [None, NOW.date()], ids=["goes on", "ends"])
def test_whatever_an_answer_changes_of_a_tariff_is_stored(add, asked, clock, answers, contract_end):
    tariff = add("loc_1", contract_end=contract_end, rates_since=NOW - timedelta(days=1))
    for minutes, answer in enumerate(answers):
        clock(minutes=20 * minutes)
        tariff.due_at = timezone.now()
        tariff.save()
        asked.answer = answer
        assert refresh(tariff, timezone.now())
        stored = Tariff.objects.get()
        for field in Tariff._meta.concrete_fields:
            assert getattr(stored, field.attname) == getattr(tariff, field.attname), (minutes, field.name)


def test_two_runs_at_once_ask_once(add, asked):
    ids = [f"loc_{n}" for n in range(30)]
    add(*ids)
    at_once(run, run, run)
    assert sorted(asked) == sorted(ids)
    assert run() == "rates: 0 tried, 0 failed, 0 left\n"


def test_no_more_calls_are_under_way_than_allowed(add, asked):
    add(*[f"loc_{n}" for n in range(9)])
    gate, lock, under_way, most = threading.Barrier(3, timeout=30), threading.Lock(), 0, 0

    def answer(start, end):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        gate.wait()  # three are under way, or this breaks
        with lock:
            under_way -= 1
        gate.wait()
        return rates(start, end)

    asked.answer = answer
    assert run(concurrency=3) == "rates: 9 tried, 0 failed, 0 left\n"
    assert most == 3


def test_every_thread_gives_its_connection_back(add, asked, monkeypatch):
    opened, closed = set(), []
    all_at_work = threading.Barrier(3, timeout=30)  # or one quick thread may do all nine
    monkeypatch.setattr(
        queues,
        "connection",
        type("", (), {"close": lambda self: (closed.append(threading.get_ident()), connection.close())})(),
    )

    def answer(start, end):
        opened.add(threading.get_ident())
        all_at_work.wait()
        return rates(start, end)

    asked.answer = answer
    looks, next_row = [], Run.next

    def look(self):
        looks.append((threading.get_ident(), len(closed)))
        return next_row(self)

    monkeypatch.setattr(Run, "next", look)
    add(*[f"loc_{n}" for n in range(9)])
    run(concurrency=3)
    assert len(opened) == 3
    for thread in opened:  # the last look, which finds nothing, needs a connection too
        assert thread in closed[max(before for each, before in looks if each == thread) :]


def test_no_connection_is_held_during_a_call_so_more_may_be_under_way_than_a_pool_has(add, asked, monkeypatch):
    add(*[f"loc_{n}" for n in range(24)])
    gate, held = threading.Barrier(24, timeout=30), []

    class Http:
        def request(self, *args, **options):
            held.append(connection.connection)
            gate.wait()
            raise OSError

    def ask(location_id, *_):
        return http.ask("GET /tariffs/rates", "GET", "http://flatpeak.example/")

    monkeypatch.setattr(flatpeak, "rates", ask)
    monkeypatch.setattr(http, "_http", Http)
    with pytest.raises(CommandError, match="rates: 24 tried, 24 failed, 0 left"):
        run(concurrency=24)
    assert held == [None] * 24


def test_no_connection_is_held_where_another_thread_may_need_one_to_go_on(add, asked, passing, monkeypatch):
    add("loc_1", "loc_2", "loc_3")
    asked.of = {"loc_2": refused(status=429), "loc_3": ZeroDivisionError()}  # each way that a question ends
    held = []

    class Lock:
        """The lock of a run; its holder reads the next batch, for which it takes a connection from the pool."""

        def __init__(self):
            self.lock = threading.Lock()

        def __enter__(self):
            held.append(connection.connection)
            self.lock.acquire()

        def __exit__(self, *error):
            self.lock.release()

    class LockedRun(refresh_rates.Run):
        def __init__(self, queue, **options):
            super().__init__(queue, **options)
            self.lock = Lock() if queue is RATES else self.lock

    monkeypatch.setattr(refresh_rates, "Run", LockedRun)
    with pytest.raises(CommandError, match="rates: 3 tried, 2 failed"):
        run(concurrency=1)
    assert held == [None] * 7


@pytest.mark.parametrize("spread", [True, False])
def test_batches_go_through_all_that_is_due_with_one_query_each(add, monkeypatch, spread):
    monkeypatch.setattr("tariffs.queue.BATCH", 10)
    for n in range(35):
        add(f"loc_{n}", due_at=NOW - timedelta(minutes=n if spread else 0))
    found, due = [], RATES.rows.each_due(NOW)
    with CaptureQueriesContext(connection) as queries:
        for tariff in due:
            assert tariff.location.location_id  # came along
            assert len(queries) == len(found) // 10 + 1
            found.append((tariff.due_at, tariff.pk))
            tariff.due_at = NOW + timedelta(days=1)  # as asking does
    assert len(queries) == 5
    assert len(found) == 35
    assert found == sorted(found)


def test_during_a_long_outage_it_is_asked_every_minute_as_the_page_says(add, asked, clock):
    add("loc_1")
    asked.of = {"loc_1": DOWN}
    for minutes in range(1, 8):
        with pytest.raises(CommandError, match="1 tried, 1 failed"):
            run()
        assert Tariff.objects.get().due_at == timezone.now() + timedelta(minutes=1)
        clock(minutes=minutes)
    assert Tariff.objects.get().attempts == len(asked) == 7


def test_a_run_begins_by_chance_within_the_jitter(add, asked, passing):
    add("loc_1")
    assert run(jitter=60, concurrency=4) == "rates: 1 tried, 0 failed, 0 left\n"
    assert len(set(passing.waited)) == 4
    assert all(0 <= seconds <= 60 for seconds in passing.waited)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"jitter": -1}])
def test_an_option_that_makes_no_sense_is_refused(options):
    with pytest.raises(CommandError, match="1 or more"):
        run(**options)


# --- what goes wrong


def test_failures_are_counted_and_the_exit_status_is_not_zero(add, asked):
    add("loc_1", "loc_2", "loc_3")
    asked.of = {"loc_1": DOWN, "loc_2": refused("no_price_data")}
    with pytest.raises(CommandError, match=r"^rates: 3 tried, 2 failed, 0 left$") as error:
        run()
    assert error.value.returncode == 1


def test_an_unknown_time_zone_fails_no_run(add, asked):
    add("loc_1", "loc_2")
    Location.objects.filter(location_id="loc_2").update(time_zone="Mars/Olympus")
    assert run() == "rates: 2 tried, 0 failed, 0 left\n"
    assert asked == ["loc_1"]


def test_a_failure_that_another_run_met_is_not_counted_here(add, asked, monkeypatch):
    add("loc_1", rates="failing")
    monkeypatch.setattr("tariffs.rates.refresh.refresh", lambda tariff, now: False)
    assert run() == "rates: 0 tried, 0 failed, 1 left\n"


def test_one_tariff_that_breaks_does_not_keep_the_others(add, asked, caplog):
    add("loc_1", "loc_2", "loc_3")
    broken = Tariff.objects.get(location__location_id="loc_2")
    asked.of = {"loc_2": ZeroDivisionError("never heard of")}
    with pytest.raises(CommandError, match=r"^rates: 3 tried, 1 failed, 0 left$"):
        run(concurrency=1)
    assert f"rates: {broken.pk} could not be worked on" in caplog.text


def test_a_database_that_is_gone_ends_the_run(add, asked, monkeypatch):
    add("loc_1")

    def gone(queryset, now):
        raise ConnectionError("gone")
        yield

    monkeypatch.setattr(QueueQuerySet, "each_due", gone)
    with pytest.raises(ConnectionError):
        run()


def test_after_a_429_nothing_more_is_asked_for_until_flatpeak_allows_it(add, asked, passing):
    add(*[f"loc_{n}" for n in range(5)])
    moments = []

    def answer(start, end):
        moments.append(passing.seconds)
        if len(moments) == 2:
            raise refused("", 429, retry_after=20)
        return rates(start, end)

    asked.answer = answer
    with pytest.raises(CommandError, match=r"^rates: 5 tried, 1 failed, 0 left$"):
        run(concurrency=1)
    assert moments == [0, 0, 20, 20, 20]


def test_during_a_long_pause_a_worker_shows_every_minute_that_it_is_alive(add, asked, passing, monkeypatch):
    """It ends itself after ten minutes without a sign of life."""
    add("loc_1", "loc_2")
    asked.answer = refused("", 429, retry_after=200)
    monkeypatch.setattr(passing, "waited", [])
    with pytest.raises(CommandError):
        run(concurrency=1)
    assert passing.waited == [60, 60, 60, 20]


def test_after_a_429_for_the_last_tariff_nothing_is_waited_for(add, asked, passing):
    add("loc_1")
    asked.answer = refused("rate_limit", 429, 20)
    with pytest.raises(CommandError, match=r"^rates: 1 tried, 1 failed, 0 left$"):
        run(concurrency=2)
    assert passing.seconds == 0


@pytest.mark.parametrize(("retry_after", "answers"), [(3600, 1), (None, 6), (100, 4), (40, 8)])
def test_a_run_waits_for_five_minutes_in_all_and_what_is_left_stays_due(add, asked, passing, retry_after, answers):
    add(*[f"loc_{n}" for n in range(9)])
    asked.answer = refused("", 429, retry_after)
    with pytest.raises(CommandError, match=rf"^rates: {answers} tried, {answers} failed, {9 - answers} left$"):
        run(concurrency=1)
    assert len(asked) == answers
    assert Tariff.objects.filter(due_at__lte=NOW, rates="none").count() == 9 - answers
    refused_until = set(Tariff.objects.filter(last_result="rate_limit").values_list("due_at", flat=True))
    assert refused_until == {NOW + timedelta(seconds=max(retry_after or 60, 60))}
    asked.answer = rates
    assert run() == f"rates: {9 - answers} tried, 0 failed, 0 left\n"


def test_calls_that_were_under_way_at_a_429_lengthen_the_pause_and_add_none():
    work = Run(RATES, patience=300)
    for seconds in (100, 120, 50, 100):
        work.pause(seconds)
    assert work.patience == pytest.approx(300 - 120, abs=1)
    assert not work.stopped.is_set()
    work.pause(301)
    assert work.stopped.is_set()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("9" * 5000, 86400), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), (None, None)],
)
def test_flatpeaks_retry_after_is_read(settings, header, seconds):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(429)
            if header:
                self.send_header("Retry-After", header)
            self.end_headers()
            self.wfile.write(b'{"object": "error", "type": "rate_limit"}')

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    settings.FLATPEAK_API_URL = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(flatpeak.Rejected) as error:
        flatpeak.location("loc_1")
    server.shutdown()
    server.server_close()
    assert error.value.retry_after == seconds


def test_ctrl_c_lets_the_calls_end_and_the_rest_stays_due(add, asked, monkeypatch):
    add(*[f"loc_{n}" for n in range(5)])
    pressed, begun = threading.Event(), threading.Event()

    def answer(start, end):
        begun.set()
        assert pressed.wait(30)
        return rates(start, end)

    def press(threads):
        assert begun.wait(30)
        raise KeyboardInterrupt

    def make(queue, **options):
        made = Run(queue, **options)
        stop = made.stopped.set
        made.stopped.set = lambda: (stop(), pressed.set())
        return made

    monkeypatch.setattr(refresh_rates, "Run", make)
    monkeypatch.setattr(queues, "wait", press)
    asked.answer = answer
    with pytest.raises(CommandError, match=r"^rates: 1 tried, 0 failed, 4 left$"):
        run(concurrency=1)
    assert Tariff.objects.filter(rates="ok").count() == 1
    monkeypatch.undo()


def test_what_a_killed_run_did_not_finish_is_asked_for_by_a_later_one(add, asked, clock):
    add("loc_1", "loc_2")
    asked.of = {"loc_1": SystemExit()}  # the thread ends as in a kill: claimed, and no answer stored
    with pytest.raises(SystemExit):
        run(concurrency=1)
    asked.of = {}
    assert run().endswith(" 0 failed, 0 left\n")
    assert Tariff.objects.get(location__location_id="loc_2").rates == "ok"
    assert Tariff.objects.get(location__location_id="loc_1").rates == "none"
    clock(seconds=6 * flatpeak.total_timeout())
    assert run() == "rates: 1 tried, 0 failed, 0 left\n"
    assert Tariff.objects.get(location__location_id="loc_1").rates == "ok"


# --- what is shown


def test_a_terminal_has_a_bar(add, asked):
    add("loc_1", "loc_2")
    shown = run(out=Terminal())
    assert f"\r[{'#' * 30}] 2 of 2, 0 failed\nrates: 2 tried, 0 failed, 0 left\n" in shown


def test_a_bar_with_nothing_to_do_is_no_error(asked, clock):
    assert run(out=Terminal()).endswith("rates: 0 tried, 0 failed, 0 left\n")


def test_without_a_terminal_one_line_is_all(add, asked, caplog):
    add("loc_1")

    def pending(start, end):
        logging.getLogger("tariffs.flatpeak").info("noise")
        raise PENDING

    asked.answer = pending
    with caplog.at_level(logging.INFO):
        assert run() == "rates: 1 tried, 0 failed, 0 left\n"
    assert caplog.text == ""
    assert logging.getLogger("tariffs").isEnabledFor(logging.INFO)


# --- mails


def test_a_customer_is_told_once_that_the_rates_have_arrived(add, asked, clock, mailoutbox):
    tariff = add("loc_1", state="pending")
    asked.answer = PENDING
    run()
    assert mailoutbox == []
    asked.answer = rates
    clock(minutes=1)
    run()
    run()
    [mail] = mailoutbox
    assert mail.to == ["alice@example.com"]
    assert mail.subject == "Your electricity prices are here"
    assert f"\nhttp://localhost:8000/locations/{tariff.location_id}/\n" in mail.body
    assert "read your tariff with Example & Sons" in mail.body
    assert not Wait.objects.exists()


def test_a_customer_is_told_once_that_the_rates_have_not_arrived_after_48_hours(add, asked, clock, mailoutbox):
    tariff = add("loc_1", state="pending")
    asked.answer = PENDING
    run()
    clock(hours=10)
    Wait.wake(tariff, timezone.now())
    run()
    assert Wait.objects.get().due_at == NOW + timedelta(hours=48)
    clock(hours=47, minutes=59)
    run()
    assert mailoutbox == []
    clock(hours=48)
    run()
    clock(hours=100)
    Wait.wake(tariff, timezone.now())
    run()
    assert Wait.objects.get().due_at is None  # until the rates arrive
    [mail] = mailoutbox
    assert mail.to == ["alice@example.com"]
    assert mail.subject == "We couldn't read your tariff yet"
    assert f"\nhttp://localhost:8000/locations/{tariff.location_id}/\n" in mail.body
    asked.answer = rates
    clock(hours=101)
    run()
    assert [mail.subject for mail in mailoutbox[1:]] == ["Your electricity prices are here"]


def test_today_and_tomorrow_are_those_of_the_location(add):
    tariff = add("loc_1")
    tariff.location.time_zone = "Pacific/Kiritimati"
    today = (NOW + timedelta(hours=14)).date()
    found = [is_of_refresh(tariff, [today + timedelta(days=n)], NOW) for n in (-1, 0, 1, 2)]
    assert found == [False, True, True, False]


def test_a_tariff_that_became_pending_with_its_first_answer_is_waited_for(add, asked, clock, mailoutbox):
    add("loc_1")
    asked.answer = PENDING
    run()
    asked.answer = rates
    clock(minutes=1)
    run()
    assert len(mailoutbox) == 1


def test_a_wait_counts_from_its_first_answer_on_however_long_that_took(add, asked, clock, mailoutbox):
    add("loc_1")

    def slow(start, end):
        clock(seconds=2)
        raise PENDING

    asked.answer = slow
    run()
    asked.answer = rates
    clock(seconds=60)
    run()
    assert len(mailoutbox) == 1


def test_the_48_hours_begin_when_the_tariff_became_pending_not_when_it_was_first_asked_for(
    add, asked, clock, mailoutbox
):
    add("loc_1", state="pending")
    asked.answer = PENDING
    clock(hours=10)
    run()
    clock(hours=48)
    run()
    assert [mail.subject for mail in mailoutbox] == ["We couldn't read your tariff yet"]


def test_a_tariff_that_fails_while_it_is_waited_for_is_late_too(add, asked, clock, mailoutbox):
    add("loc_1", state="pending")
    asked.answer = PENDING
    run()
    Tariff.objects.update(state="failed")
    clock(hours=48)
    run()
    assert [mail.subject for mail in mailoutbox] == ["We couldn't read your tariff yet"]


def test_flatpeak_that_is_down_for_two_days_is_late_too(add, asked, clock, mailoutbox):
    add("loc_1", state="pending")
    asked.answer = DOWN
    for hours in (0, 48):
        clock(hours=hours)
        with pytest.raises(CommandError):
            run()
    assert [mail.subject for mail in mailoutbox] == ["We couldn't read your tariff yet"]


def test_a_tariff_that_was_connected_from_the_start_has_no_mail(add, asked, clock, mailoutbox):
    add("loc_1")
    add("loc_2", state="pending")  # saved as pending, but its rates are there when the customer looks
    run()
    asked.answer = DOWN
    clock(hours=49)
    with pytest.raises(CommandError):
        run()
    asked.answer = rates
    clock(hours=50)
    run()
    assert mailoutbox == []


def test_a_tariff_that_nobody_asked_for_while_it_was_pending_has_its_mail(add, asked, clock, mailoutbox):
    add("loc_1", state="pending")
    clock(minutes=10)
    run()
    assert len(mailoutbox) == 1


def test_rates_that_a_page_view_found_are_mailed_by_the_next_run(add, asked, clock, mailoutbox, client, alice):
    tariff = add("loc_1", state="pending")
    client.force_login(alice)
    asked.answer = PENDING
    client.get(f"/locations/{tariff.location_id}/")
    asked.answer = rates
    clock(minutes=2)
    client.get(f"/locations/{tariff.location_id}/")
    assert len(asked) == 2
    assert mailoutbox == []
    assert run() == "rates: 0 tried, 0 failed, 0 left; mails: 1 tried, 0 failed, 0 left\n"
    assert len(mailoutbox) == 1


def test_nothing_is_mailed_of_a_disconnected_tariff_in_another_account_or_to_a_closed_one(
    add, asked, clock, mailoutbox, alice
):
    add("loc_1", "loc_2", "loc_3", state="pending")
    asked.answer = PENDING
    run()
    Tariff.objects.filter(location__location_id="loc_1").update(state="disconnected")
    for rows in (
        Tariff.objects.filter(location__location_id="loc_2"),
        Wait.objects.filter(tariff__location__location_id="loc_2"),
    ):
        rows.update(account="acc_another")
    clock(hours=48)
    run()
    assert len(mailoutbox) == 1
    assert set(Wait.objects.values_list("tariff__location__location_id", flat=True)) == {"loc_2", "loc_3"}
    alice.is_active = False
    alice.save()
    asked.answer = rates
    clock(hours=49)
    run()
    assert len(mailoutbox) == 1


def waiting(add, asked, clock, *ids):
    add(*ids, state="pending")
    asked.answer = PENDING
    run()
    clock(hours=48)


@pytest.mark.parametrize("answer", [rates, PENDING], ids=["arrived", "late"])
def test_runs_at_once_send_each_mail_once(add, asked, clock, mailoutbox, monkeypatch, answer):
    waiting(add, asked, clock, *[f"loc_{n}" for n in range(5)])
    asked.answer = answer
    Run(RATES).work()
    gate = threading.Barrier(4)
    at_once(*[lambda: (gate.wait(), Run(MAILS).work())] * 4)
    assert len(mailoutbox) == 5
    assert len({mail.body for mail in mailoutbox}) == 5


@pytest.mark.parametrize("answer", [rates, PENDING], ids=["arrived", "late"])
def test_a_mail_that_was_listed_by_two_is_sent_by_the_one_who_claims_it(
    add, asked, clock, mailoutbox, monkeypatch, answer
):
    waiting(add, asked, clock, "loc_1")
    asked.answer = answer
    sent = EmailBackend.send_messages

    def meanwhile(self, messages):
        monkeypatch.setattr(EmailBackend, "send_messages", sent)
        Run(MAILS).work()  # another run, while the first is sending
        return sent(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", meanwhile)
    run()
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("answer", [rates, PENDING], ids=["arrived", "late"])
def test_a_mail_that_fails_is_sent_by_the_next_run(add, asked, clock, mailoutbox, monkeypatch, caplog, answer):
    waiting(add, asked, clock, "loc_1", "loc_2")
    asked.answer = answer
    sent, calls = EmailBackend.send_messages, []

    def fail_once(self, messages):
        calls.append(messages)
        if len(calls) == 1:
            raise OSError("alice@example.com refused")
        return sent(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", fail_once)
    with pytest.raises(CommandError, match=r"^rates: 2 tried, 0 failed, 0 left; mails: 2 tried, 1 failed, 0 left$"):
        run()
    assert len(mailoutbox) == 1
    assert "was not sent: OSError" in caplog.text
    assert "alice" not in caplog.text
    assert "Example Street" not in caplog.text
    run()
    assert len(mailoutbox) == 1
    clock(hours=48, minutes=1)
    run()
    run()
    assert len({mail.body for mail in mailoutbox}) == len(mailoutbox) == 2


def test_an_edit_while_a_run_reads_the_tariff_does_not_forget_that_a_mail_was_sent(add, asked, clock, mailoutbox):
    waiting(add, asked, clock, "loc_1")
    stale = Tariff.objects.get()
    run()
    stale.save()  # all columns, as `connected.complete` writes them
    run()
    assert len(mailoutbox) == 1


def test_rates_that_arrive_while_a_wait_is_looked_at_are_not_forgotten(add, asked, clock, mailoutbox, monkeypatch):
    tariff = add("loc_1", state="pending")
    asked.answer = PENDING
    run()
    Wait.objects.update(due_at=NOW)
    looks = notices._mail_for

    def meanwhile(wait, read, now):
        monkeypatch.setattr(notices, "_mail_for", looks)
        Tariff.objects.update(state="connected", rates="ok")
        Wait.wake(tariff, now)
        return looks(wait, read, now)

    monkeypatch.setattr(notices, "_mail_for", meanwhile)
    run()
    run()
    assert [mail.subject for mail in mailoutbox] == ["Your electricity prices are here"]


def test_a_second_wait_has_mails_of_its_own(add, asked, clock, mailoutbox):
    waiting(add, asked, clock, "loc_1")
    for hours, answer in ((48, rates), (100, PENDING), (148, PENDING), (149, rates)):
        asked.answer = answer
        clock(hours=hours)
        run()
    assert [mail.subject.split()[0] for mail in mailoutbox] == ["Your", "We", "Your"]


def test_from_the_sandboxs_pending_provider_to_the_mail(walk, later, mailoutbox):
    walk.to_providers().provider("Test: pending for 2 minutes").log_in_at_provider().act("SAVE")
    location = Location.objects.get()
    assert run() == "rates: 1 tried, 0 failed, 0 left\n"
    assert Tariff.objects.get().rates == "pending"
    later(minutes=3)
    assert run() == "rates: 1 tried, 0 failed, 0 left; mails: 1 tried, 0 failed, 0 left\n"
    [mail] = mailoutbox
    assert f"/locations/{location.pk}/" in mail.body
    assert walk.get(f"/locations/{location.pk}/").price
