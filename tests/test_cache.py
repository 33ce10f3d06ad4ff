"""The shared cache, and pages without it."""

import json
import os
import pickle
import socket

import pytest
from django.core.cache import cache

import flatpeak_app.settings as product
from flatpeak_app.web.cache import JSON, Client, ForgivingRedisCache


@pytest.fixture
def gone():
    """A Redis on a port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield ForgivingRedisCache(f"redis://127.0.0.1:{closed.getsockname()[1]}/0", {})


@pytest.fixture
def hanging():
    """A Redis that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield ForgivingRedisCache(
            f"redis://127.0.0.1:{server.getsockname()[1]}/0", {"OPTIONS": {"socket_timeout": 0.05}}
        )


@pytest.mark.parametrize("state", ["gone", "hanging"])
def test_without_redis_a_process_keeps_by_itself_what_is_kept(state, request):
    kept = request.getfixturevalue(state)
    kept.set("a", 1, 60)
    kept.set_many({"b": 2}, 60)
    assert kept.get("a", "nothing") == 1
    assert kept.get("c", "nothing") == "nothing"
    assert kept.get_many(["a", "b"]) == {"a": 1, "b": 2}
    assert (kept.add("a", 1, 60), kept.add("c", 1, 60)) == (False, True)
    assert (kept.has_key("a"), kept.touch("a"), kept.incr("a"), kept.delete("a")) == (True, True, 2, True)
    with pytest.raises(ValueError, match="not found"):
        kept.incr("a")
    kept.delete_many(["b"])
    assert kept.get("b") is None
    kept.clear()
    assert kept.get("c") is None


def test_a_redis_that_hangs_is_waited_for_once_and_asked_again_after_a_pause(hanging, caplog, monkeypatch):
    for n in range(10):
        hanging.set("a", n, 60)
    assert len(caplog.messages) == 1
    monkeypatch.setitem(Client.down_until, hanging._cache.name, 0)
    hanging.get("a")
    assert len(caplog.messages) == 2


def test_no_redis_is_waited_for_longer_than_a_second_unless_the_settings_say_so():
    options = {"OPTIONS": {"socket_timeout": 3}}
    for params, seconds in (({}, (1, 1)), (options, (3, 1))):
        pool = ForgivingRedisCache("redis://127.0.0.1:1/0", params)._cache.get_client().connection_pool
        asked = pool.connection_kwargs
        assert (asked["socket_timeout"], asked["socket_connect_timeout"]) == seconds


@pytest.mark.django_db
def test_without_redis_our_limits_and_allauths_are_counted_by_the_process(gone, walk, settings, monkeypatch):
    settings.RATE_LIMITS, settings.ACCOUNT_RATE_LIMITS = product.RATE_LIMITS, {}
    monkeypatch.setattr("flatpeak_app.web.limits.cache", gone)
    monkeypatch.setattr("allauth.core.internal.ratelimit.cache", gone)
    page = walk.start().path
    answers = [walk.client.post(page, {}).status_code for _ in range(62)]
    assert answers == [422] * 60 + [429] * 2
    walk.client.logout()
    wrong = {"login": "alice@example.com", "password": "wrong"}
    assert [walk.client.post("/account/login/", wrong).status_code for _ in range(6)] == [200] * 5 + [429]


def test_it_is_said_in_the_log(gone, caplog):
    gone.get("a")
    assert caplog.messages == ["the cache is gone (ConnectionError)"]


@pytest.mark.django_db
def test_a_customer_connects_a_tariff_and_reads_its_rates_without_the_cache(gone, walk, monkeypatch):
    monkeypatch.setattr("tariffs.flatpeak.bearer.cache", gone)
    monkeypatch.setattr("tariffs.flatpeak.http.cache", gone)
    monkeypatch.setattr("tariffs.rates.days.cache", gone)
    walk.fixed().get(f"/locations/{walk.session.location_id}/")
    assert walk.price == "28.15p"


@pytest.mark.skipif("CACHE_URL" not in os.environ, reason="needs a Redis (CACHE_URL)")
def test_the_redis_of_the_settings_is_the_forgiving_one_and_works():
    cache.set("a", 1, 60)
    assert cache.incr("a") == 2
    assert cache.incr("a", 3) == 5
    with pytest.raises(ValueError, match="not found"):
        cache.incr("nothing of this name")
    assert cache.get("nothing of this name") is None
    assert type(cache._connections[cache._alias]).__name__ == "ForgivingRedisCache"


@pytest.mark.skipif("CACHE_URL" not in os.environ, reason="needs a Redis (CACHE_URL)")
def test_commands_share_a_client(monkeypatch):
    cache.set("a", 1, 60)
    monkeypatch.setattr(cache._cache, "_client", None)  # what makes one
    assert cache.get("a") == 1
    assert cache.incr("a") == 2


@pytest.mark.parametrize("kept", [7, -1, True, None, "", "7", "é", 1.5, [1.5, "a"], {"a": [None, False]}])
def test_what_redis_holds_is_json_and_comes_back_as_it_was(kept):
    held = JSON().dumps(kept)
    assert json.loads(str(held)) == kept
    back = JSON().loads(str(held).encode())
    assert (back, type(back)) == (kept, type(kept))


def test_a_pickle_in_redis_is_not_read(gone):
    assert type(gone._cache._serializer) is JSON
    with pytest.raises(UnicodeDecodeError):
        gone._cache._serializer.loads(pickle.dumps("a"))
