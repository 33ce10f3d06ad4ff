"""What can happen at the same moment in anode alone, where a tariff is connected before its summary is seen.

`make torture` runs these; in other runs only who names the file does.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db.models import F
from django.utils import timezone

from connect_ui.models import SILENCE, ConnectSession
from connect_ui.routes import ROUTES
from tariffs.flatpeak import ANODE
from tariffs.models import Event, Location, Tariff
from tariffs.realm import FlatPeakAccount
from tests.programs import Program
from tests.races.places import PLACES
from tests.races.servers import ANSWERS, at_once, wait_until
from tests.races.test_buttons import buttons_of
from tests.races.test_tabs import callback, under_way

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.long,
    pytest.mark.parametrize("release", ["anode"], indirect=True, scope="session"),
]
State = ConnectSession.State


def an_hour_passes():
    ConnectSession.objects.update(updated_at=F("updated_at") - SILENCE, due_at=F("due_at") - SILENCE)


def is_stored_once(site):
    tariff = Tariff.objects.get()
    assert (tariff.name, tariff.version, Location.objects.count()) == ("Simple", 1, 1)
    assert ConnectSession.objects.get().state == State.CONNECTED
    return True


@pytest.mark.parametrize("first", ["callback", "worker", "event", "done", "visit"])
def test_callback_worker_event_visit_and_done_at_once_settle_once(site, tab, first):
    site.control(events={"url": f"{site.url}/flatpeak/events/"})
    tab.walk_to("SAVE")
    wait_until(Event.objects.filter(type="connect_session.complete").exists)
    an_hour_passes()
    tabs, address = [tab.another() for _ in range(3)], callback()
    calls = {
        "callback": lambda: tabs[0].get(address).settle(),
        "worker": lambda: site.manage("exchange_pending"),
        "event": lambda: site.manage("handle_events"),
        "done": lambda: tabs[1].answer().settle(),
        "visit": lambda: tabs[2].get().settle(),
    }
    site.delay(1500)
    if first == "visit":  # it claims nothing
        at_once(*calls.values())
    else:
        end = under_way(calls.pop(first))
        at_once(*calls.values())
        end.result()
    site.delay(0)
    Event.objects.update(due_at=timezone.now())
    site.manage("handle_events")
    assert not Event.objects.filter(type="connect_session.complete", handled_at=None).exists()
    assert is_stored_once(site)
    assert site.counts["exchange"] == 1
    assert site.statuses.keys() <= {200, 302}
    for each in tabs:
        assert each.is_connected or each.get(each.conversation).is_connected


def test_a_kill_at_the_summary_leaves_it_to_the_worker(site, tab):
    tab.walk_to("SAVE")
    site.kill()
    site.start_again()
    assert site.manage("exchange_pending") == "exchanges: 0 tried, 0 failed, 0 left\n"
    an_hour_passes()
    for tried in (1, 0):
        assert site.manage("exchange_pending") == f"exchanges: {tried} tried, 0 failed, 0 left\n"
    assert is_stored_once(site)
    assert tab.get().is_connected
    assert site.counts["exchange"] == 1


@pytest.mark.parametrize("fault", ["silence", "silence_after_work"])
def test_a_kill_while_the_worker_settles_leaves_it_to_the_next_one(site, tab, fault):
    tab.walk_to("SAVE")
    an_hour_passes()
    site.fault("exchange", fault)
    with Program(sys.executable, "manage.py", "exchange_pending", **site.settings) as worker:
        site.struck(1)
        worker.process.kill()
    site.control(faults=[])
    assert tab.answer().is_waiting
    site.claims_grow_old()
    assert site.manage("exchange_pending") == "exchanges: 1 tried, 0 failed, 0 left\n"
    assert is_stored_once(site)
    assert tab.get().is_connected


def test_of_many_who_begin_before_the_release_is_known_each_is_in_anode(site, people):
    FlatPeakAccount.objects.all().delete()
    site.start_again()
    tabs = [site.tab(user).get("/connect/") for user in people(8)]
    at_once(*(lambda each=each: each.press(**ANSWERS["direction"]) for each in tabs))
    assert {each.step for each in tabs} == {"address_line1"}
    assert FlatPeakAccount.objects.get().flatpeak_version == ANODE.version
    assert set(ConnectSession.objects.values_list("flatpeak_version", flat=True)) == {ANODE.version}
    assert "moved from release" not in site.app.output
    with ThreadPoolExecutor(len(tabs)) as pool:
        list(pool.map(lambda each: each.finish(), tabs))
    assert Location.objects.count() == len(tabs)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("place", [f"connect_ui/{each.name}" for each in ROUTES if each.is_stored])
def test_a_connected_tariff_is_stored_though_the_token_has_expired_whatever_is_pressed(site, tab, place, number):
    PLACES[place][0](tab)
    site.control(advance=90_000)
    form, button = buttons_of(tab.page)[number]
    tab.ask("POST", *tab.sent_by(form, button)).settle()
    assert "Almost done" in tab.text
    site.claims_grow_old()
    assert site.manage("exchange_pending") == "exchanges: 1 tried, 0 failed, 0 left\n"
    assert tab.get().is_connected
