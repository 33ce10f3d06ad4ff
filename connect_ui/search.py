"""The search for a name in a long list.

`static/js/search.js` does the same in the browser, and `tests/names.json` holds both to it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

LONGEST, MOST, MOST_INITIALS = 300, 10, 4  # letters of a text, and words of a query, that are read
# Letters that Unicode does not decompose, by what people type without a key for them.
PLAIN = str.maketrans(
    {"ø": "o", "æ": "a", "œ": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ß": "ss", "ς": "σ"}
)
APOSTROPHES = str.maketrans(dict.fromkeys("'’‘ʼ`´′"))
# Words that tell little: those that are left out, as "&" is, legal forms, and what many names have.
AND, LEGAL, COMMON = map(
    str.split,
    (
        "and und et och og",
        "ab ag ak as asa aps bv co corp corporation eg gmbh inc kg kgaa limited llc llp ltd mbh nv oy oyj plc pty sa sarl "
        "sas se spa srl ug",
        "the of for der die das fur le la les de du des energy energie energies energia energi power strom el electric "
        "electricity electricite elektrizitat elektrizitatswerke gas gaz erdgas kraft stadtwerke stadtwerk versorgung "
        "energieversorgung vertrieb trading supply sales retail services service customers customer company group gruppe "
        "groupe holding international www com uk gb us usa europe deutschland germany france sverige sweden tariff tarif",
    ),
)
ENDS = [word for word in LEGAL + COMMON if len(word) > 4]
WEAK = {*AND, *LEGAL, *COMMON}
WHOLE, BEGUN, SLIP, INSIDE = 4, 3, 3, 2  # how well a word is matched


class Name(NamedTuple):
    """A name without spaces, with its initials behind it if they are three or more.

    starts: where its words start, and the last one ends. telling: the starts of those that are not weak.
    """

    joined: str
    starts: list[int]
    telling: list[int]


# By a name's place in the list: how well it is matched, and where in it, -1 for inside a word.
Hits = dict[int, tuple[int, int]]


@lru_cache(maxsize=8192)  # all customers of a country get the same list
def words(text: str) -> tuple[str, ...]:
    """The words of a text without accents, case and punctuation; ae, oe and ue are a, o and u, as ä, ö and ü are.

    Single letters in a row are one word, S S E as sse. With a dot they begin the next word: E.ON is eon.
    """
    plain = text[:LONGEST].translate(APOSTROPHES)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Mc", "Me", "Cf"))
    found: list[str] = []
    alone = False
    for dot, word in re.findall(r"(\.?)([^\W\d_]+|\d+)", plain.lower().translate(PLAIN)):
        letter = len(word) == 1 and not word.isdecimal()
        if found and found[-1] in AND:
            found.pop()
        if found and alone and (letter or dot):
            found[-1] += word
        else:
            found.append(word)
        alone = letter or (alone and word in AND)
    return tuple(re.sub("([aou])e", r"\1", word) for word in found)


@lru_cache(maxsize=8192)
def read(name: str) -> Name:
    joined, starts, telling = "", [0], []
    found = words(name)
    # PG&E is Pacific Gas & Electric, and SWM is Stadtwerke München.
    initials = "".join("sw" if word == "stadtwerke" else word[0] for word in found)
    for word in (*found, initials) if len(initials) > 2 else found:
        if word not in WEAK and word != initials:
            telling.append(len(joined))
        joined += word
        starts.append(len(joined))
    return Name(joined, starts, telling)


def gist(name: str) -> str:
    """What is compared of two names that may be one provider's: EDF Energy Ltd and EDF have the same."""
    return "".join(word for word in words(name) if word not in WEAK) or "".join(words(name))


WEAK_NAMES = [read(word) for word in [*LEGAL, *COMMON]]


def hits(text: str, names: Sequence[Name]) -> Hits:
    found: Hits = {}
    for place, name in enumerate(names):
        if text not in name.joined:
            continue
        begun = [start for start in name.starts[:-1] if name.joined.startswith(text, start)]
        whole = [start for start, end in pairwise(name.starts) if start in begun and start + len(text) == end]
        if begun:
            found[place] = (WHOLE, whole[0]) if whole else (BEGUN, begun[0])
        elif len(text) > (2 if text.isascii() else 1):
            found[place] = INSIDE, -1
    return found


def is_begun(found: Hits) -> bool:
    return any(quality > INSIDE for quality, _start in found.values())


def goes_on(word: str, name: Name, at: int, slips: int, whole: bool) -> bool:
    """Whether the name goes on with the word but for a letter or two that are wrong, missing, too many or swapped.

    whole: it must be a whole word of the name.
    """
    joined, same = name.joined, 0
    while same < len(word) and joined.startswith(word[same], at + same):
        same += 1
    rest, at = word[same:], at + same
    if not rest or not slips:
        return not rest and (not whole or at in name.starts)
    swapped = rest[:2] == joined[at : at + 2][::-1]
    ways = ((1, 1), (0, 1), (1, 0), (2, 2)) if swapped else ((1, 1), (0, 1), (1, 0))
    return any(goes_on(rest[left:], name, at + passed, slips - 1, whole) for left, passed in ways)


def with_slips(word: str, names: Sequence[Name], slips: int = 1) -> Hits:
    """As `hits`, with a slip, or two if no name has the word with one.

    A number is too exact for one and a word of three letters too short. One of four letters must be a whole word then. Two
    are for words of eight letters, of which the first is right.
    """
    if len(word) < (4 if slips == 1 else 8) or word.isdecimal():
        return {}
    third = len(word) // 3
    parts = word[:third], word[third : 2 * third], word[2 * third :]  # one slip leaves one of them as it is
    one, other, rest = word[0], word[1], word[1:]
    found: Hits = {}
    for place, name in enumerate(names):
        joined = name.joined
        if slips == 1 and not any(part in joined for part in parts):
            continue
        for start in name.starts[:-1]:
            # Only a first letter that is wrong leaves neither of the first two where they can be.
            near = one in joined[start : start + 2] or joined[start] == other or joined.startswith(rest, start + 1)
            if (near if slips == 1 else joined[start] == one) and goes_on(word, name, start, slips, len(word) == 4):
                found[place] = (SLIP if slips == 1 else INSIDE), start
                break
    return found if found or slips > 1 else with_slips(word, names, 2)


def look_up(word: str, names: Sequence[Name]) -> tuple[bool, Hits]:
    """Whether a word of a query tells much, and which names it matches, with slips only if none has a word that begins so."""
    found = hits(word, names)
    if word in WEAK or is_begun(found):
        return word not in WEAK, found
    for end in ENDS:  # edfenergy
        head = word.removesuffix(end)
        if 1 < len(head) < len(word) and is_begun(begun := hits(head, names)):
            return True, begun
    return not with_slips(word, WEAK_NAMES), found | with_slips(word, names)


def search(items: Iterable[Any], query: str, name: Callable[[Any], str]) -> list[Any]:
    """The items whose names match the query, the best matches first; all of them for an empty query.

    A name is found if it has a word of the query that is not weak. It scores for each word that it has, and the more the
    fewer names have it. What it has not costs nothing, so who knows more finds no less, except names that score less than
    a third of the best one. Between equal scores a name comes first that has nothing else, then one that begins with the
    query, then the list's order.
    """
    items, asked = list(items), words(query)[:MOST]
    if not asked:
        return items
    names = [read(name(item)) for item in items]
    found = [look_up(word, names) for word in asked]
    telling = [tells for tells, _hits in found]
    if not any(telling):
        telling = [True] * len(asked)
    weights = [
        4 * (len(names) // max(len(each), 1)).bit_length() if tells else 1
        for tells, (_tells, each) in zip(telling, found, strict=True)
    ]
    # What a name may have, by the words of the query that it stands for: each word, two words as one, or their initials.
    parts = [(n, n + 1, word, found[n][1]) for n, word in enumerate(asked)]
    parts += [(n, n + 2, one + two, hits(one + two, names)) for n, (one, two) in enumerate(pairwise(asked))]
    for end in range(2, min(len(asked), MOST_INITIALS) + 1):
        initials = "".join(word[0] for word in asked[:end])
        whole = {} if initials in WEAK else hits(initials, names)
        whole = {place: (BEGUN, start) for place, (how, start) in whole.items() if how == WHOLE}
        parts.append((0, end, initials, whole))
    parts.sort(key=lambda part: part[1])

    ranked = []
    for place in sorted(set().union(*(each for *_, each in parts))):
        best, tells, spans = [0] * (len(asked) + 1), not names[place].telling, []
        for begin, end, text, each in parts:
            how, start = each.get(place, (0, -1))
            best[end] = max(best[end], best[end - 1], best[begin] + how * sum(weights[begin:end]))
            tells = tells or (how > 0 and any(telling[begin:end]))
            if start >= 0:
                spans.append((start, start + len(text)))
        more = any(not any(start <= at < end for start, end in spans) for at in names[place].telling)
        if tells:
            ranked.append((-best[-1], more, not spans or spans[0][0] > 0, place))
    ranked.sort()
    return [items[place] for score, *_, place in ranked if score * 3 <= ranked[0][0]]
