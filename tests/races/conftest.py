from itertools import count, islice

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db.models import Q
from django.utils import timezone

from connect_ui.models import ConnectSession
from tariffs.flatpeak import KNOWN
from tariffs.models import Erasure, Location
from tariffs.realm import FlatPeakAccount
from tests import scan
from tests.races.servers import PASSWORD, RELEASES, TORTURE, Servers

NAMES = (f"customer{number}@example.com" for number in count())  # each once: some limits are counted by address
collect_ignore = [] if TORTURE else ["test_anode.py"]
HASHED = PBKDF2PasswordHasher().encode(PASSWORD, "a salt as long as Django's own")  # none that is hashed anew


@pytest.fixture(scope="session", params=RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="session")
def servers(release, django_db_setup, image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("races")
    (folder / "static").symlink_to(image / "static")
    with Servers(folder, release).running() as servers:
        yield servers


@pytest.fixture
def site(servers, transactional_db):
    """The servers with an empty database and an empty sandbox; whatever the race, this holds after it.

    Their processes keep the account's release, so the database has it too.
    """
    servers.begin()
    version = next(each.version for each in KNOWN if each.name == servers.release)
    FlatPeakAccount.objects.create(flatpeak_version=version, told_at=timezone.now())
    yield servers
    servers.control(faults=[], switches={"delay_ms": 0})
    settle(servers)
    servers.keep_log(servers.app)
    scan.look("gunicorn's log", servers.log)
    assert "Traceback" not in servers.log, servers.log
    assert not servers.statuses[500]
    made = servers.world["locations"]
    assert sorted(made) == sorted(Location.objects.values_list("location_id", flat=True))


def settle(servers):
    """Do at once what the worker does when nobody has come back for an hour, from a login for a day.

    In zero FlatPeak has nothing by then.
    """
    if servers.release == "zero":
        return
    now, left = timezone.now(), ConnectSession.objects.filter(state="open")
    gone = left.filter(Q(login="away") | Q(doubtful=True)).update(expires_at=now)
    if left.filter(due_at__isnull=False).exists():
        servers.claims_grow_old()
        servers.manage("exchange_pending")
    if gone:
        servers.manage("purge_sessions")
    owed = Erasure.objects.filter(done_at=None)
    for _ in ("learn what there is", "delete it"):
        if owed.update(due_at=now):
            servers.manage("erase_pending")


@pytest.fixture
def several(site):
    """For what only several workers can do."""
    if "CACHE_URL" not in site.settings:
        pytest.skip("one worker alone, as neither CACHE_URL nor RACES_CACHE_URL names a Redis")
    return site


@pytest.fixture
def people(django_user_model, transactional_db):
    """Makes customers, whose passwords the product's own settings can check."""

    def make(how_many):
        return [django_user_model.objects.create(email=name, password=HASHED) for name in islice(NAMES, how_many)]

    return make


@pytest.fixture
def tab(site, people):
    """The tab of a customer who is signed in; `tab.user` is who."""
    user = people(1)[0]
    tab = site.tab(user)
    tab.user = user
    return tab


def pytest_terminal_summary(terminalreporter):
    """How many races there were; a test with several says how many."""
    ran = {
        how: sum(
            dict(report.user_properties).get("races", 1)
            for report in terminalreporter.getreports(how)
            if is_race(report)
        )
        for how in ("passed", "failed")
    }
    if any(ran.values()):
        terminalreporter.write_line(f"races: {sum(ran.values())} run, {ran['passed']} passed")


def is_race(report):
    return report.nodeid.startswith("tests/races/") and report.when == "call"
