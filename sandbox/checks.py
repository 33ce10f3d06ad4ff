"""What may stand in an answer: each function returns the clean value or raises the Failure that FlatPeak documents."""

import re
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from . import catalog
from .wire import Failure, Json, check_fields, parse_rfc3339

ADDRESS = ("address_line1", "address_line2", "city", "state", "post_code", "country_code")
STRUCTURES = ("FIXED", "TIME_OF_DAY", "MARKET")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Failure("data_json_invalid/string", where=where)
    return value


def filled(value: Any, where: str, code: str) -> str:
    """A string with more than white space in it; the code if it is empty."""
    if not text(value, where).strip():
        raise Failure(code)
    return str(value)


def one_of(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise Failure("value_invalid", f"{where}_invalid", where=where, wanted=" or ".join(choices))
    return str(value)


def matching(value: Any, where: str, pattern: str, wanted: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise Failure("value_invalid", f"{where}_invalid", where=where, wanted=wanted)
    return value


def moment(value: Any, where: str) -> datetime:
    """An aware datetime from RFC 3339 text of a query or of a control request."""
    try:
        return parse_rfc3339(value)
    except ValueError:
        wanted = "RFC 3339 with Z or an offset, as 2026-10-25T00:00:00Z (a + in a query is written %2B)"
        raise Failure("value_invalid", f"{where}_invalid", where=where, wanted=wanted) from None


def number(value: Any, where: str) -> Decimal:
    """A JSON number of a size and precision that a price can have; strings and booleans are not numbers."""
    if not isinstance(value, Decimal):
        raise Failure("data_json_invalid/number", where=where)
    if value.adjusted() > 6 or len(value.as_tuple().digits) > 28 or int(value.as_tuple().exponent) < -20:
        raise Failure("data_json_invalid/range", where=where)
    return value


def cost(value: Any, where: str = "cost") -> Decimal:
    """A price in major currency units per kWh, above zero."""
    price = number(value, where)
    if price <= 0:
        raise Failure("cost_value_negative" if price else "cost_value_zero", where=where)
    return price


def country(code: str) -> str:
    if code not in catalog.COUNTRIES:
        raise Failure("country_code_invalid" if code else "country_code_missing")
    return code


def postal_address(value: Any) -> Json:
    """A whole address with a time zone; all six fields, "" for what is unknown."""
    address = dict(check_fields(value, "postal_address", ADDRESS))
    for name in ADDRESS:
        text(address[name], f"postal_address.{name}")
    for name in ("address_line1", "city", "post_code"):
        filled(address[name], name, f"{name}_missing")
    country(address["country_code"])
    if not catalog.timezone(address):
        raise Failure("timezone_not_found")
    return address


def hours(value: Any) -> list[Json]:
    """Two or more periods {valid_from, valid_to "HH:mm:ss", cost} that cover 24 hours once, in order of valid_from."""
    if not isinstance(value, list):
        raise Failure("data_json_invalid/list", where="hours", wanted="{valid_from, valid_to, cost}")
    for place, each in enumerate(value):
        check_fields(each, f"hours[{place}]", ("valid_from", "valid_to", "cost"))
        for name in ("valid_from", "valid_to"):
            where = f"hours[{place}].{name}"
            if not _CLOCK.fullmatch(text(each[name], where)):
                raise Failure(f"{name}_invalid", where=where)
        cost(each["cost"], f"hours[{place}].cost")
    if len(value) < 2:
        raise Failure("incomplete_time_period/one")
    ordered: list[Json] = sorted(value, key=lambda each: str(each["valid_from"]))
    for each in ordered:
        if each["valid_from"] == each["valid_to"]:
            raise Failure("valid_to_invalid/empty", at=each["valid_from"])
    for one, other in pairwise(ordered):
        if not one["valid_from"] < one["valid_to"] <= other["valid_from"]:
            raise Failure("valid_from_invalid/overlap", at=other["valid_from"])
        if one["valid_to"] != other["valid_from"]:
            raise Failure("gap_in_time_period", begin=one["valid_to"], end=other["valid_from"])
    begin, last = ordered[0]["valid_from"], ordered[-1]
    if begin < last["valid_to"] < last["valid_from"]:
        raise Failure("valid_from_invalid/overlap", at=begin)
    if last["valid_to"] != begin:
        raise Failure("incomplete_time_period", end=last["valid_to"], begin=begin)
    return ordered


def surcharge(value: Any) -> Json:
    """{"fixed": major units per kWh, "percentage": 18.5 for 18.5 %}, either of which may be zero."""
    check_fields(value, "surcharge", ("fixed", "percentage"))
    found = {name: number(value[name], f"surcharge.{name}") for name in ("fixed", "percentage")}
    if not -100 <= found["percentage"] <= 100:
        raise Failure("surcharge_percentage_invalid")
    return found


def contract_date(value: Any, where: str) -> str | None:
    """RFC 3339 in UTC, 0001-01-01T00:00:00Z for an open end, or None for unknown."""
    if value is None:
        return None
    try:
        parse_rfc3339(value)
    except ValueError:
        raise Failure("date_format_invalid", where=where) from None
    if not _UTC.fullmatch(value):
        raise Failure("date_format_invalid", where=where)
    return str(value)


def contract_term(answer: Json) -> Json:
    """{"start", "end"}, each as contract_date returns it."""
    check_fields(answer, "data", (), ("contract_start_date", "contract_end_date"))
    start = contract_date(answer.get("contract_start_date"), "contract_start_date")
    end = contract_date(answer.get("contract_end_date"), "contract_end_date")
    if start and end and not end.startswith("0001") and end <= start:
        raise Failure("date_format_invalid/order")
    return {"start": start, "end": end}
