"""Customers who connect tariffs through the proxy of the containers while something goes wrong there.

`python -m tests.containers.crowd FOLDER NAME REQUESTS_PER_SECOND [--failed N] [--troubles N]` lets eight customers and a
stranger come until the file `enough` is in the folder, which has the cookies of some users. With the file `gone`, nobody
comes back. It adds to `confirmed.json` there what the app has confirmed, and fails if more requests failed, or one customer
saw more errors, than it was told.

`python -m tests.containers.crowd FOLDER check` compares that with `sessions` and `tariffs`, two tables of the database.
"""

import argparse
import http.client
import json
import re
import ssl
import sys
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from bench.journeys import Customer

CUSTOMERS = 8
RATES = re.compile("/locations/[0-9a-f-]{36}/")
AT_PAGE = re.compile(r"/connect/([0-9a-f-]{36})/(\d+)/")
PATIENCE = 180  # seconds in which a customer comes back, before it is given up


class Trouble(Exception):
    """The customer saw an error."""


class Secure(http.client.HTTPSConnection):
    """To the proxy, whose certificate is its own. A browser names the origin with each form."""

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> None:
        super().request(method, url, body, {**(headers or {}), "Origin": "https://localhost"}, **more)


class Person(Customer):
    """Does what a page says, and opens the conversation again after an error, as its page tells a customer to."""

    def __init__(self, name: str, coming: deque[str], pause: float, folder: Path) -> None:
        super().__init__(443, "none=none", name)
        self.coming, self.pause, self.enough, self.gone = coming, pause, folder / "enough", folder / "gone"
        self.pages: dict[str, int] = {}  # the newest page of each conversation that the app has shown
        self.failed: Counter[str] = Counter()
        self.troubles, self.slowest = 0, 0.0  # errors seen, seconds
        self.stuck: list[str] = []  # addresses of pages that lead nowhere

    def ask(self, method: str, path: str, body: str = "") -> None:
        time.sleep(self.pause)
        self.connection = Secure("localhost", 443, context=ssl._create_unverified_context(), timeout=60)
        began, before = time.monotonic(), self.statuses.copy()
        try:
            super().ask(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.failed[type(error).__name__] += 1
            raise Trouble from error
        finally:
            self.connection.close()
            self.slowest = max(self.slowest, time.monotonic() - began)
        for status in self.statuses - before:
            if status >= 400:
                self.failed[str(status)] += 1
                raise Trouble
        if there := AT_PAGE.fullmatch(self.path):
            self.pages[there[1]] = max(int(there[2]), self.pages.get(there[1], 0))

    def sure(self, path: str) -> None:
        """Open a page, again and again until it comes."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.get(path)
            except Trouble:
                self.troubles += 1
                if time.monotonic() > end or self.gone.exists():
                    raise
                time.sleep(1)

    def pressed(self, data: dict[str, str]) -> None:
        here = AT_PAGE.fullmatch(self.path)
        try:
            self.press(data)
        except Trouble:
            self.troubles += 1
            time.sleep(1)
            self.sure(f"/connect/{here[1]}/" if here else "/connect/")

    def come(self) -> None:
        while not self.enough.exists():
            cookie = self.coming.popleft()
            self.become(cookie)
            try:
                self.connect()
            except Trouble:
                if not self.gone.exists():
                    self.stuck.append(self.path)
            name = cookie.partition("=")[0]
            self.coming.append(f"{name}={self.cookies.get(name, '')}")  # another one, once a key was replaced

    def connect(self) -> None:
        self.number += 1
        tariff = f"{self.name} {self.number}"
        self.sure("/connect/")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if RATES.fullmatch(self.path):
                self.finished.append(tariff)
                return
            if "One moment" in self.page:
                time.sleep(0.5)
                self.sure(re.search(r'url=([^"]+)"', self.page)[1])  # type: ignore[index]
            elif 'name="direction"' in self.page:
                self.pressed({"direction": "IMPORT", "country_code": "GB"})
            elif self.action():
                self.pressed(self.answer(tariff))
            else:
                break
        self.stuck.append(self.path)

    def look(self) -> None:
        """What a stranger does."""
        while not self.enough.exists():
            for path in ("/", "/account/login/"):
                try:
                    self.get(path)
                except Trouble:
                    self.troubles += 1
            time.sleep(1)


def crowd(folder: Path, name: str, rate: float, failed: int | None, troubles: int | None) -> bool:
    """Let them come. Prints what they saw; returns whether it is as it must be."""
    coming = deque((folder / "cookies").read_text().split())
    pause = CUSTOMERS / rate
    began = time.monotonic()
    people = [Person(f"{name} {number}", coming, pause, folder) for number in range(CUSTOMERS)]
    other = Person(f"{name} stranger", coming, 0, folder)
    threads = [threading.Thread(target=act) for act in (*(person.come for person in people), other.look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (folder / "cookies").write_text("\n".join(coming))
    seconds, people = time.monotonic() - began, [*people, other]
    confirmed = folder / "confirmed.json"
    known = json.loads(confirmed.read_text()) if confirmed.exists() else {"tariffs": [], "pages": {}}
    known["tariffs"] += [tariff for person in people for tariff in person.finished]
    known["pages"] |= {session: number for person in people for session, number in person.pages.items()}
    confirmed.write_text(json.dumps(known))
    wrong = sum((person.failed for person in people), Counter[str]())
    asked = sum(sum(person.statuses.values()) for person in people) + sum(wrong.values())
    finished = sum(len(person.finished) for person in people)
    stuck = [path for person in people for path in person.stuck]
    most = max(person.troubles for person in people)
    print(
        f"  {name}: {asked} requests in {seconds:.0f} s, {sum(wrong.values())} failed"
        + (f" ({', '.join(f'{what}: {count}' for what, count in wrong.items())})" if wrong else "")
        + f", at most {most} errors for one customer, the slowest answer after"
        f" {max(person.slowest for person in people):.1f} s, {finished} tariffs connected",
        flush=True,
    )
    if stuck:
        print(f"  FAULT: no way on from {stuck}")
    few = (failed is None or wrong.total() <= failed) and (troubles is None or most <= troubles)
    return few and finished > 0 and not stuck


def check(folder: Path) -> bool:
    """Compare what was confirmed with the database."""
    known = json.loads((folder / "confirmed.json").read_text())
    sessions = dict(line.split("|") for line in (folder / "sessions").read_text().splitlines())
    stored = Counter((folder / "tariffs").read_text().splitlines())
    lost = [name for name in known["tariffs"] if not stored[name]]
    lost += [session for session, number in known["pages"].items() if int(sessions.get(session, -1)) < number]
    twice = [name for name, count in stored.items() if count > 1]
    print(
        f"  {len(known['tariffs'])} tariffs confirmed so far, {len(lost)} answers lost, {len(twice)} tariffs stored twice"
    )
    for each in [*lost, *twice]:
        print(f"  FAULT: {each}")
    return not lost and not twice


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("rate", type=float, nargs="?", default=10)
    parser.add_argument("--failed", type=int)
    parser.add_argument("--troubles", type=int)
    told = parser.parse_args()
    well = (
        check(told.folder)
        if told.name == "check"
        else crowd(told.folder, told.name, told.rate, told.failed, told.troubles)
    )
    sys.exit(not well)
