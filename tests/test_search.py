"""Finding a name in a long list as people type it."""

import pytest

from connect_ui.search import rank, search, words


def found(names, query):
    return search(names, query, lambda name: name)


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("E.ON SE", ["E.ON", "e.on", "eon", "EON", "e on", "E-ON", "E.ON SE", "on"]),
        ("EnBW Energie Baden-Württemberg AG", ["enbw", "EnBW", "baden wurttemberg", "Baden-Württemberg", "enbw AG"]),
        ("Ørsted A/S", ["Ørsted", "orsted", "ØRSTED", "ørsted", "O\u0308rsted"]),
        ("Stadtwerke München GmbH", ["munchen", "MÜNCHEN", "stadtwerke munchen", "munchen stadtwerke", "mü stadt"]),
        ("Enel Energia S.p.A.", ["enel", "Enel Energia SpA", "enel energia s.p.a.", "energia"]),
        ("Électricité de France S.A.", ["electricite", "Electricité de France", "electricitedefrance"]),
        ("Großkraftwerk", ["grosskraftwerk", "GROSSKRAFTWERK", "großkraft"]),
        ("İzmir Elektrik", ["izmir", "İZMİR", "ızmir"]),
        ("Łódź Energia", ["lodz", "Łódź", "ŁÓDŹ"]),
        ("L'Énergie d’ici", ["lenergie", "l'energie", "l’énergie dici", "L’ENERGIE"]),
        ("St Mary’s Power", ["st marys", "st mary's", "ST MARY’S", "st marys power"]),
        ("100Green", ["100", "green", "100 green"]),
        ("東京電力", ["東京", "電力"]),
        ("SSE", ["sse", "S S E"]),
        ("AG", ["ag", "AG"]),
        ("Co. KG", ["co", "Co"]),
    ],
)
def test_a_name_is_found_as_people_type_it(name, queries):
    for query in queries:
        assert found(["Zzz", "Something else", name], query)[0] == name, query
        assert "Zzz" not in found(["Zzz", name], query), query


@pytest.mark.parametrize("query", ["octopuss", "z", "bulb energy", "eno"])
def test_what_is_not_there_is_not_found(query):
    assert found(["Octopus Energy", "E.ON", "Bulb"], query) == []


def test_beginnings_of_words_come_first_and_insides_last():
    names = ["Green Octopus", "Polyoctopus", "Octopus Energy", "Energy of octopuses", "British Gas"]
    assert found(names, "Octopus") == [
        "Octopus Energy",
        "Green Octopus",
        "Energy of octopuses",
        "Polyoctopus",
    ]


def test_words_in_another_order_come_after_words_in_this_one():
    assert found(["Munich Town", "Town Munich"], "town munich") == ["Town Munich", "Munich Town"]


@pytest.mark.parametrize("query", ["", "   ", "?!", "-"])
def test_an_empty_query_gives_all_in_their_own_order(query):
    names = ["Zeta", "", "Alpha", "Ørsted", "!!"]
    assert found(names, query) == names


def test_items_of_one_name_all_stay():
    items = [{"id": 1, "name": "Same"}, {"id": 2, "name": "Same"}]
    assert search(items, "same", lambda item: item["name"]) == items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stadtwerke München GmbH & Co. KG", ("stadtwerke", "munchen")),
        ("AG", ("ag",)),
        ("SE Ltd.", ("se",)),
        ("Ag Energie", ("ag", "energie")),
        ("E.ON", ("eon",)),
        ("EDP_Comercial", ("edp", "comercial")),
        ("L'Énergie d’ici", ("lenergie", "dici")),
        ("", ()),
        ("🔌", ()),
    ],
)
def test_the_words_of_a_name_are_plain_and_without_its_legal_form(text, expected):
    assert words(text) == expected


def test_a_name_without_words_is_nowhere():
    assert rank((), ("a",)) is None
