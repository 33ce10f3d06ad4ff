"""What each fault does to a call or its answer, and when it strikes."""

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .codec import Json
from .errors import AnswerLost, Failure
from .faults import FAULTS, Fault, can_strike
from .wire import Reply, json_reply, problem
from .world import World

LARGE, DEEP = 20 * 1024 * 1024, 100_000
SCRIPT, TURNED, HALF = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>", "\u202egnirts\u202c\u200f", "\ud800"
HOSTILE = f"{SCRIPT}{TURNED}\0{HALF}\U0001f50c{'x' * 10_000}"
# The lists to choose from: the prefix of an id, the field of the name, the other field.
CHOICES = {"providers": ("prv", "display_name", "logo_url"), "tariffs": ("trt", "name", "description")}


def _refusal(options: Json) -> Failure:
    failure = Failure(options["error"])
    if "retry_after" in options:
        failure.headers["Retry-After"] = str(options["retry_after"])
    return failure


def _lost(options: Json) -> AnswerLost:
    return AnswerLost(float(options.get("seconds", 0)))


def _deep(reply: Reply, options: Json) -> Reply:
    fields = reply.body[1:-1]
    return replace(reply, body=b"{" + fields + b"," * bool(fields) + b'"deep":' + b"[" * DEEP + b"]" * DEEP + b"}")


# Instead of the work: the answer, or what to raise.
STOPS: dict[str, Callable[[Json], Reply | Exception]] = {
    "connection_reset": lambda options: AnswerLost(reset=True),
    **dict.fromkeys(("connection_closed", "silence"), _lost),
    **dict.fromkeys((name for name, each in FAULTS.items() if "error" in each.get("with", ())), _refusal),
    "status_502": lambda options: problem(502, "This is a fault that was set on purpose."),
    "redirect": lambda options: Reply(302, headers={"Location": options["url"]}),
}
# After the work, instead of the answer: what to send or raise.
ANSWERS: dict[str, Callable[[Reply, Json], Reply | Exception]] = {
    **dict.fromkeys(("answer_lost", "silence_after_work"), lambda reply, options: _lost(options)),
    "slow_answer": lambda reply, options: replace(reply, seconds=float(options["seconds"])),
    "empty_body": lambda reply, _: replace(reply, body=b""),
    "cut_json": lambda reply, _: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "json_list": lambda reply, _: replace(reply, body=b"[" + reply.body + b"]"),
    "html_type": lambda reply, _: replace(reply, content_type="text/html"),
    "large_body": lambda reply, _: replace(reply, body=reply.body.ljust(LARGE)),
    "bad_gzip": lambda reply, _: replace(reply, body=b"\x1f\x8b\x08" + b"?" * 99, headers={"Content-Encoding": "gzip"}),
    "deep_json": _deep,
}


def _field(fields: Json, options: Json, missing: bool = False) -> None:
    """Remove or replace a field, if it is there."""
    with suppress(LookupError, TypeError, ValueError):
        *way, last = options["field"].split(".") if "field" in options else list(fields)[:1]
        place: Any = fields
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        key: Any = int(last) if isinstance(place, list) else last
        old = place[key]
        if missing:
            del place[key]
        else:
            place[key] = options.get("value", "text" if isinstance(old, bool | int | float | Decimal) else 7)


def _choices(fields: Json, options: Json) -> None:
    for field, (prefix, name, other) in CHOICES.items():
        if field in fields:
            numbers = range(len(fields[field]), int(options["count"]))
            fields[field] += [{"id": f"{prefix}_{each:024x}", name: f"Choice {each}", other: ""} for each in numbers]


def _texts(value: Any, options: Json, name: str = "") -> Any:
    """The JSON with texts changed: those in a field, or in a list in a field, that the options name."""
    if isinstance(value, dict):
        return {key: _texts(each, options, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts(each, options, name) for each in value]
    if not isinstance(value, str) or name not in (*options["names"], *options.get("more", ())):
        return value
    return options.get("url") or value + options.get("text", HOSTILE)


# After the work, in an answer that is no error: the change to its fields, for Connect those of data.
CHANGES: dict[str, Callable[[Json, Json], None]] = {
    "missing_field": lambda fields, options: _field(fields, options, missing=True),
    **dict.fromkeys(("wrong_value", "next_update_past", "next_update_garbage"), _field),
    "many_choices": _choices,
    **dict.fromkeys(
        ("hostile_text", "foreign_logo", "foreign_redirect", "foreign_callback"),
        lambda fields, options: fields.update(_texts(fields, options)),
    ),
}


def _change(answer: Json, fault: Fault) -> Json:
    """The answer after a fault, unchanged if the fault cannot change it."""
    if fault.name == "unknown_route":
        return {**answer, "route": fault.options["route"]}
    changed, of_connect = deepcopy(answer), "route" in answer
    options = fault.options | ({"more": ()} if of_connect else {})
    CHANGES[fault.name](changed.get("data", {}) if of_connect else changed, options)
    return changed


def due(world: World, call: str, name: str) -> list[Fault]:
    """The faults for a call: one that replaces its work, or else all that may spoil its answer, of which one will."""
    found = [
        each
        for each in world.faults
        if each.call in ("*", call, name)
        and can_strike(each.name, call)
        and each.left != 0
        and ("rate" not in each.options or world.chance.random() < each.options["rate"])
    ]
    return [each for each in found if each.name in STOPS][:1] or found


def _strike(world: World, fault: Fault, outcome: Reply | Exception) -> Reply:
    world.struck[fault.name] += 1
    if fault.left is not None:
        fault.left -= 1
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def stop(world: World, due: list[Fault]) -> Reply | None:
    """The answer instead of the work, None without such a fault. Raises Failure and AnswerLost."""
    if not due or due[0].name not in STOPS:
        return None
    return _strike(world, due[0], STOPS[due[0].name](due[0].options))


def spoil(world: World, due: list[Fault], found: Reply | Json) -> Reply:
    """The answer after the first fault that can change it. Raises AnswerLost."""
    reply = found if isinstance(found, Reply) else json_reply(found)
    for fault in due:
        if fault.name in ANSWERS:
            return _strike(world, fault, ANSWERS[fault.name](reply, fault.options))
        if isinstance(found, dict) and fault.name not in STOPS and (changed := _change(found, fault)) != found:
            return _strike(world, fault, json_reply(changed))
    return reply
