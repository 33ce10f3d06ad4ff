"""Run the repository's programs as an operator does, in new processes with their own settings."""

import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and child processes would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
PYTHON = sys.executable
PRODUCTION = {
    "SITE_URL": "https://connect.example.com",
    "SECRET_KEY": "7f3c1e9a5b2d8046" * 4,
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "DATABASE_URL": "postgres://user@127.0.0.1:9/nowhere",  # for what needs no database
    "FLATPEAK_ACCOUNT_ID": "acc_example",
    "FLATPEAK_API_KEY": "sk_live_example",
}


def environment(**settings: object) -> dict[str, str]:
    """Return an environment with these settings alone, and the variables that measure coverage."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or "COV" in name[:8]}
    return kept | {"ENV_FILE": os.devnull} | {name: str(value) for name, value in settings.items()}


def free_port() -> int:
    """Return a port that nobody uses, below those that the system gives away, so that it gives this one to nobody else."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def is_free(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def get(port: int, path: str = "/", **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{port}{path}", headers=headers, allow_redirects=False, timeout=30)


def certificate(folder: str | Path) -> tuple[str, str]:
    """Make a certificate for localhost, valid for a day, and return gunicorn's options for it and its key."""
    file, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, "-out", file, "-keyout", key], check=True, capture_output=True)
    return f"--certfile={file}", f"--keyfile={key}"


def run(*command: str | Path, timeout: float = 300, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; stdout of the result has both streams."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )


def command(text: str, before: str) -> list[str]:
    """Return the command after these words in Dockerfile or compose.yaml."""
    return json.loads(re.search(rf"^\s*{before}\s*(\[.*\])$", text, re.MULTILINE)[1])


def here(command: list[str], port: int = 8000) -> list[str]:
    """Return a command of the image for this machine: from this virtual environment, on a free port."""
    program = Path(sys.prefix, "bin", command[0])
    return [str(program), *(word.replace("0.0.0.0", "127.0.0.1").replace("8000", str(port)) for word in command[1:])]


def build(folder: Path) -> None:
    """Do in `folder` what the Dockerfile does in var/, and migrate an SQLite database as compose.yaml does."""
    site, key, *collect = shlex.split(re.search(r"^RUN (SITE_URL=.* collectstatic .*)$", DOCKERFILE, re.MULTILINE)[1])
    assert '["sh", "-c", "python manage.py migrate --noinput && touch' in COMPOSE
    migrate, database = (
        ["python", "manage.py", "migrate", "--noinput"],
        {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"},
    )
    for words, settings in ((collect, dict(each.split("=") for each in (site, key))), (migrate, PRODUCTION | database)):
        done = run(*here(words), VAR_DIR=folder, **settings)
        assert done.returncode == 0, done.stdout
    assert not (folder / "secret-key").exists()


class Program:
    """A process during a `with` block, in a process group of its own as under a shell."""

    def __init__(self, *command: str, **settings: object) -> None:
        # A file, because a pipe blocks its writer when nobody reads.
        self.log = tempfile.NamedTemporaryFile("a")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        return Path(self.log.name).read_text()

    def wait_until(self, ready: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, f"it ended:\n{self.output}"
            assert time.monotonic() < end, f"not ready after {seconds} seconds:\n{self.output}"
            time.sleep(0.02)

    def wait_for_page(self, port: int, path: str = "/") -> None:
        self.wait_until(lambda: not is_free(port))
        assert get(port, path).ok

    def press_ctrl_c(self) -> int:
        """Send SIGINT to the whole group, as a terminal does, and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(60)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *failure: object) -> None:
        if self.process.poll() is None:
            self.terminate()
        self.log.close()
