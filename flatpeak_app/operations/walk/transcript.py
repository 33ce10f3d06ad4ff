"""A file with all calls of a walk, that its reader may hand on."""

import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote, quote_plus

import simplejson
from django.conf import settings

from connect_ui.conversation.wire import without_token
from tariffs.flatpeak import JSON

HIDDEN = "(hidden)"
SECRETS = {"bearer_token", "account_id"}  # fields
# Fields whose values are hidden, unless they are empty.
PLACES = {"postal_address", "geo_location", "address_line1", "address_line2", "city", "state", "post_code"}
IDS = re.compile(r"\b(cot|acc|cus|loc|bearer|sk_test|sk_live)_[\w-]+")


class Call(NamedTuple):
    """status: 0 without an answer. release: the header flatpeak-version, "" without it. came: the answer's JSON."""

    name: str
    status: int
    release: str
    came: Any


class Transcript:
    """JSON lines `{"call", "sent", "status", "release", "came"}`, and `calls`, the same with all secrets.

    The file has no connect token, bearer, key, id of the account, of a customer or of a location, and no address. Only its
    owner may read it. Raises OSError if it can't be written.
    """

    def __init__(self, path: Path, places: list[str]) -> None:
        """`places` are parts of the address that are hidden in any text."""
        self.path, self.places = path, places
        self.calls: list[Call] = []
        self.tokens: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(handle, 0o600)  # if the file was there before
        self.file = open(handle, "w", encoding="utf-8")  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):
            self.file.close()

    def add(self, call: str, sent: JSON | None, status: int, release: str, came: Any) -> None:
        """Record a call, as `flatpeak.recording` gives it."""
        self.calls.append(Call(call, status, release, came))
        if isinstance(came, dict) and isinstance(token := came.get("connect_token"), str) and token:
            self.tokens |= {token, quote(token, safe=""), quote_plus(token)}  # also as in an address
        line = {"call": call, "sent": self.cleaned(sent), "status": status, "release": release}
        with suppress(OSError):  # a full disk must not keep the walk from deleting what it made
            self.file.write(simplejson.dumps(line | {"came": self.cleaned(came)}, use_decimal=True) + "\n")
            self.file.flush()

    def cleaned(self, value: Any) -> Any:
        """The JSON without what the file must not have."""
        for token in self.tokens:
            value = without_token(value, token)
        return self._hide(value)

    def _hide(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: _hidden(each, name) if name in SECRETS | PLACES else self._hide(each)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._hide(each) for each in value]
        if not isinstance(value, str):
            return value
        for secret in (settings.FLATPEAK_ACCOUNT_ID, settings.FLATPEAK_API_KEY, *self.places):
            value = value.replace(secret, HIDDEN)
        return IDS.sub(rf"\1_{HIDDEN}", value)


def _hidden(value: Any, name: str) -> Any:
    """A value that may not be told; of a place it is told which parts are empty."""
    if name in PLACES and isinstance(value, dict):
        return {key: each and HIDDEN for key, each in value.items()}
    return value and HIDDEN
