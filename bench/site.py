"""What is measured, as it runs in production, on this machine: gunicorn, and the sandbox for FlatPeak."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from tests.programs import Program, free_port

from .processes import at_rest, children

Row = tuple[str, str, str]  # what was measured, what came out, what is wanted


class Site:
    """A folder with the database and the sandbox's memory, and one signed-in customer with one location.

    `DATABASE_URL` and `CACHE_URL` of the environment are used if they are there; the database should be an empty one.
    """

    def __init__(self) -> None:
        self.cookies: list[str] = []
        self.http = requests.Session()
        self.folder = Path(tempfile.mkdtemp(prefix="flatpeak-bench-"))
        self.port, self.sandbox_port = free_port(), free_port()
        kept = {name: os.environ[name] for name in ("DATABASE_URL", "CACHE_URL") if name in os.environ}
        self.settings = kept | {
            "ENV_FILE": os.devnull,
            "VAR_DIR": str(self.folder),
            "SANDBOX_PORT": str(self.sandbox_port),
            "DJANGO_SETTINGS_MODULE": "bench.settings",
        }
        for name in [name for name in os.environ if name.startswith("FLATPEAK_") or name in ("SITE_URL", "DEBUG")]:
            del os.environ[name]
        os.environ |= self.settings

    def prepare(self) -> None:
        """Set Django up in this process, make the database, and connect a market tariff as a customer does."""
        import django
        from django.core.management import call_command
        from django.test import Client
        from django.test.utils import setup_test_environment

        django.setup()
        logging.disable(logging.INFO)  # here, not in gunicorn: each request in this process would be a line
        setup_test_environment()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from tests.walk import Walk

        self.cookie = self.sign_up("alice@example.com")
        client = Client()
        client.cookies.load(self.cookie)
        with self.sandbox():
            walk = Walk(client)
            walk.to_providers().provider("Octopus Energy").log_in_at_provider().act("SAVE")
        self.location, self.tariff = f"/locations/{walk.session.location_id}/", walk.session.tariff_id

    def sign_up(self, address: str) -> str:
        """A new customer's cookie, signed in."""
        from django.contrib.auth import get_user_model

        get_user_model().objects.create_user(address)
        return self.sign_in(address)

    @staticmethod
    def sign_in(address: str) -> str:
        from django.contrib.auth import get_user_model
        from django.test import Client

        client = Client()
        client.force_login(get_user_model().objects.get(email=address))
        return f"sessionid={client.cookies['sessionid'].value}"

    def customers(self, count: int) -> list[str]:
        """The cookies of so many customers, who are the same whoever asks."""
        while len(self.cookies) < count:
            self.cookies.append(self.sign_up(f"customer{len(self.cookies)}@example.com"))
        return self.cookies[:count]

    @property
    def on(self) -> str:
        """What it is measured on: `postgres and redis, 2 workers`."""
        kinds = [self.settings.get("DATABASE_URL", "sqlite"), self.settings.get("CACHE_URL", "no shared cache")]
        return f"{' and '.join(kind.split(':')[0] for kind in kinds)}, workers: {self.workers}"

    @property
    def workers(self) -> int:
        """As many as there are cores, if they have a cache to share."""
        return (os.cpu_count() or 1) if "CACHE_URL" in self.settings else 1

    @contextmanager
    def sandbox(self) -> Iterator[Program]:
        """The sandbox as a program, which remembers what it knew when it last ran."""
        command = (
            "-m",
            "sandbox",
            "--quiet",
            "--port",
            str(self.sandbox_port),
            "--state",
            str(self.folder / "sandbox"),
        )
        with Program(sys.executable, *command) as program:
            program.wait_for_page(self.sandbox_port)
            yield program

    @contextmanager
    def app(self, workers: int = 1) -> Iterator[Program]:
        # No worker is replaced meanwhile: its kept connections end, and these customers don't look before they send.
        where = ("--bind", f"127.0.0.1:{self.port}", "--workers", str(workers), "--max-requests", "0")
        command = ("-m", "gunicorn", "flatpeak_app.wsgi", *where)
        with Program(sys.executable, *command, **self.settings) as program:
            program.wait_for_page(self.port, "/healthz")
            program.wait_until(lambda: len(children(program.process.pid)) == workers)
            program.wait_until(lambda: at_rest(children(program.process.pid)))  # else the first to be up gets them all
            yield program

    def control(self, **settings: object) -> dict[str, Any]:
        """Tell the sandbox to go otherwise; what it has counted."""
        return self.http.post(f"http://127.0.0.1:{self.sandbox_port}/_sandbox", json=settings, timeout=10).json()

    def calls(self) -> int:
        """How many calls the sandbox has had that FlatPeak would have had."""
        from sandbox.app import CALLS

        counts = self.control()["counts"]
        return sum(counts.get(name, 0) for name in CALLS)

    def servers(self) -> list[int]:
        """The processes that answer the app's own queries: PostgreSQL's for this database, and Redis, if they run here."""
        from django.core.cache import cache
        from django.db import connection

        found = []
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
                found += [pid for (pid,) in cursor.fetchall()]
        if "CACHE_URL" in self.settings:
            found.append(cache._cache.get_client().info("server")["process_id"])  # type: ignore[attr-defined]
        return found

    def copy_location(self, copies: int) -> None:
        """Give the sandbox, which must not be running, and the database more locations like the first, of somebody else."""
        from django.contrib.auth import get_user_model

        from sandbox.world import World
        from tariffs.models import Customer, Location, Tariff

        first = Tariff.objects.select_related("location").get(pk=self.tariff)
        other = Customer.objects.create(user=get_user_model().objects.create_user("copies@example.com"))
        world = World(state=self.folder / "sandbox")
        known = world.state["locations"]
        locations, tariffs = [], []
        for n in range(copies):
            location, tariff = copy(first.location), copy(first)
            location.id, location.location_id = uuid4(), f"{first.location.location_id}{n}"
            location.customer = other
            tariff.id, tariff.location_id = uuid4(), location.id
            known[location.location_id] = known[first.location.location_id]
            locations.append(location)
            tariffs.append(tariff)
        Location.objects.bulk_create(locations)
        Tariff.objects.bulk_create(tariffs)
        world.changed = True
        world.save()
