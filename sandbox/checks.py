"""Which values an answer or a call may have: each check returns the clean value or raises FlatPeak's error.

`where` is the name of the field, for messages.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from . import catalog
from .codec import Json, data, parse_rfc3339, rfc3339
from .errors import Failure, check_fields, tolerated
from .tariff import STRUCTURES

ADDRESS = ("address_line1", "address_line2", "city", "state", "post_code", "country_code")
PATTERNS: dict[str, dict[str, str]] = data("patterns")
OPEN_END = "0001-01-01T00:00:00Z"
ID_PREFIXES = {"provider": "prv", "tariff": "trt"}


def text(value: Any, where: str, empty: str = "") -> str:
    """A string. `empty` is the code for a blank one, if it must not be blank."""
    if not isinstance(value, str):
        raise Failure("data_json_invalid/string", where=where)
    if empty and not value.strip():
        raise Failure(empty)
    return value


def matching(given: Json, **codes: str) -> None:
    """Check fields by data/patterns.json. `codes` names the codes that are not <field>_invalid."""
    for name, each in PATTERNS.items():
        if name in given and not (isinstance(given[name], str) and re.fullmatch(each["pattern"], given[name])):
            raise Failure("value_invalid", codes.get(name, f"{name}_invalid"), where=name, wanted=each["wanted"])


def moment(value: Any, where: str, key: str, code: str = "") -> datetime:
    """An aware datetime from RFC 3339 text; key and code are the Failure's."""
    try:
        return parse_rfc3339(value)
    except ValueError:
        raise Failure(key, code, where=where) from None


def number(value: Any, where: str) -> Decimal:
    """A JSON number below ten million, with at most 20 decimals."""
    if not isinstance(value, Decimal) or value.adjusted() > 6 or int(value.as_tuple().exponent) < -20:
        raise Failure("data_json_invalid/number", where=where)
    return value


def cost(value: Any, where: str) -> Decimal:
    """A price in major currency units per kWh, above zero."""
    price = number(value, where)
    if price <= 0:
        raise Failure("cost_value_negative" if price else "cost_value_zero", where=where)
    return price


def partial_address(value: Any) -> Json:
    """All six fields of an address, "" for those that are not given."""
    check_fields(value, "postal_address", (), ADDRESS)
    address = {name: text(value.get(name, ""), f"postal_address.{name}") for name in ADDRESS}
    if address["country_code"] and address["country_code"] not in catalog.COUNTRIES:
        raise Failure("country_code_invalid")
    return address


def postal_address(value: Any, post_code: str) -> Json:
    """A whole address with a time zone. post_code is the switch that says where there must be one."""
    lacks = isinstance(value, dict) and not value.keys() >= set(ADDRESS)
    if not (lacks and tolerated("address_fields")):
        check_fields(value, "postal_address", ADDRESS)
    address = partial_address(value)
    for name in ("address_line1", "city", "country_code"):
        text(address[name], name, f"{name}_missing")
    if post_code == "always" or catalog.COUNTRIES[address["country_code"]].get("post_codes", True):
        text(address["post_code"], "post_code", "post_code_missing")
    if not has_timezone(address):
        raise Failure("timezone_not_found")
    return address


def has_timezone(address: Json) -> bool:
    """Whether the time zone of an address is known. One without a state is tolerated if its town tells."""
    return bool(catalog.timezone(address)) and (not catalog.lacks_state(address) or tolerated("no_state"))


def hours(value: Any, where: str) -> list[Json]:
    """Two or more periods {valid_from, valid_to "HH:mm:ss", cost} that cover 24 hours once, sorted by valid_from."""
    if not isinstance(value, list):
        raise Failure("data_json_invalid/list", where=where, wanted="{valid_from, valid_to, cost}")
    for place, each in enumerate(value):
        check_fields(each, f"{where}[{place}]", ("valid_from", "valid_to", "cost"))
        for name in ("valid_from", "valid_to"):
            if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d", str(each[name])):
                raise Failure(f"{name}_invalid", where=f"{where}[{place}].{name}")
        cost(each["cost"], f"{where}[{place}].cost")
    if len(value) < 2:
        raise Failure("incomplete_time_period/one")
    ordered: list[Json] = sorted(value, key=lambda each: str(each["valid_from"]))
    for one, other in zip(ordered, [*ordered[1:], ordered[0]], strict=True):
        begin, end, following = one["valid_from"], one["valid_to"], other["valid_from"]
        if begin == end:
            raise Failure("valid_to_invalid/empty", begin=begin)
        if _time_between(begin, end) > _time_between(begin, following):
            raise Failure("valid_from_invalid/overlap", following=following)
        if end != following:
            code = "incomplete_time_period" if other is ordered[0] else "gap_in_time_period"
            raise Failure(code, end=end, following=following)
    return ordered


def _time_between(begin: str, end: str) -> timedelta:
    """The time from one clock time to the next occurrence of the other."""
    first, last = (datetime.fromisoformat(f"2000-01-01T{clock}") for clock in (begin, end))
    return (last - first) % timedelta(days=1)


def surcharge(value: Any, where: str) -> Json:
    """{"fixed": major units per kWh, "percentage": 18.5 for 18.5 %}; both may be zero."""
    check_fields(value, where, ("fixed", "percentage"))
    found = {name: number(value[name], f"{where}.{name}") for name in ("fixed", "percentage")}
    if not -100 <= found["percentage"] <= 100:
        raise Failure("surcharge_percentage_invalid")
    return found


def contract_date(value: Any, where: str) -> str | None:
    """RFC 3339 in UTC, OPEN_END, or None for unknown."""
    plain = re.sub(r"\.\d+Z", "Z", value) if isinstance(value, str) else value
    if plain not in (None, OPEN_END) and rfc3339(moment(plain, where, "date_format_invalid").astimezone(UTC)) != plain:
        raise Failure("date_format_invalid", where=where)
    if plain != value and not tolerated("fraction"):
        raise Failure("date_format_invalid", where=where)
    return plain


def option(value: Any, where: str) -> str:
    """The structure, from a list of exactly one."""
    if not isinstance(value, list):
        raise Failure("data_json_invalid/list", where=where, wanted='exactly one, as ["FIXED"]')
    if len(value) != 1 or value[0] not in (*STRUCTURES, "ADVANCED"):
        raise Failure("option_invalid")
    return value[0]


def id_of(value: Any, where: str) -> str:
    """The id, from {"id": …} of a provider or a tariff."""
    if not value or (isinstance(value, dict) and value.get("id") in (None, "")):
        raise Failure(f"{where}_id_missing")
    found = check_fields(value, where, ("id",))["id"]
    if not isinstance(found, str) or not re.fullmatch(ID_PREFIXES[where] + "_[0-9a-f]{24}", found):
        raise Failure(f"{where}_id_invalid")
    return found


def name_of(value: Any, where: str) -> str:
    """The name, from {"name": …} of a provider or a tariff."""
    found = check_fields(value, where, (), ("name",)).get("name", "")
    return text(found, f"{where}.name", f"{where}_name_missing")


def flags(value: Any, where: str, known: Iterable[str]) -> dict[str, bool]:
    """An object of booleans; one that is not given is false."""
    check_fields(value, where, (), known)
    if not all(isinstance(each, bool) for each in value.values()):
        raise Failure("data_json_invalid/boolean", where=where)
    return dict.fromkeys(known, False) | value
