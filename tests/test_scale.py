"""What a step costs in statements and connections, whoever asks: counts, which no other load on the machine changes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.test_faults import PAGES, SUMMARIES

pytestmark = pytest.mark.django_db
STATEMENTS = 14  # of a step by redirect: the POST, the GET of the page that it leads to, begin and commit
IN_PLACE = 10  # of the same in place
LAST = 30  # of the last step, which stores customer, location and tariff


@pytest.mark.parametrize("route", PAGES)
def test_a_step_takes_few_statements(walk, route):
    reach, answer, _ = PAGES[route]
    reach(walk)
    with CaptureQueriesContext(connection) as asked:
        answer(walk)
    assert walk.response.status_code == 200
    assert len(asked) <= (LAST if route in SUMMARIES else STATEMENTS), [each["sql"] for each in asked]


@pytest.mark.parametrize("route", [route for route in PAGES if route not in SUMMARIES])
def test_a_step_in_place_reads_nothing_twice(walk, route):
    reach, answer, _ = PAGES[route]
    reach(walk)
    walk.client.defaults["HTTP_PART"] = "main"
    with CaptureQueriesContext(connection) as asked:
        answer(walk)
    assert walk.response["Content-Location"] == f"/connect/{walk.session.pk}/{walk.session.newest}/"
    assert len(asked) <= IN_PLACE, [each["sql"] for each in asked]


def test_a_step_says_the_same_in_place_and_by_redirect(walk):
    """Whatever was read again for the one and not for the other."""
    walk.by_hand()
    walk.client.defaults["HTTP_PART"] = "main"
    walk.answer(cost="28")
    in_place = walk.response.content.decode()
    assert "28.00p" in in_place
    main = in_place[in_place.index("<h1>") : in_place.index("<form")]
    assert main in walk.client.get(walk.response["Content-Location"]).content.decode()


def test_steps_of_a_thread_share_one_connection_to_flatpeak(walk, flatpeak_sandbox, monkeypatch):
    opened = []
    accept = flatpeak_sandbox.get_request
    monkeypatch.setattr(flatpeak_sandbox, "get_request", lambda: opened.append(1) or accept())
    for _ in range(3):
        walk.fixed()
    assert len(opened) <= 1  # none where an earlier test of this thread had one already
