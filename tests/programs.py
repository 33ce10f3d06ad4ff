"""The repository's programs, run as an operator runs them: in processes of their own, with settings of their own."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As in a shell's background job, whose programs would all ignore a Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
PYTHON = sys.executable
PRODUCTION = {
    "SITE_URL": "https://connect.example.com",
    "SECRET_KEY": "7f3c1e9a5b2d8046" * 4,
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "FLATPEAK_ACCOUNT_ID": "acc_example",
    "FLATPEAK_API_KEY": "sk_live_example",
}


def environment(**settings: object) -> dict[str, str]:
    """An environment without a setting but these; what measures the coverage of processes goes along."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or "COV" in name[:8]}
    return kept | {"ENV_FILE": os.devnull} | {name: str(value) for name, value in settings.items()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def is_free(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def get(port: int, path: str = "/", **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{port}{path}", headers=headers, allow_redirects=False, timeout=10)


def certificate(folder: str | Path) -> tuple[str, str]:
    """A certificate of a day's for localhost, and its key: gunicorn's options for them, with files in the folder."""
    file, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, "-out", file, "-keyout", key], check=True, capture_output=True)
    return f"--certfile={file}", f"--keyfile={key}"


def run(*command: str | Path, timeout: float = 60, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run to the end; stdout has what was said on either stream."""
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
    key, *collect = shlex.split(re.search(r"^RUN (SECRET_KEY=.*)$", DOCKERFILE, re.MULTILINE)[1])
    migrate = command(COMPOSE, "command: ")
    for words, settings in ((collect, dict([key.split("=")])), (migrate, PRODUCTION)):
        done = run(*here(words), VAR_DIR=folder, **settings)
        assert done.returncode == 0, done.stdout
    assert not (folder / "secret-key").exists()


class Program:
    """A process for the length of a `with` block, the leader of a process group as under a shell."""

    def __init__(self, *command: str, **settings: object) -> None:
        # A file and not a pipe, which blocks its writer when nobody reads on.
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

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, f"it ended:\n{self.output}"
            assert time.monotonic() < end, f"not ready after {seconds} seconds:\n{self.output}"
            time.sleep(0.02)

    def wait_for_page(self, port: int, path: str = "/") -> None:
        self.wait_until(lambda: not is_free(port))
        assert get(port, path).status_code == 200

    def press_ctrl_c(self) -> int:
        """Signal what a terminal signals, the whole group, and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *failure: object) -> None:
        if self.process.poll() is None:
            self.terminate()
        self.log.close()
