"""The script finds names as the server does."""

import pytest
from django.contrib.staticfiles import finders

from connect_ui.search import WEAK, search, words
from tests.test_search import ASKED, TABLE

pytestmark = pytest.mark.browser
LOAD = """async ([script, given]) => {
    const { WEAK, read, search, words } =
        await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
"""
FOUND = f"""{LOAD}
    return given.map(([names, queries]) => {{
        const list = names.map(read);
        return queries.map((query) => search(list, query)?.map((place) => names[place]) || names);
    }});
}}"""
WORDS = f"""{LOAD} return given.map(words); }}"""
WEAK_ONES = f"""{LOAD} return [...WEAK].sort(); }}"""
TIMES = f"""{LOAD}
    const [names, queries] = given, list = names.map(read);
    return queries.map((query) => {{
        const began = performance.now();
        search(list, query);
        return performance.now() - began;
    }});
}}"""


@pytest.fixture
def evaluate(chromium):
    with open(finders.find("js/search.js")) as file:
        script, page = file.read(), chromium.new_page()
    yield lambda code, given: page.evaluate(code, [script, given])
    page.close()


def test_the_script_finds_what_the_server_finds_in_the_same_order(evaluate):
    lists = {country: [] for country in TABLE}
    for country, query, _name in ASKED:
        lists[country] += [query[:end] for end in range(1, len(query) + 1)]  # as it is typed
    given = [(TABLE[country]["names"], queries) for country, queries in lists.items()]
    for (names, queries), found in zip(given, evaluate(FOUND, given), strict=True):
        for query, theirs in zip(queries, found, strict=True):
            assert theirs == search(names, query, str), query


def test_the_script_reads_words_as_the_server_does(evaluate):
    odd = [
        "1und1",
        "S.p.A. & Co. KG",
        "½ ² Ⅻ ௰ ①",
        "ﬀ ℡ ™",
        "क़िला",
        "a\u00adb\u200bc",
        "ΣΣ ΑΣ",
        "İıIi",
        "ẞß",
        "x_y",
        "𝐄.𝐎𝐍",
        "q" * 400,
    ]
    texts = [*odd, *(name for each in TABLE.values() for name in each["names"])]
    assert evaluate(WORDS, texts) == [list(words(text)) for text in texts]


def test_the_script_knows_the_same_weak_words(evaluate):
    assert evaluate(WEAK_ONES, []) == sorted(WEAK)


def test_a_thousand_names_are_searched_within_a_frame(evaluate):
    some = [name for each in TABLE.values() for name in each["names"]]
    names = [f"{some[n % len(some)]} {some[n * 7 % len(some)]}" for n in range(1000)]
    queries = ["octopus", "british gas trading limited", "zzzzzz yyyyyy", "stadtwerke m", "e"]
    took = evaluate(TIMES, [names, queries * 3])
    assert sorted(took)[len(took) // 2] < 16, took  # a slow phone takes four to six times as long as this
