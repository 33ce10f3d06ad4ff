"""The bench: that it still runs, and those of its figures that are counts."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.programs import Program, run

pytestmark = [pytest.mark.browser, pytest.mark.long]


# Without TORTURE one measure of each kind: in a browser, in this process, of a command, of a start, of a crowd, of growth.
EACH_KIND = ["browser", "segments", "refresh_rates", "start", "steps", "growth"]
TORTURE = "TORTURE" in os.environ


def test_a_quick_run_measures_everything():
    done = run(sys.executable, "-m", "bench", "--quick", *([] if TORTURE else EACH_KIND), timeout=600)
    assert done.returncode == 0, done.stdout
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|", done.stdout, re.MULTILINE))
    found = {name.split(": ")[-1]: value for name, value in rows.items()}
    if TORTURE:
        assert found["calls to FlatPeak"] == "1"
        nothing = ("views that failed", "tariffs said to be saved and not stored", "tariffs stored twice")
        assert [found[f"… {name}"] for name in (*nothing, "unhandled errors")] == ["0"] * 4
        assert float(rows["… a step of Connect, in place : one that does the least"].split()[0]) > 0.5
    assert float(found["A day's chart of 288 segments"].split()[0]) < 60  # KB
    assert any(name.startswith("refresh_rates, 40 tariffs") for name in rows)
    opened = [value for name, value in rows.items() if name.startswith("… connections opened to FlatPeak")]
    assert opened
    assert all(int(each) <= 16 * (os.cpu_count() or 1) for each in opened)
    grown = [value for name, value in rows.items() if name.endswith(", 200 locations : 50")]
    assert len(grown) == 14
    assert all("queries, constant" in value for value in grown)
    assert any(re.match(r"The \d+ packages that the image installs", name) for name in rows)
    assert found["… what its answers take on the wire, headers and bodies, and how many they are"].endswith(", 3")


def test_a_bench_that_is_terminated_leaves_nothing_running(tmp_path):
    def running(program):
        """Processes of that program that were started below this test's folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command, settings = ((process / name).read_text(errors="replace") for name in ("cmdline", "environ"))
                found += [process.name] if str(tmp_path) in command + settings and program in command else []
            except OSError:  # it has ended, or is another user's
                continue
        return found

    with Program(sys.executable, "-m", "bench", "--quick", "pages", TMPDIR=tmp_path) as bench:
        bench.wait_until(lambda: running("gunicorn") and running("sandbox"), seconds=120)
        assert bench.terminate() == 143
    assert running("gunicorn") + running("sandbox") == []
