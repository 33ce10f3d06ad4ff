"""A release of FlatPeak: what it calls things, and how its conversations begin, go back and end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .codec import Json


@dataclass(frozen=True)
class Release:
    """Zero, or zero by other names: `make_server(release=Release(actions={"SAVE": "STORE"}))`.

    routes, actions, fields: from zero's name to this release's. A name that is left out stays; two routes may become one.
    The fields are those of a connect token: in the request for one, its answer, and the exchange's query and answer.
    paths: from a call, by its name in the counts, to its path.
    start: the route that begins a conversation; zero's own then only resumes it.
    back: the action by which Connect shows the previous page again. An earlier page can be answered all the same, unless
    the switch earlier_answers says refuse.
    ends_by_redirect: the last page is the one that also leads to a login, and leads to callback_uri.
    """

    version: str = "2024-08-24.zero"
    routes: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    start: str = ""
    back: str = ""
    ends_by_redirect: bool = False

    def route(self, zero: str) -> str:
        return self.routes.get(zero, zero)

    def action(self, zero: str) -> str:
        return self.actions.get(zero, zero)

    def field(self, zero: str) -> str:
        return self.fields.get(zero, zero)

    def renamed(self, answer: Json) -> Json:
        """An answer about a connect token, with this release's names of its fields."""
        return {self.field(name): value for name, value in answer.items()}


ZERO = Release()
