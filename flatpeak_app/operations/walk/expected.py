"""What FlatPeak's answers hold as far as this app knows, and in words what is different in one."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connect_ui.routes import END, Kind, Route

NUMBER = int | Decimal
Kinds = dict[str, Any]  # the type of each field, by its path, as data.0.price; a number is a place in a list

WORDS: Mapping[Any, str] = {str: "text", bool: "true or false", NUMBER: "number", list: "list", dict: "object"}
ABSENT = object()

PAGE: Mapping[str, Kinds] = {
    "zero": {"connect_token": str, "live_mode": bool, "direction": str, "data": dict},
    "anode": {"connect_token": str, "live_mode": bool, "direction": str, "type": str, "data": dict},
}
VALUES: Mapping[str, Mapping[str, Any]] = {"zero": {}, "anode": {"type": "COMMODITY"}}
BARE: Kinds = {"connect_token": str, "live_mode": bool, "data": dict}  # of a page that leads away
# The page that ends a conversation, by our name, and the field that has our callback's address.
LAST = {"zero": (END, "callback_uri"), "anode": ("redirect", "redirect_url")}

TOKEN: Kinds = {"connect_token": str, "expires_in": NUMBER, "live_mode": bool}
TOLD: Kinds = {"id": str, "object": str, "live_mode": bool, "time_created": str}
EXCHANGE: Kinds = TOLD | {
    **dict.fromkeys(("customer_id", "customer_reference_id", "location_id", "location_reference_id"), str),
    "is_tariff_processed": bool,
    "time_expiry": str,
}
LOCATION: Kinds = TOLD | {"customer_id": str, "timezone": str, "currency_code": str, "postal_address": dict}
STATUS: Kinds = TOLD | {
    "tariff_status.commodity_import": dict,
    "tariff_status.commodity_import.status": str,
    "tariff_status.commodity_import.provider": dict,
    "tariff_status.commodity_import.tariff": dict,
    "tariff_status.commodity_import.tariff.structure_type": str,
}
PRICES: Kinds = TOLD | {
    **dict.fromkeys(("location_id", "location_timezone", "currency_code", "last_updated"), str),
    **{"request": dict, "data": list, "data.0.valid_from": str, "data.0.valid_to": str},
}
RATES: Mapping[str, Kinds] = {
    "zero": PRICES
    | {"direction": str, "next_update": str}
    | {"data.0.tariff": dict, "data.0.tariff.rate": NUMBER, "data.0.tariff.confidence": NUMBER},
    "anode": PRICES
    | {"tariff_direction": str}
    | {"data.0.price": dict, "data.0.price.value": NUMBER, "data.0.price.confidence": NUMBER},
}


def of_page(row: Route, release: str) -> Kinds:
    """The fields of a page, given its row and the release's column."""
    if row.kind is Kind.REDIRECT or row.kind is Kind.END:
        return BARE
    return {**PAGE[release], **{f"data.{name}": kind for name, kind in row.needs.items()}}


def buttons(row: Route) -> set[str]:
    """The actions that have a button on a page."""
    reports = {"WRONG_TARIFF_REPORT", "WRONG_TARIFF"} if row.kind is Kind.SUMMARY and row.is_stored else set()
    return {*row.actions, "BACK", "CLOSE", *reports}


def differences(answer: Any, kinds: Kinds) -> Iterator[str]:
    """A sentence for each field that an answer lacks, or that is of another type: "lacks data.providers (list)".

    Of a field that is in another one, nothing is said if that is absent too.
    """
    for path, kind in kinds.items():
        outer = path.rpartition(".")[0]
        value = at(answer, path)
        if value is ABSENT:
            if not outer or isinstance(at(answer, outer), dict):
                yield f"lacks {path} ({WORDS[kind]})"
        elif not isinstance(value, kind) or (kind is NUMBER and isinstance(value, bool)):
            yield f"{path} is {word(value)}, not {WORDS[kind]}"


def other_values(answer: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each field that is there with another value of the same type than is wanted."""
    for path, want in wanted.items():
        value = at(answer, path)
        value = value.strip() if isinstance(value, str) else value  # a status may end with a space
        comparable = isinstance(value, type(want)) or (isinstance(value, NUMBER) and isinstance(want, NUMBER))
        if comparable and value != want:
            yield f"{path} is {shown(value)}, not {shown(want)}"


def at(value: Any, path: str) -> Any:
    """What an answer has at a path, ABSENT if nothing."""
    for step in path.split("."):
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step, ABSENT)
        else:
            return ABSENT
    return value


def word(value: Any) -> str:
    """A value's type in words."""
    if value is None or isinstance(value, bool):
        return shown(value)
    return next((words for kind, words in WORDS.items() if isinstance(value, kind)), type(value).__name__)


def shown(value: Any) -> str:
    """A value as JSON writes it, without quotes."""
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
    )
