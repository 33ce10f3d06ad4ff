"""A release of FlatPeak: what it calls things, and how its conversations begin, go back and end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .codec import Json


@dataclass(frozen=True)
class Release:
    """One release, described by how it differs from zero: `Release(actions={"SAVE": "STORE"})`.

    version: "<date>.<name>", as in the header Flatpeak-Version. pages: its table, by zero's routes; empty for zero's.
    routes, actions, fields: from zero's name to this release's. A name that is left out stays; two routes may become one.
    The fields are those of a connect token: in the request for one, its answer, and the exchange's query and answer. One
    that becomes "" is left out of the answer. paths: from a call, by its name in the counts, to its path, "" for none.
    required, more: the fields that a new token must have, and those that zero does not know.
    start: the route that begins a conversation; zero's own then only resumes it.
    back: the action by which Connect shows the previous page again. An earlier page can be answered all the same, unless
    the switch earlier_answers says refuse.
    close: the action by which the customer leaves from any page; at the first page BACK does the same.
    aliases: actions that are taken though no page lists them, with zero's name for each.
    acts_without_route: whether BACK and CLOSE need no route.
    ends_by_redirect: the last page is the one that also leads to a login, and leads to callback_uri.
    tells_type: whether the `type` of a page is that of the tariff, not "render".
    saves_first: the tariff is connected before its summary is shown, not by an action there.
    when_over: how Connect refuses a token that is over: by an "error", by a "page" that says so, or by an empty "404".
    error_status, trouble_status: the status of Connect's errors, and of those that are FlatPeak's own fault, which are then
    named connect_error and server_error; 0 for zero's.
    readings: from a switch and its value to the fields of this class that it changes, where FlatPeak's sources disagree.
    """

    version: str = "2024-08-24.zero"
    pages: Mapping[str, Any] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ("callback_uri",)
    more: tuple[str, ...] = ()
    start: str = ""
    back: str = ""
    close: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    acts_without_route: bool = False
    ends_by_redirect: bool = False
    tells_type: bool = False
    saves_first: bool = False
    when_over: str = "error"
    error_status: int = 0
    trouble_status: int = 0
    readings: Mapping[tuple[str, Any], Json] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The version without its date."""
        return self.version.partition(".")[2]

    @property
    def first(self) -> str:
        """The page that starts a conversation, by zero's name: the first of its table."""
        return next(iter(self.pages))

    def names(self) -> dict[str, str]:
        """The routes of its own, with zero's name for each."""
        start = {self.start: self.first} if self.start else {}
        return {self.route(name): name for name in self.pages} | start

    def route(self, zero: str) -> str:
        return self.routes.get(zero, zero)

    def action(self, zero: str) -> str:
        return self.actions.get(zero, zero)

    def field(self, zero: str) -> str:
        return self.fields.get(zero, zero)

    def renamed(self, answer: Json) -> Json:
        """An answer about a connect token, with this release's names of its fields."""
        return {self.field(name): value for name, value in answer.items() if self.field(name)}

    def under(self, switches: Json) -> "Release":
        """This release as the switches read it."""
        found = self
        for (switch, value), changes in self.readings.items():
            if switches.get(switch) == value:
                found = replace(found, **{name: _merged(getattr(found, name), new) for name, new in changes.items()})
        return found


def _merged(old: Any, new: Any) -> Any:
    return {**old, **new} if isinstance(new, Mapping) else new
