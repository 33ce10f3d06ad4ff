"""Prices and carbon, computed from tariff, market and time alone, so that they are the same each time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .codec import Json

DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)
# Per cent of the day's mean price in each local hour: low at night and at noon, with two peaks.
CURVE = (72, 68, 65, 64, 66, 78, 98, 122, 128, 110, 92, 80, 74, 72, 78, 92, 116, 142, 150, 138, 118, 102, 90, 80)
SUN_AND_WIND = frozenset((2, 3, 4, 11, 12, 13, 14))


class Segment(NamedTuple):
    """A rate in major currency units per kWh; both times in UTC."""

    valid_from: datetime
    valid_to: datetime
    rate: Decimal


@dataclass(frozen=True)
class Market:
    """A day-ahead market. step: minutes. published: the local "HH:MM" at which the prices of tomorrow come out."""

    seed: str
    timezone: str
    step: int
    published: str
    base: Decimal

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.timezone))

    def at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            return instant(day + DAY, "00:00", self.timezone)
        return instant(day, clock, self.timezone)

    def last_day(self, now: datetime) -> date:
        """The local day on which prices were last published."""
        today = self.local(now).date()
        return today if self.at(today, self.published) <= now else today - DAY


def instant(day: date, clock: str, timezone: str) -> datetime:
    """The UTC time of a local wall-clock time. One that a clock change skips is the time of that change."""
    zone, local = ZoneInfo(timezone), datetime.fromisoformat(f"{day.isoformat()}T{clock}")
    found = local.replace(tzinfo=zone).astimezone(UTC)
    while found.astimezone(zone).replace(tzinfo=None) != local:
        local = local.replace(second=0) + timedelta(minutes=1)
        found = local.replace(tzinfo=zone).astimezone(UTC)
    return found


@lru_cache(10_000)  # three of four are of a whole day
def _share(*parts: object) -> Decimal:
    """A pseudo-random number from 0 to 1, the same for the same parts on every machine."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return Decimal(int.from_bytes(digest[:4], "big")) / 2**32


def wholesale(market: Market, at: datetime) -> Decimal:
    """The market's price before any surcharge, below zero in some hours of about one day in five."""
    local = market.local(at)
    weather = _share(market.seed, local.date())
    level = Decimal(CURVE[local.hour]) / 100 * (Decimal("0.6") + _share(local.date(), market.seed) * Decimal("0.8"))
    if weather > Decimal("0.8") and local.hour in SUN_AND_WIND:
        level = (Decimal("0.9") - weather) * 3
    noise = (_share(market.seed, at.isoformat()) - Decimal("0.5")) / 5
    return market.base * (level + noise)


def contract_end(tariff: Json, market: Market, last_day: str) -> datetime:
    """When a tariff's prices end, or NEVER. last_day is the switch: they end at the end date or after that day."""
    end = tariff.get("end")
    if not end or end.startswith("0001"):
        return NEVER
    if last_day == "included":
        return market.at(date.fromisoformat(end[:10]), "24:00")
    return datetime.fromisoformat(end)


def segments(
    tariff: Json, market: Market, direction: str, start: datetime, end: datetime, now: datetime
) -> list[Segment]:
    """A tariff's rates, clipped to start and end. Leaves out times without a known price, as tomorrow before publication."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if tariff["structure"] == "FIXED":
        whole = [Segment(start, end, tariff["cost"])]
    elif tariff["structure"] == "TIME_OF_DAY":
        whole = _periods(tariff["hours"], market, start, end)
    else:
        known_until = market.at(market.last_day(now) + DAY, "24:00")
        whole = _slots(tariff["surcharge"], market, direction, start, min(end, known_until))
    clipped = (Segment(max(each.valid_from, start), min(each.valid_to, end), each.rate) for each in whole)
    return [each for each in clipped if each.valid_from < each.valid_to]


def _periods(hours: list[Json], market: Market, start: datetime, end: datetime) -> list[Segment]:
    """Local periods as UTC segments. Each ends where the next begins, so a clock change leaves no gap."""
    days = [market.local(start).date() + DAY * number for number in range(-1, (end - start).days + 4)]
    begins = [(market.at(day, each["valid_from"]), each["cost"]) for day in days for each in hours]
    return [Segment(begin, following, cost) for (begin, cost), (following, _) in pairwise(begins)]


def _slots(surcharge: Json, market: Market, direction: str, start: datetime, end: datetime) -> list[Segment]:
    """The price of every step of the market: plus the fixed surcharge, then plus its percentage of the result."""
    found = []
    for begin, stop in cut(start, end, market.step):
        price = wholesale(market, _floor(begin, market.step))
        if direction == "EXPORT":
            price -= abs(price) * Decimal("0.15")
        price = (price + surcharge["fixed"]) * (1 + surcharge["percentage"] / 100)
        found.append(Segment(begin, stop, price.quantize(Decimal("0.00001"))))
    return found


def cut(begin: datetime, end: datetime, step: int) -> Iterator[tuple[datetime, datetime]]:
    """Cut the time from begin to end at every step (minutes)."""
    while begin < end:
        following = min(end, _floor(begin, step) + timedelta(minutes=step))
        yield begin, following
        begin = following


def _floor(moment: datetime, step: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // (step * 60) * step * 60, UTC)


def carbon(market: Market, at: datetime) -> Json:
    """Plausible carbon: {"intensity": gCO2/kWh, "relative": 0-1, "confidence": 0-1}, low when prices are low."""
    local = market.local(at)
    weather = _share(market.seed, local.date())
    relative = (1 - weather) * Decimal("0.6") + Decimal(CURVE[local.hour]) / 400
    relative = min(Decimal(1), relative).quantize(Decimal("0.01"))
    return {"intensity": (40 + relative * 360).quantize(Decimal(1)), "relative": relative, "confidence": 1}
