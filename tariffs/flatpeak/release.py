"""FlatPeak's releases: what each calls things, and where. The app's own names are those of zero."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

VERSION = re.compile(r"\d{4}-\d\d-\d\d(?:\.[a-z][\w-]{0,40})?", re.ASCII)  # 2025-09-14.anode, or the date alone


@dataclass(frozen=True)
class Names:
    """FlatPeak's names by ours; a name that is not listed is the same."""

    listed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _ours(self) -> dict[str, str]:
        return {theirs: ours for ours, theirs in self.listed.items()}

    def theirs(self, ours: str) -> str:
        return self.listed.get(ours, ours)

    def ours(self, theirs: str) -> str:
        return self._ours.get(theirs, theirs)


@dataclass(frozen=True)
class Release:
    """`name` is the release's column in `connect_ui.routes`, `version` the value of the header Flatpeak-Version.

    fields: those of a connect token, asked for and given. token_options: what else a request for a token says.
    open_ended: how the answer about a contract says that it has no end.
    token_paths, exchange_paths: where a token is made and exchanged. Of several the first that is not answered with 404
    counts; FlatPeak's pages disagree about them. A "{}" stands for the token.
    prices_path: where prices are asked for by POST, "{}" for the location's id; "" if by GET /tariffs/rates.
    """

    name: str
    version: str
    actions: Names = Names()
    fields: Names = Names()
    token_options: Mapping[str, Any] = field(default_factory=dict)
    token_paths: tuple[str, ...] = ("/connect/tariff/token",)
    open_ended: Mapping[str, Any] = field(default_factory=lambda: {"contract_end_date": "0001-01-01T00:00:00Z"})
    exchange_paths: tuple[str, ...] = ("/connect/tariff/token",)
    prices_path: str = ""

    @property
    def day(self) -> str:
        """The date in the version, by which releases are compared: FlatPeak leaves out the name in places."""
        return day_of(self.version)


ZERO = Release("zero", "2024-08-24.zero")
ANODE = Release(
    "anode",
    "2025-09-14.anode",
    # Alone with empty dates: beside a date FlatPeak may refuse it.
    open_ended=dict.fromkeys(("contract_start_date", "contract_end_date")) | {"contract_term_type": "UNTIL_TERMINATED"},
    fields=Names(
        {
            "callback_uri": "callback_url",
            "connect_web_uri": "connect_url",
            "direction": "tariff_direction",
            "type": "tariff_type",
        }
    ),
    token_options={"route_options": {"tariff_name_capture": True, "contract_term_capture": True}},
    token_paths=("/connect/token", "/connect/tariff/token"),
    exchange_paths=("/connect/token", "/connect/tariff/token", "/connect/{}"),
    prices_path="/prices/{}",
)
KNOWN: tuple[Release, ...] = (ZERO, ANODE)  # the oldest first


def day_of(version: str) -> str:
    return version.partition(".")[0]


@lru_cache(100)
def of(version: str) -> Release:
    """The release with this version's date, or the newest known one before it, in that version."""
    day = day_of(version)
    found = max((each for each in KNOWN if each.day <= day), key=lambda each: each.day, default=KNOWN[0])
    return found if found.day == day else replace(found, version=version)


def is_known(version: str) -> bool:
    return any(each.day == day_of(version) for each in KNOWN)


def after(release: Release) -> Release:
    """The next release that is known, itself if there is none."""
    return next((each for each in KNOWN if each.day > release.day), release)
