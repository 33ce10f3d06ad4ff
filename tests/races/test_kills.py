"""Every process of the product's ends without warning, in the middle of a call; it starts again on the same database."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from connect_ui.models import ConnectSession
from tariffs.models import Location
from tests.programs import free_port, get
from tests.races.servers import STEPS, TORTURE, at_once, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
BEFORE_AND_AFTER_THE_WORK = pytest.mark.parametrize("fault", ["silence", "silence_after_work"])
SEED = int(os.environ.get("TORTURE_SEED", 0))
ANSWERED = len(STEPS) - 1  # how many answers a journey has: its start sends none


@pytest.fixture
def killed(site):
    """Press the button in these tabs, and kill everything once each is in the middle of such a call; then start again."""

    def killed(call, fault, tabs):
        site.fault(call, fault)
        with ThreadPoolExecutor(len(tabs)) as pool:
            pressed = [pool.submit(tab.answer) for tab in tabs]
            site.struck(len(tabs))
            site.kill()
            wait(pressed)
        site.control(faults=[])
        site.start_again()

    return killed


def walked(site, users, steps):
    """A tab for each user, at the step that is theirs."""
    tabs = [site.tab(user) for user in users]
    at_once(*(lambda tab=tab, step=step: tab.walk_to(step) for tab, step in zip(tabs, steps, strict=True)))
    return tabs


@BEFORE_AND_AFTER_THE_WORK
def test_a_kill_in_the_middle_of_any_answer_loses_none_and_sends_none_twice(site, people, killed, fault):
    tabs = walked(site, people(ANSWERED), STEPS[1:])
    killed("connect", fault, tabs)
    before = site.counts["connect"]
    for tab in tabs:
        assert tab.another().get().is_waiting  # whoever began the answer may be alive, for all that is known
    assert site.counts["connect"] == before
    site.claims_grow_old()
    for tab in tabs[::2]:
        tab.get()
    at_once(*(tab.finish for tab in tabs))
    assert site.sent == len(tabs) * (ANSWERED + (fault == "silence"))
    assert Location.objects.count() == len(tabs)


@BEFORE_AND_AFTER_THE_WORK
def test_a_kill_in_the_middle_of_an_exchange_leaves_it_owed_until_somebody_comes(site, people, killed, fault):
    users = people(3)
    tabs = walked(site, users, ["SAVE"] * 3)
    callback = f"/connect/callback/?fp_cot={ConnectSession.objects.get(user=users[1]).connect_token}"
    killed("exchange", fault, tabs)
    before = site.counts["exchange"]
    assert site.manage("exchange_pending") == "exchanges: 0 tried, 0 failed, 0 left\n"
    assert site.counts["exchange"] == before
    site.claims_grow_old()
    tabs[0].get("/")
    tabs[1].get(callback)
    assert tabs[1].is_connected
    assert site.manage("exchange_pending") == "exchanges: 1 tried, 0 failed, 0 left\n"
    for tab, user in zip(tabs, users, strict=True):
        tab.get(f"/connect/{ConnectSession.objects.get(user=user).pk}/")
        assert tab.is_connected
    assert (site.counts["exchange"], site.sent) == (before + 3, 3 * ANSWERED)
    assert Location.objects.count() == 3


def test_a_kill_while_the_details_are_fetched_leaves_a_location_whose_details_come_with_the_rates(site, tab, killed):
    tab.walk_to("SAVE")
    killed("location", "silence", [tab])
    location = Location.objects.get()
    assert location.time_zone == ""
    tab.get(f"/connect/{ConnectSession.objects.get().pk}/")
    assert tab.is_connected
    assert "28.15p" in tab.get(f"/locations/{location.pk}/").text
    location.refresh_from_db()
    assert location.time_zone == "Europe/London"


@BEFORE_AND_AFTER_THE_WORK
def test_a_kill_while_a_conversation_begins_costs_a_token_that_nobody_uses(site, tab, killed, fault):
    tab.walk_to("address_line1").get("/connect/")  # signed in to FlatPeak by now
    killed("token", fault, [tab])
    tab.finish()
    assert len(site.world["tokens"]) == (2 if fault == "silence" else 3)
    assert Location.objects.count() == 1


def test_while_one_worker_is_killed_the_others_serve(several, people):
    site = several
    tabs = walked(site, people(8), ["cost"] * 8)
    before = site.sent
    site.delay(4000)  # by when each of them is in the middle of its call
    with ThreadPoolExecutor(len(tabs)) as pool:
        pressed = [pool.submit(tab.answer) for tab in tabs]
        wait_until(lambda: ConnectSession.objects.exclude(claimed_until=None).count() == len(tabs))
        os.kill(site.workers[0], signal.SIGKILL)
        site.delay(0)
        assert get(site.port, "/healthz").status_code == 200
        wait(pressed)
    assert all(tab.step in ("cost", "tariff_name") for tab in tabs)
    time.sleep(4)  # what the killed one had sent, FlatPeak is still at; a claim lasts longer than any call
    site.claims_grow_old()
    at_once(*(tab.finish for tab in tabs))
    assert site.sent == before + 4 * len(tabs)
    assert Location.objects.count() == len(tabs)


def test_a_worker_that_was_frozen_over_its_claim_changes_nothing_when_it_thaws(site, tab):
    tab.walk_to("cost")
    before, group = site.sent, site.app.process.pid
    port = free_port()
    with site.serve(port) as other, ThreadPoolExecutor(1) as pool:
        site.control(faults=[{"call": "connect", "fault": "slow_answer", "seconds": 1}])
        end = pool.submit(tab.another().answer)
        site.struck(1)
        os.killpg(group, signal.SIGSTOP)
        try:
            site.claims_grow_old()
            second = tab.another()
            second.url = f"http://127.0.0.1:{port}"
            second.answer()
        finally:
            os.killpg(group, signal.SIGCONT)
        first = end.result()
        site.keep_log(other)
    assert (first.path, first.step) == (second.path, "tariff_name")
    session = ConnectSession.objects.get()
    assert (session.newest, session.pages.count(), session.claimed_until) == (5, 5, None)
    assert site.sent == before + 1
    first.finish()


@pytest.mark.parametrize("seed", [SEED + more for more in range(10 if TORTURE else 1)])
def test_kills_at_any_moment_lose_nothing(site, people, seed):
    chance, users = random.Random(seed), people(8 if TORTURE else 3)
    tabs = [site.tab(user) for user in users]
    site.delay(50)

    def walk(tab):
        while not tab.is_connected:
            time.sleep(0.05)
            tab.answer() if tab.step else tab.get("/connect/" if tab.path == "/" else tab.path)

    with ThreadPoolExecutor(len(tabs)) as pool:
        walking = [pool.submit(walk, tab) for tab in tabs]
        for _ in range(5 if TORTURE else 2):
            wait(walking, chance.uniform(0.1, 1.5))
            site.kill()
            site.start_again()
            site.claims_grow_old()
        site.delay(0)
        assert not wait(walking, 120).not_done
    assert Location.objects.count() == len(tabs)
