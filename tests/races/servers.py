"""The product under gunicorn on the database of the test run, the sandbox beside it, and customers in their browsers."""

import html
import os
import re
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.cookiejar import CookieJar
from itertools import cycle
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import psycopg
import requests
import simplejson
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import F
from django.test import Client
from redis import Redis

from connect_ui.models import ConnectSession
from tariffs.flatpeak import KNOWN
from tests import scan
from tests.programs import Program, free_port, is_free, run
from tests.races.forms import Button, Form, forms

PASSWORD = "correct horse battery"
TORTURE = "TORTURE" in os.environ
RELEASES = [each.name for each in KNOWN] if TORTURE else ["zero"]
# What each page of a journey by hand is answered with, by the field that only it has; SAVE stands for the summary.
ANSWERS = {
    "direction": {"direction": "IMPORT", "country_code": "GB"},
    "address_line1": {
        "address_line1": "1 Example Street",
        "city": "London",
        "post_code": "N1 1AA",
        "country_code": "GB",
        "again": "1",  # who has connected it already is not asked about it
    },
    "provider": {"provider": "Ecotricity"},
    "options": {"options": "FIXED"},
    "cost": {"cost": "28.15"},
    "tariff_name": {"tariff_name": "Simple"},
    "term": {"term": "unknown"},
    "SAVE": {"action": "SAVE"},
}
STEPS = list(ANSWERS)
IN_ANODE = {"SAVE": "CLOSE", "RECONNECT": "EDIT"}  # what its pages have in place of an action
ADDRESSES = cycle(range(1, 255))  # the last number of a browser's


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls at the same moment, each in a thread of its own; what they return, in their order."""
    barrier = Barrier(len(calls))

    def go(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(go, calls))


def wait_until(ready: Callable[[], bool], seconds: float = 60, every: float = 0.01) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"not so after {seconds} seconds"
        time.sleep(every)


def shared_cache() -> str:
    """The Redis database of this process of the test run, "" if there is none; each test begins with an empty one."""
    cache = django_settings.CACHES["default"]
    if "Redis" in cache["BACKEND"]:
        return cache["LOCATION"]
    given, process = os.environ.get("RACES_CACHE_URL", ""), os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"{given.rpartition('/')[0]}/{process.removeprefix('gw')}" if given and process else given


class Servers:
    """Two workers where there is a Redis that they share, else one; each has gunicorn.conf.py's threads.

    CACHE_URL names it, or RACES_CACHE_URL, for the races alone.
    """

    def __init__(self, folder: Path, release: str) -> None:
        self.folder, self.release, self.port, self.sandbox_port = folder, release, free_port(), free_port()
        self.url, self.sandbox_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.sandbox_port}"
        own = connection.settings_dict
        self.settings = {
            "VAR_DIR": folder,
            "SECRET_KEY": django_settings.SECRET_KEY,
            "SITE_URL": self.url,
            "SANDBOX_PORT": self.sandbox_port,
            "FLATPEAK_EVENTS": True,
            "TRUSTED_PROXIES": 1,  # each browser has an address of its own, and with it limits
            # Longer than anything takes on a busy machine: no race waits for one of them to be over.
            "FLATPEAK_CONNECT_TIMEOUT": 5,
            "FLATPEAK_READ_TIMEOUT": 20,
            "DATABASE_URL": f"sqlite:///{own['NAME']}"
            if connection.vendor == "sqlite"
            else f"postgres://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{own['NAME']}",
        }
        if cache := shared_cache():
            self.settings |= {"CACHE_URL": cache, "WEB_CONCURRENCY": 2}
        self.log, self.seen = "", 0
        self.statuses: Counter[int] = Counter()

    # -- gunicorn

    def serve(self, port: int = 0, **changed: object) -> Program:
        port = port or self.port
        command = (sys.executable, "-m", "gunicorn", "flatpeak_app.wsgi", "--bind", f"127.0.0.1:{port}")
        app = Program(*command, **self.settings | changed)
        app.wait_for_page(port, "/healthz")
        return app

    @contextmanager
    def running(self) -> Iterator["Servers"]:
        command = (
            "-m",
            "sandbox",
            "--quiet",
            "--port",
            str(self.sandbox_port),
            "--state",
            str(self.folder / "sandbox"),
            "--release",
            self.release,
        )
        with Program(sys.executable, *command) as sandbox:
            sandbox.wait_for_page(self.sandbox_port)
            self.app = self.serve()
            try:
                yield self
            finally:
                self.app.__exit__()

    def kill(self) -> None:
        """Every process of gunicorn's at once, as when the power goes."""
        os.killpg(self.app.process.pid, signal.SIGKILL)
        self.app.process.wait(60)
        wait_until(lambda: is_free(self.port))

    def start_again(self) -> None:
        self.keep_log(self.app)
        self.app.__exit__()
        self.app, self.seen = self.serve(), 0

    def keep_log(self, app: Program) -> None:
        """Put what a gunicorn logged since the test began to `log`."""
        self.log += app.output[self.seen if app is self.app else 0 :]

    def begin(self) -> None:
        """A test begins: nothing is known of an earlier one."""
        self.control(reset=True)
        if cache := self.settings.get("CACHE_URL"):
            Redis.from_url(cache).flushdb()
        self.log, self.seen, self.statuses = "", len(self.app.output), Counter()

    def manage(self, command: str) -> str:
        """What the command says at its end; each call to FlatPeak is a line of the log before that."""
        done = run(sys.executable, "manage.py", command, **self.settings)
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines(keepends=True)[-1]

    # -- the sandbox

    def control(self, **changes: object) -> dict[str, Any]:
        return requests.post(f"{self.sandbox_url}/_sandbox", json=changes, timeout=30).json()

    def fault(self, call: str, name: str, **more: object) -> None:
        """Let a call go wrong, until `control(faults=[])`."""
        self.control(faults=[{"call": call, "fault": name, "times": 0} | more])

    def delay(self, milliseconds: int) -> None:
        self.control(switches={"delay_ms": milliseconds})

    @property
    def counts(self) -> Counter[str]:
        return Counter(requests.get(f"{self.sandbox_url}/_sandbox", timeout=30).json()["counts"])

    @property
    def restores(self) -> int:
        """How often Connect was asked where a conversation begins or stands."""
        counts = self.counts
        return counts["connect.session_restore"] + counts["connect.session_start"]

    @property
    def sent(self) -> int:
        """How many answers were sent to Connect."""
        return self.counts["connect"] - self.restores

    @property
    def priced(self) -> int:
        """How often FlatPeak was asked for rates."""
        return self.counts["rates"] + self.counts["prices"]

    def struck(self, times: int) -> None:
        """Wait until the faults have struck so often."""
        url = f"{self.sandbox_url}/_sandbox"
        wait_until(lambda: sum(requests.get(url, timeout=30).json()["struck"].values()) >= times)

    @property
    def workers(self) -> list[int]:
        """The processes of gunicorn's that answer."""
        leader = self.app.process.pid
        return [int(each) for each in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]

    @property
    def world(self) -> dict[str, Any]:
        """All that the sandbox remembers."""
        file = self.folder / "sandbox"
        self.control()  # it saves before it accepts a connection, and whatever it saves from now on is new
        file.unlink(missing_ok=True)
        self.control()  # which it counts as a change
        wait_until(lambda: requests.get(f"{self.sandbox_url}/_sandbox", timeout=30).ok and file.exists())
        return simplejson.loads(file.read_text())

    # -- the database

    @staticmethod
    def claims_grow_old() -> None:
        """What otherwise takes six timeouts: whoever held a claim is known to be gone."""
        hour = timedelta(hours=1)
        ConnectSession.objects.update(claimed_until=F("claimed_until") - hour, due_at=F("due_at") - hour)

    @contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        """For the length of the block and so many seconds more nobody else can write."""
        own = connection.settings_dict
        if connection.vendor == "sqlite":
            other: Any = sqlite3.connect(own["NAME"], isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
        else:
            other = psycopg.connect(self.settings["DATABASE_URL"].replace("postgres://", "postgresql://"))
            other.execute("LOCK TABLE connect_ui_connectsession IN ACCESS EXCLUSIVE MODE")
        yield
        time.sleep(seconds)
        other.rollback()
        other.close()

    def tab(self, user: Any = None) -> "Tab":
        """A browser's first tab, of somebody who has signed in."""
        tab = Tab(self)
        if user:
            client = Client()
            client.force_login(user)
            tab.browser.cookies.set("sessionid", client.cookies["sessionid"].value, domain="127.0.0.1", path="/")
        return tab


class Tab:
    """Follows links, forms and redirects as a browser does without script. Tabs of one browser share its cookies."""

    def __init__(self, site: Servers, cookies: CookieJar | None = None, address: str = "", **view: str) -> None:
        self.site, self.browser = site, requests.Session()
        self.address = address or f"192.0.2.{next(ADDRESSES)}"
        self.browser.headers["X-Forwarded-For"] = self.address
        if cookies is not None:
            self.browser.cookies = cookies  # type: ignore[assignment]
        self.page, self.path, self.query = view.get("page", ""), view.get("path", "/"), ""
        self.url = view.get("url", site.url)

    def another(self) -> "Tab":
        """Another tab of the same browser, with the same page in it."""
        return Tab(self.site, self.browser.cookies, self.address, page=self.page, path=self.path, url=self.url)

    # -- what is seen

    @property
    def text(self) -> str:
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.page)))

    @property
    def step(self) -> str:
        """Which of STEPS is in view, "" if none is: the page of the rates has forms that begin another conversation."""
        if self.is_connected:
            return ""
        named = re.findall(r'name="(\w+)"', self.page) + re.findall(r'name="action" value="(\w+)"', self.page)
        named += ["SAVE"] * (">Done</button>" in self.page)
        return next((step for step in STEPS if step in named), "")

    @property
    def conversation(self) -> str:
        """The address of the conversation in view, which leads on to its newest page."""
        return re.sub(r"\d+/$", "", self.path)

    @property
    def is_connected(self) -> bool:
        """Whether the conversation led to the rates of a stored tariff."""
        return re.fullmatch("/locations/[0-9a-f-]{36}/", self.path) is not None

    @property
    def is_waiting(self) -> bool:
        return "One moment" in self.page

    def form(self, **fields: str) -> tuple[str, dict[str, str]]:
        """Where the form with these fields goes, and what: these, and what stands in it."""
        name = next(iter(fields), "csrfmiddlewaretoken")
        form = next(
            each
            for each in reversed(forms(self.page))
            if name in each.names and each.address not in ("/language/", "/theme/")
        )
        if "provider" in fields:
            fields["provider"] = next(each.value for each in form.buttons if fields["provider"] in each.words)
        if self.site.release == "anode" and fields.get("action") in IN_ANODE:
            fields["action"] = IN_ANODE[fields["action"]]
        return form.address or self.path, form.fields | fields

    # -- what is done

    def ask(self, method: str, path: str, data: dict[str, str] | None = None) -> "Tab":
        """A page, or, from a server that dies meanwhile, none: the one in view stays."""
        try:
            answer = self.browser.request(method, self.url + path, data=data, timeout=60)
        except requests.RequestException:
            return self
        for each in [*answer.history, answer]:
            if each.url.startswith(self.site.sandbox_url):  # a provider's login, in its own words
                continue
            self.site.statuses[each.status_code] += 1
            if not urlsplit(each.url).path.endswith("/login/"):
                scan.look(f"an address that {path} led to", each.headers.get("Location", ""))
        scan.look(f"the body of {path}", answer.text)
        url = urlsplit(answer.url)
        self.page, self.path, self.query = answer.text, url.path, url.query
        return self

    def get(self, path: str = "") -> "Tab":
        return self.ask("GET", path or self.path)

    def press(self, **fields: str) -> "Tab":
        address, data = self.form(**fields)
        return self.ask("POST", address, data)

    def press_on(self, words: str) -> "Tab":
        """Press the button that is called so, of the last form that has one."""
        form, button = next(
            (form, each) for form in reversed(forms(self.page)) for each in form.buttons if each.words == words
        )
        return self.ask("POST", *self.sent_by(form, button))

    def sent_by(self, form: Form, button: Button, **typed: str) -> tuple[str, dict[str, str]]:
        """Where a press of a button goes, and what, if this is typed before."""
        named = {button.name: button.value} if button.name else {}
        return button.address or form.address or self.path, form.fields | typed | named

    def settle(self) -> "Tab":
        """Wait, as the page says, until the answer that is under way has come."""
        end = time.monotonic() + 60
        while self.is_waiting and time.monotonic() < end:
            time.sleep(0.1)
            self.get(re.search(r'url=([^"]+)"', self.page)[1])  # type: ignore[index]
        assert not self.is_waiting
        return self

    def answer(self) -> "Tab":
        return self.press(**ANSWERS[self.step])

    def walk_to(self, step: str) -> "Tab":
        """From the start page, or from where it is, to a page of STEPS."""
        if not self.step:
            self.get("/connect/")
        while self.step != step:
            before = self.step
            self.answer().settle()
            assert self.step != before, self.text
        return self

    def finish(self) -> "Tab":
        """On from the page in view to the end of the journey."""
        self.settle()
        for _ in STEPS:
            if self.step:
                self.answer().settle()
        assert self.is_connected, self.text
        return self

    def sign_in(self, user: Any) -> "Tab":
        return self.press(login=user.email, password=PASSWORD)
