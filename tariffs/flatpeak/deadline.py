"""A `requests` session whose read timeout covers the whole answer, however slowly it drips in."""

import http.client
import io
import socket
import time
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


def session() -> requests.Session:
    """Make one with keep-alive and without cookies: one customer's must not reach another's conversation."""
    made = _Session()
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made


class _Session(requests.Session):
    """Reads proxy and certificates from the environment once per host: each time would take a third of a call."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # also keeps passwords from ~/.netrc away from FlatPeak

    def merge_environment_settings(self, url: Any, *options: Any, **more: Any) -> Any:
        return _environment(*urlsplit(url)[:2])


@cache
def _environment(scheme: str, netloc: str) -> Any:
    return requests.Session().merge_environment_settings(f"{scheme}://{netloc}/", {}, True, None, None)


class _Until(io.RawIOBase):
    """Reads from a socket until a deadline: the socket's own timeout starts again with every byte."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self.sock, self.raw = sock, raw
        self.end = time.monotonic() + (sock.gettimeout() or 60)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self.sock.settimeout(left)
        return self.raw.readinto(buffer)

    def close(self) -> None:
        self.raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *options: Any, **more: Any) -> None:
        super().__init__(sock, *options, **more)
        self.fp = io.BufferedReader(_Until(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *options: Any, **more: Any) -> None:
        super().init_poolmanager(*options, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
