"""What probers and Prometheus ask, who know no host name of ours and speak plain http."""

import json
import socket

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from flatpeak_app.operations import probes
from flatpeak_app.web.cache import ForgivingRedisCache
from tariffs.flatpeak import http

pytestmark = pytest.mark.django_db

WELL = {"database": "ok", "cache": "ok", "migrations": "ok", "flatpeak": "ok"}
TOKEN = "a metrics token of forty characters or so"


@pytest.fixture(autouse=True)
def just_started(settings):
    """A process that does not know yet whether all migrations are applied, and hosts as in production."""
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["example.com"], True
    probes.migrations.cache_clear()
    yield
    probes.migrations.cache_clear()


def ready(client):
    response = client.get("/readyz", headers={"host": "10.0.0.7:8000"})
    return response.status_code, json.loads(response.content)


def test_health_is_of_the_process_and_needs_no_database_and_no_cache(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_it_is_ready_with_database_cache_and_migrations(client, django_assert_num_queries):
    assert ready(client) == (200, WELL)
    with django_assert_num_queries(1):  # what is applied once stays so
        assert ready(client) == (200, WELL)


def test_without_the_database_it_is_not_ready_and_says_no_more(client, monkeypatch, caplog):
    def gone(*_):
        raise OperationalError("connection to 10.0.0.9 failed: password of user postgres")

    monkeypatch.setattr(connection, "cursor", gone)
    assert ready(client) == (503, WELL | {"database": "failed", "migrations": "unknown"})
    assert caplog.messages == ["not ready: database (OperationalError)"]


@pytest.mark.parametrize("answers", [False, True], ids=["gone", "hanging"])
def test_without_redis_it_is_not_ready_though_pages_work(client, monkeypatch, answers):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if answers:
            other.listen()
        address = f"redis://127.0.0.1:{other.getsockname()[1]}/0"
        monkeypatch.setattr(probes, "cache", ForgivingRedisCache(address, {"OPTIONS": {"socket_timeout": 0.05}}))
        assert ready(client) == (503, WELL | {"cache": "failed", "flatpeak": "unknown"})
    monkeypatch.setattr(probes, "cache", cache)
    assert ready(client) == (200, WELL)


def test_with_a_migration_missing_it_is_not_ready_until_it_is_applied(client):
    rows = MigrationRecorder.Migration.objects
    missing = rows.filter(app="tariffs").order_by("pk").last()
    missing.delete()
    assert ready(client) == (503, WELL | {"migrations": "failed"})
    rows.create(app=missing.app, name=missing.name)
    assert ready(client) == (200, WELL)


def test_a_silent_flatpeak_is_told_and_does_not_count(client, settings):
    cache.set(f"flatpeak-silent:{settings.FLATPEAK_CONNECT_URL.removeprefix('http://')}", http.FAILURES)
    assert ready(client) == (200, WELL | {"flatpeak": "silent"})


# --- who may read the metrics


def metrics(client, **headers):
    return client.get("/metrics", headers={"host": "10.0.0.7:8000"} | headers)


def test_without_a_token_in_the_settings_there_are_no_metrics(client, settings):
    settings.SECURE_SSL_REDIRECT = False
    for given in ("", "Bearer ", "Bearer None"):
        assert client.get("/metrics", headers={"host": "example.com", "authorization": given}).status_code == 404


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ü"]
)
def test_metrics_are_refused_without_the_token(client, settings, given):
    settings.METRICS_TOKEN = TOKEN
    response = metrics(client, authorization=given)
    assert (response.status_code, response.content) == (401, b"")
    assert response["WWW-Authenticate"] == "Bearer"


def test_metrics_are_given_for_the_token(client, settings):
    settings.METRICS_TOKEN = TOKEN
    response = metrics(client, authorization=f"Bearer {TOKEN}")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE http_request_duration_seconds histogram" in response.content
    other = client.get("/nowhere/", headers={"host": "example.com", "authorization": f"Bearer {TOKEN}"}, secure=True)
    assert other.status_code == 404
