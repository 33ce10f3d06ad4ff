"""The database is locked for a while, or the cache is gone, while answers arrive."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from connect_ui.models import ConnectSession
from tariffs.models import Location
from tests.programs import free_port, get
from tests.races.servers import at_once, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


@pytest.mark.parametrize(("step", "when"), [("cost", "before the claim"), ("SAVE", "while FlatPeak answers")])
def test_an_answer_waits_for_a_locked_database(site, tab, step, when):
    tab.walk_to(step)
    before = site.sent
    other = tab.another()
    if when == "while FlatPeak answers":
        site.control(faults=[{"call": "connect", "fault": "slow_answer", "seconds": 0.5}])
        with ThreadPoolExecutor(1) as pool:
            end = pool.submit(tab.answer)
            site.struck(1)
            with site.locked(2):
                pass
            end.result()
    else:
        with ThreadPoolExecutor(2) as pool:
            with site.locked(2):
                ends = [pool.submit(tab.answer), pool.submit(other.answer)]
            assert [end.result() for end in ends]
    tab.finish()
    assert site.sent == before + (4 if step == "cost" else 1)
    assert site.statuses.keys() <= {200, 302}
    assert ConnectSession.objects.get().newest == 8


def test_without_the_cache_every_answer_is_still_one(site, tab):
    port = free_port()
    with site.serve(port, CACHE_URL=f"redis://127.0.0.1:{free_port()}/0") as app:
        tab.url = f"http://127.0.0.1:{port}"
        tab.walk_to("SAVE")
        before, form = site.sent, tab.form(action="SAVE")
        site.delay(100)
        tabs = [tab.another() for _ in range(4)]
        at_once(*(lambda each=each: each.ask("POST", *form).settle() for each in tabs))
        for each in tabs:
            assert each.is_connected
        site.keep_log(app)
    assert site.sent == before + 1
    assert site.statuses.keys() <= {200, 302}
    assert "the cache is gone" in site.log
    assert Location.objects.count() == 1


def test_what_one_worker_learns_of_a_flatpeak_that_is_silent_another_knows(several, people):
    site, own = several, {"WEB_CONCURRENCY": 1, "FLATPEAK_READ_TIMEOUT": 2}
    users, ports = people(7), [free_port(), free_port()]
    with site.serve(ports[0], **own) as one, site.serve(ports[1], **own) as other:
        tabs = [site.tab(user) for user in users]
        at_once(*(lambda each=each: each.walk_to("cost") for each in tabs))
        for tab, port in zip(tabs, [ports[0]] * 6 + [ports[1]], strict=True):
            tab.url = f"http://127.0.0.1:{port}"
        site.fault("connect", "silence")
        at_once(*(lambda each=each: each.answer() for each in tabs[:5]))
        tabs[5].answer()  # the one call in five seconds that finds out whether FlatPeak is back
        before = site.counts
        tabs[6].answer()
        assert site.counts == before  # so it waited for nothing
        for tab in tabs:
            assert "We kept what you entered" in tab.text
            assert 'value="28.15"' in tab.page
        assert [get(port, "/healthz").status_code for port in ports] == [200, 200]
        site.control(faults=[])
        wait_until(lambda: tabs[6].answer().step == "tariff_name", every=1)  # sixty answers a minute are allowed
        for tab in tabs:
            tab.finish()
        site.keep_log(one)
        site.keep_log(other)
    assert Location.objects.count() == len(tabs)
