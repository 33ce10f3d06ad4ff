"""The front page of somebody who has not signed in: an example day, drawn without a call to FlatPeak."""

import html
import re

import pytest
from django.conf import settings

from flatpeak_app.example import PLACES, example

pytestmark = pytest.mark.django_db


def text_of(response):
    """The words of a page, with plain spaces."""
    words = html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode()))
    return re.sub(r"\s+", " ", words)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-gb", ["one day in London", "from 03:00 to 06:00: 14.87p", "£2.97", "£7.26"]),
        ("de", ["ein Tag in Berlin", "von 02:00 bis 05:00", "22,77 ct", "4,55 €", "8,22 €"]),
        ("fr", ["une journée à Paris", "de 2 h à 5 h", "3,09 €", "6,12 €"]),
    ],
)
def test_it_shows_a_day_and_what_it_tells_in_the_visitors_language(client, sandbox, language, said):
    before = dict(sandbox.counts)
    page = client.get("/", headers={"Accept-Language": language})
    for words in said:
        assert words in text_of(page)
    assert page.content.decode().count('class="bar ') == 24
    table = page.content.decode().partition("<table")[2].partition("</table>")[0]
    assert table.count("<tr") == 24 + 1
    assert settings.RATES_STYLE in page.content.decode()  # which has the chart's colours
    assert sandbox.counts == before


def test_the_example_is_named_as_one(client):
    assert "An example" in text_of(client.get("/"))
    assert "made-up prices" in text_of(client.get("/"))


def test_it_costs_no_query_and_the_day_is_made_once(client, django_assert_num_queries):
    client.get("/")
    with django_assert_num_queries(0):
        client.get("/")
    assert example("en-gb") is example("en-gb")


@pytest.mark.parametrize("language", ["en-gb", *PLACES])
def test_each_example_is_a_whole_day(language):
    found = example(language)
    assert len(found["segments"]) == 24
    assert found["chart"]["words"] == ["low", "usual", "high"]  # as in a customer's own chart
    assert found["chart"]["named"]
    assert found["lowest"].mean < found["highest"].mean
