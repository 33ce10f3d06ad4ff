"""The faults that can be set, and the checks of one that is."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .codec import Json, data
from .wire import CALLS

FAULTS: dict[str, Json] = data("faults")
AT_ONCE = "connection_refused"  # strikes when it is set: a call cannot refuse the connection that it uses


@dataclass
class Fault:
    """One fault. given: the fields that were set. options: those and the defaults. left: strikes to come, None for ever."""

    call: str
    name: str
    given: Json
    options: Json
    left: int | None

    def public(self) -> Json:
        return {"call": self.call, "fault": self.name, **self.given, "left": self.left}


def _number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and least <= value <= most


def _whole(value: Any, least: int, most: int) -> bool:
    return _number(value, least, most) and value == int(value)


def _header(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 2000 and value.isascii() and value.isprintable()


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "times": (lambda value: _whole(value, 0, 999_999), "a whole number to 999999, 0 until it is turned off"),
    "rate": (lambda value: _number(value, 1e-9, 1), "a number above 0, 1 at most"),
    "seconds": (lambda value: _number(value, 1e-3, 3600), "a number above 0, 3600 at most"),
    "retry_after": (lambda value: _header(value) or _whole(value, 0, 10**9), "a whole number or a text"),
    "url": (_header, "an address"),
    "field": (lambda value: isinstance(value, str) and value != "", "the name of a field"),
    "value": (lambda value: True, "anything"),
    "count": (lambda value: _whole(value, 1, 999_999), "a whole number from 1 to 999999"),
    "text": (lambda value: isinstance(value, str), "a text"),
}


def parse(items: Any, routes: Collection[str]) -> list[Fault]:
    """Faults from a list of {"call", "fault", …}. Raises ValueError if one is wrong. routes: those of connect.<route>."""
    if not isinstance(items, list | tuple):
        raise ValueError("faults must be a list.")
    return [_parse(each, routes) for each in items]


def _parse(item: Any, routes: Collection[str]) -> Fault:
    if not isinstance(item, dict) or not all(isinstance(item.get(name), str) for name in ("call", "fault")):
        raise ValueError('A fault is an object with call and fault, as {"call": "rates", "fault": "status_500"}.')
    call, name = item["call"], item["fault"]
    if name not in FAULTS:
        raise ValueError(f"There is no fault {name}; there are {', '.join(FAULTS)}.")
    calls = [each for each in CALLS if can_strike(name, each)]
    calls = ["*", *calls, *(f"connect.{route}" for route in routes if "connect" in calls)]
    if call not in calls:
        raise ValueError(f"{name} cannot strike the call {call}; it can strike {', '.join(calls)}.")
    given = {field: value for field, value in item.items() if field not in ("call", "fault")}
    takes = (*(() if name == AT_ONCE else ("times", "rate")), *FAULTS[name]["takes"])
    for field, value in given.items():
        if field not in takes:
            raise ValueError(f"{name} takes {', '.join(takes)}, not {field}.")
        check, wanted = CHECKS[field]
        if not check(value):
            raise ValueError(f"{field} must be {wanted}.")
    if {"times", "rate"} <= given.keys():
        raise ValueError("A fault takes times or rate, not both.")
    if "rate" not in given and name != AT_ONCE:
        given = {"times": 1} | given
    return Fault(
        call, name, given, FAULTS[name].get("with", {}) | given, int(given.get("times", name == AT_ONCE)) or None
    )


def can_strike(name: str, call: str) -> bool:
    return call in FAULTS[name].get("only", (call,))
