"""`python -m bench`: measure everything, print it, and write it into bench/README.md.

`python -m bench --quick` measures little of each and writes nothing: whether the bench itself still works.
"""

import os
import platform
import sys
from datetime import date
from pathlib import Path

from . import journeys, rates
from .site import Site

README = Path(__file__).with_name("README.md")
HEADING = "## Figures\n"


def main(quick: bool) -> None:
    site = Site()
    lines = [
        HEADING,
        f"{date.today():%d %B %Y}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"{site.settings.get('DATABASE_URL', 'sqlite').split(':')[0]}; `make bench`.\n",
        "| measured | found | wanted |",
        "|---|---|---|",
    ]
    site.prepare()
    for measure in (rates.pages, rates.due, rates.segments, rates.refresh_rates, journeys.load):
        for row in measure(site, quick):
            lines.append(f"| {' | '.join(row)} |")
            print(lines[-1], flush=True)
    if not quick:
        text = README.read_text()
        README.write_text(text[: text.index(HEADING)] + "\n".join(lines) + "\n")


main("--quick" in sys.argv)
