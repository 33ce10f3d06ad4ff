"""Two gunicorn masters on one database and one Redis, as on two machines behind a load balancer that knows no customer."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import cycle

import pytest

from connect_ui.models import ConnectSession
from tariffs.models import Location
from tests.programs import free_port
from tests.races.servers import STEPS, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


@pytest.fixture
def two(several):
    """The addresses of the first, which the other tests have as well, and of a second; `other` is its program."""
    port = free_port()
    with several.serve(port) as several.other:
        several.addresses = [several.url, f"http://127.0.0.1:{port}"]
        yield several
        several.keep_log(several.other)


def in_turns(tab, step):
    """Walk on to a step, each request but those of a redirect at the other address than the one before."""
    addresses = cycle(tab.site.addresses)

    def go(*request):
        tab.url = next(addresses)
        return ask(*request)

    ask, tab.ask = tab.ask, go
    tab.walk_to(step)
    tab.ask = ask
    return tab


def test_journeys_go_on_wherever_each_request_ends_and_all_workers_share_one_login(two, people):
    tabs = [two.tab(user) for user in people(6)]
    at_once(*(lambda tab=tab: in_turns(tab, "SAVE") for tab in tabs))
    for number, tab in enumerate(tabs):
        tab.url = two.addresses[number % 2]
    at_once(*(tab.finish for tab in tabs))
    assert two.counts["login"] == 1
    assert two.sent == len(tabs) * (len(STEPS) - 1)
    assert two.statuses.keys() == {200, 302}
    for tab, location in zip(tabs, Location.objects.order_by("customer__user_id"), strict=True):
        for tab.url in two.addresses:
            assert "28.15" in tab.get(f"/locations/{location.pk}/").text
    assert two.priced <= len(tabs)
    assert two.counts["login"] == 1


def test_one_master_is_killed_and_its_customers_go_on_at_the_other(two, people):
    tabs = [two.tab(user) for user in people(len(STEPS) - 1)]
    at_once(*(lambda tab=tab, step=step: in_turns(tab, step) for tab, step in zip(tabs, STEPS[1:], strict=True)))
    two.fault("connect", "silence_after_work")
    with ThreadPoolExecutor(len(tabs)) as pool:
        for tab in tabs:
            tab.url = two.addresses[1]
        pressed = [pool.submit(tab.answer) for tab in tabs]
        two.struck(len(tabs))
        os.killpg(two.other.process.pid, signal.SIGKILL)
        two.other.process.wait(30)
        wait(pressed)
    two.control(faults=[])
    two.claims_grow_old()
    for tab in tabs:
        tab.url = two.addresses[0]
        tab.get()
    at_once(*(tab.finish for tab in tabs))
    assert two.sent == len(tabs) * (len(STEPS) - 1)
    assert Location.objects.count() == len(tabs)
    assert set(ConnectSession.objects.values_list("state", flat=True)) == {ConnectSession.State.CONNECTED}


def test_limits_count_at_both(two, tab):
    if (second := time.time() % 60) > 40:  # a limit counts by the clock's minute, and these must lie in one
        time.sleep(60 - second)
    for number in range(11):
        tab.url = two.addresses[number % 2]
        tab.get("/connect/")
        tab.press(direction="IMPORT", country_code="GB")
    assert two.statuses[429] == 1
    assert two.counts["token"] == 10
