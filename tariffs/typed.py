"""One reader for typed numbers, one for times of day and one for durations: what a text means.

`static/js/prices.js` reads numbers by the same rules, and `tests/typed_numbers.json` holds both to them.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import time
from decimal import Decimal

LONGEST = 40  # characters, with the unit and spaces
PER_KWH = re.compile(r"(/|per|pro|je|par|le)(kwh|unit)$")
# A sign and a unit, the digits with their separators, a unit.
PARTS = re.compile(r"((?:[^\d.,'٫]*[^\W\d_]\.)?[^\d.,'٫]*)(\d[\d.,'٫ ]*|[.,٫]\d+)(\D*)")
SEPARATORS = {"：": ":", "٬": "'", "’": "'", "ʼ": "'", "．": ".", "·": ".", "，": ",", "،": ","}
# 7, 07:30, 7.30, 7h30, 0730, 23:30:00, 11.30 pm, 7 Uhr
CLOCK = re.compile(r"(\d{1,2})(?:[:.,h' ]?(\d\d)(?::(\d\d))?)?(?:h|uhr|o'clock)?(?:([ap])\.?m\.?)?")
HOUR = ("", *["h", "hr", "hrs", "hour", "hours", "std", "stunde", "stunden", "heure", "heures"])
MINUTE = ("", *["min", "mins", "minute", "minutes", "minuten"])
DURATION = re.compile(rf"(\d{{1,3}})(?::(?=\d\d)|(?:{'|'.join(HOUR[1:])})\.?)([0-5]?\d)(?:{'|'.join(MINUTE)})\.?")
# The whole part, in groups of three or not, and the decimals: once for each of the two decimal signs.
NUMBERS = [
    re.compile(rf"(?P<whole>\d+|[1-9]\d{{0,2}}([' {group}])\d{{3}}(?:\2\d{{3}})*)?(?:[{sign}٫](?P<decimals>\d*))?")
    for sign, group in (".,", ",.")
]


def read(text: str, units: Mapping[str, int]) -> list[Decimal]:
    """The numbers that a text may mean; none if it is no number, two for "1,445".

    `units` has the words that may stand before or behind the digits, in lower case and without spaces, with the power of
    ten to multiply by; "" is for digits alone.
    """
    parts = PARTS.fullmatch(_plain(text)) if len(text) <= LONGEST else None
    if not parts:
        return []
    before, digits, after = parts.groups()
    sign = "-" if "-" in before else ""
    words = [PER_KWH.sub("", before.replace(sign or "+", "", 1)), PER_KWH.sub("", after)]
    shift, *others = {units.get(word.strip(".")) for word in words if word} or {units[""]}
    if shift is None or others:  # a word that is not this field's, or two that differ
        return []
    return [Decimal(sign + number).scaleb(shift) for number in _numbers(digits)]


def clock(text: str) -> time:
    """A time of day as people type it; raises ValueError for anything else. 24:00 is midnight."""
    found = CLOCK.fullmatch(_plain(text)) if len(text) <= LONGEST else None
    if not found:
        raise ValueError("no time of day")
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if half := found[4]:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half == "p" else 0)
    return time(0 if (hour, minute, second) == (24, 0, 0) else hour, minute, second)


def minutes(text: str) -> list[int]:
    """The minutes that a duration may mean: 2:30, 2h30, 2 h 30 min, 90 min, 2.5 hours; digits alone are hours."""
    if len(text) > LONGEST:
        return []
    if found := DURATION.fullmatch(_plain(text)):
        return [60 * int(found[1]) + int(found[2])]
    if hours := read(text, dict.fromkeys(HOUR, 0)):
        return [round(number * 60) for number in hours]
    return [round(number) for number in read(text, dict.fromkeys(MINUTE, 0))]


def _plain(text: str) -> str:
    """In lower case, with ASCII digits, separators and minus, and with single spaces between digits only."""
    found = ""
    for letter in text:
        kind = unicodedata.category(letter)
        if kind == "Nd":
            found += str(unicodedata.digit(letter))
        elif kind == "Pd" or letter == "\u2212":
            found += "-"
        elif kind != "Cf":
            found += SEPARATORS.get(letter, letter)
    return re.sub(r"(?<!\d) | (?!\d)", "", " ".join(found.split())).lower()


def _numbers(digits: str) -> list[str]:
    """One number for each way to read the digits, at most six before the decimal sign and eight behind it."""
    found = []
    for pattern in NUMBERS:
        if match := pattern.fullmatch(digits):
            whole, decimals = re.sub(r"\D", "", match["whole"] or "0"), match["decimals"] or ""
            number = f"{whole}.{decimals}" if decimals else whole
            if len(whole) <= 6 and len(decimals) <= 8 and number not in found:
                found.append(number)
    return found
