"""One HTTP call: breaker, checks of the answer, line in the log, metric."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
import simplejson
from django.conf import settings
from django.core.cache import cache
from prometheus_client import Histogram

from .deadline import session
from .errors import JSON, FlatPeakError, Rejected, Unavailable, word
from .values import parsed

logger = logging.getLogger("tariffs.flatpeak")

# After so many calls in a row without an answer the breaker opens: then only one call per pause is tried.
FAILURES, PAUSE = 5, 5  # calls, seconds
MAX_BODY = 4 * 1024 * 1024  # bytes; FlatPeak's longest page, of thousands of providers, has a tenth

DURATION = Histogram(
    "flatpeak_call_duration_seconds",
    "Calls to FlatPeak, by their outcome.",
    ["call", "outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


_purpose: ContextVar[str] = ContextVar("purpose", default="")


@contextmanager
def purpose(name: str) -> Iterator[None]:
    """Name what calls are made for, as "session 5f…", in their log lines, and log a refusal as an error.

    ADMINS get errors by mail. "" is no purpose.
    """
    before = _purpose.set(name)
    try:
        yield
    finally:
        _purpose.reset(before)


_release: ContextVar[Callable[[], Any]] = ContextVar("release", default=bool)


@contextmanager
def releasing(release: Callable[[], Any]) -> Iterator[None]:
    """Call `release` before each call to FlatPeak, to give back a database connection for that time."""
    before = _release.set(release)
    try:
        yield
    finally:
        _release.reset(before)


Record = Callable[[str, JSON | None, int, str, Any], None]
_record: ContextVar[Record] = ContextVar("record", default=lambda *call: None)


@contextmanager
def recording(record: Record) -> Iterator[None]:
    """Give `record` each call's name, what was sent, and of the answer the status, the header's release and the JSON.

    Without an answer these are 0, "" and None. What was sent has no credentials, but it may have a connect token, and so
    may the answer; that of a sign-in has the bearer.
    """
    before = _record.set(record)
    try:
        yield
    finally:
        _record.reset(before)


def total_timeout() -> float:
    """The longest that one call may take, in seconds."""
    return settings.FLATPEAK_CONNECT_TIMEOUT + settings.FLATPEAK_READ_TIMEOUT


_local = threading.local()


def _http() -> requests.Session:
    """This thread's session with its keep-alive connections."""
    if not hasattr(_local, "http"):
        _local.http = session()
    return _local.http


class _Breaker:
    """A circuit breaker for one host: keeps all workers from waiting for timeouts.

    Workers share the count of failures in the cache. It expires a minute after the last failure; once the breaker is open
    it stays until the next answer. A worker that found no failure reads the count again after a second.
    """

    well_until: ClassVar[dict[str, float]] = {}  # by time.monotonic

    def __init__(self, url: str) -> None:
        self.key = f"flatpeak-silent:{urlsplit(url).netloc}"
        self.failures = 0
        if time.monotonic() >= self.well_until.get(self.key, 0):
            self.look()

    def look(self) -> int:
        self.failures = cache.get(self.key, 0)
        if not self.failures:
            self.well_until[self.key] = time.monotonic() + 1
        return self.failures

    def lets_pass(self) -> bool:
        return self.failures < FAILURES or cache.add(f"{self.key}:tried", True, PAUSE)

    def failed(self) -> None:
        self.well_until.pop(self.key, None)
        failures = 1
        if not cache.add(self.key, failures, 60):
            try:
                failures = cache.incr(self.key)
            except ValueError:  # it has expired just now
                cache.add(self.key, failures, 60)
        cache.touch(self.key, 60 if failures < FAILURES else None)

    def answered(self) -> None:
        if self.failures:
            cache.delete(self.key)


def silent() -> dict[str, bool]:
    """Whether the breaker is open, for each host: {"api": False, "connect": True}."""
    urls = {"api": settings.FLATPEAK_API_URL, "connect": settings.FLATPEAK_CONNECT_URL}
    return {name: _Breaker(url).look() >= FAILURES for name, url in urls.items()}


def ask(call: str, method: str, url: str, *, expected: tuple[int | str, ...] = (), **options: Any) -> JSON:
    """Make one call and log it; a refusal with an `expected` status or code is not logged as an error."""
    began = time.perf_counter()
    try:
        status, answered = _send(call, method, url, **options)
    except FlatPeakError as error:
        gone = method == "DELETE" and error.status == 404
        meant = not {error.status, getattr(error, "code", "")}.isdisjoint((429, *expected))
        serious = _purpose.get() and not gone and not meant
        refused = logging.ERROR if serious else logging.INFO
        level = refused if isinstance(error, Rejected) else logging.WARNING
        log(level, f"{error}", began, call, error.outcome, error.status, error.request_id)
        raise
    log(logging.INFO, f"{call}: {status}", began, call, "ok", status, word(answered.get("request_id")))
    return answered


def log(level: int, line: str, began: float, call: str, outcome: str, status: int, request_id: str) -> None:
    """Write a call's line to the log, and observe its duration."""
    seconds = time.perf_counter() - began
    DURATION.labels(call, outcome).observe(seconds)
    ms = round(seconds * 1000)
    told = {"call": call, "outcome": outcome, "status": status, "ms": ms, "flatpeak_request_id": request_id}
    line += f" in {ms} ms" if outcome == "ok" else ""
    logger.log(level, "%s%s", line, f", for {_purpose.get()}" if _purpose.get() else "", extra=told)


def _send(
    call: str,
    method: str,
    url: str,
    *,
    body: JSON | None = None,
    params: dict[str, str] | None = None,
    auth: Any = None,
    needs: dict[str, type] | None = None,
    unfit: Callable[[JSON], str] | None = None,
    heard: Callable[[str, JSON], None] | None = None,
    seconds: float | None = None,
) -> tuple[int, JSON]:
    """Status and JSON of an answer; it has all that it `needs`, and `unfit` returns "" for it, not what is wrong.

    `heard` gets the release that the answer's header names, "" without one, and the answer, also if that is an error.
    `seconds` is how long the call may take, instead of what the settings say.
    """
    limits = (settings.FLATPEAK_CONNECT_TIMEOUT, settings.FLATPEAK_READ_TIMEOUT)
    breaker = _Breaker(url)
    if not breaker.lets_pass():
        raise Unavailable(f"{call}: not tried, as FlatPeak does not answer", "not_tried")
    _release.get()()
    try:
        with _http().request(
            method,
            url,
            params=params,
            data=None if body is None else simplejson.dumps(body, use_decimal=True),
            headers={"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {}),
            auth=auth,
            timeout=(seconds / 2, seconds / 2) if seconds else limits,
            allow_redirects=False,
            stream=True,
        ) as response:
            answered = _read(call, response)
            status, version = response.status_code, response.headers.get("Flatpeak-Version", "")
    except (requests.RequestException, OSError) as error:
        breaker.failed()
        _record.get()(call, body or params, 0, "", None)
        # Not the exception's text, which contains the query and so the token.
        raise Unavailable(f"{call}: no answer ({type(error).__name__})", "no_answer") from None
    breaker.answered()
    _record.get()(call, body or params, status, version, answered)
    if heard:
        heard(version, answered if isinstance(answered, dict) else {})
    # A deletion is answered with 202 or 204 and no body.
    empty = not isinstance(answered, dict) and status not in (202, 204)
    # Anode's word for trouble of FlatPeak's own; which status comes with it is not documented.
    trouble = isinstance(answered, dict) and answered.get("type") == "connect_error"
    if status >= 500 or trouble or (empty and status < 400) or 300 <= status < 400:
        request_id = word(answered.get("request_id")) if isinstance(answered, dict) else ""
        why = f"{call}: unusable answer ({status}){request_id and f', request {request_id}'}"
        raise Unavailable(why, "unusable", status, request_id)
    answered = answered if isinstance(answered, dict) else {}
    if status >= 400 or answered.get("object") == "error":
        raise Rejected(call, status, answered, _retry_after(response.headers.get("Retry-After", "")))
    missing = [name for name, kind in (needs or {}).items() if not isinstance(answered.get(name), kind)]
    if missing or any(answered[name] == "" for name in needs or {}):
        raise Unavailable(f"{call}: answer without {' or '.join(needs or {})}", "unusable", status)
    if unfit and (why := unfit(answered)):
        raise Unavailable(f"{call}: {why}", "unusable", status)
    return status, answered


def _read(call: str, response: requests.Response) -> Any:
    """The JSON of an answer, None if it is not JSON."""
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BODY:
            raise Unavailable(f"{call}: answer larger than {MAX_BODY} bytes", "unusable", response.status_code)
    try:
        return parsed(body.decode())
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _retry_after(header: str) -> float | None:
    """Seconds, a day at most; None for the header's other form, a date."""
    return min(float(header), 24 * 3600) if header.isdecimal() else None
