"""All that the sandbox remembers: clock, switches, calls, customers, locations, tokens: one dict behind one lock."""

import contextlib
import os
import secrets
import tempfile
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .wire import Json, data, dumps, loads

SWITCHES: dict[str, Json] = data("switches")
DEFAULTS = {name: each["default"] if "choices" in each else int(each["default"]) for name, each in SWITCHES.items()}
BOXES = ("bearers", "customers", "locations", "tokens")


class World:
    """The sandbox's memory; take `lock` around whatever reads or writes `state`.

    state: {"bearers": {bearer: …}, "customers": {cus_…: …}, "locations": {loc_…: …}, "tokens": {cot_…: …},
    "clock": {"offset": microseconds ahead of the real clock, "frozen": RFC 3339 or None}, "switches": {name: value}}.
    Raises ValueError for a switch or a time that cannot be, and for a state file that cannot be read.
    """

    def __init__(self, state: str | Path | None = None, now: datetime | None = None, **switches: Any) -> None:
        self.lock = threading.RLock()
        self.path = Path(state) if state else None
        self.counts: Counter[str] = Counter()
        self.changed = False
        self.first_now = now
        self.first_switches = {name: self.checked(name, value) for name, value in switches.items()}
        self.state: Json = {}
        self.reset()
        if self.path and self.path.exists():
            self.load(self.path)
            self.changed = False
        self.save()

    def reset(self) -> None:
        """Forget everything; clock and switches as the start options said."""
        self.counts.clear()
        self.state = {box: {} for box in BOXES}
        self.state["clock"] = {"offset": 0, "frozen": None}
        self.state["switches"] = dict(DEFAULTS) | self.first_switches
        if self.first_now:
            self.set_now(self.first_now)
        self.changed = True

    def load(self, path: Path) -> None:
        try:
            saved = loads(path.read_bytes())
            if [type(saved[box]) for box in (*BOXES, "clock", "switches")] != [dict] * 6:
                raise ValueError("not a sandbox's state")
            switches = {name: self.checked(name, value) for name, value in saved["switches"].items()}
            clock = {"offset": int(saved["clock"]["offset"]), "frozen": saved["clock"]["frozen"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"The state file {path} cannot be read ({error}): repair or delete it.") from error
        self.state.update({box: saved[box] for box in BOXES})
        self.state["switches"].update(switches | self.first_switches)
        if not self.first_now:
            self.state["clock"] = clock

    def save(self) -> None:
        """Write the state if it changed since the last time: whole or not at all, and for the owner's eyes only."""
        if not self.path or not self.changed:
            return
        with self.lock:
            text, self.changed = dumps(self.state), False
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, self.path)
        except BaseException:
            self.changed = True
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    # The clock

    def now(self) -> datetime:
        """The sandbox's time, aware, in UTC."""
        clock = self.state["clock"]
        if clock["frozen"]:
            return datetime.fromisoformat(clock["frozen"])
        return datetime.now(UTC) + timedelta(microseconds=int(clock["offset"]))

    def set_now(self, moment: datetime | None) -> None:
        """Put the clock to a moment (None: to the real time); it runs on from there, or stays if it is frozen."""
        moment = (moment or datetime.now(UTC)).astimezone(UTC)
        offset = moment - datetime.now(UTC)
        clock = self.state["clock"]
        clock["offset"] = offset // timedelta(microseconds=1)
        clock["frozen"] = moment.isoformat() if clock["frozen"] else None
        self.changed = True

    def advance(self, seconds: float) -> None:
        """Put the clock on by so many seconds, or back if they are negative; ValueError outside of the calendar."""
        try:
            self.set_now(self.now() + timedelta(seconds=seconds))
        except OverflowError:
            raise ValueError("The clock cannot go there.") from None

    def freeze(self, frozen: bool) -> None:
        moment = self.now()
        self.state["clock"]["frozen"] = moment.isoformat() if frozen else None
        self.set_now(moment)

    # The switches

    @staticmethod
    def checked(name: str, value: Any) -> Any:
        """A switch's value if it may have it; ValueError, with what it may have, if not."""
        if name not in SWITCHES:
            raise ValueError(f"There is no switch {name}; there are {', '.join(SWITCHES)}.")
        choices = SWITCHES[name].get("choices")
        if choices is None:
            if isinstance(value, bool) or not str(value).isascii() or not str(value).isdecimal() or int(value) > 10**6:
                raise ValueError(f"{name} takes a whole number from 0 to 1000000.")
            return int(value)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ValueError(f"{name} takes one of {dumps(choices)}.")
        return value

    def switch(self, name: str) -> Any:
        return self.state["switches"][name]

    def new_id(self, prefix: str, size: int = 12) -> str:
        return f"{prefix}_{secrets.token_hex(size)}"
