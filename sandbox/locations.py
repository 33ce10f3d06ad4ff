"""Locations, customers and rates: the REST calls about what conversations have stored."""

from datetime import datetime, timedelta

from . import catalog, checks, rates
from .codec import Json, rfc3339
from .errors import Failure, tolerated
from .rates import DAY
from .tariff import is_market, market_of, pending, provider_of, tariff_status
from .wire import Reply, Request, json_reply, new_id
from .world import World

ELEMENTS = ("commodity_import", "commodity_export", "non_commodity_import", "non_commodity_export", "local")
RATES_FIELDS = ("start_time", "end_time", "direction", "include_tariff", "include_carbon")


def _location(world: World, account_id: str, location_id: str) -> Json:
    found = world.state["locations"].get(location_id, {})
    if found.get("account_id") != account_id:
        raise Failure("not_found")
    return found


def _about(request: Request, kind: str, created: str) -> Json:
    """The fields that all objects of an account share."""
    return {"object": kind, "live_mode": False, "time_created": created, "account_id": request.account}


def location(world: World, request: Request) -> Json:
    """GET /locations/{id}."""
    request.fields()
    found = _location(world, request.account, request.part)
    address = found["postal_address"]
    answer = {"id": request.part, **_about(request, "location", found["created"])}
    answer |= {"customer_id": found["customer_id"], "reference_id": found["reference_id"] or ""}
    facts, tariffs = catalog.COUNTRIES[address["country_code"]], found["tariffs"]
    answer |= {"timezone": catalog.timezone(address), "currency_code": facts["currency"], "postal_address": address}
    # The sandbox knows no streets: the country's place stands for all of them.
    answer["geo_location"] = {"lat": facts["lat"], "lng": facts["lng"]}
    answer["tariff_status"] = {key: _element_status(world, tariffs, key) for key in ELEMENTS}
    return answer | {"tariff_elements": [each["id"] for each in tariffs.values()]}


def _element_status(world: World, tariffs: Json, key: str) -> str:
    """The status of one of a location's ELEMENTS, by the switch status_padded with a space."""
    supported = key in tariffs or key not in ("non_commodity_export", "local")
    found = tariff_status(tariffs.get(key), world.now()) if supported else "NOT_SUPPORTED"
    return found + (" " if world.switch("status_padded") else "")


def status(world: World, request: Request) -> Json:
    """GET /locations/{id}/status: an entry for each type and direction, and for local."""
    request.fields()
    place = _location(world, request.account, request.part)
    statuses: Json = {}
    for key in ELEMENTS:
        tariff = place["tariffs"].get(key)
        entry: Json = {"status": _element_status(world, place["tariffs"], key)}
        if tariff:
            entry |= {"connection_type": tariff["connection"], "provider": provider_of(tariff).public(request.base)}
            shown = {"id": tariff["id"], "display_name": tariff["name"], "structure_type": tariff["structure"]}
            # FlatPeak describes it as a string that can be absent, so it is never null.
            entry["tariff"] = {**shown, **({"contract_end_date": tariff["end"]} if tariff.get("end") else {})}
        statuses[key] = entry
    return {"id": request.part, **_about(request, "location_status", place["created"]), "tariff_status": statuses}


def delete_location(world: World, request: Request) -> Reply:
    """DELETE /locations/{id}: forgets it and the conversations about it."""
    request.fields()
    _location(world, request.account, request.part)
    del world.state["locations"][request.part]
    return _deleted(world, request, "location", ("tokens",))


def delete_customer(world: World, request: Request) -> Reply:
    """DELETE /customers/{id}: forgets it, its locations and its conversations."""
    request.fields()
    if world.state["customers"].get(request.part, {}).get("account_id") != request.account:
        raise Failure("not_found")
    del world.state["customers"][request.part]
    return _deleted(world, request, "customer", ("locations", "tokens"))


def _deleted(world: World, request: Request, kind: str, boxes: tuple[str, ...]) -> Reply:
    """Forget everything that names the deleted object."""
    for box in boxes:
        kept = {key: each for key, each in world.state[box].items() if each[f"{kind}_id"] != request.part}
        world.state[box] = kept
    world.changed = True
    return json_reply({"message": "Accepted"}, 202)


def tariff_rates(world: World, request: Request) -> Json:
    """GET /tariffs/rates/{id}: the rates of a location's COMMODITY tariff in one direction, for at most 90 days."""
    now, given = world.now(), request.fields((), RATES_FIELDS)
    if "end_time" not in given:
        raise Failure("end_time_missing")
    for name in ("include_tariff", "include_carbon"):
        plain = given.get(name, "").lower()
        if plain in ("true", "false") and given[name] != plain and tolerated("boolean_case"):
            given[name] = plain
    checks.matching(given)
    query = {"start_time": rfc3339(now), "direction": "IMPORT", "include_tariff": "true", "include_carbon": "false"}
    query |= given
    times = (checks.moment(query[name], name, "time_invalid", f"{name}_invalid") for name in ("start_time", "end_time"))
    (start, end), direction = times, query["direction"]
    if not timedelta(0) < end - start <= 90 * DAY:
        raise Failure("end_time_invalid/days" if start < end else "end_time_invalid/order")
    with_tariff, with_carbon = (query[name] == "true" for name in ("include_tariff", "include_carbon"))
    place = _location(world, request.account, request.part)
    tariff = place["tariffs"].get(f"commodity_{direction.lower()}")
    if not tariff:
        raise Failure("no_tariff_connected", direction=direction)
    market = market_of(place["postal_address"], tariff)
    found = _segments(world, tariff, market, direction, start, end)
    if with_carbon:
        found = [rates.Segment(*piece, each.rate) for each in found for piece in rates.cut(*each[:2], market.step)]
    saved = datetime.fromisoformat(tariff["saved"])
    confidence = int(now - saved >= timedelta(seconds=2))

    def local(moment: datetime) -> str:
        """In the offset of the query; if its two times differ, in that of end_time."""
        return rfc3339(moment.astimezone(end.tzinfo))

    rows: list[Json] = []
    for begin, stop, rate in found:
        row: Json = {"valid_from": local(begin), "valid_to": local(stop)}
        row |= {"tariff": {"rate": rate, "confidence": confidence}} if with_tariff else {}
        row |= {"carbon": rates.carbon(market, begin)} if with_carbon else {}
        rows.append(row)
    # Market rates change at each publication. The others were last changed by SAVE; they are due again in a week.
    updated, update = saved, market.at(market.local(now).date() + 7 * DAY, "00:00")
    if is_market(tariff):
        updated, update = (market.at(market.last_day(now) + days, market.published) for days in (0 * DAY, DAY))
    asked: Json = {"start_time": local(start), "end_time": local(end), "direction": direction}
    asked |= {"include_tariff": with_tariff, "include_carbon": with_carbon}
    answer = {"id": new_id("rts"), **_about(request, "tariff_rate", rfc3339(now)), "request": asked, "data": rows}
    answer |= {"location_id": request.part, "location_timezone": market.timezone, "direction": direction}
    answer["currency_code"] = catalog.COUNTRIES[place["postal_address"]["country_code"]]["currency"]
    return answer | {"last_updated": local(updated), "next_update": local(update)}


def _segments(
    world: World, tariff: Json, market: rates.Market, direction: str, start: datetime, end: datetime
) -> list[rates.Segment]:
    """A tariff's rates. Raises Failure where there are none, except after the contract if the switch says so."""
    now, contract_end = world.now(), rates.contract_end(tariff, market, world.switch("last_day"))
    if pending(tariff, now):
        raise Failure("pending_connect")
    found = rates.segments(tariff, market, direction, start, min(end, contract_end), now)
    if provider_of(tariff).test.get("no_price_data") or tariff_status(tariff, now) == "ERROR":
        raise Failure("no_price_data")
    if not found and (start < contract_end or world.switch("after_contract") != "empty"):
        raise Failure("no_price_data" if start < contract_end else world.switch("after_contract"), direction=direction)
    return found
