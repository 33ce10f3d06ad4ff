"""What Prometheus reads: of all workers of a gunicorn, of the database, and nothing that grows without bound."""

import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import DatabaseError
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from connect_ui.models import ConnectSession
from flatpeak_app.operations import probes
from flatpeak_app.operations.models import JobRun
from tariffs import flatpeak
from tariffs.flatpeak import http
from tariffs.models import Erasure, Location, Tariff
from tests.programs import ROOT, Program, free_port, get

pytestmark = pytest.mark.django_db

TOKEN = "a-metrics-token-of-forty-characters-or-so"
State = ConnectSession.State


def samples(text):
    """{(name, labels in the order of their names): value}"""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped():
    return samples(probes.exposition().decode())


@pytest.fixture
def counted():
    """How much a counter has grown since the test began, by its name and labels."""
    before = scraped()
    return lambda *name: scraped().get(name, 0) - before.get(name, 0)


# --- requests and calls


def test_requests_are_counted_by_view_and_status(client, counted):
    for path in ("/", "/offline/", "/offline/", "/nowhere/1/", "/nowhere/2/", "/static/none.css"):
        client.get(path)
    seen = "http_request_duration_seconds_count"
    assert [counted(seen, "200", "home"), counted(seen, "200", "offline")] == [1, 2]
    assert [counted(seen, "404", "other"), counted(seen, "404", "static")] == [2, 1]
    assert counted("http_request_duration_seconds_sum", "200", "home") > 0


def test_calls_are_counted_by_outcome_and_without_ids(walk, sandbox, counted):
    walk.fixed()
    location = Location.objects.get()
    with sandbox.lock:
        sandbox.set_faults([{"call": "*", "fault": "status_500"}])
    for hostile in (location.location_id, "no-underscore", "../../x"):
        with pytest.raises(flatpeak.FlatPeakError):
            flatpeak.location_status(hostile)
    seen = "flatpeak_call_duration_seconds_count"
    assert counted(seen, "POST /connect/tariff/token", "ok") == 1
    assert counted(seen, "Connect", "ok") >= 8
    assert counted(seen, "GET /locations/status", "unusable") == 1
    assert counted(seen, "GET /locations/status", "rejected") == 2


def test_names_in_labels_are_of_a_known_number(walk, client):
    walk.fixed()
    for _ in range(3):
        client.get(f"/locations/{Location.objects.get().pk}/rates.csv")
    text = probes.exposition().decode()
    assert str(Location.objects.get().pk) not in text
    assert Location.objects.get().location_id not in text
    calls = {name[1] for name in scraped() if name[0] == "flatpeak_call_duration_seconds_count"}
    assert all(re.fullmatch(r"Connect|(GET|POST|DELETE) [a-z./]+", call) for call in calls), calls


# --- the database


def begun(alice, token, **facts):
    session = ConnectSession(user=alice, direction="IMPORT", expires_at=timezone.now(), **facts)
    session.connect_token = token
    session.save()
    return session


def test_sessions_are_told_by_state_and_by_where_they_stand(alice):
    begun(alice, "1", state=State.OPEN, last_route="provider")
    begun(alice, "2", state=State.OPEN, last_route="provider")
    begun(alice, "3", state=State.OPEN, last_route="cot_1 Example Street")
    begun(alice, "4", state=State.OPEN, last_route="another")
    begun(alice, "5", state=State.EXPIRED)
    begun(alice, "6", state=State.CONNECTED, last_route="end")
    begun(alice, "7", state=State.OWED, last_route="end")
    old = begun(alice, "8", state=State.OPEN, last_route="provider")
    ConnectSession.objects.filter(pk=old.pk).update(started_at=timezone.now() - timedelta(hours=25))
    elsewhere = begun(alice, "9", state=State.OWED, last_route="end", account="another")
    found = scraped()
    assert {name: value for name, value in found.items() if name[0] == "connect_sessions"} == {
        ("connect_sessions", "provider", "open"): 2,
        ("connect_sessions", "other", "open"): 2,
        ("connect_sessions", "none", "expired"): 1,
        ("connect_sessions", "end", "connected"): 1,
        ("connect_sessions", "end", "owed"): 1,
    }
    assert found[("connect_exchanges_owed",)] == 1
    elsewhere.delete()


def test_what_is_owed_and_stale_is_counted(walk):
    walk.fixed()
    now, tariff = timezone.now(), Tariff.objects.get()
    Erasure.objects.create(kind="location", flatpeak_id="loc_1", account=tariff.account)
    Erasure.objects.create(kind="location", flatpeak_id="loc_2", account=tariff.account, done_at=now)
    for type, elsewhere in (("COMMODITY", {"account": "another"}), ("NON_COMMODITY", {"live_mode": True})):
        where = {"account": tariff.account} | elsewhere
        Erasure.objects.create(kind="location", flatpeak_id="loc_3", **where)
        Tariff.objects.create(location=tariff.location, direction="EXPORT", type=type, **where)

    def stale(**facts):
        Tariff.objects.update(**{"due_at": now, "rates": "ok", "rates_since": now, "state": "connected"} | facts)
        found = scraped()
        assert found[("erasures_owed",)] == 1
        return [found[("tariff_rates_stale", reason)] for reason in ("overdue", "failing")]

    failing = {"rates": "failing", "rates_since": now - timedelta(hours=2), "last_result": "unavailable"}
    assert stale() == [0, 0]
    assert stale(due_at=now - timedelta(minutes=11)) == [1, 0]
    assert stale(**failing) == [0, 1]
    assert stale(**failing | {"rates": "ok"}) == [0, 0]
    assert stale(**failing | {"last_result": "no_tariff_connected"}) == [0, 0]  # it has none, and that is known
    assert stale(**failing | {"rates_since": now - timedelta(minutes=50)}) == [0, 0]
    assert stale(**failing, state="disconnected") == [0, 0]


def test_a_scrape_is_seven_queries_however_much_there_is(alice, walk, django_assert_num_queries):
    probes.migrations()  # asked once
    with django_assert_num_queries(7):
        probes.exposition()
    walk.fixed()
    for number in range(20):
        begun(alice, str(number), state=State.OPEN, last_route=f"route {number}")
    with django_assert_num_queries(7):
        probes.exposition()


def test_without_the_database_what_was_counted_is_still_told(client, monkeypatch, caplog):
    def gone(*_):
        raise DatabaseError("the address of a server")

    client.get("/")  # maybe the first in this process
    caplog.clear()
    monkeypatch.setattr(probes, "sessions", gone)
    found = {name for name, *_ in scraped()}
    assert "http_request_duration_seconds_count" in found
    assert "flatpeak_breaker_open" in found
    assert "connect_exchanges_owed" not in found
    assert caplog.messages == ["metrics without the database (DatabaseError)"]


def test_a_host_that_does_not_answer_is_told(settings):
    settings.FLATPEAK_CONNECT_URL = "http://127.0.0.1:1"
    assert [scraped()[("flatpeak_breaker_open", host)] for host in ("api", "connect")] == [0, 0]
    cache.set("flatpeak-silent:127.0.0.1:1", http.FAILURES)
    assert [scraped()[("flatpeak_breaker_open", host)] for host in ("api", "connect")] == [0, 1]


# --- several workers


def children(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.once
def test_a_scrape_adds_up_the_workers_of_its_own_gunicorn_and_of_no_other(image, tmp_path):
    """Two gunicorns of two workers; one worker of the first dies, and what it counted is still told."""
    settings = {
        "VAR_DIR": tmp_path,
        "METRICS_TOKEN": TOKEN,
        "WEB_CONCURRENCY": 2,
        "CACHE_URL": f"filecache://{tmp_path}/cache",
        "TMPDIR": tmp_path,
    }
    shutil.copytree(image, tmp_path, dirs_exist_ok=True)
    ports = [free_port(), free_port()]

    def seen(port):
        answer = get(port, "/metrics", Authorization=f"Bearer {TOKEN}")
        assert answer.status_code == 200
        return samples(answer.text).get(("http_request_duration_seconds_count", "200", "offline"), 0)

    def ask(port):
        assert get(port, "/offline/").status_code == 200  # each time on a new connection, which either worker may take

    command = (sys.executable, "-m", "gunicorn", "flatpeak_app.wsgi", "--bind")
    with ExitStack() as stack:
        first, other = [stack.enter_context(Program(*command, f"127.0.0.1:{port}", **settings)) for port in ports]
        first.wait_for_page(ports[0], "/healthz")
        other.wait_for_page(ports[1], "/healthz")
        first.wait_until(lambda: len(children(first.process.pid)) == 2)
        assert len(list(tmp_path.glob("flatpeak-metrics-*"))) == 2
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, ports[:1] * 60))

        def both_have_counted():  # in a file each
            ask(ports[0])
            return len(list(tmp_path.glob("flatpeak-metrics-*/histogram_*.db"))) == 2

        first.wait_until(both_have_counted)
        before = seen(ports[0])
        assert before >= 60
        assert [seen(ports[0]) for _ in range(8)] == [before] * 8
        assert seen(ports[1]) == 0
        os.kill(children(first.process.pid)[0], 9)
        first.wait_until(lambda: len(children(first.process.pid)) == 2)
        ask(ports[0])
        assert seen(ports[0]) == before + 1
    assert list(tmp_path.glob("flatpeak-metrics-*")) == []


def test_the_docs_have_every_metric_and_its_labels(walk, alice):
    walk.fixed()
    JobRun.succeeded("worker")
    table = (ROOT / "docs" / "operations.md").read_text().partition("| metric |")[2].partition("\n\n")[0]
    told = {
        name: set(filter(None, labels.split(",")))
        for name, labels in re.findall(r"^\| `(\w+)(?:\{(.*?)\})?`", table, re.M)
    }
    found = {}
    for family in text_string_to_metric_families(probes.exposition().decode()):
        # This process is no gunicorn's, so it has some more.
        if not family.name.startswith(("python_", "process_")) and not family.name.endswith("_created"):
            found[family.name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert told == found
