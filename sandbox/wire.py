"""What goes over the wire: requests and replies, exact JSON, RFC 3339 times, FlatPeak's errors, an object's fields."""

import json
import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from email.message import Message
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]
# FlatPeak's own calls, which can be slow and have faults; the others are the sandbox's. Those with a bearer, and all.
SIGNED_IN = ("token", "exchange", "rates", "location", "status", "delete_location", "delete_customer")
CALLS = ("connect", "login", *SIGNED_IN)
HERE = Path(__file__).parent
_RFC3339 = re.compile(r"(19|2[0-4])\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def loads(text: str | bytes) -> Any:
    """JSON to Python with every number a Decimal, so a bool can never pass for one; ValueError if it is not JSON."""
    try:
        # NaN and Infinity, which are not JSON, are not integers either.
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: Any) -> str:
    """Python to JSON with Decimals as the numbers they are: 0.2815 stays 0.2815 (json itself would go by float)."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def data(name: str) -> Any:
    """One file of data/."""
    return loads((HERE / "data" / f"{name}.json").read_bytes())


ERRORS: dict[str, Json] = data("errors")
TOLERATED: dict[str, str] = data("tolerated")
# What this call was granted beyond the documentation, by the names in data/tolerated.json; None: nothing may be.
granted: ContextVar[set[str] | None] = ContextVar("granted", default=None)


def tolerated(name: str) -> bool:
    """Whether the call may have what this names, which is noted then; False if the sandbox is strict."""
    names = granted.get()
    if names is None:
        return False
    names.add(name)
    return True


class Failure(Exception):
    """An answer that is an error, by its key in data/errors.json: FlatPeak's code, and a variant of it after a slash.

    The message there teaches, `values` fill it; the code may be given where one message serves several.
    """

    def __init__(self, key: str, code: str = "", **values: object) -> None:
        super().__init__(key)
        entry = ERRORS[key]
        self.bare = "bare" in entry
        self.code = code or key.partition("/")[0]
        self.status = int(entry.get("status", 422))
        self.kind = entry.get("type", "invalid_request")
        self.message = Template(entry["message"]).substitute(values)
        self.note: str = entry.get("log", "")  # where FlatPeak's own words leave no room to teach
        self.headers: dict[str, str] = {}


class AnswerLost(Exception):
    """The answer must never arrive: after so many seconds the connection is closed without a word, or reset."""

    def __init__(self, seconds: float = 0, reset: bool = False) -> None:
        super().__init__(seconds, reset)
        self.seconds, self.reset = seconds, reset


@dataclass
class Request:
    """One request: base is the sandbox's own address as the client sees it, name the call as counts and log have it.

    part is what the path has in the place of {id}, account whose bearer it carries, token the connect token it sends;
    notes are what the log adds to its line.
    """

    method: str
    path: str
    query: str
    headers: Message
    base: str
    body: bytes = b""
    name: str = "unknown"
    part: str = ""
    account: str = ""
    token: Any = None
    notes: list[str] = field(default_factory=list)

    def json(self) -> Any:
        try:
            return loads(self.body)
        except ValueError:
            raise Failure("data_json_invalid/json") from None

    def fields(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> Json:
        """The query as a dict of strings, with these names, each of them once."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        if len(dict(pairs)) < len(pairs):
            raise Failure("query_invalid")
        return check_fields(dict(pairs), "The query", required, optional)


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; headers are added to the usual ones, seconds are what sending it takes, a few bytes at a time."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, dumps(value).encode(), headers=headers or {})


def page_reply(template: str, status: int = 200, **values: str) -> Reply:
    """A page of HTML out of templates/, whose address, which may have a token, no other sees; the values are HTML already."""
    text = Template((HERE / "templates" / template).read_text(encoding="utf-8")).substitute(values)
    return Reply(status, text.encode(), "text/html; charset=utf-8", {"Referrer-Policy": "no-referrer"})


def problem(status: int, message: str) -> Reply:
    return page_reply("problem.html", status, message=escape(message))


def new_id(prefix: str, size: int = 12) -> str:
    return f"{prefix}_{secrets.token_hex(size)}"


def rfc3339(moment: datetime, precision: str = "seconds") -> str:
    """An aware datetime in its own offset, with Z for UTC."""
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def parse_rfc3339(text: Any) -> datetime:
    """An aware datetime from RFC 3339 text; ValueError for anything else, a time without an offset included."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise ValueError("A time must be RFC 3339 with Z or an offset, as 2026-10-25T00:00:00Z, from 1900 to 2499.")
    return datetime.fromisoformat(text)


def check_fields(value: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> Json:
    """The object itself if it has all the required and no other fields; data_json_invalid otherwise."""
    known = [*required, *optional]
    listed = ", ".join(known) or "no field"
    if not isinstance(value, dict):
        raise Failure("data_json_invalid/object", where=where, known=listed)
    if wrong := [*(name for name in required if name not in value), *(name for name in value if name not in known)]:
        raise Failure("data_json_invalid/fields", where=where, wrong=", ".join(wrong)[:80], known=listed)
    return value


def with_token(address: str, token: str) -> str:
    """An address with fp_cot=<connect token> at the end of its query; what it had in the query stays."""
    address, hash_mark, fragment = address.partition("#")
    return f"{address}{'&' if '?' in address else '?'}fp_cot={token}{hash_mark}{fragment}"
