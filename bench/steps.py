"""The cost of a step beside the floor, steps per second, and what steps leave in memory and in the database."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from statistics import median, quantiles

from .journeys import Customer
from .processes import children, connections, cpu, cpu_exactly, cpu_of_all, memory
from .site import Row, Site

CORES = os.cpu_count() or 1
THREADS = 16  # per worker, as in gunicorn.conf.py
USERS = 256  # so many that at 200 steps a second nobody exceeds the limit on answers per minute
SUMMARY = ({"action": "SAVE"}, {"action": "CLOSE"})  # what is pressed there, in zero and in anode
STEPS = 6  # presses from the first page of Connect to the summary, each one call to FlatPeak


def floor(site: Site, quick: bool) -> Iterator[Row]:
    """Compare the workers' CPU per request or step, in alternating batches of one customer at a time."""
    rounds, gets, walks = (1, 20, 1) if quick else (16, 50, 2)
    cookies = cycle(site.customers(4 if quick else 60))
    found: dict[str, list[float]] = {}
    with site.sandbox(), site.app(site.workers) as app:
        workers = children(app.process.pid)
        clients = {in_place: Customer(site.port, site.cookie, "floor", in_place) for in_place in (False, True)}

        def get(path: str, cookie: str = site.cookie) -> Callable[[], int]:
            client = clients[False]
            client.cookies = dict([cookie.split("=", 1)]) if cookie else {}

            def work() -> int:
                for _ in range(gets):
                    client.get(path)
                return gets

            return work

        def ours(in_place: bool) -> Callable[[], int]:
            begun = []
            for _ in range(walks):
                clients[in_place].become(next(cookies))
                clients[in_place].begin()
                begun.append((dict(clients[in_place].cookies), clients[in_place].path, clients[in_place].page))

            def work() -> int:
                client = clients[in_place]
                for client.cookies, client.path, client.page in begun:
                    for _ in range(STEPS):
                        client.press(client.answer("Simple"))
                    assert client.answer("") in SUMMARY, client.page
                return STEPS * walks

            return work

        def theirs(in_place: bool) -> Callable[[], int]:
            client = clients[in_place]
            client.become(next(cookies))
            client.begin()
            client.get(client.path.replace("/connect/", "/bench/step/"))

            def work() -> int:
                for _ in range(STEPS * walks):
                    client.press({"answer": "Simple"})
                return STEPS * walks

            return work

        batches: dict[str, Callable[[], Callable[[], int]]] = {
            "bare": lambda: get("/bench/bare/", ""),
            "signed in": lambda: get("/bench/signed-in/"),
            "locations": lambda: get("/locations/"),
            "rates": lambda: get(site.location),
            "floor": lambda: theirs(False),
            "step": lambda: ours(False),
            "floor in place": lambda: theirs(True),
            "step in place": lambda: ours(True),
        }
        for number in range(rounds + 1):
            for name, prepare in batches.items():
                for client in clients.values():
                    client.connection.close()  # the app may have closed it while the other batches ran
                work = prepare()
                before = cpu_exactly(workers)
                done = work()
                if number or quick:  # skip the first round, which fills caches
                    found.setdefault(name, []).append((cpu_exactly(workers) - before) / done)
        assert not [status for client in clients.values() for status in client.statuses if status > 302]
    for name, floor, words, wanted in (
        ("signed in", "bare", "CPU of a signed-in page with one query : a bare page", ""),
        ("floor", "bare", "… a step that does the least, by redirect : a bare page", ""),
        ("floor in place", "bare", "… a step that does the least, in place : a bare page", ""),
        ("step", "floor", "… a step of Connect, by redirect : one that does the least", "≤ 1.5"),
        ("step in place", "floor in place", "… a step of Connect, in place : one that does the least", "≤ 1.5"),
        ("locations", "bare", "… My locations : a bare page", "≤ 7"),
        ("rates", "bare", "… the rates page : a bare page", "≤ 7"),
    ):
        ratios = [a / b for a, b in zip(found[name], found[floor], strict=True) if b]
        costs = " : ".join(f"{1000 * median(found[each]):.1f}" for each in (name, floor))
        yield (
            words,
            f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; {costs} ms)" if ratios else "",
            wanted,
        )


class Crowd:
    """Concurrent customers who walk through Connect repeatedly, each conversation as another user."""

    def __init__(self, site: Site, size: int, users: int, in_place: bool = False) -> None:
        known, lock = cycle(site.customers(users)), threading.Lock()

        def cookies() -> Iterator[str]:
            while True:
                with lock:
                    cookie = next(known)
                yield cookie

        self.ended = threading.Event()
        self.customers = [Customer(site.port, site.cookie, f"c{n}", in_place) for n in range(size)]
        self.threads = [
            threading.Thread(target=each.walk, args=(lambda: not self.ended.is_set(), cookies()))
            for each in self.customers
        ]

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()
        refused = [status for each in self.customers for status in each.statuses if status > 302]
        assert failure[0] or not refused, refused

    @property
    def steps(self) -> int:
        return sum(len(each.steps) for each in self.customers)


class Usage:
    """CPU in seconds between two moments: of each worker, the sandbox, the client, and the database with the cache."""

    def __init__(self, site: Site, workers: list[int], sandbox: int) -> None:
        self.who = {f"worker {n}": [pid] for n, pid in enumerate(workers)} | {"sandbox": [sandbox]}
        self.site = site
        self.begin, self.began = self.now(), time.perf_counter()

    def now(self) -> dict[str, float]:
        used = {name: cpu(pids) for name, pids in self.who.items()}
        used |= {"client": time.process_time(), "database": cpu_exactly(self.site.servers()), "all": cpu_of_all()}
        return used

    def end(self) -> None:
        self.seconds = time.perf_counter() - self.began
        self.used = {name: used - self.begin[name] for name, used in self.now().items()}
        self.workers = [used for name, used in self.used.items() if name.startswith("worker")]
        self.ours = sum(self.used.values()) - self.used["all"]
        # CPU that other processes used was not available.
        self.available = max(CORES * self.seconds - max(self.used["all"] - self.ours, 0), self.ours)


def steps(site: Site, quick: bool) -> Iterator[Row]:
    """Measure steps per second beside their bound, the slowest steps, and how evenly the workers share them."""
    seconds = 1.0 if quick else 6.0
    for delay in (100,) if quick else (0, 100):
        for size in (4,) if quick else (16, 64, 256):
            site.customers(30 if quick else USERS)
            known = set(site.servers())
            with site.sandbox() as sandbox, site.app(site.workers) as app:
                workers = children(app.process.pid)
                site.control(switches={"delay_ms": delay})
                before = connections(site.sandbox_port)
                with Crowd(site, size, 30 if quick else USERS) as crowd:
                    while crowd.steps < 2 * size:
                        time.sleep(0.05)
                    done, calls = crowd.steps, site.calls()
                    usage = Usage(site, workers, sandbox.process.pid)
                    time.sleep(seconds)
                    usage.end()
                    done, calls = crowd.steps - done, site.calls() - calls
                opened, lent = len(connections(site.sandbox_port) - before), len(set(site.servers()) - known)
                site.control(switches={"delay_ms": 0})
            took = sorted(step for customer in crowd.customers for step in customer.steps)
            rate = done / usage.seconds
            cpu_bound = usage.available / usage.seconds / (usage.ours / done)
            process_bound = len(workers) / (sum(usage.workers) / done)  # Python runs one thread per process at a time
            thread_bound = len(workers) * THREADS / (delay / 1000 * calls / done) if delay else float("inf")
            patient = delay / 1000 * calls / done + sum(usage.workers) / done  # seconds per step without queueing
            customer_bound = size / patient if delay else float("inf")
            bound = min(cpu_bound, process_bound, thread_bound, customer_bound)
            name = {
                cpu_bound: "CPU",
                process_bound: "processes",
                thread_bound: "threads",
                customer_bound: "customers",
            }[bound]
            parts = ", ".join(f"{who} {1000 * used / done:.1f}" for who, used in usage.used.items() if who != "all")
            yield (
                f"{size} customers at once, {delay} ms per answer: steps per second, and share of what {name} allow",
                f"{rate:.0f}, {rate / bound:.2f} ({parts} ms of CPU)",
                "≥ 0.8" if not delay else "≥ 0.75",
            )
            yield (
                "… a step: the slowest 1 % beside the median",
                f"{1000 * quantiles(took, n=100)[-1]:.0f} ms / {1000 * median(took):.0f} ms",
                "",
            )
            share = max(usage.workers) / sum(usage.workers)
            yield f"… the busier worker's share of CPU, of {len(workers)}", f"{share:.2f}", ""
            yield (
                f"… connections opened to FlatPeak in {crowd.steps} steps",
                f"{opened}",
                f"≤ {len(workers) * THREADS} (workers × threads)",
            )
            yield "… connections to PostgreSQL, whose pools never grew beyond", f"{lent}", ""


def sqlite(site: Site, quick: bool) -> Iterator[Row]:
    """Measure `steps` on SQLite too, unless the site already runs on it."""
    if "DATABASE_URL" not in site.settings:
        return
    # In another process, because settings are read once.
    command = [sys.executable, "-m", "bench", "steps", *(["--quick"] if quick else [])]
    environment = {name: value for name, value in os.environ.items() if name not in site.settings}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    for measured, found, wanted in (line[2:-2].split(" | ") for line in printed.splitlines()):
        if "steps per second" in measured:
            yield f"SQLite, one worker: {measured}", found, wanted
        elif "slowest" in measured:
            yield measured, found, wanted


def history(site: Site, quick: bool) -> Iterator[Row]:
    """Compare PostgreSQL's CPU per step for customers with a long and a short history, in alternating batches."""
    rounds, walks = (1, 1) if quick else (4, 2)  # ten conversations, the limit of a customer per minute
    cookies = []
    for pages in (10, 100 if quick else 5000):
        cookies.append(site.sign_up(f"history{pages}@example.com"))
        add_history(f"history{pages}@example.com", pages)
    found: tuple[list[float], list[float]] = [], []
    with site.sandbox(), site.app(site.workers):
        customers = [Customer(site.port, cookie, "history") for cookie in cookies]
        for number in range(rounds + (not quick)):
            for customer, costs in zip(customers, found, strict=True):
                used = 0.0
                for _ in range(walks):
                    customer.begin()
                    before = cpu_exactly(site.servers())
                    for _ in range(STEPS):
                        customer.press(customer.answer("Simple"))
                    used += cpu_exactly(site.servers()) - before
                if number or quick:
                    costs.append(used / STEPS / walks)
    short, long = map(median, found)
    yield (
        f"CPU of PostgreSQL and Redis for a step, with {pages:,} pages of history : with 10",
        f"{long / short:.2f} ({1000 * short:.2f} ms)" if short else "SQLite has no process of its own",
        "1",
    )


def add_history(email: str, pages: int) -> None:
    """Create past conversations of ten pages each."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from connect_ui.models import ConnectSession, Page

    user = get_user_model().objects.get(email=email)
    like = Page.objects.filter(route="provider")[0]
    told = [
        ConnectSession(user=user, token_digest=f"{email} {n}", expires_at=timezone.now(), state="connected")
        for n in range(pages // 10)
    ]
    ConnectSession.objects.bulk_create(told)
    Page.objects.bulk_create(
        Page(session=each, number=n + 1, route=like.route, body=like.body) for each in told for n in range(10)
    )


def grown(site: Site, quick: bool) -> Iterator[Row]:
    """Measure how a worker's memory grows over 10,000 steps, after a first thousand that fill caches."""
    first, last, users = (20, 40, 30) if quick else (1_000, 10_000, USERS)
    held = {}
    with site.sandbox(), site.app(1) as app, Crowd(site, 8, users, True) as crowd:
        workers = children(app.process.pid)
        for steps in (first, last):
            while crowd.steps < steps:
                time.sleep(0.05)
            held[steps] = memory(workers)
    yield (
        f"Memory of a worker after {last:,} steps : {first:,} steps",
        f"{held[last] - held[first]:+.1f} MB ({held[last]:.0f} MB)",
        "at most 4 MB more",
    )
