import contextlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.urls import reverse

from flatpeak_app.accounts.models import User

HOST = "127.0.0.1"
STAFF = "admin@example.com"
START = 90  # seconds until every program must answer, on a slow or busy machine
STOP = 20  # seconds for a program to finish its requests; a call to FlatPeak takes 18 at most


class Command(BaseCommand):
    help = "Run the app on this machine until Ctrl-C. FlatPeak is the sandbox, unless you set FlatPeak's credentials."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--release",
            choices=("zero", "anode"),
            default="zero",
            help="the sandbox's release of FlatPeak (default: zero)",
        )

    def handle(self, **options: object) -> None:
        for name in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
            self.run(stack, f"--release={options['release']}")

    def run(self, stack: contextlib.ExitStack, release: str) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "SITE_URL begins with https, so this is production. Start gunicorn instead, as the Dockerfile does."
            )
        ports = {"PORT": settings.PORT}
        programs = {}  # started in this order and ended in reverse
        if f"http://{HOST}:{settings.SANDBOX_PORT}" == settings.FLATPEAK_API_URL:
            ports["SANDBOX_PORT"] = settings.SANDBOX_PORT
            state = settings.VAR_DIR / "sandbox.json"
            events = [f"--events={settings.SITE_URL}{reverse('flatpeak_events')}"] if settings.FLATPEAK_EVENTS else []
            options = ["--quiet", f"--port={settings.SANDBOX_PORT}", f"--state={state}", release, *events]
            programs["sandbox"] = ["sandbox", *options]
        programs["app"] = ["gunicorn", f"--bind={HOST}:{settings.PORT}", "--log-level=warning", "flatpeak_app.wsgi"]
        check_are_free(ports)
        collect_static()
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except InconsistentMigrationHistory:
            raise CommandError(
                "This version can't use the database of an earlier one. Delete it, or name a new one in DATABASE_URL. "
                f"Without DATABASE_URL the database is {settings.VAR_DIR / 'db.sqlite3'}."
            ) from None
        password = staff_password()

        children = {name: stack.enter_context(running(*command)) for name, command in programs.items()}
        deadline = time.monotonic() + START
        while not all(answers(port) for port in ports.values()):
            check(children)
            if time.monotonic() > deadline:
                raise CommandError(f"The app did not answer within {START} seconds.")
            time.sleep(0.05)
        self.stdout.write(
            f"\nFlatPeak Connect is at {settings.SITE_URL}\n\n"
            f"  Staff: {STAFF}, password {password} (sign in there; /admin/ is the admin)\n"
            f"  FlatPeak: {'the sandbox, where nothing is real' if settings.SANDBOX else settings.FLATPEAK_API_URL}\n"
            "  Press Ctrl-C to stop. Nothing is lost.\n\n"
        )
        self.stdout.flush()
        while True:
            check(children)
            time.sleep(0.2)


def check_are_free(ports: dict[str, int]) -> None:
    """Raise CommandError for the first setting whose port is taken."""
    with contextlib.ExitStack() as held:
        for name, port in ports.items():
            try:
                held.enter_context(socket.create_server((HOST, port)))
            except (OSError, OverflowError):
                raise CommandError(
                    f"Port {port} is in use. Choose another one with {name}, for example {name}=9123."
                ) from None


def collect_static() -> None:
    """Collect and compress the static files, which takes seconds, if one has changed since the last time."""
    collected = settings.STATIC_ROOT / "staticfiles.json"
    sources = [
        settings.BASE_DIR / "requirements.lock",
        *(each for folder in settings.STATICFILES_DIRS for each in folder.rglob("*")),
    ]
    if not collected.exists() or collected.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        call_command("collectstatic", interactive=False, verbosity=0)


def staff_password() -> str:
    """Return the staff user's password in this database: the one in the file if it is right, else a new one."""
    path = settings.VAR_DIR / "staff-password"
    user = User.objects.filter(email=STAFF).first() or User.objects.create_superuser(STAFF)
    password = path.read_text() if path.exists() else ""
    if not user.check_password(password):
        password = secrets.token_urlsafe(12)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(password)
        user.set_password(password)
        user.save()
    return password


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m command` during the block, then let it finish its requests."""
    # Give it its own process group. Otherwise Ctrl-C would also reach it directly, and the order of the end would be lost.
    child = subprocess.Popen(  # nosec B603  # commands of our own, no shell
        [sys.executable, "-m", *command], cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, process_group=0
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C ends it at once
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def check(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise CommandError(f"The {name} stopped by itself with exit code {child.returncode}.")


def answers(port: int) -> bool:
    """Return whether the port answers by HTTP; urllib would use a proxy from the environment."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    return False
