"""What a step costs in statements and connections, whoever asks: counts, which no other load on the machine changes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import growth
from tests.test_faults import PAGES, SUMMARIES

pytestmark = pytest.mark.django_db
STATEMENTS = 12  # of a step by redirect: the POST, the GET of the page that it leads to, begin and commit
IN_PLACE = 9  # of the same in place
LAST = 30  # of the last step, which stores customer, location and tariff
# One more to show what follows these: a list of providers reads its ranking, a summary the questions that it links.
LEAD_TO_MORE = ("postal_address_capture", "tariff_select", "contract_term_capture")


@pytest.mark.parametrize("route", PAGES)
def test_a_step_takes_few_statements(walk, route):
    reach, answer, _ = PAGES[route]
    reach(walk)
    with CaptureQueriesContext(connection) as asked:
        answer(walk)
    assert walk.response.status_code == (302 if route in SUMMARIES else 200)
    allowed = LAST if route in SUMMARIES else STATEMENTS + (route in LEAD_TO_MORE)
    assert len(asked) <= allowed, [each["sql"] for each in asked]


@pytest.mark.parametrize("route", [route for route in PAGES if route not in SUMMARIES])
def test_a_step_in_place_reads_nothing_twice(walk, route):
    reach, answer, _ = PAGES[route]
    reach(walk)
    walk.client.defaults["HTTP_PART"] = "main"
    with CaptureQueriesContext(connection) as asked:
        answer(walk)
    assert walk.response["Content-Location"] == f"/connect/{walk.session.pk}/{walk.session.newest}/"
    assert len(asked) <= IN_PLACE + (route in LEAD_TO_MORE), [each["sql"] for each in asked]


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


@pytest.mark.long
def test_what_customers_and_staff_look_at_is_found_by_an_index_in_as_many_statements(walk):
    """On SQLite but for what an e-mail address, a street, a city or a post code begins with: it has no index for that."""
    walk.fixed()
    walk.get(f"/locations/{walk.session.location_id}/")
    work, looked_at = growth.works()
    counts = {name: set() for name in work}
    for first, last in ((0, 100), (100, 2000)):
        growth.fill(walk.session.tariff_id, first, last)
        looked_at.append(growth.customer(first))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            if connection.vendor == "postgresql":  # which would still read so few rows from beginning to end
                cursor.execute("SET LOCAL enable_seqscan = off")
        for name, each in work.items():
            each()  # what is kept for minutes is kept now
            with CaptureQueriesContext(connection) as asked:
                each()
            counts[name].add(len(asked))
            statements = [query["sql"] for query in asked]
            if connection.vendor == "sqlite":
                statements = [sql for sql in statements if " LIKE " not in sql and "LOWER(" not in sql]
            assert not [sql for sql in statements if growth.read_whole(sql)], name
    assert {name: len(each) for name, each in counts.items()} == dict.fromkeys(work, 1)
