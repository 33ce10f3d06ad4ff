"""One REST call: with the account's bearer and in its release, and once more if one of the two is out of date."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from django.conf import settings

from . import account
from .bearer import token
from .errors import JSON, Rejected
from .http import ask
from .release import Release

Answer = TypeVar("Answer")


def speaking(make: Callable[[Release], Answer], began: Release | None = None) -> Answer:
    """What `make` returns for the account's release, or for the one that a conversation began in, if that is later.

    If FlatPeak says that the account was raised, it is called once more for the new release. Raises FlatPeakError.
    """
    if not account.told():
        token()  # the answer to a sign-in may tell the release
    spoken = _later(account.current(), began)
    try:
        return make(spoken)
    except Rejected as error:
        if error.code != account.TOO_OLD or account.current().day == spoken.day:
            raise
    return make(account.current())


def _later(account: Release, began: Release | None) -> Release:
    return began if began and began.day > account.day else account


_found: dict[tuple[str, str, str], str] = {}  # this process's paths, by host, method and release


def at_first_of(paths: Sequence[str], spoken: Release, method: str, *ids: str, **options: Any) -> JSON:
    """Make a call at the first of some paths that is not answered with 404, which is remembered for the next call."""
    key = settings.FLATPEAK_API_URL, method, spoken.name
    *others, last = sorted(paths, key=lambda path: path != _found.get(key))
    for path in others:
        try:
            answer = rest(spoken, method, path, *ids, expected=(404,), **options)
        except Rejected as error:
            if error.status != 404:
                raise
        else:
            _found[key] = path
            return answer
    answer = rest(spoken, method, last, *ids, **options)
    _found[key] = last
    return answer


def rest(
    spoken: Release, method: str, path: str, *ids: str, expected: tuple[int | str, ...] = (), **options: Any
) -> JSON:
    """Make a call in a release; a refusal with a status or code that is `expected` is not logged as an error."""
    # Without ids, because the call's name is in the log and a label of a metric.
    call = f"{method} {path.replace('/{}', '')}"
    url = settings.FLATPEAK_API_URL + path.format(*(quote(each, safe="") for each in ids))
    options["heard"] = partial(account.heard, spoken)
    expected, held = (*expected, account.TOO_OLD), token()
    try:
        return ask(call, method, url, auth=_Bearer(held, spoken), expected=(401, 403, *expected), **options)
    except Rejected as error:
        if error.status not in (401, 403):
            raise
    return ask(call, method, url, auth=_Bearer(token(refused=held), spoken), expected=expected, **options)


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str, spoken: Release) -> None:
        self.token, self.spoken = token, spoken

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        request.headers["Flatpeak-Version"] = self.spoken.version
        return request
