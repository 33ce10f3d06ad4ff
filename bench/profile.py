"""`python -m bench profile`: where the CPU of a step goes, by Python's profiler, in steps that this process serves.

The profiler makes function calls look slower than they are: use it to find candidates, and `floor` to measure gains.
"""

import cProfile
import io
import pstats
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .journeys import Customer
from .site import Row, Site
from .steps import STEPS

ROOT = Path(__file__).resolve().parent.parent
STANDARD = sysconfig.get_path("stdlib")
WALKS = 20


class Connection:
    """The part of an HTTP connection that `Customer` uses; calls the app in this process and profiles it."""

    def __init__(self, app: Any, profile: cProfile.Profile) -> None:
        self.app, self.profile, self.watched = app, profile, False

    def request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> None:
        sent, url = (body or "").encode(), urlsplit(path)
        environ: dict[str, Any] = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()}
        environ |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": headers["Content-Type"],
            "CONTENT_LENGTH": str(len(sent)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(sent),
            "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(),
        }
        if self.watched:
            self.profile.enable()
        answer = self.app(environ, self.start_response)
        self.content = b"".join(answer)
        answer.close()
        self.profile.disable()

    def start_response(self, status: str, headers: Iterable[tuple[str, str]], *exception: Any) -> None:
        self.status, self.headers = int(status.split()[0]), Message()
        for name, text in headers:
            self.headers[name] = text

    def getresponse(self) -> "Connection":
        return self

    def read(self) -> bytes:
        return self.content


def part_of(function: tuple[str, int, str]) -> str:
    """Return a function's package by its file, as django.template or connect_ui; "" for built-ins."""
    file = function[0]
    if file.startswith(("~", "<")):
        return ""
    if file.startswith(STANDARD) and "/site-packages/" not in file:
        return "the standard library"
    for root in ("/site-packages/", f"{ROOT}/"):
        file = file.rpartition(root)[2]
    parts = file.removesuffix(".py").split("/")
    return ".".join(parts[:2]) if parts[0] in ("django", "tariffs", "connect_ui") else parts[0]


def shares(profile: cProfile.Profile) -> Iterator[tuple[str, float]]:
    """Yield each package's share of the time, largest first; built-ins count for their callers."""
    found: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if part := part_of(function):
            found[part] += own
        else:
            for caller, (_, _, own_from_it, _) in callers.items():
                found[part_of(caller) or "Python"] += own_from_it
    for part, seconds in found.most_common():
        yield part, seconds / found.total()


def functions(profile: cProfile.Profile) -> Iterator[tuple[str, float]]:
    """Yield our functions with their share of the time, including what they call, largest first."""
    stats = pstats.Stats(profile)
    ours = [
        (seconds / stats.total_tt, f"{Path(file).stem}.{name}")  # type: ignore[attr-defined]
        for (file, _, name), (_, _, _, seconds, _) in stats.stats.items()  # type: ignore[attr-defined]
        if file.startswith(f"{ROOT}/") and "/site-packages/" not in file and name[0] != "<"
    ]
    for share, name in sorted(ours, reverse=True):
        yield name, share


def profile(site: Site, quick: bool) -> Iterator[Row]:
    """Profile all presses from the first page of Connect to the summary."""
    from django.core.wsgi import get_wsgi_application

    app = get_wsgi_application()
    for in_place in (False, True):
        watched = cProfile.Profile(time.process_time)
        connection = Connection(app, watched)
        with site.sandbox():
            for number, cookie in enumerate(site.customers(2 if quick else WALKS)):
                customer = Customer(site.port, cookie, "profile", in_place)
                customer.connection = connection  # type: ignore[assignment]
                connection.watched = False
                customer.begin()
                connection.watched = number > 0  # skip the first walk, which fills caches
                for _ in range(STEPS):
                    customer.press(customer.answer("Simple"))
        parts = ", ".join(f"{part} {share:.0%}" for part, share in shares(watched) if share >= 0.03)
        yield f"CPU of a step {'in place' if in_place else 'by redirect'}, by package", parts, ""
        parts = ", ".join(f"{name} {share:.0%}" for name, share in functions(watched) if 0.04 <= share < 0.5)
        yield "… by function of ours, with what it calls", parts, ""
