"""`python -m bench`: measure everything, print it, and write it into bench/README.md.

`python -m bench load` measures one of them, whose names `--help` has, and writes nothing; `load` and `profile` are measured
so alone. `python -m bench --quick` measures little of each and writes nothing: whether the bench itself still works.
"""

import argparse
import os
import platform
import signal
import sys
from datetime import date
from pathlib import Path

from . import browser, growth, journeys, profile, rates, start, steps
from .site import Site

README = Path(__file__).with_name("README.md")
HEADING = "## Figures\n"
MEASURES = {
    measure.__name__: measure
    for measure in (
        browser.browser,  # these are times: before the sandbox has thousands of locations to save beside them
        rates.pages,
        rates.due,
        rates.segments,
        rates.refresh_rates,
        start.start,
        steps.floor,
        steps.steps,
        steps.sqlite,
        steps.history,
        steps.grown,
        profile.profile,
        growth.growth,
        journeys.load,
    )
}


def main(quick: bool, chosen: list[str]) -> None:
    site = Site()
    lines = [
        HEADING,
        f"{date.today():%d %B %Y}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"{site.on}; `make bench`.\n",
        "| measured | found | wanted |",
        "|---|---|---|",
    ]
    site.prepare()
    for name in chosen or [name for name in MEASURES if name != "profile" and (quick or name != "load")]:
        for row in MEASURES[name](site, quick):
            lines.append(f"| {' | '.join(row)} |")
            print(lines[-1], flush=True)
    if not quick and not chosen:
        text = README.read_text()
        README.write_text(text[: text.index(HEADING)] + "\n".join(lines) + "\n")


parser = argparse.ArgumentParser(prog="python -m bench")
parser.add_argument("measure", nargs="*", help=", ".join(MEASURES))
parser.add_argument("--quick", action="store_true")
given = parser.parse_args()
if unknown := set(given.measure) - MEASURES.keys():
    parser.error(f"{', '.join(unknown)} can't be measured, only {', '.join(MEASURES)}")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, as by Ctrl-C
main(given.quick, given.measure)
