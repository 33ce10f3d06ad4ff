"""Connections that send nothing, half a request, or a byte now and then: how they end, and that they delay nobody."""

import re
import socket
import time
from contextlib import ExitStack, suppress

import pytest

from tests.programs import Program, free_port, get, here, is_free
from tests.test_deploy import HTTPS, SERVE, proxy_of_compose

pytestmark = pytest.mark.once

BEGIN = "POST /account/login/ HTTP/1.1\r\nHost: connect.example.com\r\nX-Forwarded-Proto: https\r\n"
FORM = BEGIN + "Content-Type: application/x-www-form-urlencoded\r\n"
# What is sent at once, and then each second; None closes the sending side.
KINDS = {
    "nothing": ("", ""),
    "half a header": (BEGIN, ""),
    "a header by the byte": (BEGIN + "X-Long: ", "x"),
    "half a body": (FORM + "Content-Length: 1000\r\n\r\nlogin=", ""),
    "a body by the byte": (FORM + "Content-Length: 1000\r\n\r\nlogin=", "x"),
    "chunks by the byte": (FORM + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    "a body that is cut off": (FORM + "Content-Length: 1000\r\n\r\nlogin=", None),
    "a connection that stays": (BEGIN.replace("POST", "GET") + "Connection: close\r\n\r\n", ""),
}
SECONDS = 13  # longer than the proxy and gunicorn wait for a request


def endings(port, times, meanwhile):
    """Open `times` connections of each kind, and return their ends by kind: statuses, "closed" or "open"."""
    with ExitStack() as kept:
        clients = [
            (kind, kept.enter_context(socket.create_connection(("127.0.0.1", port))))
            for kind in KINDS
            for _ in range(times)
        ]
        for kind, client in clients:
            begin, more = KINDS[kind]
            client.sendall(begin.encode())
            if more is None:
                client.shutdown(socket.SHUT_WR)
        for _ in range(SECONDS):
            meanwhile()
            time.sleep(1)
            for kind, client in clients:
                with suppress(OSError):  # it is closed already
                    client.sendall((KINDS[kind][1] or "").encode())
        found = {kind: set() for kind in KINDS}
        for kind, client in clients:
            found[kind].add(ending(client))
        return found


def ending(client):
    client.setblocking(False)
    try:
        return client.recv(4096)[9:12].decode() or "closed"
    except BlockingIOError:
        return "open"
    except OSError:
        return "closed"


def test_behind_the_proxy_none_of_them_reaches_the_app_or_holds_anybody_up(production, tmp_path):
    port, front = free_port(), free_port()
    with Program(*here(SERVE, port), **production) as app, proxy_of_compose(tmp_path, port, front) as proxy:
        app.wait_for_page(port, "/healthz")
        proxy.wait_until(lambda: not is_free(front))
        waited = []

        def ask():
            waited.append(get(front, "/healthz", **HTTPS).elapsed.total_seconds())

        found = endings(front, 20, ask)
        assert max(waited) < 1
        assert set(re.findall(r'"method": "(\w+)"', app.output)) == {"GET"}  # only whole requests arrived
        assert app.terminate() == 0
    for kind in ("nothing", "half a header", "a header by the byte"):
        assert found[kind] == {"closed"}, kind
    # Caddy gives up a late body after ten seconds but keeps the connection, which costs the app nothing.
    assert not {answer for kind in found if "body" in kind for answer in found[kind]} & {"200", "302", "403"}


def test_gunicorn_alone_gives_each_of_them_ten_seconds(production):
    port = free_port()
    with Program(*here(SERVE, port), **production) as app:
        app.wait_for_page(port, "/healthz")
        found = endings(port, 2, lambda: None)  # as many as it has threads
        get(port, "/healthz").raise_for_status()
        assert "Traceback" not in app.output
        assert app.terminate() == 0
    assert found.pop("nothing") == {"open"}  # no thread waits for it
    for kind in ("half a header", "a header by the byte"):
        assert found.pop(kind) == {"closed"}, kind
    assert found.pop("a connection that stays") == {"200"}
    found.pop("chunks by the byte")  # Django reads no chunks and answers at once
    assert found == {kind: {"400"} for kind in found}


def test_a_stop_does_not_wait_for_a_connection_that_says_nothing(production):
    """Browsers and proxies open connections in advance."""
    port = free_port()
    with Program(*here(SERVE, port), **production) as app:
        app.wait_for_page(port, "/healthz")
        with socket.create_connection(("127.0.0.1", port)):
            time.sleep(1)  # until gunicorn waits for it without a thread
            assert app.terminate() == 0
