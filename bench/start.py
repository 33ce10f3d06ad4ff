"""How fast a worker starts, and how much disk the image's packages take."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement

from .site import Row, Site

ROOT = Path(__file__).resolve().parent.parent
# The imports of a Django with sign-in and an HTTP client, and those of this app.
FLOOR = """from django.conf import settings
settings.configure(INSTALLED_APPS=[f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")])
import django, django.core.handlers.wsgi, django.shortcuts, requests
django.setup()"""
APP = "from flatpeak_app.wsgi import application; from django.urls import get_resolver; get_resolver().url_patterns"


def start(site: Site, quick: bool) -> Iterator[Row]:
    """Compare the imports of the app with those of a bare Django, in alternating new processes."""

    def seconds(code: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        return time.perf_counter() - begin

    rounds = 1 if quick else 9
    took = [(seconds("pass"), seconds(FLOOR), seconds(APP)) for _ in range(rounds)]
    python, floor, app = (median(column) for column in zip(*took, strict=True))
    ratio = median((c - a) / (b - a) for a, b, c in took)
    yield (
        "Importing the app : a Django with sign-in, and requests",
        f"{ratio:.2f} ({app - python:.2f} s : {floor - python:.2f} s)",
        "",
    )
    begin = time.perf_counter()
    with site.app(1) as program:
        program.wait_until(lambda: "Booting worker" in program.output)
        yield "… gunicorn, from its start to the first answer", f"{time.perf_counter() - begin:.1f} s", ""
    sizes = {each.name: size_of(each) for each in runtime()}
    largest = ", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in sorted(sizes, key=lambda n: -sizes[n])[:5])
    yield (
        f"The {len(sizes)} packages that the image installs, as files",
        f"{sum(sizes.values()) / 1e6:.0f} MB ({largest})",
        "",
    )


def runtime() -> list[Distribution]:
    """Return the installed packages of requirements.lock."""
    lines = re.findall(r"^[^\s#].*==.*?(?= \\$)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    locked = map(Requirement, lines)
    return [distribution(each.name) for each in locked if not each.marker or each.marker.evaluate()]


def size_of(package: Distribution) -> int:
    """Return the bytes of a package's files without the .pyc files."""
    files = (Path(str(file.locate())) for file in package.files or [] if file.suffix != ".pyc")
    return sum(file.stat().st_size for file in files if file.exists())
