"""FlatPeak's REST calls about a location: what it is, the status of its tariffs, and their rates."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from . import catalog, checks, rates
from .flow import connected
from .pages import market_of, pending, public_provider
from .rest import DAY, find_location
from .wire import Failure, Json, check_fields, rfc3339
from .world import World

KINDS = ("commodity_import", "commodity_export", "non_commodity_import", "non_commodity_export")
RATES_FIELDS = ("start_time", "direction", "include_tariff", "include_carbon")
DIRECTIONS, FLAGS = ("IMPORT", "EXPORT"), ("true", "false")


def location(world: World, account_id: str, location_id: str, query: Json) -> Json:
    """GET /locations/{id}."""
    check_fields(query, "The query", ())
    found = find_location(world, account_id, location_id)
    address = found["postal_address"]
    answer: Json = {"id": location_id, "object": "location", "live_mode": False, "customer_id": found["customer_id"]}
    answer |= {"reference_id": found["reference_id"], "timezone": catalog.timezone(address)}
    answer |= {"currency_code": catalog.currency(address["country_code"]), "postal_address": address}
    return answer | {"time_created": rfc3339(datetime.fromisoformat(found["created"])), "account_id": account_id}


def status(world: World, account_id: str, location_id: str, query: Json, base: str) -> Json:
    """GET /locations/{id}/status: one entry for each type and direction."""
    check_fields(query, "The query", ())
    tariffs, now = find_location(world, account_id, location_id)["tariffs"], world.now()
    statuses: Json = {}
    for key in KINDS:
        tariff = tariffs.get(key)
        entry: Json = {"status": "NOT_SUPPORTED" if key == "non_commodity_export" else "NOT_CONNECTED"}
        if tariff:
            state = "CONNECTED" if connected(tariff, now) else "NOT_CONNECTED" if pending(tariff, now) else "ERROR"
            entry = {"status": state, "connection_type": tariff["connection"]}
            entry["provider"] = public_provider(tariff, base)
            shown = {"id": tariff["id"], "display_name": tariff["name"], "structure_type": tariff["structure"]}
            entry["tariff"] = {**shown, "contract_end_date": tariff.get("end")}
        entry["status"] += " " if world.switch("status_padded") else ""
        statuses[key] = entry
    answer: Json = {"id": location_id, "object": "location_status", "live_mode": False, "tariff_status": statuses}
    return answer | {"time_created": rfc3339(now), "account_id": account_id}


def tariff_rates(world: World, account_id: str, location_id: str, query: Json) -> Json:
    """GET /tariffs/rates/{id}: the rates of a location's COMMODITY tariff in one direction, at most 90 days of them."""
    now = world.now()
    if "end_time" not in query:
        raise Failure("end_time_missing")
    check_fields(query, "The query", ("end_time",), RATES_FIELDS)
    end = checks.moment(query["end_time"], "end_time")
    start = checks.moment(query["start_time"], "start_time") if "start_time" in query else now.replace(microsecond=0)
    if not timedelta(0) < end - start <= 90 * DAY:
        raise Failure("end_time_invalid/days" if start < end else "end_time_invalid/order")
    direction = checks.one_of(query.get("direction", "IMPORT"), "direction", DIRECTIONS)
    with_tariff = checks.one_of(query.get("include_tariff", "true"), "include_tariff", FLAGS) == "true"
    with_carbon = checks.one_of(query.get("include_carbon", "false"), "include_carbon", FLAGS) == "true"
    place = find_location(world, account_id, location_id)
    tariff = place["tariffs"].get(f"commodity_{direction.lower()}")
    if not tariff:
        raise Failure("no_tariff_connected", direction=direction)
    if pending(tariff, now):
        raise Failure("pending_connect")
    market = market_of(place["postal_address"], tariff)
    found = rates.segments(tariff, market, direction, start, end, now)
    if not found or tariff.get("no_price_data") or not connected(tariff, now):
        raise Failure("no_price_data")
    if with_carbon:
        found = rates.by_the_step(found, market.step)
    confidence = int(now - datetime.fromisoformat(tariff["saved"]) >= timedelta(seconds=2))
    # The answer speaks in the offset of the question.
    offset = (start if "start_time" in query else end).tzinfo
    rows: list[Json] = []
    for begin, stop, rate in found:
        row: Json = {"valid_from": rfc3339(begin.astimezone(offset)), "valid_to": rfc3339(stop.astimezone(offset))}
        if with_tariff:
            row["tariff"] = {"rate": rate, "confidence": confidence}
        if with_carbon:
            row["carbon"] = rates.carbon(market, begin)
        rows.append(row)
    request: Json = {"start_time": rfc3339(start), "end_time": rfc3339(end), "direction": direction}
    request |= {"include_tariff": with_tariff, "include_carbon": with_carbon}
    answer: Json = {"id": world.new_id("trr"), "object": "tariff_rate", "live_mode": False, "location_id": location_id}
    answer |= {"location_timezone": market.timezone, "direction": direction, **_freshness(tariff, market, now)}
    answer["currency_code"] = catalog.currency(place["postal_address"]["country_code"])
    return answer | {"request": request, "data": rows, "time_created": rfc3339(now), "account_id": account_id}


def _freshness(tariff: Json, market: rates.Market, now: datetime) -> Json:
    """The market's publications, or for fixed prices when they were saved and a day about a week ahead."""
    if tariff["structure"] == "MARKET":
        last, following = market.last_publication(now), market.next_publication(now)
    else:
        last = datetime.fromisoformat(tariff["saved"])
        following = market.at(now.astimezone(ZoneInfo(market.timezone)).date() + 7 * DAY, "00:00")
    return {"last_updated": rfc3339(last), "next_update": rfc3339(following)}
