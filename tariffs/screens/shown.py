"""What the rates pages show of a tariff: today and tomorrow, or other days; and the moments at which that changes.

Makes no call and no query. The moments limit how long a page is shown and cached.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from .. import money, rates
from ..models import Location, RateDay, Tariff
from ..rates.levels import word
from ..rates.outlook import LENGTH, outlook, segments_of, without_carbon
from .chart import chart, heading
from .day import by_hour, carbon_of, day_of, figures, periods

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
TODAY, TOMORROW, DAY, WEEK, MONTH = "today", "tomorrow", "day", "week", "month"


def view_of(tariff: Tariff, location: Location, now: datetime, tab: str = TODAY) -> dict[str, Any]:
    """Today and tomorrow of a tariff, for `tariffs/_tariff.html`; `tab` says which of them the chart and tables show.

    The chart of today has tomorrow beside it, once that is known.
    """
    zone, currency = location.local_zone, location.currency_code
    today = now.astimezone(zone).date()
    dates = [today, today + timedelta(days=1)]
    (start, midnight), (_, end) = (rates.day_span(day, zone) for day in dates)
    exact = rates.clip(segments_of(tariff.days.all()), start, end) if tariff.is_read else []
    segments = without_carbon(exact)
    known = outlook(tariff, segments, now)
    current, best = known.now, known.best
    charted = segments if tab == TODAY else rates.clip(segments, midnight, end)
    # Leave out a day of which nothing is known.
    edges = (
        start if charted and charted[0].start < midnight else midnight,
        end if charted and charted[-1].end > midnight else midnight,
    )
    named = (
        (best.start, best.end, gettext("best") if tariff.direction == "EXPORT" else gettext("cheapest"))
        if best
        else None
    )
    shown = [day_of(exact, day, zone, now) for day in dates] if exact else []
    if tab == TOMORROW or (shown and shown[1].all_rows):  # today says that tomorrow is not known, and no more
        shown = shown[:1] if tab == TODAY else shown[1:]
    mean = money.shown(best.mean, currency) if best else None
    gain = money.shown(current.rate, currency) - mean if current and mean is not None else None
    same_all_day = periods(segments, dates[:1], zone)
    one_price = current and len({s.rate for s in segments}) == len(same_all_day) == 1
    view = {
        "tariff": tariff,
        "currency": currency,
        "zone": zone,
        "now": current,
        "until": current.end if current and current.end < end else None,
        "next": known.next,
        "word": known.word,
        "best": best,
        # From the rounded prices, as people read them; below zero where now is the better time.
        "gain": -gain if gain and tariff.direction == "EXPORT" else gain,
        "one_price": one_price,
        "year": usual_year(current.rate, currency) if current and one_price and tariff.direction == "IMPORT" else None,
        "ahead": known.ahead,
        "chart": chart(charted, *edges, zone, currency, now, partial(word, tariff), named),
        "charted": heading(charted, zone, now),
        "periods": periods(segments, dates, zone),
        "days": shown,
        "hours": {day.date: by_hour(day, zone) for day in shown},
        "awaited": is_awaited(tariff, now),
        "last": exact[-1].end if exact else None,
        "fetched_at": min((day.fetched_at for day in tariff.days.all() if day.day in dates), default=None),
        **contract_of(tariff, known.ahead, now),
        "look_again": look_again(tariff, now) if tariff.is_read else None,
    }
    moments = changes(tariff, exact, now)
    if best:  # its time begins, or it is too late to begin; a time that begins now is looked at again soon
        moments += [at for at in (best.start, best.until - LENGTH) if at > now] or [now + timedelta(minutes=5)]
    return view | {"changes_at": first_of(moments, now, zone)}


def usual_year(rate: Decimal, currency: str) -> tuple[int, str] | None:
    """The kWh of a usual year of a household, and what they cost at one price; None if we know no usual price."""
    unit = money.unit(currency)
    return (unit.year, money.amount(rate * unit.year, currency)) if unit.ordinary is not None else None


def contract_of(tariff: Tariff, ahead: Sequence[rates.Segment], now: datetime) -> dict[str, bool]:
    """Whether the contract is `over`, or has `stopped`: it ends by tomorrow, and has no more prices."""
    left = tariff.days_left(now)
    known = tariff.is_read and tariff.state != Tariff.State.FAILED
    if left is None or not known or tariff.rates not in (Tariff.Rates.OK, Tariff.Rates.ENDED):
        return {"over": False, "stopped": False}
    return {"over": left < 0, "stopped": left in (0, 1) and not ahead}


def history_of(
    tariff: Tariff, known: Sequence[RateDay], dates: Sequence[date], before: Sequence[RateDay], now: datetime
) -> dict[str, Any]:
    """A day, a week or a month of a tariff, for `tariffs/other_days.html`; `before` is the week or month before it."""
    zone, currency = tariff.location.local_zone, tariff.location.currency_code
    exact = segments_of(known)
    segments = without_carbon(exact)
    start, end = rates.day_span(dates[0], zone)[0], rates.day_span(dates[-1], zone)[1]
    # FlatPeak is asked again for a single day, today or tomorrow, for which it had no prices so far.
    answered = tariff.rates in (Tariff.Rates.OK, Tariff.Rates.ESTIMATE)
    today = now.astimezone(zone).date()
    near = len(dates) == 1 and timedelta() <= dates[0] - today <= timedelta(days=1)
    by_day = [(day, rates.clip(exact, *rates.day_span(day, zone))) for day in dates]
    told = [day for day, found in by_day if found]
    means = [
        rates.Segment(*rates.day_span(day, zone), mean, min(s.confidence for s in found))
        for day, found in by_day
        if (mean := figures(found)[0]) is not None
    ]
    former = any(day.former for day in known)  # of which today's thresholds say nothing
    said = (lambda rate: "") if former else partial(word, tariff)
    shown = [day_of(exact, day, zone, now) for day in dates] if len(dates) == 1 else []
    return {
        "tariff": tariff,
        "names": list(dict.fromkeys(day.former or str(tariff) for day in known)) or [str(tariff)],
        "currency": currency,
        "chart": chart(segments if len(dates) == 1 else means, start, end, zone, currency, now, said),
        "tiered": any(day.tiered for day in known),
        "lacks": len(told) < len(by_day),
        "with_price": today if today in told else next(iter(told), None),
        "next": tariff.due_after(now) if tariff.is_read and answered and near else None,
        "days": shown,
        "last": day_of(exact, dates[-1], zone, now),
        "hours": {day.date: by_hour(day, zone) for day in shown},
        "changes": changes(tariff, exact, now) if start <= now + timedelta(days=1) and now < end else [],
        "week": [
            (day, *figures(found), any(s.confidence < 1 for s in found), carbon_of(found)) for day, found in by_day
        ],
        **compared(exact, segments_of(before), currency),
    }


def compared(exact: Sequence[rates.Segment], before: Sequence[rates.Segment], currency: str) -> dict[str, Any]:
    """The mean price and carbon of a time, and of the one before it; the difference is that of the prices as shown."""
    mean, earlier = figures(exact)[0], figures(before)[0]
    return {
        "mean": mean,
        "earlier": earlier,
        "more": None
        if mean is None or earlier is None
        else money.shown(mean, currency) - money.shown(earlier, currency),
        "carbon": carbon_of(exact),
        "carbon_earlier": carbon_of(before),
    }


def first_of(moments: Iterable[datetime], now: datetime, zone: ZoneInfo) -> datetime:
    """The first moment after now, at the latest the end of the local day, since a page says "today"."""
    midnight = rates.day_span(now.astimezone(zone).date(), zone)[1]
    return min(at for at in (midnight, *moments) if at > now)


def changes(tariff: Tariff, segments: Iterable[rates.Segment], now: datetime) -> list[datetime]:
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
