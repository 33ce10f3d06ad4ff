"""The cache that workers share, and pages without it."""

import os
import socket

import pytest
from django.core.cache import cache

from flatpeak_app.cache import ForgivingRedisCache
from tariffs import flatpeak


@pytest.fixture
def gone():
    """A Redis at a port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield ForgivingRedisCache(f"redis://127.0.0.1:{closed.getsockname()[1]}/0", {})


@pytest.fixture
def hanging():
    """A Redis that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield ForgivingRedisCache(
            f"redis://127.0.0.1:{server.getsockname()[1]}/0", {"OPTIONS": {"socket_timeout": 0.05}}
        )


@pytest.mark.parametrize("state", ["gone", "hanging"])
def test_without_redis_nothing_is_kept_and_nothing_fails(state, request):
    kept = request.getfixturevalue(state)
    kept.set("a", 1, 60)
    kept.set_many({"a": 1}, 60)
    assert kept.get("a", "nothing") == "nothing"
    assert kept.get_many(["a"]) == {}
    assert kept.add("a", 1, 60) is True
    assert (kept.has_key("a"), kept.delete("a"), kept.touch("a")) == (False, False, False)
    with pytest.raises(ValueError, match="gone"):
        kept.incr("a")
    kept.delete_many(["a"])
    kept.clear()


def test_it_is_said_in_the_log(gone, caplog):
    gone.get("a")
    assert caplog.messages == ["the cache is gone (ConnectionError)"]


@pytest.mark.django_db
def test_a_customer_connects_a_tariff_and_reads_its_rates_without_the_cache(gone, walk, monkeypatch):
    monkeypatch.setattr(flatpeak, "cache", gone)
    monkeypatch.setattr("tariffs.history.cache", gone)
    walk.fixed().get(f"/locations/{walk.session.location_id}/")
    assert walk.price == "28.15p"


@pytest.mark.skipif("CACHE_URL" not in os.environ, reason="needs a Redis (CACHE_URL)")
def test_the_redis_of_the_settings_is_the_forgiving_one_and_works():
    cache.set("a", 1, 60)
    assert cache.incr("a") == 2
    assert type(cache._connections[cache._alias]).__name__ == "ForgivingRedisCache"


@pytest.mark.skipif("CACHE_URL" not in os.environ, reason="needs a Redis (CACHE_URL)")
def test_commands_share_a_client(monkeypatch):
    cache.set("a", 1, 60)
    monkeypatch.setattr(cache._cache, "_client", None)  # what makes one
    assert cache.get("a") == 1
    assert cache.incr("a") == 2
