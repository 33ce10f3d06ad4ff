"""`python -m bench`: measure everything, print it, and write it into bench/README.md.

`python -m bench NAME …` measures these alone and writes nothing; `--help` has the names. The whole run leaves out `load`
and `profile`. `--release anode` measures chosen ones in that release of FlatPeak's; the whole run is zero's.

`python -m bench --quick` measures little of each and writes nothing, to test the bench itself.
"""

import argparse
import os
import platform
import signal
import sys
from datetime import date
from pathlib import Path

from . import browser, growth, journeys, mails, profile, rates, start, steps
from .site import Site

README = Path(__file__).with_name("README.md")
HEADING = "## Figures\n"
MEASURES = {
    measure.__name__: measure
    for measure in (
        browser.browser,  # first: it measures times, and a sandbox with thousands of locations is slower
        browser.prices,
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
        mails.mails,
        growth.growth,
        journeys.load,
    )
}


def main(quick: bool, chosen: list[str], release: str) -> None:
    site = Site(release)
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
parser.add_argument("--release", choices=["zero", "anode"], default="zero")
given = parser.parse_args()
if unknown := set(given.measure) - MEASURES.keys():
    parser.error(f"{', '.join(unknown)} can't be measured, only {', '.join(MEASURES)}")
if given.release != "zero" and not given.measure:
    parser.error(f"name what is to be measured in {given.release}; the whole run is zero's")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end the started processes, as Ctrl-C does
main(given.quick, given.measure, given.release)
