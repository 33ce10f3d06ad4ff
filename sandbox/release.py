"""A release of FlatPeak: what it calls things, and how its conversations begin, go back and end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .wire import Json


@dataclass(frozen=True)
class Release:
    """Zero, or zero with other names: `make_server(release=Release(routes={"provider_select": "choose_company"}))`.

    The mappings go from zero's name to this release's; what a mapping leaves out is called as in zero. `fields` are those
    of the connect token: in the request for one, its answer, the exchange's query and its answer. `paths` go from a call
    (as the counts name it) to its path. `start` is the route that begins a conversation; without one session_restore
    does, which otherwise only resumes. `back` is the action by which Connect shows the previous question again; without
    one there is none. `ends_by_redirect`: the last page is not session_complete but a session_redirect to callback_uri.
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
        """The answer about a connect token, its fields named as in this release."""
        return {self.field(name): value for name, value in answer.items()}


ZERO = Release()
