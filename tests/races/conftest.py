from itertools import count, islice

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tariffs.models import Location
from tests import scan
from tests.races.servers import PASSWORD, Servers

NAMES = (f"customer{number}@example.com" for number in count())  # each once: some limits are counted by address
HASHED = PBKDF2PasswordHasher().encode(PASSWORD, "a salt as long as Django's own")  # none that is hashed anew


@pytest.fixture(scope="session")
def servers(django_db_setup, image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("races")
    (folder / "static").symlink_to(image / "static")
    with Servers(folder).running() as servers:
        yield servers


@pytest.fixture
def site(servers, transactional_db):
    """The servers with an empty database and an empty sandbox; whatever the race, this holds after it."""
    servers.begin()
    yield servers
    servers.keep_log(servers.app)
    scan.look("gunicorn's log", servers.log)
    assert "Traceback" not in servers.log, servers.log
    assert not servers.statuses[500]
    made = servers.world["locations"]
    assert sorted(made) == sorted(Location.objects.values_list("location_id", flat=True))


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
