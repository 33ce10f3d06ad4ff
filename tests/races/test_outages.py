"""The database is locked for a while, or the cache is gone, while answers arrive."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from connect_ui.models import ConnectSession
from tariffs.models import Location
from tests.programs import free_port
from tests.races.servers import at_once

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
            assert "Your tariff is connected" in each.text
        site.keep_log(app)
    assert site.sent == before + 1
    assert site.statuses.keys() <= {200, 302}
    assert "the cache is gone" in site.log
    assert Location.objects.count() == 1
