"""The switches: what FlatPeak's documentation leaves open, and how slow the sandbox is."""

import re
from typing import Any

from .codec import Json, data, dumps

SWITCHES: dict[str, Json] = data("switches")


def choices(name: str) -> str:
    """The values of a switch, in words."""
    if "choices" not in SWITCHES[name]:
        return "a whole number from 0 to 999999"
    return " or ".join(map(dumps, SWITCHES[name]["choices"])).replace('"', "")


def checked(name: str, value: Any) -> Any:
    """A switch's value. Raises ValueError if the switch cannot have it."""
    if name not in SWITCHES:
        raise ValueError(f"There is no switch {name}; there are {', '.join(SWITCHES)}.")
    if "choices" not in SWITCHES[name] and re.fullmatch("[0-9]{1,6}", str(value)):
        return int(value)
    # Compare by repr, since True == 1.
    if repr(value) not in map(repr, SWITCHES[name].get("choices", ())):
        raise ValueError(f"{name} must be {choices(name)}.")
    return value
