"""Many concurrent customers, from the start to a stored tariff, while FlatPeak is slow and fails now and then."""

import html
import http.client
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median, quantiles
from urllib.parse import urlencode, urlsplit

import brotli

from .processes import children, memory
from .site import Row, Site

NUMBERS = count(1)  # of conversations: an address that is connected already would be asked about
DELAY = 100  # milliseconds per answer of FlatPeak
# Two calls in a hundred fail: without an answer, before or after FlatPeak did the work, or with an error.
FAULTS = [
    {"call": "*", "fault": name, "rate": 0.005}
    for name in ("connection_closed", "answer_lost", "status_500", "status_429")
]


class Customer:
    """Walks through Connect as a browser does, with cookies, forms and redirects, and presses again after a failure.

    With `in_place`, as with JavaScript, the answer to a press is the next page.
    """

    def __init__(self, port: int, cookie: str, name: str, in_place: bool = False) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
        self.name, self.number, self.in_place = name, 0, in_place  # its newest conversation
        self.become(cookie)
        self.steps: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.finished: list[str] = []  # names of the tariffs whose end led to their rates

    def become(self, cookie: str) -> None:
        """Become another user on the same connection, because requests are limited per person and minute."""
        self.cookies = dict([cookie.split("=", 1)])

    def begin(self) -> None:
        """Begin a conversation; leads to its first page."""
        self.number = next(NUMBERS)
        self.get("/connect/")
        self.press({"direction": "IMPORT", "country_code": "GB"})

    def walk(self, go_on: Callable[[], bool], cookies: Iterator[str] | None = None) -> None:
        """Have conversations while `go_on()` is true, each as the next user of `cookies`, if given."""
        while go_on():
            if cookies:
                self.become(next(cookies))
            self.begin()
            tariff = f"{self.name} {self.number}"
            while go_on() and self.action():
                self.press(self.answer(tariff))
            if re.fullmatch("/locations/[0-9a-f-]{36}/", self.path):
                self.finished.append(tariff)
        self.connection.close()

    def answer(self, tariff: str) -> dict[str, str]:
        """Return what to fill in on this page."""
        page = self.page
        if 'name="address_line1"' in page:
            return {
                "address_line1": f"{tariff} Street",
                "city": "London",
                "post_code": "N1 1AA",
                "country_code": "GB",
            }
        if choice := re.search(r'name="provider" value="([^"]+)"[^>]*>(?:(?!</button>).)*Ecotricity', page, re.DOTALL):
            return {"provider": choice[1]}
        for field, value in (("options", "FIXED"), ("cost", "28.15"), ("tariff_name", tariff), ("term", "unknown")):
            if f'name="{field}"' in page:
                return {field: value}
        # In anode the tariff is saved before its summary is shown, and what is left is to be done there.
        return next(({"action": each} for each in ("SAVE", "CLOSE") if f'value="{each}"' in page), {})

    def action(self) -> str:
        """Return the action of the page's last form that posts to Connect; the start has unfinished ones below its own."""
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="(/connect/[^"]*)"', self.page)
        return self.path if 'name="direction"' in self.page else forms[-1] if forms else ""

    def press(self, data: dict[str, str]) -> None:
        hidden = dict(
            re.findall(r'<input type="hidden" name="(csrfmiddlewaretoken|newest)" value="([^"]*)"', self.page)
        )
        began = time.perf_counter()
        self.ask("POST", self.action() or self.path, urlencode(hidden | data))
        self.steps.append(time.perf_counter() - began)

    def get(self, path: str) -> None:
        self.ask("GET", path)

    def ask(self, method: str, path: str, body: str = "") -> None:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {
            "Cookie": cookies,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept-Encoding": "br",
        }
        if self.in_place and method == "POST":
            headers["Part"] = "main"
        self.connection.request(method, path, body or None, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        text = (brotli.decompress(content) if answer.headers["Content-Encoding"] == "br" else content).decode()
        self.statuses[answer.status] += 1
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        to = urlsplit(answer.headers.get("Location", "")).path
        if to.startswith("/locations/"):  # the end: the rates are measured by themselves
            self.path, self.page = to, ""
        elif to:
            self.ask("GET", to)
        else:
            self.path, self.page = answer.headers.get("Content-Location", path), html.unescape(text)


def load(site: Site, quick: bool) -> Iterator[Row]:
    """Measure steps per second, the slowest steps and losses over five minutes; fails if anything was lost."""
    from tariffs.models import Location, Tariff

    customers, seconds = (8, 6) if quick else (200, 300)
    cookies = site.customers(customers)
    before = set(Location.objects.values_list("pk", flat=True))
    with site.sandbox(), site.app(workers=site.workers) as app:
        site.control(switches={"delay_ms": DELAY}, faults=FAULTS, seed=int(os.environ.get("TORTURE_SEED", 1)))
        walking = [Customer(site.port, cookie, f"c{n}") for n, cookie in enumerate(cookies)]
        end = time.perf_counter() + seconds
        threads = [
            threading.Thread(target=customer.walk, args=[lambda: time.perf_counter() < end]) for customer in walking
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds / 10)
        first = memory([app.process.pid, *children(app.process.pid)])
        for thread in threads:
            thread.join()
        last = memory([app.process.pid, *children(app.process.pid)])
        struck = sum(site.control(switches={"delay_ms": 0}, faults=[])["struck"].values())
        log = app.output
    steps = sorted(step for customer in walking for step in customer.steps)
    finished = [name for customer in walking for name in customer.finished]
    stored = Counter(Tariff.objects.exclude(location__in=before).values_list("name", flat=True))
    statuses = sum((customer.statuses for customer in walking), Counter[int]())
    lost, twice = sum(not stored[name] for name in finished), sum(count > 1 for count in stored.values())
    errors = log.count("Traceback") + statuses[500]
    yield (
        f"{customers} customers at once for {seconds} s, {DELAY} ms per answer, {struck} calls failed: steps per second",
        f"{len(steps) / seconds:.0f} ({len(finished)} tariffs connected)",
        "",
    )
    yield (
        "… a step: the slowest 1 % beside the median",
        f"{quantiles(steps, n=100)[-1]:.2f} s / {median(steps):.2f} s",
        "",
    )
    yield "… tariffs said to be saved and not stored", str(lost), "0"
    yield "… tariffs stored twice", str(twice), "0"
    yield "… unhandled errors", str(errors), "0"
    yield "… memory of the app at its end : after a tenth of the time", f"{last / first:.2f} ({last:.0f} MB)", ""
    assert lost == twice == errors == 0
