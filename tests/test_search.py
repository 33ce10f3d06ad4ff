"""Finding a name in a long list as people type it: one table for the server and for the script."""

import json
import time
from pathlib import Path

import pytest

from connect_ui.search import AND, COMMON, LEGAL, MOST, WEAK, read, search, words
from sandbox.catalog import PROVIDERS

TABLE = json.loads(Path(__file__).with_name("names.json").read_text())
ASKED = [
    (country, query, name)
    for country, each in TABLE.items()
    for name, queries in [*each["finds"].items(), (None, each["nothing"])]
    for query in queries
]
COUNTRIES = {country: list(names) for country, names in PROVIDERS.items()}


def found(names, query):
    return search(names, query, str)


@pytest.mark.parametrize(("country", "query", "name"), ASKED, ids=lambda value: ascii(value)[:50])
def test_the_best_match_comes_first(country, query, name):
    assert found(TABLE[country]["names"], query)[:1] == ([name] if name else [])


def test_the_table_has_many_queries_of_four_countries():
    assert sum(country in ("GB", "DE", "FR", "SE") for country, _query, _name in ASKED) >= 400


# -- knowing more finds no less


MORE = [
    *("{} Ltd", "{} Energy", "{} GmbH & Co. KG", "{} Trading Limited", "{} S.A.", "The {} Company", "{}, 12345 Xqzyj"),
    *("{} plc, Customer Services", "  {}!", "www.{}.com", "{} {}", "Energie {} AB"),
]


@pytest.mark.parametrize("more", MORE)
def test_each_name_of_the_sandbox_is_found_with_what_a_bill_adds(more):
    for names in COUNTRIES.values():
        for name in names:
            assert found(names, more.replace("{}", name))[0] == name, name


def test_each_name_is_found_while_it_is_typed():
    for names in COUNTRIES.values():
        for name in names:
            for end in range(1, len(name) + 1):
                typed = name[:end]
                if not any(weak.startswith(words(typed)[-1]) for weak in WEAK):
                    assert name in found(names, typed), typed


@pytest.mark.parametrize("country", [country for country in TABLE if country != "other scripts"])
def test_a_word_that_is_in_the_name_or_in_none_loses_no_name(country):
    names = TABLE[country]["names"]
    for name in names:
        for word in name.split():
            if len(word) > 3 and set(words(word)) - WEAK:  # single letters and the next ones would be one word
                for more in (name, "xqzyj", "Ltd"):
                    for query in (f"{word} {more}", f"{more} {word}"):
                        assert name in found(names, query), query


@pytest.mark.parametrize("country", [country for country in TABLE if country != "other scripts"])
def test_one_slip_in_a_long_word_is_forgiven_wherever_it_is(country):
    names = TABLE[country]["names"]
    for name in names:
        word = max(words(name), key=len)
        if len(word) < 7 or word in COMMON:
            continue
        for at in range(len(word)):
            swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
            for slip in (
                word[:at] + word[at + 1 :],
                word[:at] + "x" + word[at:],
                word[:at] + "x" + word[at + 1 :],
                swapped,
            ):
                if words(slip) == (slip,) and slip not in COMMON:  # otherwise it is an umlaut, or another word
                    assert name in found(names, slip), slip


@pytest.mark.parametrize("country", [country for country in TABLE if country != "other scripts"])
def test_two_slips_in_a_word_of_nine_letters_are_forgiven_but_not_in_its_first_letter(country):
    names = TABLE[country]["names"]
    for name in names:
        word = max(words(name), key=len)
        if len(word) < 9 or word in COMMON:
            continue
        for at in range(1, len(word) - 4):
            for slip in (
                word[:at] + "x" + word[at + 1 : at + 3] + "x" + word[at + 4 :],
                word[:at] + "x" + word[at : at + 2] + "x" + word[at + 2 :],
            ):
                assert name in found(names, slip), slip
        assert found(names, "x" + word[1:4] + "x" + word[5:]) == []


@pytest.mark.parametrize(
    "query", ["ese", "xdf", "ssf", "ede", "2034", "octi", "bublk", "oktupos", "20342035", "oxfoxxthemarkt"]
)
def test_more_slips_than_a_word_is_long_enough_for_are_not(query):
    assert found(["SSE", "EDF", "2024", "Bulb", "Octopus", "20242025", "Outfoxthemarket"], query) == []


def test_two_slips_are_for_words_that_no_name_has_with_one():
    assert found(["Naturstrom", "Natursturm"], "naturstrum") == ["Naturstrom", "Natursturm"]
    assert found(["Vattenfall", "Vattenhall"], "vattnfall") == ["Vattenfall"]


def test_a_slip_is_for_words_that_no_name_has():
    assert found(["Bulb", "Bulk"], "bulk") == ["Bulk"]
    assert found(["Bulb", "Bulk"], "bulc") == ["Bulb", "Bulk"]


def test_two_letters_inside_a_word_are_too_few_but_two_ideographs_are_not():
    assert found(["SSE", "Drax"], "bulb se ra") == []
    assert found(["東京電力"], "京電") == ["東京電力"]
    assert found(["Drax"], "rax") == ["Drax"]


# -- the order


def test_whole_words_come_first_and_insides_last():
    names = ["Green Octopus", "Polyoctopus", "Octopus Energy", "Energy of octopuses", "British Gas"]
    assert found(names, "Octopus") == ["Octopus Energy", "Green Octopus", "Energy of octopuses", "Polyoctopus"]


def test_words_in_another_order_come_after_words_in_this_one():
    assert found(["Munich Town", "Town Munich"], "town munich") == ["Town Munich", "Munich Town"]


def test_a_name_that_has_nothing_else_comes_first():
    assert found(["E.ON Next", "E.ON"], "eon") == ["E.ON", "E.ON Next"]
    assert found(["E.ON Next", "E.ON Energy"], "eon") == ["E.ON Energy", "E.ON Next"]
    assert found(["Green Valley Solar", "Green Valley Energy"], "green valley")[0] == "Green Valley Energy"


def test_a_rare_word_tells_more_than_a_common_one():
    names = ["Green One", "Green Two", "Green Three", "Green Four", "Planet Five"]
    assert found(names, "green planet")[0] == "Planet Five"


def test_names_that_match_as_well_keep_their_order():
    names = ["Stadtwerke Ulm", "Stadtwerke Bonn", "Stadtwerke Trier"]
    assert found(names, "stadtwerke") == names


# -- weak words


def test_a_weak_word_finds_nothing_beside_one_that_tells_more():
    names = ["Octopus Energy", "Good Energy", "EDF"]
    assert found(names, "energy") == ["Octopus Energy", "Good Energy"]
    assert found(names, "bulb energy") == []
    assert found(names, "bulb enrgy") == []
    assert found(names, "enrgy") == ["Octopus Energy", "Good Energy"]
    assert found(names, "edf energy limited") == ["EDF"]
    assert found(names, "eenergy") == ["Octopus Energy", "Good Energy"]  # and not all names that begin with an E


def test_a_name_of_weak_words_alone_is_found_by_them():
    names = ["Energie AG", "Grüne Energie", "EVN"]
    assert found(names, "Energie AG") == ["Energie AG", "Grüne Energie"]
    assert found(names, "Energie AG Oberösterreich") == ["Energie AG"]


def test_weak_words_are_written_as_they_are_compared():
    for word in AND + LEGAL + COMMON:
        assert words(word) == (word,)


# -- what else is typed


@pytest.mark.parametrize("query", ["", "   ", "?!", "-", "🔌", "\u200f"])
def test_an_empty_query_gives_all_in_their_own_order(query):
    names = ["Zeta", "", "Alpha", "Ørsted", "!!"]
    assert found(names, query) == names


def test_items_of_one_name_all_stay():
    items = [{"id": 1, "name": "Same"}, {"id": 2, "name": "Same"}]
    assert search(items, "same", lambda item: item["name"]) == items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stadtwerke München GmbH & Co. KG", "stadtwerke munchen gmbh co kg"),
        ("Muenchen Müller Mueller Blue", "munchen muller muller blu"),
        ("E.ON", "eon"),
        ("Enel S.p.A., S A S 2 s.r.l", "enel spasas 2 srl"),
        ("goldgas.de", "goldgas de"),
        ("EDP_Comercial", "edp comercial"),
        ("M&S or M and S", "ms or ms"),
        ("Town and S", "town s"),
        ("L'Énergie d’ici", "lenergie dici"),
        ("100Green 12M", "100 green 12 m"),
        ("Ørsted Łódź İzmir straße Æther Œuvre Oeuvre", "orsted lodz izmir strasse ather ouvre ouvre"),
        ("and", "and"),
        ("", ""),
        ("🔌", ""),
    ],
)
def test_words_are_without_accents_case_and_punctuation(text, expected):
    assert words(text) == tuple(expected.split())


def test_a_name_without_words_is_nowhere():
    assert read("🔌") == ("", [0], [])
    assert found(["🔌", "A"], "a") == ["A"]


# -- limits


def test_a_very_long_query_is_read_to_its_tenth_word():
    names = ["EDF", "Zeta"]
    assert found(names, "EDF " + "xqzyj " * 5000) == ["EDF"]
    assert len(words("x y" * 10_000)) < 400
    assert found(names, " ".join(["xx"] * MOST + ["Zeta"])) == []


def test_four_times_the_list_takes_four_times_the_time():
    some = [name for each in TABLE.values() for name in each["names"]]
    names = [f"{some[n % len(some)]} {some[n * 7 % len(some)]} {n}" for n in range(4000)]
    query = "brtish gsa qwertz lkjhgf mnbvcx poiuzt yxcvbn asdfgh hgfdsa trewqy"

    def took(count):
        found(names[:count], query)
        began = time.process_time()
        found(names[:count], query)
        return time.process_time() - began

    assert min(took(4000) for _ in range(3)) < 8 * min(took(1000) for _ in range(3))


def test_hostile_names_take_no_time():
    names = ["a b " * 50_000, "xy " * 50_000, "x" * 200_000, "ab" * 100_000] * 20
    began = time.process_time()
    for query in ("x" * 200, "xy " * 60, "ab" * 100, "y" * 100 + " " + "a" * 99):
        found(names, query)
    assert time.process_time() - began < 2
