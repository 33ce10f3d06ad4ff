"""The moments at which a page with prices changes. They limit how long it is shown and cached."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from .. import rates
from ..models import Tariff
from ..rates import Segment

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)


def first_of(moments: Iterable[datetime], now: datetime, zone: ZoneInfo) -> datetime:
    """The first moment after now, at the latest the end of the local day, since a page says "today"."""
    midnight = rates.day_span(now.astimezone(zone).date(), zone)[1]
    return min(at for at in (midnight, *moments) if at > now)


def changes(tariff: Tariff, segments: Iterable[Segment], now: datetime) -> list[datetime]:
    """The moments at which a rate begins or ends, FlatPeak is asked again, or its answer may have arrived."""
    if not tariff.is_read:
        return []
    moments = [at for s in rates.joined(segments) for at in (s.start, s.end)]
    moments.append(tariff.due_after(now) or now + MINUTE)
    if tariff.rates == Tariff.Rates.FAILING:  # the page says how old its prices are
        moments.append(now + QUARTER)
    if seconds := look_again(tariff, now):
        moments.append(now + timedelta(seconds=seconds))
    return moments


def look_again(tariff: Tariff, now: datetime) -> int | None:
    """Seconds after which a page that waits for rates reloads. Only the reload interval: `ask_at` decides when to fetch."""
    if is_awaited(tariff, now):
        return 5
    if tariff.rates == Tariff.Rates.ESTIMATE:
        return 5 if now - tariff.rates_since < MINUTE else 30
    return 30 if tariff.rates == Tariff.Rates.PENDING else None


def is_awaited(tariff: Tariff, now: datetime) -> bool:
    """Whether rates are being fetched at this moment. False if FlatPeak has not read the tariff."""
    waits = tariff.state == Tariff.State.FAILED or tariff.rates == Tariff.Rates.PENDING
    return tariff.is_read and tariff.is_claimed(now) and not waits
