"""The measured site as in production: gunicorn, with the sandbox for FlatPeak."""

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

Row = tuple[str, str, str]  # what was measured, the result, the target


class Site:
    """A folder with the database and the sandbox's state, and a signed-in customer with one location.

    `release` is what FlatPeak's account speaks.
    `DATABASE_URL` and `CACHE_URL` are taken from the environment; the database should be empty.
    """

    def __init__(self, release: str = "zero") -> None:
        self.release = release
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
        """Set up Django in this process, create the tables, and connect a market tariff as a customer does."""
        import django
        from django.core.management import call_command
        from django.test import Client
        from django.test.utils import setup_test_environment

        django.setup()
        logging.disable(logging.INFO)  # in this process, not in gunicorn
        setup_test_environment()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from tests.walk import Walk

        self.cookie = self.sign_up("alice@example.com")
        client = Client()
        client.cookies.load(self.cookie)
        with self.sandbox():
            walk = Walk(client)
            walk.to_providers().provider("Octopus Energy").log_in_at_provider().save()
        self.location, self.tariff = f"/locations/{walk.session.location_id}/", walk.session.tariff_id

    def sign_up(self, address: str) -> str:
        """Create a customer and return a signed-in cookie."""
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
        """Return the cookies of the first `count` customers; they are created once."""
        while len(self.cookies) < count:
            self.cookies.append(self.sign_up(f"customer{len(self.cookies)}@example.com"))
        return self.cookies[:count]

    @property
    def on(self) -> str:
        """Name the database, the cache and the workers: `postgres and redis, workers: 2`."""
        kinds = [self.settings.get("DATABASE_URL", "sqlite"), self.settings.get("CACHE_URL", "no shared cache")]
        return f"{' and '.join(kind.split(':')[0] for kind in kinds)}, workers: {self.workers}"

    @property
    def workers(self) -> int:
        """One per core if there is a shared cache."""
        return (os.cpu_count() or 1) if "CACHE_URL" in self.settings else 1

    @contextmanager
    def sandbox(self) -> Iterator[Program]:
        """Run the sandbox as a program, with the state of its last run."""
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
        with Program(sys.executable, *command) as program:
            program.wait_for_page(self.sandbox_port)
            yield program

    @contextmanager
    def app(self, workers: int = 1) -> Iterator[Program]:
        # No worker is replaced: its kept connections would end, and these customers do not retry.
        where = ("--bind", f"127.0.0.1:{self.port}", "--workers", str(workers), "--max-requests", "0")
        command = ("-m", "gunicorn", "flatpeak_app.wsgi", *where)
        with Program(sys.executable, *command, **self.settings) as program:
            program.wait_for_page(self.port, "/healthz")
            program.wait_until(lambda: len(children(program.process.pid)) == workers)
            # Otherwise the first worker to start would get all connections.
            program.wait_until(lambda: at_rest(children(program.process.pid)))
            yield program

    def control(self, **settings: object) -> dict[str, Any]:
        """Change the sandbox's switches and return its state."""
        return self.http.post(f"http://127.0.0.1:{self.sandbox_port}/_sandbox", json=settings, timeout=10).json()

    def calls(self) -> int:
        """Return the number of calls to FlatPeak's API that the sandbox has had."""
        from sandbox.app import CALLS

        counts = self.control()["counts"]
        return sum(counts.get(name, 0) for name in CALLS)

    def servers(self) -> list[int]:
        """Return the ids of PostgreSQL's processes for this database, and of Redis."""
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
        """Copy the first location for another user, in the database and in the state of the sandbox, which must be down."""
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
