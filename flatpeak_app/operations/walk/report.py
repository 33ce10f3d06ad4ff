"""The differences that a walk finds."""

from collections.abc import Callable
from typing import Any

from tariffs.flatpeak import JSON

from . import expected
from .transcript import Transcript


class Report:
    """`differences` are sentences, in the order in which they were found. `tell` gets each at once, as a line of text."""

    def __init__(self, transcript: Transcript, tell: Callable[[str], None]) -> None:
        self.transcript, self.tell = transcript, tell
        self.differences: list[str] = []

    def differ(self, *told: str) -> None:
        """Tell a difference: where it is, and what it is."""
        self.differences.append(": ".join(told))
        self.tell(self.differences[-1])

    def compare(self, where: str, came: Any, kinds: expected.Kinds, wanted: JSON) -> None:
        """Tell which fields of an answer are not of these kinds, and which have not the value that is wanted."""
        for told in (*expected.differences(came, kinds), *expected.other_values(came, wanted)):
            self.differ(where, told)

    def asked(self, make: Callable[[], JSON], kinds: expected.Kinds, wanted: JSON) -> JSON:
        """Make a REST call, compare its answer as it came, and return what `make` made of it. Raises FlatPeakError."""
        before = len(self.transcript.calls)
        answer = make()
        *others, last = self.transcript.calls[before:]
        for other in others:
            if other.status == 404:
                self.differ(other.name, "404, so this app took another path")
        self.compare(last.name, last.came, kinds, wanted | {"live_mode": False})
        if not last.release:
            self.differ(last.name, "lacks the header flatpeak-version")
        return answer
