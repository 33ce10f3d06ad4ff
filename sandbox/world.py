"""All that the sandbox remembers: clock, switches, faults, calls, customers, locations, tokens; behind one lock."""

import os
import random
import re
import secrets
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .faults import AT_ONCE, Fault, parse
from .pages import PAGES, START
from .release import ZERO, Release
from .wire import Json, data, dumps, loads

SWITCHES: dict[str, Json] = data("switches")


def choices(name: str) -> str:
    """What a switch may be, in words."""
    if "choices" not in SWITCHES[name]:
        return "a whole number from 0 to 999999"
    return " or ".join(map(dumps, SWITCHES[name]["choices"])).replace('"', "")


def checked(name: str, value: Any) -> Any:
    """A switch's value if it may have it; ValueError, with what it may have, if not."""
    if name not in SWITCHES:
        raise ValueError(f"There is no switch {name}; there are {', '.join(SWITCHES)}.")
    if "choices" not in SWITCHES[name] and re.fullmatch("[0-9]{1,6}", str(value)):
        return int(value)
    # By repr, as True == 1 and the switches that are true or false are nothing else.
    if repr(value) not in map(repr, SWITCHES[name].get("choices", ())):
        raise ValueError(f"{name} must be {choices(name)}.")
    return value


class World:
    """The sandbox's memory; take `lock` around whatever reads or writes `state`.

    state: {"bearers": {bearer: …}, "customers": {cus_…: …}, "locations": {loc_…: …}, "tokens": {cot_…: …},
    "clock": {"offset": microseconds ahead of the real clock, "frozen": RFC 3339 or None}, "switches": {name: value}}.
    Raises ValueError for a switch or a time that cannot be, and for a state file that cannot be read.
    """

    def __init__(
        self,
        state: str | Path | None = None,
        now: datetime | None = None,
        faults: Any = (),
        seed: int | None = None,
        release: Release = ZERO,
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
        self.refuse: Callable[[float], None] | None = None  # the server's, once there is one
        self.reset()
        self.set_faults(faults, seed)
        if self.path and self.path.exists():
            self.load(self.path)
        self.save()

    def reset(self) -> None:
        """Forget everything and turn the faults off; clock, switches and release as at the start."""
        self.counts.clear()
        self.struck.clear()
        self.tolerated.clear()
        self.speak(self.first_release)
        self.set_faults([])
        self.state: Json = {box: {} for box in ("bearers", "customers", "locations", "tokens")}
        self.state["clock"] = {"offset": 0, "frozen": None}
        defaults = {name: checked(name, each["default"]) for name, each in SWITCHES.items()}
        self.state["switches"] = defaults | self.first_switches
        self.set_now(self.first_now)

    def load(self, path: Path) -> None:
        try:
            saved = loads(path.read_bytes())
            saved = {name: dict(saved[name]) for name in self.state}
            # A switch that there was in an earlier version is no reason to forget everything.
            known = {name: value for name, value in saved["switches"].items() if name in SWITCHES}
            switches = {name: checked(name, value) for name, value in known.items()}
            saved["switches"] = self.state["switches"] | switches | self.first_switches
            if self.first_now:
                saved["clock"] = self.state["clock"]
            self.state, self.changed = saved, False
            self.now()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"The state file {path} cannot be read ({error}): repair or delete it.") from error

    def save(self) -> None:
        """Write the state if it changed since the last time: whole or not at all, and for the owner's eyes only."""
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
        clock, offset = self.state["clock"], moment - datetime.now(UTC)
        clock |= {"offset": offset // timedelta(microseconds=1), "frozen": clock["frozen"] and moment.isoformat()}
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

    def set_faults(self, faults: Any, seed: int | None = None) -> None:
        """Put these faults, as in POST /_sandbox, in the place of those that are set; ValueError if one is wrong.

        The same seed makes the same calls meet those that strike by chance; None draws one.
        """
        self.faults: list[Fault] = parse(faults, self.routes)
        self.seed = secrets.randbelow(10**6) if seed is None else int(seed)
        self.chance = random.Random(self.seed)  # nosec B311  # to be repeated, not to be secret
        self.strike_at_once()

    def strike_at_once(self) -> None:
        """Let the server refuse connections if one of the faults wants it to, and else none."""
        if not self.refuse:
            return
        found = next((each for each in self.faults if each.name == AT_ONCE and each.left), None)
        if found:
            found.left = 0
            self.struck[AT_ONCE] += 1
        self.refuse(float(found.options["seconds"]) if found else 0)

    def speak(self, release: Release) -> None:
        """Speak another release from now on; ValueError for a name that is none of zero's."""
        actions = {name for page in PAGES.values() for name in page.actions}
        for names, known in ((release.routes, set(PAGES)), (release.actions, actions)):
            if unknown := names.keys() - known:
                raise ValueError(f"Zero has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}.")
        self.release = release

    @property
    def routes(self) -> dict[str, str]:
        """The routes that a client can send or be sent, with zero's name for each."""
        found = {self.release.route(name): name for name in PAGES}
        return found | ({self.release.start: START} if self.release.start else {})

    def switch(self, name: str) -> Any:
        return self.state["switches"][name]
