"""Everything that the sandbox remembers, behind one lock."""

import os
import random
import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .codec import Json, dumps, loads
from .faults import AT_ONCE, Fault, parse
from .release import Release
from .releases import Releases
from .switches import SWITCHES, checked


class World:
    """The sandbox's memory. Hold `lock` to read or write `state`.

    state: {"bearers": {bearer: …}, "customers": {cus_…: …}, "locations": {loc_…: …}, "tokens": {cot_…: …},
    "clock": {"offset": microseconds ahead of the real clock, "frozen": RFC 3339 or None}, "switches": {name: value},
    "releases": {account or "*": the name of the release that it was raised to}}.
    Raises ValueError for a wrong switch, fault or release, and for a state file that cannot be read.
    """

    def __init__(
        self,
        state: str | Path | None = None,
        now: datetime | None = None,
        faults: Any = (),
        seed: int | None = None,
        release: Release | str = "zero",
        **switches: Any,
    ) -> None:
        self.lock = threading.RLock()
        self.first_release = release
        self.path = Path(state) if state else None
        self.counts: Counter[str] = Counter()
        self.first_now = now
        self.first_switches = {name: checked(name, value) for name, value in switches.items()}
        self.struck: Counter[str] = Counter()
        self.tolerated: Counter[str] = Counter()
        self.refuse: Callable[[float], None] | None = None  # set by the server
        self.saved_next = 0.0  # by time.monotonic
        self.events: Any = None  # a Deliveries, set by the server
        self.reset()
        self.set_faults(faults, seed)
        if self.path and self.path.exists():
            self.load(self.path)
        self.save()

    def reset(self) -> None:
        """Forget everything and turn the faults off. Clock, switches and release are as at the start."""
        self.counts.clear()
        self.struck.clear()
        self.tolerated.clear()
        self.state: Json = {box: {} for box in ("bearers", "customers", "locations", "tokens", "releases")}
        self.speak(self.first_release)
        self.set_faults([])
        self.state["clock"] = {"offset": 0, "frozen": None}
        defaults = {name: checked(name, each["default"]) for name, each in SWITCHES.items()}
        self.state["switches"] = defaults | self.first_switches
        self.set_now(self.first_now)
        if self.events:
            self.events.reset()

    def load(self, path: Path) -> None:
        try:
            saved = loads(path.read_bytes())
            # An earlier version had no releases, other tokens and other switches.
            saved = {name: dict(saved[name]) for name in self.state if name in saved or name != "releases"}
            saved = {"releases": {}} | saved
            saved["tokens"] = {key: each for key, each in saved["tokens"].items() if "release" in each}
            known = {name: value for name, value in saved["switches"].items() if name in SWITCHES}
            switches = {name: checked(name, value) for name, value in known.items()}
            saved["switches"] = self.state["switches"] | switches | self.first_switches
            if self.first_now:
                saved["clock"] = self.state["clock"]
            self.state, self.changed = saved, False
            self.releases.raised = {each: self.releases.known(name).name for each, name in saved["releases"].items()}
            self.now()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"The state file {path} cannot be read ({error}): repair or delete it.") from error

    def save_in_turn(self) -> None:
        """Save, at most one twentieth of the time: to write a large state takes long."""
        began = time.monotonic()
        if self.changed and began >= self.saved_next:
            self.save()
            self.saved_next = began + 20 * (time.monotonic() - began)

    def save(self) -> None:
        """Write the state if it changed, atomically. Only the owner can read the file."""
        if not self.path or not self.changed:
            return
        with self.lock:
            text, self.changed = dumps(self.state), False
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, self.path)
        except BaseException:
            self.changed = True
            Path(name).unlink(missing_ok=True)
            raise

    def now(self) -> datetime:
        """The sandbox's time, aware, in UTC."""
        clock = self.state["clock"]
        if clock["frozen"]:
            return datetime.fromisoformat(clock["frozen"])
        return datetime.now(UTC) + timedelta(microseconds=int(clock["offset"]))

    def set_now(self, moment: datetime | None) -> None:
        """Set the clock (None: to the real time). It runs on from there unless it is frozen."""
        moment = (moment or datetime.now(UTC)).astimezone(UTC)
        clock, offset = self.state["clock"], moment - datetime.now(UTC)
        clock |= {"offset": offset // timedelta(microseconds=1), "frozen": clock["frozen"] and moment.isoformat()}
        self.changed = True

    def advance(self, seconds: float) -> None:
        """Move the clock. Raises ValueError outside of the calendar."""
        try:
            self.set_now(self.now() + timedelta(seconds=seconds))
        except OverflowError:
            raise ValueError("The clock cannot go there.") from None

    def freeze(self, frozen: bool) -> None:
        moment = self.now()
        self.state["clock"]["frozen"] = moment.isoformat() if frozen else None
        self.set_now(moment)

    def set_faults(self, faults: Any, seed: int | None = None) -> None:
        """Replace the faults, as POST /_sandbox does. Raises ValueError if one is wrong.

        seed: repeats the faults that strike by chance; None draws one.
        """
        self.faults: list[Fault] = parse(faults, self.routes)
        self.seed = secrets.randbelow(10**6) if seed is None else int(seed)
        self.chance = random.Random(self.seed)  # nosec B311  # must repeat, need not be secret
        self.strike_at_once()

    def strike_at_once(self) -> None:
        """Make the server refuse connections if a fault says so, otherwise accept them again."""
        if not self.refuse:
            return
        found = next((each for each in self.faults if each.name == AT_ONCE and each.left), None)
        if found:
            found.left = 0
            self.struck[AT_ONCE] += 1
        self.refuse(float(found.options["seconds"]) if found else 0)

    def speak(self, release: Release | str) -> None:
        """Make another release the default until the next reset. Raises ValueError for a name that zero does not have."""
        self.releases = Releases(release, self.state["releases"])
        self.routes = self.releases.routes()

    def raise_to(self, account: str, name: str) -> None:
        """Raise an account, or ALL, to a later release. Raises ValueError for an earlier one."""
        self.releases.check_raise(account, name)
        self.state["releases"][account] = name
        self.changed = True

    def release_of(self, account: str) -> Release:
        """The release that an account has, as the switches read it."""
        return self.releases.of_account(account).under(self.state["switches"])

    def release(self, name: str) -> Release:
        """A release by its name, as the switches read it."""
        return self.releases.known(name).under(self.state["switches"])

    def switch(self, name: str) -> Any:
        return self.state["switches"][name]
