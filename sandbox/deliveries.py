"""The delivery of events to an app: on a thread of its own, one after the other, again until the app takes them."""

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from .codec import Json, dumps, rfc3339
from .errors import Failure, check_fields
from .events import Event, between, see
from .signatures import Keys
from .wire import Reply, Request, json_reply, new_id
from .world import World

# Seconds of the sandbox's clock before each further attempt, and seconds in which an app must answer.
RETRIES, ANSWER_WITHIN = (30, 3600, 6 * 3600, 12 * 3600, 24 * 3600), 10
MOST, TICK = 1000, 0.05  # events that are remembered, and seconds between two looks at least
FIELDS = ("url", "send", "replay", "rotate")


@dataclass
class Delivery:
    """An event on its way. due: None once it was taken or given up. status: of the last answer, 0 if there was none."""

    id: str
    event: Event
    body: bytes
    due: datetime | None
    headers: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    status: int = 0

    def public(self) -> Json:
        due = self.due and rfc3339(self.due, "milliseconds")
        found = {"id": self.id, "type": self.event.type, "attempts": self.attempts, "status": self.status}
        return {**found, "due": due}


class Deliveries:
    """What is sent where. All but `start`, `stop` and the thread's own methods need the world's lock."""

    def __init__(self, world: World, url: str = "") -> None:
        self.world, self.first_url, self.keys = world, checked_url(url), Keys()
        self.thread: threading.Thread | None = None
        self.stopped = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Forget all events, and send to the address of the start."""
        self.sent: deque[Delivery] = deque(maxlen=MOST)
        self.seen = see(self.world)
        self.url = self.first_url
        self._start()

    def _start(self) -> None:
        if self.url and not self.thread:
            self.thread = threading.Thread(target=self._run, name="events", daemon=True)
            self.thread.start()

    def stop(self) -> None:
        self.stopped.set()
        if self.thread:
            self.thread.join(ANSWER_WITHIN + 1)

    def public(self) -> Json:
        """{"url", "sent": [{"id", "type", "attempts", "status", "due"}]}, the oldest first."""
        return {"url": self.url, "sent": [each.public() for each in self.sent]}

    def check(self, asked: Json) -> None:
        """Check what the control asks. Raises ValueError or Failure."""
        check_fields(asked, "events", (), FIELDS)
        checked_url(asked.get("url", ""))
        if "replay" in asked and asked["replay"] not in [each.id for each in self.sent]:
            raise ValueError("replay must be the id of an event that was sent.")
        sends: Any = asked.get("send", [])
        for each in sends if isinstance(sends, list) else [sends]:
            check_fields(each, "An event to send", ("type",), ("data", "id", "version", "times"))
            texts = all(isinstance(each.get(name, ""), str) for name in ("type", "id", "version"))
            if not texts or not isinstance(each.get("data", {}), dict) or each.get("times", 1) not in range(1, 101):
                raise ValueError("An event has type, id and version as texts, data as an object, times from 1 to 100.")

    def change(self, asked: Json) -> None:
        """Do what the control asks, after `check`."""
        if "url" in asked:
            # What was before is not told: an app hears of what happens once its address is known.
            self.url, self.seen = asked["url"], see(self.world)
            self._start()
        if asked.get("rotate"):
            self.keys.rotate()
        for each in asked.get("send", ()):
            event = Event(each["type"], each.get("data", {}), each.get("version", self.world.releases.default.version))
            event_id = each.get("id") or new_id("evt")
            for _ in range(int(each.get("times", 1))):
                self._add(event, event_id)
        for old in [each for each in self.sent if each.id == asked.get("replay")][:1]:
            self.sent.append(Delivery(old.id, old.event, old.body, self.world.now(), old.headers))

    def _add(self, event: Event, event_id: str) -> None:
        now = self.world.now()
        said: Json = {"id": event_id, "object": "event", "type": event.type, "data": event.data}
        body = dumps(said | {"time_created": rfc3339(now, "milliseconds")}).encode()
        self.sent.append(Delivery(event_id, event, body, now))

    def _run(self) -> None:
        pause = TICK
        while not self.stopped.wait(pause):
            began = time.monotonic()
            with self.world.lock:
                self._look()
                waiting = [each for each in self.sent if each.due and each.due <= self.world.now()]
            pause = max(TICK, 20 * (time.monotonic() - began))  # looking takes a twentieth of the time at most
            for each in waiting:
                if not self.stopped.is_set():
                    self._attempt(each)

    def _look(self) -> None:
        if not self.url:
            return
        before, self.seen = self.seen, see(self.world)
        for event in between(self.world, before, self.seen):
            self._add(event, new_id("evt"))

    def _attempt(self, each: Delivery) -> None:
        """Send it once. A replay has its old signature, everything else one of its own."""
        with self.world.lock:
            url, now, reading = self.url, self.world.now(), self.world.switch("event_signature")
        if url and (each.attempts or not each.headers):
            signature = self.keys.headers(each.body, now, reading)  # without the lock, since it may take a second
            each.headers = {"Flatpeak-Version": each.event.version, **signature}
        status = post(url, each.body, each.headers) if url else 0
        with self.world.lock:
            pauses = dict(enumerate(RETRIES)) if url else {}
            wait = None if 200 <= status < 300 else pauses.get(each.attempts)
            each.attempts, each.status = each.attempts + 1, status
            each.due = None if wait is None else self.world.now() + timedelta(seconds=wait)


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer, 0 without one."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN)
    try:
        with suppress(OSError, HTTPException):
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            return connection.getresponse().status
    finally:
        connection.close()
    return 0


def checked_url(url: Any) -> str:
    """An address for events, or "". Raises ValueError for anything else."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or (url and not (parts.scheme in ("http", "https") and parts.hostname and url.isascii())):
        raise ValueError("The address for events must be http:// or https://, or empty.")
    return url


def jwks(world: World, request: Request) -> Json | Reply:
    """GET /jwks.json: the public keys of the signatures."""
    if world.switch("event_signature") == "no_jwks":
        return json_reply({"message": "Service Unavailable"}, 503)
    if world.events is None:
        raise Failure("not_found")
    return world.events.keys.public()
