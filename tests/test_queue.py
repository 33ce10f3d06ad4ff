"""The queues: when a row is due, who has it, when it is tried again, and the worker that runs all four."""

import os
import signal
import subprocess
import threading
import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connect_ui.models import ConnectSession
from flatpeak_app.operations import queues
from flatpeak_app.operations.management.commands import worker
from flatpeak_app.operations.queues import DELETIONS, EVENTS, EXCHANGES, MAILS, QUEUES, RATES, REMINDERS, WISHES, Run
from tariffs import flatpeak
from tariffs.models import Erasure, Event, Reminder, Tariff, Wait, Wish
from tariffs.queue import DAY, QUARTER, UNAVAILABLE, claim_end, pause_after
from tests import programs

pytestmark = pytest.mark.django_db

DOWN = flatpeak.Unavailable("DELETE /locations: no answer")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def erasure(monkeypatch):
    """A deletion that FlatPeak has still to make; `asked` counts the calls."""
    erasure = Erasure.objects.create(kind="location", flatpeak_id="loc_1")
    erasure.asked = []
    monkeypatch.setattr(flatpeak, "delete_location", erasure.asked.append)
    return erasure


# --- a conversation that was read before somebody else had it


def test_what_was_read_before_a_claim_neither_takes_it_nor_moves_it(walk):
    walk.start()
    ConnectSession.objects.update(due_at=timezone.now() - timedelta(hours=1))
    read, other = walk.session, walk.session
    assert other.claim()
    before = ConnectSession.objects.values().get()
    read.seen()
    assert ConnectSession.objects.values().get() == before
    other.release()
    assert not read.claim()  # what it read is not where the conversation stands


# --- the back-off


def test_the_pause_doubles_up_to_the_longest():
    assert [pause_after(n) // MINUTE for n in (0, 1, 2, 3, 4, 5, 6, 5000)] == [1, 1, 2, 4, 8, 15, 15, 15]
    assert [pause_after(n, longest=DAY) // MINUTE for n in (10, 11, 12, 5000)] == [512, 1024, 1440, 1440]
    assert [pause_after(n, timedelta(seconds=5)).seconds for n in (1, 2, 3, 9)] == [5, 10, 20, 900]
    assert (Tariff.longest_pause, Wait.longest_pause, ConnectSession.longest_pause) == (QUARTER,) * 3
    assert Erasure.longest_pause == DAY


@pytest.mark.parametrize(
    ("error", "pause", "result"),
    [
        (DOWN, 60, UNAVAILABLE),
        (flatpeak.Rejected("", 409, {"code": "conflict"}), 60, "conflict"),
        (flatpeak.Rejected("", 429, {}), 60, "429"),
        (flatpeak.Rejected("", 429, {}, 5), 60, "429"),
        (flatpeak.Rejected("", 429, {}, 600), 600, "429"),
    ],
)
def test_flatpeaks_retry_after_lengthens_the_pause(erasure, error, pause, result):
    now = timezone.now()
    erasure.claim()
    erasure.refused(error, now)
    assert erasure.due_at == now + timedelta(seconds=pause)
    assert erasure.last_result == result


def test_a_success_forgets_the_attempts(erasure):
    erasure.attempts = 7
    erasure.claim()
    assert erasure.attempts == 8
    erasure.succeeded()
    assert erasure.release()
    assert (Erasure.objects.get().attempts, Erasure.objects.get().due_at) == (0, None)


# --- a pass over a queue


def test_a_pass_that_was_stopped_begins_no_row(erasure):
    stopped = threading.Event()
    stopped.set()
    Run(DELETIONS, stopped).work()
    assert erasure.asked == []
    Run(DELETIONS).work()
    assert erasure.asked == ["loc_1"]


def test_the_last_part_of_a_pause_is_waited_for_too(erasure):
    run = Run(DELETIONS)
    run.pause(0.2)
    over = run.go_on_at
    run.work()
    assert time.monotonic() >= over
    assert erasure.asked == ["loc_1"]


# --- the claim


def test_of_two_who_claim_a_row_one_has_it(erasure):
    other = Erasure.objects.get()
    assert erasure.claim()
    assert not other.claim()
    assert not Erasure.objects.due(timezone.now()).exists()


def test_a_claim_that_is_over_passes_to_another_and_its_holder_writes_nothing(erasure, later):
    assert erasure.claim()
    later(seconds=(claim_end() - timezone.now()).total_seconds() + 1)
    other = Erasure.objects.due(timezone.now()).get()
    assert other.claim()
    erasure.succeeded()
    assert not erasure.release()
    assert Erasure.objects.get().due_at
    other.put_off("conflict", timezone.now())
    assert other.release()
    assert Erasure.objects.get().last_result == "conflict"


def test_what_becomes_of_a_row_is_written_into_no_other_that_was_claimed_at_the_same_moment(erasure, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    Erasure.objects.update(due_at=now)
    other = Erasure.objects.create(kind="location", flatpeak_id="loc_2", due_at=now)
    erasure.refresh_from_db()
    assert erasure.claim()
    other.refresh_from_db()
    assert other.due_at == now
    assert other.claim()
    erasure.succeeded(result="accepted")
    assert erasure.release()
    other.refresh_from_db()
    assert (other.attempts, other.last_result, other.claimed_until) == (1, "", claim_end())


def test_a_claim_of_a_row_with_nothing_to_do_does_not_make_it_due(erasure):
    Erasure.objects.update(due_at=None)
    erasure = Erasure.objects.get()
    assert erasure.claim()
    assert (Erasure.objects.get().due_at, Erasure.objects.get().attempts) == (None, 0)


def test_what_raises_is_put_off_and_keeps_nobody_waiting(erasure, monkeypatch, caplog, settings):
    second = Erasure.objects.create(kind="location", flatpeak_id="loc_2")

    def fail_once(flatpeak_id):
        if flatpeak_id == "loc_1":
            raise ZeroDivisionError

    monkeypatch.setattr(flatpeak, "delete_location", fail_once)
    run = Run(DELETIONS)
    run.work()
    assert str(run) == "deletions: 2 tried, 1 failed, 0 left"
    assert f"deletions: {erasure.pk} could not be worked on" in caplog.text
    [record] = [record for record in caplog.records if record.exc_info]
    assert (record.name, record.levelname) == ("flatpeak_app.operations.queues", "ERROR")
    assert settings.LOGGING["loggers"]["flatpeak_app.operations"]["handlers"] == ["mail_admins"]
    failed = Erasure.objects.get(pk=erasure.pk)
    assert (failed.last_result, failed.claimed_until, failed.attempts) == ("ZeroDivisionError", None, 1)
    assert Erasure.objects.get(pk=second.pk).done_at


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_what_is_due_is_found_by_an_index(queue):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # which reads a table of a few rows whole
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = queue.rows.due(timezone.now()).explain()
    assert f"{queue.rows.model._meta.model_name}_due" in plan
    assert "TEMP B-TREE" not in plan


# --- the worker


def stop_after(monkeypatch, passes):
    """The worker has been told to stop after so many passes; it does not wait between them."""
    stopped = threading.Event()
    stopped.wait = lambda seconds: stopped.set() if seconds == worker.IDLE and next(left) == passes else None
    left = iter(range(1, 100))
    return stopped


def test_a_worker_goes_on_when_a_pass_fails_and_says_so(monkeypatch, caplog):
    class Failing:
        def __init__(self, queue, stopped):
            self.queue = queue
            self.tried = 0

        def in_threads(self, number):
            raise ConnectionError("gone")

    monkeypatch.setattr(worker, "Run", Failing)
    monkeypatch.setattr(worker, "connection", type("", (), {"close": lambda self: None})())
    worker.work_on(RATES, stop_after(monkeypatch, 3), 1)
    assert caplog.text.count("worker: rates could not be worked on") == 3


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_ask_once_for_each(monkeypatch):
    asked, lock = [], threading.Lock()

    def ask(flatpeak_id):
        with lock:
            asked.append(flatpeak_id)

    monkeypatch.setattr(flatpeak, "delete_location", ask)
    Erasure.objects.bulk_create(
        Erasure(kind="location", flatpeak_id=f"loc_{n}", account="sandbox", due_at=timezone.now()) for n in range(30)
    )
    runs = [Run(DELETIONS) for _ in range(3)]
    threads = [threading.Thread(target=run.in_threads, args=[2]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == sorted({f"loc_{n}" for n in range(30)})
    assert sum(run.tried for run in runs) == 30
    assert not Erasure.objects.filter(done_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_the_worker_works_on_every_queue_until_it_is_stopped(walk, later, monkeypatch, mailoutbox, caplog):
    """One row of each kind: an exchange that is owed, a deletion, due rates, a customer who waits, a wish, an event."""
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
    Erasure.objects.create(kind="location", flatpeak_id="loc_1")
    Event.objects.create(event_id="evt_1", type="location.update", location_id="loc_1", told_at=timezone.now())
    later(minutes=2)
    caplog.set_level("INFO")
    stopped, pool = threading.Event(), []
    for queue in (EXCHANGES, DELETIONS, EVENTS):
        pool.append(threading.Thread(target=worker.work_on, args=[queue, stopped, 1]))
    monkeypatch.setattr(worker, "IDLE", 0.05)
    for thread in pool:
        thread.start()
    wait_until(lambda: walk.session.state == "connected" and not Erasure.objects.filter(done_at=None).exists())
    tariff = Tariff.objects.get()
    Tariff.objects.update(state="pending", state_since=timezone.now() - MINUTE)
    Wait.begin(tariff, timezone.now())
    for queue in (RATES, MAILS):
        pool.append(threading.Thread(target=worker.work_on, args=[queue, stopped, 1]))
        pool[-1].start()
    wait_until(lambda: mailoutbox and not Wait.objects.exists())
    Wish.objects.create(tariff=tariff, kind="above", limit=1)  # now, because rates that arrive make it due again
    Reminder.objects.create(tariff=tariff, kind="login", about="1")
    for queue in (WISHES, REMINDERS):
        pool.append(threading.Thread(target=worker.work_on, args=[queue, stopped, 1]))
        pool[-1].start()
    wait_until(lambda: all(f"worker: {queue.name}" in caplog.text for queue in (WISHES, REMINDERS)))
    stopped.set()
    for thread in pool:
        thread.join()
    assert Tariff.objects.get().rates == "ok"
    for queue in QUEUES:
        assert f"worker: {queue.name}: 1 tried, 0 failed, 0 left" in caplog.text
    assert "alice" not in caplog.text.replace("alice@example.com signed in", "")


def wait_until(ready, seconds=60):
    end = timezone.now() + timedelta(seconds=seconds)
    while not ready():
        assert timezone.now() < end
        threading.Event().wait(0.02)


def test_a_worker_stops_cleanly_when_it_is_told_to(tmp_path):
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/db", "VAR_DIR": tmp_path}
    assert programs.run(programs.PYTHON, "manage.py", "migrate", **settings).returncode == 0
    process = subprocess.Popen(
        [programs.PYTHON, "manage.py", "worker"],
        cwd=programs.ROOT,
        env=programs.environment(**settings),
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "worker: started" in process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "worker: stopped" in said


# --- try again


@pytest.fixture
def put_off(erasure):
    """Deletions: one that waits for its next attempt, one that is claimed, and one that is done."""
    later = timezone.now() + timedelta(hours=5)
    Erasure.objects.update(due_at=later, attempts=9, requested_at=timezone.now() - 2 * DAY, last_result="conflict")
    claimed = Erasure.objects.create(kind="location", flatpeak_id="loc_2", requested_at=timezone.now() - 2 * DAY)
    claimed.claim()
    Erasure.objects.create(kind="location", flatpeak_id="loc_3", due_at=None, done_at=later)
    return erasure


def due_now():
    return set(Erasure.objects.due(timezone.now()).values_list("flatpeak_id", "attempts"))


def test_what_waits_is_tried_again_and_what_is_claimed_or_done_is_not(put_off):
    assert Erasure.objects.try_again() == 1
    assert due_now() == {("loc_1", 0)}


PLACES = [
    (reverse("admin:connect_ui_attention"), {"again": "erasure"}),
    (reverse("admin:tariffs_erasure_changelist"), {"action": "try_again"}),
]


@pytest.mark.parametrize(("path", "data"), PLACES)
def test_staff_have_it_tried_again(client, charlie, put_off, path, data):
    client.force_login(charlie)
    response = client.post(path, data | {"_selected_action": [put_off.pk]}, follow=True)
    assert "1 is due now." in response.content.decode()
    assert due_now() == {("loc_1", 0)}


@pytest.mark.parametrize(("path", "data"), PLACES)
def test_staff_who_may_only_look_do_not(client, charlie, put_off, path, data, django_user_model):
    django_user_model.objects.filter(pk=charlie.pk).update(is_superuser=False)
    names = ["view_erasure", "view_event", "view_wrongprice", "view_tariff", "view_connectsession"]
    charlie.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(charlie)
    client.post(path, data | {"_selected_action": [put_off.pk]}, follow=True)
    assert due_now() == set()
    charlie.user_permissions.add(Permission.objects.get(codename="change_erasure"))
    client.post(path, data | {"_selected_action": [put_off.pk]}, follow=True)
    assert due_now() == {("loc_1", 0)}


@pytest.mark.parametrize(("path", "data"), PLACES)
def test_nothing_is_tried_again_without_the_forms_token(charlie, put_off, path, data):
    client = Client(enforce_csrf_checks=True)
    client.force_login(charlie)
    assert client.post(path, data | {"_selected_action": [put_off.pk]}).status_code == 403
    assert due_now() == set()


def test_every_queue_can_be_tried_again_where_staff_look(client, charlie, walk, monkeypatch):
    with monkeypatch.context() as down:
        down.setattr(flatpeak, "exchange", lambda *told: (_ for _ in ()).throw(DOWN))
        walk.fixed()
    owed = ConnectSession.objects.get()
    assert owed.due_at > timezone.now()
    owed.pages.update(shown_at=timezone.now() - DAY)
    client.force_login(charlie)
    shown = client.get(reverse("admin:connect_ui_attention")).content.decode()
    assert 'name="again" value="connectsession"' in shown
    client.post(reverse("admin:connect_ui_attention"), {"again": "connectsession"})
    run = Run(EXCHANGES)
    run.work()
    assert (run.tried, run.failed, ConnectSession.objects.get().state) == (1, 0, "connected")
    assert queues.QUEUES == (EXCHANGES, DELETIONS, RATES, MAILS, WISHES, REMINDERS, EVENTS)
