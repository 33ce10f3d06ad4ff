"""Redis as a cache that may be gone: what was kept there is missing then, and limits are off, but every page works."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def _without_redis(name: str, instead: Callable[..., Any]) -> Callable[..., Any]:
    with_redis = getattr(RedisCacheClient, name)

    def call(self: RedisCacheClient, *options: Any, **more: Any) -> Any:
        try:
            return with_redis(self, *options, **more)
        except RedisError as error:
            logger.warning("the cache is gone (%s)", type(error).__name__)
            return instead(*options, **more)

    return call


def _no_such_key(key: str, delta: int) -> int:
    raise ValueError("the cache is gone")  # as of a key that has expired


class Client(RedisCacheClient):
    add = _without_redis("add", lambda *_: True)  # a claim that nobody else can hold either
    get = _without_redis("get", lambda key, default: default)
    set = _without_redis("set", lambda *_: None)
    touch = _without_redis("touch", lambda *_: False)
    delete = _without_redis("delete", lambda *_: False)
    get_many = _without_redis("get_many", lambda *_: {})
    has_key = _without_redis("has_key", lambda *_: False)
    incr = _without_redis("incr", _no_such_key)
    set_many = _without_redis("set_many", lambda *_: None)
    delete_many = _without_redis("delete_many", lambda *_: None)
    clear = _without_redis("clear", lambda *_: False)

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """One for all commands and threads; Django makes a new one for each, which takes longer than the command."""
        if not hasattr(self, "client"):
            self.client = super().get_client(key, write=True)
        return self.client


class ForgivingRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # Seconds. A Redis that hangs must not hold a request for longer than one that is gone.
        params["OPTIONS"] = {"socket_timeout": 1, "socket_connect_timeout": 1} | params.get("OPTIONS", {})
        super().__init__(server, params)
        self._class = Client
