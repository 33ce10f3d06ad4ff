"""The prices of a location: GET /tariffs/rates in zero, POST /prices in anode."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from . import catalog, checks, rates
from .codec import Json, rfc3339
from .errors import Failure, check_fields, tolerated
from .locations import about, location_of
from .rates import DAY
from .tariff import is_market, market_of, pending, provider_of, tariff_status
from .wire import Request, new_id
from .world import World

QUERY = ("start_time", "end_time", "direction", "include_tariff", "include_carbon")
BODY = ("start_time", "end_time", "tariff_direction")


@dataclass(frozen=True)
class Priced:
    """A location's COMMODITY tariff in one direction, its market, and the times asked about."""

    place: Json
    tariff: Json
    market: rates.Market
    direction: str
    start: datetime
    end: datetime

    def local(self, moment: datetime) -> str:
        """In the offset of the question; if its two times differ, in that of end_time."""
        return rfc3339(moment.astimezone(self.end.tzinfo))

    @property
    def times(self) -> Json:
        return {"start_time": self.local(self.start), "end_time": self.local(self.end)}

    def facts(self, request: Request) -> Json:
        currency = catalog.COUNTRIES[self.place["postal_address"]["country_code"]]["currency"]
        where = {"location_id": request.part, "location_timezone": self.market.timezone}
        return where | {"currency_code": currency}


def tariff_rates(world: World, request: Request) -> Json:
    """GET /tariffs/rates/{id}: the rates of a location's COMMODITY tariff in one direction, for at most 90 days."""
    given = request.fields((), QUERY)
    for name in ("include_tariff", "include_carbon"):
        plain = given.get(name, "").lower()
        if plain in ("true", "false") and given[name] != plain and tolerated("boolean_case"):
            given[name] = plain
    found = _priced(world, request, given, "direction")
    with_tariff, with_carbon = given.get("include_tariff") != "false", given.get("include_carbon") == "true"
    segments = _segments(world, found)
    if with_carbon:
        segments = [
            rates.Segment(*piece, each.rate) for each in segments for piece in rates.cut(*each[:2], found.market.step)
        ]
    confidence = _confidence(world, found.tariff)
    rows: list[Json] = []
    for begin, stop, rate in segments:
        row: Json = {"valid_from": found.local(begin), "valid_to": found.local(stop)}
        row |= {"tariff": {"rate": rate, "confidence": confidence}} if with_tariff else {}
        row |= {"carbon": rates.carbon(found.market, begin)} if with_carbon else {}
        rows.append(row)
    asked = found.times | {"direction": found.direction, "include_tariff": with_tariff, "include_carbon": with_carbon}
    answer = {
        "id": new_id("rts"),
        **about(request, "tariff_rate", rfc3339(world.now())),
        "request": asked,
        "data": rows,
    }
    return answer | found.facts(request) | {"direction": found.direction} | _updates(world, found)


def prices(world: World, request: Request) -> Json:
    """POST /prices/{id}: the same by anode's names, without carbon."""
    given = check_fields(request.json(), "The body", (), BODY)
    if given.get("tariff_direction") == "LOCAL":
        raise Failure("tariff_direction_not_supported")
    found = _priced(world, request, given, "tariff_direction")
    item, _, value = world.switch("price_item").partition(".")
    confidence = _confidence(world, found.tariff)
    rows = [
        {
            "valid_from": found.local(begin),
            "valid_to": found.local(stop),
            item: {value: price, "confidence": confidence},
        }
        for begin, stop, price in _segments(world, found)
    ]
    answer = {"id": new_id("prs"), **about(request, "price", rfc3339(world.now()))}
    answer |= found.facts(request) | {"tariff_direction": found.direction} | _updates(world, found)
    if not world.switch("price_next_update"):
        del answer["next_update"]
    return answer | {"request": {"tariff_direction": found.direction, **found.times}, "data": rows}


def _priced(world: World, request: Request, given: Json, direction_field: str) -> Priced:
    """Check a question for prices. direction_field: how it names the direction. Raises Failure."""
    if "end_time" not in given:
        raise Failure("end_time_missing")
    checks.matching(given)
    query = {"start_time": rfc3339(world.now()), direction_field: "IMPORT"} | given
    times = (checks.moment(query[name], name, "time_invalid", f"{name}_invalid") for name in ("start_time", "end_time"))
    (start, end), direction = times, query[direction_field]
    if not timedelta(0) < end - start <= 90 * DAY:
        raise Failure("end_time_invalid/days" if start < end else "end_time_invalid/order")
    place = location_of(world, request.account, request.part)
    tariff = place["tariffs"].get(f"commodity_{direction.lower()}")
    if not tariff:
        raise Failure("no_tariff_connected", direction=direction)
    return Priced(place, tariff, market_of(place["postal_address"], tariff), direction, start, end)


def _confidence(world: World, tariff: Json) -> int:
    """0 for two seconds after a tariff was connected, then 1."""
    return int(world.now() - datetime.fromisoformat(tariff["saved"]) >= timedelta(seconds=2))


def _updates(world: World, found: Priced) -> Json:
    """When the prices changed and will change: market prices at each publication, the others by SAVE, checked weekly."""
    now, market = world.now(), found.market
    updated = datetime.fromisoformat(found.tariff["saved"])
    update = market.at(market.local(now).date() + 7 * DAY, "00:00")
    if is_market(found.tariff):
        updated, update = (market.at(market.last_day(now) + days, market.published) for days in (0 * DAY, DAY))
    return {"last_updated": found.local(updated), "next_update": found.local(update)}


def _segments(world: World, found: Priced) -> list[rates.Segment]:
    """The rates. Raises Failure where there are none, except after the contract if the switch says so."""
    now, tariff, market, direction = world.now(), found.tariff, found.market, found.direction
    contract_end = rates.contract_end(tariff, market, world.switch("last_day"))
    if pending(tariff, now):
        raise Failure("pending_connect")
    segments = rates.segments(tariff, market, direction, found.start, min(found.end, contract_end), now)
    if provider_of(tariff).test.get("no_price_data") or tariff_status(tariff, now) == "ERROR":
        raise Failure("no_price_data")
    if not segments and (found.start < contract_end or world.switch("after_contract") != "empty"):
        raise Failure(
            "no_price_data" if found.start < contract_end else world.switch("after_contract"), direction=direction
        )
    return segments
