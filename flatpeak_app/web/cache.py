"""Redis as a cache that may be gone: each process keeps what is kept, and counts its limits, by itself meanwhile."""

import json
import logging
import time
from typing import Any, ClassVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE = 5  # seconds that a Redis which failed is left alone: none that hangs is waited for at each command
ENTRIES = 100_000  # that a process keeps; limits are among them, so nobody may push out the others' in a minute


class JSON:
    """What Redis holds: whoever can write there could have a pickle run code. Keys are texts, tuples come back as lists."""

    def dumps(self, value: Any) -> Any:
        return value if type(value) is int else json.dumps(value)  # as Redis adds to it

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


def _without_redis(name: str) -> Any:
    with_redis = getattr(RedisCacheClient, name)

    def call(self: "Client", *options: Any, **more: Any) -> Any:
        if time.monotonic() >= self.gone_until.get(self.name, 0):
            try:
                return with_redis(self, *options, **more)
            except RedisError as error:
                logger.warning("the cache is gone (%s)", type(error).__name__)
                self.gone_until[self.name] = time.monotonic() + PAUSE
        return getattr(self.own, name)(*options, **more)

    return call


class Client(RedisCacheClient):
    gone_until: ClassVar[dict[str, float]] = {}  # by the clock of time.monotonic; threads have a client each

    def __init__(self, servers: Any, **options: Any) -> None:
        super().__init__(servers, **options)
        self.name = f"instead of {servers}"
        self.own = LocMemCache(self.name, {"max_entries": ENTRIES})

    add = _without_redis("add")
    get = _without_redis("get")
    set = _without_redis("set")
    touch = _without_redis("touch")
    delete = _without_redis("delete")
    get_many = _without_redis("get_many")
    has_key = _without_redis("has_key")
    incr = _without_redis("incr")
    set_many = _without_redis("set_many")
    delete_many = _without_redis("delete_many")
    clear = _without_redis("clear")

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """One for all commands and threads; Django makes a new one for each, which takes longer than the command."""
        if not hasattr(self, "client"):
            self.client = super().get_client(key, write=True)
        return self.client


class ForgivingRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # Seconds. A Redis that hangs must not hold a request for longer than one that is gone.
        own = {"socket_timeout": 1, "socket_connect_timeout": 1, "serializer": JSON}
        params["OPTIONS"] = own | params.get("OPTIONS", {})
        super().__init__(server, params)
        self._class = Client

    def check(self) -> None:
        """Raises RedisError where Redis itself does not take what is to be kept."""
        RedisCacheClient.set(self._cache, self.make_key("readyz"), 1, 5)
