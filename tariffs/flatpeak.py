"""The one module that talks to FlatPeak's hosts.

Each function is one call. All raise `Unavailable` (network, timeout, 5xx, not JSON, too large: nothing was decided) or
`Rejected` (an error object or a 4xx: FlatPeak's message and code). Numbers arrive as Decimal and leave as numbers.
Amounts are major currency units per kWh. No token, key, address or query string gets into a log line or an exception.

Each call leaves one line in the log, which says why if it failed; whoever catches the error need not log it again.
"""

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, NotRequired, TypedDict
from urllib.parse import quote, urlsplit

import requests
import simplejson
from django.conf import settings
from django.core.cache import cache
from prometheus_client import Histogram

from .rates import number
from .transport import session

logger = logging.getLogger(__name__)

# After so many calls in a row without an answer, FlatPeak is left alone: one call per pause finds out whether it is back.
FAILURES, PAUSE = 5, 5  # calls, seconds
MAX_BODY = 4 * 1024 * 1024  # bytes; FlatPeak's longest page, thousands of providers, is a tenth of it
MAX_ID = 100  # characters of an id or a code, as the database has columns for them
MAX_MESSAGE = 500  # characters of FlatPeak's sentence to the customer
MAX_DEPTH = 50  # lists and objects inside each other; FlatPeak's are 5
JSON = dict[str, Any]

DURATION = Histogram(
    "flatpeak_call_duration_seconds",
    "Calls to FlatPeak, by what became of them.",
    ["call", "outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


class FlatPeakError(Exception):
    """What every failed call raises; `str()` of it is safe to log.

    `outcome` is one of rejected, unusable, no_answer and not_tried; `status` is 0 where there was no answer, and
    `request_id` "" where FlatPeak gave none.
    """

    outcome: str
    status: int
    request_id: str


class Unavailable(FlatPeakError):
    """FlatPeak gave no usable answer, and whether it took the request is not known."""

    def __init__(self, why: str, outcome: str = "unusable", status: int = 0, request_id: str = "") -> None:
        self.outcome, self.status, self.request_id = outcome, status, request_id
        super().__init__(why)


class Rejected(FlatPeakError):
    """FlatPeak refused. `message` is FlatPeak's English sentence and `code` its name for the reason, "" if it gave none.

    `retry_after` is the number of seconds that FlatPeak wants to be left alone, None if it did not say. What is no
    `word` is no code and no request id.
    """

    outcome = "rejected"

    def __init__(self, call: str, status: int, body: JSON, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        self.code = word(body.get("code"))
        self.message = str(body.get("message") or "")[:MAX_MESSAGE]
        self.request_id = word(body.get("request_id"))
        super().__init__(f"{call}: {status} {self.code or 'no code'}, request {self.request_id or 'unknown'}")


class Page(TypedDict):
    """One page of Connect; `data` and `actions` as the route has them."""

    route: str
    connect_token: str
    type: NotRequired[str]
    direction: NotRequired[str]
    live_mode: NotRequired[bool]
    actions: NotRequired[list[str]]
    data: NotRequired[JSON]


def word(value: Any) -> str:
    """FlatPeak's name for something if it can stand in a log line, else "": no sentence, no second line, no token."""
    text = value if isinstance(value, str) else ""
    return text if re.fullmatch(r"[A-Za-z0-9][\w./:+-]{0,63}", text, re.ASCII) and "cot_" not in text else ""


_purpose: ContextVar[str] = ContextVar("purpose", default="")


@contextmanager
def purpose(name: str) -> Iterator[None]:
    """What calls are made for, as "session 5f…": their lines in the log name it, and a refusal is an error in there.

    Errors are mailed to ADMINS. "" is no purpose.
    """
    before = _purpose.set(name)
    try:
        yield
    finally:
        _purpose.reset(before)


def total_timeout() -> float:
    """Seconds after which one call has either ended or will not end well."""
    return settings.FLATPEAK_CONNECT_TIMEOUT + settings.FLATPEAK_READ_TIMEOUT


# --- Connect ----------------------------------------------------------------------------------------------------


def answer(connect_token: str, route: str, data: JSON | None = None, action: str = "") -> Page:
    """Send one answer to Connect, with `data` or an `action`, and return the next page.

    Sent once and never again by itself: a POST to Connect is not idempotent. Reference: Connect-headless.
    """
    body: JSON = {"connect_token": connect_token, "route": route}
    if action:
        body["action"] = action
    elif data is not None:
        body["data"] = data
    url = settings.FLATPEAK_CONNECT_URL + "/"
    return _call("Connect", "POST", url, body=body, unfit=_no_page)  # type: ignore[return-value]


def _no_page(page: JSON) -> str:
    is_page = isinstance(page.get("route"), str) and isinstance(page.get("data") or {}, dict)
    return "" if is_page else "the answer is no page"


def restore(connect_token: str) -> Page:
    """Start a session, or ask where it stands; changes nothing at FlatPeak. Reference: Connect-headless, session_restore."""
    return answer(connect_token, "session_restore")


# --- REST -------------------------------------------------------------------------------------------------------


def create_connect_token(body: JSON) -> JSON:
    """`{connect_token, expires_in (seconds), live_mode}`. Reference: create connect token."""
    return _rest("POST", "/connect/tariff/token", body=body, needs={"connect_token": str})


def exchange(connect_token: str) -> JSON:
    """`{customer_id, location_id, complete_action, …}`; asking again is allowed. Reference: exchange connect token."""
    params, needs = {"connect_token": connect_token}, {"customer_id": str, "location_id": str}
    return _rest("GET", "/connect/tariff/token", params=params, needs=needs, unfit=_long_id)


def _long_id(ids: JSON) -> str:
    is_long = max(len(ids["customer_id"]), len(ids["location_id"])) > MAX_ID
    return f"an id is longer than {MAX_ID} characters" if is_long else ""


def location(location_id: str) -> JSON:
    """`{timezone, currency_code, postal_address, …}`. Reference: retrieve location."""
    return _rest("GET", "/locations/{}", location_id)


def location_status(location_id: str) -> JSON:
    """`{tariff_status: {commodity_import: {status, provider, tariff}, …}}`. Reference: location status."""
    return _rest("GET", "/locations/{}/status", location_id, needs={"tariff_status": dict})


def delete_location(location_id: str) -> None:
    """Delete a location with its tariffs; Rejected with status 404 if FlatPeak has none such. Reference: delete location."""
    _rest("DELETE", "/locations/{}", location_id)


def delete_customer(customer_id: str) -> None:
    """Delete a customer with all locations; Rejected with status 404 if there is none such. Reference: delete customer."""
    _rest("DELETE", "/customers/{}", customer_id)


def rates(location_id: str, start: datetime, end: datetime, direction: str) -> JSON:
    """`{location_timezone, currency_code, next_update, data: [segments]}` between two instants, at most 90 days apart.

    Rejected with code pending_connect, no_tariff_connected or no_price_data (422). Reference: tariff rates.
    """
    params = {
        "start_time": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end_time": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "direction": direction,
        "include_carbon": "true",
    }
    return _rest("GET", "/tariffs/rates/{}", location_id, params=params, needs={"data": list})


def login() -> JSON:
    """`{bearer_token, expires_in (seconds), live_mode}`, with the account's credentials. Reference: authorization."""
    credentials, url = (settings.FLATPEAK_ACCOUNT_ID, settings.FLATPEAK_API_KEY), settings.FLATPEAK_API_URL + "/login"
    return _call("GET /login", "GET", url, auth=credentials, needs={"bearer_token": str}, unfit=_no_header)


def _no_header(granted: JSON) -> str:
    token = granted["bearer_token"]
    return "" if token.isascii() and token.isprintable() else "a bearer that no header can carry"


def bearer(refused: str = "") -> str:
    """The bearer that all workers share; a new one when there is none left or the one at hand was refused.

    Of requests that need a new one at once, in whatever process, one signs in and the others wait for what comes of it.
    """
    account = f"{settings.FLATPEAK_API_URL} {settings.FLATPEAK_ACCOUNT_ID} {settings.FLATPEAK_API_KEY}"
    key = "flatpeak-bearer:" + hashlib.sha256(account.encode()).hexdigest()
    if (token := cache.get(key)) not in (None, refused):
        return token
    signing_in, began = f"{key}:signing-in", time.perf_counter()
    if not cache.add(signing_in, True, total_timeout()):
        while cache.get(signing_in):
            time.sleep(0.02)
        if (token := cache.get(key)) not in (None, refused):
            return token
        error = Unavailable("GET /login: not tried, as another request's came to nothing", "not_tried")
        _log(logging.WARNING, f"{error}", began, "GET /login", error.outcome, error.status, error.request_id)
        raise error
    try:
        if (token := cache.get(key)) in (None, refused):
            granted = login()
            token = granted["bearer_token"]
            cache.set(key, token, max(int(number(granted.get("expires_in")) or 0) - 60, 1))
        return token
    finally:
        cache.delete(signing_in)


def _rest(method: str, path: str, *ids: str, **options: Any) -> JSON:
    # Ids stay out of the call's name, which ends in the log and among the metrics.
    call = f"{method} {path.replace('/{}', '')}"
    url = settings.FLATPEAK_API_URL + path.format(*(quote(each, safe="") for each in ids))
    token = bearer()
    try:
        return _call(call, method, url, auth=_Bearer(token), expected=(401, 403), **options)
    except Rejected as error:
        if error.status not in (401, 403):
            raise
    return _call(call, method, url, auth=_Bearer(bearer(refused=token)), **options)


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        if settings.FLATPEAK_VERSION:
            request.headers["Flatpeak-Version"] = settings.FLATPEAK_VERSION
        return request


# --- HTTP -------------------------------------------------------------------------------------------------------

_local = threading.local()


def _http() -> requests.Session:
    """The thread's own kept-alive connections."""
    if not hasattr(_local, "http"):
        _local.http = session()
    return _local.http


class _Breaker:
    """Keeps workers from waiting, all of them and each for its timeouts, for a host that does not answer.

    The count is in the cache, so the workers share it. A worker that found none there, and has had no failure since,
    looks again after a second.
    """

    well_until: ClassVar[dict[str, float]] = {}  # by the clock of time.monotonic

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
        if not cache.add(self.key, 1, 60):
            try:
                cache.incr(self.key)
            except ValueError:  # it has expired just now
                cache.set(self.key, 1, 60)

    def answered(self) -> None:
        if self.failures:
            cache.delete(self.key)


def silent() -> dict[str, bool]:
    """Whether FlatPeak's hosts do not answer, so that most calls are not tried: {"api": False, "connect": True}."""
    urls = {"api": settings.FLATPEAK_API_URL, "connect": settings.FLATPEAK_CONNECT_URL}
    return {name: _Breaker(url).look() >= FAILURES for name, url in urls.items()}


def _call(call: str, method: str, url: str, *, expected: tuple[int, ...] = (), **options: Any) -> JSON:
    """One call with its line in the log; refusals of an `expected` status are no error, whatever the purpose."""
    began = time.perf_counter()
    try:
        status, answered = _ask(call, method, url, **options)
    except FlatPeakError as error:
        gone = method == "DELETE" and error.status == 404
        serious = _purpose.get() and not gone and error.status not in (429, *expected)
        refused = logging.ERROR if serious else logging.INFO
        level = refused if isinstance(error, Rejected) else logging.WARNING
        _log(level, f"{error}", began, call, error.outcome, error.status, error.request_id)
        raise
    _log(logging.INFO, f"{call}: {status}", began, call, "ok", status, word(answered.get("request_id")))
    return answered


def _log(level: int, line: str, began: float, call: str, outcome: str, status: int, request_id: str) -> None:
    seconds = time.perf_counter() - began
    DURATION.labels(call, outcome).observe(seconds)
    ms = round(seconds * 1000)
    told = {"call": call, "outcome": outcome, "status": status, "ms": ms, "flatpeak_request_id": request_id}
    line += f" in {ms} ms" if outcome == "ok" else ""
    logger.log(level, "%s%s", line, f", for {_purpose.get()}" if _purpose.get() else "", extra=told)


def _ask(
    call: str,
    method: str,
    url: str,
    *,
    body: JSON | None = None,
    params: dict[str, str] | None = None,
    auth: Any = None,
    needs: dict[str, type] | None = None,
    unfit: Callable[[JSON], str] | None = None,
) -> tuple[int, JSON]:
    """The status and the JSON of an answer that has what it `needs`, and of which `unfit` does not say why it won't do."""
    breaker = _Breaker(url)
    if not breaker.lets_pass():
        raise Unavailable(f"{call}: not tried, as FlatPeak does not answer", "not_tried")
    try:
        with _http().request(
            method,
            url,
            params=params,
            data=None if body is None else simplejson.dumps(body, use_decimal=True),
            headers={"Accept": "application/json"} | ({"Content-Type": "application/json"} if body is not None else {}),
            auth=auth,
            timeout=(settings.FLATPEAK_CONNECT_TIMEOUT, settings.FLATPEAK_READ_TIMEOUT),
            allow_redirects=False,
            stream=True,
        ) as response:
            answered = _read(call, response)
            status = response.status_code
    except (requests.RequestException, OSError) as error:
        breaker.failed()
        # The exception's own text has the address with its query, and so the token.
        raise Unavailable(f"{call}: no answer ({type(error).__name__})", "no_answer") from None
    breaker.answered()
    # 202 and 204 say all there is to say: a deletion is answered without a body.
    empty = not isinstance(answered, dict) and status not in (202, 204)
    if status >= 500 or (empty and status < 400) or 300 <= status < 400:
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
    """The JSON of an answer, or None where it is not JSON."""
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BODY:
            raise Unavailable(f"{call}: answer larger than {MAX_BODY} bytes", "unusable", response.status_code)
    try:
        text = body.decode()
        answered = simplejson.loads(text, parse_float=_decimal)
        _look_into(answered)
        return _clean(answered) if UNSTORABLE.search(text) else answered
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _retry_after(header: str) -> float | None:
    """Seconds, a day at most; the header's other form, a date, is not understood."""
    return min(float(header), 24 * 3600) if header.isdecimal() else None


def _decimal(text: str) -> Decimal:
    """A number with a point or an exponent; ValueError if it is so long, written out, that PostgreSQL would not store it."""
    number = Decimal(text)
    if max(number.adjusted(), -int(number.as_tuple().exponent)) > 1000:
        raise ValueError("a number with too many digits")
    return number


def _look_into(value: Any, depth: int = 0) -> None:
    """ValueError if the JSON is too deep for what walks through it later."""
    if depth > MAX_DEPTH:
        raise ValueError("lists inside each other without an end")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(item, list | dict):
            _look_into(item, depth + 1)


# As JSON writes NUL and halves of a pair of surrogates, of which any may stand alone. They can't come otherwise.
UNSTORABLE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)


def _clean(value: Any) -> Any:
    """The same JSON without NUL and lone surrogates, which PostgreSQL refuses to store."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
