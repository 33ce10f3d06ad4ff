"""Jobs say what they did in the log, and tell the metrics when they last succeeded; a worker that hangs ends itself."""

import logging
import os
import time

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from flatpeak_app.operations import probes, queues
from flatpeak_app.operations.management.commands import daily, worker
from flatpeak_app.operations.models import JobRun

pytestmark = pytest.mark.django_db


def test_the_daily_jobs_are_a_line_in_the_log_each_and_a_time_in_the_metrics(caplog):
    caplog.set_level(logging.INFO)
    before = timezone.now().timestamp()
    call_command("daily")
    assert caplog.messages == ["purge_sessions: 0 closed, 0 pages deleted", "clearsessions: done"]
    lines = probes.exposition().decode().splitlines()
    for name in daily.JOBS:
        [value] = [
            each.split()[1]
            for each in lines
            if each.startswith(f'job_last_success_timestamp_seconds{{job_name="{name}"')
        ]
        assert float(value) >= before


def test_a_job_that_fails_keeps_the_other_from_nothing_and_its_earlier_time(caplog, monkeypatch):
    call_command("daily")
    [before] = JobRun.objects.filter(name="purge_sessions")
    monkeypatch.setattr("flatpeak_app.operations.management.commands.purge_sessions.rank_providers", lambda: 1 / 0)
    JobRun.objects.filter(name="clearsessions").delete()
    with pytest.raises(CommandError, match=r"purge_sessions failed\. The log says why\."):
        call_command("daily")
    assert JobRun.objects.get(name="purge_sessions").succeeded_at == before.succeeded_at
    assert JobRun.objects.filter(name="clearsessions").exists()
    [error] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert error.getMessage() == "purge_sessions: failed"


def test_a_worker_whose_queue_hangs_ends_itself(caplog, monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(queues, "looked_at", {"rates": time.monotonic()})
    monkeypatch.setattr(worker, "looked_at", queues.looked_at)
    queues.Run(queues.MAILS).next()
    worker.end_if_stuck()
    assert ended == []
    queues.looked_at["rates"] -= worker.STUCK + 1
    worker.end_if_stuck()
    assert ended == [1]
    assert caplog.messages == ["worker: nobody has looked at rates for 600 seconds, so this worker ends"]


def test_errors_are_counted_from_zero_so_that_the_first_one_can_be_seen(client, monkeypatch):
    def errors():
        [line] = [each for each in probes.exposition().decode().splitlines() if each.startswith("http_errors_total ")]
        return float(line.split()[1])

    before = errors()
    client.raise_request_exception = False
    monkeypatch.setattr("flatpeak_app.views.home", lambda request: 1 / 0)
    client.get("/account/login/")
    assert errors() == before
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", lambda self: 1 / 0)
    client.cookies["session"] = client.cookies["sessionid"] = "x" * 32
    assert client.get("/locations/").status_code == 500
    assert errors() == before + 1


def test_the_metrics_tell_what_is_not_ready(monkeypatch):
    assert 'ready{check="database"} 1.0' in probes.exposition().decode()
    monkeypatch.setattr(probes, "database", lambda: 1 / 0)
    text = probes.exposition().decode()
    for line in ('ready{check="database"} 0.0', 'ready{check="cache"} 1.0', 'ready{check="migrations"} 0.0'):
        assert line in text
