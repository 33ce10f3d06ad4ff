"""The HTTP server: one port for both hosts, open to every origin. Tests start it by `make_server`."""

import math
import os
import re
import select
import socket
import struct
import sys
import threading
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from .app import dispatch
from .codec import parse_rfc3339
from .deliveries import Deliveries, checked_url
from .errors import AnswerLost
from .wire import Reply, Request, json_reply
from .world import World

BODY_LIMIT = 256 * 1024
PAUSE = 0.05  # seconds between the pieces of a slow answer
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Flatpeak-Version",
    "Access-Control-Max-Age": "86400",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Send head and body in one segment: a second one would wait for the client's acknowledgement.
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server: "SandboxServer"

    def _serve(self) -> None:
        started = time.monotonic()
        self.server.idle.discard(self.connection)
        path, _, query = self.path.partition("?")
        host = self.headers.get("Host", "")
        asked = f"http://{host}" if re.fullmatch(r"[\w.:\[\]-]+", host) else self.server.url
        request = Request(self.command, path, query, self.headers, self.server.public_url or asked)
        try:
            reply = self._read(request) or dispatch(self.server.world, request)
        except AnswerLost as lost:
            self._withhold(lost)
            self.server.log(f"{self.command} {request.name}: answer withheld")
            return
        except Exception:
            self.close_connection = True
            traceback.print_exc()
            reply = json_reply({"message": "The sandbox itself failed; its log says where."}, 500)
        self._send(reply)
        line = f"{self.command} {request.name} {reply.status} {(time.monotonic() - started) * 1000:.0f} ms"
        self.server.log("; ".join([line, *request.notes]))

    def handle_one_request(self) -> None:
        self.server.idle.add(self.connection)
        if self.server.opens_at:  # it became idle after refuse() had looked
            self.close_connection = True
            return
        super().handle_one_request()

    def finish(self) -> None:
        self.server.idle.discard(self.connection)
        super().finish()

    do_GET = do_HEAD = do_POST = do_OPTIONS = do_PUT = do_PATCH = do_DELETE = _serve

    def _read(self, request: Request) -> Reply | None:
        """Read the body. If it cannot be read, return the answer and close the connection."""
        length = self.headers.get("Content-Length", "0")
        known = "Transfer-Encoding" not in self.headers and re.fullmatch("[0-9]{1,15}", length)
        if known and int(length) <= BODY_LIMIT:
            request.body = self.rfile.read(int(length))
            return None
        self.close_connection = True
        if not known:
            return json_reply({"message": "Send the body with its Content-Length."}, 411)
        # Read some of it: a client that is still sending would never see the answer.
        self.rfile.read(min(int(length), 16 * BODY_LIMIT))
        return json_reply({"message": f"The body is larger than {BODY_LIMIT} bytes."}, 413)

    def _withhold(self, lost: AnswerLost) -> None:
        self.close_connection = True
        if lost.seconds:
            # A connection that the client closed is readable too, so the wait ends early.
            select.select([self.connection], [], [], lost.seconds)
        if lost.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # close() would wait for the files of this socket, and shutdown() would end it politely.
            os.close(self.connection.detach())

    def _send(self, reply: Reply) -> None:
        wire = self.wfile
        if reply.seconds:
            self.wfile = BytesIO()
        self.send_response(reply.status)
        for header, value in {**CORS, "Cache-Control": "no-store", **reply.headers}.items():
            self.send_header(header, value)
        if reply.status != 204:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        if isinstance(self.wfile, BytesIO):
            whole, self.wfile = self.wfile.getvalue(), wire
            step = math.ceil(len(whole) * PAUSE / reply.seconds)
            for begin in range(0, len(whole), step):
                wire.write(whole[begin : begin + step])
                wire.flush()
                time.sleep(PAUSE)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: http.server would log the request line, which has tokens."""


class SandboxServer(ThreadingHTTPServer):
    """The listening server. url: its own address. world: its memory."""

    request_queue_size = 128
    stopped = False

    def __init__(self, address: tuple[str, int], world: World, public_url: str, quiet: bool, events: str = "") -> None:
        self.world, self.public_url, self.quiet = world, public_url.rstrip("/"), quiet
        self.idle: set[socket.socket] = set()  # connections without a request
        self.door, self.opens_at, self.opened = threading.Lock(), 0.0, threading.Event()
        super().__init__(address, Handler)
        self.url = f"http://{address[0]}:{self.server_address[1]}"
        world.refuse = self.refuse
        world.strike_at_once()
        world.events = Deliveries(world, events)

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for so many seconds, and end idle ones. 0: listen again at once."""
        with self.door:
            if not seconds:
                self._listen()
                return
            if not self.opens_at:
                with suppress(OSError):
                    self.socket.shutdown(socket.SHUT_RDWR)  # takes effect at once, while serve_forever polls it
                with socket.socket(self.address_family, self.socket_type) as bound:
                    # A bound socket that does not listen refuses connections, and keeps the port from other programs.
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    bound.bind(self.server_address)
                    # Keep the file number: serve_forever has it in its selector.
                    os.dup2(bound.fileno(), self.socket.fileno(), inheritable=False)
            self.opens_at = time.monotonic() + seconds
            self.opened.clear()
        for connection in list(self.idle):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        """Listen again unless it does. The caller holds the door."""
        if self.opens_at:
            self.server_activate()
            self.opens_at = 0
            self.opened.set()

    def log(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)

    def service_actions(self) -> None:
        """serve_forever calls this twice a second and after each connection: save, or go on refusing connections."""
        while (left := self.opens_at - time.monotonic()) > 0 and not self.stopped:
            self.opened.wait(left)
        with self.door:
            if self.opens_at <= time.monotonic() and not self.stopped:
                self._listen()
        self.world.save_in_turn()

    def shutdown(self) -> None:
        self.stopped = True
        self.opened.set()
        super().shutdown()

    def server_close(self) -> None:
        super().server_close()
        if self.world.events:  # not if the port was taken
            self.world.events.stop()
        self.world.save()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing: browsers often leave in the middle of an answer."""


def make_server(
    port: int = 0,
    host: str = "127.0.0.1",
    public_url: str = "",
    quiet: bool = False,
    now: datetime | str | None = None,
    events: str = "",
    **world: Any,
) -> SandboxServer:
    """A sandbox that listens (port 0: on a free one). Call serve_forever() to serve, shutdown() to stop.

    now: an aware datetime or RFC 3339. events: the address to which events are sent, none if it is empty.
    world: the other arguments of World: state, faults, seed, release, switches.
    Raises ValueError for a wrong one of these, OSError for a port in use.
    """
    moment = parse_rfc3339(now).astimezone(UTC) if isinstance(now, str) else now
    checked_url(events)
    return SandboxServer((host, port), World(now=moment, **world), public_url, quiet, events)
