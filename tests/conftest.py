import fcntl
import logging
import os
import shutil
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.conf import settings as django_settings
from django.core.cache import caches
from django.db import connection
from django.test.client import MULTIPART_CONTENT, RequestFactory
from django.utils.http import urlencode
from django.utils.translation import trans_real

from sandbox.server import make_server
from tariffs.flatpeak import account, http, rest
from tests import scan
from tests.programs import PRODUCTION, build
from tests.pseudo import Arabic
from tests.walk import Walk

STORES = {"cache", "caches", "connection", "connections", "redis"}  # names that a module imports


@pytest.fixture(scope="session")
def flatpeak_sandbox():
    """Run one sandbox for all tests of this process, on the port in the settings."""
    server = make_server(port=django_settings.SANDBOX_PORT, quiet=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def sandbox(flatpeak_sandbox):
    """The sandbox's world, reset: its clock, switches and counts of calls."""
    world = flatpeak_sandbox.world
    with world.lock:
        world.reset()
    return world


@pytest.fixture(autouse=True)
def not_at_the_end_of_an_hour():
    """Begin no test in the last seconds of an hour, because the price and, at midnight, the day would change during it."""
    if (left := 3600 - time.time() % 3600) < 5:
        time.sleep(left)


@pytest.fixture(autouse=True)
def a_minute_that_does_not_end(monkeypatch):
    """Let no minute end during a test, because the limits would count from the beginning."""
    monkeypatch.setattr("flatpeak_app.web.limits.minute", lambda: 1)


@pytest.fixture(autouse=True)
def empty_cache():
    """Empty the caches before each test; a test can call this to empty them again."""

    def empty():
        http._Breaker.well_until.clear()
        account.forget()
        rest._found.clear()
        for each in caches.all(initialized_only=True):
            each.clear()

    empty()
    return empty


def pytest_xdist_auto_num_workers(config):
    """Run two processes per core, because tests wait half of their time for browsers, servers and pauses."""
    return min(8, 2 * (os.cpu_count() or 1))


def pytest_collection_modifyitems(config, items):
    """In CI, repeat a failed test in a browser once, and run on PostgreSQL only what may differ there.

    Chromium and its driver are the only parts of the suite that fail by chance and are not ours to mend, for example when a
    browser crashes on a machine without memory. No other test is repeated: its failure is a fault of ours.
    """
    if not os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
    if "postgresql" in django_settings.DATABASES["default"]["ENGINE"]:
        cases = Counter()
        kept = [item for item in items if may_differ(item, cases)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def may_differ(item, cases):
    """Return whether a test may depend on the database or the cache: by its fixtures, or by what its module imports.

    Of the cases of a test function the first: the others make the same queries. Of races all, but of buttons and of hostile
    input, which have a case for each page, every third.
    """
    if item.get_closest_marker("once"):
        return False
    function = item.nodeid.partition("[")[0]
    cases[function] += 1
    if function.startswith(("tests/races/test_buttons", "tests/fuzz/")):
        if cases[function] % 3 != 1:
            return False
    elif cases[function] > 1 and not function.startswith("tests/races/"):
        return False
    asks = {"db", "transactional_db", "django_db_setup"} & set(item.fixturenames)
    return bool(asks or item.get_closest_marker("django_db") or STORES & vars(item.module).keys())


def pytest_terminal_summary(terminalreporter):
    """Print what was repeated, and the number of examples of hostile input and of cells of faults of all processes."""
    for each in terminalreporter.stats.get("rerun", []):
        reason = getattr(getattr(each.longrepr, "reprcrash", None), "message", str(each.longrepr)).splitlines()[0]
        terminalreporter.write_line(f"repeated: {each.nodeid}: {reason}")
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    cells = [each for each in reports if "/test_faults.py::" in each.nodeid]
    for release in ("zero", "anode"):
        if found := [each.passed for each in cells if f"[{release}" in each.nodeid]:
            terminalreporter.write_line(f"{len(found)} cells of faults and calls in {release}, {sum(found)} passed")
    if counts := [count for each in reports for name, count in each.user_properties if name == "examples"]:
        terminalreporter.write_line(f"{sum(counts)} examples of hostile input in {len(counts)} tests")


@pytest.fixture(autouse=True, scope="session")
def forms_as_browsers_send_them():
    """Send forms urlencoded: Django's test client sends multipart, which the app refuses."""
    post = RequestFactory.post

    def urlencoded(self, path, data=None, content_type=MULTIPART_CONTENT, **options):
        if content_type is MULTIPART_CONTENT:
            data, content_type = urlencode(data or {}, doseq=True), "application/x-www-form-urlencoded"
        return post(self, path, data, content_type, **options)

    RequestFactory.post = urlencoded
    yield
    RequestFactory.post = post


@pytest.fixture(autouse=True, scope="session")
def addresses_as_set():
    """Load the URLs before any test changes a setting, because allauth's URLs depend on settings."""
    import_module(django_settings.ROOT_URLCONF)


@pytest.fixture(autouse=True, scope="session")
def scan_logs():
    handler = scan.LogScan()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


def is_routine(record):
    """Return whether a log line is of a request or of a successful call to FlatPeak."""
    return record.name == "flatpeak_app.requests" or getattr(record, "outcome", "") == "ok"


@pytest.fixture
def caplog(caplog):
    """Leave out routine lines, which tests/test_logs.py tests."""
    caplog.handler.addFilter(lambda record: not is_routine(record))
    return caplog


@pytest.fixture(autouse=True)
def nothing_leaks(mailoutbox):
    """Fail a test that leaked a token, a bearer or a key, or whose pages load something from another origin."""
    scan.findings.clear()
    yield
    scan.look_at_mails()
    assert not scan.findings, scan.findings


@pytest.fixture
def alice(db, django_user_model):
    return django_user_model.objects.create_user("alice@example.com", "correct horse battery")


@pytest.fixture
def bob(db, django_user_model):
    return django_user_model.objects.create_user("bob@example.com", "correct horse battery")


@pytest.fixture
def charlie(db, django_user_model):
    return django_user_model.objects.create_superuser("charlie@example.com", "correct horse battery")


@pytest.fixture
def arabic(settings, monkeypatch):
    """Add a language with all our texts in Arabic letters, from right to left."""
    settings.LANGUAGES = [*settings.LANGUAGES, ("ar", "العربية")]
    monkeypatch.setitem(trans_real._translations, "ar", Arabic())


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """VAR_DIR with collected files and a migrated SQLite database; built once for all test processes, so only read it."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "image"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            new = folder.with_suffix(".new")
            new.mkdir(exist_ok=True)
            build(new)
            new.rename(folder)
    return folder


@pytest.fixture
def production(image, tmp_path, django_db_setup):
    """The settings of a container, with a copy of the image's database, or the suite's PostgreSQL."""
    shutil.copy(image / "db.sqlite3", tmp_path)
    own, database = connection.settings_dict, f"sqlite:///{tmp_path}/db.sqlite3"
    if connection.vendor == "postgresql":
        database = f"postgres://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{own['NAME']}"
    return {**PRODUCTION, "VAR_DIR": image, "DATABASE_URL": database}


@pytest.fixture
def walk(client, alice, sandbox):
    """Alice, signed in, on her way through Connect."""
    client.force_login(alice)
    walk = Walk(client)
    walk.sandbox = sandbox
    return walk


@pytest.fixture
def later(sandbox, monkeypatch):
    """Advance the clocks of the sandbox and of the app (`django.utils.timezone.now`)."""
    ahead = timedelta()

    def advance(**by):
        nonlocal ahead
        ahead += timedelta(**by)
        with sandbox.lock:
            sandbox.advance(timedelta(**by).total_seconds())
        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime.now(UTC) + ahead)

    return advance


os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # because Playwright's event loop runs in the tests' thread
