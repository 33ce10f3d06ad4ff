"""Many customers who want tomorrow's prices at the same minute, with a slow mail server and a worker that is killed."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.programs import Program, free_port

from .site import Row, Site

if TYPE_CHECKING:
    from tariffs.rates import Segment

WORKERS = 3
ANSWER = 0.02  # seconds that the mail server takes for each answer
ZONES = ["Pacific/Auckland", "Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Pacific/Honolulu"]


class MailServer:
    """Takes mails and counts them by address; in a thread, for as long as the program runs."""

    def __init__(self, answer: float = ANSWER, look: Callable[[bytes], object] = len) -> None:
        self.answer, self.look = answer, look  # at each text
        self.port, self.taken, self.connections, self.last_at = free_port(), Counter[str](), 0, 0.0
        self.unknown: set[str] = set()  # addresses that it refuses
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve(ready)), daemon=True).start()
        ready.wait()

    async def serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self.talk, "127.0.0.1", self.port)
        ready.set()
        await server.serve_forever()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # a worker was killed
            await self.take(reader, writer)
        writer.close()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def answer(text: bytes) -> None:
            await asyncio.sleep(self.answer)
            writer.write(text + b"\r\n")

        self.connections += 1
        address, begun, greeted = "", False, False
        await answer(b"220 bench")
        while line := await reader.readline():
            verb = line[:4].upper()
            greeted |= verb in (b"EHLO", b"HELO")
            if verb == b"MAIL" and (begun or not greeted):
                await answer(b"503 nested MAIL command" if begun else b"503 EHLO first")
                continue
            begun = verb in (b"MAIL", b"RCPT")
            if verb == b"RCPT":
                address = line.decode().partition("<")[2].partition(">")[0]
                if address in self.unknown:
                    await answer(b"550 no such user")
                    continue
            if verb == b"DATA":
                await answer(b"354 go on")
                self.look(await reader.readuntil(b"\r\n.\r\n"))
                self.taken[address] += 1  # before the answer, which the worker may not live to read
                self.last_at = time.perf_counter()
            await answer(b"221 bye" if verb == b"QUIT" else b"250 ok")
            if verb == b"QUIT":
                break


def mails(site: Site, quick: bool) -> Iterator[Row]:
    """Kill a worker when half of the mails are sent, and start it again; until the last mail that is due was taken."""
    from django.utils import timezone

    from tariffs.models import Wish

    count, server = 40 if quick else 10_000, MailServer()
    fill(count)
    begin = time.perf_counter()
    with ExitStack() as running:
        first, *others = (running.enter_context(worker(site, server)) for _ in range(WORKERS))
        first.wait_until(lambda: server.taken.total() >= count // 2, 600)
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
        others.append(running.enter_context(worker(site, server)))
        others[-1].wait_until(lambda: not Wish.objects.due(timezone.now()).exists(), 900)
        for each in others:
            each.wait_until(lambda each=each: "worker: started" in each.output)  # type: ignore[misc]
            assert each.terminate() == 0  # after the mails under way
    told = Wish.objects.filter(told_day__isnull=False).count()
    took, taken = server.last_at - begin, server.taken.total()
    yield (
        f"{count:,} customers want tomorrow's prices at the same minute, {1000 * ANSWER:.0f} ms per answer of the mail "
        f"server, {WORKERS} workers, one killed in the middle: until the last mail",
        f"{took:.0f} s ({taken / took:.0f} mails a second)",
        "",
    )
    yield "… mails that came twice", str(sum(n - 1 for n in server.taken.values())), "0"
    yield "… mails that the kill lost, marked and not sent", str(told - len(server.taken)), "≤ 1"
    yield "… mails that wait for the end of a claim of the killed worker", str(count - told), "≤ 8"
    yield "… connections to the mail server", str(server.connections), f"≤ {count // 100 + 8 * WORKERS + 8}"


@contextmanager
def worker(site: Site, server: MailServer) -> Iterator[Program]:
    settings = site.settings | {"EMAIL_URL": f"smtp://127.0.0.1:{server.port}"}
    with Program(sys.executable, "manage.py", "worker", **settings) as program:
        yield program


def fill(count: int) -> None:
    """Make customers whose tariffs have the prices of today and tomorrow, where it is afternoon, and a wish each."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from tariffs import rates
    from tariffs.models import Customer, Location, RateDay, Tariff, Wish

    now = timezone.now()
    zone = next(zone for name in ZONES if 12 <= now.astimezone(zone := ZoneInfo(name)).hour < 22)
    today = now.astimezone(zone).date()
    user_model = get_user_model()
    users = user_model.objects.bulk_create(user_model(email=f"mail{n}@example.com") for n in range(count))
    here = {"account": Tariff.objects.values_list("account", flat=True)[0]}
    customers = Customer.objects.bulk_create(Customer(user=user, **here) for user in users)
    about = {"time_zone": zone.key, "currency_code": "EUR", "address_line1": "1 Example Street"} | here
    places = Location.objects.bulk_create(
        Location(customer=customer, location_id=f"mail{n}", **about) for n, customer in enumerate(customers)
    )
    tariffs = Tariff.objects.bulk_create(
        Tariff(location=place, direction="IMPORT", provider="Octopus Energy", rates="ok", due_at=None, **here)
        for place in places
    )
    for day in (today, today + timedelta(days=1)):
        stored = rates.dump(prices_of(*rates.day_span(day, zone)))
        RateDay.objects.bulk_create(
            (RateDay(tariff=tariff, day=day, segments=stored, fetched_at=now) for tariff in tariffs), batch_size=1000
        )
    Wish.objects.bulk_create(Wish(tariff=tariff, kind="tomorrow", due_at=now, **here) for tariff in tariffs)


def prices_of(start: datetime, end: datetime) -> Iterator["Segment"]:
    from tariffs.rates import Segment

    hour = timedelta(hours=1)
    for n in range((end - start) // hour):
        yield Segment(start + n * hour, start + (n + 1) * hour, Decimal(1000 + n * 7919 % 3000) / 10000)
