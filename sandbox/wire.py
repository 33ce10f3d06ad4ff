"""HTTP requests and answers, as the rest of the sandbox sees them."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message
from html import escape
from string import Template
from typing import Any
from urllib.parse import parse_qsl

from .codec import HERE, Json, dumps, loads
from .errors import Failure, check_fields
from .release import Release

# The calls to FlatPeak, which can be slow and faulty: those with a bearer, and all. Other calls are the sandbox's own.
SIGNED_IN = ("token", "exchange", "rates", "prices", "location", "status", "delete_location", "delete_customer")
CALLS = ("connect", "login", *SIGNED_IN)


@dataclass
class Request:
    """One request.

    base: the sandbox's own address as the client sees it. name: the call, for counts and log. part: what stands for {id}
    in the path. account: the owner of the bearer. release: the one that serves the call, once the account is known.
    token: the connect token in the body. notes: go to the log.
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
    release: Release | None = None
    token: Any = None
    notes: list[str] = field(default_factory=list)

    def json(self) -> Any:
        try:
            return loads(self.body)
        except ValueError:
            raise Failure("data_json_invalid/json") from None

    def fields(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> Json:
        """Return the query as a dict of strings. Raises Failure for a missing, unknown or repeated name."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        if len(dict(pairs)) < len(pairs):
            raise Failure("query_invalid")
        return check_fields(dict(pairs), "The query", required, optional)


@dataclass(frozen=True)
class Reply:
    """One answer. headers are added to the server's own; it is sent a few bytes at a time over so many seconds."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0


def served(request: Request) -> Release:
    """The release that serves a call, once the account is known."""
    if request.release is None:
        raise LookupError(request.name)
    return request.release


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, dumps(value).encode(), headers=headers or {})


def page_reply(template: str, status: int = 200, **values: str) -> Reply:
    """Fill a template; the values are HTML. Its address may have a token in it, so it is sent to no other site."""
    text = Template((HERE / "templates" / template).read_text(encoding="utf-8")).substitute(values)
    return Reply(status, text.encode(), "text/html; charset=utf-8", {"Referrer-Policy": "no-referrer"})


def problem(status: int, message: str) -> Reply:
    return page_reply("problem.html", status, message=escape(message))


def with_token(address: str, token: str) -> str:
    """Add fp_cot=<connect token> to an address's query."""
    address, hash_mark, fragment = address.partition("#")
    return f"{address}{'&' if '?' in address else '?'}fp_cot={token}{hash_mark}{fragment}"


def new_id(prefix: str, size: int = 12) -> str:
    return f"{prefix}_{secrets.token_hex(size)}"
