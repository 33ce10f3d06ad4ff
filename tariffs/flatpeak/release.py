"""The names that a release of FlatPeak changed. The app's own names are those of zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


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
    """`name` is the release's column in `connect_ui.routes`; `fields` are those of a connect token, asked for and given."""

    name: str
    actions: Names = Names()
    fields: Names = Names()


SPOKEN = Release("zero")
