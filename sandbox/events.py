"""What FlatPeak tells an app of its own accord, found by comparing the state with how it was when last looked at."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from . import rates
from .anode import ANODE
from .codec import Json, rfc3339
from .session import tariff_key
from .tariff import is_market, market_of, pending, tariff_status
from .world import World

EXPIRES_SOON, GIVES_UP = timedelta(days=10), timedelta(hours=48)
SESSION_FIELDS = ("customer_id", "customer_reference_id", "location_id", "location_reference_id")
# The types that only some releases have: from anode on, or before it.
SINCE_ANODE, BEFORE_ANODE = ("connect_session.complete",), ("tariff.expiring",)


class Event(NamedTuple):
    """`version` is that of the release that it is told in."""

    type: str
    data: Json
    version: str


class Seen(NamedTuple):
    """What was so when last looked at, so that only what is new becomes an event.

    accounts: of the locations. tariffs: by location and key, how they stood. facts: of conversations and tariffs, as
    ("cot_…", "priced").
    """

    accounts: dict[str, str]
    tariffs: dict[str, dict[str, Json]]
    facts: set[tuple[str, str]]


def see(world: World) -> Seen:
    """How the state stands. Hold the world's lock."""
    state, now = world.state, world.now()
    facts = {(token["id"], fact) for token in state["tokens"].values() for fact in _stages(state, token, now)}
    tariffs: dict[str, dict[str, Json]] = {}
    for place_id, place in state["locations"].items():
        tariffs[place_id] = {}
        for key, tariff in place["tariffs"].items():
            market = market_of(place["postal_address"], tariff)
            # Prices change with each publication of the market.
            published = str(market.last_day(now)) if is_market(tariff) else ""
            status = tariff_status(tariff, now)
            tariffs[place_id][key] = {"id": tariff["id"], "is": (tariff["saved"], status, published)}
            end = rates.contract_end(tariff, market, world.switch("last_day"))
            late = pending(tariff, now) and now - datetime.fromisoformat(tariff["saved"]) >= GIVES_UP
            so = {"tariff.expired": end <= now, "tariff.expiring": now < end <= now + EXPIRES_SOON}
            so["tariff.fetch.failed"] = late or status == "ERROR"
            facts |= {(tariff["id"], fact) for fact, is_so in so.items() if is_so}
    return Seen({key: place["account_id"] for key, place in state["locations"].items()}, tariffs, facts)


def _stages(state: Json, token: Json, now: datetime) -> Iterator[str]:
    """How far a conversation is: "located" once its location has a tariff of it, "priced" once that has rates too."""
    place = state["locations"].get(token["location_id"])
    tariff = place and place["tariffs"].get(tariff_key(token))
    own = bool(tariff) and datetime.fromisoformat(tariff["saved"]) >= datetime.fromisoformat(token["created"])
    if place and (own or token["complete"]):
        yield "located"
        if not tariff or tariff_status(tariff, now) == "CONNECTED":
            yield "priced"


def between(world: World, before: Seen, after: Seen) -> Iterator[Event]:
    """The events that lead from how it was seen to how it is. Hold the world's lock."""
    for place_id in before.tariffs.keys() - after.tariffs.keys():
        account = before.accounts[place_id]
        gone = {"id": place_id, "object": "location", "live_mode": False, "account_id": account}
        yield Event("location.delete", gone, world.release_of(account).version)
    for place_id, tariffs in after.tariffs.items():
        version = _version(world, place_id)
        if place_id not in before.tariffs:
            yield Event("location.create", _location(world, place_id), version)
        if tariffs != before.tariffs.get(place_id, {}):
            plain = world.switch("event_location_data") == "location"
            data = _location(world, place_id) if plain else {"location_id": place_id}
            yield Event(world.switch("event_location_name"), data, version)
    owners = {each["id"]: place for place, tariffs in after.tariffs.items() for each in tariffs.values()}
    for about, fact in sorted(after.facts - before.facts):
        if about in owners:
            place_id = owners[about]
            data = {"live_mode": False, "location_id": place_id, "tariff_id": about}
            data["account_id"] = after.accounts[place_id]
            found = Event(fact, data, _version(world, place_id))
        elif _tells(world, fact):
            token = world.state["tokens"][about]
            found = Event("connect_session.complete", _session(world, token), _of_token(world, token))
        else:
            continue
        if is_told(found):
            name = world.switch("event_complete_name")
            yield found._replace(type=name) if found.type in SINCE_ANODE else found


def is_told(event: Event) -> bool:
    """Whether the release has events of this type."""
    newer = event.version >= ANODE.version
    return event.type not in (BEFORE_ANODE if newer else SINCE_ANODE)


def _tells(world: World, stage: str) -> bool:
    """Whether a conversation's end is told at this stage."""
    when = world.switch("event_complete")
    return when == stage or when == "twice"


def _version(world: World, place_id: str) -> str:
    """The release in which a location is told of."""
    made = (each for each in world.state["tokens"].values() if each["location_id"] == place_id)
    first = next(made, None)  # the conversation that made it
    return _of_token(world, first) if first else world.release_of(_account(world, place_id)).version


def _of_token(world: World, token: Json) -> str:
    """The release of a conversation, or the account's by now, as the switch says."""
    if world.switch("event_release") == "account":
        return world.release_of(token["account_id"]).version
    return world.release(token["release"]).version


def _account(world: World, place_id: str) -> str:
    return world.state["locations"][place_id]["account_id"]


def _location(world: World, place_id: str) -> Json:
    place = world.state["locations"][place_id]
    found: Json = {"id": place_id, "object": "location", "live_mode": False, "account_id": place["account_id"]}
    found |= {"customer_id": place["customer_id"], "reference_id": place["reference_id"] or ""}
    found |= {"postal_address": place["postal_address"], "time_created": place["created"]}
    return found | {"tariff_elements": [each["id"] for each in place["tariffs"].values()]}


def _session(world: World, token: Json) -> Json:
    if world.switch("event_complete_data") == "fields":
        return {"connect_token": token["id"], "location_id": token["location_id"]}
    found: Json = {"id": token["id"], "object": "connect_session", "live_mode": False}
    found |= {"account_id": token["account_id"], **{name: token[name] or "" for name in SESSION_FIELDS}}
    if world.switch("event_complete_data") == "no_location":
        del found["location_id"]
    return found | {"time_created": rfc3339(datetime.fromisoformat(token["created"])), "time_expiry": token["expires"]}
