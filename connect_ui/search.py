"""The search for a name in a long list. `static/js/app.js` does the same in the browser."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

# Letters that Unicode does not decompose, by what people type without a key for them.
PLAIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
APOSTROPHES = "['’]"  # straight or curly
# Legal forms of companies. The page passes them to the script.
LEGAL = (
    "ab ag ak as asa aps bv co corp eg ev gmbh inc kg kgaa limited llc llp ltd mbh nv oy oyj plc pty sa "
    "sarl sas se spa srl ug"
)
LEGAL_FORM = re.compile(LEGAL.replace(" ", "|"))


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """The words of a name without accents, case, punctuation and the legal form at its end."""
    plain = re.sub(APOSTROPHES, "", text.casefold())
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.translate(PLAIN))
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    found = re.findall(r"[^\W_]+", plain.replace(".", ""))
    while len(found) > 1 and LEGAL_FORM.fullmatch(found[-1]):
        found.pop()
    return tuple(found)


def rank(name: tuple[str, ...], wanted: tuple[str, ...]) -> int | None:
    """How well a name matches a query: 0 is best, None is no match.

    0: the name begins with the query. 1: one of its words does. 2: the query is inside the name, or each of the query's
    words begins one of the name's.
    """
    joined, query, start = "".join(name), "".join(wanted), 0
    if joined.startswith(query):
        return 0
    for word in name:
        if joined.startswith(query, start):
            return 1
        start += len(word)
    return 2 if query in joined or all(any(word.startswith(w) for word in name) for w in wanted) else None


def search(items: Iterable[Any], query: str, name: Callable[[Any], str]) -> list[Any]:
    """The items whose names match the query, the best matches first; all of them for an empty query."""
    wanted = words(query)
    if not wanted:
        return list(items)
    ranked = [(rank(words(name(item)), wanted), item) for item in items]
    return [item for place in range(3) for found, item in ranked if found == place]
