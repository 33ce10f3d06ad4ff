"""Prices and carbon as pure functions of tariff, market and instant: the same question always has the same answer."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .wire import Json

DAY = timedelta(days=1)
# Per cent of the day's mean price for each local hour: low at night and at noon, two peaks.
CURVE = (72, 68, 65, 64, 66, 78, 98, 122, 128, 110, 92, 80, 74, 72, 78, 92, 116, 142, 150, 138, 118, 102, 90, 80)
SUN_AND_WIND = frozenset((2, 3, 4, 11, 12, 13, 14))


class Segment(NamedTuple):
    """A rate in major currency units per kWh from valid_from to valid_to, both aware, in UTC."""

    valid_from: datetime
    valid_to: datetime
    rate: Decimal


@dataclass(frozen=True)
class Market:
    """A day-ahead market: step in minutes; at `published` (local "HH:MM") tomorrow's prices come out up to `until`."""

    seed: str
    timezone: str
    step: int
    published: str
    until: str
    base: Decimal

    def at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            return instant(day + DAY, "00:00", self.timezone)
        return instant(day, clock, self.timezone)

    def last_publication(self, now: datetime) -> datetime:
        today = now.astimezone(ZoneInfo(self.timezone)).date()
        out = self.at(today, self.published)
        return out if out <= now else self.at(today - DAY, self.published)

    def next_publication(self, now: datetime) -> datetime:
        last = self.last_publication(now).astimezone(ZoneInfo(self.timezone)).date()
        return self.at(last + DAY, self.published)

    def known_until(self, now: datetime) -> datetime:
        last = self.last_publication(now).astimezone(ZoneInfo(self.timezone)).date()
        return self.at(last + DAY, self.until)


def instant(day: date, clock: str, timezone: str) -> datetime:
    """The UTC instant of a local wall-clock time; one that a clock change skips is the instant of that change."""
    zone = ZoneInfo(timezone)
    local = datetime.fromisoformat(f"{day.isoformat()}T{clock}").replace(tzinfo=zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    found = local.replace(fold=1).astimezone(UTC)
    before = found.astimezone(zone).utcoffset()
    while found.astimezone(zone).utcoffset() == before:
        found += timedelta(minutes=1)
    return found.replace(second=0)


def _share(*parts: object) -> Decimal:
    """A number from 0 to 1 that is the same for the same parts on every machine."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return Decimal(int.from_bytes(digest[:4], "big")) / 2**32


def wholesale(market: Market, at: datetime) -> Decimal:
    """The market's price before any surcharge; below zero on the sunny and windy hours of about one day in five."""
    local = at.astimezone(ZoneInfo(market.timezone))
    weather = _share(market.seed, local.date())
    level = Decimal(CURVE[local.hour]) / 100 * (Decimal("0.6") + _share(local.date(), market.seed) * Decimal("0.8"))
    if weather > Decimal("0.8") and local.hour in SUN_AND_WIND:
        level = (Decimal("0.9") - weather) * 3
    noise = (_share(market.seed, at.isoformat()) - Decimal("0.5")) / 5
    return market.base * (level + noise)


def with_surcharge(price: Decimal, surcharge: Json) -> Decimal:
    """The fixed part first, then the percentage of the result; five decimals."""
    price = (price + surcharge["fixed"]) * (1 + surcharge["percentage"] / 100)
    return price.quantize(Decimal("0.00001"))


def segments(
    tariff: Json, market: Market, direction: str, start: datetime, end: datetime, now: datetime
) -> list[Segment]:
    """A tariff's rates from start to end: the first begins at start, the last ends at end or where prices are known.

    Times that no price is known for (tomorrow before publication, after the contract) are simply not there.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if tariff.get("end") and not tariff["end"].startswith("0001"):
        end = min(end, datetime.fromisoformat(tariff["end"]))
    if tariff["structure"] == "MARKET":
        end = min(end, market.known_until(now))
    if start >= end:
        return []
    if tariff["structure"] == "FIXED":
        return [Segment(start, end, tariff["cost"])]
    if tariff["structure"] == "TIME_OF_DAY":
        whole = _periods(tariff["hours"], market.timezone, start, end)
    else:
        whole = _slots(tariff["surcharge"], market, direction, start, end)
    clipped = (Segment(max(each.valid_from, start), min(each.valid_to, end), each.rate) for each in whole)
    return [each for each in clipped if each.valid_from < each.valid_to]


def _periods(hours: list[Json], timezone: str, start: datetime, end: datetime) -> Iterator[Segment]:
    """Local periods as UTC segments; each ends where the next one begins, so a clock change leaves no gap."""
    day = start.astimezone(ZoneInfo(timezone)).date() - DAY
    ordered = sorted(hours, key=lambda each: str(each["valid_from"]))
    begins: list[tuple[datetime, Decimal]] = []
    while day <= end.astimezone(ZoneInfo(timezone)).date() + DAY:
        begins += [(instant(day, each["valid_from"], timezone), each["cost"]) for each in ordered]
        day += DAY
    for (begin, cost), (following, _) in pairwise(begins):
        yield Segment(begin, following, cost)


def _slots(surcharge: Json, market: Market, direction: str, start: datetime, end: datetime) -> Iterator[Segment]:
    step = timedelta(minutes=market.step)
    at = datetime.fromtimestamp(start.timestamp() // step.total_seconds() * step.total_seconds(), UTC)
    while at < end:
        price = wholesale(market, at)
        if direction == "EXPORT":
            price -= abs(price) * Decimal("0.15")
        yield Segment(at, at + step, with_surcharge(price, surcharge))
        at += step


def by_the_step(whole: list[Segment], step: int) -> list[Segment]:
    """The same rates cut at every step (minutes), as carbon intensity differs from one to the next."""
    seconds, cut = step * 60, []
    for begin, end, rate in whole:
        while begin < end:
            following = datetime.fromtimestamp((begin.timestamp() // seconds + 1) * seconds, UTC)
            cut.append(Segment(begin, min(following, end), rate))
            begin = min(following, end)
    return cut


def carbon(market: Market, at: datetime) -> Json:
    """Plausible carbon intensity: {"intensity" gCO2/kWh, "relative" 0-1, "confidence"}; low when power is plenty."""
    local = at.astimezone(ZoneInfo(market.timezone))
    weather = _share(market.seed, local.date())
    relative = (1 - weather) * Decimal("0.6") + Decimal(CURVE[local.hour]) / 400
    relative = min(Decimal(1), relative).quantize(Decimal("0.01"))
    return {"intensity": (40 + relative * 360).quantize(Decimal(1)), "relative": relative, "confidence": 1}
