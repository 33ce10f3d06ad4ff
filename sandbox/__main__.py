"""`python -m sandbox`: start the sandbox on one port."""

import argparse
import signal
import sys
import threading
from typing import Any

from .codec import dumps, loads
from .server import make_server
from .switches import SWITCHES, choices

ABOUT = "A local stand-in for FlatPeak's two hosts, releases zero and anode. It is not FlatPeak: nothing in it is real."
EPILOG = """
Point FLATPEAK's API and Connect addresses both at it, sign in with any acc_… and sk_test_…, and open its address in a
browser: the page there lists every test provider and input. Clock and switches can be set while it runs, by POST /_sandbox.
"""


def parser() -> argparse.ArgumentParser:
    """The options, which are the arguments of make_server."""
    found = argparse.ArgumentParser(
        "python -m sandbox", description=ABOUT, epilog=EPILOG, argument_default=argparse.SUPPRESS
    )
    found.add_argument("--port", type=int, default=8900, help="the port to listen on (default 8900; 0: a free one)")
    found.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    found.add_argument("--public-url", default="", help="its address as browsers see it, if not what they ask for")
    found.add_argument("--release", help="the release that accounts have: zero (default) or anode")
    found.add_argument("--state", metavar="FILE", help="keep what it knows in this file, to survive a restart")
    found.add_argument("--events", metavar="URL", help="send FlatPeak's events (webhooks) to this address")
    found.add_argument("--now", metavar="TIME", help="set its clock, RFC 3339; it runs on from there")
    found.add_argument("--quiet", action="store_true", help="say nothing of its start and of requests")
    fault = found.add_argument_group("faults", "What goes wrong on purpose; the README has their names.")
    example = '{"call": "rates", "fault": "status_500", "times": 2}'
    fault.add_argument("--fault", metavar="JSON", action="append", dest="faults", type=_fault, help=f"as {example}")
    fault.add_argument("--seed", type=int, help="for the faults that strike by chance, to repeat them")
    switches = found.add_argument_group("switches", "What FlatPeak's documentation leaves open, and how slow it is.")
    for name, each in SWITCHES.items():
        option = f"--{name.replace('_', '-')}"
        says = f"{each['says']}: {choices(name)} (default {dumps(each['default'])})"
        more: dict[str, Any] = {"nargs": "?", "const": True} if each["default"] in (True, False) else {}
        switches.add_argument(option, metavar="VALUE", type=_value, help=says, **more)
    return found


def _value(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def _fault(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return text


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns 0, or prints the reason and returns 1."""
    options = parser().parse_args(arguments)
    try:
        server = make_server(**vars(options))
    except (ValueError, OSError, OverflowError) as error:
        print(f"Cannot start on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    for name in (signal.SIGINT, signal.SIGTERM):
        # shutdown() waits for serve_forever, which runs in this thread, so another one must call it.
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    server.log(f"FlatPeak sandbox at {server.url} (Ctrl-C stops it)")
    try:
        with server:
            server.serve_forever()
    except OSError as error:
        print(f"The state cannot be kept: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
