"""Redis as a cache that may be down: meanwhile each process stores values and counts limits by itself."""

import json
import logging
import time
from typing import Any, ClassVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE = 5  # seconds without a try after Redis failed, so that a Redis that hangs does not delay every command
ENTRIES = 100_000  # per process; many, because limits are among them and a full cache drops entries
INCREMENT = "if redis.call('exists', KEYS[1]) == 1 then return redis.call('incrby', KEYS[1], ARGV[1]) end"
COMMANDS = ["add", "get", "set", "touch", "delete", "get_many", "has_key", "incr", "set_many", "delete_many", "clear"]


class JSON:
    """Serialize to JSON instead of pickle, which runs code; keys become strings and tuples become lists."""

    def dumps(self, value: Any) -> Any:
        return value if type(value) is int else json.dumps(value)  # Redis increments plain integers only

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Client(RedisCacheClient):
    """Django's client, with LocMemCache in its place for PAUSE seconds after an error of Redis."""

    down_until: ClassVar[dict[str, float]] = {}  # time.monotonic() by server, because each thread has its own client

    def __init__(self, servers: Any, **options: Any) -> None:
        super().__init__(servers, **options)
        self.name = f"instead of {servers}"
        self.own = LocMemCache(self.name, {"max_entries": ENTRIES})

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Return one client for all commands: Django makes one per command, which takes longer than the command."""
        if not hasattr(self, "client"):
            self.client = super().get_client(key, write=True)
        return self.client

    def incr(self, key: str, delta: int) -> int:  # type: ignore[override]
        """Increment an existing key in one round trip, where Django takes two; raises ValueError if there is none."""
        count: int | None = self.get_client(key, write=True).eval(INCREMENT, 1, key, delta)
        if count is None:
            raise ValueError(f"Key {key!r} not found.")
        return count


def _forgiving(command: str) -> Any:
    redis_command = getattr(Client, command)

    def call(self: Client, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= self.down_until.get(self.name, 0):
            try:
                return redis_command(self, *args, **kwargs)
            except RedisError as error:
                logger.warning("the cache is gone (%s)", type(error).__name__)
                self.down_until[self.name] = time.monotonic() + PAUSE
        return getattr(self.own, command)(*args, **kwargs)

    return call


for command in COMMANDS:
    setattr(Client, command, _forgiving(command))


class ForgivingRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # Seconds. Without them a Redis that hangs would hold a request for ever.
        own = {"socket_timeout": 1, "socket_connect_timeout": 1, "serializer": JSON}
        params["OPTIONS"] = own | params.get("OPTIONS", {})
        super().__init__(server, params)
        self._class = Client

    def check(self) -> None:
        """Write to Redis itself, without the fallback; raises RedisError."""
        RedisCacheClient.set(self._cache, self.make_key("readyz"), 1, 5)
